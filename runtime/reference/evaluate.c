/* evaluate.c: whole operators by the reference evaluator (docs/contract.md).
 *
 * Values are made one line at a time: all values of an expression along one dim, the other indices fixed. A
 * reduction is made once per index of the axes it varies along, arguments before users; everything else is
 * made again per line, so memory is one line per node and one table per reduction, however large a product
 * over three dims may be.
 *
 * Invariant: one node, one rounding to binary32, in the order of the expression; FLT_EVAL_METHOD is 0. */
#include "reference/evaluate.h"

#include "reference/elementary.h"
#include "reference/fold.h"
#include "reference/index.h"

#include <assert.h>
#include <float.h>
#include <math.h>

_Static_assert(FLT_EVAL_METHOD == 0, "binary32 operations must round to binary32");

typedef struct Line {
    const float *value;
    size_t step; /* from one value to the next; 0: the same value all along */
} Line;

typedef struct Slot { /* what is known about one node */
    Line line;        /* valid while made == Evaluation.line_number */
    float *buffer;    /* owned by the arena; NULL until it is needed */
    float *table;     /* reductions: a value per index over `axes` */
    unsigned long made;
    bool ready; /* the reductions below have their tables */
} Slot;

typedef struct Evaluation {
    Arena *arena;
    const Operator *op;
    const Term *tree;
    Accumulator accumulator;
    const CallData *call;
    size_t auto_parts;
    size_t longest;     /* the largest size of any dim, at least 1 */
    size_t most_leaves; /* of any reduction, at least 1 */
    float *gathered[2]; /* the leaves of one reduction, where they do not lie side by side */
    Slot *slot;         /* by Expr.id */

    /* The line being made: along `along` (-1: one value), `count` long, at `index`. */
    unsigned long line_number;
    int along;
    size_t count;
    Index index;
} Evaluation;

size_t tensor_elements(const Tensor *tensor, const Shape *shape)
{
    return dims_elements(dims_of_tensor(tensor), shape);
}

static float apply(OpCode op, float a, float b, float c)
{
    switch (op) {
    case OP_ABS:
        return fabsf(a);
    case OP_ADD:
        return a + b;
    case OP_DIV:
        return a / b;
    case OP_EXP:
        return reference_exp(a);
    case OP_FMA:
        return fmaf(a, b, c);
    case OP_LOG:
        return reference_log(a);
    case OP_MAX:
        return reference_maximum(a, b);
    case OP_MIN:
        return reference_minimum(a, b);
    case OP_MUL:
        return a * b;
    case OP_NEG:
        return -a;
    case OP_ROUNDED:
        return a;
    case OP_SQRT:
        return sqrtf(a);
    case OP_SUB:
        return a - b;
    case OP_CODES:
        break;
    }
    assert(!"an operation without a meaning");
    return NAN;
}

static float *slot_buffer(Evaluation *evaluation, Slot *slot)
{
    if (!slot->buffer) {
        slot->buffer = ARENA_ARRAY(evaluation->arena, float, evaluation->longest);
    }
    return slot->buffer;
}

static Line line_of_one(Evaluation *evaluation, Slot *slot, float value)
{
    float *buffer = slot_buffer(evaluation, slot);
    buffer[0] = value;
    return (Line){buffer, 0};
}

static Line line_in_tensor(const Evaluation *evaluation, const float *base, Dims dims)
{
    const Shape *shape = &evaluation->call->shape;
    size_t offset = dims_offset(dims, shape, &evaluation->index);
    return (Line){offset ? base + offset : base, /* base may be NULL when there are no elements */
                  dims_stride(dims, shape, evaluation->along)};
}

static Line line_of(Evaluation *evaluation, const Expr *expr);

static Line line_of_op(Evaluation *evaluation, Slot *slot, const Expr *expr)
{
    static const float nothing = 0;
    Line arg[3] = {{&nothing, 0}, {&nothing, 0}, {&nothing, 0}};
    bool varies = false;
    for (int a = 0; a < op_rows[expr->op].arity; a++) {
        arg[a] = line_of(evaluation, expr->arg[a]);
        varies |= arg[a].step != 0;
    }
    float *out = slot_buffer(evaluation, slot);
    size_t count = varies || evaluation->count == 0 ? evaluation->count : 1;
    for (size_t i = 0; i < count; i++) {
        out[i] = apply(expr->op, arg[0].value[i * arg[0].step], arg[1].value[i * arg[1].step],
                       arg[2].value[i * arg[2].step]);
    }
    return (Line){out, varies};
}

static Line line_make(Evaluation *evaluation, Slot *slot, const Expr *expr)
{
    const CallData *call = evaluation->call;
    switch (expr->kind) {
    case EXPR_CONST:
        return line_of_one(evaluation, slot, expr->value);
    case EXPR_DIM:
        return line_of_one(evaluation, slot, (float)call->shape.size[expr->index]);
    case EXPR_INPUT:
        return line_in_tensor(evaluation, call->input[expr->index],
                              dims_of_tensor(&evaluation->op->input[expr->index]));
    case EXPR_OP:
        return line_of_op(evaluation, slot, expr);
    case EXPR_PARAM:
        return line_of_one(evaluation, slot, call->param[expr->index]);
    case EXPR_REDUCE:
        return line_in_tensor(evaluation, slot->table, dims_of_axes(expr->axes));
    }
    assert(!"an expression without a kind");
    return (Line){NULL, 0};
}

static Line line_of(Evaluation *evaluation, const Expr *expr)
{
    Slot *slot = &evaluation->slot[expr->id];
    if (slot->made != evaluation->line_number) {
        slot->line = line_make(evaluation, slot, expr);
        slot->made = evaluation->line_number;
    }
    return slot->line;
}

static void line_start(Evaluation *evaluation, int along)
{
    evaluation->line_number++;
    evaluation->along = along;
    evaluation->count = along < 0 ? 1 : evaluation->call->shape.size[along];
}

/* The line's leaves, put side by side behind `before` others. */
static const float *leaves_gather(Evaluation *evaluation, const Expr *leaf, int which, size_t before)
{
    Line line = line_of(evaluation, leaf);
    if (!evaluation->gathered[which]) {
        evaluation->gathered[which] = ARENA_ARRAY(evaluation->arena, float, evaluation->most_leaves);
    }
    float *gathered = evaluation->gathered[which];
    for (size_t i = 0; i < evaluation->count; i++) {
        gathered[before + i] = line.value[i * line.step];
    }
    return gathered;
}

/* One line of leaves as reference_fold wants them: where they lie, if they lie side by side and are all. */
static const float *leaves_of_line(Evaluation *evaluation, const Expr *leaf, int which, const Expr *reduction,
                                   size_t before)
{
    Line line = line_of(evaluation, leaf);
    return reduction->overs == 1 && line.step == 1 ? line.value
                                                   : leaves_gather(evaluation, leaf, which, before);
}

/* All leaves of one reduction, in row-major order of its dims: line after line along the last of them. */
static ReferenceLeaves leaves_of(Evaluation *evaluation, const Expr *reduction)
{
    static const float nothing = 0;
    const Shape *shape = &evaluation->call->shape;
    const Expr *leaf = reduction->arg[0];
    const bool fused = expr_is_fused_product(reduction);
    Dims outer = dims_of_reduction(reduction);
    const int last = outer.dim[--outer.rank];
    ReferenceLeaves leaves = {.a = &nothing, .b = fused ? &nothing : NULL};
    if (expr_leaves(reduction, shape->size) == 0) {
        return leaves;
    }
    do {
        line_start(evaluation, last);
        leaves.a = leaves_of_line(evaluation, fused ? leaf->arg[0] : leaf, 0, reduction, leaves.count);
        if (fused) {
            leaves.b = leaves_of_line(evaluation, leaf->arg[1], 1, reduction, leaves.count);
        }
        leaves.count += evaluation->count;
    } while (index_advance(&evaluation->index, outer, shape));
    return leaves;
}

static float reduce_at_index(Evaluation *evaluation, const Expr *reduction)
{
    return reference_fold(evaluation->tree, reduction->reduce, evaluation->accumulator,
                          leaves_of(evaluation, reduction), evaluation->auto_parts);
}

static void table_fill(Evaluation *evaluation, const Expr *reduction, Slot *slot)
{
    const Shape *shape = &evaluation->call->shape;
    Dims dims = dims_of_axes(reduction->axes);
    size_t elements = dims_elements(dims, shape);
    slot->table = ARENA_ARRAY(evaluation->arena, float, elements + 1); /* an empty table is a table too */
    evaluation->index = (Index){{0}};
    for (size_t i = 0; i < elements; i++) {
        slot->table[i] = reduce_at_index(evaluation, reduction);
        index_advance(&evaluation->index, dims, shape);
    }
}

/* Fills the tables of all reductions in `expr`, arguments first. */
static void reductions_fill(Evaluation *evaluation, const Expr *expr)
{
    Slot *slot = &evaluation->slot[expr->id];
    if (slot->ready) {
        return;
    }
    int arity = expr->kind == EXPR_OP ? op_rows[expr->op].arity : expr->kind == EXPR_REDUCE;
    for (int a = 0; a < arity; a++) {
        reductions_fill(evaluation, expr->arg[a]);
    }
    if (expr->kind == EXPR_REDUCE) {
        table_fill(evaluation, expr, slot);
    }
    slot->ready = true;
}

static void output_fill(Evaluation *evaluation, const Tensor *tensor, float *out)
{
    const Shape *shape = &evaluation->call->shape;
    Dims dims = dims_of_tensor(tensor);
    int along = dims.rank > 0 ? dims.dim[dims.rank - 1] : -1;
    Dims outer = dims_without(dims, along);
    if (dims_elements(dims, shape) == 0) {
        return;
    }
    evaluation->index = (Index){{0}};
    do {
        line_start(evaluation, along);
        Line line = line_of(evaluation, tensor->value);
        for (size_t i = 0; i < evaluation->count; i++) {
            *out++ = line.value[i * line.step];
        }
    } while (index_advance(&evaluation->index, outer, shape));
}

static size_t longest_dim(const Operator *op, const Shape *shape)
{
    size_t longest = 1;
    for (int d = 0; d < op->dims; d++) {
        longest = shape->size[d] > longest ? shape->size[d] : longest;
    }
    return longest;
}

static size_t most_leaves(const Operator *op, const Shape *shape)
{
    size_t most = 1;
    for (int n = 0; n < op->nodes; n++) {
        const size_t leaves = op->node[n]->kind == EXPR_REDUCE ? expr_leaves(op->node[n], shape->size) : 0;
        most = leaves > most ? leaves : most;
    }
    return most;
}

void reference_evaluate(const Operator *op, const Term *tree, Accumulator accumulator, const CallData *call,
                        size_t auto_parts)
{
    Arena *arena = arena_create();
    Evaluation evaluation = {.arena = arena,
                             .op = op,
                             .tree = tree,
                             .accumulator = accumulator,
                             .call = call,
                             .auto_parts = auto_parts,
                             .longest = longest_dim(op, &call->shape),
                             .most_leaves = most_leaves(op, &call->shape),
                             .slot = ARENA_ARRAY(arena, Slot, (size_t)op->nodes)};
    for (int o = 0; o < op->outputs; o++) {
        reductions_fill(&evaluation, op->output[o].value);
        output_fill(&evaluation, &op->output[o], call->output[o]);
    }
    arena_destroy(arena);
}

/* The distance of neighbouring binary32 numbers in the binade of `exact`. */
static double unit_in_last_place(double exact)
{
    int exponent;
    frexp(exact, &exponent); /* |exact| in [2^(exponent - 1), 2^exponent) */
    if (exact == 0 || exponent < FLT_MIN_EXP) {
        exponent = FLT_MIN_EXP;
    }
    if (exponent > FLT_MAX_EXP) {
        exponent = FLT_MAX_EXP;
    }
    return ldexp(1, exponent - FLT_MANT_DIG);
}

double error_in_ulps(float value, double exact)
{
    if (isnan(value) || isnan(exact)) {
        return isnan(value) && isnan(exact) ? 0 : INFINITY;
    }
    if (isinf(value) || isinf(exact)) {
        return value == (float)exact ? 0 : INFINITY; /* what rounds to infinity is infinity's kind */
    }
    return fabs((double)value - exact) / unit_in_last_place(exact);
}
