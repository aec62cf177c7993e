/* contract.c: the contract of a kernel as text, and its digest.
 *
 * The text holds everything that decides a kernel's bits and nothing else: operator, tree, accumulator and
 * the version of each elementary function used. Target, schedule, default values of params, spec files
 * and names of methods are not in it. docs/spec-language.md ("The contract") describes the lines.
 *
 * Invariant: changing what a line means, or the order of lines, changes the first line's number. */
#include "operator/expression.h"

#include <nettle/sha2.h>
#include <string.h>

enum { CONTRACT_VERSION = 1 };

/* A change of any bit of a function's outputs is a new version of it. */
static const int elementary_version[OP_CODES] = {[OP_EXP] = 1, [OP_LOG] = 1};

static void append_declarations(Buffer *out, const Operator *op)
{
    for (int d = 0; d < op->dims; d++) {
        buffer_printf(out, "dim %s\n", op->dim[d]);
    }
    for (int i = 0; i < op->inputs; i++) {
        const Tensor *input = &op->input[i];
        buffer_printf(out, "input %s[", input->name);
        for (int r = 0; r < input->rank; r++) {
            buffer_printf(out, "%s%s", r > 0 ? ", " : "", op->dim[input->dim[r]]);
        }
        buffer_append_string(out, "]\n");
    }
    for (int p = 0; p < op->params; p++) {
        buffer_printf(out, "param %s\n", op->param[p].name);
    }
}

static void append_step(Buffer *out, const Operator *op, const Expr *reduction, const int *number)
{
    const Expr *body = reduction->arg[0];
    if (expr_is_fused_product(reduction)) {
        buffer_append_string(out, "fma(");
        expr_append(out, op, body->arg[0], number);
        buffer_append_string(out, ", ");
        expr_append(out, op, body->arg[1], number);
        buffer_append_string(out, ", acc)");
        return;
    }
    bool is_sum = reduction->reduce == REDUCE_SUM;
    buffer_append_string(out, is_sum                            ? "(acc + "
                              : reduction->reduce == REDUCE_MAX ? "max(acc, "
                                                                : "min(acc, ");
    expr_append(out, op, body, number);
    buffer_append_string(out, ")");
}

/* Reductions are numbered in topological order; `number` is filled as they are met. */
static void append_reductions(Buffer *out, const Operator *op, int *number)
{
    int next = 0;
    for (int n = 0; n < op->nodes; n++) {
        const Expr *node = op->node[n];
        number[n] = -1;
        if (node->kind != EXPR_REDUCE) {
            continue;
        }
        buffer_printf(out, "reduce %d: %s over ", next, reduce_rows[node->reduce].name);
        for (int i = 0; i < node->overs; i++) {
            buffer_printf(out, "%s%s", op->dim[node->over[i]], i + 1 < node->overs ? ", " : "");
        }
        buffer_printf(out, ", start %s, step ", reduce_rows[node->reduce].start);
        append_step(out, op, node, number);
        buffer_append_string(out, "\n");
        number[n] = next++;
    }
}

static void append_outputs(Buffer *out, const Operator *op, const int *number)
{
    for (int o = 0; o < op->outputs; o++) {
        const Tensor *output = &op->output[o];
        buffer_printf(out, "output %s[", output->name);
        for (int r = 0; r < output->rank; r++) {
            buffer_printf(out, "%s%s", r > 0 ? ", " : "", op->dim[output->dim[r]]);
        }
        buffer_append_string(out, "] = ");
        expr_append(out, op, output->value, number);
        buffer_append_string(out, "\n");
    }
}

static void append_elementary(Buffer *out, const Operator *op)
{
    bool used[OP_CODES] = {false};
    for (int n = 0; n < op->nodes; n++) {
        if (op->node[n]->kind == EXPR_OP) {
            used[op->node[n]->op] = true;
        }
    }
    for (int code = 0; code < OP_CODES; code++) {
        if (used[code] && op_rows[code].elementary) {
            buffer_printf(out, "elementary %s %d\n", op_rows[code].name, elementary_version[code]);
        }
    }
}

const char *contract_text(Arena *arena, const Operator *op, const Term *tree, Accumulator accumulator)
{
    Buffer out = {0};
    int *number = ARENA_ARRAY(arena, int, (size_t)op->nodes);
    buffer_printf(&out, "samebits contract %d\noperator %s\n", CONTRACT_VERSION, op->name);
    append_declarations(&out, op);
    append_reductions(&out, op, number);
    append_outputs(&out, op, number);
    buffer_printf(&out, "tree %s\naccumulator %s\n", term_text(arena, tree), accumulator_name(accumulator));
    append_elementary(&out, op);
    const char *text = arena_copy(arena, buffer_string(&out));
    buffer_destroy(&out);
    return text;
}

const char *contract_digest(Arena *arena, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, strlen(text), (const uint8_t *)text);
    sha256_digest(&context, sizeof digest, digest);
    char *result = arena_alloc(arena, 2 * sizeof digest + 1, 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        result[2 * i] = hex[digest[i] >> 4];
        result[2 * i + 1] = hex[digest[i] & 15];
    }
    return result;
}
