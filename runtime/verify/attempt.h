/* attempt.h: one check in one child process, seen from the parent. */
#ifndef SAMEBITS_ATTEMPT_H
#define SAMEBITS_ATTEMPT_H

#include "verify/check.h"

typedef struct Attempt {
    const Variant *variant;
    const char *object;
    const char *promise; /* "RUN": names kept files */
    const char *folder;  /* failing inputs are kept here; NULL: nowhere */
    CheckWork *work;
    const char *other;
    const Variant *other_variant;
    double *const *exact;
    bool patient;
    double seconds; /* wall clock */
} Attempt;

typedef struct Finding {
    bool tried;
    long cases, broken;
    const char *detail, *vacuous;
    const char
        *failed;  /* the child died: "killed by SIGSEGV: LAYOUT: in place, cancel rows=2 cols=33 seed=11" */
    bool stopped; /* by the engine: `failed` says what the emulated kernel did */
    bool out_of_time;
    json_t *data; /* owned by the arena's user: json_decref; NULL: none */
} Finding;

/* Adds to `detail`, after "; ". */
void finding_note(Arena *arena, Finding *finding, const char *text);

Finding attempt_run(Arena *arena, const Attempt *attempt);

#endif
