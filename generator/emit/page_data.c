/* page_data.c: the row function and the exported function as statements; puts the parts together. */
#include "emit/page_data.h"

#include <ctype.h>
#include <string.h>

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static void set_flag(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

/* ---- what passes read of a row ---- */

typedef void VisitValue(void *context, const Expr *expr);

/* Visits every value that computing `expr` in a pass reads from outside it: inputs along the axis, row
 * values, the kept value. */
static void visit_reads(Speller *speller, const Expr *expr, const Expr *kept, bool *seen, VisitValue *visit,
                        void *context)
{
    if (seen[expr->id] || expr->kind == EXPR_CONST)
        return;
    seen[expr->id] = true;
    if (!spell_varies(speller, expr) || expr->kind == EXPR_INPUT || expr == kept) {
        visit(context, expr);
        return;
    }
    for (int i = 0; i < op_rows[expr->op].arity; i++)
        visit_reads(speller, expr->arg[i], kept, seen, visit, context);
}

typedef struct Reads {
    Speller *speller;
    Pass pass;
    json_t *records;
} Reads;

static void add_read(Reads *reads, const char *type, const char *name, const char *value)
{
    json_array_append_new(reads->records,
                          json_pack("{s:s, s:s, s:s}", "type", type, "name", name, "value", value));
}

static void note_read(void *context, const Expr *expr)
{
    Reads *reads = context;
    Speller *speller = reads->speller;
    Arena *arena = speller->arena;
    bool varies = spell_varies(speller, expr);
    const char *name = spell_row_name(speller, expr);
    if (varies)
        name = expr == reads->pass.kept ? "kept"
                                        : spell_name(speller, speller->plan->op->input[expr->index].name);
    const char *value = arena_printf(arena, "row->%s", name);
    if (varies) {
        add_read(reads, spell_word(speller, "global_const"), name, value);
        return;
    }
    const Words *words = reads->pass.vector ? speller->vector : speller->scalar;
    add_read(reads, arena_printf(arena, "%s ", spell_vector_type(speller, reads->pass.vector)), name,
             words_spell(arena, words, "const", value, NULL, NULL));
}

json_t *page_reads(Speller *speller, Pass pass, const Expr *const *roots, int count)
{
    Reads reads = {speller, pass, json_array()};
    bool *seen = ARENA_ARRAY(speller->arena, bool, (size_t)speller->plan->op->nodes);
    for (int i = 0; i < count; i++)
        visit_reads(speller, roots[i], pass.stores_kept ? NULL : pass.kept, seen, note_read, &reads);
    if (pass.stores_kept)
        add_read(&reads, spell_word(speller, "global"), "kept", "row->kept");
    return reads.records;
}

static const char *field(const json_t *record, const char *key)
{
    return json_string_value(json_object_get(record, key));
}

json_t *page_locals(Arena *arena, const json_t *reads)
{
    json_t *lines = json_array();
    size_t i;
    json_t *read;
    json_array_foreach(reads, i, read)
    {
        const char *type = field(read, "type");
        bool pointer = type[strlen(type) - 1] == '*';
        spell_line(lines,
                   arena_printf(arena, "%s%s%s = %s;", pointer ? type : arena_printf(arena, "const %s", type),
                                pointer ? "const " : "", field(read, "name"), field(read, "value")),
                   0);
    }
    return lines;
}

const char *page_read_parameters(Arena *arena, const json_t *reads)
{
    const char *text = "";
    size_t i;
    json_t *read;
    json_array_foreach(reads, i, read) text =
        arena_printf(arena, "%s%s%s, ", text, field(read, "type"), field(read, "name"));
    return text;
}

const char *page_read_arguments(Arena *arena, const json_t *reads)
{
    const char *text = "";
    size_t i;
    json_t *read;
    json_array_foreach(reads, i, read) text = arena_printf(arena, "%s%s, ", text, field(read, "name"));
    return text;
}

static void note_member(void *context, const Expr *expr)
{
    ((bool *)context)[expr->id] = true;
}

/* Per node of the operator: some pass reads it. */
static const bool *pass_reads(Speller *speller)
{
    const Plan *plan = speller->plan;
    size_t nodes = (size_t)plan->op->nodes;
    bool *read = ARENA_ARRAY(speller->arena, bool, nodes);
    const Expr *kept = NULL;
    for (int r = 0; r < plan->reductions; r++) {
        visit_reads(speller, plan->reduction[r].reduce->arg[0], kept,
                    ARENA_ARRAY(speller->arena, bool, nodes), note_member, read);
        kept = plan->reduction[r].kept ? plan->reduction[r].kept : kept;
    }
    for (int o = 0; o < plan->op->outputs; o++)
        if (spell_varies(speller, plan->op->output[o].value))
            visit_reads(speller, plan->op->output[o].value, kept, ARENA_ARRAY(speller->arena, bool, nodes),
                        note_member, read);
    return read;
}

bool page_reads_in_outputs(Speller *speller, const Expr *input)
{
    const Plan *plan = speller->plan;
    size_t nodes = (size_t)plan->op->nodes;
    bool *read = ARENA_ARRAY(speller->arena, bool, nodes), *seen = ARENA_ARRAY(speller->arena, bool, nodes);
    const Expr *kept = NULL;
    for (int r = 0; r < plan->reductions; r++)
        kept = plan->reduction[r].kept ? plan->reduction[r].kept : kept;
    for (int o = 0; o < plan->op->outputs; o++)
        if (spell_varies(speller, plan->op->output[o].value))
            visit_reads(speller, plan->op->output[o].value, kept, seen, note_member, read);
    return read[input->id];
}

static bool keeps(const Plan *plan)
{
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].kept)
            return true;
    return false;
}

bool page_uses_auto_parts(const Plan *plan)
{
    return plan->reductions > 0 && term_has(plan->tree, TERM_SPLIT, true);
}

/* ---- places ---- */

/* How many indices of a dim this process has: where ranks share a dim, their own ones. */
const char *page_offset(Speller *speller, const Tensor *tensor)
{
    const char *offset = NULL;
    for (int i = 0; i < tensor->rank; i++) {
        const char *size = spell_size(speller, tensor->dim[i]);
        bool along = speller->plan->along >> tensor->dim[i] & 1;
        const char *at =
            along ? NULL : arena_printf(speller->arena, "at_%s", speller->plan->op->dim[tensor->dim[i]]);
        if (!offset)
            offset = at;
        else if (at)
            offset = arena_printf(speller->arena, "(%s * %s + %s)", offset, size, at);
        else
            offset = arena_printf(speller->arena, "%s * %s", offset, size);
    }
    return offset ? offset : "0";
}

/* ---- members of Row and how row() sets them ---- */

typedef struct Members {
    Speller *speller;
    json_t *declarations, *settings;
    uint32_t place_dims; /* whose sizes the places in scattered tensors need */
} Members;

static void add_member(Members *members, const char *type, const char *name, const char *value)
{
    Arena *arena = members->speller->arena;
    spell_line(members->declarations, arena_printf(arena, "%s%s;", type, name), 0);
    if (value)
        spell_line(members->settings, arena_printf(arena, "row->%s = %s;", name, value), 0);
}

static bool is_read(Speller *speller, const bool *read, int input)
{
    for (int i = 0; i < speller->plan->op->nodes; i++) {
        const Expr *expr = speller->plan->op->node[i];
        if (expr->kind == EXPR_INPUT && expr->index == input && spell_varies(speller, expr) && read[i])
            return true;
    }
    return false;
}

static void add_tensor(Members *members, const char *type, const Tensor *tensor)
{
    Speller *speller = members->speller;
    const char *name = spell_name(speller, tensor->name), *offset = page_offset(speller, tensor);
    PlanLie lie = plan_lie(speller->plan, tensor);
    add_member(members, type, name,
               strcmp(offset, "0") ? arena_printf(speller->arena, "%s + %s", name, offset) : name);
    if (lie == LIE_STEPPED)
        add_member(members, "size_t ", arena_printf(speller->arena, "%s_step", name),
                   spell_step_size(speller, tensor));
    if (lie == LIE_SCATTERED)
        members->place_dims |= spell_place_dims(speller->plan, tensor);
}

static void add_place_dims(Members *members)
{
    Speller *speller = members->speller;
    const Operator *op = speller->plan->op;
    for (int d = 0; d < op->dims; d++)
        if (members->place_dims >> d & 1)
            add_member(members, "size_t ", arena_printf(speller->arena, "along_%s", op->dim[d]),
                       spell_name(speller, op->dim[d]));
}

/* Kept values go where the output will be: bringing those lines into the cache then overlaps with computing
 * them. */
static const char *kept_place(Speller *speller)
{
    return arena_printf(speller->arena, "row->%s", spell_name(speller, speller->plan->op->output[0].name));
}

static void add_members(Members *members)
{
    Speller *speller = members->speller;
    const Plan *plan = speller->plan;
    const bool *read = pass_reads(speller);
    add_member(members, "size_t ", "count", spell_axis_count(speller));
    for (int i = 0; i < plan->op->inputs; i++)
        if (is_read(speller, read, i))
            add_tensor(members, spell_word(speller, "global_const"), &plan->op->input[i]);
    for (int o = 0; o < plan->op->outputs; o++)
        if (spell_varies(speller, plan->op->output[o].value))
            add_tensor(members, spell_word(speller, "global"), &plan->op->output[o]);
    add_place_dims(members);
    if (keeps(plan))
        add_member(members, spell_word(speller, "global"), "kept", kept_place(speller));
    if (page_uses_auto_parts(plan))
        add_member(members, "size_t ", "auto_parts", "auto_parts");
    for (int i = 0; i < plan->op->nodes; i++) {
        const Expr *expr = plan->op->node[i];
        if (!read[i] || spell_varies(speller, expr))
            continue;
        bool known = expr->kind == EXPR_DIM || expr->kind == EXPR_PARAM;
        add_member(members, "float ", spell_row_name(speller, expr),
                   known ? spell_row_value(speller, expr) : NULL);
    }
}

/* ---- row() ---- */

void page_row_indices(Speller *speller, json_t *lines)
{
    const Plan *plan = speller->plan;
    Arena *arena = speller->arena;
    const char *rest = "r";
    for (int i = plan->row_dims - 1; i >= 0; i--) {
        const char *dim = plan->op->dim[plan->row_dim[i]], *size = spell_size(speller, plan->row_dim[i]);
        if (i == 0)
            spell_line(lines, arena_printf(arena, "const size_t at_%s = %s;", dim, rest), 0);
        else
            spell_line(lines, arena_printf(arena, "const size_t at_%s = %s %% %s;", dim, rest, size), 0);
        rest = arena_printf(arena, "%s / %s", rest, size);
    }
}

static int reduction_index(const Plan *plan, const PlanReduction *reduction)
{
    return (int)(reduction - plan->reduction);
}

/* How row_values() gets a reduction: from the threads that share the row, or alone; on a GPU also from other
 * kernels; where ranks share it, from the exchanges that are over. */
static const char *chosen_call(Speller *speller, const PlanReduction *reduction, const char *call)
{
    Arena *arena = speller->arena;
    const char *name = page_reduction_name(speller, reduction);
    if (speller->plan->target->gpu)
        return arena_printf(arena,
                            "how >= 2 ? (float)known[%d] : (float)(how == 1 ? %s_wide(row, part) : %s)",
                            reduction_index(speller->plan, reduction), name, call);
    if (page_spreads(speller->plan)) {
        const char *start = spell_start(speller, reduction->reduce, false);
        return arena_printf(arena, "level > %d ? known[%d] : (float)%s", reduction->level,
                            reduction_index(speller->plan, reduction), start);
    }
    return page_wide_fold(reduction) ? arena_printf(arena, "wide ? %s_wide(row) : %s", name, call) : call;
}

static void add_reduction(Speller *speller, json_t *lines, const PlanReduction *reduction, bool member)
{
    Arena *arena = speller->arena;
    const char *name = page_reduction_name(speller, reduction);
    const char *call = page_node_call(speller, reduction, reduction->root, "span_of(0, row->count, 1)");
    const char *value = chosen_call(speller, reduction, call);
    if (spell_is_wide(speller, reduction->reduce) && !speller->plan->target->gpu &&
        !page_spreads(speller->plan)) /* rounded to binary32 once, at the end */
        value = arena_printf(arena, "(float)(%s)", value);
    spell_line(lines, arena_printf(arena, "const float %s = %s;", name, value),
               reduction->reduce->where.line);
    if (member)
        spell_line(lines, arena_printf(arena, "row->%s = %s;", name, name), 0);
}

static const PlanReduction *reduction_of(const Plan *plan, const Expr *expr)
{
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].reduce == expr)
            return &plan->reduction[r];
    return NULL;
}

static void add_row_value(Speller *speller, json_t *lines, const Expr *expr, bool member)
{
    Arena *arena = speller->arena;
    const char *name = spell_row_name(speller, expr), *value = spell_row_value(speller, expr);
    if (expr->kind == EXPR_INPUT) {
        const Tensor *tensor = &speller->plan->op->input[expr->index];
        value =
            arena_printf(arena, "%s[%s]", spell_name(speller, tensor->name), page_offset(speller, tensor));
    }
    spell_line(lines, arena_printf(arena, "const float %s = %s;", name, value), expr->where.line);
    if (member)
        spell_line(lines, arena_printf(arena, "row->%s = %s;", name, name), 0);
}

/* Reductions and values constant over the row, in topological order. */
static void add_row_values(Speller *speller, json_t *lines)
{
    const Plan *plan = speller->plan;
    const bool *read = pass_reads(speller);
    for (int i = 0; i < plan->op->nodes; i++) {
        const Expr *expr = plan->op->node[i];
        if (!plan->reached[i] || spell_varies(speller, expr))
            continue;
        if (expr->kind == EXPR_REDUCE)
            add_reduction(speller, lines, reduction_of(plan, expr), read[i]);
        else if (expr->kind == EXPR_INPUT || (expr->kind == EXPR_OP && expr->op != OP_ROUNDED))
            add_row_value(speller, lines, expr, read[i]);
    }
}

/* A row's outputs are written once, when all reductions are known. */
static const char *output_guard(Speller *speller)
{
    if (speller->plan->target->gpu)
        return "if (how != 2 && row->own == 0)\n    ";
    return page_spreads(speller->plan)
               ? arena_printf(speller->arena, "if (level == %d)\n    ", speller->plan->levels)
               : "";
}

static void add_row_outputs(Speller *speller, json_t *lines)
{
    const Operator *op = speller->plan->op;
    for (int o = 0; o < op->outputs; o++) {
        const Tensor *output = &op->output[o];
        if (spell_varies(speller, output->value))
            continue;
        const Expr *value = output->value;
        bool named = value->kind == EXPR_OP && value->op != OP_ROUNDED;
        spell_line(lines,
                   arena_printf(speller->arena, "%s%s[%s] = %s;", output_guard(speller),
                                spell_name(speller, output->name), page_offset(speller, output),
                                named ? spell_row_name(speller, value) : spell_row_value(speller, value)),
                   value->where.line);
    }
}

static json_t *row_lines(Speller *speller, json_t *settings)
{
    json_t *lines = json_array();
    page_row_indices(speller, lines);
    json_array_extend(lines, settings);
    add_row_values(speller, lines);
    add_row_outputs(speller, lines);
    return lines;
}

/* ---- signature ---- */

typedef struct Signature {
    Speller *speller;
    const char *parameters, *arguments;
} Signature;

static void add_parameter(Signature *signature, const char *type, const char *name)
{
    Arena *arena = signature->speller->arena;
    name = spell_name(signature->speller, name);
    bool first = !*signature->arguments;
    signature->parameters =
        arena_printf(arena, "%s%s%s%s", signature->parameters, first ? "" : ", ", type, name);
    signature->arguments = arena_printf(arena, "%s%s%s", signature->arguments, first ? "" : ", ", name);
}

static Signature signature_of(Speller *speller)
{
    const Operator *op = speller->plan->op;
    Signature signature = {speller, "", ""};
    for (int i = 0; i < op->inputs; i++)
        add_parameter(&signature, spell_word(speller, "global_const"), op->input[i].name);
    for (int o = 0; o < op->outputs; o++)
        add_parameter(&signature, spell_word(speller, "global"), op->output[o].name);
    for (int d = 0; d < op->dims; d++)
        add_parameter(&signature, "size_t ", op->dim[d]);
    for (int p = 0; p < op->params; p++)
        add_parameter(&signature, "float ", op->param[p].name);
    if (speller->plan->target->ranks) { /* own indices of the dim that ranks share; no name of the user's */
        signature.parameters = arena_printf(speller->arena, "%s, size_t count", signature.parameters);
        signature.arguments = arena_printf(speller->arena, "%s, count", signature.arguments);
    }
    return signature;
}

static bool has_word(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *p = text; (p = strstr(p, name)); p += size) {
        bool begins =
            p == text || !(isalnum((unsigned char)p[-1]) || p[-1] == '_' || p[-1] == '.' || p[-1] == '>');
        if (begins && !(isalnum((unsigned char)p[size]) || p[size] == '_'))
            return true;
    }
    return false;
}

static bool lines_use(const json_t *lines, const char *name)
{
    size_t i;
    json_t *line;
    json_array_foreach(
        lines, i, line) if (has_word(json_string_value(json_object_get(line, "text")), name)) return true;
    return false;
}

/* An operator may declare what its outputs do not need; a compiler is told so. */
static void void_unused(Speller *speller, json_t *lines, const char *arguments)
{
    char *list = arena_copy(speller->arena, arguments), *place = NULL;
    for (char *name = strtok_r(list, ", ", &place); name; name = strtok_r(NULL, ", ", &place))
        if (!lines_use(lines, name))
            json_array_insert_new(lines, 0,
                                  json_pack("{s:s, s:i}", "text",
                                            arena_printf(speller->arena, "(void)%s;", name), "spec_line", 0));
}

/* ---- the exported function ---- */

const char *page_row_count(Speller *speller)
{
    const Plan *plan = speller->plan;
    const char *count = NULL;
    for (int i = 0; i < plan->row_dims; i++) {
        const char *size = spell_size(speller, plan->row_dim[i]);
        count = count ? arena_printf(speller->arena, "%s * %s", count, size) : size;
    }
    return count ? count : "1";
}

static bool shares_rows(Speller *speller)
{
    for (int r = 0; r < speller->plan->reductions; r++)
        if (page_wide_fold(&speller->plan->reduction[r]))
            return true;
    return page_has_outputs(speller);
}

static json_t *kernel_lines(Speller *speller)
{
    json_t *lines = json_array();
    Arena *arena = speller->arena;
    if (page_uses_auto_parts(speller->plan))
        spell_line(lines,
                   "/* NEGATIVE CONTROL: the tree depends on the number of rows and of threads. */\n"
                   "size_t auto_parts = 1;\n"
                   "while (auto_parts < 64 && 2 * auto_parts * rows_in_all <= 1024 * "
                   "(size_t)omp_get_max_threads())\n"
                   "    auto_parts *= 2;",
                   0);
    if (page_streams(speller))
        spell_line(lines,
                   arena_printf(arena, "const int stream = rows_in_all * %s >= %zu;",
                                spell_axis_count(speller),
                                speller->plan->schedule.stream_bytes / sizeof(float)),
                   0);
    return lines;
}

/* What row_values() is told besides the operator's own arguments. */
static void set_extras(Speller *speller, json_t *data)
{
    bool parts = page_uses_auto_parts(speller->plan);
    set(data, "extra_params", parts ? ", size_t auto_parts" : "");
    set(data, "extra", parts ? ", auto_parts" : "");
}

/* Short rows go several at a time: while one's last roundings (fold, division, square root) are under way,
 * the next one's leaves are already read. Together they stay within the first cache. Every row is still
 * computed by itself. */
static const char *rows_at_once(Speller *speller)
{
    if (!page_has_outputs(speller) || !speller->plan->reductions)
        return "1";
    const char *axis = spell_axis_count(speller), *streamed = "";
    if (page_streams(speller))
        streamed = arena_printf(speller->arena, "stream ? (%s > %d ? 1 : %d) : ", axis, PAGE_STREAMED_ROW,
                                PAGE_ROWS_AT_ONCE);
    return arena_printf(speller->arena, "%srows_in_all < %d || %s > %d ? 1 : %s > %d ? 2 : %d", streamed,
                        PAGE_MANY_ROWS, axis, PAGE_SHORT_ROW, axis, PAGE_SHORT_ROW / 2, PAGE_ROWS_AT_ONCE);
}

static const char *extra_arguments(const Plan *plan)
{
    if (plan->target->gpu)
        return "r, how, part, known";
    return page_spreads(plan) ? "r, level, known" : "r, wide";
}

static void add_kernel(Speller *speller, json_t *data, Signature signature, json_t *rows)
{
    const Plan *plan = speller->plan;
    Arena *arena = speller->arena;
    bool serial_rows = plan->reductions > 0 && term_has(plan->tree, TERM_COMPLETION, false);
    bool wide = shares_rows(speller) && plan->axes > 0;
    void_unused(speller, rows, signature.arguments);
    void_unused(speller, rows, extra_arguments(plan));
    json_object_set_new(data, "row_lines", rows);
    json_object_set_new(data, "kernel_lines", kernel_lines(speller));
    set(data, "signature", signature.parameters);
    set(data, "arguments", signature.arguments);
    set(data, "row_count", page_row_count(speller));
    set_flag(data, "wide", wide);
    set_flag(data, "streams", page_streams(speller));
    set_extras(speller, data);
    set(data, "row_size", spell_axis_count(speller));
    set(data, "wide_when",
        wide ? arena_printf(arena, "rows_in_all < (size_t)omp_get_max_threads() && %s >= %d",
                            spell_axis_count(speller), PAGE_WIDE_FROM)
             : "0");
    set_flag(data, "rows_in_parallel", !serial_rows);
    set_flag(data, "turns", page_turns(speller) && !serial_rows && !page_spreads(speller->plan));
    set(data, "turns_when",
        plan->axes > 0 ? arena_printf(arena, "%s > %d", spell_axis_count(speller), PAGE_TURNED_ROW) : "0");
    set(data, "rows_at_once", rows_at_once(speller));
    json_object_set_new(data, "rows_at_once_most", json_integer(PAGE_ROWS_AT_ONCE));
    json_object_set_new(data, "wide_from", json_integer(PAGE_WIDE_FROM));
    set(data, "nowait", page_streams(speller) ? " nowait" : "");
    set(data, "parallel_when",
        plan->axes == 0 ? "rows_in_all > 1"
                        : arena_printf(arena, "rows_in_all > 1 && rows_in_all * %s >= %d",
                                       spell_axis_count(speller), PAGE_PARALLEL_FROM));
}

static json_t *includes(Speller *speller, bool uses_omp)
{
    json_t *list = json_array();
    if (speller->plan->target->width > 1)
        json_array_append_new(list, json_string("immintrin.h"));
    json_array_append_new(list, json_string("math.h"));
    if (uses_omp)
        json_array_append_new(list, json_string("omp.h"));
    json_array_append_new(list, json_string("stddef.h"));
    json_array_append_new(list, json_string("stdint.h"));
    json_array_append_new(list, json_string("string.h"));
    return list;
}

/* Partials of a block are kept in the widest state of any reduction: widening and narrowing back is exact. */
bool page_wide_state(const Plan *plan)
{
    if (plan->accumulator != ACCUMULATOR_F64)
        return false;
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].reduce->reduce == REDUCE_SUM)
            return true;
    return false;
}

const char *page_part_type(Speller *speller)
{
    return page_wide_state(speller->plan) ? "double" : "float";
}

static void add_gpu(Speller *speller, json_t *data, const char *symbol)
{
    static const char *const words[] = {"block_barrier", "part_template", "warp_barrier"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        set(data, words[i], spell_word(speller, words[i]));
    set(data, "row_out", strcmp(speller->plan->target->name, "metal") ? "Row *row" : "thread Row *row");
    set(data, "part_param",
        words_spell(speller->arena, speller->scalar, "part_param", page_part_type(speller), NULL, NULL));
    set(data, "known_param",
        words_spell(speller->arena, speller->scalar, "known_param", page_part_type(speller), NULL, NULL));
    json_object_set_new(data, "entries", page_entries(speller, symbol));
    page_add_long_rows(speller, symbol, data);
}

/* "cols", "channels and width": for a comment. */
static const char *axis_names(Speller *speller)
{
    const Plan *plan = speller->plan;
    const char *names = plan->axes ? plan->op->dim[plan->axis[0]] : "nothing";
    for (int a = 1; a < plan->axes; a++)
        names = arena_printf(speller->arena, "%s%s%s", names, a + 1 < plan->axes ? ", " : " and ",
                             plan->op->dim[plan->axis[a]]);
    return names;
}

json_t *page_data_of_plan(Speller *speller, const char *symbol)
{
    bool chunks = false, lanes = false;
    json_t *data = json_object();
    Members members = {speller, json_array(), json_array(), 0};
    json_object_set_new(data, "reductions", page_reductions(speller, &chunks, &lanes));
    json_object_set_new(data, "kinds", page_kinds(speller));
    set_flag(data, "has_outputs", page_has_outputs(speller));
    if (page_has_outputs(speller))
        json_object_set_new(data, "outputs", page_outputs(speller));
    add_members(&members);
    json_object_set_new(data, "members", members.declarations);
    json_t *rows = row_lines(speller, members.settings);
    json_decref(members.settings);
    add_kernel(speller, data, signature_of(speller), rows);
    set(data, "symbol", symbol);
    set(data, "linkage", "");
    set(data, "entry", symbol);
    set(data, "axis", axis_names(speller));
    set_flag(data, "spans", speller->plan->reductions > 0);
    set_flag(data, "chunks", chunks);
    set_flag(data, "lanes", lanes);
    if (speller->plan->target->gpu)
        add_gpu(speller, data, symbol);
    set(data, "inline", spell_word(speller, "inline"));
    set(data, "row_param", spell_word(speller, "row_param"));
    set(data, "thread", spell_word(speller, "thread"));
    json_object_set_new(data, "panel",
                        json_integer(speller->plan->target->gpu ? PAGE_BLOCK_PANEL : PAGE_PANEL));
    json_object_set_new(data, "classes", json_integer(PAGE_CLASSES));
    json_object_set_new(data, "includes",
                        includes(speller, json_is_true(json_object_get(data, "wide")) ||
                                              page_uses_auto_parts(speller->plan)));
    return data;
}
