/* target.h: a target is a record: widths, and how it spells each word.
 *
 * Vocabularies are data (templates/words/<name>.lua); they are read once, checked against the list
 * of words, and then constant. Each word has one meaning, rounding included; a target that cannot say
 * a word gives the reason, which reaches the user as "skipped: ...". */
#ifndef SAMEBITS_TARGET_H
#define SAMEBITS_TARGET_H

#include <stdbool.h>

typedef struct Target {
    const char *name;      /* "avx2" */
    const char *meaning;   /* one sentence */
    int width;             /* binary32 lanes of one vector; 1: lanes are looped */
    const char *extension; /* ".c" */
    const char *compile;   /* flags besides the common ones, "-mavx2 -mfma" */
    const char *cpu_needs; /* space-separated CPU features a run needs, "avx2 fma"; NULL: none */
    bool gpu;              /* blocks of threads; width is the warp's */
    bool ranks;            /* run by the ranks of an MPI communicator: docs/mpi.md */
} Target;

extern const Target target_rows[];
extern const int target_count;
const Target *target_named(const char *name);

extern const char *const target_planned_names[]; /* of later versions; ends with NULL */
/* The name itself when it is a target of a later version ("avx512"), else NULL. */
const char *target_planned(const char *name);

/* NULL when this machine can run it, else why not. */
const char *target_why_not_here(const Target *target);

#endif
