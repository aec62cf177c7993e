/* index.h: places in row-major tensors over named dims.
 *
 * A tensor is the list of its dims, slowest first; a place is one index per dim of the operator. */
#ifndef SAMEBITS_REFERENCE_INDEX_H
#define SAMEBITS_REFERENCE_INDEX_H

#include "family/family.h"

typedef struct Dims {
    int dim[OPERATOR_DIMS];
    int rank;
} Dims;

typedef struct Index {
    size_t at[OPERATOR_DIMS];
} Index;

Dims dims_of_tensor(const Tensor *tensor);
Dims dims_of_reduction(const Expr *reduction); /* those it reduces, in the order of its leaves */
Dims dims_of_axes(uint32_t axes);              /* in order of declaration */
Dims dims_without(Dims dims, int removed);     /* the same when `removed` is not among them */
size_t dims_elements(Dims dims, const Shape *shape);

/* Where an index lies in a tensor, and how far apart neighbours along one dim are (0: the tensor lacks it).
 */
size_t dims_offset(Dims dims, const Shape *shape, const Index *index);
size_t dims_stride(Dims dims, const Shape *shape, int along);

/* The next index over `dims`, the last one fastest; false after the last, with all of them 0 again. */
bool index_advance(Index *index, Dims dims, const Shape *shape);

#endif
