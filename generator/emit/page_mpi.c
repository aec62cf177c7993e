/* page_mpi.c: what the pages of target mpi need besides a plan's other data: levels of exchanges, values per
 * range, the function's arguments.
 *
 * Reductions of one level travel together. The row function is told which exchanges are over (`level`) and
 * takes their results from `known`. */
#include "emit/page_data.h"

#include <string.h>

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static void set_flag(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

static void set_number(json_t *object, const char *key, long long value)
{
    json_object_set_new(object, key, json_integer(value));
}

bool page_spreads(const Plan *plan)
{
    return plan->target->ranks && plan->distribution.reduced;
}

/* ---- lists of arguments ---- */

static const char *listed(Arena *arena, const char *list, const char *item)
{
    return *list ? arena_printf(arena, "%s, %s", list, item) : item;
}

/* Sizes and parameters as words of a digest. */
static const char *words_text(Speller *speller)
{
    const Operator *op = speller->plan->op;
    const char *text = "";
    for (int d = 0; d < op->dims; d++)
        text = listed(speller->arena, text, spell_name(speller, op->dim[d]));
    for (int p = 0; p < op->params; p++)
        text = listed(speller->arena, text,
                      arena_printf(speller->arena, "float_word(%s)", spell_name(speller, op->param[p].name)));
    return text;
}

static const char *numbered(Arena *arena, const char *list, const char *name, int count)
{
    for (int i = 0; i < count; i++)
        list = listed(arena, list, arena_printf(arena, "%s[%d]", name, i));
    return list;
}

static const char *call_arguments(Speller *speller)
{
    const Operator *op = speller->plan->op;
    const char *text = numbered(speller->arena, "", "inputs", op->inputs);
    text = numbered(speller->arena, text, "outputs", op->outputs);
    text = numbered(speller->arena, text, "sizes", op->dims);
    return numbered(speller->arena, text, "params", op->params);
}

/* ---- the program of its own ---- */

static const char *tensors_text(Arena *arena, const Tensor *tensor, int count)
{
    const char *text = "";
    for (int t = 0; t < count; t++) {
        const char *dims = "";
        for (int i = 0; i < tensor[t].rank; i++)
            dims = listed(arena, dims, arena_printf(arena, "%d", tensor[t].dim[i]));
        text = listed(arena, text,
                      arena_printf(arena, "{%d, {%s}}", tensor[t].rank, tensor[t].rank ? dims : "0"));
    }
    return count ? text : "{0, {0}}";
}

static void add_program(Speller *speller, json_t *data)
{
    const Operator *op = speller->plan->op;
    Arena *arena = speller->arena;
    const char *usage = "", *defaults = "";
    for (int d = 0; d < op->dims; d++)
        usage = arena_printf(arena, "%s%s%s", usage, d ? " " : "", op->dim[d]);
    for (int p = 0; p < op->params; p++)
        defaults = listed(arena, defaults, spell_constant(arena, op->param[p].value));
    set(data, "usage", usage);
    set_flag(data, "has_params", op->params > 0);
    set(data, "param_defaults", op->params ? defaults : "0");
    set(data, "input_tensors", tensors_text(arena, op->input, op->inputs));
    set(data, "output_tensors", tensors_text(arena, op->output, op->outputs));
    set_number(data, "size_count", op->dims);
    set_number(data, "input_count", op->inputs);
    set_number(data, "output_count", op->outputs);
    set_number(data, "dims_limit", OPERATOR_DIMS);
    set_number(data, "spread_dim", speller->plan->distribution.dim);
}

/* ---- reductions along the shared axis ---- */

static const char *const share_names[] = {[SHARE_NODES] = "nodes", [SHARE_ALL] = "all", [SHARE_ONE] = "one"};
static const char *const share_counts[] = {
    [SHARE_NODES] = "nodes_of", [SHARE_ALL] = "all_of", [SHARE_ONE] = "one_of"};
static const char *const share_most[] = {
    [SHARE_NODES] = "nodes_most(parts, ranks)", [SHARE_ALL] = "parts", [SHARE_ONE] = "ranks"};

static bool shares(const Plan *plan, PlanShare share)
{
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].share == share)
            return true;
    return false;
}

static void add_reduction(Speller *speller, const PlanReduction *reduction, json_t *record)
{
    Arena *arena = speller->arena;
    set(record, "share", share_names[reduction->share]);
    set_flag(record, "wide_nodes", true);
    if (reduction->share == SHARE_ONE) {
        set(record, "whole",
            page_node_call(speller, reduction, reduction->root, "span_of(0, row->count, 1)"));
        set(record, "piece", page_node_call(speller, reduction, reduction->root, "chunk_at(s, k)"));
        set(record, "one_part", arena_printf(arena, "%d", PAGE_ONE_PART));
        set(record, "join_one", spell_join(speller, reduction->reduce, false, "p", "q"));
        return;
    }
    const PlanNode *outer = reduction->root->outer;
    if (reduction->share == SHARE_NODES)
        set(record, "group", page_node_call(speller, reduction, outer, "items"));
    else
        set(record, "over", page_node_call(speller, reduction, reduction->over, "span_of(0, parts, 1)"));
    set(record, "part",
        arena_printf(arena, "%s_%s%d_part(row, s, k)", page_reduction_name(speller, reduction),
                     term_rows[reduction->root->term->kind].name, reduction->root->id));
}

static void add_kind(Speller *speller, ReduceKind kind, json_t *record)
{
    const Plan *plan = speller->plan;
    const PlanReduction *first = NULL;
    bool nodes = false, one = false;
    for (int r = 0; r < plan->reductions; r++) {
        const PlanReduction *reduction = &plan->reduction[r];
        if (reduction->reduce->reduce != kind)
            continue;
        first = first ? first : reduction;
        nodes |= reduction->share == SHARE_NODES;
        one |= reduction->share == SHARE_ONE;
    }
    set_flag(record, "nodes", nodes);
    set_flag(record, "one", one);
    if (!first)
        return;
    set(record, "start", spell_start(speller, first->reduce, false));
    set(record, "join_values", spell_join(speller, first->reduce, false, "p[i]", "q[i]"));
    set(record, "join_one", spell_join(speller, first->reduce, false, "p", "q"));
}

/* ---- levels ---- */

static json_t *member_of_level(Speller *speller, const PlanReduction *reduction)
{
    Arena *arena = speller->arena;
    const char *kind = reduce_rows[reduction->reduce->reduce].name,
               *name = page_reduction_name(speller, reduction);
    const char *share = share_names[reduction->share];
    const bool all = reduction->share == SHARE_ALL;
    json_t *record = json_object();
    set(record, "name", name);
    set(record, "count", share_counts[reduction->share]);
    set(record, "merge", all ? "all_merge" : arena_printf(arena, "%s_merge_%s", kind, share));
    set(record, "finish",
        all ? arena_printf(arena, "%s_finish", name) : arena_printf(arena, "%s_finish_%s", kind, share));
    set(record, "lane", all ? ", lane" : "");
    set_flag(record, "last", false);
    return record;
}

static const char *joined(Arena *arena, const char *sum, const char *item)
{
    return *sum ? arena_printf(arena, "%s + %s", sum, item) : item;
}

static json_t *level_record(Speller *speller, int level, int before)
{
    const Plan *plan = speller->plan;
    Arena *arena = speller->arena;
    const char *items = "", *most = "", *text = "";
    json_t *record = json_object(), *members = json_array();
    bool lane = false;
    for (int r = 0; r < plan->reductions; r++) {
        const PlanReduction *reduction = &plan->reduction[r];
        if (reduction->level != level)
            continue;
        json_array_append_new(members, member_of_level(speller, reduction));
        items = joined(arena, items, arena_printf(arena, "%s(range, parts)", share_counts[reduction->share]));
        most = joined(arena, most, share_most[reduction->share]);
        text = listed(arena, text, page_reduction_name(speller, reduction));
        lane |= reduction->share == SHARE_ALL;
    }
    set(record, "text", text);
    json_t *last = json_array_get(members, json_array_size(members) - 1);
    set_flag(last, "last", true);
    set(record, "items", items);
    set(record, "most", most);
    set(record, "merge_entry",
        plan->schedule.exchange == EXCHANGE_TREE ? arena_printf(arena, "level%d_merge, ", level) : "");
    set_number(record, "index", level);
    set_number(record, "before", before);
    set_flag(record, "uses_lane", lane);
    json_object_set_new(record, "reductions", members);
    return record;
}

static int members_of(const Plan *plan, int level)
{
    int count = 0;
    for (int r = 0; r < plan->reductions; r++)
        count += plan->reduction[r].level == level;
    return count;
}

static int place_in_level(const Plan *plan, int reduction)
{
    int place = 0;
    for (int r = 0; r < reduction; r++)
        place += plan->reduction[r].level == plan->reduction[reduction].level;
    return place;
}

/* Where row_values() finds the result of each reduction. */
static json_t *known_records(const Plan *plan)
{
    json_t *records = json_array();
    for (int r = 0; r < plan->reductions; r++) {
        const int level = plan->reduction[r].level;
        int before = 0;
        for (int l = 0; l < level; l++)
            before += members_of(plan, l);
        json_array_append_new(records, json_pack("{s:i, s:i, s:i, s:i, s:i}", "index", r, "level", level,
                                                 "before", before, "of", members_of(plan, level), "place",
                                                 place_in_level(plan, r)));
    }
    return records;
}

static void add_once(json_t *list, json_t *item)
{
    size_t i;
    json_t *other;
    json_array_foreach(list, i, other) if (json_equal(other, item)) return;
    json_array_append(list, item);
}

static void add_levels(Speller *speller, json_t *data)
{
    const Plan *plan = speller->plan;
    json_t *levels = json_array(), *mosts = json_array();
    const char *list = "";
    int before = 0;
    for (int l = 0; l < plan->levels; l++) {
        json_t *level = level_record(speller, l, before);
        json_array_append_new(levels, level);
        add_once(mosts, json_object_get(level, "most"));
        list = listed(speller->arena, list, arena_printf(speller->arena, "&level%d", l));
        before += members_of(plan, l);
    }
    set(data, "level_list", list);
    json_object_set_new(data, "mosts", mosts); /* of levels: values of a row in all ranks, at most */
    json_object_set_new(data, "levels", levels);
    json_object_set_new(data, "known", known_records(plan));
    set_number(data, "reduction_count", plan->reductions);
}

/* ---- blocks ---- */

/* Bytes per index of the axis and row that a later pass reads again. */
static int bytes_read_again(Speller *speller)
{
    const Operator *op = speller->plan->op;
    int tensors = 0;
    for (int i = 0; i < op->inputs; i++)
        for (int d = 0; d < op->input[i].rank; d++)
            tensors += op->input[i].rank > 1 && op->input[i].dim[d] == speller->plan->axis[0];
    for (int o = 0; o < op->outputs; o++)
        tensors += spell_varies(speller, op->output[o].value);
    return (int)sizeof(float) * (tensors ? tensors : 1);
}

static const char *part_text(Speller *speller)
{
    const Distribution *distribution = &speller->plan->distribution;
    unsigned long long pieces = distribution->pieces;
    if (!pieces)
        return arena_printf(speller->arena, "%llu", (unsigned long long)distribution->chunk);
    return arena_printf(speller->arena, "size == 0 ? 1 : size / %llu + (size %% %llu > 0)", pieces, pieces);
}

enum { OVERLAP_BIT = 1 << 8 }; /* beside the exchange, in the word on which the ranks agree */

static void add_exchange(Speller *speller, json_t *data)
{
    const Plan *plan = speller->plan;
    const bool spreads = page_spreads(plan);
    const Exchange exchange = spreads ? plan->schedule.exchange : EXCHANGE_GATHER;
    const bool overlaps = spreads && plan->schedule.overlap;
    set_flag(data, "spreads", spreads);
    set_flag(data, "gathers", exchange == EXCHANGE_GATHER);
    set_flag(data, "merges", exchange == EXCHANGE_TREE);
    set_flag(data, "scatters", exchange == EXCHANGE_SCATTER);
    set_flag(data, "allreduces", plan->allreduce);
    set_flag(data, "overlaps", overlaps);
    set_number(data, "blocks", overlaps ? 2 : 1);
    set_number(data, "schedule_word", (int)exchange + (overlaps ? OVERLAP_BIT : 0));
    set(data, "exchange", exchange_names[exchange]);
    set_number(data, "exchange_tag", exchange);
    set(data, "part_type", page_part_type(speller));
    set(data, "part", part_text(speller));
    set(data, "program_part", part_text(speller));
}

static void add_spread(Speller *speller, json_t *data)
{
    const Plan *plan = speller->plan;
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(data, "reductions"), i, record)
        add_reduction(speller, &plan->reduction[i], record);
    json_array_foreach(json_object_get(data, "kinds"), i, record) add_kind(speller, (ReduceKind)i, record);
    set_flag(data, "counts_nodes", shares(plan, SHARE_NODES));
    set_flag(data, "counts_all", shares(plan, SHARE_ALL));
    set_flag(data, "counts_one", shares(plan, SHARE_ONE));
    set(data, "lanes_at_once", shares(plan, SHARE_ALL) ? "lanes_at_once(parts) * (parts + 1)" : "0");
    set(data, "stream_param", page_streams(speller) ? ", int stream" : "");
    set(data, "stream_argument", page_streams(speller) ? ", stream" : "");
    set_flag(data, "reads_again", page_has_outputs(speller) || plan->levels > 1);
    set_number(data, "reads_again_bytes", bytes_read_again(speller));
    set_number(data, "parallel_from", PAGE_PARALLEL_FROM);
    add_levels(speller, data);
}

void page_add_ranks(Speller *speller, const Variant *variant, json_t *data)
{
    const Plan *plan = speller->plan;
    Arena *arena = speller->arena;
    const char *arguments = arena_copy(arena, json_string_value(json_object_get(data, "signature")));
    add_exchange(speller, data);
    add_program(speller, data);
    set(data, "contract_word", arena_printf(arena, "0x%.16s", variant->digest));
    set(data, "mpi_signature",
        arena_printf(arena, "%.*ssize_t first, size_t count, MPI_Comm comm",
                     (int)(strlen(arguments) - strlen("size_t count")), arguments));
    set(data, "words", words_text(speller));
    set(data, "call_arguments", call_arguments(speller));
    set(data, "axis_size", spell_name(speller, plan->op->dim[plan->distribution.dim]));
    if (page_spreads(plan)) {
        add_spread(speller, data);
        return;
    }
    set(data, "linkage", "static ");
    set(data, "entry", "own_rows");
}
