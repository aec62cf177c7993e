/* replay.c: runs a plan on leaf names and compares with the term's own walk.
 *
 * Every value is a node of a hash-consed forest: start, step(acc, leaf), join(p, q). Two orders are the same
 * when both end in the same node. The interpreter below does what the pages spell, node kind by node kind;
 * term_walk does what docs/contract.md says. They share the forest, nothing else. */
#include "plan/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the forest ---- */

typedef struct Tree {
    int kind; /* 0 start, 1 step, 2 join */
    uint64_t a, b;
} Tree;

typedef struct Forest {
    Tree *tree;
    int *slot; /* open addressing; -1 free */
    int count, capacity, slots;
} Forest;

static uint64_t tree_hash(Tree tree)
{
    uint64_t hash = (uint64_t)tree.kind * 0x9e3779b97f4a7c15u;
    hash = (hash ^ tree.a) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 29) ^ tree.b) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

static void forest_rehash(Forest *forest)
{
    forest->slots = forest->slots ? forest->slots * 2 : 4096;
    forest->slot = realloc(forest->slot, (size_t)forest->slots * sizeof *forest->slot);
    if (!forest->slot)
        arena_out_of_memory();
    for (int i = 0; i < forest->slots; i++)
        forest->slot[i] = -1;
    for (int t = 0; t < forest->count; t++) {
        uint64_t at = tree_hash(forest->tree[t]) % (uint64_t)forest->slots;
        while (forest->slot[at] >= 0)
            at = (at + 1) % (uint64_t)forest->slots;
        forest->slot[at] = t;
    }
}

static void forest_grow(Forest *forest)
{
    if (forest->count == forest->capacity) {
        forest->capacity = forest->capacity ? forest->capacity * 2 : 2048;
        forest->tree = realloc(forest->tree, (size_t)forest->capacity * sizeof *forest->tree);
        if (!forest->tree)
            arena_out_of_memory();
    }
    if (forest->count * 2 >= forest->slots)
        forest_rehash(forest);
}

static int forest_node(Forest *forest, int kind, uint64_t a, uint64_t b)
{
    forest_grow(forest);
    Tree tree = {kind, a, b};
    uint64_t at = tree_hash(tree) % (uint64_t)forest->slots;
    while (forest->slot[at] >= 0) {
        Tree *known = &forest->tree[forest->slot[at]];
        if (known->kind == kind && known->a == a && known->b == b)
            return forest->slot[at];
        at = (at + 1) % (uint64_t)forest->slots;
    }
    forest->tree[forest->count] = tree;
    forest->slot[at] = forest->count;
    return forest->count++;
}

static int forest_start(void *forest)
{
    return forest_node(forest, 0, 0, 0);
}

static int forest_step(void *forest, int accumulator, uint64_t leaf)
{
    return forest_node(forest, 1, (uint64_t)accumulator, leaf);
}

/* Two starts join to a start: (+0) + (+0) is +0 and an infinity's maximum with itself is itself. */
static int forest_join(void *forest, int left, int right)
{
    if (left == right && ((Forest *)forest)->tree[left].kind == 0)
        return left;
    return forest_node(forest, 2, (uint64_t)left, (uint64_t)right);
}

/* ---- the interpreter ---- */

enum { SPANS = TERM_DEPTH_LIMIT + 2, AUTO_PARTS = 4 };

typedef struct Span {
    uint64_t first, count, stride, part;
} Span;

typedef struct Replay {
    Forest *forest;
    const int *accumulator; /* the array below a VECTOR, else NULL */
    Span span[SPANS];       /* span[depth] is the one a node at that depth reduces */
} Replay;

static int replay_node(Replay replay, const PlanNode *node);

static uint64_t part_size(const PlanNode *cut, Span span)
{
    const uint64_t size = cut->term->size;
    if (cut->term->kind == TERM_CHUNK) {
        assert(size > 0); /* terms are checked when they are made; only split(auto) has no size */
        return size;
    }
    const uint64_t parts = size ? size : AUTO_PARTS;
    return (span.count + parts - 1) / parts;
}

static Span part_at(const PlanNode *cut, Span span, uint64_t part)
{
    if (cut->term->kind == TERM_LANES) {
        uint64_t lanes = cut->term->size;
        return (Span){span.first + part * span.stride, (span.count + lanes - 1 - part) / lanes,
                      span.stride * lanes, 0};
    }
    uint64_t begin = part * span.part, left = span.count - begin;
    return (Span){span.first + begin * span.stride, left < span.part ? left : span.part, span.stride, 0};
}

/* Item k of a node that takes items one at a time; a leaf is stepped into a start of its own. */
static int replay_item(const Replay *replay, const PlanNode *node, uint64_t k)
{
    if (node->items == ITEMS_LEAVES)
        return forest_step(replay->forest, forest_start(replay->forest), k);
    if (node->items == ITEMS_ACCUMULATORS)
        return replay->accumulator[k];
    Replay part = *replay;
    int depth = node->cut->depth;
    part.span[depth] = part_at(node->cut, replay->span[depth], k);
    return replay_node(part, node->cut->inner);
}

static int replay_seq(const Replay *replay, const PlanNode *node, Span span)
{
    bool leaves = node->items == ITEMS_LEAVES;
    int acc = leaves ? forest_start(replay->forest) : replay_item(replay, node, span.first);
    for (uint64_t i = leaves ? 0 : 1; i < span.count; i++) {
        uint64_t k = span.first + i * span.stride;
        acc = leaves ? forest_step(replay->forest, acc, k)
                     : forest_join(replay->forest, acc, replay_item(replay, node, k));
    }
    return acc;
}

/* A stack with one partial per set bit of the number of items taken. */
static int replay_pairwise(const Replay *replay, const PlanNode *node, Span span)
{
    int stack[64], depth = 0;
    for (uint64_t i = 0; i < span.count; i++) {
        int p = replay_item(replay, node, span.first + i * span.stride);
        for (uint64_t carry = i; carry & 1; carry >>= 1)
            p = forest_join(replay->forest, stack[--depth], p);
        stack[depth++] = p;
    }
    int p = stack[--depth];
    while (depth)
        p = forest_join(replay->forest, stack[--depth], p);
    return p;
}

/* The last round of halving joins all items of even place with all of odd place, and so does each part again:
 * node (i, level) stands for items i, i + 2^level, ... and the stack holds the left parts on the way to it.
 */
static int replay_halving(const Replay *replay, const PlanNode *node, Span span)
{
    int stack[64], depth = 0, level = 0;
    for (uint64_t i = 0;;) {
        while (span.count - i > (uint64_t)1 << level)
            level++;
        int p = replay_item(replay, node, span.first + i * span.stride);
        for (; level > 0 && i >> (level - 1) & 1; p = forest_join(replay->forest, stack[--depth], p))
            i -= (uint64_t)1 << --level;
        if (level == 0)
            return p;
        stack[depth++] = p;
        i += (uint64_t)1 << (level - 1);
    }
}

static int replay_fold(const Replay *replay, const PlanNode *node)
{
    Span span = replay->span[node->depth];
    if (span.count == 0)
        return forest_start(replay->forest);
    if (node->term->kind == TERM_PAIRWISE)
        return replay_pairwise(replay, node, span);
    if (node->term->kind == TERM_HALVING)
        return replay_halving(replay, node, span);
    assert(node->term->kind == TERM_SEQ || node->term->kind == TERM_COMPLETION);
    return replay_seq(replay, node, span);
}

static int replay_cut(Replay replay, const PlanNode *node)
{
    Span *span = &replay.span[node->depth];
    uint64_t parts = node->term->size;
    if (node->term->kind != TERM_LANES) {
        span->part = part_size(node, *span);
        parts = span->count ? (span->count + span->part - 1) / span->part : 0;
    }
    replay.span[node->depth + 1] = (Span){0, parts, 1, 0};
    return replay_node(replay, node->outer);
}

/* Lane `lane` of vector `g` is accumulator g * width + lane; lanes beyond the term's own are never stepped.
 */
static void step_vectors(const Replay *replay, const PlanNode *node, Span span, int *acc)
{
    int lanes = (int)node->term->size;
    for (uint64_t i = 0; i < span.count; i += (uint64_t)lanes)
        for (int g = 0; g < node->vectors; g++)
            for (int lane = g * node->width; lane < (g + 1) * node->width && lane < lanes; lane++)
                if ((uint64_t)lane < span.count - i)
                    acc[lane] = forest_step(replay->forest, acc[lane], span.first + i + (uint64_t)lane);
}

static void join_upper(Forest *forest, int *acc, int half)
{
    for (int lane = 0; lane < half; lane++)
        acc[lane] = forest_join(forest, acc[lane], acc[lane + half]);
}

/* Halving in registers: whole vectors first, then within one. */
static void join_vectors(Forest *forest, const PlanNode *node, int *acc)
{
    int lanes = (int)node->term->size, within = lanes < node->width ? lanes : node->width;
    for (int half = node->vectors / 2; half >= 1; half /= 2)
        join_upper(forest, acc, half * node->width);
    for (int half = within / 2; half >= node->left && half >= 1; half /= 2)
        join_upper(forest, acc, half);
}

/* Full rounds step every lane; the tail steps only the lanes that have a leaf. */
static int replay_vector(Replay replay, const PlanNode *node)
{
    Span span = replay.span[node->depth];
    int room = node->vectors * node->width;
    room = room > (int)node->term->size ? room : (int)node->term->size;
    int *acc = malloc((size_t)room * sizeof *acc);
    if (!acc)
        arena_out_of_memory();
    for (int lane = 0; lane < room; lane++)
        acc[lane] = forest_start(replay.forest);
    step_vectors(&replay, node, span, acc);
    int result;
    if (node->left < (int)node->term->size) {
        join_vectors(replay.forest, node, acc);
        result = acc[0];
    } else {
        replay.accumulator = acc;
        replay.span[0] = (Span){0, (uint64_t)node->left, 1, 0};
        result = replay_node(replay, node->outer);
    }
    free(acc);
    return result;
}

static int replay_node(Replay replay, const PlanNode *node)
{
    if (node->kind == PLAN_CUT)
        return replay_cut(replay, node);
    return node->kind == PLAN_FOLD ? replay_fold(&replay, node) : replay_vector(replay, node);
}

/* ---- numbers of leaves that reach both sides of every boundary of a term ---- */

enum { COUNTS = 256, MOST_LEAVES = 20000 };

typedef struct Counts {
    uint64_t count[COUNTS];
    int counts;
} Counts;

static void add_count(Counts *counts, uint64_t leaves)
{
    if (leaves > MOST_LEAVES || counts->counts == COUNTS)
        return;
    int at = counts->counts;
    while (at > 0 && counts->count[at - 1] > leaves)
        at--;
    if (at > 0 && counts->count[at - 1] == leaves)
        return;
    memmove(&counts->count[at + 1], &counts->count[at],
            (size_t)(counts->counts - at) * sizeof *counts->count);
    counts->count[at] = leaves;
    counts->counts++;
}

static void add_around(Counts *counts, uint64_t leaves)
{
    if (leaves > 0)
        add_count(counts, leaves - 1);
    add_count(counts, leaves);
    add_count(counts, leaves + 1);
}

static void collect_counts(const Term *term, Counts *counts);

/* Parts of `size` items: one part as large as `inner` wants it, alone and behind a whole one; as many parts
 * as `outer` wants. */
static void collect_chunk(const Term *term, const Counts *inner, const Counts *outer, Counts *counts)
{
    for (int i = 0; i < inner->counts && inner->count[i] <= term->size; i++) {
        add_count(counts, inner->count[i]);
        add_count(counts, term->size + inner->count[i]);
    }
    for (int i = 0; i < outer->counts; i++)
        add_around(counts, term->size * outer->count[i]);
}

/* `parts` parts, each as large as `inner` wants it; fewer where there are not enough items. */
static void collect_parts(uint64_t parts, const Counts *inner, const Counts *outer, Counts *counts)
{
    for (int i = 0; i < inner->counts; i++)
        add_around(counts, parts * inner->count[i]);
    for (int i = 0; i < outer->counts && outer->count[i] <= parts; i++)
        add_count(counts, outer->count[i]);
}

static void collect_counts(const Term *term, Counts *counts)
{
    static const uint64_t few[] = {0, 1, 2, 3, 4, 5, 7, 9, 12};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        add_count(counts, few[i]);
    if (!term_rows[term->kind].has_parts)
        return;
    Counts inner = {{0}, 0}, outer = {{0}, 0};
    collect_counts(term->inner, &inner);
    collect_counts(term->outer, &outer);
    if (term->kind == TERM_CHUNK)
        collect_chunk(term, &inner, &outer, counts);
    else
        collect_parts(term->size ? term->size : AUTO_PARTS, &inner, &outer, counts);
}

/* ---- the comparison ---- */

static const char *replay_count(Arena *arena, const PlanReduction *reduction, uint64_t leaves)
{
    Forest forest = {0};
    TermWalk walk = {&forest, forest_start, forest_step, forest_join};
    Replay replay = {&forest, NULL, {{0, leaves, 1, 0}}};
    int expected = term_walk(reduction->tree, leaves, AUTO_PARTS, &walk);
    int got = replay_node(replay, reduction->root);
    free(forest.tree);
    free(forest.slot);
    if (expected == got)
        return NULL;
    return arena_printf(arena, "the plan of %s joins %llu leaves in another order than the term says",
                        term_short_text(arena, reduction->tree), (unsigned long long)leaves);
}

/* The smallest step through the counts that stays within the budget. */
static int choose_step(const Counts *counts, uint64_t budget)
{
    for (int step = 1; step < counts->counts; step++) {
        uint64_t leaves = 0;
        for (int i = counts->counts - 1; i >= 0; i -= step)
            leaves += counts->count[i];
        if (leaves <= budget)
            return step;
    }
    return counts->counts;
}

/* A VECTOR has as many of the target's vectors as hold its lanes, none of them empty. */
static bool has_fitting_vectors(const PlanNode *node, const Target *target)
{
    int lanes = (int)node->term->size, width = target->width > 1 ? target->width : lanes;
    return node->kind != PLAN_VECTOR ||
           (node->width == width && node->vectors == (lanes + width - 1) / width);
}

static const char *replay_reduction(Arena *arena, const Plan *plan, const PlanReduction *reduction,
                                    uint64_t budget)
{
    for (int n = 0; n < reduction->nodes; n++)
        if (!has_fitting_vectors(reduction->node[n], plan->target))
            return arena_printf(arena, "the plan of %s has vectors that do not fit its lanes",
                                term_short_text(arena, reduction->tree));
    Counts counts = {{0}, 0};
    collect_counts(reduction->tree, &counts);
    while (counts.counts > 1 && counts.count[counts.counts - 1] > budget / 2)
        counts.counts--;
    int step = choose_step(&counts, budget);
    for (int i = counts.counts - 1; i >= 0; i -= step) {
        const char *why = replay_count(arena, reduction, counts.count[i]);
        if (why)
            return why;
    }
    return NULL;
}

const char *plan_replay(Arena *arena, const Plan *plan, uint64_t budget)
{
    const char *why = NULL;
    for (int r = 0; r < plan->reductions && !why; r++)
        why = replay_reduction(arena, plan, &plan->reduction[r], budget);
    return why;
}
