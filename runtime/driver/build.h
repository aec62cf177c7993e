/* build.h: compiling variants with Ninja. */
#ifndef SAMEBITS_BUILD_H
#define SAMEBITS_BUILD_H

#include "emit/ninja.h"
#include "family/family.h"

#include <stdbool.h>

/* What compiling gave: parallel to family->variant. why[v * build_count + b] is NULL when the object is
 * there, else the reason
 * For a GPU's variant b is a row of module_row_names (modules.h).
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

/* obj/<build>/<target>.pch: the header that such a row's objects share, where several do (emit/ninja.h). */
const char *build_header_path(Arena *arena, const Family *family, const Target *target, const char *out_dir,
                              int build);
/* obj/<build>/<id>.so; for a GPU's variant obj/<module row>/<id>.so, a module of the SIMT engine. */
const char *build_object_path(Arena *arena, const Family *family, const Variant *variant, const char *out_dir,
                              int build);
/* What runs where the variant is meant to run: the PTX or the source of a GPU's, never the module that
 * emulates it here; else the same as above. */
const char *build_device_path(Arena *arena, const Family *family, const Variant *variant,
                              const char *out_dir);
/* Its function is samebits_baseline_<operator>, with the operator's signature. */
const char *build_baseline_path(Arena *arena, const Family *family, const char *out_dir, int baseline);
/* "clang-O0", "ptx": what row `build` of such a variant is called. */
const char *build_row_name(const Target *target, int build);
/* First line of `compiler --version` ("clang", "gcc") at the last build_run, "" when there was none. */
const char *build_compiler_version(Arena *arena, const Family *family, const char *out_dir,
                                   const char *compiler);

#endif
