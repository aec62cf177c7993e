/* onednn.c: samebits-peer-onednn, a program that times oneDNN's layer normalisation and softmax when asked.
 *
 * It is a process of its own because oneDNN brings its own OpenMP runtime, and it is held to AVX2 because
 * that is what it is compared with. Usage (runtime/bench/peer.c starts it): samebits-peer-onednn PROBLEM ROWS
 * COLS THREADS SETS EPS KIND. It checks its own result against a plain loop in binary64, warms up, says
 * "ready FIRST SETTLED CALLS" (nanoseconds), then answers each line "run N" with "ns TOTAL"; anything wrong
 * is "error WHY". oneDNN 2.4 to 3.x. */
#include "array/inputs.h"
#include "bench/clock.h"

#include <assert.h>
#include <dnnl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WINDOW_NS = 1000000, WARM_LIMIT_NS = 300000000, REST_NS = 10000000, DISTINCT_ELEMENTS = 1 << 22 };

typedef struct Problem {
    bool is_softmax;
    size_t rows, cols;
    int sets, next;
    float eps;
    InputKind kind;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    float *weight, *bias;
    float **x, **y;                 /* one per set */
    dnnl_exec_arg_t (*argument)[4]; /* one list per set */
    int arguments;
} Problem;

static _Noreturn void fail(const char *what)
{
    printf("error %s\n", what);
    exit(EXIT_FAILURE);
}

static void must(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        printf("error oneDNN: %s failed with status %d\n", what, (int)status);
        exit(EXIT_FAILURE);
    }
}

static float *make_buffer(size_t elements)
{
    void *mapping =
        mmap(NULL, elements * sizeof(float) + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        fail("not enough memory for the buffers");
    return mapping;
}

/* The same data as the project's own entries have; see runtime/bench/buffers.c. */
static float *make_input(size_t elements, size_t columns, InputKind kind, uint64_t seed)
{
    float *data = make_buffer(elements);
    size_t distinct = elements < DISTINCT_ELEMENTS ? elements : DISTINCT_ELEMENTS;
    inputs_fill(data, distinct, columns, kind, seed);
    for (size_t done = distinct; done < elements; done += distinct) {
        size_t rest = elements - done < distinct ? elements - done : distinct;
        memcpy(data + done, data, rest * sizeof *data);
    }
    return data;
}

/* ---- the two generations of the interface ------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Layout;

static Layout make_layout(int rank, const dnnl_dims_t size)
{
    Layout layout;
    must(dnnl_memory_desc_create_with_tag(&layout, rank, size, dnnl_f32, rank == 2 ? dnnl_ab : dnnl_a),
         "memory layout");
    return layout;
}

static dnnl_memory_t make_memory(const Problem *problem, const Layout *layout, float *data)
{
    dnnl_memory_t memory;
    must(dnnl_memory_create(&memory, *layout, problem->engine, data), "memory");
    return memory;
}

static dnnl_primitive_desc_t describe(const Problem *problem, const Layout *data)
{
    dnnl_primitive_desc_t description;
    if (problem->is_softmax)
        must(dnnl_softmax_forward_primitive_desc_create(&description, problem->engine, dnnl_forward_inference,
                                                        dnnl_softmax_accurate, *data, *data, 1, NULL),
             "softmax");
    else
        must(dnnl_layer_normalization_forward_primitive_desc_create(
                 &description, problem->engine, dnnl_forward_inference, *data, *data, NULL, problem->eps,
                 dnnl_use_scale | dnnl_use_shift, NULL),
             "layer normalisation");
    return description;
}
#else
typedef dnnl_memory_desc_t Layout;

static Layout make_layout(int rank, const dnnl_dims_t size)
{
    Layout layout;
    must(dnnl_memory_desc_init_by_tag(&layout, rank, size, dnnl_f32, rank == 2 ? dnnl_ab : dnnl_a),
         "memory layout");
    return layout;
}

static dnnl_memory_t make_memory(const Problem *problem, const Layout *layout, float *data)
{
    dnnl_memory_t memory;
    must(dnnl_memory_create(&memory, layout, problem->engine, data), "memory");
    return memory;
}

static dnnl_primitive_desc_t describe(const Problem *problem, const Layout *data)
{
    dnnl_primitive_desc_t description;
    dnnl_softmax_desc_t softmax;
    dnnl_layer_normalization_desc_t layernorm;
    const void *operation = problem->is_softmax ? (const void *)&softmax : (const void *)&layernorm;
    if (problem->is_softmax)
        must(dnnl_softmax_forward_desc_init(&softmax, dnnl_forward_inference, data, 1), "softmax");
    else
        must(dnnl_layer_normalization_forward_desc_init(&layernorm, dnnl_forward_inference, data, NULL,
                                                        problem->eps, dnnl_use_scale | dnnl_use_shift),
             "layer normalisation");
    must(dnnl_primitive_desc_create(&description, operation, NULL, problem->engine, NULL),
         "primitive descriptor");
    return description;
}
#endif

/* ---- setting up ----------------------------------------------------------------------------------- */

static void make_sets(Problem *problem, const Layout *data, const Layout *row)
{
    dnnl_memory_t scale = NULL, shift = NULL;
    problem->weight = make_input(problem->cols, problem->cols, INPUT_NORMAL, 2);
    problem->bias = make_input(problem->cols, problem->cols, INPUT_NORMAL, 3);
    if (!problem->is_softmax) {
        scale = make_memory(problem, row, problem->weight);
        shift = make_memory(problem, row, problem->bias);
    }
    size_t elements = problem->rows * problem->cols, sets = (size_t)problem->sets;
    problem->x = calloc(sets, sizeof *problem->x);
    problem->y = calloc(sets, sizeof *problem->y);
    problem->argument = calloc(sets, sizeof *problem->argument);
    if (problem->x == NULL || problem->y == NULL || problem->argument == NULL)
        fail("not enough memory");
    problem->arguments = problem->is_softmax ? 2 : 4;
    for (size_t s = 0; s < sets; s++) {
        problem->x[s] = make_input(elements, problem->cols, problem->kind, 1);
        problem->y[s] = make_buffer(elements);
        problem->argument[s][0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, make_memory(problem, data, problem->x[s])};
        problem->argument[s][1] = (dnnl_exec_arg_t){DNNL_ARG_DST, make_memory(problem, data, problem->y[s])};
        problem->argument[s][2] = (dnnl_exec_arg_t){DNNL_ARG_SCALE, scale};
        problem->argument[s][3] = (dnnl_exec_arg_t){DNNL_ARG_SHIFT, shift};
    }
}

static void set_up(Problem *problem)
{
    must(dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2), "holding to AVX2");
    must(dnnl_engine_create(&problem->engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&problem->stream, problem->engine, dnnl_stream_default_flags), "stream");
    const dnnl_dims_t both = {(dnnl_dim_t)problem->rows, (dnnl_dim_t)problem->cols},
                      one = {(dnnl_dim_t)problem->cols};
    Layout data = make_layout(2, both), row = make_layout(1, one);
    dnnl_primitive_desc_t description = describe(problem, &data);
    must(dnnl_primitive_create(&problem->primitive, description), "primitive");
    const char *implementation = "?";
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &implementation);
    if (getenv("SAMEBITS_PEER_VERBOSE") != NULL)
        fprintf(stderr, "oneDNN %d.%d.%d, %s\n", dnnl_version()->major, dnnl_version()->minor,
                dnnl_version()->patch, implementation);
    make_sets(problem, &data, &row);
}

/* ---- calling --------------------------------------------------------------------------------------- */

static int64_t time_calls(Problem *problem, unsigned long long calls)
{
    int64_t before = clock_nanoseconds();
    for (unsigned long long i = 0; i < calls; i++) {
        const dnnl_exec_arg_t *argument = problem->argument[problem->next];
        problem->next = (problem->next + 1) % problem->sets;
        if (dnnl_primitive_execute(problem->primitive, problem->stream, problem->arguments, argument) !=
            dnnl_success)
            fail("oneDNN: execution failed");
    }
    if (dnnl_stream_wait(problem->stream) != dnnl_success)
        fail("oneDNN: waiting failed");
    return clock_nanoseconds() - before;
}

static void expect_layernorm(const Problem *problem, const float *x, double *expected)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < problem->cols; i++)
        sum += x[i];
    double mean = sum / (double)problem->cols;
    for (size_t i = 0; i < problem->cols; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    double scale = 1.0 / sqrt(squares / (double)problem->cols + problem->eps);
    for (size_t i = 0; i < problem->cols; i++)
        expected[i] = (x[i] - mean) * scale * problem->weight[i] + problem->bias[i];
}

static void expect_softmax(const Problem *problem, const float *x, double *expected)
{
    double greatest = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < problem->cols; i++)
        greatest = fmax(greatest, x[i]);
    for (size_t i = 0; i < problem->cols; i++)
        sum += expected[i] = exp(x[i] - greatest);
    for (size_t i = 0; i < problem->cols; i++)
        expected[i] /= sum;
}

/* First and last row. A peer that computes something else is not compared. */
static void check_result(const Problem *problem)
{
    double *expected = calloc(problem->cols, sizeof *expected);
    if (expected == NULL)
        fail("not enough memory");
    assert(problem->x[0] != NULL); /* there is at least one set */
    for (int last = 0; last < 2; last++) {
        size_t offset = last ? (problem->rows - 1) * problem->cols : 0;
        if (problem->is_softmax)
            expect_softmax(problem, problem->x[0] + offset, expected);
        else
            expect_layernorm(problem, problem->x[0] + offset, expected);
        for (size_t i = 0; i < problem->cols; i++)
            if (!(fabs(problem->y[0][offset + i] - expected[i]) <= 1e-4 * (fabs(expected[i]) + 1e-2)))
                fail("oneDNN computes something else than a plain loop does");
    }
    free(expected);
}

/* Until three windows in a row bring no gain of 2 per cent, as runtime/bench/worker.c does it. */
static void warm_up(Problem *problem)
{
    int64_t begin = clock_nanoseconds();
    double first = (double)time_calls(problem, 1), settled = first;
    check_result(problem);
    int made = 1, until = 1;
    for (int stale = 0; stale < 3 && clock_nanoseconds() - begin < WARM_LIMIT_NS;) {
        double fit = WINDOW_NS / settled;
        int calls = fit < 1.0 ? 1 : fit > 256.0 ? 256 : (int)fit;
        double each = (double)time_calls(problem, (unsigned long long)calls) / calls;
        made += calls;
        stale++;
        if (each < 0.98 * settled) {
            stale = 0;
            until = made;
        }
        settled = fmin(settled, each);
    }
    printf("ready %.0f %.3f %d\n", first, settled, until);
    fflush(stdout);
}

/* One untimed call wakes the threads and refills the caches, the timed ones follow; then a rest, so that our
 * threads have stopped spinning when the other side has its turn. */
static void answer(Problem *problem)
{
    char line[64];
    unsigned long long calls;
    while (fgets(line, sizeof line, stdin) != NULL && sscanf(line, "run %llu", &calls) == 1) {
        time_calls(problem, 1);
        int64_t taken = time_calls(problem, calls);
        clock_sleep(REST_NS);
        printf("ns %lld\n", (long long)taken);
        fflush(stdout);
    }
}

int main(int count, char **argument)
{
    if (count != 8) {
        fprintf(stderr, "usage: samebits-peer-onednn layernorm|softmax ROWS COLS THREADS SETS EPS KIND\n"
                        "`samebits bench` starts this program; it is not meant to be run by hand.\n");
        return 2;
    }
    Problem problem = {.is_softmax = strcmp(argument[1], "softmax") == 0,
                       .rows = strtoull(argument[2], NULL, 10),
                       .cols = strtoull(argument[3], NULL, 10),
                       .sets = atoi(argument[5]),
                       .eps = strtof(argument[6], NULL),
                       .kind = (InputKind)atoi(argument[7])};
    if (problem.rows == 0 || problem.cols == 0 || problem.sets < 1 || problem.kind >= INPUT_KINDS)
        fail("sizes must be at least 1");
    /* OpenMP reads its environment when it is loaded, before main: OMP_NUM_THREADS comes from whoever starts
     * us. */
    set_up(&problem);
    warm_up(&problem);
    answer(&problem);
    return 0;
}
