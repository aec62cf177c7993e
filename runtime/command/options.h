/* options.h: the command line. Global options are allowed anywhere; what a command does not know is an error
 * with near names. */
#ifndef SAMEBITS_OPTIONS_H
#define SAMEBITS_OPTIONS_H

#include "family/family.h"

#include <stdbool.h>

enum { EXIT_KEPT = 0, EXIT_BROKEN = 1, EXIT_USAGE = 2, OPTIONS_OVERRIDES = 16, OPTIONS_OUTPUTS = 8 };

typedef struct Options {
    const char *command;
    const char *const *argument; /* what is neither an option nor its value */
    int arguments;
    AxisOverride override[OPTIONS_OVERRIDES];
    int overrides;
    const char *output[OPTIONS_OUTPUTS]; /* call: "y=y.npy" */
    int outputs;
    const char *against; /* verify: a certificate of another machine */
    const char *out;     /* folder of generated files */
    long leaves;         /* tree: --leaves */
    long sample;         /* elementary: --sample; 0: every input */
    int threads;         /* call: --threads; 0: as OpenMP chooses */
    bool json, quiet, verbose, help, figures, ascii, print;
} Options;

/* Reads argv; false after a message on stderr (exit status 2). */
bool options_read(Options *options, Arena *arena, int argc, char **argv);

/* The text of `samebits --help` or `samebits COMMAND --help`. */
void options_print_help(const Options *options);

/* One row per command: name, arguments, what it does, how it is run. */
typedef struct CommandRow {
    const char *name, *arguments, *meaning;
    int (*run)(const Options *options, Arena *arena);
} CommandRow;
extern const CommandRow command_rows[];
extern const int command_count;

int command_bench(const Options *options, Arena *arena);
int command_bundle(const Options *options, Arena *arena);
int command_call(const Options *options, Arena *arena);
int command_compile(const Options *options, Arena *arena);
int command_doctor(const Options *options, Arena *arena);
int command_check_elementary(const Options *options, Arena *arena);
int command_emulation(const Options *options, Arena *arena);
int command_generate(const Options *options, Arena *arena);
int command_list(const Options *options, Arena *arena);
int command_run(const Options *options, Arena *arena);
int command_tree(const Options *options, Arena *arena);
int command_verify(const Options *options, Arena *arena);

#endif
