/* layout.h: which lines a drawing of a term has. Private to generator/tree.
 *
 * An accumulator is what one `start` begins; term_walk numbers them 0, 1, ... in the order it starts them.
 * Every accumulator belongs to exactly one line, and lines lie in that order. */
#ifndef SAMEBITS_LAYOUT_H
#define SAMEBITS_LAYOUT_H

#include "tree/term.h"

typedef enum LineKind {
    LINE_GAP,    /* accumulators that are not drawn */
    LINE_LEAVES, /* one accumulator and the leaves it steps */
    LINE_PART    /* all of a part on one line: `by` reduces its leaves */
} LineKind;

typedef struct Line {
    LineKind kind;
    uint64_t first_accumulator, accumulators;
    uint64_t leaf, stride, leaves;       /* leaf, leaf + stride, ...; none in an empty lane */
    const Term *by;                      /* LINE_PART */
    const char *gap;                     /* LINE_GAP: "lanes 2 to 30" */
    const char *label[TERM_DEPTH_LIMIT]; /* "chunk 0", "lane 1"; NULL where there is none */
} Line;

typedef struct Layout {
    Line *line;
    int count, capacity;
    uint64_t accumulators; /* placed so far; of the whole drawing in the end */
} Layout;

/* How many accumulators the term starts for `leaves` leaves; 2^40 stands for that many or more. */
uint64_t layout_count(const Term *term, uint64_t leaves, uint64_t auto_parts);

/* At most about `budget` lines: all accumulators when they fit, else the first part in detail and a choice of
 * others. */
Layout layout_create(Arena *arena, const Term *term, uint64_t leaves, uint64_t auto_parts, uint64_t budget);

#endif
