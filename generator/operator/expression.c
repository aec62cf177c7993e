/* expression.c: expressions as canonical text.
 *
 * Invariant: two expressions over the same declarations have equal text if and only if they are the same
 * node. Constants are decimal and shortest: nine significant digits always tell binary32 values apart (IEEE
 * 754-2019, 5.12.2), so the text loses nothing. */
#include "operator/expression.h"

#include <stdio.h>
#include <stdlib.h>

const char *expr_number_text(float value, char text[NUMBER_TEXT])
{
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, NUMBER_TEXT, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) {
            break;
        }
    }
    return text;
}

static void append_op(Buffer *out, const Operator *op, const Expr *expr, const int *reduce_number)
{
    const OpRow *row = &op_rows[expr->op];
    if (!row->symbol) {
        buffer_append_string(out, row->name);
    }
    buffer_append_string(out, "(");
    if (row->symbol && row->arity == 1) {
        buffer_append_string(out, row->symbol);
    }
    for (int i = 0; i < row->arity; i++) {
        if (i > 0 && row->symbol) {
            buffer_printf(out, " %s ", row->symbol);
        } else if (i > 0) {
            buffer_append_string(out, ", ");
        }
        expr_append(out, op, expr->arg[i], reduce_number);
    }
    buffer_append_string(out, ")");
}

static void append_reduction(Buffer *out, const Operator *op, const Expr *expr, const int *reduce_number)
{
    if (reduce_number && reduce_number[expr->id] >= 0) {
        buffer_printf(out, "reduce[%d]", reduce_number[expr->id]);
        return;
    }
    buffer_printf(out, "%s(", reduce_rows[expr->reduce].name);
    for (int i = 0; i < expr->overs; i++) {
        buffer_printf(out, "%s, ", op->dim[expr->over[i]]);
    }
    expr_append(out, op, expr->arg[0], reduce_number);
    buffer_append_string(out, ")");
}

void expr_append(Buffer *out, const Operator *op, const Expr *expr, const int *reduce_number)
{
    char number[NUMBER_TEXT];
    switch (expr->kind) {
    case EXPR_CONST:
        buffer_append_string(out, expr_number_text(expr->value, number));
        break;
    case EXPR_DIM:
        buffer_append_string(out, op->dim[expr->index]);
        break;
    case EXPR_INPUT:
        buffer_append_string(out, op->input[expr->index].name);
        break;
    case EXPR_OP:
        append_op(out, op, expr, reduce_number);
        break;
    case EXPR_PARAM:
        buffer_append_string(out, op->param[expr->index].name);
        break;
    case EXPR_REDUCE:
        append_reduction(out, op, expr, reduce_number);
        break;
    }
}

const char *expr_text(Arena *arena, const Operator *op, const Expr *expr)
{
    Buffer out = {0};
    expr_append(&out, op, expr, NULL);
    const char *text = arena_copy(arena, buffer_string(&out));
    buffer_destroy(&out);
    return text;
}
