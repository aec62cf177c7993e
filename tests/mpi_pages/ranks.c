/* ranks.c: calls kernels of target mpi on 1, 2, 3, 4, 5, 8 ranks, with all kinds of cuts, and compares every
 * rank's outputs with the avx2 kernel's on the whole problem, bit for bit; then lets ranks disagree. Prints
 * what differs; "done N" at the end.
 *
 * kernels.h, which mpi_pages.py writes from manifests, has the table. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMS = 3, TENSORS = 6, RANKS = 8 };

typedef struct Tensor {
    int dims, dim[DIMS];
} Tensor;

typedef int Call(const float *const *, float *const *, const size_t *, const float *, size_t, size_t,
                 MPI_Comm);
typedef void Whole(const float *const *, float *const *, const size_t *, const float *);

typedef struct Kernel {
    const char *name;
    Call *call;
    Whole *whole;
    int sizes, inputs, outputs, spread; /* spread: the distributed dim */
    size_t chunk, pieces;
    Tensor tensor[TENSORS]; /* inputs, then outputs */
    float param[4];
} Kernel;

#include "kernels.h"

static int rank, ranks, wrong;
static long cases;

/* The linker sends what kernels ask of the C library here (--wrap), so that a rank can be without memory. */
enum { LACKS_CALLOC = 1, LACKS_MALLOC = 2, LACKS_ALIGNED = 4 };
static int lacks, in_kernel, refused;

static int refuses(int kind)
{
    refused += in_kernel && (lacks & kind);
    return in_kernel && (lacks & kind);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return refuses(LACKS_MALLOC) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuses(LACKS_CALLOC) ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return refuses(LACKS_ALIGNED) ? NULL : __real_aligned_alloc(alignment, size);
}

static uint32_t random_state = 1;
static uint32_t random_next(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static size_t elements(const Tensor *tensor, const size_t *sizes, int spread, size_t count)
{
    size_t product = 1;
    for (int i = 0; i < tensor->dims; i++)
        product *= tensor->dim[i] == spread ? count : sizes[tensor->dim[i]];
    return product;
}

/* Copies the local part of a tensor out of the whole one, or compares it with it. */
static int part_visit(const Tensor *tensor, const size_t *sizes, int spread, size_t first, size_t count,
                      const float *whole, float *part, int compare)
{
    int same = 1;
    const size_t all = elements(tensor, sizes, spread, count);
    for (size_t i = 0; i < all; i++) {
        size_t rest = i, place = 0, step = 1;
        for (int d = tensor->dims - 1; d >= 0; d--) {
            const size_t own = tensor->dim[d] == spread ? count : sizes[tensor->dim[d]];
            place += (rest % own + (tensor->dim[d] == spread ? first : 0)) * step;
            step *= sizes[tensor->dim[d]];
            rest /= own;
        }
        if (!compare)
            part[i] = whole[place];
        else if (part[i] == part[i] || whole[place] == whole[place]) /* a NaN is a NaN */
            same &= memcmp(&part[i], &whole[place], sizeof(float)) == 0;
    }
    return same;
}

static size_t part_of(const Kernel *kernel, size_t size)
{
    const size_t part = kernel->pieces ? (size + kernel->pieces - 1) / kernel->pieces : kernel->chunk;
    return part ? part : 1;
}

/* Parts of each rank: even, the first empty, all at the last, all at the first, or any. */
static void cut_make(const Kernel *kernel, size_t size, int kind, int count, size_t *first)
{
    const size_t part = part_of(kernel, size), parts = (size + part - 1) / part;
    for (int r = 0; r <= count; r++) {
        size_t at = parts * (size_t)r / (size_t)count;
        if (kind == 1)
            at = r < 2 ? 0 : at;
        if (kind == 2)
            at = r < count ? 0 : parts;
        if (kind == 3)
            at = r > 0 ? parts : 0;
        if (kind == 4 && r > 0 && r < count)
            at = first[r - 1] / part + random_next() % (parts - first[r - 1] / part + 1);
        first[r] = r == count || at * part > size ? size : at * part;
        if (kind == 4 && first[r] == size)
            for (; r < count; r++)
                first[r + 1] = size;
    }
    first[0] = 0;
}

typedef struct Problem {
    const Kernel *kernel;
    size_t sizes[DIMS];
    float *whole[TENSORS];
} Problem;

/* Values of many magnitudes and both signs, so that orders differ; rows of -0.0 among them. */
static float value_next(void)
{
    const uint32_t word = random_next(), exponent = 127 - 8 + random_next() % 16;
    uint32_t bits = (word & 1) << 31 | exponent << 23 | (random_next() & 0x7fffff);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static Problem problem_make(const Kernel *kernel, const size_t *sizes)
{
    Problem problem = {.kernel = kernel};
    memcpy(problem.sizes, sizes, sizeof problem.sizes);
    random_state = 7;
    for (int t = 0; t < kernel->inputs + kernel->outputs; t++) {
        const size_t count = elements(&kernel->tensor[t], sizes, -1, 0);
        problem.whole[t] = malloc((count + 1) * sizeof(float));
        for (size_t i = 0; i < count && t < kernel->inputs; i++)
            problem.whole[t][i] = i < sizes[kernel->sizes - 1] && t == 0 ? -0.0f : value_next();
    }
    kernel->whole((const float *const *)problem.whole, problem.whole + kernel->inputs, sizes, kernel->param);
    return problem;
}

static void problem_free(Problem *problem)
{
    for (int t = 0; t < problem->kernel->inputs + problem->kernel->outputs; t++)
        free(problem->whole[t]);
}

static int call_own(const Problem *problem, size_t first, size_t count, MPI_Comm comm, int *same)
{
    const Kernel *kernel = problem->kernel;
    float *own[TENSORS] = {NULL};
    const int tensors = kernel->inputs + kernel->outputs;
    for (int t = 0; t < tensors; t++) {
        own[t] =
            malloc((elements(&kernel->tensor[t], problem->sizes, kernel->spread, count) + 1) * sizeof(float));
        if (t < kernel->inputs)
            part_visit(&kernel->tensor[t], problem->sizes, kernel->spread, first, count, problem->whole[t],
                       own[t], 0);
    }
    in_kernel = 1;
    const int code = kernel->call((const float *const *)own, own + kernel->inputs, problem->sizes,
                                  kernel->param, first, count, comm);
    in_kernel = 0;
    *same = 1;
    for (int t = kernel->inputs; t < tensors && !code; t++)
        *same &= part_visit(&kernel->tensor[t], problem->sizes, kernel->spread, first, count,
                            problem->whole[t], own[t], 1);
    for (int t = 0; t < tensors; t++)
        free(own[t]);
    return code;
}

static void run_cuts(const Problem *problem, MPI_Comm comm, int count, int from)
{
    for (int kind = from % 2; kind < 5; kind += 2 + from % 2) { /* 0, 2, 4 and 1, 4 in turn */
        size_t first[RANKS + 1];
        int same;
        random_state = 11u * (uint32_t)kind + (uint32_t)count;
        cut_make(problem->kernel, problem->sizes[problem->kernel->spread], kind, count, first);
        const int code = call_own(problem, first[rank], first[rank + 1] - first[rank], comm, &same);
        if (code || !same) {
            printf("wrong: %s, %d ranks, cut %d, rank %d, sizes %zu %zu: code %d, %s\n",
                   problem->kernel->name, count, kind, rank, problem->sizes[0], problem->sizes[1], code,
                   same ? "same" : "other bits");
            wrong++;
        }
        cases++;
    }
}

static void run_all(MPI_Comm *comm)
{
    static const size_t sizes[][DIMS] = {{5, 1000, 70}, {70, 321, 6}, {3, 7, 64}, {2, 0, 3}, {0, 64, 2}};
    static const int counts[] = {1, 2, 3, 4, 5, 8};
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
        for (int s = 0; s < 5; s++) {
            Problem problem = problem_make(&kernels[k], sizes[s]);
            for (int c = 0; c < 6; c++)
                if (rank < counts[c] && counts[c] <= ranks)
                    run_cuts(&problem, comm[counts[c]], counts[c], (int)k + s + c);
            problem_free(&problem);
        }
}

/* ---- ranks that disagree ---- */

enum { CODE_CUT = 1, CODE_SIZES, CODE_CONTRACT, CODE_MEMORY, CODE_TOO_LARGE, CODE_COMM };

static void expect(const char *what, const char *name, int count, int code, int wanted)
{
    cases++;
    if (code == wanted)
        return;
    printf("wrong: %s of %s, %d ranks, rank %d: code %d, not %d\n", what, name, count, rank, code, wanted);
    wrong++;
}

static void disagree(const Kernel *kernel, const Kernel *other, MPI_Comm comm, int count)
{
    static const size_t sizes[DIMS] = {40, 1000, 70};
    Problem problem = problem_make(kernel, sizes), larger, elsewhere = problem_make(other, sizes);
    size_t first[RANKS + 1], more[DIMS];
    int same;
    cut_make(kernel, sizes[kernel->spread], 0, count, first);
    memcpy(more, sizes, sizeof more);
    more[0] += 1000; /* of rows that are not shared: other blocks, other lengths of messages */
    larger = problem_make(kernel, more);
    const size_t own = first[rank + 1] - first[rank];
    const int absent = count == 2 ? 0 : count / 2; /* a rank that has some, and is not the last */
    const Problem *mine = rank == 1 ? &larger : &problem;
    expect("sizes", kernel->name, count, call_own(mine, first[rank], own, comm, &same), CODE_SIZES);
    expect("gap", kernel->name, count, call_own(&problem, first[rank], rank == absent ? 0 : own, comm, &same),
           CODE_CUT);
    expect("end missing", kernel->name, count,
           call_own(&problem, first[rank], rank == count - 1 ? 0 : own, comm, &same), CODE_CUT);
    if (part_of(kernel, sizes[kernel->spread]) > 1)
        expect("inside a part", kernel->name, count,
               call_own(&problem, first[rank] + (rank == 1), own - (rank == 1), comm, &same), CODE_CUT);
    const Problem *theirs = rank == 1 ? &elsewhere : &problem;
    expect("contracts", kernel->name, count, call_own(theirs, first[rank], own, comm, &same), CODE_CONTRACT);
    expect("afterwards", kernel->name, count, call_own(&problem, first[rank], own, comm, &same), 0);
    if (!same)
        printf("wrong: bits of %s after disagreement\n", kernel->name), wrong++;
    problem_free(&problem);
    problem_free(&larger);
    problem_free(&elsewhere);
}

static void disagree_all(MPI_Comm *comm)
{
    static const int counts[] = {2, 3, 5, 8};
    for (size_t d = 0; d < sizeof pairs / sizeof *pairs; d++)
        for (int c = 0; c < 4; c++)
            if (rank < counts[c] && counts[c] <= ranks)
                disagree(&kernels[pairs[d][0]], &kernels[pairs[d][1]], comm[counts[c]], counts[c]);
    int same;
    static const size_t sizes[DIMS] = {4, 64, 70};
    Problem problem = problem_make(&kernels[0], sizes);
    expect("no communicator", kernels[0].name, 0, call_own(&problem, 0, 64, MPI_COMM_NULL, &same), CODE_COMM);
    problem_free(&problem);
}

/* ---- a rank without memory ---- */

/* For its state at the first call, for its partials, or for a message that nobody wants when sizes disagree.
 */
static void without_memory(const Kernel *kernel, int kind, int wanted, MPI_Comm comm, int count)
{
    static const size_t sizes[DIMS] = {40, 1000, 70}, more[DIMS] = {4040, 1000, 70};
    Problem problem = problem_make(kernel, sizes), larger = problem_make(kernel, more);
    MPI_Comm fresh; /* nothing of it is there yet */
    size_t first[RANKS + 1];
    int same, most = 0;
    cut_make(kernel, sizes[kernel->spread], 0, count, first);
    const size_t own = first[rank + 1] - first[rank];
    const Problem *mine = wanted == CODE_SIZES && rank != 1 ? &larger : &problem;
    MPI_Comm_dup(comm, &fresh);
    lacks = rank == 1 ? kind : 0;
    refused = 0;
    expect("memory", kernel->name, count, call_own(mine, first[rank], own, fresh, &same), wanted);
    lacks = 0;
    MPI_Allreduce(&refused, &most, 1, MPI_INT, MPI_MAX, comm);
    expect("something refused", kernel->name, count, most > 0, 1);
    expect("after it", kernel->name, count, call_own(&problem, first[rank], own, fresh, &same), 0);
    expect("bits after it", kernel->name, count, same, 1);
    MPI_Comm_free(&fresh);
    problem_free(&problem);
    problem_free(&larger);
}

static void without_memory_all(MPI_Comm *comm)
{
    static const int counts[] = {2, 3, 5};
    for (int d = 0; d < 3; d++) /* the first pairs: one of each exchange */
        for (int c = 0; c < 3; c++)
            if (rank < counts[c] && counts[c] <= ranks) {
                const Kernel *kernel = &kernels[pairs[d][0]];
                without_memory(kernel, LACKS_CALLOC, CODE_MEMORY, comm[counts[c]], counts[c]);
                without_memory(kernel, LACKS_ALIGNED, CODE_MEMORY, comm[counts[c]], counts[c]);
                if (d == 0) /* every rank sends to every other one before it hears of anything */
                    without_memory(&kernels[scattered], LACKS_MALLOC, CODE_SIZES, comm[counts[c]], counts[c]);
            }
}

/* More partials than one message can hold, of an axis that no rank has in memory: found before anything is
 * read. */
static void too_large(const Kernel *kernel, MPI_Comm comm, int count)
{
    static const float param[4] = {0};
    const size_t part = part_of(kernel, 0), parts = (size_t)1 << 34, each = parts / (size_t)count;
    const size_t sizes[DIMS] = {1, parts * part, 1}, first = each * (size_t)rank * part;
    float nothing[1] = {0};
    const float *const in[TENSORS] = {nothing, nothing, nothing, nothing, nothing, nothing};
    float *const out[TENSORS] = {nothing, nothing, nothing, nothing, nothing, nothing};
    const size_t own = rank == count - 1 ? sizes[1] - first : each * part;
    expect("too large", kernel->name, count, kernel->call(in, out, sizes, param, first, own, comm),
           CODE_TOO_LARGE);
}

static void too_large_all(MPI_Comm *comm)
{
    static const int counts[] = {1, 2, 5};
    for (size_t k = 0; k < sizeof wide / sizeof *wide; k++)
        for (int c = 0; c < 3; c++)
            if (rank < counts[c] && counts[c] <= ranks)
                too_large(&kernels[wide[k]], comm[counts[c]], counts[c]);
}

int main(int argc, char **argv)
{
    MPI_Comm comm[RANKS + 1];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (int c = 1; c <= ranks; c++)
        MPI_Comm_split(MPI_COMM_WORLD, rank < c ? 0 : MPI_UNDEFINED, rank, &comm[c]);
    run_all(comm);
    disagree_all(comm);
    without_memory_all(comm);
    too_large_all(comm);
    int all = 0;
    long most = 0;
    MPI_Reduce(&wrong, &all, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Reduce(&cases, &most, 1, MPI_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("done %ld, %d wrong\n", most, all);
    for (int c = 1; c <= ranks; c++)
        if (comm[c] != MPI_COMM_NULL)
            MPI_Comm_free(&comm[c]);
    MPI_Finalize();
    return 0;
}
