/* Counts the instructions of every frame of the front end: prints one line per frame, ticks, then
 * the levels in hexadecimal; at the end the bytes of stack. */
#include "board.h"
#include "frontend.h"
#include "host.h"

extern const int16_t samples[];
extern const uint32_t sample_count;

static frontend_t frontend;
static frontend_complex_t spectrum[FRONTEND_FFT_POINTS];

static void print_levels(const frontend_level_t *frame)
{
    static char text[1U + (2U * sizeof(frontend_level_t))];
    for (uint32_t i = 0U; i < FRONTEND_MELS; ++i) {
        uint32_t value = (uint32_t)frame[i];
        for (uint32_t place = 2U * sizeof(frontend_level_t); place > 0U; --place) {
            text[place - 1U] = "0123456789abcdef"[value & 15U];
            value >>= 4U;
        }
        board_print(text);
    }
}

int main(void)
{
    frontend_level_t frame[FRONTEND_MELS];
    const int16_t *next = samples;
    size_t count = sample_count;
    bool complete = true;

    board_start_ticks();
    frontend_init(&frontend);
    while (complete) {
        const uint64_t before = board_ticks();
        complete = frontend_push(&frontend, spectrum, &next, &count, frame);
        const uint64_t ticks = board_ticks() - before;
        if (complete) {
            host_print_number(ticks);
            board_print(" ");
            print_levels(frame);
            board_print("\n");
        }
    }
    host_print_number(board_stack_bytes());
    return 0;
}
