/* workshop.h: a family made from the text of a spec in a folder of its own, compiled, and tried on inputs.
 *
 * Each kernel runs in a child process between guard pages, so one that crashes, hangs or writes out of bounds
 * is one failure and the rest goes on. What is right comes from the reference evaluator, or is given. */
#ifndef SAMEBITS_TEST_WORKSHOP_H
#define SAMEBITS_TEST_WORKSHOP_H

#include "array/inputs.h"
#include "driver/build.h"
#include "family/family.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Workshop {
    Arena *arena;
    Diagnostics diagnostics;
    const char *folder; /* specs and out/ */
    const char *out;
    Family family;
    BuildResult built;
} Workshop;

/* Skips the running test, with the reason on stdout, where there is no clang. */
void workshop_need_compiler(void);

/* Reads the spec; fails the running test when it has mistakes. Controls are left out: the verifier has its
 * own test. `name` is the family's. With `path` the spec is that file, else it is `text`. */
void workshop_open(Workshop *shop, const char *name, const char *path, const char *text,
                   const AxisOverride *overrides, int override_count);
void workshop_close(Workshop *shop);

/* Leaves only the variants for which `wanted` says yes. */
typedef bool WorkshopWanted(const Variant *variant);
void workshop_keep(Workshop *shop, WorkshopWanted *wanted);

/* Writes the sources and compiles them on the default build row. Returns how many do not compile, each shown
 * with its reason. */
int workshop_build(Workshop *shop);

/* One call. */
typedef struct Trial {
    Shape shape;
    InputKind kind;                      /* of every input that is not given */
    const float *input[OPERATOR_INPUTS]; /* NULL: made from `kind` */
    const float *output; /* what output 0 must be; NULL: every output as the reference evaluator says */
    int threads;         /* 0: two */
    bool in_place;       /* output 0 is where input 0 is; they have the same dims */
} Trial;

typedef struct Findings {
    int cases, wrong; /* calls */
    uint64_t digest;  /* of all right answers: trees with equal digests were not told apart */
    char first[512];  /* the first wrong one, or why the kernel could not be tried */
} Findings;
Findings workshop_try(Workshop *shop, const Variant *variant, const Trial *trial, int trials);

/* Builds and tries every variant on the same trials; returns the number of failures, each shown. With
 * `told_apart` two variants of one target and accumulator with different trees must also have different
 * digests. */
int workshop_check(Workshop *shop, const Trial *trial, int trials, bool told_apart);

uint32_t workshop_word(float value); /* every NaN is 7fc00000 */

#endif
