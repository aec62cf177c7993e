/* ---- tree: up a binomial tree in rank order, and down the same one ----
 *
 * The ranks below rank r hold ranges that follow its own one after another, so each step joins neighbours. The memory has
 * three areas, each a header and values: own ones and what is joined lie in the first two, what arrives in the third. */

enum { TREE_UP, TREE_DOWN, TREE_SENT, TREE_AREAS = 3 };

static inline size_t exchange_area(size_t ranks, size_t items, size_t rows)
{
    (void)ranks;
    return TREE_AREAS * ((sizeof(Header) + items * rows * sizeof(Part) + 63) / 64 * 64);
}

static inline char *tree_area(const Ranks *ranks, int area)
{
    return ranks->now.memory + ranks->area / TREE_AREAS * (size_t)area;
}

/* The message of `from`, if it is one of this exchange. */
static int tree_take(Ranks *ranks, int from, char *to, size_t room, Header *header)
{
    const int code = message_take(ranks, from, to, room);
    if (code)
        return code;
    memcpy(header, to, sizeof *header);
    const int fits = header->contract == ranks->own.contract && header->sizes == ranks->own.sizes &&
                     header->schedule == ranks->own.schedule && header->step == ranks->own.step;
    return fits ? 0 : CODE_DISAGREE;
}

/* Joins what the rank `child` and those below it hold to what is here, in the other area. */
static int tree_join(Ranks *ranks, int child)
{
    Exchange *now = &ranks->now;
    Header header;
    char *const from = tree_area(ranks, 2);
    const int code = tree_take(ranks, child, from, ranks->area / TREE_AREAS, &header);
    if (code)
        return code;
    const Range range = {header.first, header.end};
    const size_t bytes = (size_t)now->bytes - sizeof header;
    now->bytes = 0;
    if (range.first != now->mine.range.end || range.end < range.first || range.end > ranks->parts ||
        bytes != now->level->items(range, ranks->parts) * now->rows * sizeof(Part))
        return CODE_DISAGREE;
    const int joined = (const char *)now->mine.at == tree_area(ranks, 0) + sizeof header;
    Part *const to = (Part *)(tree_area(ranks, joined) + sizeof header);
    Piece both[2] = {now->mine, {range, (const Part *)(from + sizeof header)}};
    now->level->merge(both, 2, ranks->parts, now->rows, to);
    now->mine = (Piece){{now->mine.range.first, range.end}, to};
    return 0;
}

static int tree_up(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    for (; now->reached < ranks->ranks && !(ranks->rank & now->reached); now->reached *= 2) {
        const int child = ranks->rank + now->reached;
        const int code = child < ranks->ranks ? tree_join(ranks, child) : 0;
        if (code)
            return code;
    }
    return 0;
}

/* Everything below this rank is here: to the rank above; the first one has the results. */
static int tree_turn(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    if (ranks->rank) {
        const size_t values = now->level->items(now->mine.range, ranks->parts) * now->rows;
        char *const message = (char *)now->mine.at - sizeof(Header);
        Header header = ranks->own;
        header.first = now->mine.range.first;
        header.end = now->mine.range.end;
        message_head(message, header, values);
        return message_post(ranks, ranks->rank - now->reached, message, values * sizeof(Part));
    }
    if (now->mine.range.first != 0 || now->mine.range.end != ranks->parts)
        return CODE_DISAGREE;
    now->level->finish(&now->mine, 1, ranks->parts, now->rows, tile_values(now, tile_of_all(now->rows)), ranks->lane);
    return 0;
}

/* The results of all rows, level->reductions values each. */
static int tree_down(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    const size_t values = now->level->reductions * now->rows, bytes = values * sizeof(float);
    char *const message = (char *)now->value;
    Header header;
    if (ranks->rank) {
        const int code = tree_take(ranks, ranks->rank - now->reached, message, sizeof header + bytes, &header);
        if (code)
            return code;
        now->bytes = 0;
    }
    message_head(message, ranks->own, values);
    for (int bit = now->reached / 2; bit >= 1; bit /= 2)
        if (ranks->rank + bit < ranks->ranks) {
            const int code = message_post(ranks, ranks->rank + bit, message, bytes);
            if (code)
                return code;
        }
    return 0;
}

static int exchange_start(Ranks *ranks)
{
    const Range own = {ranks->own.first, ranks->own.end};
    ranks->now.mine = (Piece){own, (const Part *)(ranks->now.memory + sizeof(Header))};
    ranks->now.phase = TREE_UP;
    ranks->now.reached = 1;
    return 0;
}

static int exchange_advance(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    int code = 0;
    if (now->phase == TREE_UP) {
        code = tree_up(ranks);
        if (!code)
            code = tree_turn(ranks);
        now->phase = code ? TREE_UP : TREE_DOWN;
    }
    if (!code && now->phase == TREE_DOWN) {
        code = tree_down(ranks);
        now->phase = code ? TREE_DOWN : TREE_SENT;
    }
    return code ? code : sends_done(ranks);
}
