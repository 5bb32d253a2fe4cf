/* Runs a generated model on its golden input; prints whether it agrees, and the ticks it took. */
#include <string.h>

#include "board.h"
#include "model.h"
#include "model_golden.h"

static int8_t output[sizeof model_golden_output];

static void print_number(uint64_t number)
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

int main(void)
{
    board_start_ticks();
    const uint64_t before = board_ticks();
    const int status = model_invoke(model_golden_input, (void *)output);
    const uint64_t after = board_ticks();
    const int equal = memcmp(output, model_golden_output, sizeof output) == 0;
    board_print(status == 0 && equal ? "equal\n" : "DIFFERENT\n");
    print_number(after - before);
    board_print("\n");
    return status == 0 && equal ? 0 : 1;
}
