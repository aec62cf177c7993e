/* evaluate_mpfr.c: an operator's formula in real numbers, by MPFR, as the yardstick of errors.
 *
 * No tree has a say here: a sum is taken in an accumulator wide enough to hold every sum of binary32 values
 * and of their products exactly (2^-298 to 2^256 and the carries of 2^64 leaves) and rounded to PRECISION
 * bits once; every other operation rounds to PRECISION bits. Subnormals, overflow and binary32 play no part
 * until the end.
 *
 * Lines as in evaluate.c, but a reduction takes its line in blocks, so that memory does not grow with the
 * leaves. */
#include "reference/evaluate.h"

#include "reference/index.h"

#include <assert.h>
#include <mpfr.h>
#include <stdlib.h>

enum { PRECISION = 320, ACCUMULATOR_PRECISION = 640, BLOCK = 1024 };

typedef struct Line {
    mpfr_t *value;
    size_t step; /* from one value to the next; 0: the same value all along */
} Line;

typedef struct Slot { /* what is known about one node */
    Line line;        /* valid while made == Exact.line_number */
    mpfr_t *buffer;   /* BLOCK values, or one when the node has no axes; NULL until it is needed */
    size_t buffer_size;
    mpfr_t *table; /* reductions: a value per index over `axes` */
    size_t table_size;
    unsigned long made;
    bool ready; /* the reductions below have their tables */
} Slot;

typedef struct Exact {
    Arena *arena;
    const Operator *op;
    const CallData *call;
    Slot *slot; /* by Expr.id */
    mpfr_t accumulator;

    /* The block being made: `count` values from `index` on, along `along` (-1: one value). */
    unsigned long line_number;
    int along;
    size_t count;
    Index index;
} Exact;

static mpfr_t *numbers_create(Arena *arena, size_t count)
{
    mpfr_t *number = ARENA_ARRAY(arena, mpfr_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        mpfr_init2(number[i], PRECISION);
    }
    return number;
}

static void numbers_destroy(mpfr_t *number, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mpfr_clear(number[i]);
    }
}

static mpfr_t *slot_buffer(Exact *exact, Slot *slot, const Expr *expr)
{
    if (!slot->buffer) {
        slot->buffer_size = expr->axes ? BLOCK : 1;
        slot->buffer = numbers_create(exact->arena, slot->buffer_size);
    }
    return slot->buffer;
}

/* IEEE 754-2019 maximum and minimum; MPFR's own prefer a number to NaN. */
static void larger(mpfr_t out, mpfr_t a, mpfr_t b)
{
    if (mpfr_nan_p(a) || mpfr_nan_p(b)) {
        mpfr_set_nan(out);
    } else {
        mpfr_max(out, a, b, MPFR_RNDN);
    }
}

static void smaller(mpfr_t out, mpfr_t a, mpfr_t b)
{
    if (mpfr_nan_p(a) || mpfr_nan_p(b)) {
        mpfr_set_nan(out);
    } else {
        mpfr_min(out, a, b, MPFR_RNDN);
    }
}

static void apply(OpCode op, mpfr_t out, mpfr_t a, mpfr_t b, mpfr_t c)
{
    switch (op) {
    case OP_ABS:
        mpfr_abs(out, a, MPFR_RNDN);
        return;
    case OP_ADD:
        mpfr_add(out, a, b, MPFR_RNDN);
        return;
    case OP_DIV:
        mpfr_div(out, a, b, MPFR_RNDN);
        return;
    case OP_EXP:
        mpfr_exp(out, a, MPFR_RNDN);
        return;
    case OP_FMA:
        mpfr_fma(out, a, b, c, MPFR_RNDN);
        return;
    case OP_LOG:
        mpfr_log(out, a, MPFR_RNDN);
        return;
    case OP_MAX:
        larger(out, a, b);
        return;
    case OP_MIN:
        smaller(out, a, b);
        return;
    case OP_MUL:
        mpfr_mul(out, a, b, MPFR_RNDN);
        return;
    case OP_NEG:
        mpfr_neg(out, a, MPFR_RNDN);
        return;
    case OP_ROUNDED: /* a rounding of binary32; the formula in real numbers has none */
        mpfr_set(out, a, MPFR_RNDN);
        return;
    case OP_SQRT:
        mpfr_sqrt(out, a, MPFR_RNDN);
        return;
    case OP_SUB:
        mpfr_sub(out, a, b, MPFR_RNDN);
        return;
    case OP_CODES:
        break;
    }
    assert(!"an operation without a meaning");
}

static Line line_of(Exact *exact, const Expr *expr);

static Line line_of_op(Exact *exact, Slot *slot, const Expr *expr)
{
    int arity = op_rows[expr->op].arity;
    Line arg[3];
    bool varies = false;
    for (int a = 0; a < 3; a++) { /* a missing argument repeats the first; apply ignores it */
        arg[a] = line_of(exact, expr->arg[a < arity ? a : 0]);
        varies |= arg[a].step != 0;
    }
    mpfr_t *out = slot_buffer(exact, slot, expr);
    size_t count = varies ? exact->count : 1;
    for (size_t i = 0; i < count; i++) {
        apply(expr->op, out[i], arg[0].value[i * arg[0].step], arg[1].value[i * arg[1].step],
              arg[2].value[i * arg[2].step]);
    }
    return (Line){out, varies};
}

static Line line_of_input(Exact *exact, Slot *slot, const Expr *expr)
{
    const Shape *shape = &exact->call->shape;
    Dims dims = dims_of_tensor(&exact->op->input[expr->index]);
    const float *value = exact->call->input[expr->index] + dims_offset(dims, shape, &exact->index);
    size_t stride = dims_stride(dims, shape, exact->along);
    mpfr_t *out = slot_buffer(exact, slot, expr);
    size_t count = stride ? exact->count : 1;
    for (size_t i = 0; i < count; i++) {
        mpfr_set_flt(out[i], value[i * stride], MPFR_RNDN);
    }
    return (Line){out, stride != 0};
}

static Line line_of_number(Exact *exact, Slot *slot, const Expr *expr)
{
    mpfr_t *out = slot_buffer(exact, slot, expr);
    if (expr->kind == EXPR_DIM) {
        mpfr_set_uj(out[0], exact->call->shape.size[expr->index], MPFR_RNDN);
    } else {
        float value = expr->kind == EXPR_CONST ? expr->value : exact->call->param[expr->index];
        mpfr_set_flt(out[0], value, MPFR_RNDN);
    }
    return (Line){out, 0};
}

static Line line_make(Exact *exact, Slot *slot, const Expr *expr)
{
    const Shape *shape = &exact->call->shape;
    switch (expr->kind) {
    case EXPR_INPUT:
        return line_of_input(exact, slot, expr);
    case EXPR_OP:
        return line_of_op(exact, slot, expr);
    case EXPR_REDUCE:
        return (Line){slot->table + dims_offset(dims_of_axes(expr->axes), shape, &exact->index),
                      dims_stride(dims_of_axes(expr->axes), shape, exact->along)};
    default:
        return line_of_number(exact, slot, expr);
    }
}

static Line line_of(Exact *exact, const Expr *expr)
{
    Slot *slot = &exact->slot[expr->id];
    if (slot->made != exact->line_number) {
        slot->line = line_make(exact, slot, expr);
        slot->made = exact->line_number;
    }
    return slot->line;
}

/* Starts the block of at most BLOCK values from `first` on; false when there are none. */
static bool block_start(Exact *exact, int along, size_t first)
{
    size_t size = along < 0 ? 1 : exact->call->shape.size[along];
    if (first >= size) {
        return false;
    }
    exact->line_number++;
    exact->along = along;
    exact->count = size - first < BLOCK ? size - first : BLOCK;
    if (along >= 0) {
        exact->index.at[along] = first;
    }
    return true;
}

/* Adds a block with one rounding, exact for binary32 values and their products. */
static void block_sum(Exact *exact, Line line)
{
    mpfr_ptr term[BLOCK + 1];
    for (size_t i = 0; i < exact->count; i++) {
        term[i] = line.value[i * line.step];
    }
    term[exact->count] = exact->accumulator;
    mpfr_sum(exact->accumulator, term, exact->count + 1, MPFR_RNDN);
}

static void block_reduce(Exact *exact, ReduceKind reduce, Line line)
{
    if (reduce == REDUCE_SUM) {
        block_sum(exact, line);
        return;
    }
    for (size_t i = 0; i < exact->count; i++) {
        (reduce == REDUCE_MAX ? larger : smaller)(exact->accumulator, exact->accumulator,
                                                  line.value[i * line.step]);
    }
}

static void reduce_at_index(Exact *exact, const Expr *reduction, mpfr_t out)
{
    if (reduction->reduce == REDUCE_SUM) {
        mpfr_set_zero(exact->accumulator, 1);
    } else {
        mpfr_set_inf(exact->accumulator, reduction->reduce == REDUCE_MAX ? -1 : 1);
    }
    const Shape *shape = &exact->call->shape;
    Dims outer = dims_of_reduction(reduction);
    const int last = outer.dim[--outer.rank];
    bool more = expr_leaves(reduction, shape->size) > 0;
    while (more) {
        for (size_t first = 0; block_start(exact, last, first); first += BLOCK) {
            block_reduce(exact, reduction->reduce, line_of(exact, reduction->arg[0]));
        }
        exact->index.at[last] = 0;
        more = index_advance(&exact->index, outer, shape);
    }
    mpfr_set(out, exact->accumulator, MPFR_RNDN);
}

static void table_fill(Exact *exact, const Expr *reduction, Slot *slot)
{
    const Shape *shape = &exact->call->shape;
    Dims dims = dims_of_axes(reduction->axes);
    slot->table_size = dims_elements(dims, shape);
    slot->table = numbers_create(exact->arena, slot->table_size);
    exact->index = (Index){{0}};
    for (size_t i = 0; i < slot->table_size; i++) {
        reduce_at_index(exact, reduction, slot->table[i]);
        index_advance(&exact->index, dims, shape);
    }
}

/* Fills the tables of all reductions in `expr`, arguments first. */
static void reductions_fill(Exact *exact, const Expr *expr)
{
    Slot *slot = &exact->slot[expr->id];
    if (slot->ready) {
        return;
    }
    int arity = expr->kind == EXPR_OP ? op_rows[expr->op].arity : expr->kind == EXPR_REDUCE;
    for (int a = 0; a < arity; a++) {
        reductions_fill(exact, expr->arg[a]);
    }
    if (expr->kind == EXPR_REDUCE) {
        table_fill(exact, expr, slot);
    }
    slot->ready = true;
}

static void output_fill(Exact *exact, const Tensor *tensor, double *out)
{
    const Shape *shape = &exact->call->shape;
    Dims dims = dims_of_tensor(tensor);
    int along = dims.rank > 0 ? dims.dim[dims.rank - 1] : -1;
    Dims outer = dims_without(dims, along);
    if (dims_elements(dims, shape) == 0) {
        return;
    }
    exact->index = (Index){{0}};
    do {
        for (size_t first = 0; block_start(exact, along, first); first += BLOCK) {
            Line line = line_of(exact, tensor->value);
            for (size_t i = 0; i < exact->count; i++) {
                *out++ = mpfr_get_d(line.value[i * line.step], MPFR_RNDN);
            }
        }
    } while (index_advance(&exact->index, outer, shape));
}

void mpfr_evaluate(const Operator *op, const CallData *call, double *const exact_out[OPERATOR_OUTPUTS])
{
    Arena *arena = arena_create();
    Exact exact = {
        .arena = arena, .op = op, .call = call, .slot = ARENA_ARRAY(arena, Slot, (size_t)op->nodes)};
    mpfr_init2(exact.accumulator, ACCUMULATOR_PRECISION);
    for (int o = 0; o < op->outputs; o++) {
        reductions_fill(&exact, op->output[o].value);
        output_fill(&exact, &op->output[o], exact_out[o]);
    }
    for (int n = 0; n < op->nodes; n++) {
        numbers_destroy(exact.slot[n].buffer, exact.slot[n].buffer_size);
        numbers_destroy(exact.slot[n].table, exact.slot[n].table_size);
    }
    mpfr_clear(exact.accumulator);
    arena_destroy(arena);
}
