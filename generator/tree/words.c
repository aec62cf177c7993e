/* words.c: a term in words, for head comments and `samebits tree`.
 *
 * Two sentences at most per division: how the items are divided and each part reduced, then how the parts'
 * results join. Over leaves the verb is "step", over partial results "join". */
#include "tree/term.h"

#include <assert.h>
#include <inttypes.h>

enum { FOLD_SHOWN = 8192 }; /* a known count up to here has its widths spelled */

/* What a division calls its parts. */
static const char *part_name(const Term *term)
{
    return term->kind == TERM_LANES ? "lane" : term->kind == TERM_SPLIT ? "part" : "chunk";
}

static void words_for_halving(Buffer *out, uint64_t count)
{
    uint64_t h = 1;
    while (h < count) {
        h *= 2;
    }
    if (count <= 1 || count > FOLD_SHOWN) {
        buffer_append_string(out, "join by halving: i with i + h for h = P/2, P/4, ..., 1, "
                                  "P the smallest power of two not below their number");
        return;
    }
    buffer_append_string(out, "join by halving: i with i + ");
    for (h /= 2; h > 0; h /= 2) {
        buffer_printf(out, "%" PRIu64 "%s", h, h > 1 ? ", then " : "");
    }
}

static void words_for_division(Buffer *out, const Term *term, const char *item, const char *items)
{
    if (term->kind == TERM_LANES) {
        buffer_printf(out, "%s i goes to lane i mod %" PRIu64, item, term->size);
    } else if (term->kind == TERM_CHUNK) {
        buffer_printf(out,
                      "the %s are cut into consecutive chunks of %" PRIu64 ", the last one maybe shorter",
                      items, term->size);
    } else if (term->size > 0) {
        buffer_printf(out, "the n %s are cut into %" PRIu64 " consecutive parts of ceil(n / %" PRIu64 ")",
                      items, term->size, term->size);
    } else {
        buffer_printf(out, "the n %s are cut into S consecutive parts of ceil(n / S), S chosen at run time",
                      items);
    }
}

static void words_over_results(Buffer *out, const Term *term, uint64_t count);

/* How leaves are reduced, as a clause. */
static void words_over_leaves(Buffer *out, const Term *term)
{
    switch (term->kind) {
    case TERM_COMPLETION:
    case TERM_SEQ:
        buffer_append_string(out, "one accumulator steps the leaves in index order");
        return;
    case TERM_PAIRWISE:
    case TERM_HALVING:
        buffer_append_string(out, "each leaf steps into a start of its own and these ");
        words_over_results(out, term, 0);
        return;
    case TERM_CHUNK:
    case TERM_LANES:
    case TERM_SPLIT:
    case TERM_KINDS:
        break;
    }
    words_for_division(out, term, "leaf", "leaves");
    buffer_printf(out, "; in each %s ", part_name(term));
    words_over_leaves(out, term->inner);
    buffer_printf(out, "; the %ss' results ", part_name(term));
    words_over_results(out, term->outer, term->kind == TERM_LANES ? term->size : 0);
}

/* What partial results do, as a verb phrase; `count` is their number, 0 when it depends on n. */
static void words_over_results(Buffer *out, const Term *term, uint64_t count)
{
    switch (term->kind) {
    case TERM_COMPLETION:
        buffer_append_string(out, "join in whatever order they finish");
        return;
    case TERM_SEQ:
        buffer_append_string(out, "join one after another in index order");
        return;
    case TERM_PAIRWISE:
        buffer_append_string(out, "join neighbour with neighbour, level by level, an odd last one moving up");
        return;
    case TERM_HALVING:
        words_for_halving(out, count);
        return;
    case TERM_CHUNK:
    case TERM_LANES:
    case TERM_SPLIT:
    case TERM_KINDS:
        break;
    }
    buffer_append_string(out, "are divided again (");
    words_for_division(out, term, "result", "results");
    buffer_printf(out, "), those of a %s ", part_name(term));
    words_over_results(out, term->inner, 0);
    buffer_append_string(out, ", and what comes of them ");
    words_over_results(out, term->outer, term->kind == TERM_LANES ? term->size : 0);
}

static char upper(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

const char *term_words(Arena *arena, const Term *term)
{
    Buffer out = {0};
    words_over_leaves(&out, term);
    out.data[0] = upper(out.data[0]);
    buffer_append_string(&out, ".");
    const char *words = arena_copy_bytes(arena, out.data, out.size);
    buffer_destroy(&out);
    return words;
}
