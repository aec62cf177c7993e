/* spell.c: one node of an expression, one word, one rounding.
 *
 * Invariant: no statement contracts or reassociates; a name is given to every intermediate value so that what
 * is rounded when can be read off the source. */
#include "emit/spell.h"

#include <ctype.h>
#include <string.h>

/* Names that generated sources use themselves: locals, functions, types, and what they call. */
static const char *const generated_names[] = {
    "F64x8",   "INFINITY",   "Row",        "Span",        "acc",      "ahead",     "at",
    "at_once", "auto_parts", "base",       "begin",       "bits_of",  "carry",     "chunk_at",
    "classes", "common",     "count",      "depth",       "double",   "end",       "fabsf",
    "first",   "first_row",  "float_of",   "fma",         "fmaf",     "group",     "groups",
    "apart",   "half",       "thread",     "device",      "kernel",   "constant",  "threadgroup",
    "uint",    "ushort",     "ulong",      "bool",        "vec",      "own",       "sharers",
    "head",    "i",          "int32_t",    "isunordered", "items",    "k",         "kept",
    "l",       "lane",       "lane_at",    "lanes_below", "last",     "left",      "level",
    "live",    "memcpy",     "one_row",    "outputs",     "p",        "part",      "parts",
    "r",       "row",        "row_values", "rows_in_all", "s",        "size_t",    "span_of",
    "sqrtf",   "stack",      "step",       "stream",      "uint32_t", "uintptr_t", "wide",
    "call",    "code",       "comm",       "known",       "words",    "next",      "block",
    "from",    "now",        "other",      "levels",      "tile",     NULL};

static bool begins_with_one_of(const char *name, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (!strncmp(name, *prefixes, strlen(*prefixes)))
            return true;
    return false;
}

static bool ends_with_one_of(const char *name, const char *const *suffixes)
{
    size_t size = strlen(name);
    for (; *suffixes; suffixes++)
        if (size > strlen(*suffixes) && !strcmp(name + size - strlen(*suffixes), *suffixes))
            return true;
    return false;
}

/* Letters of a generated name, then digits only: sum1, acc0, s3, t7, span1, outputs8. */
static bool is_numbered(const char *name)
{
    static const char *const stems[] = {"acc", "outputs", "s", "span", "t", NULL};
    size_t letters = strcspn(name, "0123456789");
    if (!name[letters] || name[letters + strspn(name + letters, "0123456789")])
        return false;
    for (int i = 0; stems[i]; i++)
        if (strlen(stems[i]) == letters && !strncmp(name, stems[i], letters))
            return true;
    return false;
}

/* sum1, sum1_wide, max2_step8: reductions are numbered, and what belongs to one begins with its name. */
static bool names_a_reduction(const char *name)
{
    for (int kind = 0; kind < REDUCE_KINDS; kind++) {
        size_t size = strlen(reduce_rows[kind].name);
        if (!strncmp(name, reduce_rows[kind].name, size) && isdigit((unsigned char)name[size]))
            return true;
    }
    return false;
}

static bool is_generated(const char *name)
{
    static const char *const prefixes[] = {"_",        "along_",   "at_",      "f64x8_", "max_",
                                           "maximum",  "min_",     "minimum",  "omp_",   "outputs_",
                                           "outputs8", "samebits", "size_of_", "sum_",   NULL};
    static const char *const suffixes[] = {"_f32", "_f32x8", "_part", "_step", "_user", "_wide", NULL};
    for (int i = 0; generated_names[i]; i++)
        if (!strcmp(name, generated_names[i]))
            return true;
    return is_numbered(name) || names_a_reduction(name) || begins_with_one_of(name, prefixes) ||
           ends_with_one_of(name, suffixes);
}

/* No generated name ends in _user, and a user's name that does gets another one: no two names meet. */
const char *spell_name(Speller *speller, const char *name)
{
    return is_generated(name) ? arena_printf(speller->arena, "%s_user", name) : name;
}

const char *spell_constant(Arena *arena, float value)
{
    bool small = value > -1e6f && value < 1e6f;
    if (small && value == (float)(int)value && !(value == 0 && __builtin_signbit(value)))
        return arena_printf(arena, value < 0 ? "(%d.0f)" : "%d.0f", (int)value);
    return arena_printf(arena, value < 0 ? "(%af)" : "%af", (double)value);
}

void spell_line(json_t *lines, const char *text, int spec_line)
{
    json_array_append_new(lines, json_pack("{s:s, s:i}", "text", text, "spec_line", spec_line));
}

bool spell_varies(const Speller *speller, const Expr *expr)
{
    return expr->axes & speller->plan->along;
}

/* ---- places along the axis ---- */

const char *spell_size(Speller *speller, int dim)
{
    const Plan *plan = speller->plan;
    return plan->target->ranks && plan->distribution.dim == dim ? "count"
                                                                : spell_name(speller, plan->op->dim[dim]);
}

static const char *times(Speller *speller, const char *a, const char *b)
{
    return a ? arena_printf(speller->arena, "%s * %s", a, b) : b;
}

const char *spell_axis_count(Speller *speller)
{
    const Plan *plan = speller->plan;
    const char *count = NULL;
    for (int a = 0; a < plan->axes; a++)
        count = times(speller, count, spell_size(speller, plan->axis[a]));
    return count ? count : "1";
}

const char *spell_step_size(Speller *speller, const Tensor *tensor)
{
    const Plan *plan = speller->plan;
    const char *step = NULL;
    bool behind = false;
    for (int i = 0; i < tensor->rank; i++) {
        bool along = plan->along >> tensor->dim[i] & 1;
        if (behind && !along)
            step = times(speller, step, spell_size(speller, tensor->dim[i]));
        behind |= along;
    }
    return step;
}

static const char *size_along(Speller *speller, int dim)
{
    const char *name = speller->plan->op->dim[dim];
    return speller->bare ? spell_name(speller, name) : arena_printf(speller->arena, "row->along_%s", name);
}

/* The index along axis[a] of element `index`: "(i) / (row->along_h * row->along_w) % row->along_c". */
static const char *coordinate(Speller *speller, int a, const char *index)
{
    const Plan *plan = speller->plan;
    const char *faster = NULL, *text = arena_printf(speller->arena, "(%s)", index);
    for (int b = a + 1; b < plan->axes; b++)
        faster = times(speller, faster, size_along(speller, plan->axis[b]));
    if (faster)
        text = arena_printf(speller->arena, "%s / (%s)", text, faster);
    return a > 0 ? arena_printf(speller->arena, "%s %% %s", text, size_along(speller, plan->axis[a])) : text;
}

static int axis_number(const Plan *plan, int dim)
{
    int a = 0;
    while (plan->axis[a] != dim)
        a++;
    return a;
}

static const char *scattered_place(Speller *speller, const Tensor *tensor, const char *index)
{
    const Plan *plan = speller->plan;
    Arena *arena = speller->arena;
    const char *place = NULL, *apart = NULL;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        int dim = tensor->dim[i];
        if (plan->along >> dim & 1) {
            const char *at = coordinate(speller, axis_number(plan, dim), index);
            at = apart ? arena_printf(arena, "%s * (%s)", at, apart) : at;
            place = place ? arena_printf(arena, "%s + %s", at, place) : at;
        }
        apart = times(speller, apart, size_along(speller, dim));
    }
    return place;
}

uint32_t spell_place_dims(const Plan *plan, const Tensor *tensor)
{
    uint32_t dims = 0;
    bool behind = false;
    for (int a = 1; a < plan->axes; a++)
        dims |= UINT32_C(1) << plan->axis[a];
    for (int i = 0; i < tensor->rank; i++) {
        dims |= behind ? UINT32_C(1) << tensor->dim[i] : 0;
        behind |= plan->along >> tensor->dim[i] & 1;
    }
    return dims;
}

const char *spell_place(Speller *speller, const Tensor *tensor, const char *index)
{
    Arena *arena = speller->arena;
    switch (plan_lie(speller->plan, tensor)) {
    case LIE_CONSECUTIVE:
        return index;
    case LIE_STEPPED:
        return speller->bare
                   ? arena_printf(arena, "(%s) * (%s)", index, spell_step_size(speller, tensor))
                   : arena_printf(arena, "(%s) * row->%s_step", index, spell_name(speller, tensor->name));
    case LIE_SCATTERED:
        break;
    }
    return scattered_place(speller, tensor, index);
}

static const Words *words_of(const Speller *speller, bool vector)
{
    return vector ? speller->vector : speller->scalar;
}

const char *spell_word(Speller *speller, const char *name)
{
    return words_spell(speller->arena, speller->scalar, name, NULL, NULL, NULL);
}

const char *spell_vector_type(Speller *speller, bool vector)
{
    return words_spell(speller->arena, words_of(speller, vector), "type", NULL, NULL, NULL);
}

static const char *word(Speller *speller, bool vector, const char *name, const char *a, const char *b,
                        const char *c)
{
    return words_spell(speller->arena, words_of(speller, vector), name, a, b, c);
}

static void note_function(Speller *speller, OpCode op, bool vector)
{
    if (op == OP_EXP || op == OP_LOG || op == OP_MAX || op == OP_MIN)
        *(vector ? &speller->vector_functions : &speller->scalar_functions) |= 1u << op;
}

/* The word of an operation; elementwise max and min are IEEE maximum and minimum, not the hardware's. */
static const char *spell_op(Speller *speller, OpCode op, bool vector, const char *const *argument)
{
    const char *name = op == OP_MAX ? "maximum" : op == OP_MIN ? "minimum" : op_rows[op].name;
    note_function(speller, op, vector);
    return word(speller, vector, name, argument[0], argument[1], argument[2]);
}

/* ---- values of one pass ---- */

static const char *declare(Speller *speller, json_t *lines, Pass pass, const char *name, const char *value,
                           int line)
{
    spell_line(lines,
               arena_printf(speller->arena, "const %s %s = %s;", spell_vector_type(speller, pass.vector),
                            name, value),
               line);
    return name;
}

static const char *spell_load(Speller *speller, json_t *lines, Pass pass, const char *pointer,
                              const char *index, int line)
{
    const char *load = word(speller, pass.vector, pass.live ? "load_live" : "load", pointer, index, NULL);
    return declare(speller, lines, pass, arena_printf(speller->arena, "at_%s", pointer), load, line);
}

static const char *spell_input(Speller *speller, json_t *lines, Pass pass, const Expr *expr)
{
    const Tensor *tensor = &speller->plan->op->input[expr->index];
    const char *pointer = spell_name(speller, tensor->name);
    return spell_load(speller, lines, pass, pointer, spell_place(speller, tensor, pass.index),
                      expr->where.line);
}

static const char *spell_varying_op(Speller *speller, json_t *lines, Pass pass, const char **text,
                                    const Expr *expr)
{
    const char *argument[3] = {NULL, NULL, NULL};
    for (int i = 0; i < op_rows[expr->op].arity; i++)
        argument[i] = spell_value(speller, lines, pass, text, expr->arg[i]);
    if (expr->op == OP_ROUNDED)
        return argument[0];
    const char *name = arena_printf(speller->arena, "t%d", expr->id);
    declare(speller, lines, pass, name, spell_op(speller, expr->op, pass.vector, argument), expr->where.line);
    if (expr == pass.kept && pass.stores_kept)
        spell_line(lines,
                   word(speller, pass.vector, pass.live ? "store_live" : "store", "kept", pass.index, name),
                   expr->where.line);
    return name;
}

const char *spell_value(Speller *speller, json_t *lines, Pass pass, const char **text, const Expr *expr)
{
    if (text[expr->id])
        return text[expr->id];
    const char *value;
    if (expr->kind == EXPR_CONST)
        value = word(speller, pass.vector, "const", spell_constant(speller->arena, expr->value), NULL, NULL);
    else if (!spell_varies(speller, expr))
        value = spell_row_name(speller, expr);
    else if (expr == pass.kept && !pass.stores_kept)
        value = spell_load(speller, lines, pass, "kept", pass.index, expr->where.line);
    else if (expr->kind == EXPR_INPUT)
        value = spell_input(speller, lines, pass, expr);
    else
        value = spell_varying_op(speller, lines, pass, text, expr);
    return text[expr->id] = value;
}

/* ---- values of one row ---- */

static int reduction_number(const Plan *plan, const Expr *reduce)
{
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].reduce == reduce)
            return r + 1;
    return 0;
}

const char *spell_row_name(Speller *speller, const Expr *expr)
{
    const Operator *op = speller->plan->op;
    Arena *arena = speller->arena;
    switch (expr->kind) {
    case EXPR_DIM:
        return arena_printf(arena, "size_of_%s", op->dim[expr->index]);
    case EXPR_INPUT:
        return arena_printf(arena, "at_%s", op->input[expr->index].name);
    case EXPR_PARAM:
        return spell_name(speller, op->param[expr->index].name);
    case EXPR_REDUCE:
        return arena_printf(arena, "%s%d", reduce_rows[expr->reduce].name,
                            reduction_number(speller->plan, expr));
    default:
        return arena_printf(arena, "s%d", expr->id);
    }
}

const char *spell_row_value(Speller *speller, const Expr *expr)
{
    if (expr->kind == EXPR_CONST)
        return spell_constant(speller->arena, expr->value);
    if (expr->kind == EXPR_DIM) /* a size becomes binary32 by rounding to nearest even */
        return arena_printf(speller->arena, "(float)%s",
                            spell_name(speller, speller->plan->op->dim[expr->index]));
    if (expr->kind != EXPR_OP)
        return spell_row_name(speller, expr);
    const char *argument[3] = {NULL, NULL, NULL};
    for (int i = 0; i < op_rows[expr->op].arity; i++) {
        const Expr *arg = expr->arg[i];
        argument[i] = arg->kind == EXPR_OP && arg->op != OP_ROUNDED ? spell_row_name(speller, arg)
                                                                    : spell_row_value(speller, arg);
    }
    return expr->op == OP_ROUNDED ? argument[0] : spell_op(speller, expr->op, false, argument);
}

/* ---- accumulators ---- */

bool spell_is_wide(const Speller *speller, const Expr *reduce)
{
    return reduce->reduce == REDUCE_SUM && speller->plan->accumulator == ACCUMULATOR_F64;
}

const char *spell_state_type(const Speller *speller, const Expr *reduce, bool vector)
{
    const char *type = spell_is_wide(speller, reduce) ? "type_f64" : "type";
    return words_spell(speller->arena, words_of(speller, vector), type, NULL, NULL, NULL);
}

const char *spell_start(Speller *speller, const Expr *reduce, bool vector)
{
    if (reduce->reduce != REDUCE_SUM)
        return word(speller, vector, reduce->reduce == REDUCE_MAX ? "minus_infinity" : "plus_infinity", NULL,
                    NULL, NULL);
    if (!spell_is_wide(speller, reduce))
        return word(speller, vector, "const", "0.0f", NULL, NULL);
    speller->wide_accumulators |= vector;
    return word(speller, vector, "const_f64", "0.0", NULL, NULL);
}

static const char *spell_extremum(Speller *speller, const Expr *reduce, bool vector, const char *a,
                                  const char *b)
{
    OpCode op = reduce->reduce == REDUCE_MAX ? OP_MAX : OP_MIN;
    const char *argument[3] = {a, b, NULL};
    return spell_op(speller, op, vector, argument);
}

const char *spell_join(Speller *speller, const Expr *reduce, bool vector, const char *left, const char *right)
{
    if (reduce->reduce != REDUCE_SUM)
        return spell_extremum(speller, reduce, vector, left, right);
    return word(speller, vector, spell_is_wide(speller, reduce) ? "join_f64" : "add", left, right, NULL);
}

const char *spell_step(Speller *speller, json_t *lines, Pass pass, const Expr *reduce,
                       const char *accumulator)
{
    const char **text = ARENA_ARRAY(speller->arena, const char *, (size_t)speller->plan->op->nodes);
    const Expr *leaf = reduce->arg[0];
    bool wide = spell_is_wide(speller, reduce);
    if (expr_is_fused_product(reduce)) {
        const char *a = spell_value(speller, lines, pass, text, leaf->arg[0]);
        const char *b = spell_value(speller, lines, pass, text, leaf->arg[1]);
        return word(speller, pass.vector, wide ? "fma_f64" : "fma", a, b, accumulator);
    }
    const char *value = spell_value(speller, lines, pass, text, leaf);
    if (reduce->reduce != REDUCE_SUM)
        return spell_extremum(speller, reduce, pass.vector, accumulator, value);
    return word(speller, pass.vector, wide ? "add_f64" : "add", accumulator, value, NULL);
}
