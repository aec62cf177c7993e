/* cuda.c: the CUDA driver on a fake libcuda that is strict about its use and interprets PTX (fake_cuda.c).
 *
 * usage: test-cuda libfake_cuda.so rows.ptx. Everything that touches CUDA runs in a child, as it must: a
 * child writes what it found as text, and the parent asserts. */
#include "cuda/cuda.h"

#include "cuda/needs.h"
#include "device/float_probe.h"
#include "reference/fold.h"
#include "text/buffer.h"
#include "tree/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const Operator op = {
    .name = "rows",
    .dim = {"rows", "cols"},
    .input = {{.name = "x", .rank = 2, .dim = {0, 1}}, {.name = "w", .rank = 1, .dim = {1}}},
    .output = {{.name = "y", .rank = 2, .dim = {0, 1}}, {.name = "z", .rank = 1, .dim = {0}}},
    .param = {{"a", 0}, {"b", 0}},
    .dims = 2,
    .inputs = 2,
    .outputs = 2,
    .params = 2,
};
enum { ROWS_AXIS = 1 }; /* bit of dim 0 */

static const char launch_text[] =
    "{\"kernels\": [{\"name\": \"rows\", \"role\": \"rows\"},"
    "{\"name\": \"rows_warp\", \"role\": \"warps\"},"
    "{\"name\": \"rows_part0\", \"role\": \"part\", \"reduction\": 0, \"extra\": [\"row\", \"workspace\"]},"
    "{\"name\": \"rows_join0\", \"role\": \"join\", \"reduction\": 0, \"extra\": [\"row\", \"workspace\"]},"
    "{\"name\": \"rows_output\", \"role\": \"output\", \"extra\": [\"row\", \"workspace\"]}],"
    "\"workspace\": {\"type\": \"float\", \"values\": 16, \"partials\": [[{\"cut\": \"chunk\", \"size\": "
    "64}]]}}";

typedef struct Fixture {
    Arena *arena;
    Launch launch;
    const char *ptx;
} Fixture;

static const char *fake_path, *ptx_path;

static int set_up(void **state)
{
    static Fixture fixture;
    static Buffer text;
    json_t *launch = json_loads(launch_text, 0, NULL);
    fixture.arena = arena_create();
    assert_null(launch_read(fixture.arena, launch, "rows", &fixture.launch));
    json_decref(launch);
    text = (Buffer){0};
    assert_null(buffer_read_file(&text, ptx_path, 1 << 20));
    fixture.ptx = arena_copy(fixture.arena, buffer_string(&text));
    buffer_destroy(&text);
    setenv("SAMEBITS_LIBCUDA", fake_path, 1);
    setenv("SAMEBITS_LIBNVML", "/nowhere/libnvml.so", 1);
    setenv("FAKE_CUDA", "", 1);
    unsetenv("FAKE_CUDA_LOG");
    unsetenv("FAKE_CUDA_DUMP");
    unsetenv("FAKE_CUDA_STEPS");
    unsetenv("SAMEBITS_CUDA_DEVICE");
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    const Fixture *fixture = *state;
    arena_destroy(fixture->arena);
    return 0;
}

static void assert_says(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' does not say '%s'", text ? text : "(nothing)", part);
}

/* ---- the probe's table, against MPFR ---- */

static float word_float(uint32_t word)
{
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static uint32_t float_word(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

/* Every operation in 2000 bits, where sums and products of binary32 numbers are exact and quotients and roots
 * are close enough to be rounded once; then rounded to the wanted precision with IEEE's exponents. */
static float rounded(mpfr_t value)
{
    const int inexact = mpfr_get_flt(value, MPFR_RNDN) != 0;
    (void)inexact;
    return mpfr_get_flt(value, MPFR_RNDN);
}

static float exact_result(const ProbeRow *row)
{
    mpfr_t a, b, c, r;
    mpfr_inits2(2000, a, b, c, r, (mpfr_ptr)0);
    mpfr_set_flt(a, word_float(row->a), MPFR_RNDN);
    mpfr_set_flt(b, word_float(row->b), MPFR_RNDN);
    mpfr_set_flt(c, word_float(row->c), MPFR_RNDN);
    switch (row->op) {
    case PROBE_ADD:
        mpfr_add(r, a, b, MPFR_RNDN);
        if (mpfr_zero_p(a) && mpfr_zero_p(b))
            mpfr_set_flt(r, word_float(row->a) + word_float(row->b), MPFR_RNDN);
        break;
    case PROBE_MUL:
        mpfr_mul(r, a, b, MPFR_RNDN);
        break;
    case PROBE_FMA:
    case PROBE_F64_FMA: /* exact in binary64, too: 48 bits, and the sums here fit */
        mpfr_fma(r, a, b, c, MPFR_RNDN);
        break;
    case PROBE_MUL_ADD:
        mpfr_mul(r, a, b, MPFR_RNDN);
        mpfr_set_flt(r, rounded(r), MPFR_RNDN);
        mpfr_add(r, r, c, MPFR_RNDN);
        break;
    case PROBE_DIV:
        mpfr_div(r, a, b, MPFR_RNDN);
        break;
    case PROBE_RCP:
        mpfr_ui_div(r, 1, a, MPFR_RNDN);
        break;
    case PROBE_SQRT:
        mpfr_sqrt(r, a, MPFR_RNDN);
        break;
    case PROBE_GREATER:
        mpfr_set_si(r, mpfr_cmp(a, b) > 0, MPFR_RNDN);
        break;
    case PROBE_FROM_U64:
        mpfr_set_ui(r, row->a, MPFR_RNDN);
        mpfr_mul_2ui(r, r, 32, MPFR_RNDN);
        mpfr_add_ui(r, r, row->b, MPFR_RNDN);
        break;
    case PROBE_F64_ADD:
        mpfr_add(r, a, b, MPFR_RNDN);
        mpfr_add(r, r, c, MPFR_RNDN);
        break;
    case PROBE_OPS:
        break;
    }
    const float result = rounded(r);
    mpfr_clears(a, b, c, r, (mpfr_ptr)0);
    return result;
}

static void test_probe_table(void **state)
{
    (void)state;
    bool seen[PROBE_OPS] = {false};
    for (int i = 0; i < float_probe_count; i++) {
        const ProbeRow *row = &float_probe_rows[i];
        const uint32_t exact = float_word(exact_result(row));
        seen[row->op] = true;
        if (exact != row->expected)
            fail_msg("row %d: MPFR says %08x, the table %08x", i, exact, row->expected);
    }
    for (int i = 0; i < PROBE_OPS; i++)
        assert_true(seen[i]);
}

/* ---- versions ---- */

static void test_needs(void **state)
{
    const Fixture *fixture = *state;
    CudaNeeds needs;
    assert_null(
        cuda_needs_read(fixture->arena, "//\n.version 7.5\n.target sm_80\n.address_size 64\n", &needs));
    assert_int_equal(needs.isa_major, 7);
    assert_int_equal(needs.isa_minor, 5);
    assert_int_equal(needs.sm, 80);
    assert_false(needs.exact);
    assert_int_equal(cuda_needs_driver(needs), 11050);
    assert_null(cuda_needs_why_not(fixture->arena, needs, 11050, 8, 0));
    assert_null(cuda_needs_why_not(fixture->arena, needs, 12040, 9, 0));
    assert_says(cuda_needs_why_not(fixture->arena, needs, 11040, 8, 0), "skipped: the driver is too old");
    assert_says(cuda_needs_why_not(fixture->arena, needs, 11040, 8, 0),
                "it knows CUDA 11.4, PTX 7.5 needs 11.5");
    assert_says(cuda_needs_why_not(fixture->arena, needs, 12040, 7, 5),
                "capability 7.5, the PTX is for sm_80");
    assert_null(cuda_needs_read(fixture->arena, ".version 8.0\n\t.target sm_90a\n", &needs));
    assert_null(cuda_needs_why_not(fixture->arena, needs, 12000, 9, 0));
    assert_says(cuda_needs_why_not(fixture->arena, needs, 12080, 10, 0), "sm_90a only");
    assert_says(cuda_needs_read(fixture->arena, "__global__ void f() {}", &needs), "no .version");
    assert_says(cuda_needs_read(fixture->arena, ".version 7.0\n.targets sm_80\n", &needs), "no .target");
    const char *of_rows = cuda_entry_parameters(fixture->arena, fixture->ptx, "rows");
    assert_string_equal(of_rows, "uuuuuuff"); /* and not rows_warp's or rows_part0's */
    assert_string_equal(cuda_entry_parameters(fixture->arena, fixture->ptx, "rows_join0"), "uuuuuuffuu");
    assert_null(cuda_entry_parameters(fixture->arena, fixture->ptx, "row"));
}

/* ---- devices that are not there, too old, or wrong ---- */

static void test_examine_finds(void **state)
{
    const Fixture *fixture = *state;
    CudaInfo info;
    const char *why = cuda_examine(fixture->arena, &info);
    assert_null(why);
    assert_string_equal(info.name, "Fake GPU 0");
    assert_int_equal(info.cuda, 12040);
    assert_int_equal(info.major, 9);
    assert_int_equal(info.minor, 0);
    assert_int_equal(info.processors, 4);
    assert_int_equal(info.memory_bytes, (size_t)1 << 34);
    assert_int_equal(info.cache_bytes, 1 << 16);
    assert_true(fabs(info.peak_gbs - 128.0) < 1e-6); /* 1 GHz, 512 bits, double data rate */
    assert_says(cuda_info_text(fixture->arena, &info), "Fake GPU 0 with driver ");
    assert_says(cuda_info_text(fixture->arena, &info), "(CUDA 12.4)");
    setenv("SAMEBITS_CUDA_DEVICE", "1", 1);
    assert_null(cuda_examine(fixture->arena, &info));
    assert_string_equal(info.name, "Fake GPU 1");
    setenv("SAMEBITS_CUDA_DEVICE", "2", 1);
    assert_says(cuda_examine(fixture->arena, &info),
                "skipped: there is no CUDA device 2; this machine has 0 to 1");
}

static void test_examine_refuses(void **state)
{
    static const struct {
        const char *flaw, *says;
    } rows[] = {
        {"no-gpu", "skipped: the CUDA driver finds no GPU"},
        {"no-start", "skipped: the CUDA driver does not start: CUDA_ERROR_UNKNOWN (999)"},
        {"crash", "refused: the CUDA driver or its device fails when it is asked: killed by SIGSEGV"},
        {"warp64", "refused: Fake GPU 0 has warps of 64 threads"},
        {"flush", "refused: Fake GPU 0 flushes subnormals: a + b of a=00000001"},
        {"contract", "refused: Fake GPU 0 contracts a product and a sum"},
        {"division", "refused: Fake GPU 0 does not round to nearest even: a / b of"},
        {"no-double", "refused: Fake GPU 0 does not compute binary64"},
        {"jit",
         "refused: the driver does not take the PTX: CUDA_ERROR_INVALID_PTX (218): a PTX JIT compilation "
         "failed\nptxas application ptx input, line 7; fatal : made up"},
        {"unsupported", "skipped: this driver or device is too old for PTX 6.0 for sm_50"},
        {"no-jit", "skipped: the driver has no compiler of PTX here; install the rest of it "
                   "(libnvidia-ptxjitcompiler.so.1; in a container, the driver capability 'compute'): "
                   "CUDA_ERROR_JIT_COMPILER_NOT_FOUND (221)"},
        {"jit-off", "skipped: compiling PTX is switched off; unset CUDA_DISABLE_PTX_JIT: CUDA_ERROR_JIT_"},
        {"no-launch", "refused: launching the probe: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701)"},
    };
    const Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CudaInfo info;
        setenv("FAKE_CUDA", rows[i].flaw, 1);
        const char *why = cuda_examine(fixture->arena, &info);
        if (!why || strncmp(why, rows[i].says, strlen(rows[i].says)))
            fail_msg("%s: '%s' is not '%s'", rows[i].flaw, why ? why : "(nothing)", rows[i].says);
    }
}

static void test_no_driver(void **state)
{
    const Fixture *fixture = *state;
    CudaInfo info;
    setenv("SAMEBITS_LIBCUDA", "/nowhere/libcuda.so.1", 1);
    assert_says(cuda_examine(fixture->arena, &info),
                "skipped: no CUDA driver on this machine (/nowhere/libcuda");
    setenv("SAMEBITS_LIBCUDA", "libm.so.6", 1);
    assert_says(cuda_examine(fixture->arena, &info), "skipped: the CUDA driver is too old: it has no cu");
}

/* ---- calls ---- */

enum { ROWS = 5, COLS_LIMIT = 700 };

typedef struct Job {
    const Fixture *fixture;
    size_t rows, cols;
    Geometry geometry;
    bool chooses;             /* the kernel its geometry */
    double patience;          /* 0: the default */
    const char *ptx, *kernel; /* NULL: rows.ptx, its launch */
    const Operator *op;
} Job;

static void fill(float *data, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = ((float)(seed >> 8) - 0x1p23f) * 0x1p-20f;
    }
}

static CallData make_call(Arena *arena, size_t rows, size_t cols)
{
    CallData call = {.param = {1.5f, -0.25f}, .shape = {{rows, cols}}};
    float *x = ARENA_ARRAY(arena, float, rows *cols + 1), *w = ARENA_ARRAY(arena, float, cols + 1);
    fill(x, rows * cols, 1);
    fill(w, cols, 2);
    call.input[0] = x;
    call.input[1] = w;
    call.output[0] = ARENA_ARRAY(arena, float, rows *cols + 1);
    call.output[1] = ARENA_ARRAY(arena, float, rows + 1);
    return call;
}

/* What rows.cu says it computes, by the reference evaluator of trees. */
static void evaluate(Arena *arena, CallData *call)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Term *tree = term_parse(arena, &diagnostics, (Location){0}, "chunk(64, lanes(32), seq)");
    const size_t rows = call->shape.size[0], cols = call->shape.size[1];
    for (size_t r = 0; r < rows; r++) {
        const float *x = call->input[0] + r * cols, *w = call->input[1];
        const float sum = reference_fold(tree, REDUCE_SUM, ACCUMULATOR_F32, (ReferenceLeaves){x, w, cols}, 1);
        const float scaled = call->param[0] * sum, value = scaled + call->param[1];
        call->output[1][r] = value;
        for (size_t i = 0; i < cols; i++) {
            const float product = x[i] * w[i];
            call->output[0][r * cols + i] = product + value;
        }
    }
}

static bool equal(const CallData *a, const CallData *b)
{
    const size_t rows = a->shape.size[0], cols = a->shape.size[1];
    return !memcmp(a->output[0], b->output[0], rows * cols * sizeof(float)) &&
           !memcmp(a->output[1], b->output[1], rows * sizeof(float));
}

static const char *call_kernel(const Job *job, CudaDevice *device, CallData *call, CudaCallTime *time)
{
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    Launch launch = job->fixture->launch;
    if (job->kernel)
        launch = (Launch){.entry = {{.name = job->kernel, .role = LAUNCH_ROWS}}, .entries = 1};
    CudaKernel *kernel = cuda_kernel_open(arena, device, job->ptx ? job->ptx : job->fixture->ptx, &launch,
                                          job->op ? job->op : &op, ROWS_AXIS, &why);
    if (kernel)
        why = cuda_kernel_call(arena, kernel, call, job->chooses ? NULL : &job->geometry, time);
    cuda_kernel_close(kernel);
    return why;
}

/* In the child: one call; "equal", "differs", or why not. */
static void call_kernel_once(void *context, FILE *out)
{
    const Job *job = context;
    const char *why = NULL;
    CudaDevice *device = cuda_open(job->fixture->arena, &why);
    CudaCallTime time = {0};
    CallData got = make_call(job->fixture->arena, job->rows, job->cols),
             expected = make_call(job->fixture->arena, job->rows, job->cols);
    if (device && job->patience > 0)
        cuda_set_patience(device, job->patience);
    if (device)
        why = call_kernel(job, device, &got, &time);
    cuda_close(device);
    evaluate(job->fixture->arena, &expected);
    if (why)
        fprintf(out, "%s", why);
    else if (time.device_ns < 0 || time.call_ns < time.launch_ns)
        fprintf(out, "times make no sense");
    else
        fprintf(out, "%s", equal(&got, &expected) ? "equal" : "differs");
}

static const char *outcome(const Job *job, double seconds)
{
    Buffer text = {0};
    const char *why =
        child_run(job->fixture->arena, (ChildLimits){seconds, 0}, call_kernel_once, (void *)job, &text);
    const char *said = why ? why : arena_copy(job->fixture->arena, buffer_string(&text));
    buffer_destroy(&text);
    return said;
}

static void test_every_geometry(void **state)
{
    static const size_t columns[] = {0, 1, 31, 32, 33, 63, 64, 65, 127, 129, 640, COLS_LIMIT};
    static const unsigned blocks[] = {32, 96, 1024}, grids[] = {0, 1, 3};
    const Fixture *fixture = *state;
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        for (int path = 0; path < PATHS; path++)
            for (int i = 0; i < 3; i++) {
                const Job job = {.fixture = fixture,
                                 .rows = ROWS,
                                 .cols = columns[c],
                                 .geometry = {(LaunchPath)path, blocks[(i + c) % 3], grids[i]}};
                const char *said = outcome(&job, 60);
                if (strcmp(said, "equal"))
                    fail_msg("%s, %u threads, grid %u, %zu columns: %s", launch_path_name[path],
                             job.geometry.block, job.geometry.grid, job.cols, said);
            }
    const Job none = {.fixture = fixture, .rows = 0, .cols = 5, .chooses = true};
    assert_string_equal(outcome(&none, 60), "equal");
}

/* The wrong tree must show on this data, else the test above shows nothing. */
static void test_data_can_tell(void **state)
{
    const Fixture *fixture = *state;
    CallData call = make_call(fixture->arena, ROWS, COLS_LIMIT);
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, fixture->arena);
    const Term *tree = term_parse(fixture->arena, &diagnostics, (Location){0}, "lanes(32)");
    bool differs = false;
    evaluate(fixture->arena, &call);
    for (size_t r = 0; r < ROWS; r++) {
        const ReferenceLeaves leaves = {call.input[0] + r * COLS_LIMIT, call.input[1], COLS_LIMIT};
        const float scaled = call.param[0] * reference_fold(tree, REDUCE_SUM, ACCUMULATOR_F32, leaves, 1);
        differs |= scaled + call.param[1] != call.output[1][r];
    }
    assert_true(differs);
}

static void test_chosen_geometry(void **state)
{
    char log[] = "/tmp/samebits-cuda-XXXXXX";
    const Fixture *fixture = *state;
    Buffer text = {0};
    close(mkstemp(log));
    setenv("FAKE_CUDA_LOG", log, 1);
    const Job warps = {.fixture = fixture, .rows = 9, .cols = 100, .chooses = true};
    const Job rows = {.fixture = fixture, .rows = 3, .cols = 100, .chooses = true};
    const Job far = {.fixture = fixture, .rows = 1, .cols = 1 << 18, .chooses = true};
    assert_string_equal(outcome(&warps, 60), "equal");
    assert_string_equal(outcome(&rows, 60), "equal");
    assert_string_equal(outcome(&far, 60), "equal");
    setenv("FAKE_CUDA", "few-threads", 1); /* 200 per block: 6 warps */
    assert_string_equal(outcome(&warps, 60), "equal");
    assert_null(buffer_read_file(&text, log, 1 << 16));
    unlink(log);
    assert_string_equal(buffer_string(&text), "rows_warp 2 256\nrows 3 256\n"
                                              "rows_part0 512 256\nrows_join0 1 256\nrows_output 1024 256\n"
                                              "rows_warp 2 192\n");
    buffer_destroy(&text);
}

/* ---- what can go wrong in a call ---- */

static void test_call_fails(void **state)
{
    static const struct {
        const char *flaw, *says;
        Geometry geometry;
    } rows[] = {
        {"no-launch",
         "launching rows with 5 blocks of 64 threads: CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES (701): too many",
         {PATH_ROWS, 64, 0}},
        {"no-memory",
         "1400000 bytes on the device: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory",
         {PATH_ROWS, 64, 0}},
        {"few-threads",
         "a block of 1024 threads is more than the 192 that this kernel allows",
         {PATH_ROWS, 1024, 0}},
        {"", "a block of 48 threads is not a whole number of warps", {PATH_ROWS, 48, 0}},
        {"older-device",
         "skipped: the device has compute capability 6.0, the PTX is for sm_80 and later",
         {PATH_ROWS, 64, 0}},
        {"old", "skipped: the driver is too old: it knows CUDA 10.1, PTX 7.5 needs 11.5", {PATH_ROWS, 64, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Job job = {.fixture = *state,
                         .rows = ROWS,
                         .cols = !strcmp(rows[i].flaw, "no-memory") ? 70000 : 70,
                         .geometry = rows[i].geometry};
        setenv("FAKE_CUDA", rows[i].flaw, 1);
        assert_says(outcome(&job, 60), rows[i].says);
    }
}

static void test_wrong_signature(void **state)
{
    Operator other = op;
    other.params = 1;
    Job job = {.fixture = *state, .rows = 1, .cols = 1, .chooses = true, .op = &other};
    assert_says(outcome(&job, 60),
                "kernel rows takes other arguments (uuuuuuff in PTX) than its operator has "
                "(uuuuuuf)");
    job = (Job){.fixture = *state, .rows = 1, .cols = 1, .chooses = true, .kernel = "row"};
    assert_says(outcome(&job, 60), "the PTX has no kernel 'row'");
    /* A kernel of parts must not be called as one of rows: it would read two arguments that are not there. */
    job = (Job){.fixture = *state, .rows = 1, .cols = 1, .chooses = true, .kernel = "rows_part0"};
    assert_says(outcome(&job, 60), "kernel rows_part0 takes other arguments (uuuuuuffuu in PTX)");
}

static const char *kernel_with_body(Arena *arena, const char *body)
{
    return arena_printf(
        arena,
        ".version 7.5\n.target sm_80\n.address_size 64\n.visible .entry f(.param .u64 p0, .param .u64 p1, "
        ".param .u64 p2, .param .u64 p3, .param .u64 p4, .param .u64 p5, .param .f32 p6, .param .f32 "
        "p7)\n{\n.reg .b64 %%rd<4>;\n%s\nret;\n}\n",
        body);
}

static void test_device_fault(void **state)
{
    const Fixture *fixture = *state;
    const Job job = {
        .fixture = fixture,
        .rows = 1,
        .cols = 4,
        .chooses = true,
        .kernel = "f",
        .ptx = kernel_with_body(fixture->arena, "ld.param.u64 %rd1, [p2];\nst.global.u64 [%rd1+4096], 7;")};
    assert_says(outcome(&job, 60),
                "f: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered");
}

static void test_text_that_does_not_compile(void **state)
{
    const Fixture *fixture = *state;
    const Job job = {.fixture = fixture,
                     .rows = 1,
                     .cols = 4,
                     .chooses = true,
                     .kernel = "f",
                     .ptx = kernel_with_body(fixture->arena, "frobnicate.u64 %rd1, %rd2;")};
    assert_says(outcome(&job, 60),
                "the driver does not take the PTX: CUDA_ERROR_INVALID_PTX (218): a PTX JIT "
                "compilation failed\nline 6: frobnicate.u64 is not interpreted");
}

static void test_endless_kernel(void **state)
{
    const Fixture *fixture = *state;
    const Job job = {.fixture = fixture,
                     .rows = 1,
                     .cols = 4,
                     .chooses = true,
                     .patience = 0.2,
                     .kernel = "f",
                     .ptx = kernel_with_body(fixture->arena, "AGAIN: bra AGAIN;")};
    setenv("FAKE_CUDA_STEPS", "100000", 1);
    assert_says(outcome(&job, 60), "f: no answer within 0.2 s");
    Job patient = job;
    patient.patience = 600; /* then the child's own limit ends it */
    assert_says(outcome(&patient, 0.5), "no answer within 0.5 s");
}

/* ---- times ---- */

enum { SETS = 3, CALLS = 7 };

/* One kernel and copies take turns on the same buffers. */
static const char *time_both(const Job *job, CudaDevice *device, CudaKernel *kernel, const CallData *call,
                             DeviceSpan span[3])
{
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    CudaTimer *timer = NULL, *copies = NULL;
    CudaSets *sets = cuda_sets_create(arena, device, &op, call, SETS, &why);
    if (sets)
        timer = cuda_timer_create(arena, device, kernel, sets, call, job->geometry, &why);
    if (timer)
        copies = cuda_timer_create(arena, device, NULL, sets, call, (Geometry){0}, &why);
    for (int i = 0; i < 4 && !why; i++) /* an odd number of calls, so that sets change places */
        why = i % 2 ? cuda_timer_run(arena, copies, CALLS, &span[1])
                    : cuda_timer_run(arena, timer, CALLS, &span[0]);
    if (!why)
        why = cuda_timer_run(arena, timer, 0, &span[2]);
    cuda_timer_destroy(timer);
    cuda_timer_destroy(copies);
    cuda_sets_destroy(sets);
    return why;
}

static void time_rows(void *context, FILE *out)
{
    const Job *job = context;
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    DeviceSpan span[3] = {{0}};
    CudaDevice *device = cuda_open(arena, &why);
    CallData call = make_call(arena, job->rows, job->cols);
    CudaKernel *kernel = device ? cuda_kernel_open(arena, device, job->fixture->ptx, &job->fixture->launch,
                                                   &op, ROWS_AXIS, &why)
                                : NULL;
    CudaCallTime once = {0};
    if (kernel)
        why = cuda_kernel_call(arena, kernel, &call, &job->geometry, &once);
    if (kernel && !why)
        why = time_both(job, device, kernel, &call, span);
    cuda_kernel_close(kernel);
    cuda_close(device);
    json_t *answer =
        why ? json_pack("{s:s}", "why", why)
            : json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "once", once.device_ns, "kernel", span[0].device_ns,
                        "launch", span[0].launch_ns, "whole", span[0].whole_ns, "copy", span[1].device_ns,
                        "nothing", span[2].device_ns);
    json_dumpf(answer, out, 0);
    json_decref(answer);
}

static void test_times(void **state)
{
    const Fixture *fixture = *state;
    const Job job = {.fixture = fixture, .rows = 4, .cols = 64, .geometry = {PATH_ROWS, 64, 0}};
    Buffer text = {0};
    assert_null(child_run(fixture->arena, (ChildLimits){120, 0}, time_rows, (void *)&job, &text));
    json_t *answer = json_loads(buffer_string(&text), 0, NULL);
    assert_null(json_string_value(json_object_get(answer, "why")));
    const double once = json_number_value(json_object_get(answer, "once")),
                 kernel = json_number_value(json_object_get(answer, "kernel")),
                 launch = json_number_value(json_object_get(answer, "launch")),
                 whole = json_number_value(json_object_get(answer, "whole"));
    assert_true(once > 400000);                        /* the fake's launch, and instructions */
    assert_true(fabs(kernel - once) < 0.01 * once);    /* per call, whatever the number of calls */
    assert_true(launch > 0 && whole > CALLS * launch); /* the host's own clock */
    /* the first input, 4 x 64 floats: 100 bytes read and written per nanosecond */
    assert_true(fabs(json_number_value(json_object_get(answer, "copy")) - 20) < 1);
    assert_int_equal((int)json_number_value(json_object_get(answer, "nothing")), 0);
    json_decref(answer);
    buffer_destroy(&text);
}

/* More calls than a stream holds: asking for the last ones waits for the device, which is not what asking
 * costs. */
static void time_many(void *context, FILE *out)
{
    enum { MANY = 1040 };
    const Job *job = context;
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    DeviceSpan span = {0};
    CudaDevice *device = cuda_open(arena, &why);
    const CallData call = make_call(arena, job->rows, job->cols);
    CudaKernel *kernel =
        cuda_kernel_open(arena, device, job->fixture->ptx, &job->fixture->launch, &op, ROWS_AXIS, &why);
    CudaSets *sets = cuda_sets_create(arena, device, &op, &call, 1, &why);
    CudaTimer *timer = cuda_timer_create(arena, device, kernel, sets, &call, job->geometry, &why);
    why = cuda_timer_run(arena, timer, MANY, &span);
    cuda_timer_destroy(timer);
    cuda_sets_destroy(sets);
    cuda_kernel_close(kernel);
    cuda_close(device);
    if (why)
        fprintf(out, "%s", why);
    else
        fprintf(out, "%s", span.launch_ns < 0.5 * span.whole_ns / MANY ? "apart" : "waited for the device");
}

static void test_full_queue(void **state)
{
    const Fixture *fixture = *state;
    const Job job = {.fixture = fixture, .rows = 1, .cols = 1, .geometry = {PATH_ROWS, 32, 0}};
    Buffer text = {0};
    setenv("FAKE_CUDA", "full-queue", 1);
    assert_null(child_run(fixture->arena, (ChildLimits){120, 0}, time_many, (void *)&job, &text));
    assert_string_equal(buffer_string(&text), "apart");
    buffer_destroy(&text);
}

/* ---- NVIDIA's own assembler, where it is ---- */

static void test_ptxas(void **state)
{
    char path[] = "/tmp/samebits-ptx-XXXXXX";
    const Fixture *fixture = *state;
    CudaInfo info;
    Buffer text = {0};
    close(mkstemp(path));
    setenv("FAKE_CUDA_DUMP", path, 1);
    assert_null(cuda_examine(fixture->arena, &info));
    const char *argv[] = {"ptxas", "-arch=sm_90", "-o", "/dev/null", path, NULL};
    const char *why = child_exec(fixture->arena, (ChildLimits){60, 0}, argv, NULL, &text);
    unlink(path);
    const char *said = arena_copy(fixture->arena, buffer_string(&text));
    buffer_destroy(&text);
    if (why && strstr(why, "no such program")) {
        printf("# skipped: ptxas is not here; NVIDIA's assembler did not see the probe's PTX\n");
        skip();
    }
    if (why)
        fail_msg("ptxas does not take the probe: %s: %s", why, said);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    fake_path = argv[1];
    ptx_path = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_probe_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_needs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_examine_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_examine_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_driver, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_geometry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_can_tell, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chosen_geometry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_call_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_signature, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_device_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_that_does_not_compile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_endless_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ptxas, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
