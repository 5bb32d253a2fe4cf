/* Start-up of a Cortex-M without any library: vectors, memory, coprocessor, exit through QEMU. */
#include <stdint.h>

#include "board.h"

extern uint32_t board_stack_top[];
extern uint32_t board_data_load[];
extern uint32_t board_data_start[];
extern uint32_t board_data_end[];
extern uint32_t board_bss_start[];
extern uint32_t board_bss_end[];

int main(void);

static volatile uint32_t *const CPACR = (volatile uint32_t *)0xe000ed88U;
static volatile uint32_t *const SYSTICK_CONTROL = (volatile uint32_t *)0xe000e010U;
static volatile uint32_t *const SYSTICK_RELOAD = (volatile uint32_t *)0xe000e014U;
static volatile uint32_t *const SYSTICK_VALUE = (volatile uint32_t *)0xe000e018U;
#define SYSTICK_TICKS 0x1000000U

static volatile uint32_t systick_wraps;

/* A semihosting call: the debugger, here QEMU, does the work. */
static int32_t host_call(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

void board_print(const char *text)
{
    (void)host_call(0x04U, text);
}

void board_exit(int32_t status)
{
    const uint32_t arguments[2] = {0x20026U, (uint32_t)status};
    for (;;) {
        (void)host_call(0x20U, arguments);
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
