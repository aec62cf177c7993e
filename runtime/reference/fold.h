/* fold.h: the reference evaluator of trees: walks a term on leaf values.
 *
 * Written from docs/contract.md alone; shares no code with plan/, templates or kernels (it may use struct
 * Term, not term_walk). Slow and plain on purpose. */
#ifndef SAMEBITS_FOLD_H
#define SAMEBITS_FOLD_H

#include "operator/operator.h"
#include "tree/term.h"

#include <stddef.h>

/* Leaves of a reduction. With `b` NULL leaf i is a[i]; else the product a[i]*b[i], stepped by one fused
 * multiply-add. max and min ignore b. */
typedef struct ReferenceLeaves {
    const float *a, *b;
    size_t count;
} ReferenceLeaves;

/* The reduction's value in binary32 (an f64 accumulator is rounded once, at the end). `auto_parts`: number
 * of parts for split(auto); completion joins in index order. Folds on the calling thread; memory
 * at most O(count). The caller's MXCSR must be in its default state (round to nearest, no FTZ/DAZ). */
float reference_fold(const Term *term, ReduceKind kind, Accumulator accumulator, ReferenceLeaves leaves,
                     size_t auto_parts);

#endif
