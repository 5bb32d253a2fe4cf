/* What every board offers to a program. */
#ifndef BOARD_H_
#define BOARD_H_

#include <stdint.h>

void board_print(const char *text);
void board_exit(int32_t status);

/* Ticks of the processor's clock; under `qemu -icount shift=0` a count of instructions. */
void board_start_ticks(void);
uint64_t board_ticks(void);

#endif
