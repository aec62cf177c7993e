/* ---- scatter: each rank finishes a share of the rows ----
 *
 * Everyone's values of a rank's rows go to it, and its results to everyone. */

/* Slot i: what rank i sends; slot ranks + i: what goes to rank i. */
static inline char *slot_at(const Ranks *ranks, int i)
{
    return ranks->slot + (size_t)i * MESSAGE_WHOLE;
}

static int scatter_post(Ranks *ranks)
{
    for (int r = 0; r < ranks->ranks; r++)
        if (r != ranks->rank) {
            const int code = ranks_post_receive(ranks, r, EXCHANGE, slot_at(ranks, r), MESSAGE_WHOLE);
            if (code)
                return code;
        }
    return 0;
}

static int scatter_send(Ranks *ranks, const Level *level, size_t rows)
{
    const Range own = {ranks->own.first, ranks->own.end};
    const size_t items = level->items(own, ranks->parts);
    for (int i = 1; i < ranks->ranks; i++) { /* each begins with another one */
        const int r = (ranks->rank + i) % ranks->ranks;
        const Tile tile = tile_of(rows, r, ranks->ranks);
        const size_t bytes = items * tile.rows * sizeof(Part);
        const Part *from = (const Part *)ranks->memory + items * tile.first;
        const char *message = message_make(slot_at(ranks, ranks->ranks + r), ranks->own, items * tile.rows, from, bytes);
        const int code = message_send(ranks, r, message, from, bytes);
        if (code)
            return code;
    }
    return 0;
}

/* What came whole is used where it lies; the rest of the others is received behind each other. */
static int scatter_rest(Ranks *ranks, const Level *level, size_t rows, size_t own_values)
{
    Part *to = (Part *)ranks->memory + own_values;
    for (int r = 0; r < ranks->ranks; r++) {
        const Range range = {ranks->header[r].first, ranks->header[r].end};
        const size_t values = level->items(range, ranks->parts) * rows, bytes = values * sizeof(Part);
        ranks->piece[r].range = range;
        if (r == ranks->rank)
            continue;
        if (ranks->header[r].bytes != bytes)
            return CODE_DISAGREE;
        ranks->piece[r].at = is_whole(bytes) ? (const Part *)(slot_at(ranks, r) + sizeof(Header)) : to;
        if (is_whole(bytes))
            continue;
        const int code = ranks_post_receive(ranks, r, TAG_REST, to, bytes);
        if (code)
            return code;
        to += values;
    }
    return ranks_wait_received(ranks);
}

/* Afterwards `piece` has everyone's values of own rows. */
static int scatter_values(Ranks *ranks, const Level *level, size_t rows, Tile own)
{
    const Range range = {ranks->own.first, ranks->own.end};
    const size_t items = level->items(range, ranks->parts);
    int code = scatter_post(ranks);
    if (!code)
        code = scatter_send(ranks, level, rows);
    if (!code)
        code = ranks_wait_received(ranks);
    if (code)
        return code;
    for (int r = 0; r < ranks->ranks; r++)
        if (r != ranks->rank)
            memcpy(&ranks->header[r], slot_at(ranks, r), sizeof(Header));
    ranks->header[ranks->rank] = ranks->own;
    if (headers_verdict(ranks))
        return CODE_DISAGREE;
    ranks->piece[ranks->rank].at = (const Part *)ranks->memory + items * own.first;
    code = scatter_rest(ranks, level, own.rows, items * rows);
    return code;
}

/* Results of own rows to everyone, theirs to their places. */
static int scatter_results(Ranks *ranks, const Level *level, size_t rows, Tile own, float *value)
{
    const size_t per_row = level->reductions;
    const size_t bytes = per_row * own.rows * sizeof(float);
    const float *from = value + per_row * own.first;
    const char *message = message_make(slot_at(ranks, 2 * ranks->ranks), ranks->own, per_row * own.rows, from, bytes);
    int code = scatter_post(ranks);
    for (int i = 1; i < ranks->ranks && !code; i++)
        code = message_send(ranks, (ranks->rank + i) % ranks->ranks, message, from, bytes);
    for (int r = 0; r < ranks->ranks && !code; r++) { /* large ones go to their places by themselves */
        const Tile tile = tile_of(rows, r, ranks->ranks);
        const size_t its = per_row * tile.rows * sizeof(float);
        if (r != ranks->rank && !is_whole(its))
            code = ranks_post_receive(ranks, r, TAG_REST, value + per_row * tile.first, its);
    }
    if (!code)
        code = ranks_wait_received(ranks);
    for (int r = 0; r < ranks->ranks && !code; r++) {
        const Tile tile = tile_of(rows, r, ranks->ranks);
        const size_t its = per_row * tile.rows * sizeof(float);
        if (r != ranks->rank && is_whole(its) && its)
            memcpy(value + per_row * tile.first, slot_at(ranks, r) + sizeof(Header), its);
    }
    return code ? code : ranks_wait_sent(ranks);
}

static int exchange(Ranks *ranks, const Level *level, size_t rows, float *value)
{
    const Tile own = tile_of(rows, ranks->rank, ranks->ranks);
    int code = scatter_values(ranks, level, rows, own);
    if (!code)
        level->finish(ranks->piece, ranks->ranks, ranks->parts, own.rows, value + level->reductions * own.first,
                      ranks->lane);
    if (!code)
        code = ranks_wait_sent(ranks);
    return code ? code : scatter_results(ranks, level, rows, own, value);
}
