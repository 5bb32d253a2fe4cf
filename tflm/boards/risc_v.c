/* Start-up of a RISC-V core: stack, faults, the counter of instructions, and the way to QEMU. */
#include <stdint.h>

#include "board.h"
#include "processor.h"

static uint64_t first_tick;

/* The three instructions around the call tell QEMU that it is one. */
int32_t board_host_call(uint32_t operation, const void *argument)
{
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     ".balign 16\n"
                     "slli x0, x0, 0x1f\n"
                     "ebreak\n"
                     "srai x0, x0, 7\n"
                     ".option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return (int32_t)a0;
}

/* Instructions since the start; the upper half may change between the two reads of the lower. */
static uint64_t instructions(void)
{
    uint32_t high;
    uint32_t low;
    uint32_t again;
    do {
        __asm__ volatile("csrr %0, minstreth\n"
                         "csrr %1, minstret\n"
                         "csrr %2, minstreth"
                         : "=r"(high), "=r"(low), "=r"(again));
    } while (high != again);
    return ((uint64_t)high << 32) | low;
}

void board_start_ticks(void)
{
    first_tick = instructions();
}

uint64_t board_ticks(void)
{
    return instructions() - first_tick;
}

const uint32_t *processor_stack(void)
{
    const uint32_t *stack;
    __asm__ volatile("mv %0, sp" : "=r"(stack));
    return stack;
}

__attribute__((naked, section(".vectors"), used)) void board_reset(void);

void board_reset(void)
{
    __asm__ volatile("la sp, board_stack_top\n"
                     "la t0, processor_fail\n"
                     "csrw mtvec, t0\n"
                     "call processor_run\n"
                     "j .");
}
