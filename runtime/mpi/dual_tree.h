/* dual_tree.h: how many nodes of the pairwise tree a range of parts leaves, when neighbours join as soon as
 * both children of a node are there.
 *
 * Node (x, y) covers parts x·2^y up to (x+1)·2^y, cut at the number of parts; an odd last one moves up
 * unchanged. Source: dual-tree reduction, docs/contract.md, "Reducing over ranks". */
#ifndef SAMEBITS_MPI_DUAL_TREE_H
#define SAMEBITS_MPI_DUAL_TREE_H

#include <stddef.h>

/* Nodes that are left of parts `first` up to `last` - 1 of `parts`; 0 for an empty range, 1 for all of them.
 * However the range came together, part by part or from the nodes of neighbouring ranges, it is the same
 * number. */
long dual_tree_nodes(size_t parts, size_t first, size_t last);

/* No range leaves more: 2·ceil(log2 parts); 1 where there is one part. */
long dual_tree_bound(size_t parts);

#endif
