/* manifest.c: what a family holds, for programs that did not make it. */
#include "emit/emit.h"

#include "emit/ninja.h"
#include "emit/page_data.h"

static json_t *argument(const char *name, const char *kind, const char *type)
{
    return json_pack("{s:s, s:s, s:s}", "name", name, "kind", kind, "type", type);
}

static json_t *tensor_argument(const Operator *op, const Tensor *tensor, const char *kind)
{
    json_t *record = argument(tensor->name, kind, "float*"), *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_string(op->dim[tensor->dim[i]]));
    json_object_set_new(record, "shape", shape);
    return record;
}

static json_t *arguments(const Operator *op)
{
    json_t *list = json_array();
    for (int i = 0; i < op->inputs; i++)
        json_array_append_new(list, tensor_argument(op, &op->input[i], "input"));
    for (int o = 0; o < op->outputs; o++)
        json_array_append_new(list, tensor_argument(op, &op->output[o], "output"));
    for (int d = 0; d < op->dims; d++)
        json_array_append_new(list, argument(op->dim[d], "size", "size_t"));
    for (int p = 0; p < op->params; p++) {
        json_t *record = argument(op->param[p].name, "param", "float");
        json_object_set_new(record, "default", json_real((double)op->param[p].value));
        json_array_append_new(list, record);
    }
    return list;
}

static json_t *cpu_launch(Arena *arena, const Variant *variant)
{
    if (variant->target->ranks)
        return json_pack("{s:s, s:s, s:s}", "kind", "mpi", "threads", "openmp", "compile",
                         build_command_text(arena, variant, 0));
    return json_pack("{s:s, s:s, s:s}", "kind", "cpu", "threads", "openmp", "compile",
                     build_command_text(arena, variant, 0));
}

static json_t *entry_point(Arena *arena, const Variant *variant, const char *suffix, const char *role)
{
    return json_pack("{s:s, s:s}", "name", arena_printf(arena, "%s%s", variant->symbol, suffix), "role",
                     role);
}

/* page_entries.c: long_head */
static json_t *long_entry_point(Arena *arena, const Variant *variant, const char *suffix, const char *role)
{
    json_t *entry = entry_point(arena, variant, suffix, role);
    json_object_set_new(entry, "extra", json_pack("[s, s]", "row", "workspace"));
    return entry;
}

/* How many partials a long row has: the cuts from the row down, each taking the number of items and giving
 * that of parts. */
static json_t *cuts_of(const Term *tree)
{
    json_t *cuts = json_array();
    for (; term_rows[tree->kind].has_parts; tree = tree->outer)
        json_array_append_new(
            cuts, json_pack("{s:s, s:I}", "cut", term_rows[tree->kind].name, "size", (json_int_t)tree->size));
    return cuts;
}

static void add_long_rows(Arena *arena, const Variant *variant, const Plan *plan, json_t *launch)
{
    json_t *kernels = json_object_get(launch, "kernels"), *partials = json_array();
    for (int r = 0; r < plan->reductions; r++) {
        json_t *part = long_entry_point(arena, variant, arena_printf(arena, "_part%d", r), "part");
        json_t *join = long_entry_point(arena, variant, arena_printf(arena, "_join%d", r), "join");
        json_object_set_new(part, "reduction", json_integer(r));
        json_object_set_new(join, "reduction", json_integer(r));
        json_array_append_new(kernels, part);
        json_array_append_new(kernels, join);
        json_array_append_new(partials, cuts_of(plan->reduction[r].tree));
    }
    json_array_append_new(kernels, long_entry_point(arena, variant, "_output", "output"));
    json_object_set_new(launch, "workspace",
                        json_pack("{s:s, s:i, s:o}", "type", page_wide_state(plan) ? "double" : "float",
                                  "values", PAGE_LONG_VALUES, "partials", partials));
}

/* Entry points, as docs/devices.md describes them; which threads share a row is schedule and changes no bit.
 */
static json_t *gpu_launch(Arena *arena, const Variant *variant)
{
    const char *why = NULL;
    const Plan *plan = plan_lower(arena, variant, &why);
    json_t *launch = json_pack("{s:s, s:o, s:s}", "kind", variant->target->name, "kernels", json_array(),
                               "compile", build_command_text(arena, variant, 0));
    json_array_append_new(json_object_get(launch, "kernels"), entry_point(arena, variant, "", "rows"));
    json_array_append_new(json_object_get(launch, "kernels"), entry_point(arena, variant, "_warp", "warps"));
    if (plan && page_has_long_rows(plan))
        add_long_rows(arena, variant, plan, launch);
    return launch;
}

/* Behind the operator's own arguments the function takes own indices of the distributed dim and the
 * communicator. */
static void add_ranks(json_t *record, const Variant *variant)
{
    const Distribution distribution = plan_distribution(variant);
    json_t *args = json_object_get(record, "args"), *spread = json_object();
    json_array_append_new(args, argument("first", "first", "size_t"));
    json_array_append_new(args, argument("count", "count", "size_t"));
    json_array_append_new(args, argument("comm", "comm", "MPI_Comm"));
    json_object_set_new(spread, "dim",
                        distribution.dim < 0 ? json_null() : json_string(variant->op->dim[distribution.dim]));
    json_object_set_new(spread, "part", json_integer((json_int_t)distribution.chunk));
    json_object_set_new(spread, "pieces", json_integer((json_int_t)distribution.pieces));
    json_object_set_new(spread, "reduced", json_boolean(distribution.reduced));
    json_object_set_new(record, "distributed", spread);
    json_object_set_new(record, "exchange", json_string(exchange_names[variant->schedule.exchange]));
    json_object_set_new(record, "overlap", json_boolean(variant->schedule.overlap));
}

json_t *emit_manifest_variant(Arena *arena, const Variant *variant)
{
    json_t *record = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", variant->id, "operator",
        variant->op->name, "dtype", variant->dtype, "tree", term_text(arena, variant->tree), "tree_short",
        term_short_text(arena, variant->tree), "accumulator", accumulator_name(variant->accumulator),
        "target", variant->target->name, "contract", variant->digest, "contract_text", variant->contract,
        "source", variant->source, "symbol", variant->symbol);
    if (variant->label)
        json_object_set_new(record, "label", json_string(variant->label));
    json_object_set_new(record, "args", arguments(variant->op));
    if (variant->target->ranks)
        add_ranks(record, variant);
    json_object_set_new(record, "launch",
                        variant->target->gpu ? gpu_launch(arena, variant) : cpu_launch(arena, variant));
    json_object_set_new(record, "schedule",
                        json_pack("{s:i, s:I}", "unroll", variant->schedule.unroll, "stream_bytes",
                                  (json_int_t)variant->schedule.stream_bytes));
    return record;
}

static json_t *operator_record(Arena *arena, const Operator *op)
{
    json_t *dims = json_array();
    for (int d = 0; d < op->dims; d++)
        json_array_append_new(dims, json_string(op->dim[d]));
    const char *text = "";
    for (int o = 0; o < op->outputs; o++)
        text = arena_printf(arena, "%s%s%s = %s", text, o ? "; " : "", op->output[o].name,
                            expr_text(arena, op, op->output[o].value));
    return json_pack("{s:s, s:s, s:o}", "name", op->name, "text", text, "dims", dims);
}

json_t *emit_manifest(Arena *arena, const Family *family)
{
    json_t *variants = json_array(), *skipped = json_array();
    for (int v = 0; v < family->variants; v++)
        json_array_append_new(variants, emit_manifest_variant(arena, &family->variant[v]));
    for (int s = 0; s < family->skips; s++)
        json_array_append_new(
            skipped, json_pack("{s:s, s:s}", "what", family->skip[s].what, "why", family->skip[s].why));
    return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o}", "version", 1, "family", family->name, "spec",
                     arena_printf(arena, "%s.lua", family->name), "operator",
                     operator_record(arena, family->op), "variants", variants, "skipped", skipped);
}
