/* kernels.c: kernels.cu through every compiler that is here, its PTX run on the engine, against the meaning
 * of the source written in C.
 *
 * The data cancels and has wide exponents, so another order or another rounding shows. Needs clang for the
 * translated C; nvcc's part is skipped in sight where there is none. */
#include "driver/child.h"
#include "ptx/ptx.h"
#include "simt/simt.h"

#include "../driver/folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { COMPILERS = 2, LEAVES = 1 << 14 };
static const char *const compiler_names[COMPILERS] = {"clang", "nvcc"};

typedef struct Fixture {
    Arena *arena;
    const char *folder;
    const char *missing[COMPILERS]; /* "skipped: ..." */
    SimtModule *module[COMPILERS];
    const char *ptx[COMPILERS];
    double seconds[COMPILERS][3]; /* compile, translate, build */
    float x[LEAVES], w[LEAVES], y[LEAVES], want[LEAVES];
} Fixture;

static const char *sources; /* folder of the .cu files */

/* ---- set-up ---- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Integers only: the same numbers everywhere. */
static uint64_t counter_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Both signs, exponents from 2^-12 to 2^12, all bits of the fraction: sums depend on their order. */
static void fill(float *values, size_t count, uint64_t seed)
{
    for (size_t k = 0; k < count; k++) {
        const uint64_t bits = counter_next(&seed);
        const float fraction = 1 + (float)(bits & 0x7fffff) * 0x1p-23f;
        const float value = ldexpf(fraction, (int)(bits >> 32) % 25 - 12);
        values[k] = bits >> 63 ? -value : value;
    }
}

/* Seconds of each stage are kept: they are part of what is measured. */
static const char *make(Fixture *fixture, const char *name, PtxCompiler which, SimtBuild build,
                        const char **object)
{
    Arena *arena = fixture->arena;
    const char *ptx = arena_printf(arena, "%s/%s.%s.ptx", fixture->folder, name, compiler_names[which]);
    const char *c = arena_printf(arena, "%s.c", ptx);
    *object = arena_printf(arena, "%s.%d.so", ptx, build);
    const double start = now();
    const char *why = ptx_compile(arena, arena_printf(arena, "%s/%s.cu", sources, name), ptx, which);
    const double compiled = now();
    why = why ? why : ptx_translate(arena, ptx, c);
    const double translated = now();
    why = why ? why : ptx_build(arena, c, *object, build);
    fixture->seconds[which][0] = compiled - start;
    fixture->seconds[which][1] = translated - compiled;
    fixture->seconds[which][2] = now() - translated;
    fixture->ptx[which] = ptx;
    return why;
}

static SimtModule *open_module(Fixture *fixture, const char *object)
{
    const char *why = NULL;
    SimtModule *module = simt_open(fixture->arena, object, &why);
    if (!module) {
        fail_msg("%s", why);
    }
    return module;
}

static int set_up(void **state)
{
    Arena *arena = arena_create();
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    fixture->arena = arena;
    fixture->folder = folder_create(arena);
    *state = fixture;
    for (int which = 0; which < COMPILERS; which++) {
        const char *object;
        const char *why = make(fixture, "kernels", (PtxCompiler)which, SIMT_PLAIN, &object);
        if (why && strncmp(why, "skipped:", 8) == 0) {
            fixture->missing[which] = why;
            continue;
        }
        if (why) {
            fprintf(stderr, "%s\n", why);
            folder_remove(fixture->folder);
            return 1;
        }
        fixture->module[which] = open_module(fixture, object);
        printf("%s: %.0f ms to PTX, %.1f ms to C, %.0f ms to an object\n", compiler_names[which],
               1e3 * fixture->seconds[which][0], 1e3 * fixture->seconds[which][1],
               1e3 * fixture->seconds[which][2]);
    }
    fill(fixture->x, LEAVES, 1);
    fill(fixture->w, LEAVES, 2);
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    for (int which = 0; which < COMPILERS; which++) {
        simt_close(fixture->module[which]);
    }
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

/* ---- launching ---- */

#define IN(values)                                                                                           \
    {                                                                                                        \
        .kind = SIMT_INPUT, .pointer = (void *)(values), .bytes = sizeof(float) * LEAVES                     \
    }
#define OUT(values)                                                                                          \
    {                                                                                                        \
        .kind = SIMT_OUTPUT, .pointer = (void *)(values), .bytes = sizeof(float) * LEAVES                    \
    }
#define SIZE(value)                                                                                          \
    {                                                                                                        \
        .kind = SIMT_SIZE, .size = (value)                                                                   \
    }
#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static SimtModule *module_of(Fixture *fixture, int which)
{
    if (fixture->missing[which]) {
        print_message("%s\n", fixture->missing[which]);
        skip();
    }
    return fixture->module[which];
}

static void assert_bits(const float *got, const float *want, size_t count, const char *what)
{
    for (size_t k = 0; k < count; k++) {
        uint32_t a, b;
        memcpy(&a, &got[k], sizeof a);
        memcpy(&b, &want[k], sizeof b);
        if (a != b && !(got[k] != got[k] && want[k] != want[k])) {
            fail_msg("%s: element %zu is %a (%08x), not %a (%08x)", what, k, (double)got[k], a,
                     (double)want[k], b);
        }
    }
}

/* Several shapes and orders; each result is compared with `want`. */
static void run_all(Fixture *fixture, int which, const char *kernel, const SimtArgument *arguments, int count,
                    size_t results)
{
    static const unsigned shapes[][2] = {{1, 32}, {3, 128}, {5, 1024}};
    SimtModule *module = module_of(fixture, which);
    for (int s = 0; s < COUNT(shapes); s++) {
        for (int order = SIMT_ASCENDING; order <= SIMT_RANDOM; order++) {
            const SimtLaunch launch = {.grid = {shapes[s][0]},
                                       .block = {shapes[s][1]},
                                       .order = (SimtOrder)order,
                                       .seed = 7,
                                       .seconds = 20};
            SimtError error;
            memset(fixture->y, 0x5a, sizeof fixture->y);
            if (!simt_launch(module, kernel, &launch, arguments, count, &error)) {
                fail_msg("%s: %s", kernel, error.text);
            }
            assert_bits(fixture->y, fixture->want, results,
                        arena_printf(fixture->arena, "%s, %s, grid %u, block %u, order %d",
                                     compiler_names[which], kernel, shapes[s][0], shapes[s][1], order));
        }
    }
}

/* ---- the meaning of the sources ---- */

static float model_fold(float lane[32])
{
    for (int half = 16; half > 0; half /= 2) {
        for (int k = 0; k < half; k++) {
            lane[k] = lane[k] + lane[k + half];
        }
    }
    return lane[0];
}

static float model_chunks(const float *row, size_t cols)
{
    float sum = 0;
    for (size_t from = 0; from < cols; from += 80) {
        float lane[32] = {0};
        for (size_t i = from; i < cols && i < from + 80; i++) {
            lane[(i - from) % 32] += row[i];
        }
        const float part = model_fold(lane);
        sum = from == 0 ? part : sum + part;
    }
    return sum;
}

static void model_rmsnorm(const float *row, const float *weight, float *y, size_t cols, float eps)
{
    float lane[32] = {0};
    for (size_t i = 0; i < cols; i++) {
        lane[i % 32] = fmaf(row[i], row[i], lane[i % 32]);
    }
    const float scale = 1.0f / sqrtf(model_fold(lane) / (float)cols + eps);
    for (size_t i = 0; i < cols; i++) {
        y[i] = row[i] * scale * weight[i];
    }
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float model_exponential(float x)
{
    const float clamped = x < -104.0f ? -104.0f : x;
    const float inside = clamped > 89.0f ? 89.0f : clamped;
    const float biased = fmaf(inside, 0x1.715476p+0f, 0x1.8001fcp+23f);
    const float n = biased - 0x1.8001fcp+23f;
    const float r = fmaf(-n, -0x1.05c61p-29f, fmaf(-n, 0x1.62e43p-1f, inside));
    const float square = r * r;
    const float low = fmaf(r, 0x1.55597ep-5f, 0x1.55548cp-3f);
    const float high = fmaf(r, 0x1.6a1ac6p-10f, 0x1.124a7p-7f);
    const float p = fmaf(fmaf(high, square, low), r, 0x1.fffffep-2f);
    const float q = fmaf(square, p, r);
    const uint32_t half = bits_of(biased) >> 1, rest = bits_of(biased) - half;
    return fmaf(float_of(half << 23), q, float_of(half << 23)) * float_of(rest << 23);
}

static float model_nested(const float *a, const float *b, size_t depth)
{
    float bin[3] = {0};
    for (size_t k = 0; k < depth; k++) {
        bin[k % 3] = fmaf(a[k], b[k], bin[k % 3]);
    }
    float sum = 0;
    for (size_t k = 0; k < 3; k++) {
        sum += bin[(depth + k) % 3];
    }
    return sum;
}

static float model_wide(const float *row, size_t cols)
{
    double lane[32] = {0};
    for (size_t i = 0; i < cols; i++) {
        lane[i % 32] = fma(row[i], row[i], lane[i % 32]);
    }
    for (int half = 16; half > 0; half /= 2) {
        for (int k = 0; k < half; k++) {
            lane[k] += lane[k + half];
        }
    }
    return (float)lane[0];
}

static void model_integers(float *out, float x, float next)
{
    const uint32_t a = bits_of(x), b = bits_of(next);
    const int32_t s = (int32_t)a, u = (int32_t)(b | 1), d = u == -1 ? 3 : u;
    const uint64_t w = (uint64_t)a << 32 | b;
    const int32_t smaller = s < u ? s : u, larger = s < u ? u : s;
    out[0] = float_of((uint32_t)(s / d) + (uint32_t)(s % d));
    out[1] = float_of(a / (b | 1) ^ a % (b | 1));
    out[2] = float_of((uint32_t)(w / (b | 1)) + (uint32_t)(w % 1000003u));
    out[3] = float_of((uint32_t)(smaller ^ (larger >> 5)));
    out[4] = float_of(a << (b & 31) | a >> (b & 7));
    out[5] = float_of((uint32_t)((uint64_t)a * b >> 32));
    out[6] = (float)s;
    out[7] = (float)w;
    out[8] = (float)(int16_t)a + (float)(uint8_t)b;
    out[9] = float_of((uint32_t)((int32_t)floorf((float)(s % 4096) / 7.0f) +
                                 __builtin_popcount(a) * (a ? __builtin_clz(a) : 32)));
    out[10] = float_of((x < next ? 1u : 0u) | (x >= 0 || b > a ? 2u : 0u) | (!(x > 1) ? 4u : 0u) |
                       (x != x ? 8u : 0u));
}

/* CUDA C++ Programming Guide, "Warp Shuffle Functions": a lane outside of the segment, or above it, gives a
 * lane its own value; __shfl_sync counts modulo the segment. An xor may reach into lower segments. */
static void model_exchanges(float *out, const float *warp, unsigned lane)
{
    out[0] = warp[7];
    out[1] = warp[lane / 8 * 8 + lane * 5 % 8];
    out[2] = warp[lane % 8 >= 3 ? lane - 3 : lane];
    out[3] = warp[lane + 3 < 32 ? lane + 3 : lane];
    out[4] = warp[lane % 4 + 1 < 4 ? lane + 1 : lane];
    out[5] = warp[(lane ^ 9) / 8 <= lane / 8 ? lane ^ 9 : lane];
}

/* ---- the tests; each body for one compiler ---- */

static void check_row_sum(Fixture *fixture, int which)
{
    static const size_t columns[] = {0, 1, 31, 80, 81, 1000, 5000};
    for (int k = 0; k < COUNT(columns); k++) {
        const size_t cols = columns[k], rows = 3;
        const SimtArgument arguments[] = {IN(fixture->x), OUT(fixture->y), SIZE(rows), SIZE(cols)};
        for (size_t r = 0; r < rows; r++) {
            fixture->want[r] = model_chunks(fixture->x + r * cols, cols);
        }
        run_all(fixture, which, "row_sum", arguments, COUNT(arguments), rows);
    }
}

static void check_rmsnorm(Fixture *fixture, int which)
{
    const size_t rows = 7, cols = 333;
    const SimtArgument arguments[] = {IN(fixture->x), IN(fixture->w), OUT(fixture->y),
                                      SIZE(rows),     SIZE(cols),     {.kind = SIMT_FLOAT, .value = 1e-6f}};
    for (size_t r = 0; r < rows; r++) {
        model_rmsnorm(fixture->x + r * cols, fixture->w, fixture->want + r * cols, cols, 1e-6f);
    }
    run_all(fixture, which, "rmsnorm", arguments, COUNT(arguments), rows * cols);
}

static void check_exponentials(Fixture *fixture, int which)
{
    static const float special[] = {0.0f,    -0.0f,   1.0f,     88.72f,    88.73f,    -87.4f,
                                    -103.9f, -104.1f, INFINITY, -INFINITY, 0x1p-149f, NAN};
    const size_t count = 500;
    float x[500];
    memcpy(x, fixture->x, sizeof x);
    memcpy(x, special, sizeof special);
    const SimtArgument arguments[] = {
        {.kind = SIMT_INPUT, .pointer = x, .bytes = sizeof x}, OUT(fixture->y), SIZE(count)};
    for (size_t k = 0; k < count; k++) {
        fixture->want[k] = x[k] != x[k] ? x[k] : model_exponential(x[k]);
    }
    run_all(fixture, which, "exponentials", arguments, COUNT(arguments), count);
}

static void check_nested(Fixture *fixture, int which)
{
    const size_t rows = 5, cols = 9, depth = 100;
    const SimtArgument arguments[] = {IN(fixture->x), IN(fixture->w), OUT(fixture->y),
                                      SIZE(rows),     SIZE(cols),     SIZE(depth)};
    for (size_t k = 0; k < rows * cols; k++) {
        fixture->want[k] = model_nested(fixture->x + k / cols * depth, fixture->w + k % cols * depth, depth);
    }
    run_all(fixture, which, "nested", arguments, COUNT(arguments), rows * cols);
}

static void check_wide(Fixture *fixture, int which)
{
    const size_t rows = 9, cols = 700;
    const SimtArgument arguments[] = {IN(fixture->x), OUT(fixture->y), SIZE(rows), SIZE(cols)};
    for (size_t r = 0; r < rows; r++) {
        fixture->want[r] = model_wide(fixture->x + r * cols, cols);
    }
    run_all(fixture, which, "wide", arguments, COUNT(arguments), rows);
}

static void check_exchanges(Fixture *fixture, int which)
{
    const SimtArgument arguments[] = {IN(fixture->x), OUT(fixture->y)};
    const SimtLaunch launch = {.grid = {1}, .block = {64}, .order = SIMT_RANDOM};
    SimtError error;
    if (!simt_launch(module_of(fixture, which), "exchanges", &launch, arguments, COUNT(arguments), &error)) {
        fail_msg("%s", error.text);
    }
    for (unsigned thread = 0; thread < 64; thread++) {
        model_exchanges(fixture->want + 6 * thread, fixture->x + thread / 32 * 32, thread % 32);
    }
    assert_bits(fixture->y, fixture->want, 64 * 6, "exchanges");
}

static void check_fours(Fixture *fixture, int which)
{
    const size_t count = 400;
    _Alignas(16) float x[400], y[400];
    memcpy(x, fixture->x, sizeof x);
    SimtArgument arguments[] = {{.kind = SIMT_INPUT, .pointer = x, .bytes = sizeof x},
                                {.kind = SIMT_OUTPUT, .pointer = y, .bytes = sizeof y},
                                SIZE(count)};
    const SimtLaunch launch = {.grid = {1}, .block = {64}};
    SimtError error;
    if (!simt_launch(module_of(fixture, which), "fours", &launch, arguments, COUNT(arguments), &error)) {
        fail_msg("%s", error.text);
    }
    for (size_t k = 0; k < count; k++) {
        fixture->want[k] = x[k] + x[k];
    }
    assert_bits(y, fixture->want, count, "fours");
    /* A device faults on a vector that is not aligned; so does this, with the PTX line. */
    arguments[0].pointer = x + 1;
    arguments[2].size = 4;
    assert_false(simt_launch(fixture->module[which], "fours", &launch, arguments, COUNT(arguments), &error));
    assert_non_null(strstr(error.text, "not a multiple of the size"));
    assert_non_null(strstr(error.text, ".ptx:"));
}

static void check_integers(Fixture *fixture, int which)
{
    static const uint32_t special[] = {0,           1,           0x80000000u, 0x7fffffffu,
                                       0xffffffffu, 0x7f800000u, 0x7fc00001u, 0x3f800000u};
    const size_t count = 300;
    float x[300];
    uint64_t state = 5;
    for (size_t k = 0; k < count; k++) {
        x[k] = float_of(k < 64 ? special[k % 8 ^ k / 8] : (uint32_t)counter_next(&state));
    }
    const SimtArgument arguments[] = {
        {.kind = SIMT_INPUT, .pointer = x, .bytes = sizeof x}, OUT(fixture->y), SIZE(count)};
    for (size_t k = 0; k < count; k++) {
        model_integers(fixture->want + k * 11, x[k], x[(k + 1) % count]);
    }
    run_all(fixture, which, "integers", arguments, COUNT(arguments), count * 11);
}

/* Every access is reported: the correct kernel raises nothing, the one without its barrier is a race whose
 * two PTX lines are named. */
static void check_race(Fixture *fixture, int which)
{
    const char *object;
    module_of(fixture, which);
    const char *why = make(fixture, "kernels", (PtxCompiler)which, SIMT_CHECKED, &object);
    assert_null(why);
    SimtModule *module = open_module(fixture, object);
    const SimtArgument arguments[] = {IN(fixture->x), OUT(fixture->y), SIZE(2), SIZE(400)};
    /* Descending: thread 0 comes last, so what it reads too early has been written, by others. */
    const SimtLaunch launch = {.grid = {2}, .block = {64}, .order = SIMT_DESCENDING};
    SimtError error;
    if (!simt_launch(module, "row_sum", &launch, arguments, COUNT(arguments), &error)) {
        fail_msg("%s", error.text);
    }
    assert_false(simt_launch(module, "row_sum_race", &launch, arguments, COUNT(arguments), &error));
    print_message("%s\n", error.text);
    assert_non_null(strstr(error.text, "race"));
    assert_non_null(error.file);
    assert_non_null(strstr(error.file, ".ptx"));
    assert_true(error.line > 0);
    simt_close(module);
}

/* How many results differ from two roundings, and from one. */
static void run_bare(Fixture *fixture, SimtModule *module, size_t *apart, size_t *fused)
{
    enum { ELEMENTS = 1000 };
    const float *a = fixture->x, *b = fixture->w, *c = fixture->x + ELEMENTS;
    const SimtArgument arguments[] = {
        IN(a),
        IN(b),
        {.kind = SIMT_INPUT, .pointer = (void *)c, .bytes = sizeof(float) * ELEMENTS},
        OUT(fixture->y),
        SIZE(ELEMENTS)};
    const SimtLaunch launch = {.grid = {1}, .block = {64}};
    SimtError error;
    assert_true(simt_launch(module, "bare", &launch, arguments, COUNT(arguments), &error));
    *apart = *fused = 0;
    for (size_t k = 0; k < ELEMENTS; k++) {
        *apart += bits_of(fixture->y[k]) != bits_of(a[k] * b[k] + c[k]);
        *fused += bits_of(fixture->y[k]) != bits_of(fmaf(a[k], b[k], c[k]));
    }
    print_message("%zu of %d differ from two roundings, %zu from one\n", *apart, ELEMENTS, *fused);
}

/* A bare product and sum: refused, or bits that differ from the source's. */
static void check_contraction(Fixture *fixture, int which)
{
    const char *object;
    size_t apart, fused;
    module_of(fixture, which);
    const char *why = make(fixture, "contraction", (PtxCompiler)which, SIMT_PLAIN, &object);
    if (why) {
        assert_non_null(strstr(why, "has no rounding"));
        return;
    }
    SimtModule *module = open_module(fixture, object);
    run_bare(fixture, module, &apart, &fused);
    simt_close(module);
    if (which == PTX_CLANG) { /* told not to contract */
        assert_int_equal(apart, 0);
        assert_true(fused > 0);
    } else { /* with its defaults */
        assert_true(apart > 0);
        assert_int_equal(fused, 0);
    }
}

/* contraction.cu by clang that is told to contract. */
static const char *make_contracted(Fixture *fixture)
{
    Arena *arena = fixture->arena;
    const char *ptx = arena_printf(arena, "%s/told.ptx", fixture->folder);
    const char *c = arena_printf(arena, "%s.c", ptx), *object = arena_printf(arena, "%s.so", ptx);
    const char *prelude = arena_printf(arena, "%s.prelude.h", fixture->ptx[PTX_CLANG]);
    const char *source = arena_printf(arena, "%s/contraction.cu", sources);
    const char *const *command = ptx_compile_command(arena, source, ptx, prelude, PTX_CLANG);
    const char *words[64] = {0};
    for (int k = 0; command[k]; k++) {
        words[k] = strcmp(command[k], "-ffp-contract=off") == 0 ? "-ffp-contract=fast" : command[k];
    }
    Buffer said = {0};
    assert_null(child_exec(arena, (ChildLimits){60, 0}, words, NULL, &said));
    buffer_destroy(&said);
    assert_null(ptx_translate(arena, ptx, c));
    assert_null(ptx_build(arena, c, object, SIMT_PLAIN));
    return object;
}

/* The level sees contraction without nvcc, too. */
static void contraction_told(void **state)
{
    Fixture *fixture = *state;
    size_t apart, fused;
    module_of(fixture, PTX_CLANG);
    SimtModule *module = open_module(fixture, make_contracted(fixture));
    run_bare(fixture, module, &apart, &fused);
    assert_true(apart > 0);
    assert_int_equal(fused, 0);
    simt_close(module);
}

/* Threads that add to one place: refused with the PTX line, whoever compiled it. */
static void check_atomic(Fixture *fixture, int which)
{
    const char *object;
    module_of(fixture, which);
    const char *why = make(fixture, "atomic", (PtxCompiler)which, SIMT_PLAIN, &object);
    assert_non_null(why);
    print_message("%s\n", why);
    assert_non_null(strstr(why, "order in which threads arrive"));
}

#define BOTH(name)                                                                                           \
    static void name##_clang(void **state)                                                                   \
    {                                                                                                        \
        check_##name(*state, PTX_CLANG);                                                                     \
    }                                                                                                        \
    static void name##_nvcc(void **state)                                                                    \
    {                                                                                                        \
        check_##name(*state, PTX_NVCC);                                                                      \
    }
BOTH(row_sum)
BOTH(rmsnorm)
BOTH(exponentials)
BOTH(nested)
BOTH(wide)
BOTH(exchanges)
BOTH(fours)
BOTH(integers)
BOTH(race)
BOTH(contraction)
BOTH(atomic)

#define TESTS(name) cmocka_unit_test(name##_clang), cmocka_unit_test(name##_nvcc)

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test-ptx-kernels FOLDER-OF-SOURCES\n");
        return 2;
    }
    sources = argv[1];
    const struct CMUnitTest tests[] = {
        TESTS(row_sum), TESTS(rmsnorm),     TESTS(exponentials), TESTS(nested),
        TESTS(wide),    TESTS(exchanges),   TESTS(fours),        TESTS(integers),
        TESTS(race),    TESTS(contraction), TESTS(atomic),       cmocka_unit_test(contraction_told)};
    return cmocka_run_group_tests_name("ptx-kernels", tests, set_up, tear_down);
}
