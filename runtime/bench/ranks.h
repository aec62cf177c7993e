/* ranks.h: times of kernels that ranks run: 1, 2, 4 ranks, every exchange, what they send beside it.
 *
 * The time of a call is its slowest rank's. All that is compared is timed in turn in one run, round after
 * round. */
#ifndef SAMEBITS_BENCH_RANKS_H
#define SAMEBITS_BENCH_RANKS_H

#include "bench/statistics.h"
#include "family/family.h"
#include "report/progress.h"

#include <jansson.h>

/* What is timed. */
typedef struct RankEntry {
    const Variant *variant;
    const char *object;
    int ranks, threads; /* threads of each rank */
    Shape shape;
    const char *data; /* "normal" or "mixed" */
} RankEntry;

enum { RANK_ROUNDS = 15 };

typedef struct RankTimed {
    const char *why; /* it was not timed; NULL: it was */
    int rounds;
    double slowest[RANK_ROUNDS]; /* seconds per call, of the slowest rank */
    double waited[RANK_ROUNDS];  /* of which that rank was inside MPI */
    double
        least_waited[RANK_ROUNDS]; /* the rank that waited least: it came last, so this is MPI's own work */
    double mean[RANK_ROUNDS];      /* of all ranks */
    double first_call;
} RankTimed;

/* `rounds` rounds (at most RANK_ROUNDS) over all entries, about `seconds` in all. */
void ranks_time(Arena *arena, const RankEntry *entry, RankTimed *timed, int entries, int rounds,
                double seconds);

/* The median of value[0 .. rounds - 1], which stay as they are. */
double ranks_median(const double *value, int rounds);

/* "ranks" of bench.json (docs/architecture.md) for a family's variants that ranks run; NULL: it has none.
 * `why_not` says why a variant is not to be timed, or NULL. */
typedef const char *RankWhyNot(const void *context, const Variant *variant);
json_t *ranks_to_json(Arena *arena, const Family *family, const char *out_dir, RankWhyNot *why_not,
                      const void *context, json_t *skipped);

#endif
