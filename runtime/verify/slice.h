/* slice.h: chosen positions of one dim, taken out of tensors or put back. */
#ifndef SAMEBITS_SLICE_H
#define SAMEBITS_SLICE_H

#include "reference/evaluate.h"

/* The positions position[0..count) of `dim`, in that order. A tensor that lacks the dim is `data` itself. */
float *slice_take(Arena *arena, const Tensor *tensor, const Shape *shape, int dim, const size_t *position,
                  size_t count, const float *data);
/* Turns dim's positions round: result[position[i]] = data[i]. position is a permutation. */
float *slice_put_back(Arena *arena, const Tensor *tensor, const Shape *shape, int dim, const size_t *position,
                      const float *data);

#endif
