/* modules.h: GPU variants compiled so that this machine can run them: modules of the SIMT engine.
 *
 * The rows are parallel to build_rows: row 0 is needed, the others are further builds of the same source. */
#ifndef SAMEBITS_MODULES_H
#define SAMEBITS_MODULES_H

#include "driver/build.h"

typedef enum ModuleRow {
    MODULE_SOURCE,   /* the source itself, emulated */
    MODULE_WATCHED,  /* the same, every access reported to the engine */
    MODULE_PTX,      /* the PTX that clang made of it */
    MODULE_PTX_NVCC, /* and nvcc */
    MODULE_ROWS
} ModuleRow;

/* "simt": the folder below obj/. */
extern const char *const module_row_names[MODULE_ROWS];

/* NULL when `row` can be made of a source for `target`, else why it never can. */
const char *module_row_why_not(const Target *target, ModuleRow row);

/* Compiles one source to one module, unless it is there and was made of the same texts by the same compiler.
 * NULL when done, else why ("skipped: ..." without the compiler). */
const char *module_compile(Arena *arena, const char *source, const char *object, ModuleRow row,
                           bool *compiled);

/* Every GPU variant of a family, two at a time; why[] as in BuildResult. How many were compiled. */
int modules_compile(Arena *arena, const Family *family, const char *out_dir, bool all_rows, bool progress,
                    const char **why);

/* Why a module is not there, as the last compilation found; NULL: nothing is known. */
const char *module_noted_reason(Arena *arena, const char *object);

/* The reason is that the compiler made of the source what the numerical contract forbids: a promise broken,
 * not one untried. */
bool module_reason_is_forbidden(const char *why);

/* First line of what the row's compiler says about itself, short: "clang 14.0.6"; "" when it says nothing. */
const char *module_compiler_name(Arena *arena, ModuleRow row);

#endif
