/* distribute.h: what of a kernel is spread over ranks, and where its axis may be cut (docs/mpi.md).
 *
 * Schedule: a rank owns whole parts, so the joins made are the tree's own, whatever the cut. */
#ifndef SAMEBITS_DISTRIBUTE_H
#define SAMEBITS_DISTRIBUTE_H

#include "family/family.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Distribution {
    int dim; /* of the operator; -1: nothing can be spread, there is no such kernel */
    bool
        reduced; /* the reduced axis, by the outermost cut of the tree; else rows, and nothing is exchanged */
    uint64_t
        chunk; /* leaves of a part: C of chunk(C, ..), 1 for rows; 0: the tree begins with split(S, ..) */
    uint64_t pieces; /* S of split(S, ..), else 0 */
} Distribution;

Distribution plan_distribution(const Variant *variant);

/* Indices of one part when the distributed dim has `size` indices: C; ceil(size / S), at least 1; 1. Every
 * rank begins at a multiple of it, and the last part may be short. */
size_t distribution_part(const Distribution *distribution, size_t size);
/* Parts of the whole dim. */
size_t distribution_parts(const Distribution *distribution, size_t size);

#endif
