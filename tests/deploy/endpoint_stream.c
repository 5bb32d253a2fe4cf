/* Follows a stream from standard input, in pieces: an int32 and as many samples. Writes a line of
 * int32 for each frame and one for the end: event, start, end, floor. */
#include <stdio.h>
#include <stdlib.h>

#include "endpoint.h"

/* A byte of RAM more than is promised does not compile. */
typedef char fits[sizeof(endpoint_t) <= 300U ? 1 : -1];

static void write_line(const endpoint_t *endpoint, int32_t event)
{
    const int32_t line[] = {event, (int32_t)endpoint->start, (int32_t)endpoint->end,
                            endpoint->floor};
    (void)fwrite(line, sizeof line, 1U, stdout);
}

int main(void)
{
    static endpoint_t endpoint;
    int32_t size;
    endpoint_reset(&endpoint);
    while (fread(&size, sizeof size, 1U, stdin) == 1U) {
        /* Of just the size, so that reading past it is found. */
        int16_t *const piece = malloc((size_t)size * sizeof *piece);
        const int16_t *next = piece;
        size_t count = (size_t)size;
        endpoint_event_t event = ENDPOINT_START;
        if (piece == NULL || fread(piece, sizeof *piece, count, stdin) != count) {
            return 1;
        }
        while (event != ENDPOINT_NOTHING) {
            event = endpoint_feed(&endpoint, &next, &count);
            if (event != ENDPOINT_NOTHING) {
                write_line(&endpoint, (int32_t)event);
            }
        }
        free(piece);
    }
    write_line(&endpoint, endpoint_finish(&endpoint) ? ENDPOINT_END : ENDPOINT_NOTHING);
    return 0;
}
