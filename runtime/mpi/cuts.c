/* cuts.c: see cuts.h.
 *
 * Call number n takes its row of each cycle; their lengths have no factor in common, so as many calls as they
 * multiply to meet every combination. Shares are drawn from the call's number alone: a failure can be made
 * again. */
#include "mpi/cuts.h"

#include <assert.h>

static const int ranks_cycle[] = {4, 3, 8, 2, 5, 1, 3};
static const int threads_cycle[] = {1, 2, 1, 3};
enum {
    RANKS_CYCLE = sizeof ranks_cycle / sizeof *ranks_cycle,
    THREADS_CYCLE = sizeof threads_cycle / sizeof *threads_cycle
};

typedef enum Shares {
    SHARES_EVEN,
    SHARES_UNEVEN,
    SHARES_WITH_EMPTY,
    SHARES_AT_ONE,
    SHARES_LAST_EMPTY,
    SHARES
} Shares;

int cuts_ranks(uint64_t call)
{
    return ranks_cycle[call % RANKS_CYCLE];
}

int cuts_threads(uint64_t call)
{
    return threads_cycle[call % THREADS_CYCLE];
}

/* SplitMix64, as in array/inputs.c. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t weight_of(Shares shares, uint64_t *state, int rank, int ranks, int chosen)
{
    switch (shares) {
    case SHARES_EVEN:
        return 1;
    case SHARES_UNEVEN:
        return 1 + draw(state) % 9;
    case SHARES_WITH_EMPTY:
        return rank == chosen && ranks > 1 ? 0 : 1 + draw(state) % 9;
    case SHARES_AT_ONE:
        return rank == chosen;
    case SHARES_LAST_EMPTY:
        return rank == ranks - 1 && ranks > 1 ? 0 : draw(state) % 4 + (rank == 0);
    case SHARES:
        break;
    }
    return 1;
}

/* Borders at whole parts, in proportion to the weights. */
static RankCut cut_by(const uint64_t weight[], int ranks, size_t size, size_t part)
{
    RankCut cut = {.ranks = ranks};
    const size_t parts = size / part + (size % part > 0);
    uint64_t all = 0, sum = 0;
    for (int r = 0; r < ranks; r++) {
        all += weight[r];
    }
    assert(all > 0); /* somebody always has a share */
    for (int r = 0; r < ranks; r++) {
        sum += weight[r];
        const size_t border = (size_t)((unsigned __int128)parts * sum / all);
        cut.first[r + 1] = border >= parts ? size : border * part;
    }
    return cut;
}

RankCut cuts_even(int ranks, size_t size, size_t part)
{
    uint64_t weight[RANKED_LIMIT];
    for (int r = 0; r < ranks; r++) {
        weight[r] = 1;
    }
    return cut_by(weight, ranks, size, part);
}

RankCut cuts_choose(uint64_t call, int ranks, size_t size, size_t part)
{
    uint64_t weight[RANKED_LIMIT], state = call;
    const Shares shares = (Shares)(call % SHARES);
    const int chosen = (int)(draw(&state) % (uint64_t)ranks);
    for (int r = 0; r < ranks; r++) {
        weight[r] = weight_of(shares, &state, r, ranks, chosen);
    }
    return cut_by(weight, ranks, size, part);
}
