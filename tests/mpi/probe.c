/* probe.c: a kernel written by hand, with the interface of docs/mpi.md. It says which part of what it was
 * given, sums over the distributed dim k with exact integers, and misbehaves when a parameter says so.
 *
 * dims a, k, b; u[k], v[k, b], t[a, k], x[a, k, b], w[a, b] -> y[a, b], z[a, k, b]. */
#include "array/inputs.c"

#include <mpi.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BEHAVE,
    EXIT,
    LEAVE,
    CRASH,
    LOOP,
    WAIT,
    DIFFER,
    REFUSE,
    ABORT,
    DISAGREE,
    DEADLOCK,
    ECHO,
    HEADER,
    KNOWN,
    THREADS,
    POLL
};

typedef struct Part {
    const float *const *in;
    float *const *out;
    size_t a, k, b, first, count;
} Part;

static float left(const Part *p, size_t i, size_t j, size_t c)
{
    const float *u = p->in[0], *v = p->in[1], *t = p->in[2], *x = p->in[3], *w = p->in[4];
    return x[(i * p->count + j) * p->b + c] + 2 * u[j] + 3 * v[j * p->b + c] + 5 * t[i * p->count + j] +
           7 * w[i * p->b + c];
}

static void fill(const Part *p)
{
    memset(p->out[0], 0, p->a * p->b * sizeof(float));
    for (size_t i = 0; i < p->a; i++)
        for (size_t j = 0; j < p->count; j++)
            for (size_t c = 0; c < p->b; c++) {
                const float value = left(p, i, j, c);
                p->out[1][(i * p->count + j) * p->b + c] = value + (float)(p->first + j);
                p->out[0][i * p->b + c] += value;
            }
}

/* Everyone's sums to rank 0, and back. */
static int sum_up(const Part *p, int rank, int ranks, MPI_Comm comm)
{
    const int n = (int)(p->a * p->b);
    float *other = malloc(((size_t)n + 1) * sizeof *other);
    int error = 0;
    for (int r = 1; r < ranks && rank == 0 && !error; r++) {
        error = MPI_Recv(other, n, MPI_FLOAT, r, 1, comm, MPI_STATUS_IGNORE);
        for (int i = 0; i < n; i++)
            p->out[0][i] += other[i];
    }
    for (int r = 1; r < ranks && rank == 0 && !error; r++)
        error = MPI_Send(p->out[0], n, MPI_FLOAT, r, 2, comm);
    if (rank > 0) {
        MPI_Request request;
        error = MPI_Isend(p->out[0], n, MPI_FLOAT, 0, 1, comm, &request);
        error = error ? error : MPI_Wait(&request, MPI_STATUS_IGNORE);
        error = error ? error : MPI_Recv(p->out[0], n, MPI_FLOAT, 0, 2, comm, MPI_STATUS_IGNORE);
    }
    free(other);
    return error;
}

static void misbehave(int how, int rank, MPI_Comm comm)
{
    char byte;
    switch (how) {
    case EXIT:
        exit(7);
    case LEAVE:
        _exit(9);
    case CRASH:
        *(volatile int *)8 = 1;
        break;
    case LOOP:
        for (volatile int i = 0;; i++) {
        }
    case WAIT:
        MPI_Recv(&byte, 1, MPI_BYTE, rank, 77, comm, MPI_STATUS_IGNORE);
        break;
    case ABORT:
        MPI_Abort(comm, 5);
        break;
    default:
        break;
    }
}

/* What this rank was given. */
static int echo(const Part *p, const float *params)
{
    const size_t elements = p->a * p->count * p->b;
    memset(p->out[0], 0, p->a * p->b * sizeof(float));
    for (size_t i = 0; i < elements; i++)
        p->out[1][i] = (float)(10000 * p->a + 100 * p->first + p->count) + params[1] / 4;
    return 0;
}

/* 0 when the inputs are this rank's part of the tensors that a benchmark has (bench/buffers.c). */
static int compare_known(const Part *p)
{
    enum { DISTINCT = 1 << 22 };
    const size_t elements = p->a * p->k * p->b, period = elements < DISTINCT ? elements : DISTINCT;
    float *u = malloc(p->k * sizeof *u), *x = malloc(period * sizeof *x);
    int wrong = 0;
    inputs_fill(u, p->k < DISTINCT ? p->k : DISTINCT, p->k, INPUT_MIXED, 1);
    inputs_fill(x, period, p->b, INPUT_NORMAL, 4);
    for (size_t j = 0; j < p->count; j++)
        wrong |= p->in[0][j] != u[(p->first + j) % DISTINCT];
    for (size_t i = 0; i < p->a * p->count * p->b; i++) {
        const size_t c = i % p->b, j = i / p->b % p->count, row = i / p->b / p->count;
        wrong |= p->in[3][i] != x[((row * p->k + p->first + j) * p->b + c) % period];
    }
    free(u);
    free(x);
    return wrong;
}

/* A message with a header, as docs/mpi.md has them, to the next rank, and one behind it. */
static int send_header(int rank, int ranks, MPI_Comm comm)
{
    struct {
        char mark[8];
        unsigned long long values;
        char rest[84];
    } header = {"samebits", 5, ""}, other;
    const int next = (rank + 1) % ranks, before = (rank + ranks - 1) % ranks;
    MPI_Sendrecv(&header, 100, MPI_BYTE, next, 1, &other, 100, MPI_BYTE, before, 1, comm, MPI_STATUS_IGNORE);
    return MPI_Sendrecv(header.rest, 20, MPI_BYTE, next, 2, other.rest, 20, MPI_BYTE, before, 2, comm,
                        MPI_STATUS_IGNORE);
}

/* For a message that nobody sends, 50 ms long: who waits for it hands the processor on in between, who does
 * not works. */
static int poll_in_vain(int waits, MPI_Comm comm)
{
    const double until = MPI_Wtime() + 0.05;
    while (MPI_Wtime() < until) {
        const double worked = MPI_Wtime() + 0.005;
        int there;
        MPI_Iprobe(MPI_ANY_SOURCE, 99, comm, &there, MPI_STATUS_IGNORE);
        if (waits)
            sched_yield();
        while (!waits && MPI_Wtime() < worked) {
        }
    }
    return 0;
}

int samebits_probe_call(const float *const *in, float *const *out, const size_t *sizes, const float *params,
                        size_t first, size_t count, MPI_Comm comm)
{
    const Part part = {in, out, sizes[0], sizes[1], sizes[2], first, count};
    const int how = (int)params[0], whom = (int)params[1];
    int rank, ranks;
    if (comm == MPI_COMM_NULL || (MPI_Comm_test_inter(comm, &rank), rank))
        return 6;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    if (how == REFUSE)
        return 1;
    if (how == DEADLOCK)
        misbehave(WAIT, (rank + 1) % ranks, comm);
    if (how == ECHO)
        return echo(&part, params);
    if (how == THREADS)
        return omp_get_max_threads();
    if (how == KNOWN)
        return compare_known(&part);
    if (how == POLL)
        return poll_in_vain(rank == whom, comm);
    if (how == HEADER)
        return send_header(rank, ranks, comm);
    if (rank == whom)
        misbehave(how, rank, comm);
    fill(&part);
    if (sum_up(&part, rank, ranks, comm))
        return 0x10000;
    if (how == DISAGREE && rank == whom)
        out[0][0] += 1;
    return how == DIFFER && rank == whom ? 2 : 0;
}
