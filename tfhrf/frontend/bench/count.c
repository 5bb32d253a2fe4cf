/* Counts the instructions of every frame on an emulated board.
 *
 * QEMU executes one instruction per nanosecond (-icount shift=0); SysTick ticks at 25 MHz. Prints
 * one line per frame: ticks, then the levels in hexadecimal; at the end the bytes of stack.
 */
#include "frontend.h"

#define STACK_BYTES 4096U
#define STACK_MARK 0xA5A5A5A5U
#define SYSTICK ((volatile uint32_t *)0xE000E010U)
#define RELOAD 0x00FFFFFFU

extern const int16_t samples[];
extern const uint32_t sample_count;
extern uint32_t stack_top[];

void start(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {stack_top, start};

static frontend_t frontend;

static void semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static char *hexadecimal(char *text, uint32_t value, uint32_t digits)
{
    uint32_t i;
    for (i = digits; i > 0U; i--) {
        *text = "0123456789abcdef"[(value >> (4U * (i - 1U))) & 15U];
        text = &text[1];
    }
    return text;
}

void start(void)
{
    static char line[16U + (4U * FRONTEND_MELS)];
    uint32_t *const stack = __builtin_frame_address(0);
    volatile uint32_t *const marks = &stack[-(int32_t)(STACK_BYTES / 4U)];
    frontend_level_t frame[FRONTEND_MELS];
    const int16_t *next = samples;
    size_t count = sample_count;
    uint32_t i;
    bool complete = true;

    for (i = 0U; i < STACK_BYTES / 4U; i++) {
        marks[i] = STACK_MARK;
    }
    SYSTICK[1] = RELOAD;
    SYSTICK[2] = 0U;
    SYSTICK[0] = 5U;
    while (SYSTICK[2] == 0U) {
    }
    frontend_init(&frontend);
    while (complete) {
        const uint32_t before = SYSTICK[2];
        complete = frontend_push(&frontend, &next, &count, frame);
        const uint32_t ticks = (before - SYSTICK[2]) & RELOAD;
        if (complete) {
            char *end = hexadecimal(line, ticks, 6U);
            *end = ' ';
            end = &end[1];
            for (i = 0U; i < FRONTEND_MELS; i++) {
                end = hexadecimal(end, (uint32_t)frame[i], 2U * sizeof(frontend_level_t));
            }
            end[0] = '\n';
            end[1] = '\0';
            semihost(4U, line); /* SYS_WRITE0 */
        }
    }
    for (i = 0U; marks[i] == STACK_MARK; i++) {
    }
    *hexadecimal(line, STACK_BYTES - 4U * i, 6U) = '\0';
    semihost(4U, line);
    semihost(0x18U, (const void *)0x20026U); /* SYS_EXIT, stopped as planned */
}
