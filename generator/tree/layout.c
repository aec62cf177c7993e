/* layout.c: chooses the lines of a drawing.
 *
 * Counts accumulators in closed form, so that what is not drawn need not be listed. draw.c checks the counts
 * and the leaves of every drawn line against term_walk, so that a drawing cannot disagree with the
 * definition. */
#include "tree/layout.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define COUNT_LIMIT ((uint64_t)1 << 40)

enum { ALL_SHOWN = 7, FIRST_PART_BUDGET = 6 };

/* Leaves first, first + stride, ... */
typedef struct View {
    uint64_t first, stride, count;
} View;

typedef struct Placing {
    Arena *arena;
    Layout *layout;
    uint64_t auto_parts;
    const char *label[TERM_DEPTH_LIMIT];
} Placing;

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t limited(uint64_t count)
{
    return count < COUNT_LIMIT ? count : COUNT_LIMIT;
}

static uint64_t limited_product(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? COUNT_LIMIT : limited(product);
}

/* How a dividing term divides n > 0 items: `parts` of `size` items, or lanes. */
typedef struct Division {
    uint64_t parts, size;
    bool interleaved;
} Division;

static Division division_of(const Term *term, uint64_t count, uint64_t auto_parts)
{
    if (term->kind == TERM_LANES) {
        return (Division){.parts = term->size, .interleaved = true};
    }
    const uint64_t pieces = term->size ? term->size : auto_parts;
    const uint64_t size = term->kind == TERM_SPLIT ? ceil_div(count, pieces) : term->size;
    assert(size > 0); /* only split(auto) has size 0, and count > 0 */
    return (Division){.parts = ceil_div(count, size), .size = size};
}

static View part_view(Division division, View whole, uint64_t k)
{
    if (division.interleaved) {
        const uint64_t count = k < whole.count ? ceil_div(whole.count - k, division.parts) : 0;
        return (View){whole.first + k * whole.stride, whole.stride * division.parts, count};
    }
    const uint64_t from = k * division.size, rest = whole.count - from;
    return (View){whole.first + from * whole.stride, whole.stride,
                  rest < division.size ? rest : division.size};
}

/* Parts from k on that have as many items as part k: lanes come in two lengths, and so do chunks. */
static uint64_t parts_alike(Division division, uint64_t count, uint64_t k)
{
    const uint64_t last_of_kind = division.interleaved ? count % division.parts : count / division.size;
    return k < last_of_kind ? last_of_kind - k : division.parts - k;
}

typedef uint64_t Count(const Term *term, uint64_t items, uint64_t auto_parts);

/* The sum of `count_part` over the parts [from, to) of `count` items. */
static uint64_t count_parts(Count *count_part, const Term *inner, Division division, uint64_t count,
                            uint64_t from, uint64_t to, uint64_t auto_parts)
{
    uint64_t sum = 0;
    for (uint64_t k = from; k < to;) {
        const uint64_t alike = parts_alike(division, count, k);
        const uint64_t parts = alike < to - k ? alike : to - k;
        const View part = part_view(division, (View){0, 1, count}, k);
        sum = limited(sum + limited_product(parts, count_part(inner, part.count, auto_parts)));
        k += parts;
    }
    return sum;
}

/* Starts that reducing `count` partial results adds: those of empty lanes. */
static uint64_t starts_over_results(const Term *term, uint64_t count, uint64_t auto_parts)
{
    if (count == 0 || !term->inner) {
        return count == 0;
    }
    const Division division = division_of(term, count, auto_parts);
    return limited(
        count_parts(starts_over_results, term->inner, division, count, 0, division.parts, auto_parts) +
        starts_over_results(term->outer, division.parts, auto_parts));
}

uint64_t layout_count(const Term *term, uint64_t leaves, uint64_t auto_parts)
{
    if (leaves == 0) {
        return 1;
    }
    if (!term->inner) {
        return term->kind == TERM_SEQ || term->kind == TERM_COMPLETION ? 1 : limited(leaves);
    }
    const Division division = division_of(term, leaves, auto_parts);
    return limited(count_parts(layout_count, term->inner, division, leaves, 0, division.parts, auto_parts) +
                   starts_over_results(term->outer, division.parts, auto_parts));
}

/* The next item after k that is drawn when there is no room for all: those that show best whom `outer` joins
 * with whom. `count` when there is none. */
static uint64_t next_shown(TermKind outer, uint64_t count, uint64_t k)
{
    uint64_t h = 1; /* halving: the first partner of item 0 */
    while (2 * h < count) {
        h *= 2;
    }
    const uint64_t in_sequence[] = {1, 2, 2, 2, count - 1}, pairs[] = {1, 2, 3, count - 2, count - 1},
                   halves[] = {1, h, h + 1, count - 1, count - 1};
    const uint64_t *shown = outer == TERM_PAIRWISE ? pairs : outer == TERM_HALVING ? halves : in_sequence;
    for (int i = 0; count > ALL_SHOWN && i < 5; i++) {
        if (shown[i] > k) {
            return shown[i] == k + 2 ? k + 1 : shown[i]; /* a gap would take as much room as the item */
        }
    }
    return count > ALL_SHOWN ? count : k + 1;
}

static Line *add_line(Placing *placing, LineKind kind, uint64_t accumulators)
{
    Layout *layout = placing->layout;
    if (layout->count == layout->capacity) {
        layout->capacity = layout->capacity ? 2 * layout->capacity : 32;
        Line *line = ARENA_ARRAY(placing->arena, Line, (size_t)layout->capacity);
        if (layout->count > 0) {
            memcpy(line, layout->line, (size_t)layout->count * sizeof *line);
        }
        layout->line = line;
    }
    Line *line = &layout->line[layout->count++];
    *line = (Line){.kind = kind, .first_accumulator = layout->accumulators, .accumulators = accumulators};
    memcpy(line->label, placing->label, sizeof line->label);
    layout->accumulators += accumulators;
    return line;
}

static void add_leaves(Placing *placing, View view)
{
    Line *line = add_line(placing, LINE_LEAVES, 1);
    line->leaf = view.first;
    line->stride = view.stride;
    line->leaves = view.count;
}

static void add_part(Placing *placing, const Term *inner, View view)
{
    Line *line = add_line(placing, LINE_PART, layout_count(inner, view.count, placing->auto_parts));
    line->leaf = view.first;
    line->stride = view.stride;
    line->leaves = view.count;
    line->by = inner;
}

static const char *gap_text(Arena *arena, const char *what, uint64_t from, uint64_t to)
{
    return to - from == 1 ? arena_printf(arena, "%s %" PRIu64, what, from)
                          : arena_printf(arena, "%ss %" PRIu64 " to %" PRIu64, what, from, to - 1);
}

/* pairwise and halving: a line per leaf. */
static void place_each_leaf(Placing *placing, TermKind kind, View view, bool all)
{
    for (uint64_t k = 0; k < view.count;) {
        add_leaves(placing, (View){view.first + k * view.stride, view.stride, 1});
        const uint64_t next = all ? k + 1 : next_shown(kind, view.count, k);
        if (next > k + 1) {
            add_line(placing, LINE_GAP, next - k - 1)->gap =
                arena_printf(placing->arena, "%" PRIu64 " more", next - k - 1);
        }
        k = next;
    }
}

static void place_empty_starts(Placing *placing, uint64_t starts, bool all)
{
    if (!all && starts > 2) {
        add_line(placing, LINE_GAP, starts)->gap =
            arena_printf(placing->arena, "%" PRIu64 " empty lanes, each its start", starts);
        return;
    }
    for (uint64_t i = 0; i < starts; i++) {
        add_leaves(placing, (View){0, 1, 0});
    }
}

static void place(Placing *placing, const Term *term, View view, uint64_t budget, int depth);

static const char *part_name(const Term *term)
{
    return term->kind == TERM_LANES ? "lane" : term->kind == TERM_SPLIT ? "part" : "chunk";
}

/* The parts of a division; the first one in detail, others too when all accumulators fit. */
static void place_parts(Placing *placing, const Term *term, View view, Division division, uint64_t budget,
                        bool all, int depth)
{
    const TermKind outer = term->outer->kind;
    for (uint64_t k = 0; k < division.parts;) {
        const View part = part_view(division, view, k);
        placing->label[depth] = arena_printf(placing->arena, "%s %" PRIu64, part_name(term), k);
        if (all || k == 0 || layout_count(term->inner, part.count, placing->auto_parts) == 1) {
            place(placing, term->inner, part, budget, depth + 1);
        } else {
            add_part(placing, term->inner, part);
        }
        const uint64_t next = all ? k + 1 : next_shown(outer, division.parts, k);
        placing->label[depth] = NULL;
        if (next > k + 1) {
            const uint64_t hidden = count_parts(layout_count, term->inner, division, view.count, k + 1, next,
                                                placing->auto_parts);
            add_line(placing, LINE_GAP, hidden)->gap = gap_text(placing->arena, part_name(term), k + 1, next);
        }
        k = next;
    }
    place_empty_starts(placing, starts_over_results(term->outer, division.parts, placing->auto_parts), all);
}

static void place(Placing *placing, const Term *term, View view, uint64_t budget, int depth)
{
    const bool all = layout_count(term, view.count, placing->auto_parts) <= budget;
    if (view.count == 0 || term->kind == TERM_SEQ) {
        add_leaves(placing, view);
    } else if (!term->inner) {
        place_each_leaf(placing, term->kind, view, all);
    } else {
        const Division division = division_of(term, view.count, placing->auto_parts);
        const uint64_t others = division.parts < ALL_SHOWN ? division.parts - 1 : ALL_SHOWN - 1;
        const uint64_t rest = budget > others + FIRST_PART_BUDGET ? budget - others : FIRST_PART_BUDGET;
        place_parts(placing, term, view, division, all ? budget : rest, all, depth);
    }
}

Layout layout_create(Arena *arena, const Term *term, uint64_t leaves, uint64_t auto_parts, uint64_t budget)
{
    Layout layout = {0};
    Placing placing = {.arena = arena, .layout = &layout, .auto_parts = auto_parts};
    place(&placing, term, (View){0, 1, leaves}, budget, 0);
    return layout;
}
