/* page_reductions.c: nodes of a reduction as records of the pages seq, pairwise, halving, completion, part,
 * cut, vector. */
#include "emit/page_data.h"

#include <stdio.h>
#include <string.h>

const char *page_reduction_name(Speller *speller, const PlanReduction *reduction)
{
    return spell_row_name(speller, reduction->reduce);
}

/* ---- names and calls ---- */

static const char *span_name(Arena *arena, int depth)
{
    return depth ? arena_printf(arena, "span%d", depth) : "s";
}

static const char *context_of(const PlanNode *node)
{
    return node->in_array ? "lane" : "row";
}

static const char *node_name(Speller *speller, const PlanReduction *reduction, const PlanNode *node)
{
    return arena_printf(speller->arena, "%s_%s%d", page_reduction_name(speller, reduction),
                        term_rows[node->term->kind].name, node->id);
}

/* "row, s, span1, " for the spans around a node at `depth`. */
static const char *enclosing(Speller *speller, const PlanNode *node, int depth)
{
    const char *text = context_of(node);
    for (int d = 0; d < depth; d++)
        text = arena_printf(speller->arena, "%s, %s", text, span_name(speller->arena, d));
    return text;
}

static const char *parameters(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                              int depth)
{
    const char *text = spell_word(speller, "row_param");
    if (node->in_array)
        text = words_spell(speller->arena, speller->scalar, "array_param",
                           spell_state_type(speller, reduction->reduce, false), NULL, NULL);
    for (int d = 0; d <= depth; d++)
        text = arena_printf(speller->arena, "%s, Span %s", text, span_name(speller->arena, d));
    return text;
}

/* Halving the whole array of accumulators is a loop shared by all reductions of a kind
 * (templates/cpu/kind.c). */
static bool is_halving_of_array(const PlanNode *node)
{
    return node->kind == PLAN_FOLD && node->term->kind == TERM_HALVING && node->whole_array;
}

const char *page_fold_lanes(Speller *speller, const PlanReduction *reduction, const PlanNode *vector)
{
    Arena *arena = speller->arena;
    if (is_halving_of_array(vector->outer))
        return arena_printf(arena, "%s_halve(lane, %d)", reduce_rows[reduction->reduce->reduce].name,
                            vector->left);
    return page_node_call(speller, reduction, vector->outer,
                          arena_printf(arena, "span_of(0, %d, 1)", vector->left));
}

const char *page_node_call(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                           const char *span)
{
    return arena_printf(speller->arena, "%s(%s, %s)", node_name(speller, reduction, node),
                        enclosing(speller, node, node->depth), span);
}

/* ---- items ---- */

const char *page_item(Speller *speller, const PlanReduction *reduction, const PlanNode *node, const char *k)
{
    Arena *arena = speller->arena;
    if (node->items == ITEMS_LEAVES)
        return arena_printf(arena, "%s_step(row, %s, %s)", page_reduction_name(speller, reduction),
                            spell_start(speller, reduction->reduce, false), k);
    if (node->items == ITEMS_ACCUMULATORS)
        return arena_printf(arena, "lane[%s]", k);
    return arena_printf(arena, "%s_part(%s, %s)", node_name(speller, reduction, node->cut),
                        enclosing(speller, node, node->depth), k);
}

static const char *node_comment(Speller *speller, const PlanNode *node)
{
    static const char *const items[] = {
        [ITEMS_ACCUMULATORS] = "the lanes", [ITEMS_LEAVES] = "leaves", [ITEMS_PARTS] = "partials"};
    return arena_printf(speller->arena, "%s over %s", term_short_text(speller->arena, node->term),
                        items[node->items]);
}

static const char *join(Speller *speller, const PlanReduction *reduction, const char *left, const char *right)
{
    return spell_join(speller, reduction->reduce, false, left, right);
}

/* ---- FOLD ---- */

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

/* A fold's page has the fold's name: a new one needs its page only. */
static const char *fold_page(Arena *arena, const PlanNode *fold)
{
    return arena_printf(arena, "rows/%s.c", term_rows[fold->term->kind].name);
}

static json_t *fold_record(Speller *speller, const PlanReduction *reduction, const PlanNode *node)
{
    Arena *arena = speller->arena;
    const char *span = span_name(arena, node->depth);
    json_t *record = json_object();
    set(record, "page", fold_page(arena, node));
    set(record, "params", parameters(speller, reduction, node, node->depth));
    set(record, "span", span);
    json_object_set_new(record, "leaves", json_boolean(node->items == ITEMS_LEAVES));
    set(record, "item", page_item(speller, reduction, node, "k"));
    set(record, "item_first", page_item(speller, reduction, node, arena_printf(arena, "%s.first", span)));
    set(record, "join_item", join(speller, reduction, "acc", page_item(speller, reduction, node, "k")));
    return record;
}

/* ---- CUT ---- */

static const char *part_span(Speller *speller, const PlanNode *cut, bool *chunks, bool *lanes)
{
    const char *span = span_name(speller->arena, cut->depth);
    if (cut->term->kind == TERM_LANES) {
        *lanes = true;
        return arena_printf(speller->arena, "lane_at(%s, k, %llu)", span,
                            (unsigned long long)cut->term->size);
    }
    *chunks = true;
    return arena_printf(speller->arena, "chunk_at(%s, k)", span);
}

static json_t *part_record(Speller *speller, const PlanReduction *reduction, const PlanNode *cut,
                           bool *chunks, bool *lanes)
{
    json_t *record = json_object();
    set(record, "page", "rows/part.c");
    set(record, "name", arena_printf(speller->arena, "%s_part", node_name(speller, reduction, cut)));
    set(record, "params", parameters(speller, reduction, cut, cut->depth));
    set(record, "call",
        page_node_call(speller, reduction, cut->inner, part_span(speller, cut, chunks, lanes)));
    set(record, "comment", term_short_text(speller->arena, cut->term));
    return record;
}

static const char *parts_of(Speller *speller, const PlanNode *cut)
{
    const char *span = span_name(speller->arena, cut->depth);
    if (cut->term->kind == TERM_LANES)
        return arena_printf(speller->arena, "%llu", (unsigned long long)cut->term->size);
    return arena_printf(speller->arena, "%s.count == 0 ? 0 : (%s.count - 1) / %s.part + 1", span, span, span);
}

/* The statement that fixes how large a cut's parts are; "" for lanes. */
static const char *set_part(Speller *speller, const PlanNode *cut)
{
    const char *span = span_name(speller->arena, cut->depth);
    unsigned long long size = cut->term->size;
    if (cut->term->kind == TERM_LANES)
        return "";
    if (cut->term->kind == TERM_CHUNK)
        return arena_printf(speller->arena, "%s.part = %llu;", span, size);
    const char *parts = size ? arena_printf(speller->arena, "%llu", size)
                             : arena_printf(speller->arena, "%s->auto_parts", "row");
    return arena_printf(speller->arena, "%s.part = (%s.count + %s - 1) / %s;", span, span, parts, parts);
}

static json_t *cut_record(Speller *speller, const PlanReduction *reduction, const PlanNode *cut)
{
    json_t *record = json_object();
    const char *span = span_name(speller->arena, cut->depth);
    const char *parts = arena_printf(speller->arena, "span_of(0, %s, 1)", parts_of(speller, cut));
    set(record, "page", "rows/cut.c");
    set(record, "params", parameters(speller, reduction, cut, cut->depth));
    set(record, "set_part", set_part(speller, cut));
    set(record, "call",
        arena_printf(speller->arena, "%s(%s, %s, %s)", node_name(speller, reduction, cut->outer),
                     enclosing(speller, cut, cut->depth), span, parts));
    return record;
}

/* ---- nodes in emission order ---- */

typedef struct NodeList {
    Speller *speller;
    const PlanReduction *reduction;
    json_t *records;
    bool *chunks, *lanes;
} NodeList;

static void add_record(NodeList *list, const PlanNode *node, json_t *record)
{
    if (!json_object_get(record, "name"))
        set(record, "name", node_name(list->speller, list->reduction, node));
    if (!json_object_get(record, "comment"))
        set(record, "comment", node_comment(list->speller, node));
    json_array_append_new(list->records, record);
}

static void add_node(NodeList *list, const PlanNode *node);

static void add_cut(NodeList *list, const PlanNode *node)
{
    add_node(list, node->inner);
    add_record(list, node, part_record(list->speller, list->reduction, node, list->chunks, list->lanes));
    add_node(list, node->outer);
    add_record(list, node, cut_record(list->speller, list->reduction, node));
}

/* Where ranks share the axis: own parts of the outermost cut, and what folds everyone's. */
static void add_shared(NodeList *list, const PlanReduction *reduction)
{
    if (reduction->share == SHARE_ONE) {
        add_node(list, reduction->root);
        return;
    }
    add_node(list, reduction->root->inner);
    add_record(list, reduction->root,
               part_record(list->speller, reduction, reduction->root, list->chunks, list->lanes));
    add_node(list, reduction->share == SHARE_NODES ? reduction->root->outer : reduction->over);
}

static void add_node(NodeList *list, const PlanNode *node)
{
    if (node->kind == PLAN_CUT) {
        add_cut(list, node);
    } else if (node->kind == PLAN_FOLD) {
        if (!is_halving_of_array(node))
            add_record(list, node, fold_record(list->speller, list->reduction, node));
    } else {
        if (node->left > 1 || node->term->size == 1)
            add_node(list, node->outer);
        add_record(list, node,
                   (list->speller->plan->target->gpu ? page_warp : page_vector)(list->speller,
                                                                                list->reduction, node));
    }
}

/* ---- one long row shared by all threads ---- */

/* The folds that cpu/wide.c and gpu/block.c know how to share; a row folded by another is one thread's. */
static bool threads_can_share(TermKind fold)
{
    return fold == TERM_HALVING || fold == TERM_PAIRWISE || fold == TERM_SEQ;
}

const PlanNode *page_wide_fold(const PlanReduction *reduction)
{
    const PlanNode *node = reduction->root;
    if (node->kind != PLAN_CUT)
        return NULL;
    while (node->kind == PLAN_CUT)
        node = node->outer;
    return node->kind == PLAN_FOLD && threads_can_share(node->term->kind) ? node : NULL;
}

static json_t *wide_spans(Speller *speller, const PlanReduction *reduction)
{
    Arena *arena = speller->arena;
    json_t *lines = json_array();
    spell_line(lines, "Span s = {0, row->count, 1, 0};", 0);
    for (const PlanNode *node = reduction->root; node->kind == PLAN_CUT; node = node->outer) {
        const char *part = set_part(speller, node);
        if (*part)
            spell_line(lines, part, 0);
        spell_line(lines,
                   arena_printf(arena, "Span %s = {0, %s, 1, 0};", span_name(arena, node->depth + 1),
                                parts_of(speller, node)),
                   0);
    }
    return lines;
}

static void add_wide(Speller *speller, const PlanReduction *reduction, json_t *record)
{
    const PlanNode *fold = page_wide_fold(reduction);
    json_object_set_new(record, "wide", json_boolean(fold != NULL));
    if (!fold)
        return;
    set(record, "wide_kind", term_rows[fold->term->kind].name);
    set(record, "wide_comment", "all threads compute its parts, and they are joined in the same order");
    set(record, "wide_span", span_name(speller->arena, fold->depth));
    set(record, "wide_item", page_item(speller, reduction, fold, "k"));
    set(record, "wide_group", page_node_call(speller, reduction, fold, "items"));
    json_object_set_new(record, "wide_spans", wide_spans(speller, reduction));
}

/* ---- one reduction ---- */

static json_t *leaf_lines(Speller *speller, const PlanReduction *reduction)
{
    Pass pass = {false, false, "i", reduction->kept, reduction->kept != NULL};
    const Expr *leaf = reduction->reduce->arg[0];
    json_t *reads = page_reads(speller, pass, &leaf, 1), *lines = page_locals(speller->arena, reads);
    json_decref(reads);
    if (speller->plan->swapped)
        spell_line(lines, "i = row->count < 3 ? i : i == 1 ? 2 : i == 2 ? 1 : i; /* NEGATIVE CONTROL */", 0);
    const char *step = spell_step(speller, lines, pass, reduction->reduce, "acc");
    spell_line(lines, arena_printf(speller->arena, "return %s;", step), leaf->where.line);
    return lines;
}

static json_t *reduction_record(Speller *speller, const PlanReduction *reduction, bool *chunks, bool *lanes)
{
    json_t *record = json_object();
    json_t *nodes = json_array();
    NodeList list = {speller, reduction, nodes, chunks, lanes};
    if (page_spreads(speller->plan))
        add_shared(&list, reduction);
    else
        add_node(&list, reduction->root);
    json_object_set_new(record, "nodes", nodes);
    set(record, "name", page_reduction_name(speller, reduction));
    set(record, "text", expr_text(speller->arena, speller->plan->op, reduction->reduce));
    set(record, "note",
        reduction->tree == speller->plan->tree
            ? ""
            : ": the same bits in every order, so the fastest one is taken");
    set(record, "state", spell_state_type(speller, reduction->reduce, false));
    set(record, "start", spell_start(speller, reduction->reduce, false));
    set(record, "step", arena_printf(speller->arena, "%s_step", page_reduction_name(speller, reduction)));
    set(record, "join_stack", join(speller, reduction, "stack[depth]", "p"));
    set(record, "join_p", join(speller, reduction, "acc", "p"));
    set(record, "kind", reduce_rows[reduction->reduce->reduce].name);
    json_object_set_new(record, "scalar_leaves", json_boolean(reduction->scalar_leaves));
    if (reduction->scalar_leaves)
        json_object_set_new(record, "leaf", leaf_lines(speller, reduction));
    set(record, "root", page_node_call(speller, reduction, reduction->root, "span_of(0, row->count, 1)"));
    add_wide(speller, reduction, record);
    return record;
}

json_t *page_reductions(Speller *speller, bool *chunks, bool *lanes)
{
    json_t *records = json_array();
    for (int r = 0; r < speller->plan->reductions; r++)
        json_array_append_new(records,
                              reduction_record(speller, &speller->plan->reduction[r], chunks, lanes));
    return records;
}

/* ---- what all reductions of a kind share ---- */

static bool some_node(const PlanReduction *reduction, bool (*is)(const PlanNode *))
{
    for (int n = 0; n < reduction->nodes; n++)
        if (is(reduction->node[n]))
            return true;
    return false;
}

static bool is_pairwise(const PlanNode *node)
{
    return node->kind == PLAN_FOLD && node->term->kind == TERM_PAIRWISE;
}

static bool is_halved_by_loop(const PlanNode *node)
{
    return node->kind == PLAN_VECTOR && node->left == (int)node->term->size &&
           is_halving_of_array(node->outer);
}

static bool halves_an_array(const Speller *speller, const PlanReduction *reduction)
{
    const PlanNode *wide = page_wide_fold(reduction);
    const bool shared = page_spreads(speller->plan); /* its wide fold is another one */
    return some_node(reduction, is_halved_by_loop) || (!shared && wide && wide->term->kind == TERM_HALVING);
}

static json_t *kind_record(Speller *speller, ReduceKind kind)
{
    json_t *record = json_object();
    const PlanReduction *first = NULL;
    bool stack = false, halve = false;
    for (int r = 0; r < speller->plan->reductions; r++) {
        const PlanReduction *reduction = &speller->plan->reduction[r];
        if (reduction->reduce->reduce != kind)
            continue;
        first = first ? first : reduction;
        stack |= some_node(reduction, is_pairwise);
        halve |= halves_an_array(speller, reduction);
    }
    json_object_set_new(record, "stack", json_boolean(stack));
    json_object_set_new(record, "halve", json_boolean(halve));
    set(record, "name", reduce_rows[kind].name);
    if (!first)
        return record;
    set(record, "state", spell_state_type(speller, first->reduce, false));
    set(record, "join_stack", join(speller, first, "stack[*depth]", "p"));
    set(record, "join_lanes", join(speller, first, "lane[i]", "lane[i + apart]"));
    return record;
}

json_t *page_kinds(Speller *speller)
{
    json_t *records = json_array();
    for (int kind = 0; kind < REDUCE_KINDS; kind++)
        json_array_append_new(records, kind_record(speller, (ReduceKind)kind));
    return records;
}

/* ---- partials that lie in memory, in index order: a GPU's long rows ---- */

static void add_join_node(Speller *speller, const PlanReduction *reduction, const PlanNode *fold,
                          json_t *nodes)
{
    Arena *arena = speller->arena;
    json_t *record = json_object();
    set(record, "page", fold_page(arena, fold));
    set(record, "name", arena_printf(arena, "%s_join", page_reduction_name(speller, reduction)));
    set(record, "params",
        arena_printf(
            arena, "%s, Span s",
            words_spell(arena, speller->scalar, "partials_param", page_part_type(speller), NULL, NULL)));
    set(record, "span", "s");
    json_object_set_new(record, "leaves", json_false());
    set(record, "item", "partials[k]");
    set(record, "item_first", "partials[s.first]");
    set(record, "join_item",
        join(speller, reduction, "acc",
             spell_is_wide(speller, reduction->reduce) ? "partials[k]" : "(float)partials[k]"));
    set(record, "comment",
        arena_printf(arena, "%s over partials in memory", term_rows[fold->term->kind].name));
    json_array_append_new(nodes, record);
}

/* "Span span1 = ..." and "span1.part = 48;" are about span1. */
static bool is_about(const char *text, const char *name)
{
    text += strncmp(text, "Span ", 5) == 0 ? 5 : 0;
    return strncmp(text, name, strlen(name)) == 0 && strchr(" .", text[strlen(name)]) != NULL;
}

static bool is_named(const json_t *lines, const char *name)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i,
                       line) if (strstr(json_string_value(json_object_get(line, "text")), name)) return true;
    return false;
}

/* What span `wanted` does not depend on is left out: a join by lanes needs the last one alone. */
static json_t *spans_for(Speller *speller, const json_t *spans, const char *wanted)
{
    json_t *kept = json_array();
    for (size_t i = json_array_size(spans); i-- > 0;) {
        json_t *line = json_array_get(spans, i);
        const char *text = json_string_value(json_object_get(line, "text")), *from = text;
        from += strncmp(from, "Span ", 5) == 0 ? 5 : 0;
        const char *name = arena_copy_bytes(speller->arena, from, strcspn(from, " ."));
        if (is_about(text, wanted) || is_named(kept, arena_printf(speller->arena, "%s.", name)))
            json_array_insert(kept, 0, line);
    }
    return kept;
}

void page_add_join(Speller *speller, const PlanReduction *reduction, json_t *record)
{
    const PlanNode *fold = page_wide_fold(reduction);
    json_t *nodes = json_array(), *spans = json_array();
    size_t i;
    json_t *line;
    add_join_node(speller, reduction, fold, nodes);
    json_object_set_new(record, "join_nodes", nodes);
    json_array_foreach(json_object_get(record, "wide_spans"), i, line)
    {
        const char *text = json_string_value(json_object_get(line, "text"));
        spell_line(spans, strstr(text, "row->count") ? "Span s = {0, row.count, 1, 0};" : text, 0);
    }
    json_object_set_new(record, "join_spans",
                        spans_for(speller, spans, json_string_value(json_object_get(record, "wide_span"))));
    json_object_set_new(record, "long_spans", spans);
    const char *item = json_string_value(json_object_get(record, "wide_item"));
    const char *row = strstr(item, "(row, ");
    set(record, "long_item",
        arena_printf(speller->arena, "%.*s(&row, %s", (int)(row - item), item, row + strlen("(row, ")));
}
