/* Start-up of a Cortex-M: vectors, coprocessor, a timer, and the way to QEMU. */
#include <stdint.h>

#include "board.h"
#include "processor.h"

extern uint32_t board_stack_top[];

static volatile uint32_t *const CPACR = (volatile uint32_t *)0xe000ed88U;
static volatile uint32_t *const SYSTICK_CONTROL = (volatile uint32_t *)0xe000e010U;
static volatile uint32_t *const SYSTICK_RELOAD = (volatile uint32_t *)0xe000e014U;
static volatile uint32_t *const SYSTICK_VALUE = (volatile uint32_t *)0xe000e018U;
#define SYSTICK_TICKS 0x1000000U

static volatile uint32_t systick_wraps;

int32_t board_host_call(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
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

const uint32_t *processor_stack(void)
{
    const uint32_t *stack;
    __asm__ volatile("mov %0, sp" : "=r"(stack));
    return stack;
}

static void count_wrap(void)
{
    ++systick_wraps;
}

__attribute__((noreturn)) void board_reset(void);

void board_reset(void)
{
    *CPACR |= 0xfU << 20;
    __asm__ volatile("dsb\nisb");
    processor_run();
    for (;;) {
    }
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector vectors[15];
} board_vectors = {
    board_stack_top,
    {board_reset, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail, processor_fail,
     count_wrap},
};
