/* Prints each answer and what it cost. */
#include "responder.h"

#include "application_tables.h"
#include "board.h"
#include "command_line.h"
#include "frontend.h"
#include "host.h"

static int32_t windows_file = -1;
static uint32_t window_number;

static void print_of(const char *name, uint32_t bytes, const char *more)
{
    board_print(name);
    host_print_number(bytes);
    board_print(" bytes");
    board_print(more);
    board_print("\n");
}

/* A posterior with all the digits that tell two of them apart. */
static void print_probability(uint32_t posterior)
{
    uint64_t digits = ((uint64_t)posterior * 100000000U + POSTERIOR_ONE / 2U) / POSTERIOR_ONE;
    char text[11] = "0.00000000";
    text[0] = (char)('0' + (char)(digits / 100000000U));
    for (uint32_t place = 9U; place > 1U; --place) {
        text[place] = (char)('0' + (char)(digits % 10U));
        digits /= 10U;
    }
    board_print(text);
}

void responder_start(void)
{
    const char *const path = command_line_windows();
    board_start_ticks();
    if (path[0] != '-') {
        windows_file = host_open(path, true);
        if (windows_file < 0) {
            responder_failure("The file for the windows cannot be opened");
        }
    }
}

void responder_window(const int8_t *window, const int8_t *logits)
{
    const size_t bytes = (size_t)APPLICATION_WINDOW * FRONTEND_MELS;
    if (windows_file >= 0 && !host_write(windows_file, window, bytes)) {
        responder_failure("The file for the windows cannot be written");
    }
    ++window_number;
    board_print("window ");
    host_print_number(window_number);
    board_print(":");
    for (uint32_t i = 0U; i < APPLICATION_CLASSES; ++i) {
        board_print(" ");
        host_print_signed(logits[i]);
    }
    board_print("\n");
}

void responder_utterance(const result_t *result)
{
    for (uint32_t i = 0U; i < result->classes; ++i) {
        board_print("posterior: ");
        print_probability(result->posterior[i]);
        board_print(" ");
        board_print(result->labels[i]);
        board_print("\n");
    }
    board_print("class: ");
    board_print(result->labels[result->best]);
    board_print("\ninstructions: front end ");
    host_print_number(result->frontend_ticks);
    board_print(", model ");
    host_print_number(result->model_ticks);
    board_print(", in all ");
    host_print_number(result->all_ticks);
    board_print("\n");
    print_of("stack: ", board_stack_bytes(), " at most");
    print_of("RAM: ", board_ram_bytes(), " without the stack");
    print_of("flash: ", board_flash_bytes(), "");
    window_number = 0U;
}

void responder_failure(const char *what)
{
    board_print("Error: ");
    board_print(what);
    board_print("\n");
    board_exit(1);
}

/* QEMU executes one instruction per nanosecond. */
uint64_t responder_ticks(void)
{
    return board_ticks() * 1000U / BOARD_MHZ;
}
