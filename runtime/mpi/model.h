/* model.h: what a kernel of target mpi sends, computed from its plan, the cut and the exchange: no measuring.
 *
 * Source of the node counts: the dual-tree reduction, see docs/mpi.md. Equal to what PMPI counts in the
 * tests. */
#ifndef SAMEBITS_MPI_MODEL_H
#define SAMEBITS_MPI_MODEL_H

#include "family/family.h"
#include "mpi/ranked.h"
#include "text/arena.h"

typedef struct RankTraffic {
    long messages, values, bytes; /* sent by one rank in one call; bytes include headers */
} RankTraffic;

typedef struct Traffic {
    int ranks;
    RankTraffic rank[RANKED_LIMIT];
    long messages, values, bytes;  /* of all ranks */
    long levels;                   /* exchanges one after another, per block of rows */
    long most_values_up, bound_up; /* tree: the largest message up, per row, and 2·ceil(log2 n) */
} Traffic;

/* NULL and *why where the variant has no model (its dim is not distributed, say). */
const Traffic *traffic_model(Arena *arena, const Variant *variant, const Shape *shape, const RankCut *cut,
                             const char **why);

#endif
