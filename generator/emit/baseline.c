/* baseline.c: one loop per reduction, one for the outputs, restrict pointers: a fair plain loop.
 *
 * It stores an elementary function of each element once and reads it back, as a careful author would. */
#include "emit/baseline.h"

#include "emit/page_data.h"

#include <string.h>

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static Pass plain_pass(const Expr *kept, bool stores)
{
    return (Pass){false, false, "i", kept, stores};
}

static const char *open_loop(Speller *speller)
{
    return arena_printf(speller->arena, "for (size_t i = 0; i < %s; i++) {", spell_axis_count(speller));
}

static void add_reduction(Speller *speller, json_t *lines, const PlanReduction *reduction,
                          const Expr *kept_before)
{
    Arena *arena = speller->arena;
    const char *name = page_reduction_name(speller, reduction);
    const Expr *kept = reduction->kept ? reduction->kept : kept_before;
    json_t *body = json_array();
    const char *step =
        spell_step(speller, body, plain_pass(kept, reduction->kept != NULL), reduction->reduce, name);
    spell_line(lines,
               arena_printf(arena, "float %s = %s;", name, spell_start(speller, reduction->reduce, false)),
               0);
    spell_line(lines, open_loop(speller), 0);
    json_array_extend(lines, body);
    json_decref(body);
    spell_line(lines, arena_printf(arena, "%s = %s;", name, step), 0);
    spell_line(lines, "}", 0);
}

static const PlanReduction *reduction_of(const Plan *plan, const Expr *expr)
{
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].reduce == expr)
            return &plan->reduction[r];
    return NULL;
}

static void add_row_value(Speller *speller, json_t *lines, const Expr *expr)
{
    const Operator *op = speller->plan->op;
    const char *value = spell_row_value(speller, expr);
    if (expr->kind == EXPR_INPUT)
        value = arena_printf(speller->arena, "%s[0]", spell_name(speller, op->input[expr->index].name));
    spell_line(lines,
               arena_printf(speller->arena, "const float %s = %s;", spell_row_name(speller, expr), value), 0);
}

static void add_outputs(Speller *speller, json_t *lines, const Expr *kept)
{
    const Operator *op = speller->plan->op;
    const char **text = ARENA_ARRAY(speller->arena, const char *, (size_t)op->nodes);
    if (page_has_outputs(speller)) {
        spell_line(lines, open_loop(speller), 0);
        for (int o = 0; o < op->outputs; o++)
            if (spell_varies(speller, op->output[o].value)) {
                const char *value =
                    spell_value(speller, lines, plain_pass(kept, false), text, op->output[o].value);
                spell_line(lines,
                           arena_printf(speller->arena, "%s[%s] = %s;",
                                        spell_name(speller, op->output[o].name),
                                        spell_place(speller, &op->output[o], "i"), value),
                           0);
            }
        spell_line(lines, "}", 0);
    }
    for (int o = 0; o < op->outputs; o++)
        if (!spell_varies(speller, op->output[o].value)) {
            const Expr *value = op->output[o].value;
            bool named = value->kind == EXPR_OP && value->op != OP_ROUNDED;
            spell_line(lines,
                       arena_printf(speller->arena, "%s[0] = %s;", spell_name(speller, op->output[o].name),
                                    named ? spell_row_name(speller, value) : spell_row_value(speller, value)),
                       0);
        }
}

static json_t *row_lines(Speller *speller)
{
    const Plan *plan = speller->plan;
    json_t *lines = json_array();
    const Expr *kept = NULL;
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].kept)
            spell_line(lines,
                       arena_printf(speller->arena, "float *restrict const kept = %s;",
                                    spell_name(speller, plan->op->output[0].name)),
                       0);
    for (int d = 0; d < plan->op->dims; d++) {
        const char *size = spell_name(speller, plan->op->dim[d]);
        spell_line(lines,
                   arena_printf(speller->arena, "const float size_of_%s = (float)%s;\n(void)size_of_%s;",
                                plan->op->dim[d], size, plan->op->dim[d]),
                   0);
    }
    for (int i = 0; i < plan->op->nodes; i++) {
        const Expr *expr = plan->op->node[i];
        if (!plan->reached[i] || spell_varies(speller, expr))
            continue;
        if (expr->kind == EXPR_REDUCE) {
            const PlanReduction *reduction = reduction_of(plan, expr);
            add_reduction(speller, lines, reduction, kept);
            kept = reduction->kept ? reduction->kept : kept;
        } else if (expr->kind == EXPR_INPUT || (expr->kind == EXPR_OP && expr->op != OP_ROUNDED)) {
            add_row_value(speller, lines, expr);
        }
    }
    add_outputs(speller, lines, kept);
    return lines;
}

/* "const float *x, float *y, size_t rows": `qualifier` goes between the star and the name. */
static const char *parameters(Speller *speller, const char *qualifier)
{
    const Operator *op = speller->plan->op;
    Arena *arena = speller->arena;
    const char *text = "", *comma = "";
    for (int i = 0; i < op->inputs; i++, comma = ", ")
        text = arena_printf(arena, "%s%sconst float *%s%s", text, comma, qualifier,
                            spell_name(speller, op->input[i].name));
    for (int o = 0; o < op->outputs; o++, comma = ", ")
        text = arena_printf(arena, "%s%sfloat *%s%s", text, comma, qualifier,
                            spell_name(speller, op->output[o].name));
    for (int d = 0; d < op->dims; d++, comma = ", ")
        text = arena_printf(arena, "%s%ssize_t %s", text, comma, spell_name(speller, op->dim[d]));
    for (int p = 0; p < op->params; p++, comma = ", ")
        text = arena_printf(arena, "%s%sfloat %s", text, comma, spell_name(speller, op->param[p].name));
    return text;
}

static const char *row_arguments(Speller *speller)
{
    const Operator *op = speller->plan->op;
    Arena *arena = speller->arena;
    const char *text = "", *comma = "";
    for (int i = 0; i < op->inputs; i++, comma = ", ")
        text = arena_printf(arena, "%s%s%s + %s", text, comma, spell_name(speller, op->input[i].name),
                            page_offset(speller, &op->input[i]));
    for (int o = 0; o < op->outputs; o++, comma = ", ")
        text = arena_printf(arena, "%s%s%s + %s", text, comma, spell_name(speller, op->output[o].name),
                            page_offset(speller, &op->output[o]));
    for (int d = 0; d < op->dims; d++, comma = ", ")
        text = arena_printf(arena, "%s%s%s", text, comma, spell_name(speller, op->dim[d]));
    for (int p = 0; p < op->params; p++, comma = ", ")
        text = arena_printf(arena, "%s%s%s", text, comma, spell_name(speller, op->param[p].name));
    return text;
}

json_t *baseline_data(Speller *speller, const char *symbol)
{
    json_t *data = json_object(), *index = json_array();
    page_row_indices(speller, index);
    json_object_set_new(data, "index_lines", index);
    json_object_set_new(data, "row_lines", row_lines(speller));
    set(data, "symbol", symbol);
    set(data, "signature", parameters(speller, ""));
    set(data, "row_signature", parameters(speller, "restrict "));
    set(data, "row_arguments", row_arguments(speller));
    set(data, "row_count", page_row_count(speller));
    return data;
}
