/* What every board offers to a program. */
#ifndef BOARD_H_
#define BOARD_H_

#include <stdint.h>

/* Text and exit go to the debugger, here QEMU, by semihosting. */
void board_print(const char *text);
void board_exit(int32_t status);
int32_t board_host_call(uint32_t operation, const void *argument);

/* Ticks of the processor's clock; under `qemu -icount shift=0` a count of instructions. */
void board_start_ticks(void);
uint64_t board_ticks(void);

/* The most that the stack has taken so far; static variables; code, constants and first values. */
uint32_t board_stack_bytes(void);
uint32_t board_ram_bytes(void);
uint32_t board_flash_bytes(void);

#endif
