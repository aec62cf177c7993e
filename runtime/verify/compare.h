/* compare.h: equal means the same words; a NaN equals any NaN (docs/contract.md, "Arithmetic"). */
#ifndef SAMEBITS_COMPARE_H
#define SAMEBITS_COMPARE_H

#include "reference/evaluate.h"

typedef struct Difference { /* the first one */
    int output;
    size_t index;
    float expected, got;
} Difference;

bool words_differ(float a, float b);
/* All outputs of a call, in order. */
bool outputs_differ(const Operator *op, const Shape *shape, float *const expected[], float *const got[],
                    Difference *difference);
/* "y[1,3] is 3f800000 (1) where 3f800001 (1.00000012) was expected" */
const char *difference_text(Arena *arena, const Operator *op, const Shape *shape,
                            const Difference *difference);

#endif
