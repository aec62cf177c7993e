/* stages.h: the line generate -> compile -> verify -> bench -> report, one call per stage.
 *
 * Every stage first brings the earlier ones up to date: sources are rewritten only when they differ, Ninja
 * compiles what is stale, and a verification is taken from verify.json while it is newer than every object it
 * speaks of. */
#ifndef SAMEBITS_STAGES_H
#define SAMEBITS_STAGES_H

#include "command/options.h"

#include <jansson.h>

typedef struct Stages {
    const Options *options;
    Arena *arena;
    Diagnostics diagnostics;
    Family *family;
    json_t *manifest, *verify, *bench; /* NULL: not there */
    int status;                        /* the worst so far */
} Stages;

/* One spec through the stages named; false when a stage ended the line (status says how). */
void stages_open(Stages *stages, const Options *options, Arena *arena);
bool stages_read(Stages *stages, const char *spec);
bool stages_generate(Stages *stages);
bool stages_compile(Stages *stages, bool all_builds);
bool stages_verify(Stages *stages, bool force);
bool stages_bench(Stages *stages);
void stages_close(Stages *stages); /* prints what is left of the diagnostics */

const char *stages_folder(const Stages *stages); /* out/<family> */
bool stages_wants_progress(const Stages *stages);
bool stages_wants_color(void);

/* Runs `work` for every spec on the command line; the exit status is the worst. */
typedef void SpecWork(Stages *stages, const char *spec, json_t *results);
int stages_for_each_spec(const Options *options, Arena *arena, SpecWork *work);

void stages_print_json(const json_t *value); /* on standard output, as every --json does */

#endif
