/* ---- scatter: each rank finishes a share of the rows ----
 *
 * Everyone's values of a rank's rows go to it, and its results to everyone. Own values lie tile by tile, each behind a
 * header; what the others send comes behind them. */

enum { SCATTER_VALUES, SCATTER_RESULTS };

static inline size_t exchange_area(size_t ranks, size_t items, size_t rows)
{
    return 2 * ranks * sizeof(Header) + items * (2 * rows + 1) * sizeof(Part);
}

/* The message of own values of rank r's rows. */
static inline char *scatter_message(const Ranks *ranks, size_t items, Tile tile)
{
    return ranks->now.memory + (tile.heads - 1) * sizeof(Header) + items * tile.first * sizeof(Part);
}

static int exchange_start(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    const Range own = {ranks->own.first, ranks->own.end};
    const size_t items = now->level->items(own, ranks->parts), many = (size_t)ranks->ranks;
    now->phase = SCATTER_VALUES;
    now->filled = many * sizeof(Header) + items * now->rows * sizeof(Part);
    for (int i = 1; i < ranks->ranks; i++) { /* each begins with another one */
        const int r = (ranks->rank + i) % ranks->ranks;
        const Tile tile = tile_of(now->rows, r, ranks->ranks);
        char *const message = scatter_message(ranks, items, tile);
        message_head(message, ranks->own, items * tile.rows);
        const int code = message_post(ranks, r, message, items * tile.rows * sizeof(Part));
        if (code)
            return code;
    }
    for (int r = 0; r < ranks->ranks; r++)
        ranks->place[r] = 0; /* nothing of it is here */
    return 0;
}

/* What the others send, behind each other in the order in which it comes. */
static int scatter_find(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    int missing = 0;
    for (int i = 1; i < ranks->ranks; i++) {
        const int r = (ranks->rank + i) % ranks->ranks;
        int bytes = 0;
        if (ranks->place[r])
            continue;
        int code = message_find(ranks, r, ranks->area - now->filled, &bytes);
        missing += code == CODE_PENDING;
        if (!code)
            code = message_receive(ranks, r, now->memory + now->filled, (size_t)bytes);
        if (code == CODE_PENDING)
            continue;
        if (code)
            return code;
        ranks->place[r] = now->filled;
        ranks->place[ranks->ranks + r] = (size_t)bytes - sizeof(Header);
        now->filled += (size_t)bytes;
    }
    return missing ? CODE_PENDING : requests_done(ranks, ranks->receive, ranks->ranks);
}

/* Afterwards `piece` has everyone's values of own rows. */
static int scatter_note(Ranks *ranks, Tile own)
{
    const Exchange *now = &ranks->now;
    for (int r = 0; r < ranks->ranks; r++)
        if (r != ranks->rank)
            memcpy(&ranks->header[r], now->memory + ranks->place[r], sizeof(Header));
    ranks->header[ranks->rank] = ranks->own;
    if (headers_verdict(ranks))
        return CODE_DISAGREE;
    for (int r = 0; r < ranks->ranks; r++) {
        const Range range = {ranks->header[r].first, ranks->header[r].end};
        const size_t items = now->level->items(range, ranks->parts);
        const char *message = r == ranks->rank ? scatter_message(ranks, items, own) : now->memory + ranks->place[r];
        if (r != ranks->rank && ranks->place[ranks->ranks + r] != items * own.rows * sizeof(Part))
            return CODE_DISAGREE;
        ranks->piece[r] = (Piece){range, (const Part *)(message + sizeof(Header))};
    }
    return 0;
}

/* Results of own rows to everyone, theirs to their places: all agree by now, so sizes are known. */
static int scatter_results(Ranks *ranks, Tile own)
{
    const Exchange *now = &ranks->now;
    const size_t per_row = now->level->reductions;
    char *const message = (char *)tile_values(now, own) - sizeof(Header);
    int code = 0;
    now->level->finish(ranks->piece, ranks->ranks, ranks->parts, own.rows, tile_values(now, own), ranks->lane);
    message_head(message, ranks->own, per_row * own.rows);
    for (int i = 1; i < ranks->ranks && !code; i++) {
        const int r = (ranks->rank + i) % ranks->ranks;
        const Tile tile = tile_of(now->rows, r, ranks->ranks);
        code = message_receive(ranks, r, (char *)tile_values(now, tile) - sizeof(Header),
                               sizeof(Header) + per_row * tile.rows * sizeof(float));
        if (!code)
            code = message_post(ranks, r, message, per_row * own.rows * sizeof(float));
    }
    return code;
}

static int exchange_advance(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    const Tile own = tile_of(now->rows, ranks->rank, ranks->ranks);
    int code = 0;
    if (now->phase == SCATTER_VALUES) {
        code = scatter_find(ranks);
        if (!code)
            code = scatter_note(ranks, own);
        if (!code)
            code = scatter_results(ranks, own);
        if (code)
            return code;
        now->phase = SCATTER_RESULTS;
    }
    code = requests_done(ranks, ranks->receive, ranks->ranks);
    return code ? code : sends_done(ranks);
}
