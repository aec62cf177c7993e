/* distribute.c: the reduced axis where the tree begins with a cut into consecutive parts, else the first
 * parallel dim.
 *
 * Reductions whose order is free (maxima) follow the tree's cut as well: all levels share one distribution.
 */
#include "plan/distribute.h"

#include "plan/plan.h"

static bool cuts_consecutively(const Term *tree)
{
    return tree->kind == TERM_CHUNK || (tree->kind == TERM_SPLIT && tree->size > 0);
}

Distribution plan_distribution(const Variant *variant)
{
    int axis, row;
    const bool reduces = plan_dims(variant->op, &axis, &row);
    const Term *tree = variant->tree;
    if (reduces && cuts_consecutively(tree))
        return (Distribution){.dim = axis,
                              .reduced = true,
                              .chunk = tree->kind == TERM_CHUNK ? tree->size : 0,
                              .pieces = tree->kind == TERM_SPLIT ? tree->size : 0};
    if (row < 0 && !reduces)
        row = axis; /* every index by itself */
    return (Distribution){.dim = row, .chunk = 1};
}

size_t distribution_part(const Distribution *distribution, size_t size)
{
    if (!distribution->pieces)
        return distribution->chunk;
    const size_t part = size / distribution->pieces + (size % distribution->pieces > 0);
    return part ? part : 1;
}

size_t distribution_parts(const Distribution *distribution, size_t size)
{
    const size_t part = distribution_part(distribution, size);
    return size / part + (size % part > 0);
}
