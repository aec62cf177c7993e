/* operator.c: the rows of operations and reductions.
 *
 * Rows are alphabetical and indexed by their enum; the Lua constructors, the documentation's tables and the
 * targets' words derive from them. */
#include "operator/operator.h"

#include <assert.h>

const OpRow op_rows[OP_CODES] = {
    {OP_ABS, "abs", NULL, 1, false, "magnitude; the sign bit cleared"},
    {OP_ADD, "add", "+", 2, false, "sum, rounded once"},
    {OP_DIV, "div", "/", 2, false, "quotient, rounded once"},
    {OP_EXP, "exp", NULL, 1, true, "e to the power of the operand, by a fixed sequence of operations"},
    {OP_FMA, "fma", NULL, 3, false, "a * b + c with one rounding"},
    {OP_LOG, "log", NULL, 1, true, "natural logarithm, by a fixed sequence of operations"},
    {OP_MAX, "max", NULL, 2, false, "IEEE 754-2019 maximum: NaN if any operand is; +0 above -0"},
    {OP_MIN, "min", NULL, 2, false, "IEEE 754-2019 minimum: NaN if any operand is; -0 below +0"},
    {OP_MUL, "mul", "*", 2, false, "product, rounded once"},
    {OP_NEG, "neg", "-", 1, false, "the sign bit flipped"},
    {OP_ROUNDED, "rounded", NULL, 1, false,
     "the operand itself; keeps a sum of products from using a fused step"},
    {OP_SQRT, "sqrt", NULL, 1, false, "square root, rounded once"},
    {OP_SUB, "sub", "-", 2, false, "difference, rounded once"},
};

const ReduceRow reduce_rows[REDUCE_KINDS] = {
    {REDUCE_MAX, "max", "-inf", "the largest leaf (IEEE 754-2019 maximum)"},
    {REDUCE_MIN, "min", "+inf", "the smallest leaf (IEEE 754-2019 minimum)"},
    {REDUCE_SUM, "sum", "+0.0", "the sum of the leaves; over a product each step is one fused multiply-add"},
};

const char *accumulator_name(Accumulator accumulator)
{
    return accumulator == ACCUMULATOR_F64 ? "f64" : "f32";
}

bool expr_is_fused_product(const Expr *reduction)
{
    assert(reduction->kind == EXPR_REDUCE);
    const Expr *body = reduction->arg[0];
    return reduction->reduce == REDUCE_SUM && body->kind == EXPR_OP && body->op == OP_MUL;
}

uint32_t expr_reduced_dims(const Expr *reduction)
{
    uint32_t dims = 0;
    for (int i = 0; i < reduction->overs; i++) {
        dims |= UINT32_C(1) << reduction->over[i];
    }
    return dims;
}

const char *expr_over_text(Arena *arena, const Operator *op, const Expr *reduction)
{
    const char *text = op->dim[reduction->over[0]];
    for (int i = 1; i < reduction->overs; i++) {
        text = arena_printf(arena, "%s, %s", text, op->dim[reduction->over[i]]);
    }
    return text;
}

size_t expr_leaves(const Expr *reduction, const size_t *size)
{
    size_t leaves = 1;
    for (int i = 0; i < reduction->overs; i++) {
        leaves *= size[reduction->over[i]];
    }
    return leaves;
}

bool expr_over_same(const Expr *a, const Expr *b)
{
    bool same = a->overs == b->overs;
    for (int i = 0; same && i < a->overs; i++) {
        same = a->over[i] == b->over[i];
    }
    return same;
}
