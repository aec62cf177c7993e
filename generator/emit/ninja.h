/* ninja.h: how kernels are compiled, as data and as build.ninja. The runtime's driver/build.h runs it. */
#ifndef SAMEBITS_NINJA_H
#define SAMEBITS_NINJA_H

#include "family/family.h"

#include <stdbool.h>

/* How a variant is compiled. Row 0 is the one that is timed; the others exist for the BUILD promise. */
typedef struct Build {
    const char *name;     /* "clang-O3", "clang-O0", "gcc-O3", "gcc-O0" */
    const char *compiler; /* "clang" (or $SAMEBITS_CLANG), "gcc" (or $SAMEBITS_GCC) */
    const char *flags;    /* common flags included; a target's come behind them */
    bool links;  /* compiles and links in one command; else makes an object, which clang links with libomp */
    bool needed; /* without it nothing runs; others are skipped with a reason when missing */
} Build;
extern const Build build_rows[];
extern const int build_count;

/* How the plain loop of baseline_<operator>.c is compiled: what a compiler does when it may reorder. Linked
 * by clang without -Ofast, whose start-up code (crtfastmath.o) would set FTZ and DAZ for the whole process.
 */
typedef struct BaselineBuild {
    const char *name; /* "baseline-clang", "baseline-libmvec", "baseline-gcc" */
    const char *compiler;
    const char *flags;     /* a vector target's come behind them */
    const char *libraries; /* "-lm" */
} BaselineBuild;
extern const BaselineBuild baseline_rows[];
extern const int baseline_count;

/* out/<family>/build.ninja: one rule per build row, a precompiled header per clang row and vector target
 * that several variants share, one shared object per variant and build row below
 * obj/<build>/<id>.so; the controls on row 0; the baselines. Independent of machine and date. Called by
 * `generate`. Returns NULL or why. */
const char *build_write_ninja(const Family *family, const char *out_dir);

/* The exact command that compiles `variant` alone, as its head comment quotes it. */
const char *build_command_text(Arena *arena, const Variant *variant, int build);

#endif
