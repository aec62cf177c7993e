/* term.h: reduction trees as terms (docs/contract.md, "Trees").
 *
 * A term says in which order floating-point values meet, for any number of
 * leaves. It never mentions rows, threads, targets or ranks. Terms are
 * immutable and live in an arena. */
#ifndef SAMEBITS_TERM_H
#define SAMEBITS_TERM_H

#include "text/arena.h"
#include "text/buffer.h"
#include "text/diagnostics.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum TermKind {
    TERM_CHUNK,
    TERM_COMPLETION,
    TERM_HALVING,
    TERM_LANES,
    TERM_PAIRWISE,
    TERM_SEQ,
    TERM_SPLIT,
    TERM_KINDS
} TermKind;

typedef struct Term Term;
struct Term {
    TermKind kind;
    uint64_t size;     /* L of lanes, C of chunk, S of split; 0 in split(auto) and elsewhere */
    const Term *inner; /* lanes, chunk, split: how a part is reduced */
    const Term *outer; /* lanes: its fold; chunk, split: how partials are joined */
};

/* One row per kind of term: names, docs, tests and constructors derive from it. */
typedef struct TermRow {
    TermKind kind;
    const char *name;
    const char *usage;   /* "chunk(C, inner, outer)" */
    const char *meaning; /* one sentence */
    bool has_size, has_parts;
    bool outer_only;      /* completion: cannot reduce leaves, only partials */
    const char *promises; /* "all", "RUN only", "nothing" */
} TermRow;
extern const TermRow term_rows[TERM_KINDS];
const TermRow *term_row_named(const char *name); /* NULL when there is none */

enum { TERM_SIZE_LIMIT = 1 << 30, TERM_LANES_LIMIT = 1024, TERM_DEPTH_LIMIT = 8 };

/* Constructors check sizes (1..TERM_SIZE_LIMIT, lanes 1..TERM_LANES_LIMIT), depth
 * and placement (completion only as an outer part); on a mistake they
 * report at `where` and return NULL. lanes with neither part is the short form. That a whole
 * tree is not `completion` alone is for the caller (term_rows[kind].outer_only); term_parse checks it. */
const Term *term_leafless(Arena *arena, TermKind kind); /* seq, pairwise, halving, completion */
const Term *term_with_parts(Arena *arena, Diagnostics *diagnostics, Location where, TermKind kind,
                            uint64_t size, bool is_auto, const Term *inner, const Term *outer);

/* Reads `chunk(1024, lanes(32), pairwise)`; blanks are free, `split(auto, ...)` is allowed,
 * lanes(L) is lanes(L, seq, halving). Columns in messages are offsets in `text` from where.column. */
const Term *term_parse(Arena *arena, Diagnostics *diagnostics, Location where, const char *text);

/* Canonical text: every part spelled, one space after commas. Two equal terms have equal text. */
const char *term_text(Arena *arena, const Term *term);
/* For people: lanes(L, seq, halving) printed as lanes(L). */
const char *term_short_text(Arena *arena, const Term *term);
/* SHA-256 of the canonical text, 64 lower-case hex digits. */
const char *term_digest(Arena *arena, const Term *term);
bool term_equal(const Term *a, const Term *b);

/* True when the term has no completion and no split(auto): same input, same bits, promised. */
bool term_is_fixed(const Term *term);
/* A term of that kind anywhere in it; split(auto) only counts with is_auto, split(S) only without. */
bool term_has(const Term *term, TermKind kind, bool is_auto);

/* The order a term means for n leaves, as a sequence of joins on named partials. This is the
 * definition that replays are checked against (plan/replay.c) and that drawings show. It is
 * written from docs/contract.md and shares nothing with plan/.
 * Nodes: leaf i; start; step(acc, leaf); join(p, q). Handles are indices the callbacks return. */
typedef struct TermWalk {
    void *context;
    int (*start)(void *context);
    int (*step)(void *context, int accumulator, uint64_t leaf);
    int (*join)(void *context, int left, int right);
} TermWalk;
/* split(auto) is walked with `auto_parts` parts; completion as seq. */
int term_walk(const Term *term, uint64_t leaves, uint64_t auto_parts, const TermWalk *walk);

/* Draws the order for `leaves` leaves into `out` (UTF-8 box drawing, or ASCII); when there are more
 * than about 64 leaves it elides repeated parts and says so. For `samebits tree` and head comments. */
void term_draw(Buffer *out, const Term *term, uint64_t leaves, bool ascii);
/* The term in words, one or two sentences, for head comments and `samebits tree`. */
const char *term_words(Arena *arena, const Term *term);

#endif
