/* elementary.c: the elementary functions: reference against MPFR, templates (both targets, four builds)
 * against reference.
 *
 * Usage: test-elementary TEMPLATE-FOLDER. The pages are expanded by the template engine, compiled and loaded,
 * as kernels are. The exhaustive comparison over all 2^32 inputs is `samebits elementary`; here are the
 * inputs where something could go wrong, and a sample. */
#include "command/elementary.h"
#include "driver/child.h"
#include "lua/data_file.h"
#include "reference/elementary.h"
#include "reference/evaluate.h"
#include "target/target.h"
#include "template/template.h"

#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <mpfr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef float Unary(float);
typedef float Binary(float, float);
typedef void UnaryLoop(const float *x, float *y, size_t count);
typedef void BinaryLoop(const float *a, const float *b, float *y, size_t count);

static const char *template_folder; /* from the command line */

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? 0x7fc00000 : bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- inputs ---- */

enum { SPREAD = 1 << 18, UNIFORM = 1 << 18, NEAR = 512 };

static const uint32_t edges[] = {
    0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x3f3504f3, 0x3f800000, 0x3fb504f3, 0x40000000,
    0x42b0c0a5, 0x42b17217, 0x42b20000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x80000000, 0x80000001,
    0x807fffff, 0x80800000, 0xbf800000, 0xc2aeac50, 0xc2cff1b4, 0xc2d00000, 0xff7fffff, 0xff800000,
};
/* For every rounded constant of exp, then of log, one input that sees it one unit lower and one that sees it
 * one higher: most are too rare for a sample to meet (one in 10^6). No input at all sees the second part of
 * ln 2 in exp changed by less than 16 units. Found by search, two per line in the order of the pages. */
static const uint32_t telling[] = {
    0xc2a86f4d, 0xc259a5f1, /* exp */
    0x425f8800, 0x429baf72, /**/
    0x428676b5, 0x422be646, /* the second part of ln 2 */
    0x419db0d8, 0xbe926441, /**/
    0xc2754460, 0x3e6835f4, /**/
    0xbedae1a6, 0xc1cf74f0, /**/
    0x3eba4550, 0xbeb9f5a9, /**/
    0xbe45651c, 0x3e9d6bc8, /**/
    0x3f9f1ee1, 0x3fa8bdb1, /* log */
    0x3f3314b8, 0x3fb314c5, /**/
    0x3f356e05, 0x3f309aa0, /**/
    0x3f41eafb, 0x3f1e6008, /**/
    0x3f33ab52, 0x3fb63f73, /**/
    0x3f304b6f, 0x3f34abf4, /**/
    0x3f2fc64b, 0x3f321275, /**/
    0x3fb24b77, 0x3fadd680, /**/
    0x3f2d6130, 0x3f33b423, /**/
    0x64b2c961, 0x4a9067b8, /* e ln 2 into the sum */
    0x245ac00d, 0x3ea97621, /* and back */
    0x355245b6, 0x339136d6, /**/
};
enum {
    EDGES = sizeof edges / sizeof edges[0],
    TELLING = sizeof telling / sizeof telling[0],
    INPUTS = SPREAD + UNIFORM + EDGES * (2 * NEAR) + TELLING
};
static_assert(INPUTS % 8 == 0, "loops take eight at a time");

/* Over all bit patterns, evenly over the range where exp neither overflows nor vanishes, and round every
 * edge. */
static float *make_inputs(void)
{
    float *x = malloc(INPUTS * sizeof *x), *next = x;
    for (uint32_t i = 0; i < SPREAD; i++) {
        *next++ = float_of(i * 16381u); /* odd and near 2^14: all signs and binades */
    }
    for (int i = 0; i < UNIFORM; i++) {
        *next++ = -105.0f + 195.0f * (float)i / UNIFORM;
    }
    for (int e = 0; e < EDGES; e++) {
        for (int i = -NEAR; i < NEAR; i++) {
            *next++ = float_of(edges[e] + (uint32_t)i);
        }
    }
    for (int t = 0; t < TELLING; t++) {
        *next++ = float_of(telling[t]);
    }
    return x;
}

static float *apply(Unary *function, const float *x)
{
    float *y = malloc(INPUTS * sizeof *y);
    for (int i = 0; i < INPUTS; i++) {
        y[i] = function(x[i]);
    }
    return y;
}

static int count_differences(const float *y, const float *expected, int count)
{
    int differences = 0;
    for (int i = 0; i < count; i++) {
        differences += bits_of(y[i]) != bits_of(expected[i]);
    }
    return differences;
}

/* ---- the reference ---- */

static void special_values(void **state)
{
    (void)state;
    static const struct {
        Unary *function;
        float x, y;
    } row[] = {
        {reference_exp, 0.0f, 1},
        {reference_exp, -0.0f, 1},
        {reference_exp, INFINITY, INFINITY},
        {reference_exp, -INFINITY, 0.0f},
        {reference_exp, NAN, NAN},
        {reference_exp, 0x1p-149f, 1},
        {reference_exp, 0x1.62e42ep+6f, 0x1.ffff08p+127f}, /* the last finite one */
        {reference_exp, 0x1.62e43p+6f, INFINITY},
        {reference_exp, -0x1.9fe366p+6f, 0x1p-149f}, /* e^x just above 2^-150 */
        {reference_exp, -0x1.9fe36ap+6f, 0.0f},      /* just below */
        {reference_exp, -0x1.fffffep+127f, 0.0f},
        {reference_log, 1.0f, 0.0f},
        {reference_log, 0.0f, -INFINITY},
        {reference_log, -0.0f, -INFINITY},
        {reference_log, -1.0f, NAN},
        {reference_log, -0x1p-149f, NAN},
        {reference_log, -INFINITY, NAN},
        {reference_log, INFINITY, INFINITY},
        {reference_log, NAN, NAN},
        {reference_log, 0x1p-149f, -0x1.9d1dap+6f},
        {reference_log, 0x1.fffffep+127f, 0x1.62e43p+6f},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        float y = row[i].function(row[i].x);
        if (bits_of(y) != bits_of(row[i].y)) {
            fail_msg("row %zu: f(%a) = %a, expected %a", i, (double)row[i].x, (double)y, (double)row[i].y);
        }
    }
}

typedef int MpfrUnary(mpfr_t, const mpfr_t, mpfr_rnd_t);

/* Every input through MPFR itself, not through the shortcut of the command. */
static double largest_error(Unary *function, MpfrUnary *exact_function)
{
    float *x = make_inputs();
    mpfr_t argument, exact;
    mpfr_inits2(100, argument, exact, (mpfr_ptr)0);
    double largest = 0;
    for (int i = 0; i < INPUTS; i++) {
        mpfr_set_flt(argument, x[i], MPFR_RNDN);
        exact_function(exact, argument, MPFR_RNDN);
        double ulps = error_in_ulps(function(x[i]), mpfr_get_d(exact, MPFR_RNDN));
        largest = ulps > largest ? ulps : largest;
    }
    mpfr_clears(argument, exact, (mpfr_ptr)0);
    free(x);
    return largest;
}

static float slightly_wrong_exp(float x)
{
    return reference_exp(x) * (1 + 0x1p-23f);
}

static void errors_are_as_stated(void **state)
{
    (void)state;
    assert_true(largest_error(reference_exp, mpfr_exp) <= 0.997861);
    assert_true(largest_error(reference_log, mpfr_log) <= 0.976755);
    assert_true(largest_error(slightly_wrong_exp, mpfr_exp) > 1); /* what is stated can be broken */
    mpfr_free_cache();
}

/* IEEE 754-2019, 9.6, by the total order of the bits: independent of how the reference decides. */
static float by_order(float a, float b, bool want_larger)
{
    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    int32_t p = (int32_t)bits_of(a), q = (int32_t)bits_of(b);
    int32_t p_key = p < 0 ? INT32_MIN - p : p, q_key = q < 0 ? INT32_MIN - q : q;
    p_key -= p < 0; /* -0 lies below +0 */
    q_key -= q < 0;
    return (p_key > q_key) == want_larger ? a : b;
}

static const float operands[] = {0.0f,      -0.0f,      1.0f,     -1.0f,     0x1p-149f, -0x1p-149f,
                                 0x1p-126f, -0x1p-126f, 0x1p127f, -0x1p127f, INFINITY,  -INFINITY,
                                 2.0f,      -2.0f,      NAN,      -NAN};
enum { OPERANDS = sizeof operands / sizeof operands[0], PAIRS = OPERANDS * OPERANDS };

static void make_pairs(float *a, float *b)
{
    for (int i = 0; i < PAIRS; i++) {
        a[i] = operands[i / OPERANDS];
        b[i] = operands[i % OPERANDS];
    }
}

static void maximum_and_minimum_of_every_pair(void **state)
{
    (void)state;
    float a[PAIRS], b[PAIRS];
    make_pairs(a, b);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(bits_of(reference_maximum(a[i], b[i])), bits_of(by_order(a[i], b[i], true)));
        assert_int_equal(bits_of(reference_minimum(a[i], b[i])), bits_of(by_order(a[i], b[i], false)));
    }
}

/* ---- the templates ---- */

typedef struct Press {
    Arena *arena;
    Diagnostics diagnostics;
    TemplateEngine *engine;
    Buffer source;
} Press;

static const char *load_page(void *context, const char *name)
{
    Press *press = context;
    Buffer text = {0};
    const char *why =
        buffer_read_file(&text, arena_printf(press->arena, "%s/%s", template_folder, name), 1 << 20);
    const char *copy = why ? NULL : arena_copy(press->arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

static void add_page(Press *press, const json_t *words, const char *page, const char *name, bool vector)
{
    json_t *data = json_pack("{s:s s:s s:s s:s}", "storage", "static inline", "V",
                             vector ? "__m256" : "float", "I", vector ? "__m256i" : "int32_t", "name", name);
    Expansion expansion = {0};
    const char *path = arena_printf(press->arena, "elementary/%s.c", page);
    bool done =
        template_expand(press->engine, press->arena, &press->diagnostics, path, data, words, &expansion);
    diagnostics_print(&press->diagnostics, stderr);
    assert_true(done);
    buffer_append_string(&press->source, buffer_string(&expansion.text));
    expansion_destroy(&expansion);
    json_decref(data);
}

static const char *const unary_pages[] = {"exp", "log"};
static const char *const binary_pages[] = {"maximum", "minimum"};

static const char *const scalar_unary = "void loop_%s(const float *x, float *y, size_t n)\n"
                                        "{ for (size_t i = 0; i < n; i++) y[i] = %s_f32(x[i]); }\n";
static const char *const scalar_binary = "void loop_%s(const float *a, const float *b, float *y, size_t n)\n"
                                         "{ for (size_t i = 0; i < n; i++) y[i] = %s_f32(a[i], b[i]); }\n";
static const char *const vector_unary =
    "void loop_%s(const float *x, float *y, size_t n)\n"
    "{ for (size_t i = 0; i < n; i += 8) _mm256_storeu_ps(y + i, %s_f32x8(_mm256_loadu_ps(x + i))); }\n";
static const char *const vector_binary =
    "void loop_%s(const float *a, const float *b, float *y, size_t n)\n"
    "{ for (size_t i = 0; i < n; i += 8)\n"
    "  _mm256_storeu_ps(y + i, %s_f32x8(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i))); }\n";

/* A page and a loop that applies it. */
static void add_loop(Press *press, const char *loop, const char *name)
{
    for (const char *rest = loop; *rest; rest++) { /* both %s are the name */
        if (rest[0] == '%') {
            buffer_append_string(&press->source, name);
            rest++;
        } else {
            buffer_append(&press->source, rest, 1);
        }
    }
}

static void add_function(Press *press, const json_t *words, const char *page, const char *loop, bool vector)
{
    add_page(press, words, page, arena_printf(press->arena, vector ? "%s_f32x8" : "%s_f32", page), vector);
    add_loop(press, loop, page);
}

/* The target's words, which the caller frees. */
static json_t *press_open(Press *press, bool vector)
{
    press->arena = arena_create();
    diagnostics_init(&press->diagnostics, press->arena);
    press->engine = template_engine_create(load_page, press);
    const char *file = arena_printf(press->arena, "%s/words/%s.lua", template_folder, vector ? "avx2" : "c");
    json_t *words = data_file_read(press->arena, &press->diagnostics, file);
    assert_non_null(words);
    buffer_append_string(&press->source, vector ? "#include <immintrin.h>\n" : "#include <string.h>\n");
    buffer_append_string(&press->source, "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n");
    return words;
}

/* A C file with one loop per function, in the words of `target`. */
static void press_make(Press *press, bool vector)
{
    json_t *words = press_open(press, vector);
    if (!vector) {
        add_page(press, words, "bits_of", "bits_of", false);
        add_page(press, words, "float_of", "float_of", false);
    }
    for (int p = 0; p < 2; p++) {
        add_function(press, words, unary_pages[p], vector ? vector_unary : scalar_unary, vector);
        add_function(press, words, binary_pages[p], vector ? vector_binary : scalar_binary, vector);
    }
    json_decref(words);
}

static void press_destroy(Press *press)
{
    template_engine_destroy(press->engine);
    buffer_destroy(&press->source);
    arena_destroy(press->arena);
}

/* ---- builds of the templates ---- */

static const struct {
    const char *compiler, *level;
} builds[] = {{"clang", "-O0"}, {"clang", "-O3"}, {"gcc", "-O0"}, {"gcc", "-O3"}};
enum { BUILDS = sizeof builds / sizeof builds[0] };

static bool is_installed(Arena *arena, const char *compiler)
{
    Buffer output = {0};
    const char *why =
        child_exec(arena, (ChildLimits){20, 0}, (const char *[]){compiler, "--version", NULL}, "/", &output);
    buffer_destroy(&output);
    return why == NULL;
}

/* Compiles `source` in a new folder and loads it; the folder is gone afterwards. */
static void *build_and_load(Arena *arena, const Buffer *source, int build, bool vector)
{
    char folder[] = "/tmp/samebits-elementary-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *file = arena_printf(arena, "%s/pages.c", folder),
               *object = arena_printf(arena, "%s/pages.so", folder);
    assert_null(buffer_write_file(source, file));
    const char *const command[] = {builds[build].compiler,
                                   "-std=c17",
                                   builds[build].level,
                                   "-ffp-contract=off",
                                   "-Wall",
                                   "-Wextra",
                                   "-Werror",
                                   "-fPIC",
                                   "-shared",
                                   file,
                                   "-o",
                                   object,
                                   "-lm",
                                   vector ? "-mavx2" : "-mno-avx2",
                                   vector ? "-mfma" : "-mno-fma",
                                   NULL};
    Buffer output = {0};
    const char *why = child_exec(arena, (ChildLimits){60, 0}, command, folder, &output);
    void *library = why ? NULL : dlopen(object, RTLD_NOW | RTLD_LOCAL);
    unlink(file);
    unlink(object);
    rmdir(folder);
    if (!library) {
        fail_msg("%s %s: %s\n%s", builds[build].compiler, builds[build].level, why, buffer_string(&output));
    }
    buffer_destroy(&output);
    return library;
}

static int unary_differences(void *library, const char *page, const float *x, const float *expected)
{
    char symbol[32];
    snprintf(symbol, sizeof symbol, "loop_%s", page);
    UnaryLoop *loop = (UnaryLoop *)dlsym(library, symbol);
    assert_non_null(loop);
    float *y = malloc(INPUTS * sizeof *y);
    loop(x, y, INPUTS);
    int differences = count_differences(y, expected, INPUTS);
    free(y);
    return differences;
}

static int binary_differences(void *library, const char *page, Binary *reference)
{
    char symbol[32];
    snprintf(symbol, sizeof symbol, "loop_%s", page);
    BinaryLoop *loop = (BinaryLoop *)dlsym(library, symbol);
    assert_non_null(loop);
    float a[PAIRS], b[PAIRS], y[PAIRS], expected[PAIRS];
    make_pairs(a, b);
    for (int i = 0; i < PAIRS; i++) {
        expected[i] = reference(a[i], b[i]);
    }
    loop(a, b, y, PAIRS);
    return count_differences(y, expected, PAIRS);
}

typedef struct Expected {
    float *x, *y[2];
} Expected;

static Expected expected_make(void)
{
    Expected expected = {.x = make_inputs()};
    expected.y[0] = apply(reference_exp, expected.x);
    expected.y[1] = apply(reference_log, expected.x);
    return expected;
}

static void expected_destroy(Expected *expected)
{
    free(expected->x);
    free(expected->y[0]);
    free(expected->y[1]);
}

static void compare_build(Press *press, const Expected *expected, int build, bool vector)
{
    if (!is_installed(press->arena, builds[build].compiler)) {
        print_message("# skipped: %s is not installed\n", builds[build].compiler);
        return;
    }
    void *library = build_and_load(press->arena, &press->source, build, vector);
    for (int p = 0; p < 2; p++) {
        assert_int_equal(unary_differences(library, unary_pages[p], expected->x, expected->y[p]), 0);
    }
    assert_int_equal(binary_differences(library, "maximum", reference_maximum), 0);
    assert_int_equal(binary_differences(library, "minimum", reference_minimum), 0);
    dlclose(library);
}

static void compare_target(bool vector)
{
    Press press = {0};
    Expected expected = expected_make();
    press_make(&press, vector);
    for (int build = 0; build < BUILDS; build++) {
        compare_build(&press, &expected, build, vector);
    }
    expected_destroy(&expected);
    press_destroy(&press);
}

static bool has_avx2(void)
{
    const char *why = target_why_not_here(target_named("avx2"));
    if (why) {
        print_message("# skipped: %s\n", why);
    }
    return !why;
}

static void target_c_equals_reference(void **state)
{
    (void)state;
    compare_target(false);
}

static void target_avx2_equals_reference(void **state)
{
    (void)state;
    if (!has_avx2()) {
        skip();
    }
    compare_target(true);
}

/* ---- every constant matters ---- */

enum { SECOND_PART_OF_LN2 = 32, CONSTANTS = 20 };

/* Constants that are rounded numbers. sqrt(1/2) and 1.5 * 2^23 + 254 are exact: a neighbour of the first
 * moves an edge, which is tried above, and one of the second would be another algorithm. */
static bool is_rounded_constant(const char *literal)
{
    char *end;
    strtof(literal, &end); /* a number in a comment has no suffix */
    return *end == 'f' && strncmp(literal, "0x1.6a09e6p", 11) != 0 &&
           strncmp(literal, "0x1.8001fcp", 11) != 0;
}

/* In the source from `start` on, changes rounded constant number `wanted` by one unit in its last place (by
 * so many as any input sees at all). False: there are not so many. */
static bool change_constant(Press *press, size_t start, int wanted, int direction)
{
    const char *at = strstr(press->source.data + start, "0x1.");
    for (int number = 0; at; at = strstr(at + 1, "0x1.")) {
        if (is_rounded_constant(at) && number++ == wanted) {
            break;
        }
    }
    if (!at) {
        return false;
    }
    char *end;
    const int units = strncmp(at, "0x1.05c61p-29", 13) == 0 ? SECOND_PART_OF_LN2 : 1;
    const float value = strtof(at, &end);
    const char *rest = arena_copy(press->arena, end);
    press->source.size = (size_t)(at - press->source.data);
    buffer_printf(&press->source, "%a%s", (double)float_of(bits_of(value) + (uint32_t)(direction * units)),
                  rest);
    return true;
}

/* A loop per constant and direction, "exp_3_up"; returns how many constants the page has. */
static int add_changed(Press *press, const json_t *words, const char *page)
{
    for (int constant = 0;; constant++) {
        for (int up = 0; up < 2; up++) {
            const size_t start = press->source.size;
            const char *name = arena_printf(press->arena, "%s_%d_%s", page, constant, up ? "up" : "down");
            add_page(press, words, page, arena_printf(press->arena, "%s_f32x8", name), true);
            if (!change_constant(press, start, constant, up ? 1 : -1)) {
                press->source.data[press->source.size = start] = '\0';
                return constant;
            }
            add_loop(press, vector_unary, name);
        }
    }
}

static int telling_differences(void *library, const char *name, const Expected *expected, int page)
{
    float y[TELLING];
    const int first = INPUTS - TELLING; /* make_inputs() */
    UnaryLoop *loop = (UnaryLoop *)dlsym(library, name);
    assert_non_null(loop);
    loop(expected->x + first, y, TELLING);
    return count_differences(y, expected->y[page] + first, TELLING);
}

/* The comparison must see one unit in the last place of each coefficient. */
static void each_changed_constant_is_caught(void **state)
{
    (void)state;
    if (!has_avx2()) {
        skip();
    }
    Press press = {0};
    Expected expected = expected_make();
    json_t *words = press_open(&press, true);
    if (!is_installed(press.arena, builds[0].compiler)) {
        print_message("# skipped: %s is not installed\n", builds[0].compiler);
        skip();
    }
    int constants[2];
    for (int p = 0; p < 2; p++) {
        constants[p] = add_changed(&press, words, unary_pages[p]);
    }
    assert_int_equal(constants[0] + constants[1], CONSTANTS);
    void *library = build_and_load(press.arena, &press.source, 0, true);
    for (int p = 0; p < 2; p++) {
        for (int change = 0; change < 2 * constants[p]; change++) {
            const char *name = arena_printf(press.arena, "loop_%s_%d_%s", unary_pages[p], change / 2,
                                            change % 2 ? "up" : "down");
            if (telling_differences(library, name, &expected, p) == 0) {
                fail_msg("no input sees %s", name);
            }
        }
    }
    dlclose(library);
    json_decref(words);
    expected_destroy(&expected);
    press_destroy(&press);
}

/* ---- the command ---- */

static int run_command(const char *first, const char *second)
{
    char *argv[] = {(char[]){"elementary"}, (char *)first, (char *)second, NULL};
    int quiet = open("/dev/null", O_WRONLY), out = dup(1), err = dup(2);
    fflush(stdout);
    dup2(quiet, 1);
    dup2(quiet, 2);
    int status = command_elementary(second ? 3 : first ? 2 : 1, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(quiet);
    close(out);
    close(err);
    return status;
}

static void command_samples_and_refuses(void **state)
{
    (void)state;
    assert_int_equal(run_command("--sample", "200000"), 0);
    assert_int_equal(run_command("--help", NULL), 0);
    assert_int_equal(run_command("--sample", NULL), 2);
    assert_int_equal(run_command("--sample", "0"), 2);
    assert_int_equal(run_command("--sample", "-5"), 2);
    assert_int_equal(run_command("--sample", "99999999999"), 2);
    assert_int_equal(run_command("cos", NULL), 2);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test-elementary TEMPLATE-FOLDER\n");
        return 2;
    }
    template_folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_values),
        cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(maximum_and_minimum_of_every_pair),
        cmocka_unit_test(target_c_equals_reference),
        cmocka_unit_test(target_avx2_equals_reference),
        cmocka_unit_test(each_changed_constant_is_caught),
        cmocka_unit_test(command_samples_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
