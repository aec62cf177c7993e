/* check_elementary.c: hands `samebits elementary` its options. */
#include "command/elementary.h"
#include "command/options.h"

int command_check_elementary(const Options *options, Arena *arena)
{
    char *argv[6] = {"elementary"};
    int argc = 1;
    if (options->sample) {
        argv[argc++] = "--sample";
        argv[argc++] = arena_printf(arena, "%ld", options->sample);
    }
    if (options->json)
        argv[argc++] = "--json";
    if (options->quiet)
        argv[argc++] = "-q";
    return command_elementary(argc, argv);
}
