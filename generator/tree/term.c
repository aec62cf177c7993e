/* term.c: the table of kinds, and the constructors that check what they are given.
 *
 * Invariant: every Term that a constructor returned has sizes within the limits, a depth of at most
 * TERM_DEPTH_LIMIT, and `completion` nowhere but as an outer part. Recursion over terms
 * is therefore bounded everywhere. */
#include "tree/term.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

const TermRow term_rows[TERM_KINDS] = {
    [TERM_CHUNK] = {TERM_CHUNK, "chunk", "chunk(C, inner, outer)",
                    "cuts the items into consecutive chunks of C from index 0, the last one may be short; "
                    "inner reduces each chunk, outer their results",
                    .has_size = true, .has_parts = true, .promises = "all"},
    [TERM_COMPLETION] = {TERM_COMPLETION, "completion", "completion",
                         "joins partial results in whatever order they finish; only as an outer part; "
                         "a negative control",
                         .outer_only = true, .promises = "nothing"},
    [TERM_HALVING] = {TERM_HALVING, "halving", "halving",
                      "h starts as the smallest power of two not below the count; halve h and join item i "
                      "with item i+h where that exists, until one is left",
                      .promises = "all"},
    [TERM_LANES] = {TERM_LANES, "lanes", "lanes(L, inner, fold)",
                    "item i goes to lane i mod L; inner reduces each lane, fold the L results, "
                    "an empty lane's start included; lanes(L) is lanes(L, seq, halving)",
                    .has_size = true, .has_parts = true, .promises = "all"},
    [TERM_PAIRWISE] =
        {TERM_PAIRWISE, "pairwise", "pairwise",
         "neighbours (0,1), (2,3), ... join, level by level; an odd last one moves up unchanged",
         .promises = "all"},
    [TERM_SEQ] = {TERM_SEQ, "seq", "seq",
                  "one item after another in index order: leaves step into one accumulator that begins as "
                  "start, partial results join onto the first",
                  .promises = "all"},
    [TERM_SPLIT] = {TERM_SPLIT, "split", "split(S, inner, outer)",
                    "as chunk with C = ceil(n / S), n the number of items; split(auto, inner, outer) takes S "
                    "from the numbers of rows and workers, promises RUN only and is a negative control",
                    .has_size = true, .has_parts = true, .promises = "all; RUN only with auto"},
};

const TermRow *term_row_named(const char *name)
{
    for (int kind = 0; kind < TERM_KINDS; kind++) {
        if (strcmp(term_rows[kind].name, name) == 0) {
            return &term_rows[kind];
        }
    }
    return NULL;
}

/* Terms without parts are constants; nobody owns them. */
static const Term leafless_terms[TERM_KINDS] = {
    [TERM_COMPLETION] = {.kind = TERM_COMPLETION},
    [TERM_HALVING] = {.kind = TERM_HALVING},
    [TERM_PAIRWISE] = {.kind = TERM_PAIRWISE},
    [TERM_SEQ] = {.kind = TERM_SEQ},
};

const Term *term_leafless(Arena *arena, TermKind kind)
{
    (void)arena;
    assert(kind < TERM_KINDS && !term_rows[kind].has_parts);
    return &leafless_terms[kind];
}

static int term_depth(const Term *term)
{
    if (!term->inner) {
        return 1;
    }
    const int inner = term_depth(term->inner), outer = term_depth(term->outer);
    return 1 + (inner > outer ? inner : outer);
}

static bool check_size(Diagnostics *diagnostics, Location where, const TermRow *row, uint64_t size,
                       bool is_auto)
{
    const uint64_t limit = row->kind == TERM_LANES ? TERM_LANES_LIMIT : TERM_SIZE_LIMIT;
    if (is_auto && row->kind != TERM_SPLIT) {
        diagnostics_error(diagnostics, where,
                          "%s cannot have the size 'auto', only split can; write a whole number", row->name);
    } else if (!is_auto && size == 0) {
        diagnostics_error(diagnostics, where,
                          "the size in %s is 0, which leaves no place for any leaf; write a whole number "
                          "from 1 to %" PRIu64,
                          row->usage, limit);
    } else if (!is_auto && size > limit) {
        diagnostics_error(diagnostics, where,
                          "the size in %s is %" PRIu64 "; the largest allowed is %" PRIu64, row->usage, size,
                          limit);
    } else {
        return true;
    }
    return false;
}

static bool check_parts(Diagnostics *diagnostics, Location where, const TermRow *row, const Term *inner,
                        const Term *outer)
{
    const int deepest = term_depth(inner) > term_depth(outer) ? term_depth(inner) : term_depth(outer);
    if (term_rows[inner->kind].outer_only) {
        diagnostics_error(
            diagnostics, where,
            "%s cannot be the inner part of %s: it joins partial results and has no order for leaves; "
            "use it as the outer part, or write seq",
            term_rows[inner->kind].name, row->name);
    } else if (deepest >= TERM_DEPTH_LIMIT) {
        diagnostics_error(diagnostics, where, "the tree is more than %d terms deep; nest fewer terms",
                          TERM_DEPTH_LIMIT);
    } else {
        return true;
    }
    return false;
}

const Term *term_with_parts(Arena *arena, Diagnostics *diagnostics, Location where, TermKind kind,
                            uint64_t size, bool is_auto, const Term *inner, const Term *outer)
{
    assert(kind < TERM_KINDS && term_rows[kind].has_parts);
    const TermRow *row = &term_rows[kind];
    if (kind == TERM_LANES && !inner && !outer) { /* the short form */
        inner = term_leafless(arena, TERM_SEQ);
        outer = term_leafless(arena, TERM_HALVING);
    }
    if (!inner || !outer) {
        diagnostics_error(diagnostics, where, "%s needs both its parts; write %s", row->name, row->usage);
        return NULL;
    }
    if (!check_size(diagnostics, where, row, size, is_auto) ||
        !check_parts(diagnostics, where, row, inner, outer)) {
        return NULL;
    }
    Term *term = ARENA_NEW(arena, Term);
    *term = (Term){.kind = kind, .size = is_auto ? 0 : size, .inner = inner, .outer = outer};
    return term;
}

bool term_equal(const Term *a, const Term *b)
{
    if (a == b) {
        return true;
    }
    return a->kind == b->kind && a->size == b->size && !a->inner == !b->inner &&
           (!a->inner || (term_equal(a->inner, b->inner) && term_equal(a->outer, b->outer)));
}

bool term_has(const Term *term, TermKind kind, bool is_auto)
{
    const bool here = term->kind == kind && is_auto == (kind == TERM_SPLIT && term->size == 0);
    return here ||
           (term->inner && (term_has(term->inner, kind, is_auto) || term_has(term->outer, kind, is_auto)));
}

bool term_is_fixed(const Term *term)
{
    return !term_has(term, TERM_COMPLETION, false) && !term_has(term, TERM_SPLIT, true);
}
