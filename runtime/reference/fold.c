/* fold.c: the reference evaluator of trees.
 *
 * Written from docs/contract.md alone and as a recursion from the result down, where term_walk goes from the
 * leaves up, level by level. Nothing is stored: an item of an outer term is a part of the inner one,
 * evaluated when it is asked for, and every item is asked for exactly once. Memory is therefore the stack:
 * the depth of the term times log2 of the leaves.
 *
 * A binary32 accumulator is held in a double. That is exact (every binary32 value is a binary64 value) and
 * each operation narrows its operands back, works in binary32 and widens the result, so no bit depends on it.
 */
#include "reference/fold.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct Fold {
    ReduceKind kind;
    Accumulator accumulator;
    ReferenceLeaves leaves;
    uint64_t auto_parts;
} Fold;

typedef struct Parts Parts;

/* Items first, first + stride, ...: of the leaves, or of the results of `parts`. */
typedef struct Items {
    const Parts *parts; /* NULL: leaves */
    uint64_t first, stride, count;
} Items;

/* A division of items into parts, each reduced by `inner`. Part k holds, of `whole`, the items k, k + count,
 * ... when interleaved (lanes), else `size` consecutive ones from k * size on. */
struct Parts {
    const Term *inner;
    Items whole;
    uint64_t count, size;
    bool interleaved;
};

static double reduce(const Fold *fold, const Term *term, Items items);

/* IEEE 754-2019 maximum (9.6): a NaN wins, and +0 is above -0. */
static double maximum_of(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    if (a == b) { /* equal, or zeros of either sign */
        return signbit(a) ? b : a;
    }
    return a > b ? a : b;
}

static double minimum_of(double a, double b)
{
    return -maximum_of(-a, -b); /* negation is exact and mirrors the order, zeros included */
}

static double start_of(const Fold *fold)
{
    switch (fold->kind) {
    case REDUCE_MAX:
        return -INFINITY;
    case REDUCE_MIN:
        return INFINITY;
    default:
        return 0.0;
    }
}

static double join_of(const Fold *fold, double p, double q)
{
    switch (fold->kind) {
    case REDUCE_MAX:
        return maximum_of(p, q);
    case REDUCE_MIN:
        return minimum_of(p, q);
    default:
        return fold->accumulator == ACCUMULATOR_F64 ? p + q : (double)((float)p + (float)q);
    }
}

/* One rounding per step: a product steps by a fused multiply-add. */
static double step_of(const Fold *fold, double accumulator, uint64_t leaf)
{
    const float a = fold->leaves.a[leaf];
    if (fold->kind != REDUCE_SUM || !fold->leaves.b) {
        return join_of(fold, accumulator, a);
    }
    const float b = fold->leaves.b[leaf];
    return fold->accumulator == ACCUMULATOR_F64 ? fma(a, b, accumulator)
                                                : (double)fmaf(a, b, (float)accumulator);
}

static Items part_of(const Parts *parts, uint64_t k)
{
    const Items whole = parts->whole;
    if (parts->interleaved) {
        const uint64_t count = k < whole.count ? (whole.count - k - 1) / parts->count + 1 : 0;
        return (Items){whole.parts, whole.first + k * whole.stride, whole.stride * parts->count, count};
    }
    const uint64_t from = k * parts->size, rest = whole.count - from;
    return (Items){whole.parts, whole.first + from * whole.stride, whole.stride,
                   rest < parts->size ? rest : parts->size};
}

/* Item i on its own: a part's result, or a leaf stepped into a start of its own. */
static double value_of(const Fold *fold, Items items, uint64_t i)
{
    const uint64_t place = items.first + i * items.stride;
    if (items.parts) {
        return reduce(fold, items.parts->inner, part_of(items.parts, place));
    }
    return step_of(fold, start_of(fold), place);
}

static double reduce_seq(const Fold *fold, Items items)
{
    double accumulator = value_of(fold, items, 0);
    for (uint64_t i = 1; i < items.count; i++) {
        accumulator = items.parts ? join_of(fold, accumulator, value_of(fold, items, i))
                                  : step_of(fold, accumulator, items.first + i * items.stride);
    }
    return accumulator;
}

/* The node over items [from, to): when neighbours join level by level, its left child is the largest power of
 * two of items that is less than all of them, counted from `from`, which is a multiple of it. */
static double reduce_pairwise(const Fold *fold, Items items, uint64_t from, uint64_t to)
{
    if (to - from == 1) {
        return value_of(fold, items, from);
    }
    uint64_t left = 1;
    while (left * 2 < to - from) {
        left *= 2;
    }
    const double p = reduce_pairwise(fold, items, from, from + left);
    return join_of(fold, p, reduce_pairwise(fold, items, from + left, to));
}

/* Item i once the width has been halved down to `width`: the last join to form it was with i + width. */
static double reduce_halving(const Fold *fold, Items items, uint64_t i, uint64_t width)
{
    if (width >= items.count) { /* not joined with anything yet */
        return value_of(fold, items, i);
    }
    const double p = reduce_halving(fold, items, i, 2 * width);
    return i + width < items.count ? join_of(fold, p, reduce_halving(fold, items, i + width, 2 * width)) : p;
}

static double reduce_lanes(const Fold *fold, const Term *term, Items items)
{
    const Parts parts = {.inner = term->inner, .whole = items, .count = term->size, .interleaved = true};
    return reduce(fold, term->outer, (Items){&parts, 0, 1, parts.count});
}

static double reduce_chunks(const Fold *fold, const Term *term, Items items, uint64_t size)
{
    const Parts parts = {
        .inner = term->inner, .whole = items, .count = (items.count - 1) / size + 1, .size = size};
    return reduce(fold, term->outer, (Items){&parts, 0, 1, parts.count});
}

/* ceil(n / S) */
static uint64_t split_size(uint64_t count, uint64_t parts)
{
    assert(parts > 0);
    return (count - 1) / parts + 1;
}

static double reduce(const Fold *fold, const Term *term, Items items)
{
    if (items.count == 0) {
        return start_of(fold);
    }
    switch (term->kind) {
    case TERM_COMPLETION: /* joins in index order here */
    case TERM_SEQ:
        return reduce_seq(fold, items);
    case TERM_PAIRWISE:
        return reduce_pairwise(fold, items, 0, items.count);
    case TERM_HALVING:
        return reduce_halving(fold, items, 0, 1);
    case TERM_LANES:
        return reduce_lanes(fold, term, items);
    case TERM_CHUNK:
        return reduce_chunks(fold, term, items, term->size);
    case TERM_SPLIT:
        return reduce_chunks(fold, term, items,
                             split_size(items.count, term->size ? term->size : fold->auto_parts));
    case TERM_KINDS:
        break;
    }
    assert(!"a term of no kind");
    abort();
}

float reference_fold(const Term *term, ReduceKind kind, Accumulator accumulator, ReferenceLeaves leaves,
                     size_t auto_parts)
{
    const Fold fold = {.kind = kind, .accumulator = accumulator, .leaves = leaves, .auto_parts = auto_parts};
    return (float)reduce(&fold, term, (Items){.stride = 1, .count = leaves.count});
}
