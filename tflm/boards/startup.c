/* Start-up of any processor without a library: memory, text, exit through QEMU. */
#include <stdint.h>

#include "board.h"
#include "processor.h"

extern uint32_t board_stack_top[];
extern uint32_t board_data_load[];
extern uint32_t board_data_start[];
extern uint32_t board_data_end[];
extern uint32_t board_bss_start[];
extern uint32_t board_bss_end[];
extern uint32_t board_flash_start[];
extern uint32_t board_flash_end[];
extern uint32_t board_ram_start[];

int main(void);

#define STACK_MARK 0xa5a5a5a5U

void board_print(const char *text)
{
    (void)board_host_call(0x04U, text);
}

void board_exit(int32_t status)
{
    const uint32_t arguments[2] = {0x20026U, (uint32_t)status};
    for (;;) {
        (void)board_host_call(0x20U, arguments);
    }
}

uint32_t board_stack_bytes(void)
{
    const volatile uint32_t *mark = board_bss_end;
    while (*mark == STACK_MARK) {
        ++mark;
    }
    return (uint32_t)board_stack_top - (uint32_t)mark;
}

uint32_t board_ram_bytes(void)
{
    return (uint32_t)board_bss_end - (uint32_t)board_ram_start;
}

uint32_t board_flash_bytes(void)
{
    return (uint32_t)board_flash_end - (uint32_t)board_flash_start;
}

void processor_run(void)
{
    const uint32_t *from = board_data_load;
    for (uint32_t *to = board_data_start; to != board_data_end; ++to) {
        *to = *from;
        ++from;
    }
    for (uint32_t *to = board_bss_start; to != board_bss_end; ++to) {
        *to = 0U;
    }
    /* All that lies between the variables and the stack. */
    const uint32_t *const stack = processor_stack();
    for (volatile uint32_t *to = board_bss_end; to < stack; ++to) {
        *to = STACK_MARK;
    }
    board_exit(main());
}

void processor_fail(void)
{
    board_print("fault\n");
    board_exit(2);
}
