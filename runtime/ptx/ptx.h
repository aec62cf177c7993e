/* ptx.h: what a compiler made of a `.cu`, as PTX, run on the CPU.
 *
 * PTX is where contraction, approximate functions and flushing show, which the source level cannot see. It is
 * parsed whole; what the numerical contract forbids is refused with its line; the rest is translated, one C
 * statement per instruction, and compiled to a shared object that the SIMT engine opens and launches like a
 * module made from source: simt_open(), simt_launch(). An instruction that is not known here is refused,
 * never skipped. Not run: atomics, dynamic shared memory, recursion, f16, matrix instructions, carry chains.
 */
#ifndef SAMEBITS_PTX_H
#define SAMEBITS_PTX_H

#include "simt/simt.h"
#include "text/arena.h"

#include <stdbool.h>

typedef enum PtxCompiler {
    PTX_CLANG, /* alone: no CUDA toolkit is needed. $SAMEBITS_CLANG (clang) */
    PTX_NVCC,  /* with its default flags, contraction included. $SAMEBITS_NVCC, else where it usually is */
} PtxCompiler;

/* NULL: it is there; else "skipped: ...". */
const char *ptx_compiler_missing(Arena *arena, PtxCompiler which);

/* The command that ptx_compile runs, as a user would type it; NULL-terminated words for an exec. `prelude` is
 * the path of the prelude (PTX_CLANG). */
const char *const *ptx_compile_command(Arena *arena, const char *source, const char *output,
                                       const char *prelude, PtxCompiler which);

/* A .cu to PTX for sm_80, into a folder that exists. NULL when done, else why ("skipped: ..." without the
 * compiler). `output`.prelude.h is written beside it. */
const char *ptx_compile(Arena *arena, const char *source, const char *output, PtxCompiler which);

/* What the contract forbids in a PTX file, and nothing else. NULL: nothing; else a line for each. */
const char *ptx_check(Arena *arena, const char *ptx);

/* PTX to C. NULL when done, else why: lines `file:line: error: ...`, each refused instruction with its
 * reason. */
const char *ptx_translate(Arena *arena, const char *ptx, const char *c);

/* That C to a shared object for simt_open; SIMT_CHECKED has every access of shared and global memory
 * reported. NULL when done, else why. */
const char *ptx_build(Arena *arena, const char *c, const char *output, SimtBuild build);

#endif
