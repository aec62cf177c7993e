/* build.h: putting an operator together, one checked piece at a time.
 *
 * Every call checks its own arguments; on a mistake it reports at `where` and returns NULL (or -1, or false).
 * NULL as an argument stands for a value whose mistake is already reported: the result is then
 * NULL too, silently, so one mistake is reported once and the next one is still found.
 *
 * Invariant: equal expressions are one node, so that pointer equality is equality of meaning. */
#ifndef SAMEBITS_OPERATOR_BUILD_H
#define SAMEBITS_OPERATOR_BUILD_H

#include "operator/operator.h"

enum {
    OPERATOR_NAME_LIMIT = 64,     /* characters of any name */
    OPERATOR_NODE_LIMIT = 4096,   /* nodes made, used or not */
    OPERATOR_TEXT_LIMIT = 1 << 16 /* characters of an output, written out */
};

typedef struct OperatorBuilder OperatorBuilder;

OperatorBuilder *operator_build_start(Arena *arena, Diagnostics *diagnostics);
int operator_build_dim(OperatorBuilder *builder, Location where, const char *name); /* its index, or -1 */
const Expr *operator_build_input(OperatorBuilder *builder, Location where, const char *name, int rank,
                                 const int *dim);
/* Numbers are binary64 as Lua has them; they are rounded to binary32, once. */
const Expr *operator_build_param(OperatorBuilder *builder, Location where, const char *name, double value);
const Expr *operator_build_constant(OperatorBuilder *builder, Location where, double value);
const Expr *operator_build_size(OperatorBuilder *builder, Location where, int dim);
const Expr *operator_build_op(OperatorBuilder *builder, Location where, OpCode op, const Expr *const *arg);
const Expr *operator_build_reduce(OperatorBuilder *builder, Location where, ReduceKind reduce, int dim,
                                  const Expr *body);
/* Over several dims at once: leaves in row-major order of `dim`, the last one fastest. */
const Expr *operator_build_reduce_over(OperatorBuilder *builder, Location where, ReduceKind reduce,
                                       const int *dim, int dims, const Expr *body);
bool operator_build_output(OperatorBuilder *builder, Location where, const char *name, const Expr *value);

/* Checks the whole: names that collide, declared things that nothing uses, size. Outputs are sorted by name.
 */
const Operator *operator_build_finish(OperatorBuilder *builder, Location where, const char *name);

/* The node limit is reached and reported: nothing more can be built. */
bool operator_build_is_full(const OperatorBuilder *builder);

/* What has been declared so far, for messages. */
const Operator *operator_build_so_far(const OperatorBuilder *builder);

/* NULL when `name` can be an operator's (a C identifier), or a dim's, input's, param's or output's (which
 * become names in C); else why not: "is a C keyword". */
const char *operator_title_why_not(const char *name);
const char *operator_name_why_not(const char *name);

#endif
