/* kernel.c: kernels compiled from text here: called, threaded, crashing, hanging, writing out of bounds. */
#include "driver/kernel.h"

#include "driver/build.h"
#include "driver/child.h"
#include "driver/guard.h"

#include "folder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two inputs, two outputs, two sizes, two parameters: an argument in the wrong place shows. */
static const Operator op = {
    .name = "probe",
    .dim = {"rows", "cols"},
    .input = {{.name = "x", .rank = 2, .dim = {0, 1}}, {.name = "w", .rank = 1, .dim = {1}}},
    .output = {{.name = "y", .rank = 2, .dim = {0, 1}}, {.name = "z", .rank = 1, .dim = {0}}},
    .param = {{"a", 0}, {"b", 0}},
    .dims = 2,
    .inputs = 2,
    .outputs = 2,
    .params = 2,
};

static const char head[] =
    "#include <stddef.h>\n"
    "void f(const float *x, const float *w, float *y, float *z, size_t rows, size_t cols, float a, float "
    "b);\n"
    "void f(const float *x, const float *w, float *y, float *z, size_t rows, size_t cols, float a, float b)\n"
    "{\n    (void)x, (void)w, (void)y, (void)z, (void)rows, (void)cols, (void)a, (void)b;\n";

typedef struct Fixture {
    Arena *arena;
    const char *folder;
} Fixture;

static int set_up(void **state)
{
    static Fixture fixture;
    fixture.arena = arena_create();
    fixture.folder = folder_create(fixture.arena);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    const Fixture *fixture = *state;
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static const char *compile(const Fixture *fixture, const char *name, const char *head_text, const char *body)
{
    Arena *arena = fixture->arena;
    const char *source = folder_write(arena, fixture->folder, arena_printf(arena, "%s.c", name),
                                      arena_printf(arena, "%s%s}\n", head_text, body));
    const char *object = arena_printf(arena, "%s/%s.so", fixture->folder, name);
    const char *command = arena_printf(arena, "${SAMEBITS_CLANG:-clang} %s -shared -o %s %s",
                                       build_rows[0].flags, object, source);
    Buffer output = {0};
    const char *const argv[] = {"sh", "-c", command, NULL};
    const char *why = child_exec(arena, (ChildLimits){60, 0}, argv, NULL, &output);
    if (why) {
        fail_msg("%s\n%s", why, buffer_string(&output));
    }
    buffer_destroy(&output);
    return object;
}

/* Calls the kernel in a child on guarded buffers of 2 x 3. */
typedef struct Trial {
    const char *object;
    int threads; /* 0: as it is */
} Trial;

enum { ROWS = 2, COLS = 3 };

static void work_call(void *context, FILE *out)
{
    const Trial *trial = context;
    Arena *arena = arena_create();
    const char *why = NULL;
    Kernel *kernel = kernel_open(arena, trial->object, "f", &op, &why);
    if (!kernel) {
        fputs(why, out);
        return;
    }
    GuardedBuffer x, w, y, z;
    guarded_buffer_create(&x, ROWS * COLS, GUARD_OFFSET, 4);
    guarded_buffer_create(&w, COLS, GUARD_OFFSET, 8);
    guarded_buffer_create(&y, ROWS * COLS, GUARD_OFFSET, 0);
    guarded_buffer_create(&z, ROWS, GUARD_OFFSET, 0);
    for (int i = 0; i < ROWS * COLS; i++) {
        x.data[i] = (float)(i + 1);
        w.data[i % COLS] = (float)(10 * (i % COLS + 1));
    }
    const CallData call = {{x.data, w.data}, {y.data, z.data}, {0.5f, 0.25f}, {{ROWS, COLS}}};
    kernel_prepare_thread();
    if (trial->threads > 0) {
        kernel_set_threads(trial->threads);
    }
    kernel_call(kernel, &call);
    why = guarded_buffer_check(&y) ? guarded_buffer_check(&y) : guarded_buffer_check(&z);
    if (why) {
        fputs(why, out);
    } else {
        fprintf(out, "y %g %g %g %g %g %g z %g %g", y.data[0], y.data[1], y.data[2], y.data[3], y.data[4],
                y.data[5], z.data[0], z.data[1]);
    }
    kernel_close(kernel);
    arena_destroy(arena);
}

static void expect_call(const Fixture *fixture, Trial trial, double seconds, const char *reason,
                        const char *text)
{
    Buffer result = {0};
    const char *why = child_run(fixture->arena, (ChildLimits){seconds, 0}, work_call, &trial, &result);
    if (reason) {
        assert_non_null(why);
        assert_string_equal(why, reason);
    } else if (why) {
        fail_msg("%s", why);
    }
    assert_string_equal(buffer_string(&result), text);
    buffer_destroy(&result);
}

static void test_arguments_arrive(void **state)
{
    const char *object = compile(*state, "arguments", head,
                                 "    for (size_t i = 0; i < rows * cols; i++) {\n"
                                 "        y[i] = x[i] + w[i % cols];\n"
                                 "    }\n"
                                 "    z[0] = (float)rows * 100 + (float)cols;\n    z[1] = a * 8 + b;\n");
    expect_call(*state, (Trial){object, 0}, 30, NULL, "y 11 22 33 14 25 36 z 203 4.25");
}

static void test_threads(void **state)
{
    const char *object =
        compile(*state, "threads", arena_printf(((Fixture *)*state)->arena, "#include <omp.h>\n%s", head),
                "    for (size_t i = 0; i < rows * cols; i++) {\n        y[i] = 0;\n    }\n"
                "#pragma omp parallel\n    {\n#pragma omp atomic\n        y[0] += 1;\n    }\n"
                "    z[0] = (float)omp_get_max_threads();\n    z[1] = 0;\n");
    expect_call(*state, (Trial){object, 1}, 30, NULL, "y 1 0 0 0 0 0 z 1 0");
    expect_call(*state, (Trial){object, 3}, 30, NULL, "y 3 0 0 0 0 0 z 3 0");
    expect_call(*state, (Trial){object, 8}, 30, NULL, "y 8 0 0 0 0 0 z 8 0");
}

static void test_crash(void **state)
{
    const char *object = compile(*state, "crash", head, "    y[0] = *(const volatile float *)(rows * 4);\n");
    expect_call(*state, (Trial){object, 0}, 30, "killed by SIGSEGV", "");
}

static void test_hang(void **state)
{
    const char *object = compile(*state, "hang", head, "    for (volatile size_t i = 0;; i++) {\n    }\n");
    expect_call(*state, (Trial){object, 0}, 0.3, "no answer within 0.3 s", "");
}

/* One element behind lies in the page (the canary), half a mebibyte behind does not. */
static void test_out_of_bounds(void **state)
{
    const char *near = compile(*state, "near", head, "    y[rows * cols] = a;\n");
    expect_call(*state, (Trial){near, 0}, 30, NULL, "memory behind a buffer was overwritten");
    const char *front = compile(*state, "front", head, "    z[-1] = a;\n");
    expect_call(*state, (Trial){front, 0}, 30, NULL, "memory in front of a buffer was overwritten");
    const char *far = compile(*state, "far", head, "    y[0] = x[rows * 65536];\n");
    expect_call(*state, (Trial){far, 0}, 30, "killed by SIGSEGV", "");
}

static void test_reasons(void **state)
{
    const Fixture *fixture = *state;
    const char *why = NULL;
    const char *object =
        compile(fixture, "other", "#include <stddef.h>\nvoid g(void);\nvoid g(void)\n{\n", "");
    assert_null(kernel_open(fixture->arena, object, "f", &op, &why));
    assert_non_null(strstr(why, "has no function 'f'"));
    assert_null(kernel_open(fixture->arena, "no-such-kernel.so", "f", &op, &why));
    assert_non_null(strstr(why, "cannot load no-such-kernel.so"));
    const char *text = folder_write(fixture->arena, fixture->folder, "text.so", "not an object\n");
    assert_null(kernel_open(fixture->arena, text, "f", &op, &why));
    assert_non_null(strstr(why, "cannot load"));
    kernel_close(NULL);
}

/* Two kernels with one symbol name stay apart. */
static void test_symbols_are_local(void **state)
{
    const Fixture *fixture = *state;
    const char *why = NULL;
    Kernel *one =
        kernel_open(fixture->arena, compile(fixture, "one", head, "    y[0] = 1;\n"), "f", &op, &why);
    Kernel *two =
        kernel_open(fixture->arena, compile(fixture, "two", head, "    y[0] = 2;\n"), "f", &op, &why);
    assert_non_null(one);
    assert_non_null(two);
    assert_ptr_not_equal(kernel_symbol_address(one), kernel_symbol_address(two));
    float y = 0;
    const CallData call = {.output = {&y}};
    kernel_call(one, &call);
    assert_true(y == 1);
    kernel_call(two, &call);
    assert_true(y == 2);
    kernel_close(one);
    kernel_close(two);
}

/* With FTZ or DAZ on, a subnormal would be lost. Set by hand, then cleared. */
static void test_floating_point_state(void **state)
{
    (void)state;
    volatile float tiny = 0x1p-126f, half = 0.5f, subnormal = 0x1p-140f;
#ifdef __x86_64__
    const unsigned flush = 0x1f80 | 0x8040;
    __asm__ volatile("ldmxcsr %0" : : "m"(flush));
    assert_true(tiny * half == 0 && subnormal * 2 == 0);
#endif
    kernel_prepare_thread();
    assert_true(tiny * half == 0x1p-127f && subnormal * 2 == 0x1p-139f);
}

static void test_default_threads(void **state)
{
    (void)state;
    const char *before = getenv("OMP_NUM_THREADS");
    char *kept = before ? strdup(before) : NULL;
    setenv("OMP_NUM_THREADS", "5", 1);
    assert_int_equal(kernel_default_threads(), 5);
    setenv("OMP_NUM_THREADS", "4,2", 1);
    assert_int_equal(kernel_default_threads(), 4);
    unsetenv("OMP_NUM_THREADS");
    const int all = kernel_default_threads();
    assert_true(all >= 1);
    static const char *const bad[] = {"", "0", "-3", "many", "4x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("OMP_NUM_THREADS", bad[i], 1);
        assert_int_equal(kernel_default_threads(), all);
    }
    kept ? setenv("OMP_NUM_THREADS", kept, 1) : unsetenv("OMP_NUM_THREADS");
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_arrive),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_out_of_bounds),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_symbols_are_local),
        cmocka_unit_test(test_floating_point_state),
        cmocka_unit_test(test_default_threads),
    };
    return cmocka_run_group_tests_name("kernel", tests, set_up, tear_down);
}
