/* evaluate.h: whole operators by the reference evaluator, and by MPFR. */
#ifndef SAMEBITS_EVALUATE_H
#define SAMEBITS_EVALUATE_H

#include "family/family.h"
#include "operator/operator.h"

/* Buffers of one call: input[i], output[o] are contiguous row-major binary32 with the shapes that the
 * operator and `shape` give; param[p] are the parameter values. Nothing is owned. */
typedef struct CallData {
    const float *input[OPERATOR_INPUTS];
    float *output[OPERATOR_OUTPUTS];
    float param[OPERATOR_PARAMS];
    Shape shape;
} CallData;

/* Elements of a tensor under a shape (0 when any dim is 0; 1 for rank 0). */
size_t tensor_elements(const Tensor *tensor, const Shape *shape);

/* Evaluates every output exactly as the contract says. Written from docs/contract.md; each expression node
 * rounds once to binary32, reductions by reference_fold. auto_parts as in fold.h. */
void reference_evaluate(const Operator *op, const Term *tree, Accumulator accumulator, const CallData *call,
                        size_t auto_parts);

/* The correctly rounded result of the whole operator's real-number formula on these inputs (MPFR, 320 bits
 * or more; sums correctly rounded by mpfr_sum), stored as double in exact[o][i], so that errors in ulps of
 * binary32 can be computed. NaN and infinities follow IEEE. */
void mpfr_evaluate(const Operator *op, const CallData *call, double *const exact[OPERATOR_OUTPUTS]);

/* |value - exact| in units of the last place of binary32 at exact; 0 when both NaN or equal infinities;
 * INFINITY on a mismatch of kind. */
double error_in_ulps(float value, double exact);

#endif
