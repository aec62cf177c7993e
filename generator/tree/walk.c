/* walk.c: the order a term means, spelled as starts, steps and joins.
 *
 * Written from docs/contract.md, "Trees", sentence by sentence, level by level. This is the definition that
 * replays and drawings use; runtime/reference/fold.c is a second one, written as a recursion, and the tests
 * hold the two against each other. */
#include "tree/term.h"

#include <assert.h>
#include <stdlib.h>

/* What one term reduces: leaves first, first + stride, ... or, with `partial`, the handles
 * partial[first], partial[first + stride], ... */
typedef struct Items {
    const int *partial;
    uint64_t first, stride, count;
} Items;

typedef struct Walker {
    const TermWalk *to;
    uint64_t auto_parts;
} Walker;

static int reduce(const Walker *walker, const Term *term, Items items);

static int *handles_alloc(uint64_t count)
{
    int *handles = count <= SIZE_MAX / sizeof *handles ? malloc((size_t)count * sizeof *handles) : NULL;
    if (!handles) {
        arena_out_of_memory();
    }
    return handles;
}

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* Item i as a partial result; a leaf is stepped into a start of its own. */
static int item_partial(const Walker *walker, Items items, uint64_t i)
{
    const uint64_t place = items.first + i * items.stride;
    const TermWalk *to = walker->to;
    return items.partial ? items.partial[place] : to->step(to->context, to->start(to->context), place);
}

static int reduce_seq(const Walker *walker, Items items)
{
    const TermWalk *to = walker->to;
    int accumulator = item_partial(walker, items, 0);
    for (uint64_t i = 1; i < items.count; i++) {
        const uint64_t place = items.first + i * items.stride;
        accumulator = items.partial ? to->join(to->context, accumulator, items.partial[place])
                                    : to->step(to->context, accumulator, place);
    }
    return accumulator;
}

/* One level: neighbours join, an odd last one moves up. Returns how many are left. */
static uint64_t join_neighbours(const TermWalk *to, int *handle, uint64_t count)
{
    for (uint64_t i = 0; i + 1 < count; i += 2) {
        handle[i / 2] = to->join(to->context, handle[i], handle[i + 1]);
    }
    if (count % 2 == 1) {
        handle[count / 2] = handle[count - 1];
    }
    return count / 2 + count % 2;
}

static void join_halves(const TermWalk *to, int *handle, uint64_t count)
{
    uint64_t h = 1;
    while (h < count) {
        h *= 2;
    }
    for (h /= 2; h > 0; h /= 2) {
        for (uint64_t i = 0; i < h && i + h < count; i++) {
            handle[i] = to->join(to->context, handle[i], handle[i + h]);
        }
        count = count < h ? count : h;
    }
}

static int reduce_levels(const Walker *walker, const Term *term, Items items)
{
    int *handle = handles_alloc(items.count);
    for (uint64_t i = 0; i < items.count; i++) {
        handle[i] = item_partial(walker, items, i);
    }
    if (term->kind == TERM_HALVING) {
        join_halves(walker->to, handle, items.count);
    } else {
        for (uint64_t left = items.count; left > 1;) {
            left = join_neighbours(walker->to, handle, left);
        }
    }
    const int result = handle[0];
    free(handle);
    return result;
}

static int reduce_lanes(const Walker *walker, const Term *term, Items items)
{
    const uint64_t lanes = term->size;
    int *handle = handles_alloc(lanes);
    for (uint64_t lane = 0; lane < lanes; lane++) {
        const uint64_t count = lane < items.count ? ceil_div(items.count - lane, lanes) : 0;
        handle[lane] =
            reduce(walker, term->inner,
                   (Items){items.partial, items.first + lane * items.stride, items.stride * lanes, count});
    }
    const int result = reduce(walker, term->outer, (Items){handle, 0, 1, lanes});
    free(handle);
    return result;
}

static int reduce_chunks(const Walker *walker, const Term *term, Items items, uint64_t size)
{
    const uint64_t chunks = ceil_div(items.count, size);
    int *handle = handles_alloc(chunks);
    for (uint64_t chunk = 0; chunk < chunks; chunk++) {
        const uint64_t from = chunk * size;
        const uint64_t count = items.count - from < size ? items.count - from : size;
        handle[chunk] =
            reduce(walker, term->inner,
                   (Items){items.partial, items.first + from * items.stride, items.stride, count});
    }
    const int result = reduce(walker, term->outer, (Items){handle, 0, 1, chunks});
    free(handle);
    return result;
}

static int reduce(const Walker *walker, const Term *term, Items items)
{
    if (items.count == 0) { /* no leaves, or an empty lane */
        return walker->to->start(walker->to->context);
    }
    switch (term->kind) {
    case TERM_CHUNK:
        return reduce_chunks(walker, term, items, term->size);
    case TERM_HALVING:
    case TERM_PAIRWISE:
        return reduce_levels(walker, term, items);
    case TERM_LANES:
        return reduce_lanes(walker, term, items);
    case TERM_COMPLETION: /* one of the orders it may take */
    case TERM_SEQ:
        return reduce_seq(walker, items);
    case TERM_SPLIT: {
        const uint64_t parts = term->size ? term->size : walker->auto_parts;
        assert(parts > 0);
        return reduce_chunks(walker, term, items, ceil_div(items.count, parts));
    }
    case TERM_KINDS:
        break;
    }
    assert(!"a term of no kind");
    abort();
}

int term_walk(const Term *term, uint64_t leaves, uint64_t auto_parts, const TermWalk *walk)
{
    const Walker walker = {.to = walk, .auto_parts = auto_parts};
    return reduce(&walker, term, (Items){.stride = 1, .count = leaves});
}
