/* page_vector.c: lanes(L, seq, fold) over consecutive leaves: L accumulators side by side.
 *
 * On a target with vectors, lanes 8g .. 8g+7 are accumulator `acc<g>`; without, all L are an array `lane` and
 * each round is a loop over it. The tail of a row joins the same lanes; a lane without a leaf is not stepped
 * (x + 0.0 is not x when x is -0.0). */
#include "emit/page_data.h"

#include <stdio.h>
#include <string.h>

typedef struct Group {
    int index, first, lanes; /* lanes first .. first + lanes - 1 */
    bool partial;            /* fewer lanes than a vector has */
} Group;

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static Group group_at(const PlanNode *node, int index)
{
    int lanes = (int)node->term->size, first = index * node->width;
    int own = lanes - first < node->width ? lanes - first : node->width;
    return (Group){index, first, own, own < node->width};
}

static const char *declaration(Speller *speller, const Expr *reduce, bool looped, Group group)
{
    Arena *arena = speller->arena;
    const char *type = spell_state_type(speller, reduce, true), *start = spell_start(speller, reduce, true);
    if (looped)
        return arena_printf(arena, "%s lane[%d];\nfor (size_t l = 0; l < %d; l++)\n    lane[l] = %s;", type,
                            group.lanes, group.lanes, start);
    return arena_printf(arena, "%s acc%d = %s; /* lanes %d..%d */", type, group.index, start, group.first,
                        group.first + group.lanes - 1);
}

static const char *live_mask(Speller *speller, const char *count)
{
    speller->masks = true;
    return words_spell(speller->arena, speller->vector, "live", count, NULL, NULL);
}

static const char *index_text(Speller *speller, Group group)
{
    return group.first ? arena_printf(speller->arena, "s.first + i + %d", group.first) : "s.first + i";
}

static Pass pass_of(const PlanReduction *reduction, bool live)
{
    return (Pass){true, live, "i", reduction->kept, false};
}

static Pass keep_pass(const PlanReduction *reduction, bool live)
{
    return (Pass){true, live, "i", reduction->kept, true};
}

/* ---- functions that step one vector ---- */

static const char *step_name(Speller *speller, const PlanReduction *reduction, bool live)
{
    return arena_printf(speller->arena, "%s_step8%s", page_reduction_name(speller, reduction),
                        live ? "_live" : "");
}

static json_t *step_function(Speller *speller, const PlanReduction *reduction, const json_t *reads, bool live)
{
    Arena *arena = speller->arena;
    const char *type = spell_state_type(speller, reduction->reduce, true);
    json_t *record = json_object(), *lines = json_array();
    const char *step = spell_step(speller, lines, pass_of(reduction, live), reduction->reduce, "acc");
    if (live) {
        const char *word = spell_is_wide(speller, reduction->reduce) ? "only_live_f64" : "only_live";
        step = words_spell(arena, speller->vector, word, step, "acc", NULL);
    }
    spell_line(lines, arena_printf(arena, "return %s;", step), reduction->reduce->where.line);
    set(record, "head",
        arena_printf(arena, "static inline %s %s(%ssize_t i, %s%s acc)", type,
                     step_name(speller, reduction, live), page_read_parameters(arena, reads),
                     live ? "__m256i live, " : "", type));
    json_object_set_new(record, "lines", lines);
    return record;
}

/* ---- values that are kept are computed first, one vector after another ----
 *
 * Inside the rounds, several elementary functions side by side need more registers than there are (measured:
 * a softmax on AVX2 took 1.3 times as long). */

static json_t *keep_function(Speller *speller, const PlanReduction *reduction, const json_t *reads, bool live)
{
    Arena *arena = speller->arena;
    const char **text = ARENA_ARRAY(arena, const char *, (size_t)speller->plan->op->nodes);
    json_t *record = json_object(), *lines = json_array();
    spell_value(speller, lines, keep_pass(reduction, live), text, reduction->kept);
    set(record, "head",
        arena_printf(arena, "static inline void %s_keep8%s(%ssize_t i%s)",
                     page_reduction_name(speller, reduction), live ? "_live" : "",
                     page_read_parameters(arena, reads), live ? ", __m256i live" : ""));
    json_object_set_new(record, "lines", lines);
    return record;
}

/* Binary32 elements: a line of the cache. Two lines at a time need more registers than there are. */
enum { KEEP_BLOCK = 16 };

/* An input of this name that has other values in the next row. */
static bool goes_on(Speller *speller, const char *name)
{
    const Operator *op = speller->plan->op;
    for (int i = 0; i < op->inputs; i++)
        if (op->input[i].rank > 1 && strcmp(name, spell_name(speller, op->input[i].name)) == 0)
            return true;
    return false;
}

/* Reads the same elements of the next row ahead. */
static json_t *next_row_lines(Speller *speller, const json_t *reads)
{
    Arena *arena = speller->arena;
    json_t *lines = json_array();
    size_t r;
    json_t *read;
    json_array_foreach(reads, r, read)
    {
        const char *name = json_string_value(json_object_get(read, "name"));
        if (goes_on(speller, name))
            spell_line(lines,
                       arena_printf(arena, "    %s",
                                    words_spell(arena, speller->vector, "prefetch_soon", name,
                                                "next + s.first + at", NULL)),
                       0);
    }
    return lines;
}

/* The longest pass computes and hardly reads: time for the next row to come from memory. Measured, softmax
 * out of cache on two threads (Zen 4, clang 14): 1.2 times as fast; in cache 1 to 2 % faster. */
static void add_keep_blocks(Speller *speller, json_t *lines, const char *call, const json_t *reads)
{
    Arena *arena = speller->arena;
    json_t *prefetches = next_row_lines(speller, reads);
    if (json_array_size(prefetches) > 0) {
        spell_line(lines,
                   arena_printf(arena,
                                "const size_t next = row->count <= %d ? row->count : 0; /* a row that stays "
                                "in cache meanwhile */",
                                PAGE_STREAMED_ROW),
                   0);
        spell_line(lines,
                   arena_printf(arena, "for (; s.count - at >= %d; at += %d) {", KEEP_BLOCK, KEEP_BLOCK), 0);
        json_array_extend(lines, prefetches);
        for (int at = 0; at < KEEP_BLOCK; at += 8)
            spell_line(lines,
                       arena_printf(arena, "    %ss.first + at%s);", call,
                                    at ? arena_printf(arena, " + %d", at) : ""),
                       0);
        spell_line(lines, "}", 0);
    }
    json_decref(prefetches);
}

static json_t *keep_lines(Speller *speller, const PlanReduction *reduction, const json_t *reads)
{
    Arena *arena = speller->arena;
    json_t *lines = json_array();
    const char *name = page_reduction_name(speller, reduction),
               *arguments = page_read_arguments(arena, reads);
    spell_line(lines, "size_t at = 0;", 0);
    add_keep_blocks(speller, lines, arena_printf(arena, "%s_keep8(%s", name, arguments), reads);
    spell_line(lines, "for (; s.count - at >= 8; at += 8)", 0);
    spell_line(lines, arena_printf(arena, "    %s_keep8(%ss.first + at);", name, arguments), 0);
    spell_line(lines, "if (at < s.count)", 0);
    spell_line(lines,
               arena_printf(arena, "    %s_keep8_live(%ss.first + at, %s);", name, arguments,
                            live_mask(speller, "s.count - at")),
               0);
    return lines;
}

static void add_reads(json_t *all, json_t *more)
{
    size_t i, j;
    json_t *read, *known;
    json_array_foreach(more, i, read)
    {
        bool there = false;
        json_array_foreach(all, j, known) there |=
            json_equal(json_object_get(known, "name"), json_object_get(read, "name"));
        if (!there)
            json_array_append(all, read);
    }
}

static bool has_partial_group(const PlanNode *node)
{
    return group_at(node, node->vectors - 1).partial;
}

static const char *step_call(Speller *speller, const PlanReduction *reduction, const json_t *reads,
                             Group group, const char *live)
{
    Arena *arena = speller->arena;
    return arena_printf(arena, "acc%d = %s(%s%s, %s%sacc%d);", group.index,
                        step_name(speller, reduction, live != NULL), page_read_arguments(arena, reads),
                        index_text(speller, group), live ? live : "", live ? ", " : "", group.index);
}

static const char *full_round(Speller *speller, const PlanReduction *reduction, const json_t *reads,
                              Group group)
{
    const char *live =
        group.partial ? live_mask(speller, arena_printf(speller->arena, "%d", group.lanes)) : NULL;
    return step_call(speller, reduction, reads, group, live);
}

/* Lanes of this vector that still have a leaf; none where the tail ends before it. */
static const char *tail_round(Speller *speller, const PlanReduction *reduction, const json_t *reads,
                              Group group)
{
    const char *left = "left";
    if (group.first)
        left = arena_printf(speller->arena, "left < %d ? 0 : left - %d", group.first, group.first);
    return step_call(speller, reduction, reads, group, live_mask(speller, left));
}

static const char *looped_round(Speller *speller, const PlanReduction *reduction)
{
    return arena_printf(speller->arena, "    lane[l] = %s_step(row, lane[l], s.first + i + l);",
                        page_reduction_name(speller, reduction));
}

static json_t *group_record(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                            const json_t *reads, int index)
{
    bool looped = speller->plan->target->width == 1;
    Group group = group_at(node, index);
    Arena *arena = speller->arena;
    json_t *record = json_object();
    set(record, "declare", declaration(speller, reduction->reduce, looped, group));
    if (looped) {
        const char *round = looped_round(speller, reduction);
        set(record, "full", arena_printf(arena, "for (size_t l = 0; l < %d; l++)\n%s", group.lanes, round));
        set(record, "tail", arena_printf(arena, "for (size_t l = 0; l < left; l++)\n%s", round));
    } else {
        set(record, "full", full_round(speller, reduction, reads, group));
        set(record, "tail", tail_round(speller, reduction, reads, group));
    }
    return record;
}

static void join_vectors(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                         json_t *lines)
{
    Arena *arena = speller->arena;
    for (int half = node->vectors / 2; half >= 1; half /= 2)
        for (int g = 0; g < half; g++) {
            const char *a = arena_printf(arena, "acc%d", g), *b = arena_printf(arena, "acc%d", g + half);
            const char *joined = spell_join(speller, reduction->reduce, true, a, b);
            spell_line(
                lines,
                arena_printf(arena, "%s = %s; /* lane i and lane i + %d */", a, joined, half * node->width),
                0);
        }
}

static const char *word_for(Speller *speller, const PlanReduction *reduction, const char *name)
{
    return spell_is_wide(speller, reduction->reduce) ? arena_printf(speller->arena, "%s_f64", name) : name;
}

static const char *spelled(Speller *speller, const char *word, const char *a, const char *b)
{
    return words_spell(speller->arena, speller->vector, word, a, b, NULL);
}

/* The last rounds of halving, within one register. */
static void join_within_vector(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                               json_t *lines)
{
    Arena *arena = speller->arena;
    for (int half = node->width / 2; half >= node->left; half /= 2) {
        const char *word = word_for(speller, reduction, arena_printf(arena, "lanes_%d_up", half));
        const char *joined =
            spell_join(speller, reduction->reduce, true, "acc0", spelled(speller, word, "acc0", NULL));
        spell_line(lines, arena_printf(arena, "acc0 = %s; /* lane i and lane i + %d */", joined, half), 0);
    }
}

/* Accumulators go to an array, where the fold reads them. */
static void store_accumulators(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                               json_t *lines)
{
    Arena *arena = speller->arena;
    const char *type = spell_state_type(speller, reduction->reduce, false);
    spell_line(lines, arena_printf(arena, "%s lane[%d];", type, node->vectors * node->width), 0);
    for (int g = 0; g < node->vectors; g++) {
        const char *to = g ? arena_printf(arena, "lane + %d", g * node->width) : "lane";
        spell_line(lines,
                   spelled(speller, word_for(speller, reduction, "put"), to, arena_printf(arena, "acc%d", g)),
                   0);
    }
}

static bool folds_in_registers(const PlanNode *node)
{
    return node->left < (int)node->term->size;
}

static json_t *fold_lines(Speller *speller, const PlanReduction *reduction, const PlanNode *node)
{
    json_t *lines = json_array();
    if (folds_in_registers(node)) {
        join_vectors(speller, reduction, node, lines);
        join_within_vector(speller, reduction, node, lines);
    } else if (speller->plan->target->width > 1) {
        store_accumulators(speller, reduction, node, lines);
    }
    return lines;
}

static const char *result(Speller *speller, const PlanReduction *reduction, const PlanNode *node)
{
    if (folds_in_registers(node))
        return spelled(speller, word_for(speller, reduction, "lane_0"), "acc0", NULL);
    return page_fold_lanes(speller, reduction, node);
}

static json_t *step_functions(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                              const json_t *reads)
{
    json_t *functions = json_array();
    if (speller->plan->target->width == 1)
        return functions;
    if (node->vectors > 1 || !has_partial_group(node))
        json_array_append_new(functions, step_function(speller, reduction, reads, false));
    json_array_append_new(functions, step_function(speller, reduction, reads, true));
    return functions;
}

json_t *page_vector(Speller *speller, const PlanReduction *reduction, const PlanNode *node)
{
    json_t *record = json_object(), *groups = json_array();
    const Expr *leaf = reduction->reduce->arg[0];
    json_t *reads = page_reads(speller, pass_of(reduction, false), &leaf, 1), *all = json_array();
    json_t *functions = step_functions(speller, reduction, node, reads);
    bool looped = speller->plan->target->width == 1;
    bool keeps = reduction->kept && !looped;
    if (keeps) {
        json_t *keep_reads = page_reads(speller, keep_pass(reduction, false), &reduction->kept, 1);
        json_array_append_new(functions, keep_function(speller, reduction, keep_reads, false));
        json_array_append_new(functions, keep_function(speller, reduction, keep_reads, true));
        json_object_set_new(record, "keep", keep_lines(speller, reduction, keep_reads));
        add_reads(all, keep_reads);
        json_decref(keep_reads);
    }
    add_reads(all, reads);
    set(record, "page", "cpu/vector.c");
    json_object_set_new(record, "keeps", json_boolean(keeps));
    json_object_set_new(record, "lanes", json_integer((json_int_t)node->term->size));
    json_object_set_new(record, "functions", functions);
    json_object_set_new(record, "locals", looped ? json_array() : page_locals(speller->arena, all));
    json_decref(all);
    for (int g = 0; g < node->vectors; g++)
        json_array_append_new(groups, group_record(speller, reduction, node, reads, g));
    json_object_set_new(record, "groups", groups);
    json_object_set_new(record, "fold", fold_lines(speller, reduction, node));
    set(record, "call", result(speller, reduction, node));
    json_decref(reads);
    return record;
}
