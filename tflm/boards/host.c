#include "host.h"

#include <string.h>

#include "board.h"

enum operation {
    HOST_OPEN = 0x01,
    HOST_WRITE = 0x05,
    HOST_READ = 0x06,
    HOST_SEEK = 0x0a,
    HOST_LENGTH = 0x0c,
    HOST_COMMAND_LINE = 0x15
};

/* Modes of fopen, as semihosting numbers them. */
#define MODE_RB 1U
#define MODE_WB 5U

bool host_arguments(char *text, size_t size)
{
    uint32_t arguments[2] = {(uint32_t)text, (uint32_t)size};
    return board_host_call(HOST_COMMAND_LINE, arguments) == 0;
}

int32_t host_open(const char *path, bool writing)
{
    const uint32_t arguments[3] = {(uint32_t)path, writing ? MODE_WB : MODE_RB,
                                   (uint32_t)strlen(path)};
    return board_host_call(HOST_OPEN, arguments);
}

size_t host_read(int32_t file, void *to, size_t bytes)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)to, (uint32_t)bytes};
    const int32_t missing = board_host_call(HOST_READ, arguments);
    return missing < 0 ? 0U : bytes - (size_t)missing;
}

bool host_write(int32_t file, const void *from, size_t bytes)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)from, (uint32_t)bytes};
    return board_host_call(HOST_WRITE, arguments) == 0;
}

bool host_seek(int32_t file, uint32_t position)
{
    const uint32_t arguments[2] = {(uint32_t)file, position};
    return board_host_call(HOST_SEEK, arguments) == 0;
}

int32_t host_length(int32_t file)
{
    const uint32_t arguments[1] = {(uint32_t)file};
    return board_host_call(HOST_LENGTH, arguments);
}

void host_print_number(uint64_t number)
{
    char text[21];
    char *digit = &text[20];
    *digit = '\0';
    do {
        --digit;
        *digit = (char)('0' + (char)(number % 10U));
        number /= 10U;
    } while (number != 0U);
    board_print(digit);
}

void host_print_signed(int32_t number)
{
    if (number < 0) {
        board_print("-");
    }
    host_print_number(number < 0 ? 0U - (uint32_t)number : (uint32_t)number);
}
