/* frozen.h: the 105 frozen cases of the contract (tests/vectors/trees.tsv) on generated kernels.
 *
 * The right words come from outside this project. A case names an operator, a term, leaves and the result;
 * the kernels of all terms are made and compiled together, and each is called on the cases of its term. */
#ifndef SAMEBITS_TEST_FROZEN_H
#define SAMEBITS_TEST_FROZEN_H

#include "workshop.h"

typedef struct FrozenPlan {
    const char *operator_name;          /* "sum" or "dot" */
    const char *targets, *accumulators; /* values of these axes */
    WorkshopWanted *wanted;             /* NULL: every kernel */
    int kernels_per_case;               /* that must have been tried */
    int calls; /* of each case and kernel, at most 6: no two launches of a GPU's kernel in a row are alike */
} FrozenPlan;

/* Fails the running test unless every call gives the frozen word (f32) or the one of reference_fold (f64). */
void frozen_check(const char *vectors_path, const FrozenPlan *plan);

#endif
