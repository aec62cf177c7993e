/* team.h: the same work on every thread at once.
 *
 * Two ways: threads of our own, pinned (preflight, where no kernel is loaded), or the team of the OpenMP
 * runtime that a kernel brought along. A worker must use the latter: two sets of threads in one process would
 * spin against each other. */
#ifndef SAMEBITS_TEAM_H
#define SAMEBITS_TEAM_H

#include <stdint.h>

typedef void TeamWork(void *context, int thread, int threads);

typedef struct Team {
    int threads;
    /* GOMP_parallel of the loaded runtime (libomp and libgomp both export it); NULL: threads of our own. */
    void (*parallel)(void (*work)(void *), void *data, unsigned threads, unsigned flags);
    int (*thread_number)(void);
    int (*team_size)(void);
} Team;

/* The OpenMP runtime found from the object that holds `address` (a kernel's function). `parallel` stays NULL
 * when that object has no such runtime; the team then has threads of its own. */
Team team_of_runtime(void *address, int threads);
Team team_of_own(int threads);

/* Runs `work` on team->threads threads and waits for all. Returns the nanoseconds between the moment when all
 * threads stood at the start and the moment when the last was done (own threads), or the whole call (a
 * runtime's team). */
int64_t team_run(const Team *team, TeamWork *work, void *context);

/* The half-open part [*from, *to) of `count` items for `thread`, cut at multiples of `grain`. */
void team_share(uint64_t count, uint64_t grain, int thread, int threads, uint64_t *from, uint64_t *to);

#endif
