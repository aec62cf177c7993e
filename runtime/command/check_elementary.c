/* check_elementary.c: hands `samebits elementary` its options. */
#include "command/elementary.h"
#include "command/options.h"

int command_check_elementary(const Options *options, Arena *arena)
{
    char *argv[] = {"elementary", "--sample", arena_printf(arena, "%ld", options->sample), NULL};
    return command_elementary(options->sample ? 3 : 1, argv);
}
