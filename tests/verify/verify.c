/* verify.c: the verifier against kernels that are right and kernels that have one mistake each.
 *
 * The kernels are kernel_rows.c, compiled by clang once per mistake; each mistake has a promise that must
 * break. A verifier that lets a mistake through, or calls a right kernel wrong, fails here. */
#include "verify/verify.h"
#include "driver/build.h"
#include "operator/build.h"
#include "verify/compare.h"
#include "verify/fprev.h"
#include "verify/rivals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const Location nowhere = {0};

/* ---- operators and families ---- */

typedef enum RowOperator { ROW_SUM, ROW_MAX, ROW_RMSNORM, ROW_DOT } RowOperator;
static const char *const operator_names[] = {"sum", "max", "rmsnorm", "dot"};

static const Expr *op_of(OperatorBuilder *builder, OpCode op, const Expr *a, const Expr *b)
{
    const Expr *arg[3] = {a, b, NULL};
    return operator_build_op(builder, nowhere, op, arg);
}

/* (x * (1 / sqrt(sum(x * x) / cols + eps))) * weight */
static const Expr *rmsnorm_of(OperatorBuilder *b, const Expr *x, const int *dim)
{
    const Expr *weight = operator_build_input(b, nowhere, "weight", 1, dim + 1);
    const Expr *squares = operator_build_reduce(b, nowhere, REDUCE_SUM, dim[1], op_of(b, OP_MUL, x, x));
    const Expr *mean = op_of(b, OP_DIV, squares, operator_build_size(b, nowhere, dim[1]));
    const Expr *root =
        op_of(b, OP_SQRT, op_of(b, OP_ADD, mean, operator_build_param(b, nowhere, "eps", 1e-6)), NULL);
    const Expr *scale = op_of(b, OP_DIV, operator_build_constant(b, nowhere, 1), root);
    return op_of(b, OP_MUL, op_of(b, OP_MUL, x, scale), weight);
}

static const Expr *dot_of(OperatorBuilder *b, const Expr *x, const int *dim)
{
    const Expr *w = operator_build_input(b, nowhere, "w", 2, dim);
    return operator_build_reduce(b, nowhere, REDUCE_SUM, dim[1], op_of(b, OP_MUL, x, w));
}

static const Expr *row_value(OperatorBuilder *builder, RowOperator which, const Expr *x, const int *dim)
{
    if (which == ROW_RMSNORM)
        return rmsnorm_of(builder, x, dim);
    if (which == ROW_DOT)
        return dot_of(builder, x, dim);
    return operator_build_reduce(builder, nowhere, which == ROW_MAX ? REDUCE_MAX : REDUCE_SUM, dim[1], x);
}

static const Operator *operator_of(Arena *arena, RowOperator which)
{
    Diagnostics none;
    diagnostics_init(&none, arena);
    OperatorBuilder *builder = operator_build_start(arena, &none);
    int dim[] = {operator_build_dim(builder, nowhere, "rows"), operator_build_dim(builder, nowhere, "cols")};
    const Expr *x = operator_build_input(builder, nowhere, "x", 2, dim);
    operator_build_output(builder, nowhere, "y", row_value(builder, which, x, dim));
    const Operator *op = operator_build_finish(builder, nowhere, operator_names[which]);
    diagnostics_print(&none, stderr);
    assert_non_null(op);
    return op;
}

static const Term *tree_of(Arena *arena, const char *text)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Term *tree = term_parse(arena, &diagnostics, nowhere, text);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(tree);
    return tree;
}

static Variant variant_of(Arena *arena, const Operator *op, const char *tree, const char *id)
{
    Variant variant = {.id = id,
                       .op = op,
                       .tree = tree_of(arena, tree),
                       .accumulator = ACCUMULATOR_F32,
                       .dtype = "f32",
                       .target = target_named("c"),
                       .symbol = arena_printf(arena, "samebits_%s", id),
                       .source = arena_printf(arena, "%s.c", id)};
    variant.contract = contract_text(arena, op, variant.tree, variant.accumulator);
    variant.digest = contract_digest(arena, variant.contract);
    return variant;
}

/* ---- compiling ---- */

typedef struct Workshop { /* one family below a folder of its own */
    Arena *arena;
    Family family;
    char folder[64];
} Workshop;

static bool have_clang(void)
{
    return system("clang --version >/dev/null 2>&1") == 0;
}

static void workshop_open(Workshop *shop, RowOperator which)
{
    if (!have_clang()) {
        fprintf(stderr, "skipped: no clang here, so no kernel can be compiled\n");
        skip();
    }
    const char *where = getenv("TMPDIR");
    memset(shop, 0, sizeof *shop);
    shop->arena = arena_create();
    snprintf(shop->folder, sizeof shop->folder, "%.40s/samebits-XXXXXX", where != NULL ? where : P_tmpdir);
    assert_non_null(mkdtemp(shop->folder));
    shop->family.name = "shop";
    shop->family.op = operator_of(shop->arena, which);
    shop->family.variant = ARENA_ARRAY(shop->arena, Variant, 32);
    mkdir(arena_printf(shop->arena, "%s/shop", shop->folder), 0777);
    mkdir(arena_printf(shop->arena, "%s/shop/obj", shop->folder), 0777);
    for (int b = 0; b < build_count; b++)
        mkdir(arena_printf(shop->arena, "%s/shop/obj/%s", shop->folder, build_rows[b].name), 0777);
}

static void workshop_close(Workshop *shop)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", shop->folder);
    assert_int_equal(system(command), 0);
    arena_destroy(shop->arena);
}

static void workshop_compile(Workshop *shop, const Variant *variant, const char *mistake, int build)
{
    char *command = arena_printf(
        shop->arena,
        "clang %s -Wno-unused -DOPERATOR_%s -DWRONG=%s -DSYMBOL=%s -shared -o '%s' '%s/kernel_rows.c' -lm",
        build_rows[build].flags, variant->op->name, mistake, variant->symbol,
        build_object_path(shop->arena, &shop->family, variant, shop->folder, build), KERNEL_FOLDER);
    assert_int_equal(system(command), 0);
}

static void workshop_add(Workshop *shop, const char *id, const char *tree, const char *mistake)
{
    Variant *variant = &shop->family.variant[shop->family.variants++];
    *variant = variant_of(shop->arena, shop->family.op, tree, id);
    workshop_compile(shop, variant, mistake, 0);
    workshop_compile(shop, variant, mistake, 1);
}

static void workshop_add_control(Workshop *shop, const char *control, const char *id, const char *tree,
                                 const char *mistake)
{
    Variant *variant = &shop->family.control[shop->family.controls++];
    *variant = variant_of(shop->arena, operator_of(shop->arena, ROW_SUM), tree, id);
    variant->control = control;
    workshop_compile(shop, variant, mistake, 0);
}

static const char right_tree[] = "chunk(64, lanes(8), pairwise)";

static void workshop_add_controls(Workshop *shop)
{
    workshop_add_control(shop, "completion", "control_completion", "chunk(64, lanes(8), completion)",
                         "RACING");
    workshop_add_control(shop, "split(auto)", "control_split", "split(auto, lanes(8), pairwise)", "BY_BATCH");
    workshop_add_control(shop, "swapped pair", "control_swapped", right_tree, "SWAPPED");
}

static json_t *workshop_verify(Workshop *shop, double seconds)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, shop->arena);
    json_t *result = verify_family(shop->arena, &diagnostics, &shop->family, shop->folder,
                                   (VerifyOptions){false, seconds});
    diagnostics_print(&diagnostics, stderr);
    assert_int_equal(diagnostics.count, 0);
    assert_non_null(result);
    return result;
}

/* ---- reading results ---- */

static json_t *variant_found(json_t *result, const char *id)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(result, "variants"), i,
                       one) if (strcmp(json_string_value(json_object_get(one, "id")), id) == 0) return one;
    fail_msg("no variant %s", id);
    return NULL;
}

static json_t *promise_found(json_t *result, const char *id, const char *promise)
{
    return json_object_get(json_object_get(variant_found(result, id), "promises"), promise);
}

static void assert_status(json_t *result, const char *id, const char *promise, const char *expected)
{
    json_t *found = promise_found(result, id, promise);
    const char *status = json_string_value(json_object_get(found, "status"));
    if (status == NULL || strncmp(status, expected, strlen(expected)) != 0) {
        char *text = json_dumps(variant_found(result, id), JSON_INDENT(1));
        fprintf(stderr, "%s\n", text);
        free(text);
        fail_msg("%s %s is %s, not %s", id, promise, status, expected);
    }
}

static bool detail_has(json_t *result, const char *id, const char *promise, const char *part)
{
    const char *detail = json_string_value(json_object_get(promise_found(result, id, promise), "detail"));
    return detail != NULL && strstr(detail, part) != NULL;
}

static void assert_detail_has(json_t *result, const char *id, const char *promise, const char *part)
{
    if (!detail_has(result, id, promise, part))
        fail_msg("%s %s: \"%s\" has no \"%s\"", id, promise,
                 json_string_value(json_object_get(promise_found(result, id, promise), "detail")), part);
}

static void assert_kept(json_t *result, const char *id)
{
    static const char *const all[] = {"RUN", "BATCH", "THREADS", "LAYOUT", "BUILD", "TREE"};
    for (int i = 0; i < 6; i++)
        assert_status(result, id, all[i], "kept");
    assert_null(json_object_get(variant_found(result, id), "failure"));
    assert_true(json_is_true(json_object_get(variant_found(result, id), "deterministic")));
}

/* ---- kernels ---- */

/* Right kernels: everything kept, every control caught, and a certificate that another run writes again byte
 * for byte. */
static void right_kernels_are_kept(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_RMSNORM);
    workshop_add(&shop, "right", right_tree, "0");
    workshop_add(&shop, "again", right_tree, "0");
    workshop_add_controls(&shop);
    json_t *result = workshop_verify(&shop, 60);
    assert_kept(result, "right");
    assert_status(result, "right", "TARGET", "kept");
    assert_int_equal(json_array_size(json_object_get(result, "controls")), 3);
    size_t i;
    json_t *control;
    json_array_foreach(json_object_get(result, "controls"), i,
                       control) if (!json_is_true(json_object_get(control, "caught")))
        fail_msg("%s got through", json_string_value(json_object_get(control, "control")));
    assert_true(json_is_true(json_object_get(result, "ok")));
    json_t *error = json_object_get(variant_found(result, "right"), "error");
    double most = json_number_value(json_object_get(error, "max_ulps"));
    assert_true(most > 0.5 && most < 8); /* four roundings after a sum of 1000: never exact, never far off */
    assert_string_equal(json_string_value(json_object_get(variant_found(result, "right"), "ftz")),
                        "changes bits");
    json_decref(result);
    workshop_close(&shop);
}

static void certificates_repeat(void **state)
{
    (void)state;
    Workshop shop;
    Buffer first = {0}, second = {0};
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "right", right_tree, "0");
    const char *path = arena_printf(shop.arena, "%s/shop/certificates/right.json", shop.folder);
    json_decref(workshop_verify(&shop, 60));
    assert_null(buffer_read_file(&first, path, 1 << 20));
    unlink(path);
    json_decref(workshop_verify(&shop, 60));
    assert_null(buffer_read_file(&second, path, 1 << 20));
    assert_string_equal(buffer_string(&first), buffer_string(&second));
    assert_non_null(strstr(buffer_string(&first), shop.family.variant[0].digest));
    assert_null(strstr(buffer_string(&first), shop.folder));
    buffer_destroy(&first);
    buffer_destroy(&second);
    workshop_close(&shop);
}

typedef struct Mistake {
    const char *id, *mistake, *promise; /* the promise that must break */
    const char *detail;                 /* what must be said; NULL: anything */
} Mistake;

static const Mistake mistakes[] = {
    {"swapped", "SWAPPED", "TREE", "was expected"},
    {"dropped", "DROPPED", "TREE", NULL},
    {"at_probes", "AT_PROBES", "TREE", "the order found is"},
    {"racing", "RACING", "RUN", "called again"},
    {"position", "POSITION", "BATCH", NULL},
    {"by_batch", "BY_BATCH", "BATCH", NULL},
    {"wide_row", "WIDE_ROW", "BATCH", "a row alone"},
    {"by_threads", "BY_THREADS", "THREADS", "3 threads against one"},
    {"by_build", "BY_BUILD", "BUILD", "clang-O0: "},
    {"by_address", "BY_ADDRESS", "LAYOUT", "bytes after a 64-byte boundary"},
    {"reads_out", "READS_OUT", "LAYOUT", "SIGSEGV"},
    {"writes_out", "WRITES_OUT", "LAYOUT", NULL},
    {"changes_input", "CHANGES_INPUT", "LAYOUT", "the kernel changed its input"},
    {"reads_tail", "READS_TAIL", "LAYOUT", "SIGSEGV"},
    {"crashes", "CRASHES", "TREE", "cols=257"},
};
enum { MISTAKES = sizeof mistakes / sizeof mistakes[0] };

static bool inputs_were_kept(Workshop *shop, const Mistake *mistake)
{
    char *command = arena_printf(shop->arena, "ls '%s/shop/failures/%s/' | grep -q '^%s-.*-x.npy$'",
                                 shop->folder, mistake->id, mistake->promise);
    return system(command) == 0;
}

static void each_mistake_is_caught(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "right", right_tree, "0");
    for (int i = 0; i < MISTAKES; i++)
        workshop_add(&shop, mistakes[i].id, right_tree, mistakes[i].mistake);
    json_t *result = workshop_verify(&shop, 60);
    for (int i = 0; i < MISTAKES; i++) {
        assert_status(result, mistakes[i].id, mistakes[i].promise, "broken");
        if (mistakes[i].detail != NULL)
            assert_detail_has(result, mistakes[i].id, mistakes[i].promise, mistakes[i].detail);
        if (!inputs_were_kept(&shop, &mistakes[i]))
            fail_msg("%s: no inputs were kept", mistakes[i].id);
    }
    assert_kept(result, "right"); /* the others' failures are theirs */
    assert_detail_has(result, "right", "TREE", "orders recovered by");
    assert_status(result, "right", "TARGET", "broken");
    assert_status(result, "by_build", "TREE", "kept"); /* a mistake breaks its own promise, not every one */
    assert_status(result, "by_threads", "BATCH", "kept");
    assert_status(result, "reads_out", "TREE", "kept");
    assert_non_null(json_object_get(variant_found(result, "crashes"), "failure"));
    assert_false(json_is_true(json_object_get(result, "ok")));
    json_decref(result);
    workshop_close(&shop);
}

static void a_hanging_kernel_is_ended(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "hangs", right_tree, "HANGS");
    workshop_add_controls(&shop);
    json_t *result = workshop_verify(&shop, 4);
    const char *failure = json_string_value(json_object_get(variant_found(result, "hangs"), "failure"));
    assert_non_null(failure);
    assert_non_null(strstr(failure, "no answer within"));
    assert_status(result, "hangs", "TREE", "not tried: no time was left");
    assert_false(json_is_true(json_object_get(result, "ok")));
    json_decref(result);
    workshop_close(&shop);
}

/* One of two promises broken is not both. */
static void a_control_must_break_every_promise_expected(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "right", right_tree, "0");
    workshop_add_control(&shop, "split(auto)", "control_split", right_tree, "POSITION"); /* keeps THREADS */
    json_t *result = workshop_verify(&shop, 60);
    size_t i;
    int found = 0;
    json_t *control;
    json_array_foreach(json_object_get(result, "controls"), i, control)
    {
        if (strcmp(json_string_value(json_object_get(control, "control")), "split(auto)") != 0)
            continue;
        found++;
        assert_true(json_is_false(json_object_get(control, "caught")));
        assert_string_equal(json_string_value(json_object_get(control, "on")), "BATCH");
    }
    assert_int_equal(found, 1);
    json_decref(result);
    workshop_close(&shop);
}

/* Controls that behave: the verifier must say that it did not catch them. */
static void a_control_that_gets_through_is_told(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "right", right_tree, "0");
    workshop_add_control(&shop, "split(auto)", "control_split", right_tree, "0");
    workshop_add_control(&shop, "swapped pair", "control_swapped", right_tree, "0");
    json_t *result = workshop_verify(&shop, 60);
    size_t i;
    json_t *control;
    assert_int_equal(json_array_size(json_object_get(result, "controls")),
                     3); /* completion is missing: told, too */
    json_array_foreach(json_object_get(result, "controls"), i, control)
        assert_true(json_is_false(json_object_get(control, "caught")));
    assert_kept(result, "right");
    assert_false(json_is_true(json_object_get(result, "ok")));
    json_decref(result);
    workshop_close(&shop);
}

static void a_maximum_is_vacuous_not_kept(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_MAX);
    workshop_add(&shop, "right", right_tree, "0");
    workshop_add(&shop, "dropped", right_tree, "DROPPED");
    workshop_add(&shop, "swapped", right_tree, "SWAPPED");
    json_t *result = workshop_verify(&shop, 60);
    assert_status(result, "right", "TREE", "vacuous");
    assert_detail_has(result, "right", "TREE", "no order can change a maximum");
    assert_status(result, "swapped", "TREE", "vacuous"); /* the order is wrong, and cannot matter */
    assert_status(result, "dropped", "TREE", "broken");
    assert_status(result, "right", "RUN", "kept");
    json_decref(result);
    workshop_close(&shop);
}

static void one_thread_proves_nothing(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "right", right_tree, "0");
    setenv("OMP_THREAD_LIMIT", "1", 1);
    json_t *result = workshop_verify(&shop, 60);
    unsetenv("OMP_THREAD_LIMIT");
    assert_status(result, "right", "THREADS", "vacuous");
    assert_detail_has(result, "right", "THREADS", "only one thread ran");
    assert_status(result, "right", "TREE", "kept");
    json_decref(result);
    workshop_close(&shop);
}

/* A sum of squares shows little of its order, and a long row is one sum only. */
static void other_long_rows_and_in_place_are_caught(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_RMSNORM);
    workshop_add(&shop, "wide_row", right_tree, "WIDE_ROW");
    workshop_add(&shop, "clears", right_tree, "CLEARS"); /* right but in place */
    json_t *result = workshop_verify(&shop, 60);
    assert_status(result, "wide_row", "TREE", "broken");
    assert_status(result, "clears", "TREE", "kept");
    assert_status(result, "clears", "LAYOUT", "broken");
    assert_detail_has(result, "clears", "LAYOUT", "in place");
    json_decref(result);
    workshop_close(&shop);
}

/* Zeros that fill a tail are no step at all, or the sign of a sum of underflowing products is lost. */
static void a_padded_tail_is_caught(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_DOT);
    workshop_add(&shop, "right", right_tree, "0");
    workshop_add(&shop, "tail_zero", right_tree, "TAIL_ZERO");
    workshop_add(&shop, "swapped", right_tree, "SWAPPED");
    json_t *result = workshop_verify(&shop, 60);
    assert_kept(result, "right");
    assert_status(result, "tail_zero", "TREE", "broken");
    assert_detail_has(result, "tail_zero", "TREE", "80000000");
    assert_status(result, "swapped", "TREE", "broken");
    json_decref(result);
    workshop_close(&shop);
}

static void what_is_not_promised_is_not_broken(void **state)
{
    (void)state;
    Workshop shop;
    workshop_open(&shop, ROW_SUM);
    workshop_add(&shop, "completion", "chunk(64, lanes(8), completion)", "RACING");
    workshop_add(&shop, "split_auto", "split(auto, lanes(8), pairwise)", "BY_BATCH");
    json_t *result = workshop_verify(&shop, 60);
    for (int again = 0; again < 20 && !detail_has(result, "completion", "RUN", "differ"); again++) {
        json_decref(result); /* a race has its moods; only a control is waited for with patience */
        result = workshop_verify(&shop, 60);
    }
    assert_status(result, "completion", "RUN", "not promised");
    assert_detail_has(result, "completion", "RUN", "differ");
    assert_false(json_is_true(json_object_get(variant_found(result, "completion"), "deterministic")));
    assert_status(result, "split_auto", "RUN", "kept");
    assert_status(result, "split_auto", "BATCH", "not promised");
    assert_detail_has(result, "split_auto", "BATCH", "differ");
    assert_detail_has(result, "split_auto", "TREE", "equal"); /* the parts it chooses are the stated ones */
    assert_true(json_is_true(json_object_get(variant_found(result, "split_auto"), "deterministic")));
    json_decref(result);
    workshop_close(&shop);
}

/* ---- pieces ---- */

static void orders_have_numbers(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const Term *seq = tree_of(arena, "seq"), *pairwise = tree_of(arena, "pairwise");
    uint64_t of_seq = order_number(seq, 8, false, LEAVES_IN_ORDER);
    assert_true(of_seq == order_number(tree_of(arena, "chunk(8, seq, pairwise)"), 8, false, LEAVES_IN_ORDER));
    assert_true(of_seq == order_number(tree_of(arena, "lanes(1)"), 8, false, LEAVES_IN_ORDER));
    assert_true(of_seq != order_number(pairwise, 8, false, LEAVES_IN_ORDER));
    assert_true(of_seq != order_number(tree_of(arena, "lanes(2)"), 8, false, LEAVES_IN_ORDER));
    /* Operands of an addition may change places: leaves turned round are the same pairs, not the same
     * sequence. */
    assert_true(order_number(pairwise, 8, false, LEAVES_IN_ORDER) ==
                order_number(pairwise, 8, false, LEAVES_REVERSED));
    assert_true(of_seq != order_number(seq, 8, false, LEAVES_REVERSED));
    assert_true(order_number(pairwise, 8, false, LEAVES_IN_ORDER) !=
                order_number(pairwise, 8, false, LEAVES_EXCHANGED));
    assert_true(of_seq != order_number(seq, 8, false, LEAVES_EXCHANGED));
    /* Many leaves: the same number again, and the same for a term that only spells it otherwise. */
    assert_true(order_number(seq, 5000, false, LEAVES_IN_ORDER) ==
                order_number(tree_of(arena, "chunk(5000, seq, halving)"), 5000, false, LEAVES_IN_ORDER));
    /* Two leaves: one order of sums; but fma(a1, b1, a0 * b0) is not a0 * b0 + a1 * b1. */
    assert_true(order_number(seq, 2, false, LEAVES_IN_ORDER) ==
                order_number(pairwise, 2, false, LEAVES_IN_ORDER));
    assert_true(order_number(seq, 2, true, LEAVES_IN_ORDER) !=
                order_number(pairwise, 2, true, LEAVES_IN_ORDER));
    arena_destroy(arena);
}

/* Where the leaves i and j meet in ((0+1)+(2+3)), in (((0+1)+2)+3), and in a machine that adds four at once.
 */
static size_t meet_pairs(void *context, size_t i, size_t j)
{
    (void)context;
    return i / 2 == j / 2 ? 2 : 4;
}

static size_t meet_sequence(void *context, size_t i, size_t j)
{
    (void)context;
    return (i > j ? i : j) + 1;
}

static size_t meet_at_once(void *context, size_t i, size_t j)
{
    (void)context, (void)i, (void)j;
    return 4;
}

static void orders_are_recovered(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    assert_string_equal(fprev_recover(arena, 4, &(FprevProbe){NULL, meet_pairs}), "((0+1)+(2+3))");
    assert_string_equal(fprev_recover(arena, 4, &(FprevProbe){NULL, meet_sequence}), "(((0+1)+2)+3)");
    assert_non_null(strchr(fprev_recover(arena, 4, &(FprevProbe){NULL, meet_at_once}), '['));
    assert_string_equal(fprev_expected(arena, tree_of(arena, "pairwise"), 5), "(((0+1)+(2+3))+4)");
    assert_string_equal(fprev_expected(arena, tree_of(arena, "lanes(2)"), 5), "(((0+2)+4)+(1+3))");
    assert_string_equal(fprev_expected(arena, tree_of(arena, "chunk(2, seq, seq)"), 5), "(((0+1)+(2+3))+4)");
    arena_destroy(arena);
}

/* A wide accumulator hides the order from ordinary data, and the searched-for rows show it. */
static void ties_show_what_normal_data_hides(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const Operator *op = operator_of(arena, ROW_RMSNORM);
    Variant variant = variant_of(arena, op, right_tree, "tie");
    variant.accumulator = ACCUMULATOR_F64;
    int told[2];
    for (int i = 0; i < 2; i++) {
        Case what = {case_shape(op, 8, 200, 5), i == 0 ? INPUT_NORMAL : FILL_TIE, 5};
        Trial trial = trial_create(arena, &variant, &what);
        Rivals rivals = rivals_of(arena, variant.tree);
        reference_evaluate(op, variant.tree, variant.accumulator, &trial.call, 1);
        told[i] = rivals_try(&rivals, &variant, &what, &trial, trial.output);
    }
    assert_int_equal(told[0], 0);
    assert_true(told[1] > 5);
    arena_destroy(arena);
}

/* One other order that no input told is enough: the kernel may have that one. */
static void an_order_not_told_makes_it_vacuous(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Rival item[] = {{.name = "told", .differs = true, .told = true},
                    {.name = "the same", .differs = false},
                    {.name = "missed", .differs = true}};
    Rivals rivals = {item, 3};
    assert_string_equal(rivals_why_vacuous(arena, &rivals), "no input tried tells it from missed");
    item[2].told = true;
    assert_null(rivals_why_vacuous(arena, &rivals));
    assert_int_equal(rivals_told(&rivals), 2);
    rivals.count = 0;
    assert_string_equal(rivals_why_vacuous(arena, &rivals), "no other order was told from it");
    arena_destroy(arena);
}

/* Every element of every output counts; a NaN is a NaN, and equals nothing else. */
static void every_output_is_compared(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Diagnostics none;
    diagnostics_init(&none, arena);
    OperatorBuilder *builder = operator_build_start(arena, &none);
    int dim[] = {operator_build_dim(builder, nowhere, "rows"), operator_build_dim(builder, nowhere, "cols")};
    const Expr *x = operator_build_input(builder, nowhere, "x", 2, dim);
    operator_build_output(builder, nowhere, "y", row_value(builder, ROW_SUM, x, dim));
    operator_build_output(builder, nowhere, "z", op_of(builder, OP_MUL, x, x));
    const Operator *op = operator_build_finish(builder, nowhere, "two");
    const Shape shape = {{2, 3}};
    float y[] = {1, NAN}, z[] = {0, 1, 2, 3, 4, 5}, y_again[] = {1, -NAN}, z_again[] = {0, 1, 2, 3, 4, 5};
    float *const expected[] = {y, z}, *const got[] = {y_again, z_again};
    Difference at;
    assert_false(outputs_differ(op, &shape, expected, got, &at));
    z_again[5] = 6;
    assert_true(outputs_differ(op, &shape, expected, got, &at));
    assert_int_equal(at.output, 1);
    assert_int_equal(at.index, 5);
    z_again[5] = 5, z_again[0] = -0.0f;
    assert_true(outputs_differ(op, &shape, expected, got, &at));
    z_again[0] = 0, y_again[1] = 1;
    assert_true(outputs_differ(op, &shape, expected, got, &at));
    y_again[1] = NAN, y_again[0] = NAN;
    assert_true(outputs_differ(op, &shape, expected, got, &at));
    arena_destroy(arena);
}

static void columns_cover_the_trees_sizes(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const size_t wanted[] = {0, 1, 31, 32, 33, 64, 65, 95, 96, 97, 192, 193};
    size_t *columns, at = 0;
    int count = cases_columns(arena, tree_sizes(tree_of(arena, "chunk(96, lanes(32), seq)")), 1000, &columns);
    for (int i = 0; i < count; i++) {
        assert_true(i == 0 || columns[i] > columns[i - 1]);
        at += at < 12 && columns[i] == wanted[at];
    }
    assert_int_equal(at, 12);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_is_compared),
        cmocka_unit_test(columns_cover_the_trees_sizes),
        cmocka_unit_test(orders_have_numbers),
        cmocka_unit_test(orders_are_recovered),
        cmocka_unit_test(ties_show_what_normal_data_hides),
        cmocka_unit_test(an_order_not_told_makes_it_vacuous),
        cmocka_unit_test(right_kernels_are_kept),
        cmocka_unit_test(certificates_repeat),
        cmocka_unit_test(each_mistake_is_caught),
        cmocka_unit_test(a_hanging_kernel_is_ended),
        cmocka_unit_test(a_control_that_gets_through_is_told),
        cmocka_unit_test(a_control_must_break_every_promise_expected),
        cmocka_unit_test(a_maximum_is_vacuous_not_kept),
        cmocka_unit_test(one_thread_proves_nothing),
        cmocka_unit_test(other_long_rows_and_in_place_are_caught),
        cmocka_unit_test(a_padded_tail_is_caught),
        cmocka_unit_test(what_is_not_promised_is_not_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
