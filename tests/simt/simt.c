/* simt.c: correct kernels raise nothing and give the reference evaluator's bits; every kind of seeded bug is
 * caught.
 *
 * usage: test-simt FOLDER (of the kernels' sources) */
#include "simt/simt.h"

#include "array/inputs.h"
#include "bugs.h"
#include "driver/child.h"
#include "driver/guard.h"
#include "reference/fold.h"
#include "text/diagnostics.h"
#include "tree/term.h"

#include "../driver/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static const char *sources; /* the folder of the kernels */

/* Limits of one launch, in seconds: SHORT is waited for by those that never end, LONG by none, on however
 * busy a machine. */
static const double SHORT = 0.5, LONG = 60;

typedef struct Bench {
    Arena *arena;
    const char *folder;
} Bench;

static int set_up(void **state)
{
    static Bench bench;
    bench.arena = arena_create();
    bench.folder = folder_create(bench.arena);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    const Bench *bench = *state;
    folder_remove(bench->folder);
    arena_destroy(bench->arena);
    return 0;
}

static char *read_source(const Bench *bench, const char *name)
{
    Buffer text = {0};
    const char *why = buffer_read_file(&text, arena_printf(bench->arena, "%s/%s", sources, name), 1 << 20);
    if (why) {
        fail_msg("%s/%s: %s", sources, name, why);
    }
    char *copy = arena_copy(bench->arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

static SimtModule *build(const Bench *bench, const char *source, SimtBuild build)
{
    const char *why = NULL;
    const char *output = arena_printf(bench->arena, "%s/%d/kernel.so", bench->folder, build);
    const char *said = simt_compile(bench->arena, source, output, build);
    if (said && strncmp(said, "skipped: ", 9) == 0) {
        print_message("# %s\n", said);
        skip();
    }
    if (said) {
        fail_msg("%s: %s", source, said);
    }
    SimtModule *module = simt_open(bench->arena, output, &why);
    if (!module) {
        fail_msg("%s", why);
    }
    return module;
}

static SimtModule *build_text(const Bench *bench, const char *name, const char *text, SimtBuild level)
{
    return build(bench, folder_write(bench->arena, bench->folder, name, text), level);
}

/* ---- a row sum, against the reference evaluator ---- */

typedef struct Rows {
    GuardedBuffer x, y;
    size_t rows, cols;
    SimtArgument argument[4];
    float *expected;
} Rows;

static float reference(const Bench *bench, const char *tree, const float *row, size_t cols)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, bench->arena);
    const Term *term = term_parse(bench->arena, &diagnostics, (Location){"tree", 1, 1}, tree);
    assert_non_null(term);
    return reference_fold(term, REDUCE_SUM, ACCUMULATOR_F32, (ReferenceLeaves){row, NULL, cols}, 1);
}

static void rows_make(const Bench *bench, Rows *rows, const char *kernel, size_t count, size_t cols,
                      InputKind kind)
{
    const bool warp = strcmp(kernel, "warp_sum") == 0;
    *rows = (Rows){.rows = count, .cols = cols};
    assert_null(guarded_buffer_create(&rows->x, count * cols, GUARD_END, 0));
    assert_null(guarded_buffer_create(&rows->y, count, GUARD_END, 0));
    inputs_fill(rows->x.data, count * cols, cols, kind, 7);
    memset(rows->y.data, 0, count * sizeof(float));
    rows->expected = ARENA_ARRAY(bench->arena, float, count);
    for (size_t r = 0; r < count; r++) {
        rows->expected[r] = reference(bench, warp ? "lanes(32)" : "chunk(128, lanes(32), seq)",
                                      rows->x.data + r * cols, warp && cols > 32 ? 32 : cols);
    }
    rows->argument[0] =
        (SimtArgument){.kind = SIMT_INPUT, .pointer = rows->x.data, .bytes = count * cols * sizeof(float)};
    rows->argument[1] =
        (SimtArgument){.kind = SIMT_OUTPUT, .pointer = rows->y.data, .bytes = count * sizeof(float)};
    rows->argument[2] = (SimtArgument){.kind = SIMT_SIZE, .size = count};
    rows->argument[3] = (SimtArgument){.kind = SIMT_SIZE, .size = cols};
}

static void rows_free(Rows *rows)
{
    guarded_buffer_destroy(&rows->x);
    guarded_buffer_destroy(&rows->y);
}

static uint32_t bits(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return value != value ? 0x7fc00000u : word;
}

/* NULL: everything agrees; else what was wrong, in the words of the level that saw it. */
static const char *rows_try(const Bench *bench, SimtModule *module, const char *kernel, Rows *rows,
                            unsigned grid, unsigned block, double seconds)
{
    const SimtStep step = {kernel, {grid, 1, 1}, {block, 1, 1}, rows->argument, 4};
    SimtError error;
    if (!simt_launch_schedules(module, &step, 1, 2, 11, seconds, &error)) {
        return error.text;
    }
    if (guarded_buffer_check(&rows->x) || guarded_buffer_check(&rows->y)) {
        return "a canary was overwritten";
    }
    for (size_t r = 0; r < rows->rows; r++) {
        if (bits(rows->y.data[r]) != bits(rows->expected[r])) {
            return arena_printf(bench->arena, WRONG_VALUE ": row %zu is %a, not %a", r,
                                (double)rows->y.data[r], (double)rows->expected[r]);
        }
    }
    return NULL;
}

/* ---- correct kernels ---- */

static void try_shapes(const Bench *bench, SimtModule *module, const char *kernel)
{
    static const struct {
        size_t rows, cols;
        unsigned grid, block;
        InputKind kind;
    } trials[] = {
        {1, 1, 1, 32, INPUT_NORMAL},        {5, 1, 2, 128, INPUT_NEGATIVE_ZERO}, {3, 31, 3, 64, INPUT_CANCEL},
        {7, 1000, 3, 128, INPUT_WIDE},      {4, 4096, 4, 256, INPUT_CANCEL},     {3, 0, 2, 64, INPUT_NORMAL},
        {6, 129, 6, 1024, INPUT_SUBNORMAL}, {9, 513, 4, 96, INPUT_NAN},
    };
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        Rows rows;
        rows_make(bench, &rows, kernel, trials[i].rows, trials[i].cols, trials[i].kind);
        const unsigned grid = strcmp(kernel, "warp_sum") == 0 ? (unsigned)trials[i].rows : trials[i].grid;
        const char *wrong = rows_try(bench, module, kernel, &rows, grid, trials[i].block, LONG);
        rows_free(&rows);
        if (wrong) {
            fail_msg("%s, %zu x %zu: %s", kernel, trials[i].rows, trials[i].cols, wrong);
        }
    }
}

static void correct_kernels(const Bench *bench, const char *file, SimtBuild level)
{
    SimtModule *module = build(bench, arena_printf(bench->arena, "%s/%s", sources, file), level);
    for (int i = 0; simt_kernel_name(module, i); i++) {
        try_shapes(bench, module, simt_kernel_name(module, i));
    }
    simt_close(module);
}

static void correct_cuda_raises_nothing(void **state)
{
    correct_kernels(*state, "row_sum.cu", SIMT_PLAIN);
}

static void correct_cuda_checked_raises_nothing(void **state)
{
    correct_kernels(*state, "row_sum.cu", SIMT_CHECKED);
}

static void correct_metal_raises_nothing(void **state)
{
    correct_kernels(*state, "row_sum.metal", SIMT_PLAIN);
}

static void correct_metal_checked_raises_nothing(void **state)
{
    correct_kernels(*state, "row_sum.metal", SIMT_CHECKED);
}

/* ---- seeded bugs ---- */

static const char *replace_once(const Bench *bench, const char *text, const Edit *edit, const char *what)
{
    const char *at = strstr(text, edit->find);
    if (!at || strstr(at + 1, edit->find)) {
        fail_msg("%s: '%s' is in the kernel %s", what, edit->find, at ? "more than once" : "no more");
    }
    return arena_printf(bench->arena, "%.*s%s%s", (int)(at - text), text, edit->replace,
                        at + strlen(edit->find));
}

static const char *seed_bug(const Bench *bench, const Bug *bug)
{
    const char *text = read_source(bench, bug->file);
    for (int i = 0; i < BUG_EDITS && bug->edit[i].find; i++) {
        text = replace_once(bench, text, &bug->edit[i], bug->what);
    }
    return text;
}

static const char *run_bug(const Bench *bench, const Bug *bug, const char *text, SimtBuild level)
{
    SimtModule *module = build_text(bench, bug->file, text, level);
    Rows rows;
    rows_make(bench, &rows, bug->kernel, 7, 1000, INPUT_CANCEL);
    const char *said =
        rows_try(bench, module, bug->kernel, &rows, strcmp(bug->kernel, "warp_sum") == 0 ? 2 : 3, 128, SHORT);
    rows_free(&rows);
    simt_close(module);
    return said;
}

static bool expect(const Bug *bug, const char *level, const char *wanted, const char *said)
{
    const bool fine = wanted ? said && strstr(said, wanted) : !said;
    if (!fine) {
        print_message("# %s, %s: expected '%s', got '%s'\n", bug->what, level, wanted ? wanted : "nothing",
                      said ? said : "nothing");
    }
    return fine;
}

/* What the checked level does not see for itself is still a wrong value there. */
static bool expect_checked(const Bug *bug, const char *said)
{
    return bug->checked ? expect(bug, "checked", bug->checked, said) : true;
}

static void every_bug_is_caught(void **state)
{
    const Bench *bench = *state;
    int missed = 0;
    for (int i = 0; i < bug_count; i++) {
        const Bug *bug = &bugs[i];
        const char *text = seed_bug(bench, bug);
        if (bug->compile) {
            const char *path = folder_write(bench->arena, bench->folder, bug->file, text);
            const char *output = arena_printf(bench->arena, "%s/none.so", bench->folder);
            missed +=
                !expect(bug, "compiler", bug->compile, simt_compile(bench->arena, path, output, SIMT_PLAIN));
            continue;
        }
        assert_true(bug->plain || bug->checked);
        const char *plain = run_bug(bench, bug, text, SIMT_PLAIN),
                   *checked = run_bug(bench, bug, text, SIMT_CHECKED);
        if (getenv("SAMEBITS_SHOW_BUGS")) {
            print_message("# %s\n#   plain: %s\n#   checked: %s\n", bug->what, plain ? plain : "-",
                          checked ? checked : "-");
        }
        missed += !expect(bug, "plain", bug->plain, plain) + !expect_checked(bug, checked);
    }
    print_message("# %d kinds of bug seeded\n", bug_count);
    assert_int_equal(missed, 0);
}

/* The line of an error is the line in the source. */
static void errors_name_the_line(void **state)
{
    const Bench *bench = *state;
    static const char text[] = "extern \"C\" __global__ void f(const float *x, float *y, unsigned long long "
                               "rows, unsigned long long n)\n"
                               "{\n"
                               "    __shared__ float part[128];\n"
                               "    part[threadIdx.x] = x[0];\n"
                               "    if (threadIdx.x < rows) {\n"
                               "        __syncthreads();\n"
                               "    }\n"
                               "    y[0] =\n"
                               "        part[n];\n"
                               "}\n";
    float x[1] = {1}, y[1] = {0};
    SimtArgument argument[] = {{.kind = SIMT_INPUT, .pointer = x, .bytes = 4},
                               {.kind = SIMT_OUTPUT, .pointer = y, .bytes = 4},
                               {.kind = SIMT_SIZE, .size = 5},
                               {.kind = SIMT_SIZE, .size = 3}};
    const SimtLaunch launch = {.grid = {1}, .block = {64}};
    SimtError error;
    SimtModule *module = build_text(bench, "lines.cu", text, SIMT_PLAIN);
    assert_false(simt_launch(module, "f", &launch, argument, 4, &error));
    assert_string_equal(error.file, "lines.cu");
    assert_int_equal(error.line, 6);
    assert_non_null(strstr(error.text, "threads 0-4 at __syncthreads, lines.cu:6; thread 5 returned"));
    argument[2].size = 0;
    argument[3].size = 200; /* outside the array */
    assert_false(simt_launch(module, "f", &launch, argument, 4, &error));
    assert_int_equal(error.line, 9);
    argument[1].pointer = NULL; /* a crash; and the module can be used again afterwards */
    argument[3].size = 0;
    assert_false(simt_launch(module, "f", &launch, argument, 4, &error));
    assert_int_equal(error.line, 8);
    simt_close(module);
    module = build_text(bench, "lines.cu", text, SIMT_CHECKED);
    argument[1].pointer = y;
    argument[3].size = 60; /* thread 0 reads what thread 60 wrote */
    assert_false(simt_launch(module, "f", &launch, argument, 4, &error));
    simt_close(module);
}

/* Of two buffers side by side the nearer one is meant, whichever comes first among the arguments. */
static void errors_name_the_argument(void **state)
{
    const Bench *bench = *state;
    static const char text[] =
        "extern \"C\" __global__ void f(const float *x, float *y, unsigned long long at)\n"
        "{\n"
        "    y[at] = x[0];\n"
        "}\n";
    enum { BEFORE = 32, Y = 16, BETWEEN = 64, X = 16, BEHIND = 32 };
    static const struct {
        size_t at;
        const char *says;
    } rows[] = {
        {Y + 3, "12 bytes behind the last of argument 1 (64 bytes)"},
        {Y + BETWEEN - 2, "8 bytes in front of argument 0"},
        {Y + BETWEEN + X, "0 bytes behind the last of argument 0 (64 bytes)"},
        {(size_t)0 - 5, "20 bytes in front of argument 1"},
    };
    float memory[BEFORE + Y + BETWEEN + X + BEHIND] = {0};
    SimtArgument argument[] = {
        {.kind = SIMT_INPUT, .pointer = memory + BEFORE + Y + BETWEEN, .bytes = X * sizeof(float)},
        {.kind = SIMT_OUTPUT, .pointer = memory + BEFORE, .bytes = Y * sizeof(float)},
        {.kind = SIMT_SIZE}};
    const SimtLaunch launch = {.grid = {1}, .block = {32}};
    SimtModule *module = build_text(bench, "argument.cu", text, SIMT_CHECKED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SimtError error;
        argument[2].size = rows[i].at;
        assert_false(simt_launch(module, "f", &launch, argument, 3, &error));
        if (!strstr(error.text, rows[i].says)) {
            fail_msg("'%s' does not say '%s'", error.text, rows[i].says);
        }
    }
    simt_close(module);
}

/* ---- lanes, places and orders ---- */

static const char places[] =
    "extern \"C\" __global__ void f(const float *, float *y, unsigned long long, unsigned long long)\n"
    "{\n"
    "    const unsigned t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z), lane = t % "
    "32;\n"
    "    const unsigned b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);\n"
    "    float *out = y + 8 * (t + blockDim.x * blockDim.y * blockDim.z * b);\n"
    "    const double wide = __shfl_sync(0xffffffffu, 1.0 + lane * 0x1p-40, 31 - lane);\n"
    "    out[0] = t + 1000 * b;\n"
    "    out[1] = __shfl_xor_sync(0xffffffffu, (float)lane, 5);\n"
    "    out[2] = __shfl_down_sync(0xffffffffu, (float)lane, 3);\n"
    "    out[3] = __shfl_up_sync(0xffffffffu, (float)lane, 3);\n"
    "    out[4] = __shfl_sync(0xffffffffu, lane, 2, 8);\n"
    "    out[5] = __shfl_xor_sync(lane < 16 ? 0xffffu : 0xffff0000u, (float)lane, 15, 16);\n"
    "    out[6] = (float)((wide - 1.0) * 0x1p40);\n"
    "    __syncthreads();\n"
    "    atomicAdd(&out[7], 1.0f);\n"
    "}\n";

static void check_places(const float *y, unsigned threads, unsigned blocks)
{
    for (unsigned i = 0; i < threads * blocks; i++) {
        const unsigned t = i % threads, lane = t % 32;
        const float *out = y + 8 * (size_t)i;
        assert_float_equal(out[0], (t + 1000 * (i / threads)), 0);
        assert_float_equal(out[1], (lane ^ 5), 0);
        assert_float_equal(out[2], (lane + 3 < 32 ? lane + 3 : lane), 0);
        assert_float_equal(out[3], (lane >= 3 ? lane - 3 : lane), 0);
        assert_float_equal(out[4], (lane / 8 * 8 + 2), 0);
        assert_float_equal(out[5], (lane ^ 15), 0);
        assert_float_equal(out[6], (31 - lane), 0);
        assert_float_equal(out[7], (1), 0); /* every thread of every block ran once */
    }
}

static void threads_know_their_places(void **state)
{
    const Bench *bench = *state;
    enum { THREADS = 4 * 8 * 2, BLOCKS = 5 * 3 * 2 };
    static float y[8 * THREADS * BLOCKS];
    const SimtArgument argument[] = {{.kind = SIMT_INPUT, .pointer = y, .bytes = 0},
                                     {.kind = SIMT_OUTPUT, .pointer = y, .bytes = sizeof y},
                                     {.kind = SIMT_SIZE},
                                     {.kind = SIMT_SIZE}};
    SimtModule *module = build_text(bench, "places.cu", places, SIMT_PLAIN);
    for (int order = SIMT_ASCENDING; order <= SIMT_RANDOM; order++) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            SimtError error = {0};
            const SimtLaunch launch = {
                .grid = {5, 3, 2}, .block = {4, 8, 2}, .order = (SimtOrder)order, .seed = seed};
            memset(y, 0, sizeof y);
            if (!simt_launch(module, "f", &launch, argument, 4, &error)) {
                fail_msg("%s", error.text);
            }
            check_places(y, THREADS, BLOCKS);
        }
    }
    simt_close(module);
}

/* The poison is what a kernel finds that does not write first, and the last warp of a Metal threadgroup may
 * be short. */
static void shared_memory_is_poisoned(void **state)
{
    const Bench *bench = *state;
    static const char text[] =
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void f(device float *y [[buffer(0)]], uint t [[thread_position_in_threadgroup]],\n"
        "              uint lane [[thread_index_in_simdgroup]], uint3 n [[threads_per_threadgroup]])\n"
        "{\n    threadgroup float part[50];\n    y[t] = part[t];\n    part[t] = 1.0f;\n"
        "    y[t + n.x] = simd_shuffle_xor(float(lane), 1);\n}\n";
    float y[100];
    const SimtArgument argument[] = {{.kind = SIMT_OUTPUT, .pointer = y, .bytes = sizeof y}};
    SimtModule *module = build_text(bench, "poison.metal", text, SIMT_PLAIN);
    SimtError error = {0};
    for (int poison = SIMT_POISON_NAN; poison <= SIMT_POISON_5A; poison++) {
        const SimtLaunch launch = {.grid = {3}, .block = {50}, .poison = (SimtPoison)poison};
        if (!simt_launch(module, "f", &launch, argument, 1, &error)) {
            fail_msg("%s", error.text);
        }
        for (int i = 0; i < 50; i++) {
            assert_true(poison == SIMT_POISON_NAN ? y[i] != y[i] : bits(y[i]) == 0x5a5a5a5au);
            assert_float_equal(y[50 + i], (i % 32 ^ 1), 0);
        }
    }
    simt_close(module);
}

/* ---- several kernels, one result ---- */

static void kernels_follow_each_other(void **state)
{
    const Bench *bench = *state;
    static const char text[] =
        "extern \"C\" __global__ void part(const float *x, float *, unsigned long long n, float *workspace)\n"
        "{\n    float sum = 0.0f;\n    for (unsigned long long i = blockIdx.x * 64; i < n && i < blockIdx.x "
        "* 64 + 64; i++)\n"
        "        sum = __fadd_rn(sum, x[i]);\n    if (threadIdx.x == 0) workspace[blockIdx.x] = sum;\n}\n"
        "extern \"C\" __global__ void join(const float *, float *y, unsigned long long n, float *workspace)\n"
        "{\n    float sum = workspace[0];\n    for (unsigned long long c = 1; c < (n + 63) / 64; c++)\n"
        "        sum = __fadd_rn(sum, workspace[c]);\n    if (threadIdx.x == 0) y[0] = sum;\n}\n";
    float x[300], y[1] = {0}, workspace[5] = {0};
    inputs_fill(x, 300, 300, INPUT_CANCEL, 3);
    const SimtArgument argument[] = {{.kind = SIMT_INPUT, .pointer = x, .bytes = sizeof x},
                                     {.kind = SIMT_OUTPUT, .pointer = y, .bytes = sizeof y},
                                     {.kind = SIMT_SIZE, .size = 300},
                                     {.kind = SIMT_OUTPUT, .pointer = workspace, .bytes = sizeof workspace}};
    const SimtStep steps[] = {{"part", {5, 1, 1}, {32, 1, 1}, argument, 4},
                              {"join", {1, 1, 1}, {32, 1, 1}, argument, 4}};
    for (int level = SIMT_PLAIN; level <= SIMT_CHECKED; level++) {
        SimtModule *module = build_text(bench, "split.cu", text, (SimtBuild)level);
        SimtError error = {0};
        y[0] = 0;
        if (!simt_launch_schedules(module, steps, 2, 2, 1, 10, &error)) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(bits(y[0]), bits(reference(bench, "chunk(64, seq, seq)", x, 300)));
        simt_close(module);
    }
}

/* ---- mistakes of the caller ---- */

static void wrong_calls_are_refused(void **state)
{
    const Bench *bench = *state;
    SimtModule *module = build(bench, arena_printf(bench->arena, "%s/rmsnorm.cu", sources), SIMT_PLAIN);
    SimtArgument argument[6] = {{.kind = SIMT_INPUT}, {.kind = SIMT_INPUT}, {.kind = SIMT_OUTPUT},
                                {.kind = SIMT_SIZE},  {.kind = SIMT_SIZE},  {.kind = SIMT_SIZE}};
    SimtLaunch launch = {.grid = {1}, .block = {32}};
    SimtError error;
    assert_false(simt_launch(module, "rmsnorn", &launch, argument, 6, &error));
    assert_non_null(strstr(error.text, "has no kernel 'rmsnorn'"));
    assert_false(simt_launch(module, "rmsnorm", &launch, argument, 5, &error));
    assert_non_null(strstr(error.text, "takes 6 arguments, not 5"));
    assert_false(simt_launch(module, "rmsnorm", &launch, argument, 6, &error));
    assert_non_null(strstr(error.text, "argument 5 of rmsnorm"));
    argument[5].kind = SIMT_FLOAT;
    launch.block[0] = 1025;
    assert_false(simt_launch(module, "rmsnorm", &launch, argument, 6, &error));
    assert_non_null(strstr(error.text, "1 to 1024"));
    launch.block[0] = 48; /* full masks in a warp of 16 lanes */
    argument[3].size = argument[4].size = 1;
    assert_false(simt_launch(module, "rmsnorm", &launch, argument, 6, &error));
    assert_non_null(error.text);
    simt_close(module);
    const char *why = NULL;
    assert_null(simt_open(bench->arena, "/lib/none.so", &why));
    assert_non_null(why);
}

static void sources_that_cannot_run_say_why(void **state)
{
    const Bench *bench = *state;
    static const struct {
        const char *name, *text, *why;
    } trials[] = {
        {"empty.cu", "int x;\n", "no kernel"},
        {"pointer.metal",
         "#include <metal_stdlib>\nusing namespace metal;\nkernel void f(device float *y [[buffer(0)]])\n{\n"
         "    threadgroup float part[4];\n    threadgroup float *p = part;\n    y[0] = p[0];\n}\n",
         "line 6: pointers"},
        {"gap.metal",
         "#include <metal_stdlib>\nusing namespace metal;\nkernel void f(device float *y [[buffer(1)]])\n{\n "
         "   y[0] = 0;\n}\n",
         "has no buffer(0)"},
        {"maximum.metal",
         "#include <metal_stdlib>\nusing namespace metal;\nkernel void f(device float *y [[buffer(0)]])\n{\n"
         "    y[0] = max(y[0], y[1]);\n}\n",
         "deleted"},
        {"half.cu", "extern \"C\" __global__ void f(float *y", "does not end"},
    };
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        const char *path = folder_write(bench->arena, bench->folder, trials[i].name, trials[i].text);
        const char *output = arena_printf(bench->arena, "%s/none.so", bench->folder);
        const char *why = simt_compile(bench->arena, path, output, SIMT_PLAIN);
        if (!why || !strstr(why, trials[i].why)) {
            fail_msg("%s: %s", trials[i].name, why ? why : "compiled");
        }
    }
}

/* Without a toolkit, headers of the system or a C++ library: only the compiler. */
static void only_clang_is_needed(void **state)
{
    const Bench *bench = *state;
    Buffer text = {0};
    simt_close(build(bench, arena_printf(bench->arena, "%s/row_sum.cu", sources), SIMT_PLAIN));
    const char *dump = arena_printf(
        bench->arena,
        "${SAMEBITS_CLANG:-clang} -x c++ -std=gnu++17 -nostdinc -M -I%s/0/simt %s/0/kernel.so.cc",
        bench->folder, bench->folder);
    assert_null(child_exec(bench->arena, (ChildLimits){60, 0}, (const char *[]){"sh", "-c", dump, NULL}, NULL,
                           &text));
    assert_non_null(strstr(buffer_string(&text), "abi.h"));
    assert_null(strstr(buffer_string(&text), "/usr/"));
    buffer_destroy(&text);
}

/* ---- address spaces ---- */

static void address_spaces_are_checked(void **state)
{
    const Bench *bench = *state;
    const char *folder = arena_printf(bench->arena, "%s/lint", bench->folder);
    const char *right =
        simt_lint_metal(bench->arena, arena_printf(bench->arena, "%s/row_sum.metal", sources), folder);
    if (right) {
        fail_msg("%s", right);
    }
    static const Edit edits[] = {
        {"        device const float *row = x", "        thread const float *row = x"},
        {"            total[0] = sum;\n",
         "            device float *p = part;\n            total[0] = *p;\n"},
        {"            total[0] = sum;\n", "            total[0] = sum;\n            rows = 1;\n"},
        {"            total[0] = sum;\n", "            total[0] = simd_sum(sum);\n"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *text = replace_once(bench, read_source(bench, "row_sum.metal"), &edits[i], "lint");
        const char *path = folder_write(bench->arena, bench->folder, "lint.metal", text);
        const char *why = simt_lint_metal(bench->arena, path, folder);
        if (!why || !strstr(why, "lint.metal:") || !strstr(why, "error:")) {
            fail_msg("edit %zu: %s", i, why ? why : "nothing said");
        }
    }
}

/* ---- measured, not asserted ---- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double best_launch(SimtModule *module, const char *kernel, unsigned grid, const SimtArgument *argument,
                          int count)
{
    double best = 1e9;
    for (int i = 0; i < 20; i++) {
        const SimtLaunch launch = {.grid = {grid}, .block = {128}};
        SimtError error = {0};
        const double start = seconds_now();
        if (!simt_launch(module, kernel, &launch, argument, count, &error)) {
            fail_msg("%s", error.text);
        }
        const double took = seconds_now() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* The plain loop on one core, as rmsnorm.cu computes it but in index order. Not inlined, so that it is
 * compiled once. */
static __attribute__((noinline)) void plain_rmsnorm(const float *x, const float *weight, float *y,
                                                    size_t rows, size_t cols, float eps)
{
    for (size_t r = 0; r < rows; r++) {
        float sum = 0;
        for (size_t i = 0; i < cols; i++) {
            sum = sum + x[r * cols + i] * x[r * cols + i];
        }
        const float scale = 1.0f / __builtin_sqrtf(sum / (float)cols + eps);
        for (size_t i = 0; i < cols; i++) {
            y[r * cols + i] = x[r * cols + i] * scale * weight[i];
        }
    }
}

static void measure_switches_and_rmsnorm(void **state)
{
    const Bench *bench = *state;
    enum { ROWS = 64, COLS = 4096, SWITCHES = 500 };
    float *x = ARENA_ARRAY(bench->arena, float, ROWS *COLS),
          *y = ARENA_ARRAY(bench->arena, float, ROWS *COLS);
    float *weight = ARENA_ARRAY(bench->arena, float, COLS);
    inputs_fill(x, ROWS * COLS, COLS, INPUT_NORMAL, 1);
    inputs_fill(weight, COLS, COLS, INPUT_NORMAL, 2);
    SimtModule *module = build(bench, arena_printf(bench->arena, "%s/rmsnorm.cu", sources), SIMT_PLAIN);
    const SimtArgument barriers[] = {{.kind = SIMT_OUTPUT, .pointer = y, .bytes = 512},
                                     {.kind = SIMT_SIZE, .size = SWITCHES}};
    const SimtArgument rmsnorm[] = {{.kind = SIMT_INPUT, .pointer = x, .bytes = ROWS * COLS * 4},
                                    {.kind = SIMT_INPUT, .pointer = weight, .bytes = COLS * 4},
                                    {.kind = SIMT_OUTPUT, .pointer = y, .bytes = ROWS * COLS * 4},
                                    {.kind = SIMT_SIZE, .size = ROWS},
                                    {.kind = SIMT_SIZE, .size = COLS},
                                    {.kind = SIMT_FLOAT, .value = 1e-6f}};
    const double barrier = best_launch(module, "barriers", 1, barriers, 2) / (SWITCHES * 128.0);
    const double emulated = best_launch(module, "rmsnorm", ROWS, rmsnorm, 6);
    double plain = 1e9;
    for (int i = 0; i < 10; i++) {
        const double start = seconds_now();
        plain_rmsnorm(x, weight, y, ROWS, COLS, 1e-6f);
        plain = seconds_now() - start < plain ? seconds_now() - start : plain;
    }
    print_message("# a barrier with its switch %.1f ns a thread; rmsnorm %d x %d at 128 threads %.2f ms, "
                  "%.1f times the plain loop "
                  "(%.2f ms)\n",
                  barrier * 1e9, ROWS, COLS, emulated * 1e3, emulated / plain, plain * 1e3);
    simt_close(module);
    assert_true(barrier > 0);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test-simt FOLDER\n");
        return 2;
    }
    sources = argv[1];
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(correct_cuda_raises_nothing),  TEST(correct_cuda_checked_raises_nothing),
        TEST(correct_metal_raises_nothing), TEST(correct_metal_checked_raises_nothing),
        TEST(every_bug_is_caught),          TEST(errors_name_the_line),
        TEST(errors_name_the_argument),     TEST(threads_know_their_places),
        TEST(shared_memory_is_poisoned),    TEST(kernels_follow_each_other),
        TEST(wrong_calls_are_refused),      TEST(sources_that_cannot_run_say_why),
        TEST(only_clang_is_needed),         TEST(address_spaces_are_checked),
        TEST(measure_switches_and_rmsnorm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
