/* build.h: compiling variants with Ninja. */
#ifndef SAMEBITS_BUILD_H
#define SAMEBITS_BUILD_H

#include "family/family.h"

#include <stdbool.h>

/* How a variant is compiled. Row 0 is the one that is timed; the others exist for the BUILD promise. */
typedef struct Build {
    const char *name;      /* "clang-O3", "clang-O0", "gcc-O3", "gcc-O0" */
    const char *compiler;  /* "clang" (or $SAMEBITS_CLANG), "gcc" (or $SAMEBITS_GCC) */
    const char *flags;     /* common flags included */
    bool needed;           /* without it nothing runs; others are skipped with a reason when missing */
} Build;
extern const Build build_rows[];
extern const int build_count;

/* out/<family>/build.ninja: one rule per build row, one shared object per variant and build row below
 * obj/<build>/<id>.so. Independent of machine and date. Called by `generate`. Returns NULL or why. */
const char *build_write_ninja(const Family *family, const char *out_dir);

/* What compiling gave: parallel to family->variant. why[v * build_count + b] is NULL when the object is there, else the reason
 * (compiler missing: skipped; compiler's message with generated line, template chain and spec line; hang: time-out). */
typedef struct BuildResult {
    const char **why;
    double seconds;
    int compiled; /* objects that were stale and got compiled */
} BuildResult;

/* Runs ninja -k 0 on the default build row (all_rows: on every row whose compiler exists), with a progress bar on stderr when `progress`. A failing
 * variant does not stop the others. False when ninja itself could not run (reported). */
bool build_run(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir, bool all_rows,
               bool progress, BuildResult *result);

const char *build_object_path(Arena *arena, const Family *family, const Variant *variant, const char *out_dir, int build);
/* The exact command that compiles `variant` alone, as its head comment quotes it. */
const char *build_command_text(Arena *arena, const Variant *variant, int build);

#endif
