/* terms.c: every operator on every term for cuda and metal, emulated: the bits of the reference evaluator,
 * every case, none excused. The nasty terms of an operator take turns: one is tried on cuda, the next on
 * metal; SAMEBITS_EXHAUSTIVE=1 tries each on both.
 *
 * Calls of one kernel are launches of every kind in turn (a block, a warp, many blocks per row; 32 to 1024
 * threads; ascending, descending, random orders; two poisons): driver/emulated.h. */
#include "../kernels/workshop.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const char *specs_folder;

/* ---- inputs ---- */

enum { TRIALS_MOST = 256 };

typedef struct TrialList {
    Trial trial[TRIALS_MOST];
    int count;
} TrialList;

/* Kinds whose bits depend on the order most; the others take turns with them. */
static InputKind kind_at(int number)
{
    static const InputKind telling[] = {INPUT_WIDE, INPUT_CANCEL, INPUT_NORMAL};
    return number % 2 ? telling[number / 2 % 3] : (InputKind)(number / 2 % INPUT_KINDS);
}

static bool is_reduced(const Operator *op, int dim)
{
    for (int i = 0; i < op->nodes; i++) {
        if (op->node[i]->kind == EXPR_REDUCE && (expr_reduced_dims(op->node[i]) >> dim & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void add_trial(TrialList *list, const Operator *op, size_t rows, size_t columns)
{
    Trial trial = {.kind = kind_at(list->count)};
    bool first = true;
    for (int d = 0; d < op->dims; d++) {
        trial.shape.size[d] = is_reduced(op, d) ? columns : first ? rows : rows < 3 ? rows : 3;
        first = first && is_reduced(op, d);
    }
    assert_true(list->count < TRIALS_MOST);
    list->trial[list->count++] = trial;
}

/* Lengths around a warp, two warps, and the lanes and chunks of the terms; one row that has more parts than a
 * block holds at a time. */
static TrialList trials_for(const Operator *op)
{
    static const size_t larger[] = {95, 96, 97, 100, 127, 129, 200, 257, 1000, 1025, 2600};
    static TrialList list;
    list.count = 0;
    assert_true(
        is_reduced(op, op->dims - 1)); /* as in every shipped operator: else `columns` would be rows */
    assert_false(is_reduced(op, 0));
    for (size_t columns = 0; columns <= 66; columns++) {
        add_trial(&list, op, columns % 3 == 1 ? 1 : 5, columns);
    }
    for (size_t i = 0; i < sizeof larger / sizeof larger[0]; i++) {
        add_trial(&list, op, 1, larger[i]);
        add_trial(&list, op, 4, larger[i]);
    }
    add_trial(&list, op, 0, 7);
    add_trial(&list, op, 9, 0);
    add_trial(&list, op, 70, 33);
    for (int again = 0; again < 3; again++) { /* each way to share a row */
        add_trial(&list, op, 1, 20001);
    }
    return list;
}

/* ---- operators ---- */

typedef struct Tally {
    int kernels, calls, failures, skipped;
} Tally;

static void check_spec(const char *name, const char *targets, const char *trees, const char *accumulator,
                       Tally *tally)
{
    Workshop shop;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.lua", specs_folder, name);
    AxisOverride overrides[] = {{"target", targets}, {"accumulator", accumulator}, {"tree", trees}};
    workshop_open(&shop, name, path, NULL, overrides, trees ? 3 : 2);
    const TrialList list = trials_for(shop.family.op);
    const int asked = shop.family.variants;
    int failures = 0;
    failures = workshop_check(&shop, list.trial, list.count, false);
    tally->kernels += shop.family.variants;
    tally->calls += shop.family.variants * list.count;
    tally->skipped += shop.family.skips;
    /* workshop_build counts what generation skipped as failures; a reason that a target gives is none. */
    tally->failures += failures - (asked - shop.family.variants);
    workshop_close(&shop);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the shipped specs without ".lua", in order. */
static int spec_names(Arena *arena, char **name, int most)
{
    DIR *folder = opendir(specs_folder);
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".lua") == 0) {
            assert_true(count < most);
            name[count++] = arena_copy_bytes(arena, entry->d_name, (size_t)(dot - entry->d_name));
        }
    }
    closedir(folder);
    qsort(name, (size_t)count, sizeof *name, name_compare);
    return count;
}

static void finish(const char *what, const Tally *tally)
{
    printf("# %s: %d kernels, %d launches compared, %d wrong, %d skipped with a reason\n", what,
           tally->kernels, tally->calls, tally->failures, tally->skipped);
    fflush(stdout);
    assert_int_equal(tally->failures, 0);
}

static void shipped_specs(void **state)
{
    (void)state;
    workshop_need_compiler();
    Arena *arena = arena_create();
    Tally tally = {0};
    char *name[64];
    const int names = spec_names(arena, name, 64);
    for (int i = 0; i < names; i++) {
        check_spec(name[i], "cuda, metal", NULL, "f32", &tally);
    }
    finish("shipped specs on their own terms", &tally);
    assert_true(names >= 12);
    assert_true(tally.kernels >= 96);
    arena_destroy(arena);
}

static const char *const nasty_terms[] = {
    "seq",
    "halving",
    "lanes(1)",
    "lanes(5)",
    "lanes(12, seq, pairwise)",
    "lanes(64)",
    "lanes(33, seq, lanes(4))",
    "lanes(3, split(4, lanes(8), seq), halving)",
    "chunk(1, seq, seq)",
    "chunk(10, chunk(3, seq, pairwise), chunk(4, seq, halving))",
    "chunk(48, chunk(20, lanes(12), seq), lanes(5, pairwise, halving))",
    "split(3, lanes(4), halving)",
    "split(5, split(3, seq, halving), pairwise)",
};
enum { NASTY_TERMS = sizeof nasty_terms / sizeof nasty_terms[0] };

/* Every second term from `first`, or with step 1 all of them: "seq, lanes(1)". */
static const char *some_terms(Arena *arena, int first, int step)
{
    const char *text = nasty_terms[first];
    for (int i = first + step; i < NASTY_TERMS; i += step) {
        text = arena_printf(arena, "%s, %s", text, nasty_terms[i]);
    }
    return text;
}

static void nasty_terms_of_every_operator(void **state)
{
    (void)state;
    static const char *const operators[] = {"sum",     "dot",       "mean",    "max",    "l2norm",
                                            "rmsnorm", "layernorm", "softmax", "linear", "logsumexp"};
    enum { OPERATORS = sizeof operators / sizeof operators[0] };
    const bool all = getenv("SAMEBITS_EXHAUSTIVE") != NULL;
    workshop_need_compiler();
    Arena *arena = arena_create();
    Tally tally = {0};
    for (int i = 0; i < OPERATORS; i++) {
        if (all) {
            check_spec(operators[i], "cuda, metal", some_terms(arena, 0, 1), "f32", &tally);
            continue;
        }
        check_spec(operators[i], "cuda", some_terms(arena, i % 2, 2), "f32", &tally);
        check_spec(operators[i], "metal", some_terms(arena, (i + 1) % 2, 2), "f32", &tally);
    }
    finish(all ? "every operator on nasty terms" : "every operator on nasty terms, on cuda or metal in turn",
           &tally);
    assert_int_equal(tally.kernels, OPERATORS * NASTY_TERMS * (all ? 2 : 1));
    arena_destroy(arena);
}

/* Metal has no binary64: that is skipped, with the reason, and counted. */
static void wide_accumulators(void **state)
{
    (void)state;
    static const char terms[] =
        "seq, lanes(32), lanes(64), lanes(5), chunk(10, lanes(32), pairwise), halving";
    enum { TERMS = 6 };
    workshop_need_compiler();
    Tally tally = {0};
    check_spec("dot", "cuda, metal", terms, "f64", &tally);
    check_spec("layernorm", "cuda, metal", terms, "f64", &tally);
    finish("f64 accumulators", &tally);
    assert_int_equal(tally.kernels, 2 * TERMS);
    assert_int_equal(tally.skipped, 2 * TERMS);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s SPECS TEMPLATES\n", argv[0]);
        return 2;
    }
    specs_folder = argv[1];
    setenv("SAMEBITS_TEMPLATES", argv[2], 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(shipped_specs),
                                       cmocka_unit_test(nasty_terms_of_every_operator),
                                       cmocka_unit_test(wide_accumulators)};
    return cmocka_run_group_tests_name("gpu-terms", tests, NULL, NULL);
}
