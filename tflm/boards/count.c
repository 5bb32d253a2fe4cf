/* Runs a generated model on its golden input; prints whether it agrees, and the ticks it took. */
#include <string.h>

#include "board.h"
#include "host.h"
#include "model.h"
#include "model_golden.h"

/* Aligned for values of any type. */
static uint64_t output[(sizeof model_golden_output + 7U) / 8U];

int main(void)
{
    board_start_ticks();
    const uint64_t before = board_ticks();
    const int status = model_invoke(model_golden_input, (void *)output);
    const uint64_t after = board_ticks();
    const int equal = memcmp(output, model_golden_output, sizeof model_golden_output) == 0;
    board_print(status == 0 && equal ? "equal\n" : "DIFFERENT\n");
    host_print_number(after - before);
    board_print("\n");
    return status == 0 && equal ? 0 : 1;
}
