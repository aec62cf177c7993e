/* main.c: samebits COMMAND ... */
#include "command/options.h"

#include <stdio.h>
#include <string.h>

static const CommandRow *row_of(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (!strcmp(command_rows[i].name, name))
            return &command_rows[i];
    return NULL;
}

int main(int argc, char **argv)
{
    Options options;
    Arena *arena = arena_create();
    int status = EXIT_USAGE;
    if (options_read(&options, arena, argc, argv)) {
        if (options.help || !options.command) {
            options_print_help(&options);
            status = options.help ? EXIT_KEPT : EXIT_USAGE;
        } else {
            status = row_of(options.command)->run(&options, arena);
        }
    }
    arena_destroy(arena);
    return status;
}
