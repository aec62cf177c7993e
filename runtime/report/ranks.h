/* ranks.h: "ranks" of bench.json as rows of a table: ranks × exchange × time × bytes. */
#ifndef SAMEBITS_REPORT_RANKS_H
#define SAMEBITS_REPORT_RANKS_H

#include "text/arena.h"

#include <jansson.h>
#include <stdbool.h>

typedef enum RankCell {
    RANK_SHAPE,
    RANK_TREE,
    RANK_EXCHANGE,
    RANK_RANKS, /* "4 o" where ranks take turns on the processors */
    RANK_TIME,
    RANK_AGAINST_ONE,
    RANK_IMBALANCE,
    RANK_WAITING,
    RANK_MESSAGES,
    RANK_VALUES,
    RANK_BYTES,
    RANK_CELLS
} RankCell;
extern const char *const rank_titles[RANK_CELLS];

typedef struct RankRow {
    const char *cell[RANK_CELLS];
    const char *failure; /* why it was not timed; NULL: it was */
    bool oversubscribed;
} RankRow;

/* Row `index` of ranks["rows"]. */
RankRow rank_row(Arena *arena, const json_t *ranks, size_t index);
/* What the columns mean, and on which MPI and how many processors. */
const char *rank_note(Arena *arena, const json_t *ranks);

#endif
