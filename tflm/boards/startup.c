/* Start-up of a Cortex-M without any library: vectors, memory, coprocessor, exit through QEMU. */
#include <stdint.h>

#include "board.h"

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

static volatile uint32_t *const CPACR = (volatile uint32_t *)0xe000ed88U;
static volatile uint32_t *const SYSTICK_CONTROL = (volatile uint32_t *)0xe000e010U;
static volatile uint32_t *const SYSTICK_RELOAD = (volatile uint32_t *)0xe000e014U;
static volatile uint32_t *const SYSTICK_VALUE = (volatile uint32_t *)0xe000e018U;
#define SYSTICK_TICKS 0x1000000U

static volatile uint32_t systick_wraps;

#define STACK_MARK 0xa5a5a5a5U

int32_t board_host_call(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

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

void board_start_ticks(void)
{
    *SYSTICK_RELOAD = SYSTICK_TICKS - 1U;
    *SYSTICK_VALUE = 0U;
    *SYSTICK_CONTROL = 7U;
    while (*SYSTICK_VALUE == 0U) {
    }
}

uint64_t board_ticks(void)
{
    uint32_t wraps;
    uint32_t value;
    do {
        wraps = systick_wraps;
        value = *SYSTICK_VALUE;
    } while (wraps != systick_wraps);
    return ((uint64_t)wraps + 1U) * SYSTICK_TICKS - value;
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

static void count_wrap(void)
{
    ++systick_wraps;
}

static void fail(void)
{
    board_print("fault\n");
    board_exit(2);
}

__attribute__((noreturn)) void board_reset(void);

void board_reset(void)
{
    *CPACR |= 0xfU << 20;
    __asm__ volatile("dsb\nisb");
    const uint32_t *from = board_data_load;
    for (uint32_t *to = board_data_start; to != board_data_end; ++to) {
        *to = *from;
        ++from;
    }
    for (uint32_t *to = board_bss_start; to != board_bss_end; ++to) {
        *to = 0U;
    }
    /* All that lies between the variables and the stack. */
    const uint32_t *stack;
    __asm__ volatile("mov %0, sp" : "=r"(stack));
    for (volatile uint32_t *to = board_bss_end; to < stack; ++to) {
        *to = STACK_MARK;
    }
    board_exit(main());
    for (;;) {
    }
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector vectors[15];
} board_vectors = {
    board_stack_top,
    {board_reset, fail, fail, fail, fail, fail, fail, fail, fail, fail, fail, fail, fail, fail,
     count_wrap},
};
