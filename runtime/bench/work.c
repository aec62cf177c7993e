/* work.c: bytes, operations and dependency chains, from the operator and the term alone. */
#include "bench/work.h"
#include "reference/evaluate.h"

#include <stdint.h>

static double axes_elements(const Operator *op, const Shape *shape, uint32_t axes)
{
    double elements = 1.0;
    for (int d = 0; d < op->dims; d++)
        if (axes >> d & 1)
            elements *= (double)shape->size[d];
    return elements;
}

static double node_flops(const Operator *op, const Shape *shape, const Expr *node)
{
    switch (node->kind) {
    case EXPR_OP:
        if (node->op == OP_ROUNDED)
            return 0.0;
        return (node->op == OP_FMA ? 2.0 : 1.0) * axes_elements(op, shape, node->axes);
    case EXPR_REDUCE:
        return axes_elements(op, shape, node->arg[0]->axes);
    default:
        return 0.0;
    }
}

static double count_flops(const Operator *op, const Shape *shape, const Expr *node, bool *seen)
{
    if (node == NULL || seen[node->id])
        return 0.0;
    seen[node->id] = true;
    double flops = node_flops(op, shape, node);
    for (int i = 0; i < 3; i++)
        flops += count_flops(op, shape, node->arg[i], seen);
    return flops;
}

Work work_count(const Operator *op, const Shape *shape)
{
    Work work = {0};
    bool seen[op->nodes + 1];
    for (int i = 0; i <= op->nodes; i++)
        seen[i] = false;
    for (int i = 0; i < op->inputs; i++)
        work.bytes_in += (double)sizeof(float) * (double)tensor_elements(&op->input[i], shape);
    for (int o = 0; o < op->outputs; o++) {
        work.bytes_out += (double)sizeof(float) * (double)tensor_elements(&op->output[o], shape);
        work.flops += count_flops(op, shape, op->output[o].value, seen);
    }
    return work;
}

/* The walk's handles are the partials' depths themselves: a step waits for its accumulator, a join for both
 * sides. */
static int depth_start(void *context)
{
    (void)context;
    return 0;
}

static int depth_step(void *context, int accumulator, uint64_t leaf)
{
    (void)context, (void)leaf;
    return accumulator + 1;
}

static int depth_join(void *context, int left, int right)
{
    (void)context;
    return (left > right ? left : right) + 1;
}

static double term_depth(const Term *tree, uint64_t leaves)
{
    const TermWalk walk = {.start = depth_start, .step = depth_step, .join = depth_join};
    return term_walk(tree, leaves, 1, &walk);
}

static double chain_above(const Operator *op, const Term *tree, const Shape *shape, const Expr *node,
                          double *known)
{
    if (node == NULL)
        return 0.0;
    if (known[node->id] >= 0.0)
        return known[node->id];
    double longest = 0.0;
    for (int i = 0; i < 3; i++) {
        double chain = chain_above(op, tree, shape, node->arg[i], known);
        longest = chain > longest ? chain : longest;
    }
    if (node->kind == EXPR_REDUCE && node->reduce == REDUCE_SUM)
        longest += term_depth(tree, expr_leaves(node, shape->size));
    return known[node->id] = longest;
}

static bool has_long_row(const Operator *op, const Shape *shape)
{
    for (int i = 0; i < op->nodes; i++)
        if (op->node[i]->kind == EXPR_REDUCE && expr_leaves(op->node[i], shape->size) > WORK_CHAIN_LIMIT)
            return true;
    return false;
}

double work_chain_steps(const Operator *op, const Term *tree, const Shape *shape)
{
    if (tree == NULL || has_long_row(op, shape))
        return 0.0;
    double known[op->nodes + 1], longest = 0.0;
    for (int i = 0; i <= op->nodes; i++)
        known[i] = -1.0;
    for (int o = 0; o < op->outputs; o++) {
        double chain = chain_above(op, tree, shape, op->output[o].value, known);
        longest = chain > longest ? chain : longest;
    }
    return longest;
}
