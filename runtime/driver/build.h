/* build.h: compiling variants with Ninja. */
#ifndef SAMEBITS_BUILD_H
#define SAMEBITS_BUILD_H

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

/* out/<family>/build.ninja: one rule per build row, one shared object per variant and build row below
 * obj/<build>/<id>.so; the controls on row 0; the baselines. Independent of machine and date. Called by
 * `generate`. Returns NULL or why. */
const char *build_write_ninja(const Family *family, const char *out_dir);

/* What compiling gave: parallel to family->variant. why[v * build_count + b] is NULL when the object is
 * there, else the reason
 * ("skipped: ..." for a missing compiler; compiler's message with generated line, template chain and spec
 * line; hang: time-out; "not asked for"). control_why is parallel to family->control. */
typedef struct BuildResult {
    const char **why;
    const char **control_why;
    double seconds;
    int compiled; /* objects that were stale and got compiled */
} BuildResult;

/* Runs ninja -k 0 on the default build row and the controls (all_rows: on every row whose compiler exists),
 * with a progress bar on stderr when `progress`. A failing variant does not stop the others; a compiler gets
 * $SAMEBITS_COMPILE_SECONDS (60) per variant. False when ninja itself could not run or the needed compiler is
 * missing (reported). */
bool build_run(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
               bool all_rows, bool progress, BuildResult *result);

/* The same for the baselines of the family's operator: why[b] is NULL when baseline_rows[b] was built. */
bool build_run_baselines(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
                         bool progress, const char **why);

const char *build_object_path(Arena *arena, const Family *family, const Variant *variant, const char *out_dir,
                              int build);
/* Its function is samebits_baseline_<operator>, with the operator's signature. */
const char *build_baseline_path(Arena *arena, const Family *family, const char *out_dir, int baseline);
/* The exact command that compiles `variant` alone, as its head comment quotes it. */
const char *build_command_text(Arena *arena, const Variant *variant, int build);
/* First line of `compiler --version` ("clang", "gcc") at the last build_run, "" when there was none. */
const char *build_compiler_version(Arena *arena, const Family *family, const char *out_dir,
                                   const char *compiler);

#endif
