/* kernels.c: every generated kernel gives the bits that its contract says, on the targets c and avx2.
 *
 * Right are the 105 frozen cases (tests/vectors), which come from outside this project, and the reference
 * evaluator, which shares no code with lowering, pages or kernels. */
#include "frozen.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const char *vectors_path, *operators_path, *specs_folder;

static const char dot_text[] = "local rows, cols = dim 'rows', dim 'cols'\n"
                               "local x, w = input('x', rows, cols), input('w', rows, cols)\n"
                               "return kernel 'dot' { output = { y = sum(cols, x * w) }, tree = seq }\n";

/* ---- the frozen cases ---- */

/* f64 on the target c; avx2 has it below. */
static bool frozen_wanted(const Variant *variant)
{
    return variant->accumulator == ACCUMULATOR_F32 || strcmp(variant->target->name, "c") == 0;
}

static void frozen_cases_of_sum(void **state)
{
    (void)state;
    frozen_check(vectors_path, &(FrozenPlan){.operator_name = "sum",
                                             .targets = "c, avx2",
                                             .accumulators = "f32",
                                             .wanted = frozen_wanted,
                                             .kernels_per_case = 2,
                                             .calls = 1});
}

static void frozen_cases_of_dot(void **state)
{
    (void)state;
    frozen_check(vectors_path, &(FrozenPlan){.operator_name = "dot",
                                             .targets = "c, avx2",
                                             .accumulators = "f32, f64",
                                             .wanted = frozen_wanted,
                                             .kernels_per_case = 3,
                                             .calls = 1});
}

/* ---- nasty terms ---- */

typedef struct TrialList {
    Trial *trial;
    int count, capacity;
} TrialList;

static void add_trial(TrialList *list, Trial trial)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->trial = realloc(list->trial, (size_t)list->capacity * sizeof *list->trial);
        assert_non_null(list->trial);
    }
    list->trial[list->count++] = trial;
}

/* Kinds whose bits depend on the order most; the others take turns with them. */
static InputKind kind_at(int number)
{
    static const InputKind telling[] = {INPUT_WIDE, INPUT_CANCEL, INPUT_NORMAL};
    return number % 2 ? telling[number / 2 % 3] : (InputKind)(number / 2 % INPUT_KINDS);
}

static const char nasty_terms[] =
    "seq, pairwise, halving, lanes(1), lanes(2, halving, seq), lanes(5), lanes(12, seq, pairwise), "
    "lanes(7, pairwise, seq), lanes(16, seq, pairwise), lanes(64), lanes(32, halving, halving), "
    "lanes(33, seq, lanes(4)), lanes(8, chunk(4, seq, pairwise), seq), "
    "lanes(4, lanes(8), pairwise), lanes(16, seq, chunk(4, seq, pairwise)), "
    "lanes(24, seq, chunk(5, halving, lanes(3, seq, pairwise))), lanes(3, split(4, lanes(8), seq), halving), "
    "chunk(1, seq, seq), chunk(96, lanes(8), pairwise), chunk(16, halving, lanes(3)), "
    "chunk(10, chunk(3, seq, pairwise), chunk(4, seq, halving)), "
    "chunk(7, lanes(2, seq, seq), split(3, pairwise, seq)), "
    "chunk(48, chunk(20, lanes(12), seq), lanes(5, pairwise, halving)), "
    "split(3, lanes(4), halving), split(64, halving, pairwise), split(5, split(3, seq, halving), pairwise)";

/* Large values of both signs that cancel exactly, two by two, among normal ones: what is rounded away on the
 * way tells orders apart in binary64 too. */
static void fill_cancelling(float *x, size_t count, uint64_t seed)
{
    uint64_t state = seed;
    inputs_fill(x, count, count, INPUT_NORMAL, seed);
    for (size_t pair = 0; pair < count / 4; pair++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
        const size_t a = (state >> 33) % count, b = (state >> 12) % count;
        if (a != b && fabsf(x[a]) < 0x1p30f && fabsf(x[b]) < 0x1p30f) {
            x[a] = ldexpf(x[a], 49 + (int)(pair % 4));
            x[b] = -x[a];
        }
    }
}

enum { CANCELLING = 12, CANCELLING_COLS = 200 };

typedef struct Cancelling {
    float x[CANCELLING][CANCELLING_COLS], ones[CANCELLING_COLS];
} Cancelling;

static void add_cancelling(TrialList *list, Cancelling *data)
{
    for (size_t i = 0; i < CANCELLING_COLS; i++) {
        data->ones[i] = 1;
    }
    for (size_t t = 0; t < CANCELLING; t++) {
        const size_t cols = CANCELLING_COLS - 7 * t;
        fill_cancelling(data->x[t], cols, t);
        add_trial(list, (Trial){.shape = {{1, cols}}, .input = {data->x[t], data->ones}});
    }
}

/* f32 on both targets; f64 where whole registers are stepped. */
static bool nasty_wanted(const Variant *variant)
{
    return variant->accumulator == ACCUMULATOR_F32 ||
           (strcmp(variant->target->name, "avx2") == 0 && term_has(variant->tree, TERM_LANES, false));
}

static void nasty_terms_hold(void **state)
{
    (void)state;
    workshop_need_compiler();
    Workshop shop;
    TrialList list = {0};
    const AxisOverride overrides[] = {
        {"tree", nasty_terms}, {"accumulator", "f32, f64"}, {"target", "c, avx2"}};
    for (size_t cols = 0; cols <= 200; cols++) {
        for (size_t rows = 1; rows <= 5; rows += 4) {
            add_trial(&list, (Trial){.shape = {{rows, cols}}, .kind = kind_at(list.count)});
        }
    }
    Cancelling cancelling;
    add_cancelling(&list, &cancelling);
    static const size_t larger[] = {255, 256, 257, 1000, 1023, 1025, 4099, 16411};
    for (size_t i = 0; i < sizeof larger / sizeof larger[0]; i++) {
        add_trial(
            &list,
            (Trial){.shape = {{1 + 4 * (i % 2), larger[i]}}, .kind = INPUT_WIDE, .threads = 1 + (int)i % 3});
    }
    workshop_open(&shop, "dot", NULL, dot_text, overrides, 3);
    workshop_keep(&shop, nasty_wanted);
    const int failures = workshop_check(&shop, list.trial, list.count, true);
    workshop_close(&shop);
    free(list.trial);
    assert_int_equal(failures, 0);
}

/* ---- one long row, which all threads share ---- */

static const char long_terms[] =
    "chunk(1024, lanes(32), seq), chunk(64, lanes(8), pairwise), chunk(10, seq, halving), "
    "chunk(512, lanes(16), chunk(8, seq, pairwise)), chunk(16, lanes(8), lanes(5)), "
    "chunk(30000, lanes(8), seq), chunk(10, seq, seq), chunk(1, seq, pairwise), lanes(24, chunk(100, seq, "
    "pairwise), halving), "
    "lanes(3, seq, pairwise), split(7, lanes(8), pairwise), lanes(32), halving";

/* Threads share a row of 65536 columns or more where there are fewer rows than threads; two rows only with
 * three threads. */
static void add_long_rows(TrialList *list)
{
    static const size_t cols[] = {65535, 65536, 70001, 131077};
    for (size_t c = 0; c < sizeof cols / sizeof cols[0]; c++) {
        for (int threads = 2; threads <= 3; threads++) {
            const size_t rows = c == 3 ? 2 : 1;
            add_trial(list, (Trial){.shape = {{rows, cols[c]}},
                                    .kind = threads == 2 ? INPUT_WIDE : INPUT_NORMAL,
                                    .threads = threads});
        }
    }
    add_trial(list, (Trial){.shape = {{1, 70000}}, .kind = INPUT_NAN, .threads = 3});
    add_trial(list, (Trial){.shape = {{1, 300007}},
                            .kind = INPUT_WIDE,
                            .threads = 2}); /* more partials than fit at a time */
    add_trial(list, (Trial){.shape = {{1, 70003}}, .kind = INPUT_NEGATIVE_ZERO, .threads = 2});
}

/* f32 on avx2; what threads share is the same code for other targets and accumulators, so only the plainest
 * terms. */
static bool long_wanted(const Variant *variant)
{
    const bool is_avx2 = strcmp(variant->target->name, "avx2") == 0,
               is_f32 = variant->accumulator == ACCUMULATOR_F32;
    const bool is_plain = variant->tree->kind == TERM_CHUNK && !variant->tree->outer->outer;
    return (is_avx2 && is_f32) || ((is_avx2 || is_f32) && is_plain);
}

enum { LONG_COLS = 70001 };

/* What tells orders apart in binary64; all of it cancels. */
static float *add_long_cancelling(TrialList *list)
{
    float *data = calloc(2 * LONG_COLS, sizeof *data);
    assert_non_null(data);
    fill_cancelling(data, LONG_COLS, 3);
    for (size_t i = 0; i < LONG_COLS; i++) {
        data[LONG_COLS + i] = 1;
    }
    for (int threads = 2; threads <= 3; threads++) {
        add_trial(list,
                  (Trial){.shape = {{1, LONG_COLS}}, .input = {data, data + LONG_COLS}, .threads = threads});
    }
    return data;
}

/* Partials that fill the place for them twice, and one more: threads fold 64 leaves of chunk(1, seq,
 * pairwise) to one, and 4096 of those fit. (1 + u) + u is 1, and 1 + (u + u) is not. */
static float *add_three_panels(TrialList *list)
{
    enum { PANEL = 64 * 4096, COLS = 2 * PANEL + 1 };
    float *data = calloc(2 * COLS, sizeof *data);
    assert_non_null(data);
    data[0] = 1;
    data[PANEL] = data[2 * PANEL] = 0x1p-24f;
    for (size_t i = 0; i < COLS; i++) {
        data[COLS + i] = 1;
    }
    add_trial(list, (Trial){.shape = {{1, COLS}}, .input = {data, data + COLS}, .threads = 2});
    return data;
}

static void check_long_rows(const char *name, const char *path, const char *text, const char *trees,
                            bool told_apart)
{
    workshop_need_compiler();
    Workshop shop;
    TrialList list = {0};
    const AxisOverride overrides[] = {
        {"tree", trees}, {"accumulator", path ? "f32" : "f32, f64"}, {"target", path ? "avx2" : "c, avx2"}};
    add_long_rows(&list);
    float *cancelling = told_apart ? add_long_cancelling(&list) : NULL,
          *panels = told_apart ? add_three_panels(&list) : NULL;
    workshop_open(&shop, name, path, text, overrides, 3);
    workshop_keep(&shop, long_wanted);
    const int failures = workshop_check(&shop, list.trial, list.count, told_apart);
    workshop_close(&shop);
    free(list.trial);
    free(cancelling);
    free(panels);
    assert_int_equal(failures, 0);
}

static void long_rows_of_dot(void **state)
{
    (void)state;
    check_long_rows("dot", NULL, dot_text, long_terms, true);
}

/* Outputs along the row are shared too; softmax keeps exponentials from one pass for the next. */
static void long_rows_of_norms(void **state)
{
    (void)state;
    static const char *const names[] = {"rmsnorm", "softmax", "layernorm"};
    for (size_t i = 0; i < 3; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.lua", specs_folder, names[i]);
        check_long_rows(names[i], path, NULL, "chunk(1024, lanes(32), pairwise), lanes(12)", false);
    }
}

/* ---- schedules change no bit ---- */

/* Rows that are apart in memory where the next ones are, and an input that no reduction reads. */
static const char apart_text[] =
    "local a, rows, cols = dim 'a', dim 'rows', dim 'cols'\n"
    "local x, w = input('x', a, rows, cols), input('w', rows, cols)\n"
    "return kernel 'apart' { output = { y = x * sum(cols, x * x) + w }, tree = seq }\n";

/* Outputs stored around the cache begin at every place of a line of it, in rows by fours and what is left of
 * four, in place and not. Of 64 rows and more, short ones are computed four or two at a time on every
 * schedule. */
static void add_stored_shapes(TrialList *list, bool three_dims)
{
    static const size_t larger[][2] = {{9, 127},   {6, 161}, {8, 4096}, {9, 4099}, {5, 33000},
                                       {1, 70001}, {67, 37}, {65, 700}, {64, 1025}};
    for (size_t i = 0; i < 76 + sizeof larger / sizeof larger[0]; i++) {
        const size_t rows = i < 76 ? 1 + i % 9 : larger[i - 76][0], cols = i < 76 ? i : larger[i - 76][1];
        const int threads = i < 76 ? 2 : 3;
        const Shape shape = three_dims ? (Shape){{2, rows, cols}} : (Shape){{rows, cols}};
        for (int in_place = 0; in_place < 2; in_place++) {
            add_trial(list, (Trial){.shape = shape,
                                    .kind = i < 76 ? kind_at(list->count) : INPUT_NORMAL,
                                    .threads = threads,
                                    .in_place = in_place});
        }
    }
}

static void check_schedules(const char *name, const char *text)
{
    Workshop shop;
    TrialList list = {0};
    const AxisOverride overrides[] = {{"tree", "lanes(8)"},
                                      {"accumulator", "f32"},
                                      {"target", "avx2"},
                                      {"unroll", "1, 8"},
                                      {"stream", "0, 256"}};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.lua", specs_folder, name);
    add_stored_shapes(&list, text != NULL);
    workshop_open(&shop, name, text ? NULL : path, text, overrides, 5);
    assert_int_equal(shop.family.variants, 4);
    const int failures = workshop_check(&shop, list.trial, list.count, false);
    workshop_close(&shop);
    free(list.trial);
    assert_int_equal(failures, 0);
}

static void schedules_change_no_bit(void **state)
{
    (void)state;
    workshop_need_compiler();
    check_schedules("softmax", NULL); /* keeps its values where the output will be, and is never streamed */
    check_schedules("rmsnorm", NULL);
    check_schedules("layernorm", NULL);
    check_schedules("apart", apart_text);
}

/* ---- operators ---- */

enum { SECTIONS_MOST = 64, SIZES_MOST = 128 };

typedef struct Section {
    const char *title, *sizes, *file, *text;
} Section;

typedef struct Sizes {
    const char *dim;
    size_t value[SIZES_MOST];
    int count;
} Sizes;

/* "cols=0..40,100" */
static void read_sizes(char *text, Sizes *sizes)
{
    char *rest = strchr(text, '=');
    assert_non_null(rest);
    *rest++ = '\0';
    sizes->dim = text;
    sizes->count = 0;
    for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
        char *to = strstr(item, "..");
        const size_t first = strtoul(item, NULL, 10), last = to ? strtoul(to + 2, NULL, 10) : first;
        for (size_t value = first; value <= last; value++) {
            assert_true(sizes->count < SIZES_MOST);
            sizes->value[sizes->count++] = value;
        }
    }
}

/* Every combination of the sizes; the last dim runs fastest. */
static void add_shapes(TrialList *list, const Section *section, const Operator *op)
{
    char text[512];
    char *rest = text;
    Sizes sizes[OPERATOR_DIMS];
    int dims = 0, total = 1;
    snprintf(text, sizeof text, "%s", section->sizes);
    for (char *item = strsep(&rest, " "); item; item = strsep(&rest, " ")) {
        read_sizes(item, &sizes[dims]);
        assert_string_equal(sizes[dims].dim, op->dim[dims]);
        total *= sizes[dims++].count;
    }
    assert_int_equal(dims, op->dims);
    for (int number = 0; number < total; number++) {
        Trial trial = {.kind = kind_at(list->count), .threads = 1 + number % 3};
        for (int d = dims - 1, left = number; d >= 0; left /= sizes[d].count, d--) {
            trial.shape.size[d] = sizes[d].value[left % sizes[d].count];
        }
        add_trial(list, trial);
    }
}

/* Whole registers on both targets, a partial one with f64 accumulators; for shipped operators also leaves one
 * at a time. */
static const char operator_terms[] = "chunk(64, lanes(32), pairwise), lanes(12, seq, pairwise)";
static const char shipped_terms[] =
    "chunk(64, lanes(32), pairwise), lanes(12, seq, pairwise), chunk(10, halving, seq)";

static bool operator_wanted(const Variant *variant)
{
    const bool is_avx2 = strcmp(variant->target->name, "avx2") == 0;
    const bool wants_f64 = variant->tree && variant->tree->kind == TERM_LANES;
    const bool is_first = !variant->tree || variant->tree->size == 64;
    return wants_f64 == (variant->accumulator == ACCUMULATOR_F64) && (is_avx2 || is_first);
}

static void operator_holds(void **state)
{
    const Section *section = *state;
    workshop_need_compiler();
    Workshop shop;
    TrialList list = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", specs_folder, section->file ? section->file : "");
    const bool reduces = section->file || strstr(section->text, "tree =");
    const AxisOverride overrides[] = {{"target", "c, avx2"},
                                      {"tree", section->file ? shipped_terms : operator_terms},
                                      {"accumulator", "f32, f64"}};
    workshop_open(&shop, "operator", section->file ? path : NULL, section->text, overrides, reduces ? 3 : 1);
    workshop_keep(&shop, operator_wanted);
    add_shapes(&list, section, shop.family.op);
    const int failures = workshop_check(&shop, list.trial, list.count, false);
    workshop_close(&shop);
    free(list.trial);
    assert_int_equal(failures, 0);
}

/* ---- reading operators.txt ---- */

static char *take_line(char **rest)
{
    char *line = strsep(rest, "\n");
    assert_non_null(line);
    return line;
}

static Section read_section(char *text)
{
    Section section = {.title = take_line(&text)};
    char *sizes = take_line(&text);
    assert_true(strncmp(sizes, "sizes ", 6) == 0);
    section.sizes = sizes + 6;
    section.text = text;
    if (strncmp(text, "file ", 5) == 0) {
        section.file = take_line(&text) + 5;
        section.text = "";
    }
    return section;
}

/* Cuts the file's text at lines that begin with "=== ". */
static int read_sections(char *text, Section *section)
{
    static const char mark[] = "\n=== ";
    int count = 0;
    for (char *at = strstr(text, mark); at;) {
        char *next = strstr(at + 1, mark);
        if (next) {
            *next = '\0';
        }
        if (count == SECTIONS_MOST) {
            fprintf(stderr, "%s has more than %d sections\n", operators_path, SECTIONS_MOST);
            exit(1);
        }
        section[count++] = read_section(at + strlen(mark));
        at = next;
    }
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s trees.tsv operators.txt SPECS TEMPLATES\n", argv[0]);
        return 2;
    }
    vectors_path = argv[1];
    operators_path = argv[2];
    specs_folder = argv[3];
    setenv("SAMEBITS_TEMPLATES", argv[4], 1);
    Buffer text = {0};
    Section section[SECTIONS_MOST];
    const char *why = buffer_read_file(&text, operators_path, 1 << 20);
    if (why) {
        fprintf(stderr, "%s: %s\n", operators_path, why);
        return 1;
    }
    struct CMUnitTest tests[SECTIONS_MOST + 6] = {
        cmocka_unit_test(frozen_cases_of_sum), cmocka_unit_test(frozen_cases_of_dot),
        cmocka_unit_test(nasty_terms_hold),    cmocka_unit_test(long_rows_of_dot),
        cmocka_unit_test(long_rows_of_norms),  cmocka_unit_test(schedules_change_no_bit)};
    const int sections = read_sections(text.data, section);
    for (int s = 0; s < sections; s++) {
        tests[6 + s] = (struct CMUnitTest){section[s].title, operator_holds, NULL, NULL, &section[s]};
    }
    const int failures = _cmocka_run_group_tests("kernels", tests, (size_t)(6 + sections), NULL, NULL);
    buffer_destroy(&text);
    return failures;
}
