/* Stands in for libFuzzer: argv[1] inputs, the same in every run: noise, levels, extremes. */
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t state = 1U;

/* Marsaglia's xorshift. */
static uint32_t next_number(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

int main(int argc, char **argv)
{
    const unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 0U;
    static const uint8_t levels[] = {0x00U, 0x7fU, 0x80U, 0xffU};
    for (unsigned long run = 0U; run < runs; ++run) {
        const size_t size = next_number() % 40000U;
        const uint32_t kind = next_number() % 4U;
        uint8_t *const data = malloc(size + 1U);
        if (data == NULL) {
            return 1;
        }
        for (size_t i = 0U; i < size; ++i) {
            const uint32_t number = next_number();
            data[i] = kind == 0U   ? levels[run % 4U]
                      : kind == 1U ? levels[number % 4U]
                                   : (uint8_t)number;
        }
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
    }
    return 0;
}
