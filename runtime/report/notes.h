/* notes.h: what a family's results say together: which targets returned the same words, what stands behind
 * that, what was not timed, and what disturbed the times. */
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

/* One per fall of a device's clock while its kernels were timed: the variants it holds for. */
Notes notes_clocks(Arena *arena, const Facts *facts);

/* "its clock went from 1980 to 1200 MHz: lock it, or cool it", or NULL where it was steady or is not known.
 * `device`: an entry's "device" of bench.json. */
const char *notes_clock_text(Arena *arena, const json_t *device);

#endif
