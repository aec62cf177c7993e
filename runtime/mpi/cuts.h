/* cuts.h: how many ranks, where the axis is cut, how many threads: another choice for each call. */
#ifndef SAMEBITS_CUTS_H
#define SAMEBITS_CUTS_H

#include "mpi/ranked.h"

enum { CHANGING_RANKS_LIMIT = 8 };

/* Of call number `call`. The first is what is run most: 4 ranks, even shares, one thread. */
int cuts_ranks(uint64_t call);
int cuts_threads(uint64_t call);
/* `size` indices in parts of `part`: even, uneven, with empty shares, all at one rank. */
RankCut cuts_choose(uint64_t call, int ranks, size_t size, size_t part);
RankCut cuts_even(int ranks, size_t size, size_t part);

#endif
