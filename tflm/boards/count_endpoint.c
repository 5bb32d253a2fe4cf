/* Counts the instructions of the endpointer: prints its utterances, then ticks and bytes of stack. */
#include "board.h"
#include "endpoint.h"
#include "host.h"

extern const int16_t samples[];
extern const uint32_t sample_count;

static endpoint_t endpoint;

int main(void)
{
    const int16_t *next = samples;
    size_t count = sample_count;
    uint64_t ticks = 0U;
    endpoint_event_t event = ENDPOINT_QUIET;

    board_start_ticks();
    endpoint_reset(&endpoint);
    while (event != ENDPOINT_NOTHING) {
        const uint64_t before = board_ticks();
        event = endpoint_feed(&endpoint, &next, &count);
        ticks += board_ticks() - before;
        if (event == ENDPOINT_END) {
            host_print_number(endpoint.start);
            board_print(" ");
            host_print_number(endpoint.end);
            board_print("\n");
        }
    }
    host_print_number(ticks);
    board_print(" ");
    host_print_number(board_stack_bytes());
    board_print(" ");
    host_print_number(sizeof endpoint);
    return 0;
}
