/* dual_tree.c: see dual_tree.h.
 *
 * The nodes of the tree are nested or apart, so those that are left are the largest ones inside the range,
 * and each begins where the one before it ends. */
#include "mpi/dual_tree.h"

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Where the largest node ends that begins at `first` and ends at `last` or before. */
static size_t node_end(size_t parts, size_t first, size_t last)
{
    size_t end = first + 1;
    for (size_t width = 2; width > 0 && width / 2 < parts && first % width == 0; width *= 2) {
        const size_t here = width > parts - first ? parts : first + width;
        if (here > last)
            break;
        end = here;
    }
    return lesser(end, last);
}

long dual_tree_nodes(size_t parts, size_t first, size_t last)
{
    long nodes = 0;
    for (; first < last; first = node_end(parts, first, last))
        nodes++;
    return nodes;
}

long dual_tree_bound(size_t parts)
{
    long levels = 0;
    while (levels < 62 && (size_t)1 << levels < parts)
        levels++;
    return levels > 0 ? 2 * levels : 1;
}
