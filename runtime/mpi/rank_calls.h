/* rank_calls.h: the MPI functions that kernels call, counted and watched (part of the rank program, see
 * rank.c).
 *
 * MPI's profiling interface (MPI 4.0, 15.2): every MPI_X is weak, and PMPI_X does its work. The program's own
 * MPI_X come first in the order of lookup, so a kernel that is loaded later calls these.
 *
 * Payload: MPI_FLOAT and MPI_DOUBLE count as values. Kernels send bytes instead, because headers travel with
 * values: then a message that begins with the mark of docs/mpi.md says how many values it and what follows it
 * hold. */
#ifndef SAMEBITS_RANK_CALLS_H
#define SAMEBITS_RANK_CALLS_H

#include <mpi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 512 };
#define EVERY_PEER UINT64_MAX

/* Written by the thread that calls MPI, read by the one that answers questions. */
typedef struct Doing {
    _Atomic int phase;
    _Atomic(const char *) function;
    _Atomic uint64_t peers;
    _Atomic int64_t phase_since, since; /* nanoseconds */
} Doing;

typedef struct PendingRequest {
    MPI_Request request;
    uint64_t peers;
} PendingRequest;

typedef struct Counts {
    int64_t messages, values, bytes, collectives, waited; /* waited: nanoseconds */
} Counts;

static Doing doing;
static Counts counts;
static PendingRequest pending[REQUEST_LIMIT];
static int pending_count;
/* A test that found nothing done may have begun a wait: then what lies between it and the next call is
 * waiting, too. Who computes meanwhile calls again much later, and has not handed the processor on. */
enum { POLL_GAP = 5000 };
static bool polling, yielded;
static int64_t polling_since;

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void set_phase(int phase)
{
    atomic_store(&doing.phase_since, nanoseconds());
    atomic_store(&doing.phase, phase);
}

static int64_t enter(const char *function, uint64_t peers)
{
    const int64_t now = nanoseconds();
    counts.waited += polling && (yielded || now - polling_since < POLL_GAP) ? now - polling_since : 0;
    yielded = false;
    atomic_store_explicit(&doing.peers, peers, memory_order_relaxed);
    atomic_store_explicit(&doing.since, now, memory_order_relaxed);
    atomic_store_explicit(&doing.function, function, memory_order_release);
    return now;
}

static int leave(int64_t entered, int error)
{
    polling_since = nanoseconds();
    counts.waited += polling_since - entered;
    atomic_store_explicit(&doing.function, NULL, memory_order_relaxed);
    return error;
}

/* Ranks of the communicators that kernels make are those of the one they were given. */
static uint64_t peer_bit(int rank)
{
    return rank >= 0 && rank < 64 ? (uint64_t)1 << rank : rank == MPI_ANY_SOURCE ? EVERY_PEER : 0;
}

/* Kernels and libraries that wait hand the processor on through this one. */
int sched_yield(void)
{
    yielded = true;
    return (int)syscall(SYS_sched_yield);
}

/* ---- requests under way ---- */

static void remember(const MPI_Request *request, uint64_t peers)
{
    if (pending_count < REQUEST_LIMIT) {
        pending[pending_count++] = (PendingRequest){*request, peers};
    }
}

static int find_pending(MPI_Request request)
{
    int at = 0;
    while (at < pending_count && pending[at].request != request) {
        at++;
    }
    return at;
}

static uint64_t peers_of(int count, const MPI_Request request[])
{
    uint64_t peers = 0;
    for (int i = 0; i < count; i++) {
        const int at = find_pending(request[i]);
        peers |= at < pending_count ? pending[at].peers : 0;
    }
    return peers;
}

static void forget(MPI_Request request)
{
    const int at = find_pending(request);
    if (at < pending_count) {
        pending[at] = pending[--pending_count];
    }
}

/* A completed request becomes MPI_REQUEST_NULL. */
typedef struct Before {
    MPI_Request request[REQUEST_LIMIT];
    int count;
} Before;

static void keep_before(Before *before, int count, const MPI_Request request[])
{
    before->count = count < REQUEST_LIMIT ? count : REQUEST_LIMIT;
    for (int i = 0; i < before->count; i++) {
        before->request[i] = request[i];
    }
}

static void forget_completed(const Before *before, const MPI_Request after[])
{
    for (int i = 0; i < before->count; i++) {
        if (before->request[i] != MPI_REQUEST_NULL && after[i] == MPI_REQUEST_NULL) {
            forget(before->request[i]);
        }
    }
}

/* ---- what is sent ---- */

static int64_t values_in(const void *data, int64_t bytes, MPI_Datatype type, int count)
{
    struct {
        char mark[8];
        uint64_t values;
    } header;
    if (type == MPI_FLOAT || type == MPI_DOUBLE) {
        return count;
    }
    if (bytes < (int64_t)sizeof header) {
        return 0;
    }
    memcpy(&header, data, sizeof header);
    return memcmp(header.mark, "samebits", sizeof header.mark) == 0 ? (int64_t)header.values : 0;
}

static void count_message(const void *data, int count, MPI_Datatype type, int to)
{
    int size = 0;
    if (to == MPI_PROC_NULL || PMPI_Type_size(type, &size) != MPI_SUCCESS) {
        return;
    }
    const int64_t bytes = (int64_t)count * size;
    counts.messages++;
    counts.bytes += bytes;
    counts.values += values_in(data, bytes, type, count);
}

/* ---- point to point ---- */

#define SEND(NAME)                                                                                           \
    int MPI_##NAME(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)           \
    {                                                                                                        \
        count_message(data, count, type, to);                                                                \
        const int64_t entered = enter("MPI_" #NAME, peer_bit(to));                                           \
        return leave(entered, PMPI_##NAME(data, count, type, to, tag, comm));                                \
    }
SEND(Send)
SEND(Ssend)
SEND(Rsend)
SEND(Bsend)

#define ISEND(NAME)                                                                                          \
    int MPI_##NAME(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,           \
                   MPI_Request *request)                                                                     \
    {                                                                                                        \
        count_message(data, count, type, to);                                                                \
        const int64_t entered = enter("MPI_" #NAME, peer_bit(to));                                           \
        const int error = PMPI_##NAME(data, count, type, to, tag, comm, request);                            \
        remember(request, peer_bit(to));                                                                     \
        return leave(entered, error);                                                                        \
    }
ISEND(Isend)
ISEND(Issend)
ISEND(Irsend)
ISEND(Ibsend)

int MPI_Recv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status *status)
{
    const int64_t entered = enter("MPI_Recv", peer_bit(from));
    return leave(entered, PMPI_Recv(data, count, type, from, tag, comm, status));
}

int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    const int64_t entered = enter("MPI_Irecv", peer_bit(from));
    const int error = PMPI_Irecv(data, count, type, from, tag, comm, request);
    remember(request, peer_bit(from));
    return leave(entered, error);
}

int MPI_Sendrecv(const void *data, int count, MPI_Datatype type, int to, int tag, void *received, int room,
                 MPI_Datatype received_type, int from, int received_tag, MPI_Comm comm, MPI_Status *status)
{
    count_message(data, count, type, to);
    const int64_t entered = enter("MPI_Sendrecv", peer_bit(to) | peer_bit(from));
    return leave(entered, PMPI_Sendrecv(data, count, type, to, tag, received, room, received_type, from,
                                        received_tag, comm, status));
}

int MPI_Probe(int from, int tag, MPI_Comm comm, MPI_Status *status)
{
    const int64_t entered = enter("MPI_Probe", peer_bit(from));
    return leave(entered, PMPI_Probe(from, tag, comm, status));
}

int MPI_Mprobe(int from, int tag, MPI_Comm comm, MPI_Message *message, MPI_Status *status)
{
    const int64_t entered = enter("MPI_Mprobe", peer_bit(from));
    return leave(entered, PMPI_Mprobe(from, tag, comm, message, status));
}

int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *flag, MPI_Status *status)
{
    const int64_t entered = enter("MPI_Iprobe", peer_bit(from));
    const int error = PMPI_Iprobe(from, tag, comm, flag, status);
    polling = error == MPI_SUCCESS && !*flag;
    return leave(entered, error);
}

/* ---- completion ---- */

#define COMPLETION(NAME, COUNT, REQUESTS, PARAMETERS, ARGUMENTS)                                             \
    int MPI_##NAME PARAMETERS                                                                                \
    {                                                                                                        \
        Before before;                                                                                       \
        keep_before(&before, COUNT, REQUESTS);                                                               \
        const int64_t entered = enter("MPI_" #NAME, peers_of(before.count, REQUESTS));                       \
        const int error = PMPI_##NAME ARGUMENTS;                                                             \
        forget_completed(&before, REQUESTS);                                                                 \
        return leave(entered, error);                                                                        \
    }
COMPLETION(Wait, 1, request, (MPI_Request * request, MPI_Status *status), (request, status))
COMPLETION(Waitall, count, request, (int count, MPI_Request request[], MPI_Status status[]),
           (count, request, status))
COMPLETION(Waitany, count, request, (int count, MPI_Request request[], int *index, MPI_Status *status),
           (count, request, index, status))
COMPLETION(Waitsome, count, request,
           (int count, MPI_Request request[], int *done, int indices[], MPI_Status status[]),
           (count, request, done, indices, status))
COMPLETION(Test, 1, request, (MPI_Request * request, int *flag, MPI_Status *status), (request, flag, status))
COMPLETION(Testany, count, request,
           (int count, MPI_Request request[], int *index, int *flag, MPI_Status *status),
           (count, request, index, flag, status))
COMPLETION(Testsome, count, request,
           (int count, MPI_Request request[], int *done, int indices[], MPI_Status status[]),
           (count, request, done, indices, status))

int MPI_Testall(int count, MPI_Request request[], int *flag, MPI_Status status[])
{
    Before before;
    keep_before(&before, count, request);
    const int64_t entered = enter("MPI_Testall", peers_of(before.count, request));
    const int error = PMPI_Testall(count, request, flag, status);
    polling = error == MPI_SUCCESS && !*flag;
    forget_completed(&before, request);
    return leave(entered, error);
}

/* ---- collectives ---- */

#define COLLECTIVE(NAME, PARAMETERS, ARGUMENTS)                                                              \
    int MPI_##NAME PARAMETERS                                                                                \
    {                                                                                                        \
        counts.collectives++;                                                                                \
        const int64_t entered = enter("MPI_" #NAME, EVERY_PEER);                                             \
        return leave(entered, PMPI_##NAME ARGUMENTS);                                                        \
    }
COLLECTIVE(Barrier, (MPI_Comm comm), (comm))
COLLECTIVE(Bcast, (void *data, int count, MPI_Datatype type, int root, MPI_Comm comm),
           (data, count, type, root, comm))
COLLECTIVE(Reduce,
           (const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm),
           (from, to, count, type, op, root, comm))
COLLECTIVE(Allreduce, (const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
           (from, to, count, type, op, comm))
COLLECTIVE(Scan, (const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
           (from, to, count, type, op, comm))
COLLECTIVE(Exscan, (const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
           (from, to, count, type, op, comm))
COLLECTIVE(Reduce_scatter,
           (const void *from, void *to, const int each[], MPI_Datatype type, MPI_Op op, MPI_Comm comm),
           (from, to, each, type, op, comm))
COLLECTIVE(Reduce_scatter_block,
           (const void *from, void *to, int each, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
           (from, to, each, type, op, comm))
COLLECTIVE(Gather,
           (const void *from, int count, MPI_Datatype type, void *to, int each, MPI_Datatype to_type,
            int root, MPI_Comm comm),
           (from, count, type, to, each, to_type, root, comm))
COLLECTIVE(Gatherv,
           (const void *from, int count, MPI_Datatype type, void *to, const int each[], const int at[],
            MPI_Datatype to_type, int root, MPI_Comm comm),
           (from, count, type, to, each, at, to_type, root, comm))
COLLECTIVE(Scatter,
           (const void *from, int count, MPI_Datatype type, void *to, int each, MPI_Datatype to_type,
            int root, MPI_Comm comm),
           (from, count, type, to, each, to_type, root, comm))
COLLECTIVE(Scatterv,
           (const void *from, const int count[], const int at[], MPI_Datatype type, void *to, int each,
            MPI_Datatype to_type, int root, MPI_Comm comm),
           (from, count, at, type, to, each, to_type, root, comm))
COLLECTIVE(Allgather,
           (const void *from, int count, MPI_Datatype type, void *to, int each, MPI_Datatype to_type,
            MPI_Comm comm),
           (from, count, type, to, each, to_type, comm))
COLLECTIVE(Allgatherv,
           (const void *from, int count, MPI_Datatype type, void *to, const int each[], const int at[],
            MPI_Datatype to_type, MPI_Comm comm),
           (from, count, type, to, each, at, to_type, comm))
COLLECTIVE(Alltoall,
           (const void *from, int count, MPI_Datatype type, void *to, int each, MPI_Datatype to_type,
            MPI_Comm comm),
           (from, count, type, to, each, to_type, comm))
COLLECTIVE(Alltoallv,
           (const void *from, const int count[], const int from_at[], MPI_Datatype type, void *to,
            const int each[], const int to_at[], MPI_Datatype to_type, MPI_Comm comm),
           (from, count, from_at, type, to, each, to_at, to_type, comm))
COLLECTIVE(Comm_dup, (MPI_Comm comm, MPI_Comm *made), (comm, made))
COLLECTIVE(Comm_split_type, (MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *made),
           (comm, type, key, info, made))
COLLECTIVE(Comm_split, (MPI_Comm comm, int color, int key, MPI_Comm *made), (comm, color, key, made))
COLLECTIVE(Comm_create, (MPI_Comm comm, MPI_Group group, MPI_Comm *made), (comm, group, made))

#define STARTED_COLLECTIVE(NAME, PARAMETERS, ARGUMENTS)                                                      \
    int MPI_##NAME PARAMETERS                                                                                \
    {                                                                                                        \
        counts.collectives++;                                                                                \
        const int64_t entered = enter("MPI_" #NAME, EVERY_PEER);                                             \
        const int error = PMPI_##NAME ARGUMENTS;                                                             \
        remember(request, EVERY_PEER);                                                                       \
        return leave(entered, error);                                                                        \
    }
STARTED_COLLECTIVE(Ibarrier, (MPI_Comm comm, MPI_Request *request), (comm, request))
STARTED_COLLECTIVE(Ibcast,
                   (void *data, int count, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *request),
                   (data, count, type, root, comm, request))
STARTED_COLLECTIVE(Iallreduce,
                   (const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm,
                    MPI_Request *request),
                   (from, to, count, type, op, comm, request))
STARTED_COLLECTIVE(Ireduce,
                   (const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, int root,
                    MPI_Comm comm, MPI_Request *request),
                   (from, to, count, type, op, root, comm, request))
STARTED_COLLECTIVE(Iallgather,
                   (const void *from, int count, MPI_Datatype type, void *to, int each, MPI_Datatype to_type,
                    MPI_Comm comm, MPI_Request *request),
                   (from, count, type, to, each, to_type, comm, request))

#endif
