/* slices.h: the part of a tensor that one rank holds: a range of indices of one dim, dense and row-major. */
#ifndef SAMEBITS_SLICES_H
#define SAMEBITS_SLICES_H

#include "family/family.h"
#include "mpi/wire.h"

#include <stdbool.h>

/* The tensor as dim `dim` sees it; a tensor without that dim is whole everywhere. */
WireTensor slice_view(const Tensor *tensor, const Shape *shape, int dim);
/* Elements of indices that number `count`. */
size_t slice_elements(const WireTensor *view, size_t count);
void slice_cut(float *part, const float *whole, const WireTensor *view, size_t first, size_t count);
void slice_put(float *whole, const float *part, const WireTensor *view, size_t first, size_t count);

#endif
