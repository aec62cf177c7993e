/* ranked.h: a kernel of target mpi, run by mpirun, behind driver/kernel.h.
 *
 * ranked_open starts nothing; the first call starts `mpirun -np P` with the rank program (rank.c), and it
 * stays until more ranks are needed or the kernel is closed; fewer are the first ones, with a communicator of
 * their own, while the others sleep (ranked_time starts exactly as many as it times). Every rank has a stream
 * socket of its own to this process: it gets its part of the inputs there, and returns its part of the
 * outputs, its code, its times and its counts. So this process sees which rank died or hangs, and why. Every
 * wait has a limit. Calls come from one thread; a process made by fork starts ranks of its own. A limit on
 * addresses (RLIMIT_AS) is inherited by the ranks, and MPI libraries map much.
 *
 * Everything about a call but its numbers is schedule: how many ranks, where the axis is cut, threads per
 * rank. As long as nobody sets them, no two calls in a row are alike (as in emulated.h): whoever compares
 * calls compares schedules. */
#ifndef SAMEBITS_RANKED_H
#define SAMEBITS_RANKED_H

#include "family/family.h"
#include "mpi/mpirun.h"
#include "mpi/wire.h"
#include "reference/evaluate.h"

enum { RANKED_LIMIT = 64 };

/* Which part of the axis each rank has: rank r holds first[r] .. first[r + 1] - 1; first[0] = 0. */
typedef struct RankCut {
    int ranks;
    size_t first[RANKED_LIMIT + 1];
} RankCut;

/* What one rank did in one call, counted by the profiling interface of MPI. Values are binary32 or binary64
 * numbers of the payload, headers are not among them; bytes are all of it. */
typedef struct RankCounts {
    long messages, values, bytes; /* sent */
    long collectives;             /* calls of MPI's collective functions: none in a settled call */
    double seconds;               /* inside the kernel */
    double waited;                /* of which inside MPI */
} RankCounts;

typedef struct Ranked Ranked;

/* `object`: the shared object made by mpicc; it exports <symbol>_call. NULL and *why on failure. */
Ranked *ranked_open(Arena *arena, const char *object, const Variant *variant, const char **why);
void ranked_close(Ranked *ranked); /* leaves no process behind */

/* Calls it on whole tensors: cut, sent, run, put together. False when it failed: ranked_failure says which
 * rank and why, and stays. Outputs that every rank returns whole must be the same on all of them. */
bool ranked_call(Ranked *ranked, const CallData *call);
const char *ranked_failure(const Ranked *ranked);

/* Of the calls to come. 0 ranks or NULL: changing ones again. The cut's last entry must be the axis' size. A
 * cut that is not at parts is passed on as it is: the kernel must refuse it. */
void ranked_set_ranks(Ranked *ranked, int ranks);
void ranked_set_cut(Ranked *ranked, const RankCut *cut);
void ranked_set_threads(Ranked *ranked, int threads); /* per rank; 0: what the machine's processors allow */
/* The kernel's code of the last call (docs/mpi.md), the same on all ranks, else ranked_failure says that they
 * differ. With `expect_code` a nonzero code is no failure. */
void ranked_expect_code(Ranked *ranked, bool expect_code);
int ranked_code(const Ranked *ranked);

/* Seconds for one call; at first $SAMEBITS_RANK_SECONDS, else 60, which is also how long ranks may take to
 * start. */
void ranked_set_limit(Ranked *ranked, double seconds);
/* What is wrong on purpose in the calls of one rank of the cut (WIRE_RIGHT: nothing any more; another
 * communicator is given to all ranks), and another kernel for one rank (-1: for none). */
void ranked_set_mistake(Ranked *ranked, int rank, WireMistake mistake);
void ranked_set_other_kernel(Ranked *ranked, int rank, const char *object, const char *symbol);

const RankCut *ranked_last_cut(const Ranked *ranked);
const RankCounts *ranked_counts(const Ranked *ranked);   /* one per rank, of the last call, timed ones too */
const char *ranked_code_text(int code);                  /* "CUT: a range does not begin at a part, ..." */
const Mpi *ranked_mpi(const Ranked *ranked);             /* NULL before the first start */
const char *ranked_host(const Ranked *ranked, int rank); /* its name; NULL while there are no ranks */
/* "4 ranks (0, 2, 1, 5 parts), 1 thread each, exchange tree", with " on 2 hosts" where it is so: of the last
 * call. */
const char *ranked_text(const Ranked *ranked, char *text, size_t size);

/* Times `calls` calls in a row on canonical data that each rank makes by itself; seconds[r] of each rank, per
 * call, between two barriers; false and ranked_failure as above. */
typedef struct RankTimes {
    double first_call, seconds[RANKED_LIMIT],
        waited[RANKED_LIMIT]; /* per call; the slowest rank's is the time */
} RankTimes;
bool ranked_time(Ranked *ranked, const Shape *shape, const char *data, int calls, RankTimes *times);

#endif
