/* Sound from a WAV file of the machine that emulates the board; ends the program after it. */
#include "audio_provider.h"

#include <string.h>

#include "board.h"
#include "command_line.h"
#include "frontend.h"
#include "host.h"

#define FORMAT_PCM 1U

static int32_t file;
static uint32_t bytes_left; /* of the file's samples */
static bool over;

static void refuse(const char *why)
{
    board_print("Error: ");
    board_print(why);
    board_print(": ");
    board_print(command_line_wav());
    board_print("\n");
    board_exit(2);
}

static uint32_t number(const uint8_t *bytes, uint32_t size)
{
    uint32_t value = 0U;
    for (uint32_t i = size; i > 0U; --i) {
        value = (value << 8) | bytes[i - 1U];
    }
    return value;
}

static void check_format(const uint8_t *format)
{
    const uint32_t tag = number(&format[0], 2U);
    const uint32_t channels = number(&format[2], 2U);
    const uint32_t rate = number(&format[4], 4U);
    const uint32_t bits = number(&format[14], 2U);
    if (tag != FORMAT_PCM || channels != 1U || rate != FRONTEND_SAMPLE_RATE || bits != 16U) {
        board_print("Error: a WAV file must be 16-bit PCM (format 1), 1 channel, ");
        host_print_number(FRONTEND_SAMPLE_RATE);
        board_print(" Hz. Received: format ");
        host_print_number(tag);
        board_print(", ");
        host_print_number(bits);
        board_print(" bits, ");
        host_print_number(channels);
        board_print(" channels, ");
        host_print_number(rate);
        board_print(" Hz: ");
        board_print(command_line_wav());
        board_print("\n");
        board_exit(2);
    }
}

/* Goes from chunk to chunk up to the samples. */
bool audio_start(void)
{
    uint8_t bytes[16];
    uint32_t position = 12U;
    bool format_is_known = false;
    file = host_open(command_line_wav(), false);
    if (file < 0) {
        refuse("the file cannot be opened");
    }
    if (host_read(file, bytes, 12U) != 12U || memcmp(bytes, "RIFF", 4U) != 0 ||
        memcmp(&bytes[8], "WAVE", 4U) != 0) {
        refuse("this is no WAV file");
    }
    const int32_t file_bytes = host_length(file);
    while (bytes_left == 0U) {
        if (!host_seek(file, position) || host_read(file, bytes, 8U) != 8U) {
            refuse("the WAV file holds no samples");
        }
        const uint32_t size = number(&bytes[4], 4U);
        position += 8U;
        if (file_bytes < 0 || size > (uint32_t)file_bytes - position) {
            refuse("the WAV file is cut off");
        }
        if (memcmp(bytes, "fmt ", 4U) == 0 && size >= 16U && host_read(file, bytes, 16U) == 16U) {
            check_format(bytes);
            format_is_known = true;
        } else if (memcmp(bytes, "data", 4U) == 0) {
            if (!format_is_known) {
                refuse("the WAV file has samples before their format");
            }
            if (size < 2U * FRONTEND_FRAME_LENGTH) {
                refuse("the sound is shorter than one frame");
            }
            bytes_left = size;
        } else {
            /* Of no interest. */
        }
        position += size + (size & 1U);
    }
    return true;
}

audio_status_t audio_read(const int16_t **samples, size_t *count)
{
    audio_status_t status = AUDIO_END;
    int16_t *const buffer = command_line_memory.samples;
    const size_t most = sizeof command_line_memory.samples;
    const size_t wanted = bytes_left < most ? bytes_left : most;
    if (wanted >= sizeof buffer[0]) {
        if (host_read(file, buffer, wanted) != wanted) {
            board_print("Error: the WAV file cannot be read\n");
            board_exit(2);
        }
        bytes_left -= (uint32_t)wanted;
        *samples = buffer;
        *count = wanted / sizeof buffer[0];
        status = AUDIO_SAMPLES;
    } else if (over) {
        board_exit(0);
    } else {
        over = true;
    }
    return status;
}
