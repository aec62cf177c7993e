/* build.c: families of hand-written sources compiled with Ninja; compilers that fail, hang, or are not there.
 */
#include "driver/build.h"

#include "driver/child.h"
#include "driver/explain.h"
#include "driver/kernel.h"

#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { VARIANTS = 3 };

static const Target scalar = {.name = "c", .meaning = "plain C", .width = 1, .extension = ".c"};
static const Operator op = {.name = "twice",
                            .dim = {"n"},
                            .input = {{.name = "x", .rank = 1}},
                            .output = {{.name = "y", .rank = 1}},
                            .dims = 1,
                            .inputs = 1,
                            .outputs = 1};

typedef struct Fixture {
    Arena *arena;
    const char *folder; /* also out_dir */
    const char *path;   /* $PATH as it was */
    Variant variant[VARIANTS];
    Family family;
    Diagnostics diagnostics;
    BuildResult result;
} Fixture;

static const char *kernel_text(Arena *arena, const char *symbol, const char *factor)
{
    return arena_printf(arena,
                        "#include <stddef.h>\n"
                        "void %s(const float *x, float *y, size_t n);\n"
                        "void %s(const float *x, float *y, size_t n)\n"
                        "{\n"
                        "#pragma omp parallel for schedule(static)\n"
                        "    for (size_t i = 0; i < n; i++) {\n"
                        "        y[i] = x[i] * %s;\n"
                        "    }\n"
                        "}\n",
                        symbol, symbol, factor);
}

static void write_source(Fixture *fixture, const char *name, const char *text)
{
    folder_write(fixture->arena, arena_printf(fixture->arena, "%s/fam ily", fixture->folder), name, text);
}

static Variant make_variant(Arena *arena, const char *id)
{
    return (Variant){.id = id,
                     .op = &op,
                     .target = &scalar,
                     .symbol = arena_printf(arena, "samebits_%s", id),
                     .source = arena_printf(arena, "%s.c", id)};
}

/* Three variants and a control whose family's name has a blank. */
static int set_up(void **state)
{
    static const char *const ids[VARIANTS] = {"twice_a", "twice_b", "twice_c"};
    Arena *arena = arena_create();
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    fixture->arena = arena;
    fixture->folder = folder_create(arena);
    fixture->path = arena_copy(arena, getenv("PATH"));
    for (int v = 0; v < VARIANTS; v++) {
        fixture->variant[v] = make_variant(arena, ids[v]);
    }
    fixture->family = (Family){.name = "fam ily",
                               .op = &op,
                               .variant = fixture->variant,
                               .variants = VARIANTS,
                               .control = {make_variant(arena, "control_x")},
                               .controls = 1};
    diagnostics_init(&fixture->diagnostics, arena);
    const char *why = build_write_ninja(&fixture->family, fixture->folder);
    if (why) {
        fail_msg("%s", why);
    }
    for (int v = 0; v < VARIANTS; v++) {
        write_source(fixture, fixture->variant[v].source,
                     kernel_text(arena, fixture->variant[v].symbol, "2.0f"));
    }
    write_source(fixture, "control_x.c", kernel_text(arena, "samebits_control_x", "3.0f"));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    unsetenv("SAMEBITS_CLANG");
    unsetenv("SAMEBITS_GCC");
    unsetenv("SAMEBITS_COMPILE_SECONDS");
    setenv("PATH", fixture->path, 1);
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static bool build(Fixture *fixture, bool all_rows)
{
    return build_run(fixture->arena, &fixture->diagnostics, &fixture->family, fixture->folder, all_rows,
                     false, &fixture->result);
}

static const char *why(const Fixture *fixture, int variant, int row)
{
    return fixture->result.why[variant * build_count + row];
}

static void expect_built(const Fixture *fixture, int variant, int row)
{
    if (why(fixture, variant, row)) {
        fail_msg("variant %d, %s: %s", variant, build_rows[row].name, why(fixture, variant, row));
    }
}

static void expect_reason(const char *reason, const char *part)
{
    assert_non_null(reason);
    if (!strstr(reason, part)) {
        fail_msg("'%s' is not in: %s", part, reason);
    }
}

static bool have_gcc(void)
{
    return system("gcc --version >/dev/null 2>&1") == 0;
}

static void work_call(void *context, FILE *out)
{
    const char *reason = NULL;
    Arena *arena = arena_create();
    Kernel *kernel =
        kernel_open(arena, ((const char **)context)[0], ((const char **)context)[1], &op, &reason);
    if (!kernel) {
        fputs(reason, out);
        return;
    }
    const float x[3] = {1, 2, 4};
    float y[3] = {0};
    const CallData call = {.input = {x}, .output = {y}, .shape = {{3}}};
    kernel_set_threads(2);
    kernel_call(kernel, &call);
    fprintf(out, "%g %g %g", y[0], y[1], y[2]);
}

static void expect_result(const Fixture *fixture, const char *object, const char *symbol, const char *text)
{
    Buffer result = {0};
    const char *names[] = {object, symbol};
    assert_null(child_run(fixture->arena, (ChildLimits){30, 0}, work_call, names, &result));
    assert_string_equal(buffer_string(&result), text);
    buffer_destroy(&result);
}

static void test_every_row(void **state)
{
    Fixture *fixture = *state;
    const bool gcc = have_gcc();
    assert_true(build(fixture, true));
    for (int v = 0; v < VARIANTS; v++) {
        for (int b = 0; b < build_count; b++) {
            if (!gcc && strcmp(build_rows[b].compiler, "gcc") == 0) {
                expect_reason(why(fixture, v, b), "skipped: no compiler");
                continue;
            }
            expect_built(fixture, v, b);
            expect_result(
                fixture,
                build_object_path(fixture->arena, &fixture->family, &fixture->variant[v], fixture->folder, b),
                fixture->variant[v].symbol, "2 4 8");
        }
    }
    assert_null(fixture->result.control_why[0]);
    expect_result(
        fixture,
        build_object_path(fixture->arena, &fixture->family, &fixture->family.control[0], fixture->folder, 0),
        "samebits_control_x", "3 6 12");
    assert_int_equal(fixture->result.compiled, VARIANTS * (gcc ? 4 : 2) + 1);
}

/* Every object names LLVM's OpenMP runtime and never GNU's, or one process would hold two. */
static void test_one_openmp_runtime(void **state)
{
    Fixture *fixture = *state;
    if (system("readelf --version >/dev/null 2>&1") != 0) {
        skip();
    }
    assert_true(build(fixture, true));
    for (int b = 0; b < build_count; b++) {
        if (why(fixture, 0, b)) {
            continue;
        }
        Buffer output = {0};
        const char *object =
            build_object_path(fixture->arena, &fixture->family, &fixture->variant[0], fixture->folder, b);
        const char *const argv[] = {"readelf", "-d", object, NULL};
        assert_null(child_exec(fixture->arena, (ChildLimits){30, 0}, argv, NULL, &output));
        assert_non_null(strstr(buffer_string(&output), "libomp"));
        assert_null(strstr(buffer_string(&output), "libgomp"));
        buffer_destroy(&output);
    }
}

static void test_default_row_and_nothing_twice(void **state)
{
    Fixture *fixture = *state;
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, VARIANTS + 1);
    expect_built(fixture, 0, 0);
    assert_string_equal(why(fixture, 0, 1), "not asked for");
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, 0);
    expect_built(fixture, 0, 0);
    write_source(fixture, "twice_b.c", kernel_text(fixture->arena, "samebits_twice_b", "5.0f"));
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, 1);
    expect_result(
        fixture,
        build_object_path(fixture->arena, &fixture->family, &fixture->variant[1], fixture->folder, 0),
        "samebits_twice_b", "5 10 20");
    expect_reason(build_compiler_version(fixture->arena, &fixture->family, fixture->folder, "clang"),
                  "clang version");
    assert_string_equal(build_compiler_version(fixture->arena, &fixture->family, fixture->folder, "icc"), "");
}

static void test_error_is_mapped(void **state)
{
    Fixture *fixture = *state;
    write_source(fixture, "twice_b.c",
                 "void samebits_twice_b(void);\n"
                 "void samebits_twice_b(void)\n"
                 "{\n"
                 "    int y = undeclared;\n"
                 "}\n");
    write_source(
        fixture, "twice_b.c.map.json",
        "[{\"chain\":\"cpu/a.c:1\",\"spec_line\":0},{\"chain\":\"cpu/a.c:2\",\"spec_line\":0},"
        "{\"chain\":\"cpu/a.c:3\",\"spec_line\":0},{\"chain\":\"cpu/a.c:12 > cpu/b.c:3\",\"spec_line\":7},"
        "{\"chain\":\"cpu/a.c:13\",\"spec_line\":0}]");
    assert_true(build(fixture, false));
    expect_built(fixture, 0, 0);
    expect_built(fixture, 2, 0);
    expect_reason(why(fixture, 1, 0),
                  arena_printf(fixture->arena, "%s/fam ily/twice_b.c:4:13: error: ", fixture->folder));
    expect_reason(why(fixture, 1, 0), "undeclared");
    expect_reason(why(fixture, 1, 0), "(from cpu/a.c:12 > cpu/b.c:3; spec line 7)");
    assert_int_equal(fixture->result.compiled, VARIANTS); /* two variants and the control */
    assert_false(diagnostics_any(&fixture->diagnostics));
}

/* An object from before must not hide that the source no longer compiles. */
static void test_stale_object_is_no_success(void **state)
{
    Fixture *fixture = *state;
    assert_true(build(fixture, true));
    write_source(fixture, "twice_c.c", "#error nothing today\n");
    assert_true(build(fixture, true));
    for (int b = 0; b < build_count; b++) {
        if (!why(fixture, 0, b)) {
            expect_reason(why(fixture, 2, b), "nothing today");
        }
    }
}

static void test_warnings_are_errors(void **state)
{
    Fixture *fixture = *state;
    write_source(fixture, "twice_a.c",
                 "void samebits_twice_a(int unused);\nvoid samebits_twice_a(int unused)\n{\n}\n");
    assert_true(build(fixture, false));
    expect_reason(why(fixture, 0, 0), "unused");
}

/* Found by its name: SAMEBITS_CLANG is split at blanks, as CC is, and the tests may lie in "a folder". */
static const char *write_program(Fixture *fixture, const char *name, const char *text)
{
    const char *path = folder_write(fixture->arena, fixture->folder, name, text);
    assert_int_equal(chmod(path, 0755), 0);
    char *absolute = realpath(fixture->folder, NULL);
    setenv("PATH", arena_printf(fixture->arena, "%s:%s", absolute, fixture->path), 1);
    free(absolute);
    return name;
}

static void test_compiler_that_hangs(void **state)
{
    Fixture *fixture = *state;
    setenv("SAMEBITS_CLANG",
           write_program(fixture, "slow-clang",
                         "#!/bin/sh\ncase \"$*\" in *twice_b*) sleep 1000;; esac\nexec clang \"$@\"\n"),
           1);
    setenv("SAMEBITS_COMPILE_SECONDS", "2", 1);
    const time_t started = time(NULL);
    assert_true(build(fixture, false));
    assert_true(time(NULL) - started < 60);
    expect_built(fixture, 0, 0);
    expect_built(fixture, 2, 0);
    assert_string_equal(why(fixture, 1, 0), "the compiler gave no answer within 2 s");
}

static void test_compiler_that_fails(void **state)
{
    Fixture *fixture = *state;
    setenv("SAMEBITS_GCC",
           write_program(fixture, "bad-gcc",
                         "#!/bin/sh\ntest \"$1\" = --version && { echo bad 1; exit 0; }\necho 'no licence "
                         "today'\nexit 3\n"),
           1);
    assert_true(build(fixture, true));
    expect_built(fixture, 0, 0);
    expect_built(fixture, 0, 1);
    assert_string_equal(why(fixture, 0, 2), "no licence today");
    setenv("SAMEBITS_GCC", write_program(fixture, "dumb-gcc", "#!/bin/sh\nexit 9\n"), 1);
    assert_true(build(fixture, true));
    expect_built(fixture, 0, 1);
    expect_reason(why(fixture, 0, 3), "gcc --version failed");
}

static void test_compiler_that_is_missing(void **state)
{
    Fixture *fixture = *state;
    setenv("SAMEBITS_GCC", "no-such-gcc", 1);
    assert_true(build(fixture, true));
    expect_built(fixture, 1, 0);
    expect_built(fixture, 1, 1);
    assert_string_equal(why(fixture, 1, 2),
                        "skipped: no compiler 'no-such-gcc' here: install gcc, or name one in SAMEBITS_GCC");
    assert_false(diagnostics_any(&fixture->diagnostics));
    const char *blank = folder_write(
        fixture->arena, arena_printf(fixture->arena, "%s/fam ily", fixture->folder), "gcc", "#!/bin/sh\n");
    assert_int_equal(chmod(blank, 0755), 0);
    setenv("SAMEBITS_GCC", blank, 1);
    assert_true(build(fixture, true));
    expect_reason(why(fixture, 1, 2), "put its folder in PATH");
    setenv("SAMEBITS_CLANG", "no-such-clang", 1);
    assert_false(build(fixture, true));
    assert_int_equal(fixture->diagnostics.count, 1);
    expect_reason(fixture->diagnostics.message[0], "no compiler 'no-such-clang' here");
}

static void test_new_compiler_rebuilds(void **state)
{
    Fixture *fixture = *state;
    static const char shape[] =
        "#!/bin/sh\ntest \"$1\" = --version && { echo clang version %d; exit 0; }\nexec clang \"$@\"\n";
    setenv("SAMEBITS_CLANG", write_program(fixture, "some-clang", arena_printf(fixture->arena, shape, 1)), 1);
    assert_true(build(fixture, false));
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, 0);
    write_program(fixture, "some-clang", arena_printf(fixture->arena, shape, 2));
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, VARIANTS + 1);
}

static void test_missing_ninja_file(void **state)
{
    Fixture *fixture = *state;
    remove(arena_printf(fixture->arena, "%s/fam ily/build.ninja", fixture->folder));
    assert_false(build(fixture, false));
    expect_reason(fixture->diagnostics.message[0], "build.ninja");
}

static void test_missing_ninja(void **state)
{
    Fixture *fixture = *state;
    char *path = strdup(getenv("PATH"));
    const char *bin = arena_printf(fixture->arena, "%s/bin", fixture->folder);
    mkdir(bin, 0755);
    char *absolute = realpath(bin, NULL);
    /* only sh and a compiler's name are found */
    assert_int_equal(symlink("/bin/sh", arena_printf(fixture->arena, "%s/sh", bin)), 0);
    assert_int_equal(symlink("/bin/sh", arena_printf(fixture->arena, "%s/clang", bin)), 0);
    setenv("PATH", absolute, 1);
    const bool ran = build(fixture, false);
    setenv("PATH", path, 1);
    free(path);
    free(absolute);
    assert_false(ran);
    expect_reason(fixture->diagnostics.message[0], "install ninja-build");
}

/* -Ofast reorders, and the code that it links to set FTZ and DAZ must not be in the object. */
static void test_baselines(void **state)
{
    Fixture *fixture = *state;
    write_source(fixture, "baseline_twice.c", kernel_text(fixture->arena, "samebits_baseline_twice", "2.0f"));
    const char *reasons[8] = {0};
    assert_true(baseline_count <= 8);
    assert_true(build_run_baselines(fixture->arena, &fixture->diagnostics, &fixture->family, fixture->folder,
                                    false, reasons));
    for (int b = 0; b < baseline_count; b++) {
        if (reasons[b] && strncmp(reasons[b], "skipped", 7) == 0) {
            continue;
        }
        if (reasons[b]) {
            fail_msg("%s: %s", baseline_rows[b].name, reasons[b]);
        }
        const char *object = build_baseline_path(fixture->arena, &fixture->family, fixture->folder, b);
        expect_result(fixture, object, "samebits_baseline_twice", "2 4 8");
        Buffer output = {0};
        const char *const argv[] = {"nm", object, NULL};
        if (!child_exec(fixture->arena, (ChildLimits){30, 0}, argv, NULL, &output)) {
            assert_non_null(strstr(buffer_string(&output), "samebits_baseline_twice"));
            assert_null(strstr(buffer_string(&output), "set_fast_math"));
        }
        buffer_destroy(&output);
    }
}

static void test_command_compiles_as_quoted(void **state)
{
    Fixture *fixture = *state;
    for (int b = 0; b < build_count; b++) {
        if (strcmp(build_rows[b].compiler, "gcc") == 0 && !have_gcc()) {
            continue;
        }
        Buffer output = {0};
        const char *const argv[] = {"sh", "-c", build_command_text(fixture->arena, &fixture->variant[0], b),
                                    NULL};
        const char *folder = arena_printf(fixture->arena, "%s/fam ily", fixture->folder);
        const char *reason = child_exec(fixture->arena, (ChildLimits){60, 0}, argv, folder, &output);
        if (reason) {
            fail_msg("%s: %s\n%s", argv[2], reason, buffer_string(&output));
        }
        buffer_destroy(&output);
        expect_result(fixture, arena_printf(fixture->arena, "%s/twice_a.so", folder), "samebits_twice_a",
                      "2 4 8");
    }
}

/* ---- the precompiled header ---- */

/* Two vector variants that use <immintrin.h>, and one that has the header for itself and goes without. */
static void make_vectors(Fixture *fixture)
{
    static const Target vector = {
        .name = "avx2", .width = 8, .extension = ".c", .compile = "-mavx2 -mfma", .cpu_needs = "avx2 fma"};
    for (int v = 0; v < 2; v++) {
        fixture->variant[v].target = &vector;
        write_source(fixture, fixture->variant[v].source,
                     arena_printf(fixture->arena,
                                  "#include <immintrin.h>\n#include <stddef.h>\n"
                                  "void %s(const float *x, float *y, size_t n);\n"
                                  "void %s(const float *x, float *y, size_t n)\n"
                                  "{\n"
                                  "    const __m256 two = _mm256_set1_ps(2.0f);\n"
                                  "    for (size_t i = 0; i < n; i++)\n"
                                  "        y[i] = x[i] * _mm256_cvtss_f32(two);\n"
                                  "}\n",
                                  fixture->variant[v].symbol, fixture->variant[v].symbol));
    }
    assert_null(build_write_ninja(&fixture->family, fixture->folder));
}

static const char *read_text(Fixture *fixture, const char *name, size_t *size)
{
    Buffer text = {0};
    const char *path = arena_printf(fixture->arena, "%s/fam ily/%s", fixture->folder, name);
    const char *reason = buffer_read_file(&text, path, 1 << 26);
    if (reason) {
        fail_msg("%s: %s", path, reason);
    }
    const char *copy = arena_copy_bytes(fixture->arena, buffer_string(&text), text.size);
    *size = text.size;
    buffer_destroy(&text);
    return copy;
}

/* The object is the one that the command in the source's head makes, byte for byte. */
static void test_header_is_shared_and_changes_nothing(void **state)
{
    Fixture *fixture = *state;
    size_t size, plain_size;
    make_vectors(fixture);
    assert_true(build(fixture, true));
    assert_string_equal(read_text(fixture, "obj/clang-O3/avx2.flags", &size),
                        "-include-pch obj/clang-O3/avx2.pch\n");
    assert_string_equal(read_text(fixture, "obj/clang-O0/avx2.flags", &size),
                        "-include-pch obj/clang-O0/avx2.pch\n");
    for (int b = 0; b < build_count; b++) {
        if (strcmp(build_rows[b].compiler, "gcc") != 0 || have_gcc()) {
            expect_built(fixture, 0, b);
            expect_built(fixture, 2, b);
        }
    }
    const char *shared = read_text(fixture, "obj/clang-O3/twice_a.so", &size);
    Buffer output = {0};
    const char *const argv[] = {"sh", "-c", build_command_text(fixture->arena, &fixture->variant[0], 0),
                                NULL};
    const char *folder = arena_printf(fixture->arena, "%s/fam ily", fixture->folder);
    assert_null(child_exec(fixture->arena, (ChildLimits){60, 0}, argv, folder, &output));
    buffer_destroy(&output);
    const char *plain = read_text(fixture, "twice_a.so", &plain_size);
    assert_int_equal(size, plain_size);
    assert_memory_equal(shared, plain, size);
}

static void test_lost_header_is_made_again(void **state)
{
    Fixture *fixture = *state;
    make_vectors(fixture);
    assert_true(build(fixture, false));
    const char *header =
        build_header_path(fixture->arena, &fixture->family, fixture->variant[0].target, fixture->folder, 0);
    assert_int_equal(remove(header), 0);
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, 2); /* what uses it */
    expect_built(fixture, 0, 0);
    assert_true(build(fixture, false));
    assert_int_equal(fixture->result.compiled, 0);
}

/* One that makes no header, and one that makes it and does not take it. */
static void test_compiler_without_headers(void **state)
{
    static const char *const refuses[] = {"c-header", "-include-pch"};
    Fixture *fixture = *state;
    size_t size;
    make_vectors(fixture);
    for (int i = 0; i < 2; i++) {
        const char *text = arena_printf(fixture->arena,
                                        "#!/bin/sh\ntest \"$1\" = --version && { echo other %d; exit 0; }\n"
                                        "case \"$*\" in *%s*) exit 1;; esac\nexec clang \"$@\"\n",
                                        i, refuses[i]);
        setenv("SAMEBITS_CLANG", write_program(fixture, "other-clang", text), 1);
        assert_true(build(fixture, false));
        assert_int_equal(fixture->result.compiled, VARIANTS + 1);
        expect_built(fixture, 0, 0);
        expect_built(fixture, 1, 0);
        assert_string_equal(read_text(fixture, "obj/clang-O3/avx2.flags", &size), "");
        assert_true(build(fixture, false));
        assert_int_equal(fixture->result.compiled, 0);
    }
}

/* The same family gives the same file, and the file names no machine. */
static void test_ninja_file_is_the_same_everywhere(void **state)
{
    Fixture *fixture = *state;
    Buffer first = {0}, second = {0};
    const char *path = arena_printf(fixture->arena, "%s/fam ily/build.ninja", fixture->folder);
    assert_null(buffer_read_file(&first, path, 1 << 20));
    setenv("SAMEBITS_CLANG", "/opt/another/clang", 1);
    assert_null(build_write_ninja(&fixture->family, fixture->folder));
    assert_null(buffer_read_file(&second, path, 1 << 20));
    assert_string_equal(buffer_string(&first), buffer_string(&second));
    assert_null(strstr(buffer_string(&first), fixture->folder));
    assert_null(strstr(buffer_string(&first), "/usr"));
    buffer_destroy(&first);
    buffer_destroy(&second);
}

static void test_explanations(void **state)
{
    Fixture *fixture = *state;
    Arena *arena = fixture->arena;
    assert_string_equal(explain_compiler_output(arena, "out/f", "x.c", ""),
                        "the compiler failed without a message");
    assert_string_equal(explain_compiler_output(arena, "out/f", "x.c", "one\ntwo\nthree\nfour\n"),
                        "one\ntwo\nthree");
    assert_string_equal(
        explain_compiler_output(
            arena, "out/f", "x.c",
            "x.c: In function 'f':\nx.c:4:13: error: bad\n   4 | y\nx.cc:5:1: error: other\n"),
        "out/f/x.c:4:13: error: bad\nx.cc:5:1: error: other");
    assert_string_equal(
        explain_compiler_output(arena, "out/f", "x.c", "/usr/bin/ld: x.o: undefined reference to `g'\n"),
        "/usr/bin/ld: x.o: undefined reference to `g'");
    write_source(fixture, "x.c.map.json", "{\"not\": \"an array\"");
    assert_string_equal(explain_compiler_output(arena, arena_printf(arena, "%s/fam ily", fixture->folder),
                                                "x.c", "y.h:1:1: error: bad"),
                        "y.h:1:1: error: bad");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_row),
        TEST(test_one_openmp_runtime),
        TEST(test_default_row_and_nothing_twice),
        TEST(test_error_is_mapped),
        TEST(test_stale_object_is_no_success),
        TEST(test_warnings_are_errors),
        TEST(test_compiler_that_hangs),
        TEST(test_compiler_that_fails),
        TEST(test_compiler_that_is_missing),
        TEST(test_new_compiler_rebuilds),
        TEST(test_missing_ninja_file),
        TEST(test_missing_ninja),
        TEST(test_baselines),
        TEST(test_command_compiles_as_quoted),
        TEST(test_header_is_shared_and_changes_nothing),
        TEST(test_lost_header_is_made_again),
        TEST(test_compiler_without_headers),
        TEST(test_ninja_file_is_the_same_everywhere),
        TEST(test_explanations),
    };
    return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
