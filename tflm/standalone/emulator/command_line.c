#include "command_line.h"

#include <string.h>

#include "board.h"
#include "host.h"

static const char *windows = NULL;
static const char *wav = NULL;
command_line_memory_t command_line_memory;

/* Ends the word that begins here and returns the rest. */
static char *after_word(char *from)
{
    char *const space = strchr(from, ' ');
    if (space == NULL) {
        board_print("Error: the program needs arguments: WINDOWS WAV\n");
        board_exit(2);
    }
    *space = '\0';
    return &space[1];
}

static void parse(void)
{
    if (windows == NULL) {
        char *const text = command_line_memory.text;
        if (!host_arguments(text, sizeof command_line_memory.text)) {
            board_print("Error: the command line is too long\n");
            board_exit(2);
        }
        char *const first = after_word(text);
        wav = after_word(first);
        windows = first;
    }
}

const char *command_line_windows(void)
{
    parse();
    return windows;
}

const char *command_line_wav(void)
{
    parse();
    return wav;
}
