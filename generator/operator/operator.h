/* operator.h: what is computed, as data: index notation over named dims.
 *
 * An operator is a set of outputs, each an expression over inputs, params, dims (their
 * size as a number) and reductions. Every value is binary32 and every node rounds once; the only
 * exception is a reduction's accumulator (see docs/contract.md). Broadcasting is by dim
 * name. Expressions are hash-consed: equal expressions are the same pointer, and node[] is in
 * topological order (arguments first). */
#ifndef SAMEBITS_OPERATOR_H
#define SAMEBITS_OPERATOR_H

#include "text/arena.h"
#include "text/diagnostics.h"
#include "tree/term.h"

#include <stdint.h>

typedef enum Accumulator { ACCUMULATOR_F32, ACCUMULATOR_F64 } Accumulator;
const char *accumulator_name(Accumulator accumulator); /* "f32", "f64" */

enum { OPERATOR_DIMS = 8, OPERATOR_INPUTS = 8, OPERATOR_OUTPUTS = 4, OPERATOR_PARAMS = 8 };

typedef enum ExprKind {
    EXPR_CONST, /* value */
    EXPR_DIM,   /* the size of dim `index`, converted to binary32 (round to nearest even) */
    EXPR_INPUT, /* input `index` at the current indices */
    EXPR_OP,    /* op(arg...) rounded once; elementary functions by their fixed sequence */
    EXPR_PARAM, /* param `index` */
    EXPR_REDUCE /* arg[0] over the dims `over` by `reduce`, in the kernel's tree */
} ExprKind;

typedef enum OpCode {
    OP_ABS,
    OP_ADD,
    OP_DIV,
    OP_EXP,
    OP_FMA,
    OP_LOG,
    OP_MAX,
    OP_MIN,
    OP_MUL,
    OP_NEG,
    OP_ROUNDED, /* identity that keeps sum(rounded(a * b)) from using a fused step */
    OP_SQRT,
    OP_SUB,
    OP_CODES
} OpCode;

typedef struct OpRow {
    OpCode op;
    const char *name;   /* Lua constructor and word, "exp" */
    const char *symbol; /* infix, "+"; NULL for functions */
    int arity;
    bool elementary; /* a fixed sequence of this project's own */
    const char *meaning;
} OpRow;
extern const OpRow op_rows[OP_CODES];

/* max and min: IEEE 754-2019 maximum and minimum (NaN if any operand is; +0 above -0). */
typedef enum ReduceKind { REDUCE_MAX, REDUCE_MIN, REDUCE_SUM, REDUCE_KINDS } ReduceKind;
typedef struct ReduceRow {
    ReduceKind kind;
    const char *name;
    const char *start; /* "+0.0", "-inf", "+inf" */
    const char *meaning;
} ReduceRow;
extern const ReduceRow reduce_rows[REDUCE_KINDS];

typedef struct Expr Expr;
struct Expr {
    ExprKind kind;
    OpCode op;
    ReduceKind reduce;
    int index;
    float value;
    const Expr *arg[3];
    int over[OPERATOR_DIMS],
        overs;     /* EXPR_REDUCE: leaves come in row-major order of these, the last fastest */
    uint32_t axes; /* bit d set: the value varies along dim d */
    int id;        /* position in Operator.node */
    Location where;
};

typedef struct Tensor { /* an input or an output; contiguous, row-major, binary32 */
    const char *name;
    int rank;
    int dim[OPERATOR_DIMS];
    const Expr *value; /* outputs only */
} Tensor;
typedef struct Param {
    const char *name;
    float value; /* default */
} Param;

typedef struct Operator {
    const char *name;
    Location where;
    const char *dim[OPERATOR_DIMS]; /* in order of declaration */
    Tensor input[OPERATOR_INPUTS], output[OPERATOR_OUTPUTS];
    Param param[OPERATOR_PARAMS];
    const Expr **node;
    int dims, inputs, outputs, params, nodes;
} Operator;

/* sum of a top-level product steps with one fused multiply-add: step(acc, a*b) = fma(a, b, acc). */
bool expr_is_fused_product(const Expr *reduction); /* reduction->kind == EXPR_REDUCE */

/* The dims that are reduced, as bits; "c, w" in the order of the leaves; how many leaves there are. */
uint32_t expr_reduced_dims(const Expr *reduction);
const char *expr_over_text(Arena *arena, const Operator *op, const Expr *reduction);
size_t expr_leaves(const Expr *reduction, const size_t *size); /* size: by dim */
bool expr_over_same(const Expr *a, const Expr *b);             /* the same dims in the same order */

/* Canonical text of one expression, "((x * (1 / sqrt(...))) * weight)", fully parenthesised. */
const char *expr_text(Arena *arena, const Operator *op, const Expr *expr);

/* The contract: canonical text of operator + tree + accumulator + versions of the elementary
 * functions used; and its SHA-256 (64 hex digits). The schedule and the target are not in it. */
const char *contract_text(Arena *arena, const Operator *op, const Term *tree, Accumulator accumulator);
const char *contract_digest(Arena *arena, const char *text);

#endif
