/* operator.c: operators as data: rows, names, sharing, canonical text, contract and digest. */
#include "operator/build.h"
#include "operator/expression.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const Location here = {"test", 1, 1};

typedef struct Fixture {
    Arena *arena;
    Diagnostics diagnostics;
    OperatorBuilder *builder;
    int rows, cols;
    const Expr *x; /* input x[rows, cols] */
} Fixture;

static int set_up(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    f->arena = arena_create();
    diagnostics_init(&f->diagnostics, f->arena);
    f->builder = operator_build_start(f->arena, &f->diagnostics);
    f->rows = operator_build_dim(f->builder, here, "rows");
    f->cols = operator_build_dim(f->builder, here, "cols");
    f->x = operator_build_input(f->builder, here, "x", 2, (int[]){f->rows, f->cols});
    assert_non_null(f->x);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    arena_destroy(f->arena);
    free(f);
    return 0;
}

static const Expr *op2(Fixture *f, OpCode op, const Expr *a, const Expr *b)
{
    return operator_build_op(f->builder, here, op, (const Expr *const[]){a, b, NULL});
}

static const Expr *op1(Fixture *f, OpCode op, const Expr *a)
{
    return op2(f, op, a, NULL);
}

static const Expr *constant(Fixture *f, double value)
{
    return operator_build_constant(f->builder, here, value);
}

static const Expr *reduce(Fixture *f, ReduceKind kind, int dim, const Expr *body)
{
    return operator_build_reduce(f->builder, here, kind, dim, body);
}

static const Operator *finish(Fixture *f, const Expr *y)
{
    operator_build_output(f->builder, here, "y", y);
    const Operator *op = operator_build_finish(f->builder, here, "test");
    diagnostics_print(&f->diagnostics, stderr);
    assert_non_null(op);
    return op;
}

/* The one message that there is. */
static void assert_message(Fixture *f, const char *expected)
{
    assert_int_equal(f->diagnostics.count, 1);
    assert_string_equal(f->diagnostics.message[0], expected);
    f->diagnostics.count = 0;
}

/* ---- rows ---- */

static void rows_are_alphabetical_and_indexed(void **state)
{
    (void)state;
    for (int i = 0; i < OP_CODES; i++) {
        assert_int_equal(op_rows[i].op, i);
        assert_true(i == 0 || strcmp(op_rows[i - 1].name, op_rows[i].name) < 0);
        assert_in_range(op_rows[i].arity, 1, 3);
    }
    for (int i = 0; i < REDUCE_KINDS; i++) {
        assert_int_equal(reduce_rows[i].kind, i);
        assert_true(i == 0 || strcmp(reduce_rows[i - 1].name, reduce_rows[i].name) < 0);
    }
}

/* ---- names ---- */

static void names_that_c_cannot_take_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } cases[] = {
        {"x", NULL},
        {"weight_2", NULL},
        {"M", NULL},
        {"rows", NULL},
        {"", "is empty"},
        {"_x", "does not begin with a letter"},
        {"2x", "does not begin with a letter"},
        {"a-b", "is no C identifier: letters, digits and _ only"},
        {"a b", "is no C identifier: letters, digits and _ only"},
        {"gr\xc3\xb6\xc3\x9f"
         "e",
         "is no C identifier: letters, digits and _ only"},
        {"float", "is a C keyword"},
        {"restrict", "is a C keyword"},
        {"exp", "is the name of a function"},
        {"sum", "is the name of a function"},
        {"size_t", "already means something in the generated C"},
        {"samebits_x", "already means something in the generated C"},
        {"a2345678901234567890123456789012345678901234567890123456789012345", "is longer than 64 characters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = operator_name_why_not(cases[i].name);
        if (!cases[i].why) {
            assert_null(why);
        } else {
            assert_non_null(why);
            assert_string_equal(why, cases[i].why);
        }
    }
    assert_null(operator_title_why_not("sum")); /* an operator's name is only part of a name in C */
    assert_non_null(operator_title_why_not("rms-norm"));
}

/* ---- sharing ---- */

static void equal_expressions_are_one_node(void **state)
{
    Fixture *f = *state;
    const Expr *square = op2(f, OP_MUL, f->x, f->x);
    assert_ptr_equal(op2(f, OP_MUL, f->x, f->x), square);
    assert_ptr_not_equal(op2(f, OP_ADD, f->x, f->x), square);
    assert_ptr_equal(constant(f, 0.1), constant(f, 0.1f)); /* one binary32 value */
    assert_ptr_not_equal(constant(f, 0.0), constant(f, -0.0));
    assert_ptr_equal(reduce(f, REDUCE_SUM, f->cols, f->x), reduce(f, REDUCE_SUM, f->cols, f->x));
    assert_ptr_not_equal(reduce(f, REDUCE_SUM, f->cols, f->x), reduce(f, REDUCE_MAX, f->cols, f->x));
    assert_ptr_not_equal(reduce(f, REDUCE_SUM, f->cols, f->x), reduce(f, REDUCE_SUM, f->rows, f->x));
    assert_ptr_not_equal(op2(f, OP_SUB, f->x, square), op2(f, OP_SUB, square, f->x));
    const Operator *op = finish(f, op2(f, OP_ADD, square, square));
    assert_int_equal(op->nodes, 3); /* x, x * x, their sum: what was built and dropped is gone */
}

static void nodes_are_in_topological_order(void **state)
{
    Fixture *f = *state;
    const Expr *m = reduce(f, REDUCE_MAX, f->cols, f->x);
    const Expr *e = op1(f, OP_EXP, op2(f, OP_SUB, f->x, m));
    const Operator *op = finish(f, op2(f, OP_DIV, e, reduce(f, REDUCE_SUM, f->cols, e)));
    for (int n = 0; n < op->nodes; n++) {
        assert_int_equal(op->node[n]->id, n);
        for (int i = 0; i < 3 && op->node[n]->arg[i]; i++) {
            assert_true(op->node[n]->arg[i]->id < n);
        }
    }
    assert_int_equal(m->axes, 1u << f->rows);
    assert_int_equal(e->axes, 1u << f->rows | 1u << f->cols);
}

static void a_mistake_is_reported_once(void **state)
{
    Fixture *f = *state;
    assert_null(op2(f, OP_ADD, f->x, NULL));
    assert_null(reduce(f, REDUCE_SUM, f->cols, NULL));
    assert_null(reduce(f, REDUCE_SUM, -1, f->x));
    assert_int_equal(f->diagnostics.count, 0);
    assert_false(operator_build_output(f->builder, here, "y", NULL));
    assert_null(operator_build_finish(f->builder, here, "test"));
    assert_int_equal(f->diagnostics.count, 0); /* whoever passes NULL has reported */
}

/* ---- fused steps ---- */

static void only_a_top_level_product_is_fused(void **state)
{
    Fixture *f = *state;
    const Expr *product = op2(f, OP_MUL, f->x, f->x);
    assert_true(expr_is_fused_product(reduce(f, REDUCE_SUM, f->cols, product)));
    assert_false(expr_is_fused_product(reduce(f, REDUCE_MAX, f->cols, product)));
    assert_false(expr_is_fused_product(reduce(f, REDUCE_SUM, f->cols, f->x)));
    assert_false(expr_is_fused_product(reduce(f, REDUCE_SUM, f->cols, op1(f, OP_ROUNDED, product))));
    assert_false(expr_is_fused_product(reduce(f, REDUCE_SUM, f->cols, op1(f, OP_NEG, product))));
}

/* ---- text ---- */

static void numbers_read_back_to_the_same_bits(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.1f, "0.1"},
                 {1e-6f, "1e-06"},
                 {-0.0f, "-0"},
                 {1.0f / 3, "0.33333334"},
                 {16777216, "16777216"},
                 {0x1p-149f, "1e-45"},
                 {FLT_MAX, "3.4028235e+38"}};
    char text[NUMBER_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(expr_number_text(cases[i].value, text), cases[i].text);
    }
    uint32_t bits = 1;
    for (int i = 0; i < 20000; i++, bits = bits * 1664525u + 1013904223u) {
        float value, again;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        again = strtof(expr_number_text(value, text), NULL);
        assert_memory_equal(&again, &value, sizeof value);
    }
}

static void text_is_fully_parenthesised(void **state)
{
    Fixture *f = *state;
    const Expr *sum = reduce(f, REDUCE_SUM, f->cols, op2(f, OP_MUL, f->x, f->x));
    const Expr *size = operator_build_size(f->builder, here, f->cols);
    const Expr *fma =
        operator_build_op(f->builder, here, OP_FMA, (const Expr *const[]){f->x, constant(f, -2), size});
    const Operator *op =
        finish(f, op2(f, OP_SUB, op1(f, OP_NEG, fma), op1(f, OP_SQRT, op2(f, OP_DIV, sum, size))));
    assert_string_equal(expr_text(f->arena, op, op->output[0].value),
                        "((-fma(x, -2, cols)) - sqrt((sum(cols, (x * x)) / cols)))");
}

/* ---- constants ---- */

static void constants_must_fit_binary32(void **state)
{
    Fixture *f = *state;
    assert_null(constant(f, NAN));
    assert_message(
        f, "test:1:1: error: the constant is not a number; only finite numbers can be in an operator");
    assert_null(constant(f, -INFINITY));
    assert_message(f, "test:1:1: error: the constant is infinite; only finite numbers can be in an operator");
    assert_null(constant(f, 1e39));
    assert_message(f, "test:1:1: error: the constant 1e+39 does not fit binary32; its magnitude must be "
                      "below 3.4028236e+38");
    assert_null(constant(f, -1e-60));
    assert_message(f, "test:1:1: error: the constant -1e-60 does not fit binary32; its magnitude must be 0 "
                      "or at least 1.4e-45");
    assert_true(constant(f, 1.0 / 3)->value == 0x1.555556p-2f);
}

/* ---- limits ---- */

static void runaway_operators_are_stopped(void **state)
{
    Fixture *f = *state;
    const Expr *e = f->x;
    for (int i = 0; e && i < 2 * OPERATOR_NODE_LIMIT; i++) {
        e = op2(f, OP_ADD, e, f->x);
    }
    assert_null(e);
    assert_true(operator_build_is_full(f->builder));
    assert_int_equal(f->diagnostics.count, 1);
    assert_null(constant(f, 12345)); /* and is not reported again */
    assert_int_equal(f->diagnostics.count, 1);
}

static void text_that_would_be_exponential_is_refused(void **state)
{
    Fixture *f = *state;
    const Expr *e = f->x;
    for (int i = 0; i < 200; i++) { /* 2^200 characters from 200 nodes */
        e = op2(f, OP_MUL, e, e);
    }
    operator_build_output(f->builder, here, "y", e);
    assert_null(operator_build_finish(f->builder, here, "test"));
    assert_message(
        f, "test:1:1: error: output 'y' is more than 65536 characters when written out; an operator that "
           "large is better split into several specs");
}

/* ---- contract ---- */

static const Operator *rmsnorm(Fixture *f, double eps)
{
    const Expr *weight = operator_build_input(f->builder, here, "weight", 1, &f->cols);
    const Expr *param = operator_build_param(f->builder, here, "eps", eps);
    const Expr *size = operator_build_size(f->builder, here, f->cols);
    const Expr *mean = op2(f, OP_DIV, reduce(f, REDUCE_SUM, f->cols, op2(f, OP_MUL, f->x, f->x)), size);
    const Expr *scale = op2(f, OP_DIV, constant(f, 1), op1(f, OP_SQRT, op2(f, OP_ADD, mean, param)));
    return finish(f, op2(f, OP_MUL, op2(f, OP_MUL, f->x, scale), weight));
}

static const char rmsnorm_contract[] = "samebits contract 1\n"
                                       "operator test\n"
                                       "dim rows\n"
                                       "dim cols\n"
                                       "input x[rows, cols]\n"
                                       "input weight[cols]\n"
                                       "param eps\n"
                                       "reduce 0: sum over cols, start +0.0, step fma(x, x, acc)\n"
                                       "output y[rows, cols] = "
                                       "((x * (1 / sqrt(((reduce[0] / cols) + eps)))) * weight)\n"
                                       "tree seq\n"
                                       "accumulator f32\n";

static void the_contract_is_what_decides_bits(void **state)
{
    Fixture *f = *state;
    const Term *seq = term_leafless(f->arena, TERM_SEQ);
    const Operator *op = rmsnorm(f, 1e-6);
    const char *text = contract_text(f->arena, op, seq, ACCUMULATOR_F32);
    assert_string_equal(text, rmsnorm_contract);
    const char *other[] = {
        contract_text(f->arena, op, seq, ACCUMULATOR_F64),
        contract_text(f->arena, op, term_leafless(f->arena, TERM_PAIRWISE), ACCUMULATOR_F32)};
    for (int i = 0; i < 2; i++) {
        assert_string_not_equal(contract_digest(f->arena, other[i]), contract_digest(f->arena, text));
    }
}

/* The default of a param is an argument of the call, not of the contract; nor is what was built and dropped.
 */
static void the_contract_is_nothing_else(void **state)
{
    Fixture *f = *state;
    reduce(f, REDUCE_MAX, f->cols, op1(f, OP_EXP, f->x));
    const Term *seq = term_leafless(f->arena, TERM_SEQ);
    assert_string_equal(contract_text(f->arena, rmsnorm(f, 0.5), seq, ACCUMULATOR_F32), rmsnorm_contract);
}

/* FIPS 180-4's own examples, and the digest that coreutils' sha256sum gives for the text above. */
static void the_digest_is_sha256(void **state)
{
    Fixture *f = *state;
    assert_string_equal(contract_digest(f->arena, "abc"),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(contract_digest(f->arena, ""),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(contract_digest(f->arena, rmsnorm_contract),
                        "16470d7473b22b29632b40d85cb23df6ebb1311328b21445156ed7bc726fded2");
}

static void outputs_are_sorted_and_take_dims_in_order_of_declaration(void **state)
{
    Fixture *f = *state;
    const Expr *w =
        operator_build_input(f->builder, here, "w", 2, (int[]){f->cols, f->rows}); /* transposed */
    operator_build_output(f->builder, here, "z", w);
    operator_build_output(f->builder, here, "a", reduce(f, REDUCE_SUM, f->rows, f->x));
    const Operator *op = operator_build_finish(f->builder, here, "two");
    assert_non_null(op);
    assert_string_equal(op->output[0].name, "a");
    assert_int_equal(op->output[0].rank, 1);
    assert_int_equal(op->output[0].dim[0], f->cols);
    assert_string_equal(op->output[1].name, "z");
    assert_int_equal(op->output[1].rank, 2);
    assert_int_equal(op->output[1].dim[0], f->rows);
    assert_int_equal(op->output[1].dim[1], f->cols);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(rows_are_alphabetical_and_indexed),
        TEST(names_that_c_cannot_take_are_refused),
        TEST(equal_expressions_are_one_node),
        TEST(nodes_are_in_topological_order),
        TEST(a_mistake_is_reported_once),
        TEST(only_a_top_level_product_is_fused),
        TEST(numbers_read_back_to_the_same_bits),
        TEST(text_is_fully_parenthesised),
        TEST(constants_must_fit_binary32),
        TEST(runaway_operators_are_stopped),
        TEST(text_that_would_be_exponential_is_refused),
        TEST(the_contract_is_what_decides_bits),
        TEST(the_contract_is_nothing_else),
        TEST(the_digest_is_sha256),
        TEST(outputs_are_sorted_and_take_dims_in_order_of_declaration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
