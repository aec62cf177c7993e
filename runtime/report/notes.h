/* notes.h: what a family's results say together: which targets returned the same words, what stands behind
 * that, and what was not timed. */
#ifndef SAMEBITS_NOTES_H
#define SAMEBITS_NOTES_H

#include "report/facts.h"
#include "text/arena.h"

typedef struct Note {
    const char *head, *text; /* "c, avx2", "run on this CPU" */
    bool bad;
} Note;
typedef struct Notes {
    Note *item;
    int count;
} Notes;

/* One per contract that several targets have: "one contract e8f8..., one output digest ... on c, avx2". */
Notes notes_agreement(Arena *arena, const Facts *facts);
/* One per trust boundary: the targets that have it. Both are empty before verification. */
Notes notes_trust(Arena *arena, const Facts *facts);
/* One per reason of bench.json's "skipped": the targets or names it holds for. */
Notes notes_not_timed(Arena *arena, const Facts *facts);

#endif
