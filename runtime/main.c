/* main.c: samebits COMMAND ... */
#include "command/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const CommandRow *row_of(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (!strcmp(command_rows[i].name, name))
            return &command_rows[i];
    return NULL;
}

/* A full disk behind standard output must not look like success. */
static int flush_output(int status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    fprintf(stderr, "samebits: error: standard output cannot be written: %s\n", strerror(errno));
    return status ? status : EXIT_BROKEN;
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
    return flush_output(status);
}
