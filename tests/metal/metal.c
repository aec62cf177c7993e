/* metal.c: the Metal driver on a fake Objective-C runtime and Metal framework (fake_metal.c), and its
 * compilation for macOS.
 *
 * usage: test-metal libfake_metal.so rows.metal SOURCE-ROOT. As in tests/cuda a child does the work and says
 * what it found. */
#include "metal/metal.h"

#include "text/buffer.h"

#include "../driver/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>

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
enum { ROWS_AXIS = 1, ROWS = 7, COLS = 130 };

typedef struct Fixture {
    Arena *arena;
    const char *source;
} Fixture;

static const char *fake_path, *metal_path, *root;

static int set_up(void **state)
{
    static Fixture fixture;
    Buffer text = {0};
    fixture.arena = arena_create();
    assert_null(buffer_read_file(&text, metal_path, 1 << 16));
    fixture.source = arena_copy(fixture.arena, buffer_string(&text));
    buffer_destroy(&text);
    setenv("SAMEBITS_LIBMETAL", fake_path, 1);
    setenv("FAKE_METAL", "", 1);
    unsetenv("FAKE_METAL_LOG");
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    arena_destroy(((Fixture *)*state)->arena);
    return 0;
}

static void assert_says(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' does not say '%s'", text ? text : "(nothing)", part);
}

/* ---- the device ---- */

static void test_examine(void **state)
{
    static const struct {
        const char *flaw, *says;
    } rows[] = {
        {"no-gpu", "skipped: Metal finds no GPU"},
        {"contract", "refused: Fake M1 contracts a product and a sum"},
        {"contract,flush", "refused: Fake M1 contracts a product and a sum"}, /* what is worse is said */
        {"width64", "refused: Fake M1 runs samebits_probe in SIMD-groups of 64 threads, the kernels need 32"},
        {"compile", "refused: Metal does not take the source: program_source:3:1: error: made up"},
        {"error", "refused: the floating-point probe: Caused GPU Address Fault Error (made up)"},
    };
    const Fixture *fixture = *state;
    MetalInfo info;
    assert_null(metal_examine(fixture->arena, &info));
    assert_string_equal(info.name, "Fake M1");
    assert_int_equal(info.width, 32);
    assert_false(info.flushes);
    setenv("FAKE_METAL", "old", 1); /* before macOS 15 there is one switch, fast or not */
    assert_null(metal_examine(fixture->arena, &info));
    setenv("FAKE_METAL", "flush", 1); /* no reason to refuse: the promise is reduced, and said so */
    assert_null(metal_examine(fixture->arena, &info));
    assert_true(info.flushes);
    assert_says(metal_info_text(fixture->arena, &info), "equal wherever no subnormal occurs");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("FAKE_METAL", rows[i].flaw, 1);
        assert_says(metal_examine(fixture->arena, &info), rows[i].says);
    }
}

static void test_elsewhere(void **state)
{
    const Fixture *fixture = *state;
    MetalInfo info;
    unsetenv("SAMEBITS_LIBMETAL");
#ifdef __APPLE__
    const char *why = metal_examine(fixture->arena, &info);
    printf("# Metal here: %s\n", why ? why : metal_info_text(fixture->arena, &info));
    assert_true(!why || !strncmp(why, "skipped: ", 9));
#else
    assert_string_equal(metal_examine(fixture->arena, &info), "skipped: Metal needs macOS");
#endif
}

/* ---- calls ---- */

typedef struct Job {
    const Fixture *fixture;
    Geometry geometry;
    bool chooses;
    double patience;
    size_t cols;
    const char *kernel, *source;
} Job;

/* Small integers: every order of a sum is exact, the fake's too. */
static CallData make_call(Arena *arena, size_t cols)
{
    CallData call = {.param = {2.0f, -3.0f}, .shape = {{ROWS, cols}}};
    float *x = ARENA_ARRAY(arena, float, ROWS *cols), *w = ARENA_ARRAY(arena, float, cols);
    for (size_t i = 0; i < ROWS * cols; i++)
        x[i] = (float)(i * 7 % 23);
    for (size_t i = 0; i < cols; i++)
        w[i] = (float)(i * 5 % 11) - 4;
    call.input[0] = x;
    call.input[1] = w;
    call.output[0] = ARENA_ARRAY(arena, float, ROWS *cols);
    call.output[1] = ARENA_ARRAY(arena, float, ROWS);
    return call;
}

static bool is_right(const CallData *call)
{
    const size_t cols = call->shape.size[1];
    for (size_t r = 0; r < ROWS; r++) {
        long sum = 0;
        for (size_t i = 0; i < cols; i++)
            sum += (long)call->input[0][r * cols + i] * (long)call->input[1][i];
        if ((long)call->output[1][r] != 2 * sum - 3)
            return false;
        for (size_t i = 0; i < cols; i++)
            if ((long)call->output[0][r * cols + i] !=
                (long)call->input[0][r * cols + i] * (long)call->input[1][i] + 2 * sum - 3)
                return false;
    }
    return true;
}

/* One kernel and copies take turns on the same buffers. */
static const char *time_both(const Job *job, MetalDevice *device, MetalKernel *kernel, const CallData *call,
                             Geometry geometry, DeviceSpan span[2])
{
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    MetalTimer *timer = NULL, *copies = NULL;
    MetalSets *sets = metal_sets_create(arena, device, &op, call, 3, &why);
    if (sets)
        timer = metal_timer_create(arena, device, kernel, sets, call, geometry, &why);
    if (timer)
        copies = metal_timer_create(arena, device, NULL, sets, call, (Geometry){0}, &why);
    for (int i = 0; i < 4 && !why; i++)
        why = metal_timer_run(arena, i % 2 ? copies : timer, 7, &span[i % 2]);
    metal_timer_destroy(timer);
    metal_timer_destroy(copies);
    metal_sets_destroy(sets);
    return why;
}

static void call_kernel_once(void *context, FILE *out)
{
    const Job *job = context;
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    const Launch launch = {.entry = {{.name = job->kernel ? job->kernel : "rows_warp", .role = LAUNCH_WARPS}},
                           .entries = 1};
    MetalCallTime time = {0};
    DeviceSpan span[2] = {{0}};
    MetalKernel *kernel = NULL;
    MetalDevice *device = metal_open(arena, &why);
    CallData call = make_call(arena, job->cols ? job->cols : COLS);
    if (device && job->patience > 0)
        metal_set_patience(device, job->patience);
    if (device)
        kernel = metal_kernel_open(arena, device, job->source ? job->source : job->fixture->source, &launch,
                                   &op, ROWS_AXIS, &why);
    const Geometry geometry =
        kernel && job->chooses ? metal_kernel_geometry(kernel, &call.shape) : job->geometry;
    if (kernel)
        why = metal_kernel_call(arena, kernel, &call, job->chooses ? NULL : &job->geometry, &time);
    if (kernel && !why)
        why = time_both(job, device, kernel, &call, geometry, span);
    metal_kernel_close(kernel);
    metal_close(device);
    if (why)
        fprintf(out, "%s", why);
    else
        fprintf(out, "%s, %.0f ns, timed %.0f ns, copy %.0f ns%s", is_right(&call) ? "right" : "wrong",
                time.device_ns, span[0].device_ns, span[1].device_ns,
                span[0].launch_ns > 0 && span[0].whole_ns > 7 * span[0].launch_ns && time.call_ns > 0
                    ? ""
                    : ", no times");
}

static const char *outcome(const Job *job)
{
    Buffer text = {0};
    const char *why =
        child_run(job->fixture->arena, (ChildLimits){60, 0}, call_kernel_once, (void *)job, &text);
    const char *said = why ? why : arena_copy(job->fixture->arena, buffer_string(&text));
    buffer_destroy(&text);
    return said;
}

static void test_call(void **state)
{
    const Job job = {.fixture = *state, .geometry = {PATH_WARPS, 64, 0}};
    assert_string_equal(outcome(&job), "right, 500000 ns, timed 500000 ns, copy 73 ns");
}

/* Generated sources are long: the kernel is found behind as much text as there is. */
static void test_long_source(void **state)
{
    enum { LONG = 100000 };
    const Fixture *fixture = *state;
    char *comment = arena_alloc(fixture->arena, LONG + 1, 1);
    memset(comment, '/', LONG);
    comment[LONG] = '\0';
    const char *source = arena_printf(fixture->arena, "%s\n%s", comment, fixture->source);
    const Job job = {.fixture = fixture, .geometry = {PATH_WARPS, 64, 0}, .source = source};
    assert_says(outcome(&job), "right");
}

static void test_geometry(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = folder_create(fixture->arena), *log = arena_printf(fixture->arena, "%s/log", folder);
    Buffer text = {0};
    Job job = {.fixture = fixture, .chooses = true};
    setenv("FAKE_METAL_LOG", log, 1);
    assert_says(outcome(&job), "right");
    assert_null(buffer_read_file(&text, log, 1 << 16));
    assert_int_equal(strncmp(buffer_string(&text), "rows_warp 1 256\n", 16), 0); /* 8 rows per group */
    buffer_destroy(&text);
    folder_remove(folder);
    unsetenv("FAKE_METAL_LOG");
    job = (Job){.fixture = fixture, .geometry = {PATH_WARPS, 480, 0}};
    assert_says(outcome(&job), "a block of 480 threads is more than the 448 that this kernel allows");
    job.geometry = (Geometry){PATH_WARPS, 50, 0};
    assert_says(outcome(&job), "a block of 50 threads is not a whole number of warps");
    job.geometry = (Geometry){PATH_ROWS, 64, 0};
    assert_says(outcome(&job), "no entry point for the path 'rows'");
}

static void test_failures(void **state)
{
    const Fixture *fixture = *state;
    Job job = {.fixture = fixture, .chooses = true, .kernel = "row"};
    assert_says(outcome(&job), "the source has no kernel 'row'");
    job.kernel = "rows_warp_that_is_not_there"; /* though another begins as it does */
    assert_says(outcome(&job), "the source has no kernel 'rows_warp_that_is_not_there'");
    job.kernel = NULL;
    setenv("FAKE_METAL", "error", 1);
    assert_says(outcome(&job), "rows_warp: Caused GPU Address Fault Error (made up)");
    setenv("FAKE_METAL", "no-room", 1);
    job.cols = 70000;
    assert_says(outcome(&job), "1960000 bytes on the device: there is no room");
    job.cols = 0;
    setenv("FAKE_METAL", "hang", 1);
    job.patience = 0.2;
    assert_says(outcome(&job), "rows_warp: no answer within 0.2 s");
    setenv("FAKE_METAL", "", 1);
    job.source =
        "#include <metal_stdlib>\nkernel void rows_warp() {}\n"; /* the fake is strict: so is the test */
    assert_says(outcome(&job), "killed by SIGABRT");
}

/* ---- for macOS ---- */

static const char *const *cross_compiler(Arena *arena)
{
    static const char *const ways[][5] = {{"zig", "cc", NULL}, {"python3", "-m", "ziglang", "cc", NULL}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *argv[8];
        int count = 0;
        for (; ways[i][count]; count++)
            argv[count] = ways[i][count];
        argv[count++] = "--version";
        argv[count] = NULL;
        Buffer text = {0};
        const char *why = child_exec(arena, (ChildLimits){120, 0}, argv, NULL, &text);
        buffer_destroy(&text);
        if (!why)
            return ways[i];
    }
    return NULL;
}

/* Headers of libraries that are no part of macOS's own, alone: the rest of /usr/include is another system's.
 */
static void copy_headers(Arena *arena, const char *folder)
{
    static const char *const command = "for name in jansson.h jansson_config.h; do for at in /usr/include "
                                       "/usr/include/*-linux-gnu /usr/local/include; "
                                       "do [ ! -f \"$at/$name\" ] || cp \"$at/$name\" \"$0/\"; done; done";
    const char *argv[] = {"sh", "-c", command, folder, NULL};
    Buffer text = {0};
    assert_null(child_exec(arena, (ChildLimits){20, 0}, argv, NULL, &text));
    buffer_destroy(&text);
}

static void compile_for_mac(Arena *arena, const char *const *compiler, const char *headers,
                            const char *source)
{
    const char *argv[32];
    int count = 0;
    for (; compiler[count]; count++)
        argv[count] = compiler[count];
    const char *const flags[] = {"-target",
                                 "aarch64-macos",
                                 "-std=gnu17",
                                 "-Wall",
                                 "-Wextra",
                                 "-Werror",
                                 "-D_GNU_SOURCE",
                                 "-ffp-contract=off",
                                 "-Igenerator",
                                 "-Iruntime",
                                 arena_printf(arena, "-I%s", headers),
                                 "-c",
                                 source,
                                 "-o",
                                 arena_printf(arena, "%s/object.o", headers)};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        argv[count++] = flags[i];
    argv[count] = NULL;
    Buffer text = {0};
    const char *why = child_exec(arena, (ChildLimits){120, 0}, argv, root, &text);
    if (why)
        fail_msg("%s: %s\n%s", source, why, buffer_string(&text));
    buffer_destroy(&text);
}

static void test_compiles_for_mac(void **state)
{
    static const char *const folders[] = {"runtime/metal", "runtime/device"};
    const Fixture *fixture = *state;
    const char *const *compiler = cross_compiler(fixture->arena);
    if (!compiler) {
        printf("# skipped: no compiler for macOS here; `pip install ziglang` brings one\n");
        skip();
    }
    const char *relative = folder_create(fixture->arena);
    char *headers = realpath(relative, NULL);
    copy_headers(fixture->arena, headers);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        DIR *directory = opendir(arena_printf(fixture->arena, "%s/%s", root, folders[i]));
        assert_non_null(directory);
        for (struct dirent *item; (item = readdir(directory)) != NULL;)
            if (strlen(item->d_name) > 2 && !strcmp(item->d_name + strlen(item->d_name) - 2, ".c"))
                compile_for_mac(fixture->arena, compiler, headers,
                                arena_printf(fixture->arena, "%s/%s", folders[i], item->d_name));
        closedir(directory);
    }
    free(headers);
    folder_remove(relative);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    fake_path = argv[1];
    metal_path = argv[2];
    root = argv[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_examine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_geometry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_compiles_for_mac, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
