/* page_warp.c: lanes(L, seq, fold) over consecutive leaves on a GPU: thread l of a warp holds lanes l, l +
 * 32, ...
 *
 * All 32 threads of a warp run every node of a reduction together and end with the same value; only leaves
 * are shared out. A thread without a leaf in a round does not step. */
#include "emit/page_data.h"

enum { WARP = 32 };

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static const char *word_for(Speller *speller, const PlanReduction *reduction, const char *name)
{
    return spell_is_wide(speller, reduction->reduce) ? arena_printf(speller->arena, "%s_f64", name) : name;
}

static const char *shuffled(Speller *speller, const PlanReduction *reduction, const char *word,
                            const char *value, int lane)
{
    return words_spell(speller->arena, speller->scalar, word_for(speller, reduction, word), value,
                       arena_printf(speller->arena, "%d", lane), NULL);
}

static const char *join(Speller *speller, const PlanReduction *reduction, const char *a, const char *b)
{
    return spell_join(speller, reduction->reduce, false, a, b);
}

static const char *accumulator(Speller *speller, int group)
{
    return arena_printf(speller->arena, "acc%d", group);
}

/* "acc1 = sum1_step(row, acc1, s.first + i + row->lane + 32);", for the threads that have such a leaf. */
static const char *step_line(Speller *speller, const PlanReduction *reduction, int group, const char *guard)
{
    Arena *arena = speller->arena;
    const char *acc = accumulator(speller, group);
    const char *offset = group ? arena_printf(arena, " + %d", group * WARP) : "";
    return arena_printf(arena, "%s%s = %s_step(row, %s, s.first + i + row->lane%s);", guard, acc,
                        page_reduction_name(speller, reduction), acc, offset);
}

static json_t *group_record(Speller *speller, const PlanReduction *reduction, const PlanNode *node, int group)
{
    Arena *arena = speller->arena;
    int lanes = (int)node->term->size, first = group * WARP;
    bool partial = lanes - first < WARP;
    const char *full = partial ? arena_printf(arena, "if (row->lane < %d)\n    ", lanes - first) : "";
    const char *tail = first ? arena_printf(arena, "if (row->lane + %d < left)\n    ", first)
                             : "if (row->lane < left)\n    ";
    json_t *record = json_object();
    set(record, "declare",
        arena_printf(arena, "%s acc%d = %s;", spell_state_type(speller, reduction->reduce, false), group,
                     spell_start(speller, reduction->reduce, false)));
    set(record, "full", step_line(speller, reduction, group, full));
    set(record, "tail", step_line(speller, reduction, group, tail));
    return record;
}

/* Halving: whole warps' worth of lanes first, then across the warp; both threads of a pair get the sum. */
static void halve_in_registers(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                               json_t *lines)
{
    Arena *arena = speller->arena;
    int lanes = (int)node->term->size;
    for (int half = node->vectors / 2; half >= 1; half /= 2)
        for (int g = 0; g < half; g++) {
            const char *a = accumulator(speller, g), *b = accumulator(speller, g + half);
            spell_line(lines,
                       arena_printf(arena, "%s = %s; /* lane i and lane i + %d */", a,
                                    join(speller, reduction, a, b), half * WARP),
                       0);
        }
    for (int half = (lanes < WARP ? lanes : WARP) / 2; half >= 1; half /= 2) {
        const char *other = shuffled(speller, reduction, "shuffle_xor", "acc0", half);
        spell_line(lines,
                   arena_printf(arena, "acc0 = %s; /* lane i and lane i + %d */",
                                join(speller, reduction, "acc0", other), half),
                   0);
    }
    if (lanes < WARP && lanes > 1) /* threads beyond the lanes hold starts of their own */
        spell_line(lines,
                   arena_printf(arena, "acc0 = %s;", shuffled(speller, reduction, "shuffle", "acc0", 0)), 0);
}

/* Every thread gets all lanes and folds them by itself. */
static void gather_lanes(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                         json_t *lines)
{
    Arena *arena = speller->arena;
    int lanes = (int)node->term->size;
    spell_line(
        lines,
        arena_printf(arena, "%s lane[%d];", spell_state_type(speller, reduction->reduce, false), lanes), 0);
    for (int g = 0; g < node->vectors; g++) {
        int own = lanes - g * WARP < WARP ? lanes - g * WARP : WARP;
        const char *value = words_spell(arena, speller->scalar, word_for(speller, reduction, "shuffle"),
                                        accumulator(speller, g), "l", NULL);
        spell_line(lines, arena_printf(arena, "for (int l = 0; l < %d; l++)", own), 0);
        spell_line(lines, arena_printf(arena, "    lane[%d + l] = %s;", g * WARP, value), 0);
    }
}

json_t *page_warp(Speller *speller, const PlanReduction *reduction, const PlanNode *node)
{
    json_t *record = json_object(), *groups = json_array(), *fold = json_array();
    bool in_registers = node->left < (int)node->term->size;
    set(record, "page", "gpu/vector.c");
    json_object_set_new(record, "lanes", json_integer((json_int_t)node->term->size));
    for (int g = 0; g < node->vectors; g++)
        json_array_append_new(groups, group_record(speller, reduction, node, g));
    (in_registers ? halve_in_registers : gather_lanes)(speller, reduction, node, fold);
    json_object_set_new(record, "groups", groups);
    json_object_set_new(record, "fold", fold);
    const char *alone = node->term->size == 1 ? shuffled(speller, reduction, "shuffle", "acc0", 0) : "acc0";
    set(record, "call", in_registers ? alone : page_fold_lanes(speller, reduction, node));
    return record;
}
