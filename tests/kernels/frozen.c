/* frozen.c: see frozen.h. */
#include "frozen.h"

#include "reference/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const char sum_text[] = "local rows, cols = dim 'rows', dim 'cols'\n"
                               "local x = input('x', rows, cols)\n"
                               "return kernel 'sum' { output = { y = sum(cols, x) }, tree = seq }\n";
static const char dot_text[] = "local rows, cols = dim 'rows', dim 'cols'\n"
                               "local x, w = input('x', rows, cols), input('w', rows, cols)\n"
                               "return kernel 'dot' { output = { y = sum(cols, x * w) }, tree = seq }\n";

enum { CASES = 105, FIELDS = 7, LEAVES_MOST = 128, TERMS_MOST = 32, CALLS_MOST = 6 };

typedef struct Case {
    const char *operator_name, *term;
    size_t count;
    float x[LEAVES_MOST], w[LEAVES_MOST], right, right_f64;
} Case;

static float value_of(const char *hex)
{
    const uint32_t word = (uint32_t)strtoul(hex, NULL, 16);
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static void read_words(char *field, float *value, size_t count)
{
    char *rest = NULL;
    size_t read = 0;
    for (char *word = strtok_r(field, " ", &rest); word && *word != '-'; word = strtok_r(NULL, " ", &rest)) {
        assert_true(read < LEAVES_MOST);
        value[read++] = value_of(word);
    }
    assert_int_equal(read, count);
}

static void read_case(char *line, Case *read)
{
    char *field[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        field[i] = strsep(&line, "\t");
        assert_non_null(field[i]);
    }
    read->operator_name = field[0];
    read->term = field[1];
    read->count = strtoul(field[2], NULL, 10);
    read_words(field[4], read->x, read->count);
    read_words(field[5], read->w, strcmp(field[0], "dot") == 0 ? read->count : 0);
    read->right = value_of(field[6]);
}

/* The lines stay in `text`, to which the cases point. */
static void read_cases(Arena *arena, Buffer *text, const char *vectors_path, Case **cases)
{
    const char *why = buffer_read_file(text, vectors_path, 1 << 20);
    if (why) {
        fail_msg("%s: %s", vectors_path, why);
    }
    int count = 0;
    char *rest = text->data;
    *cases = ARENA_ARRAY(arena, Case, CASES + 1);
    for (char *line = strsep(&rest, "\n"); line && count <= CASES; line = strsep(&rest, "\n")) {
        if (*line && *line != '#') {
            read_case(line, &(*cases)[count++]);
        }
    }
    assert_int_equal(count, CASES);
}

/* Every distinct term of one operator's cases, as the value of the axis `tree`. */
static const char *distinct_terms(Arena *arena, const Case *cases, const char *operator_name)
{
    const char *known[TERMS_MOST], *list = NULL;
    int terms = 0;
    for (int i = 0; i < CASES; i++) {
        bool is_new = strcmp(cases[i].operator_name, operator_name) == 0;
        for (int t = 0; t < terms; t++) {
            is_new &= strcmp(known[t], cases[i].term) != 0;
        }
        if (is_new) {
            assert_true(terms < TERMS_MOST);
            known[terms++] = cases[i].term;
            list = list ? arena_printf(arena, "%s, %s", list, cases[i].term) : cases[i].term;
        }
    }
    assert_non_null(list);
    return list;
}

static const Term *term_of(Workshop *shop, const char *text)
{
    const Term *term = term_parse(shop->arena, &shop->diagnostics, (Location){0}, text);
    assert_non_null(term);
    return term;
}

/* f32: the frozen words. f64: what reference_fold says of the same leaves. */
static int check_cases_of(Workshop *shop, const Variant *variant, Case *cases, int calls, int *tried)
{
    const bool is_dot = strcmp(variant->op->name, "dot") == 0;
    Trial trial[CASES * CALLS_MOST];
    int trials = 0;
    for (int i = 0; i < CASES; i++) {
        Case *one = &cases[i];
        if (strcmp(one->operator_name, variant->op->name) != 0 ||
            !term_equal(term_of(shop, one->term), variant->tree)) {
            continue;
        }
        const ReferenceLeaves leaves = {one->x, is_dot ? one->w : NULL, one->count};
        one->right_f64 = reference_fold(variant->tree, REDUCE_SUM, ACCUMULATOR_F64, leaves, 1);
        for (int call = 0; call < calls; call++) {
            trial[trials++] =
                (Trial){.shape = {{1, one->count}},
                        .input = {one->x, one->w},
                        .output = variant->accumulator == ACCUMULATOR_F64 ? &one->right_f64 : &one->right};
        }
    }
    const Findings found = workshop_try(shop, variant, trial, trials);
    *tried += found.cases;
    if (found.wrong) {
        fprintf(stderr, "wrong: %s: %d of %d calls: %s\n", variant->id, found.wrong, trials, found.first);
    }
    return found.wrong;
}

static int count_calls(const Case *cases, const FrozenPlan *plan)
{
    int calls = 0;
    for (int i = 0; i < CASES; i++) {
        calls +=
            plan->kernels_per_case * plan->calls * (strcmp(cases[i].operator_name, plan->operator_name) == 0);
    }
    return calls;
}

void frozen_check(const char *vectors_path, const FrozenPlan *plan)
{
    workshop_need_compiler();
    Workshop shop;
    Buffer lines = {0};
    Case *cases = NULL;
    Arena *arena = arena_create();
    const bool is_dot = strcmp(plan->operator_name, "dot") == 0;
    read_cases(arena, &lines, vectors_path, &cases);
    assert_true(plan->calls <= CALLS_MOST);
    const AxisOverride overrides[] = {{"tree", distinct_terms(arena, cases, plan->operator_name)},
                                      {"accumulator", plan->accumulators},
                                      {"target", plan->targets}};
    workshop_open(&shop, plan->operator_name, NULL, is_dot ? dot_text : sum_text, overrides, 3);
    if (plan->wanted) {
        workshop_keep(&shop, plan->wanted);
    }
    int failures = workshop_build(&shop), tried = 0;
    for (int v = 0; v < shop.family.variants; v++) {
        if (!shop.built.why[v * build_count]) {
            failures += check_cases_of(&shop, &shop.family.variant[v], cases, plan->calls, &tried);
        }
    }
    const int expected = count_calls(cases, plan);
    workshop_close(&shop);
    buffer_destroy(&lines);
    arena_destroy(arena);
    assert_int_equal(failures, 0);
    assert_int_equal(tried, expected);
}
