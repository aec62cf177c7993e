/* ---- tree: up a binomial tree in rank order, and down the same one ----
 *
 * The ranks below rank r hold ranges that follow its own one after another, so each step joins neighbours. */

/* The message of `from` into the slot, its payload of `bytes` bytes to `to`. */
static int tree_receive(Ranks *ranks, int from, Header *header, void *to, size_t room)
{
    int code = ranks_post_receive(ranks, from, EXCHANGE, ranks->slot, MESSAGE_WHOLE);
    if (!code)
        code = ranks_wait_received(ranks);
    if (code)
        return code;
    memcpy(header, ranks->slot, sizeof *header);
    if (header->contract != ranks->own.contract || header->sizes != ranks->own.sizes ||
        header->step != ranks->own.step || header->bytes > room)
        return CODE_DISAGREE;
    if (is_whole(header->bytes)) {
        memcpy(to, ranks->slot + sizeof *header, header->bytes);
        return 0;
    }
    code = ranks_post_receive(ranks, from, TAG_REST, to, header->bytes);
    return code ? code : ranks_wait_received(ranks);
}

static int tree_send(Ranks *ranks, int to, Range range, size_t values, const void *payload, size_t bytes)
{
    Header header = ranks->own;
    header.first = range.first;
    header.end = range.end;
    return message_send(ranks, to, message_make(ranks->slot + MESSAGE_WHOLE, header, values, payload, bytes), payload, bytes);
}

/* Joins what the rank `child` and those below it hold to `mine`, in another part of the memory. */
static int tree_join(Ranks *ranks, const Level *level, int child, size_t rows, Piece *mine)
{
    Header header;
    const size_t room = ranks->area / sizeof(Part);
    Part *const area = (Part *)ranks->memory, *const from = area + 2 * room;
    Part *to = mine->at == area ? area + room : area;
    const int code = tree_receive(ranks, child, &header, from, room * sizeof(Part));
    if (code)
        return code;
    const Range range = {header.first, header.end};
    if (range.first != mine->range.end || range.end < range.first || range.end > ranks->parts ||
        header.bytes != level->items(range, ranks->parts) * rows * sizeof(Part))
        return CODE_DISAGREE;
    Piece both[2] = {*mine, {range, from}};
    level->merge(both, 2, ranks->parts, rows, to);
    *mine = (Piece){{mine->range.first, range.end}, to};
    return 0;
}

static int tree_up(Ranks *ranks, const Level *level, size_t rows, float *value, int *bit)
{
    Piece mine = {{ranks->own.first, ranks->own.end}, (const Part *)ranks->memory};
    for (*bit = 1; *bit < ranks->ranks && !(ranks->rank & *bit); *bit *= 2) {
        const int child = ranks->rank + *bit;
        const int code = child < ranks->ranks ? tree_join(ranks, level, child, rows, &mine) : 0;
        if (code)
            return code;
    }
    if (ranks->rank) {
        const size_t values = level->items(mine.range, ranks->parts) * rows;
        const int code =
            tree_send(ranks, ranks->rank - *bit, mine.range, values, mine.at, values * sizeof(Part));
        return code ? code : ranks_wait_sent(ranks);
    }
    if (mine.range.first != 0 || mine.range.end != ranks->parts)
        return CODE_DISAGREE;
    level->finish(&mine, 1, ranks->parts, rows, value, ranks->lane);
    return 0;
}

/* The results of all rows, level->reductions values each. */
static int tree_down(Ranks *ranks, const Level *level, size_t rows, float *value, int bit)
{
    const size_t values = level->reductions * rows, bytes = values * sizeof(float);
    const Range all = {0, ranks->parts};
    Header header;
    if (ranks->rank) {
        const int code = tree_receive(ranks, ranks->rank - bit, &header, value, bytes);
        if (code)
            return code;
    }
    for (bit /= 2; bit >= 1; bit /= 2)
        if (ranks->rank + bit < ranks->ranks) {
            const int code = tree_send(ranks, ranks->rank + bit, all, values, value, bytes);
            if (code)
                return code;
        }
    return ranks_wait_sent(ranks);
}

static int exchange(Ranks *ranks, const Level *level, size_t rows, float *value)
{
    int bit;
    const int code = tree_up(ranks, level, rows, value, &bit);
    return code ? code : tree_down(ranks, level, rows, value, bit);
}
