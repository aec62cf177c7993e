/* model.c: see model.h. */
#include "mpi/model.h"

const Traffic *traffic_model(Arena *arena, const Variant *variant, const Shape *shape, const RankCut *cut,
                             const char **why)
{
    (void)arena, (void)variant, (void)shape, (void)cut;
    *why = "wip";
    return NULL;
}
