/* evaluate.c: the reference evaluator and the MPFR evaluator of whole operators.
 *
 * Expected values come from loops written here by hand, one rounding per line, or from numbers whose exact
 * result is known; nothing of runtime/reference but the elementary functions is used to make them. */
#include "reference/evaluate.h"
#include "operator/build.h"
#include "reference/elementary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const Location nowhere = {NULL, 0, 0};

typedef struct Bench { /* one operator being put together */
    Arena *arena;
    Diagnostics diagnostics;
    OperatorBuilder *builder;
} Bench;

static Bench *bench_create(void)
{
    Arena *arena = arena_create();
    Bench *bench = ARENA_NEW(arena, Bench);
    bench->arena = arena;
    diagnostics_init(&bench->diagnostics, arena);
    bench->builder = operator_build_start(arena, &bench->diagnostics);
    return bench;
}

static void bench_destroy(Bench *bench)
{
    arena_destroy(bench->arena);
}

static int dim(Bench *b, const char *name)
{
    return operator_build_dim(b->builder, nowhere, name);
}

static const Expr *input1(Bench *b, const char *name, int d)
{
    return operator_build_input(b->builder, nowhere, name, 1, &d);
}

static const Expr *input2(Bench *b, const char *name, int d, int e)
{
    return operator_build_input(b->builder, nowhere, name, 2, (int[]){d, e});
}

static const Expr *op1(Bench *b, OpCode op, const Expr *a)
{
    return operator_build_op(b->builder, nowhere, op, (const Expr *[]){a, NULL, NULL});
}

static const Expr *op2(Bench *b, OpCode op, const Expr *a, const Expr *c)
{
    return operator_build_op(b->builder, nowhere, op, (const Expr *[]){a, c, NULL});
}

static const Expr *reduce(Bench *b, ReduceKind kind, int d, const Expr *body)
{
    return operator_build_reduce(b->builder, nowhere, kind, d, body);
}

static const Expr *constant(Bench *b, double value)
{
    return operator_build_constant(b->builder, nowhere, value);
}

static const Expr *size_of(Bench *b, int d)
{
    return operator_build_size(b->builder, nowhere, d);
}

static const Operator *finish(Bench *b, const Expr *y)
{
    operator_build_output(b->builder, nowhere, "y", y);
    const Operator *op = operator_build_finish(b->builder, nowhere, "test");
    diagnostics_print(&b->diagnostics, stderr);
    assert_non_null(op);
    return op;
}

static const Term *tree(Bench *b, const char *text)
{
    const Term *term = term_parse(b->arena, &b->diagnostics, nowhere, text);
    assert_non_null(term);
    return term;
}

static void evaluate(Bench *b, const Operator *op, const char *tree_text, const CallData *call)
{
    reference_evaluate(op, tree(b, tree_text), ACCUMULATOR_F32, call, 1);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? 0x7fc00000 : bits;
}

static void assert_same_bits(const float *is, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bits_of(is[i]) != bits_of(expected[i])) {
            fail_msg("element %zu is %a, expected %a", i, (double)is[i], (double)expected[i]);
        }
    }
}

/* Numbers with full significands and mixed magnitudes: sums of them depend on the order. */
static void fill(float *x, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = ldexpf((float)(int32_t)seed, -30 + (int)(seed >> 7 & 7));
    }
}

/* ---- the evaluator in binary32 ---- */

enum { ROWS = 3, COLS = 7 };

static const Operator *build_rmsnorm(Bench *b)
{
    int rows = dim(b, "rows"), cols = dim(b, "cols");
    const Expr *x = input2(b, "x", rows, cols), *w = input1(b, "w", cols);
    const Expr *eps = operator_build_param(b->builder, nowhere, "eps", 1e-6);
    const Expr *sum = reduce(b, REDUCE_SUM, cols, op2(b, OP_MUL, x, x));
    const Expr *root = op1(b, OP_SQRT, op2(b, OP_ADD, op2(b, OP_DIV, sum, size_of(b, cols)), eps));
    return finish(b, op2(b, OP_MUL, op2(b, OP_MUL, x, op2(b, OP_DIV, constant(b, 1), root)), w));
}

static void rmsnorm_equals_a_loop(void **state)
{
    (void)state;
    Bench *b = bench_create();
    const Operator *op = build_rmsnorm(b);
    float x[ROWS * COLS], w[COLS], y[ROWS * COLS], expected[ROWS * COLS];
    fill(x, ROWS * COLS, 1);
    fill(w, COLS, 2);
    const float eps = 0x1p-10f; /* not the default: the call's value counts */
    for (int r = 0; r < ROWS; r++) {
        float lane[2] = {0, 0};
        for (int c = 0; c < COLS; c++) {
            lane[c % 2] = fmaf(x[r * COLS + c], x[r * COLS + c], lane[c % 2]);
        }
        float sum = lane[0] + lane[1];
        float mean = sum / 7.0f;
        float shifted = mean + eps;
        float scale = 1.0f / sqrtf(shifted);
        for (int c = 0; c < COLS; c++) {
            float scaled = x[r * COLS + c] * scale;
            expected[r * COLS + c] = scaled * w[c];
        }
    }
    CallData call = {.input = {x, w}, .output = {y}, .param = {eps}, .shape = {{ROWS, COLS}}};
    evaluate(b, op, "lanes(2)", &call);
    assert_same_bits(y, expected, ROWS * COLS);
    evaluate(b, op, "seq", &call);
    assert_memory_not_equal(y, expected, sizeof y); /* the data tells trees apart */
    bench_destroy(b);
}

static void softmax_equals_a_loop(void **state)
{
    (void)state;
    Bench *b = bench_create();
    int rows = dim(b, "rows"), cols = dim(b, "cols");
    const Expr *x = input2(b, "x", rows, cols);
    const Expr *e = op1(b, OP_EXP, op2(b, OP_SUB, x, reduce(b, REDUCE_MAX, cols, x)));
    const Operator *op = finish(b, op2(b, OP_DIV, e, reduce(b, REDUCE_SUM, cols, e)));
    float in[ROWS * COLS], y[ROWS * COLS], expected[ROWS * COLS];
    fill(in, ROWS * COLS, 3);
    for (int r = 0; r < ROWS; r++) {
        const float *row = in + r * COLS;
        float max = row[0], power[COLS], chunk[3] = {0, 0, 0};
        for (int c = 1; c < COLS; c++) {
            max = row[c] > max ? row[c] : max;
        }
        for (int c = 0; c < COLS; c++) {
            power[c] = reference_exp(row[c] - max);
            chunk[c / 3] += power[c];
        }
        float sum = chunk[0] + chunk[1];
        sum += chunk[2];
        for (int c = 0; c < COLS; c++) {
            expected[r * COLS + c] = power[c] / sum;
        }
    }
    CallData call = {.input = {in}, .output = {y}, .shape = {{ROWS, COLS}}};
    evaluate(b, op, "chunk(3, seq, pairwise)", &call);
    assert_same_bits(y, expected, ROWS * COLS);
    bench_destroy(b);
}

/* The second reduction depends on the first; the square of a difference is a fused product too. */
static void layernorm_equals_a_loop(void **state)
{
    (void)state;
    Bench *b = bench_create();
    int rows = dim(b, "rows"), cols = dim(b, "cols");
    const Expr *x = input2(b, "x", rows, cols);
    const Expr *mean = op2(b, OP_DIV, reduce(b, REDUCE_SUM, cols, x), size_of(b, cols));
    const Expr *d = op2(b, OP_SUB, x, mean);
    const Expr *variance =
        op2(b, OP_DIV, reduce(b, REDUCE_SUM, cols, op2(b, OP_MUL, d, d)), size_of(b, cols));
    const Operator *op = finish(b, op2(b, OP_DIV, d, op1(b, OP_SQRT, variance)));
    float in[ROWS * COLS], y[ROWS * COLS], expected[ROWS * COLS];
    fill(in, ROWS * COLS, 4);
    for (int r = 0; r < ROWS; r++) {
        float sum = 0, squares = 0;
        for (int c = 0; c < COLS; c++) {
            sum += in[r * COLS + c];
        }
        float average = sum / 7.0f;
        for (int c = 0; c < COLS; c++) {
            float difference = in[r * COLS + c] - average;
            squares = fmaf(difference, difference, squares);
        }
        float deviation = sqrtf(squares / 7.0f);
        for (int c = 0; c < COLS; c++) {
            float difference = in[r * COLS + c] - average;
            expected[r * COLS + c] = difference / deviation;
        }
    }
    CallData call = {.input = {in}, .output = {y}, .shape = {{ROWS, COLS}}};
    evaluate(b, op, "seq", &call);
    assert_same_bits(y, expected, ROWS * COLS);
    bench_destroy(b);
}

static const Operator *build_linear(Bench *b, bool rounded)
{
    int m = dim(b, "m"), n = dim(b, "n"), k = dim(b, "k");
    const Expr *product = op2(b, OP_MUL, input2(b, "x", m, k), input2(b, "w", n, k));
    return finish(b, reduce(b, REDUCE_SUM, k, rounded ? op1(b, OP_ROUNDED, product) : product));
}

/* Three axes; w is read along its own rows; a fused step against a rounded product. */
static void linear_equals_a_loop(void **state)
{
    (void)state;
    enum { M = 2, N = 3, K = 5 };
    float x[M * K], w[N * K], y[M * N], fused[M * N], rounded[M * N];
    fill(x, M * K, 5);
    fill(w, N * K, 6);
    for (int m = 0; m < M; m++) {
        for (int n = 0; n < N; n++) {
            float f = 0, r = 0;
            for (int k = 0; k < K; k++) {
                f = fmaf(x[m * K + k], w[n * K + k], f);
                float product = x[m * K + k] * w[n * K + k];
                r = r + product;
            }
            fused[m * N + n] = f;
            rounded[m * N + n] = r;
        }
    }
    assert_memory_not_equal(fused, rounded, sizeof fused);
    CallData call = {.input = {x, w}, .output = {y}, .shape = {{M, N, K}}};
    for (int r = 0; r < 2; r++) {
        Bench *b = bench_create();
        evaluate(b, build_linear(b, r), "seq", &call);
        assert_same_bits(y, r ? rounded : fused, M * N);
        bench_destroy(b);
    }
}

/* Reducing the slow axis reads with a stride; the result varies along the fast one and is broadcast back. */
static void slow_axis_equals_a_loop(void **state)
{
    (void)state;
    Bench *b = bench_create();
    int rows = dim(b, "rows"), cols = dim(b, "cols");
    const Expr *x = input2(b, "x", rows, cols);
    const Expr *column = reduce(b, REDUCE_SUM, rows, x);
    const Expr *largest = reduce(b, REDUCE_MIN, cols, column); /* of all column sums */
    const Operator *op = finish(b, op2(b, OP_SUB, op2(b, OP_SUB, x, column), largest));
    float in[ROWS * COLS], y[ROWS * COLS], sum[COLS] = {0}, least = INFINITY, expected[ROWS * COLS];
    fill(in, ROWS * COLS, 7);
    for (int c = 0; c < COLS; c++) {
        for (int r = 0; r < ROWS; r++) {
            sum[c] += in[r * COLS + c];
        }
        least = sum[c] < least ? sum[c] : least;
    }
    for (int i = 0; i < ROWS * COLS; i++) {
        float difference = in[i] - sum[i % COLS];
        expected[i] = difference - least;
    }
    CallData call = {.input = {in}, .output = {y}, .shape = {{ROWS, COLS}}};
    evaluate(b, op, "seq", &call);
    assert_same_bits(y, expected, ROWS * COLS);
    bench_destroy(b);
}

static const Operator *build_reduction(Bench *b, ReduceKind kind)
{
    int rows = dim(b, "rows"), cols = dim(b, "cols");
    return finish(b, reduce(b, kind, cols, input2(b, "x", rows, cols)));
}

static void empty_dims(void **state)
{
    (void)state;
    static const float start[REDUCE_KINDS] = {
        [REDUCE_MAX] = -INFINITY, [REDUCE_MIN] = INFINITY, [REDUCE_SUM] = 0.0f};
    for (int kind = 0; kind < REDUCE_KINDS; kind++) {
        Bench *b = bench_create();
        const Operator *op = build_reduction(b, (ReduceKind)kind);
        float y[2] = {5, 5}, five[2] = {5, 5}, expected[2] = {start[kind], start[kind]};
        CallData call = {.input = {NULL}, .output = {y}, .shape = {{0, 3}}};
        evaluate(b, op, "lanes(4)", &call);
        assert_same_bits(y, five, 2); /* no rows: nothing is written */
        call.shape = (Shape){{2, 0}};
        evaluate(b, op, "lanes(4)", &call);
        assert_same_bits(y, expected, 2);
        double exact[2];
        mpfr_evaluate(op, &call, (double *[OPERATOR_OUTPUTS]){exact});
        assert_true(exact[0] == (double)start[kind] && exact[1] == (double)start[kind]);
        bench_destroy(b);
    }
}

static void special_values(void **state)
{
    (void)state;
    float x[5][4] = {{1, NAN, 3, INFINITY},
                     {-0.0f, 0.0f, -0.0f, -0.0f},
                     {-0.0f, -0.0f, -0.0f, -0.0f},
                     {INFINITY, 1, -INFINITY, 2},
                     {-INFINITY, -0x1p-149f, -INFINITY, -1}};
    static const float expected[REDUCE_KINDS][5] = {[REDUCE_MAX] = {NAN, 0.0f, -0.0f, INFINITY, -0x1p-149f},
                                                    [REDUCE_MIN] = {NAN, -0.0f, -0.0f, -INFINITY, -INFINITY},
                                                    [REDUCE_SUM] = {NAN, 0.0f, 0.0f, NAN, -INFINITY}};
    for (int kind = 0; kind < REDUCE_KINDS; kind++) {
        Bench *b = bench_create();
        const Operator *op = build_reduction(b, (ReduceKind)kind);
        float y[5];
        double exact[5];
        CallData call = {.input = {x[0]}, .output = {y}, .shape = {{5, 4}}};
        evaluate(b, op, "lanes(2)", &call);
        assert_same_bits(y, expected[kind], 5);
        mpfr_evaluate(op, &call, (double *[OPERATOR_OUTPUTS]){exact});
        for (int r = 0; r < 5; r++) {
            assert_true(error_in_ulps(expected[kind][r], exact[r]) == 0);
        }
        bench_destroy(b);
    }
}

static void accumulator_is_part_of_the_result(void **state)
{
    (void)state;
    Bench *b = bench_create();
    const Operator *op = build_reduction(b, REDUCE_SUM);
    float x[3] = {0x1p24f, 1, 1}, y[1];
    CallData call = {.input = {x}, .output = {y}, .shape = {{1, 3}}};
    reference_evaluate(op, tree(b, "seq"), ACCUMULATOR_F32, &call, 1);
    assert_true(y[0] == 0x1p24f);
    reference_evaluate(op, tree(b, "seq"), ACCUMULATOR_F64, &call, 1);
    assert_true(y[0] == 0x1p24f + 2);
    bench_destroy(b);
}

static void auto_parts_reach_the_fold(void **state)
{
    (void)state;
    Bench *b = bench_create();
    const Operator *op = build_reduction(b, REDUCE_SUM);
    const Term *term = tree(b, "split(auto, seq, seq)");
    float x[4] = {0x1p24f, 1, 1, 1}, y[1];
    CallData call = {.input = {x}, .output = {y}, .shape = {{1, 4}}};
    reference_evaluate(op, term, ACCUMULATOR_F32, &call, 1);
    assert_true(y[0] == 0x1p24f);
    reference_evaluate(op, term, ACCUMULATOR_F32, &call, 2); /* (2^24 + 1) + (1 + 1) */
    assert_true(y[0] == 0x1p24f + 2);
    bench_destroy(b);
}

/* Without memory of what is done, a value used twice, 60 levels deep, would take 2^60 steps. The builder
 * refuses text of that length, so the operator is put together by hand. */
static void shared_values_are_made_once(void **state)
{
    (void)state;
    enum { LEVELS = 60 };
    Bench *b = bench_create();
    Expr node[LEVELS + 3] = {
        {.kind = EXPR_INPUT, .axes = 1},
        {.kind = EXPR_REDUCE, .reduce = REDUCE_MAX, .overs = 1, .arg = {&node[0]}},
        {.kind = EXPR_OP, .op = OP_SUB, .axes = 1, .arg = {&node[0], &node[1]}},
    };
    for (int n = 3; n < LEVELS + 3; n++) {
        node[n] = (Expr){
            .kind = EXPR_OP, .op = n % 2 ? OP_ADD : OP_MAX, .axes = 1, .arg = {&node[n - 1], &node[n - 1]}};
    }
    const Expr *nodes[LEVELS + 3];
    for (int n = 0; n < LEVELS + 3; n++) {
        node[n].id = n;
        nodes[n] = &node[n];
    }
    Tensor x = {.name = "x", .rank = 1}, y = {.name = "y", .rank = 1, .value = &node[LEVELS + 2]};
    Operator op = {.name = "shared", .dim = {"cols"}, .input = {x}, .output = {y}, .nodes = LEVELS + 3};
    op.node = nodes;
    op.dims = op.inputs = op.outputs = 1;

    float in[2] = {1, 3}, out[2];
    double exact[2];
    CallData call = {.input = {in}, .output = {out}, .shape = {{2}}};
    evaluate(b, &op, "seq", &call);
    assert_true(out[0] == -0x1p31f && out[1] == 0);
    mpfr_evaluate(&op, &call, (double *[OPERATOR_OUTPUTS]){exact});
    assert_true(exact[0] == -0x1p31 && exact[1] == 0);
    bench_destroy(b);
}

/* Each operation on operands that give it away; a rank-0 output; a size above 2^24 as a number is rounded. */
static void every_operation(void **state)
{
    (void)state;
    static const float a = 3.5f, c = -0.7f;
    const float expected[OP_CODES] = {[OP_ABS] = 0.7f,          [OP_ADD] = 3.5f + -0.7f,
                                      [OP_DIV] = 3.5f / -0.7f,  [OP_EXP] = reference_exp(a),
                                      [OP_FMA] = fmaf(a, c, c), [OP_LOG] = reference_log(a),
                                      [OP_MAX] = 3.5f,          [OP_MIN] = -0.7f,
                                      [OP_MUL] = 3.5f * -0.7f,  [OP_NEG] = 0.7f,
                                      [OP_ROUNDED] = -0.7f,     [OP_SQRT] = sqrtf(a),
                                      [OP_SUB] = 3.5f - -0.7f};
    const double real[OP_CODES] = {[OP_ABS] = -(double)c,
                                   [OP_ADD] = (double)a + (double)c,
                                   [OP_DIV] = (double)a / (double)c,
                                   [OP_EXP] = exp(3.5),
                                   [OP_FMA] = (double)a * (double)c + (double)c,
                                   [OP_LOG] = log(3.5),
                                   [OP_MAX] = (double)a,
                                   [OP_MIN] = (double)c,
                                   [OP_MUL] = (double)a * (double)c,
                                   [OP_NEG] = -(double)c,
                                   [OP_ROUNDED] = (double)c,
                                   [OP_SQRT] = sqrt(3.5),
                                   [OP_SUB] = (double)a - (double)c};
    for (int code = 0; code < OP_CODES; code++) {
        Bench *b = bench_create();
        const Expr *p = operator_build_param(b->builder, nowhere, "p", 0);
        const Expr *q = operator_build_param(b->builder, nowhere, "q", 0);
        bool takes_first = code == OP_EXP || code == OP_LOG || code == OP_SQRT;
        const Expr *arg[3] = {op_rows[code].arity == 1 && !takes_first ? q : p, q, q};
        const Expr *value = operator_build_op(b->builder, nowhere, (OpCode)code, arg);
        int d = dim(b, "d"); /* an operator needs an input: it adds nothing */
        const Expr *nothing = op2(b, OP_MUL, reduce(b, REDUCE_SUM, d, input1(b, "x", d)), constant(b, 0));
        const Expr *used = op2(b, OP_MUL, op2(b, OP_ADD, p, q), constant(b, 0));
        const Operator *op = finish(b, op2(b, OP_ADD, op2(b, OP_ADD, value, nothing), used));
        float x[1] = {1}, y[1];
        double exact[1];
        CallData call = {.input = {x}, .output = {y}, .param = {a, c}, .shape = {{1}}};
        evaluate(b, op, "seq", &call);
        assert_same_bits(y, &expected[code], 1);
        mpfr_evaluate(op, &call, (double *[OPERATOR_OUTPUTS]){exact});
        assert_true(fabs(exact[0] - real[code]) <= 0x1p-51 * fabs(real[code]));
        bench_destroy(b);
    }
}

static void sizes(void **state)
{
    (void)state;
    Tensor scalar = {.rank = 0}, matrix = {.rank = 2, .dim = {2, 0}};
    Shape shape = {{3, 99, 5}}, empty = {{3, 99, 0}};
    assert_int_equal(tensor_elements(&scalar, &shape), 1);
    assert_int_equal(tensor_elements(&matrix, &shape), 15);
    assert_int_equal(tensor_elements(&matrix, &empty), 0);
}

/* ---- the evaluator in real numbers ---- */

static void sums_are_exact(void **state)
{
    (void)state;
    Bench *b = bench_create();
    const Operator *op = build_linear(b, false);
    /* 2^254 cancels and 2^-298 stays: 552 bits apart. */
    float x[3] = {0x1p127f, 0x1p-149f, -0x1p127f}, w[3] = {0x1p127f, 0x1p-149f, 0x1p127f};
    double exact[1];
    CallData call = {.input = {x, w}, .shape = {{1, 1, 3}}};
    mpfr_evaluate(op, &call, (double *[OPERATOR_OUTPUTS]){exact});
    assert_true(exact[0] == 0x1p-298);
    bench_destroy(b);
}

/* More leaves than a block holds; integers, so the exact sum is known. */
static void long_lines(void **state)
{
    (void)state;
    enum { LENGTH = 5000 };
    Bench *b = bench_create();
    int cols = dim(b, "cols");
    const Expr *x = input1(b, "x", cols);
    const Operator *op = finish(b, op2(b, OP_SUB, x, reduce(b, REDUCE_SUM, cols, x)));
    float *in = malloc(LENGTH * sizeof *in);
    double *exact = malloc(LENGTH * sizeof *exact);
    double sum = 0;
    for (int i = 0; i < LENGTH; i++) {
        in[i] = (float)(i * 7919 % 10007);
        sum += (double)in[i];
    }
    CallData call = {.input = {in}, .shape = {{LENGTH}}};
    mpfr_evaluate(op, &call, (double *[OPERATOR_OUTPUTS]){exact});
    for (int i = 0; i < LENGTH; i++) {
        assert_true(exact[i] == (double)in[i] - sum);
    }
    free(in);
    free(exact);
    bench_destroy(b);
}

static void errors_in_ulps(void **state)
{
    (void)state;
    static const struct {
        float value;
        double exact, ulps;
    } row[] = {
        {1, 1, 0},
        {1 + 0x1p-23f, 1, 1},
        {1, 1 - 0x1p-25, 0.5}, /* just below 1 the unit is 2^-24 */
        {1, 1 + 0x1p-24, 0.5},
        {0, 0x1p-150, 0.5},
        {0, 0, 0},
        {-0.0f, 0, 0},
        {0x1p-149f, 0, 1},
        {0x1p-126f, 0x1p-126 + 0x1p-150, 0.5},
        {INFINITY, INFINITY, 0},
        {INFINITY, 0x1p128, 0}, /* what rounds to infinity */
        {INFINITY, 0x1.fffffep127, INFINITY},
        {0x1.fffffep127f, 0x1p128, 1},
        {0x1.fffffep127f, INFINITY, INFINITY},
        {INFINITY, -INFINITY, INFINITY},
        {1, (double)NAN, INFINITY},
        {NAN, 1, INFINITY},
        {NAN, (double)NAN, 0},
        {-2, 2, 0x1p24},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        double ulps = error_in_ulps(row[i].value, row[i].exact);
        if (ulps != row[i].ulps) {
            fail_msg("row %zu: %g ulps, expected %g", i, ulps, row[i].ulps);
        }
    }
}

/* Both evaluators on one operator: every output within a few ulps, not every one the same. */
static void evaluators_agree(void **state)
{
    (void)state;
    enum { WIDE_ROWS = 64, WIDE_COLS = 4096, COUNT = WIDE_ROWS * WIDE_COLS };
    Bench *b = bench_create();
    const Operator *op = build_rmsnorm(b);
    float *x = malloc(COUNT * sizeof *x), *w = malloc(WIDE_COLS * sizeof *w), *y = malloc(COUNT * sizeof *y);
    double *exact = malloc(COUNT * sizeof *exact);
    fill(x, COUNT, 8);
    fill(w, WIDE_COLS, 9);
    CallData call = {.input = {x, w}, .output = {y}, .param = {1e-6f}, .shape = {{WIDE_ROWS, WIDE_COLS}}};
    clock_t start = clock();
    evaluate(b, op, "chunk(1024, lanes(32), pairwise)", &call);
    clock_t middle = clock();
    mpfr_evaluate(op, &call, (double *[OPERATOR_OUTPUTS]){exact});
    print_message("# rmsnorm 64x4096: reference %.1f ms, MPFR %.1f ms\n",
                  1e3 * (double)(middle - start) / CLOCKS_PER_SEC,
                  1e3 * (double)(clock() - middle) / CLOCKS_PER_SEC);
    size_t inexact = 0;
    for (size_t i = 0; i < COUNT; i++) {
        double ulps = error_in_ulps(y[i], exact[i]);
        assert_true(ulps < 6);
        inexact += ulps > 0.5;
    }
    assert_true(inexact > 0 && inexact < COUNT);
    free(x);
    free(w);
    free(y);
    free(exact);
    bench_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rmsnorm_equals_a_loop),
        cmocka_unit_test(softmax_equals_a_loop),
        cmocka_unit_test(layernorm_equals_a_loop),
        cmocka_unit_test(linear_equals_a_loop),
        cmocka_unit_test(slow_axis_equals_a_loop),
        cmocka_unit_test(empty_dims),
        cmocka_unit_test(special_values),
        cmocka_unit_test(accumulator_is_part_of_the_result),
        cmocka_unit_test(auto_parts_reach_the_fold),
        cmocka_unit_test(shared_values_are_made_once),
        cmocka_unit_test(every_operation),
        cmocka_unit_test(sizes),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(errors_in_ulps),
        cmocka_unit_test(evaluators_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
