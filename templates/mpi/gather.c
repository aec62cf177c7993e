/* ---- gather: everybody learns everything ----
 *
 * Dissemination: in round k a rank sends what it knows to the rank 2^k after it, its own block first, then those of the
 * ranks before it; so blocks arrive in that order, one behind the other. */
$ if spreads then

static inline size_t exchange_area(size_t ranks, size_t items, size_t rows)
{
    return ranks * sizeof(Header) + items * rows * sizeof(Part);
}
$ end

/* Takes the blocks of a message apart; false where they are not what its header says. */
static int blocks_note(Ranks *ranks, size_t from, size_t end, int wanted)
{
    const int known = ranks->now.reached;
    for (int i = 0; i < wanted; i++) {
        const int rank = (ranks->rank - known - i + ranks->ranks) % ranks->ranks;
        Header *header = &ranks->header[rank];
        if (end - from < sizeof *header)
            return 0;
        memcpy(header, ranks->now.memory + from, sizeof *header);
        memset(ranks->now.memory + from, 0, sizeof header->mark); /* passed on, it begins no message */
        from += sizeof *header;
        if (header->values > (end - from) / sizeof(Part))
            return 0;
        ranks->piece[rank] = (Piece){{header->first, header->end}, (const Part *)(ranks->now.memory + from)};
        from += header->values * sizeof(Part);
        ranks->place[known + i] = from;
    }
    return from == end;
}

/* Blocks that a round brings. */
static inline int gather_wanted(const Ranks *ranks)
{
    const int known = ranks->now.reached, left = ranks->ranks - known;
    return known < left ? known : left;
}

/* Begins a round: as many blocks as it brings, to the rank `reached` after this one. */
static int gather_post(Ranks *ranks)
{
    const int wanted = gather_wanted(ranks), to = (ranks->rank + ranks->now.reached) % ranks->ranks;
    size_t values = 0;
    if (!wanted)
        return 0;
    for (int i = 0; i < wanted; i++)
        values += ranks->header[(ranks->rank - i + ranks->ranks) % ranks->ranks].values;
    message_head(ranks->now.memory, ranks->own, values);
    return message_post(ranks, to, ranks->now.memory, ranks->place[wanted - 1] - sizeof(Header));
}

/* The blocks of a round, behind those that are here. */
static int gather_take(Ranks *ranks)
{
    Exchange *now = &ranks->now;
    const int from = (ranks->rank - now->reached + ranks->ranks) % ranks->ranks;
    const size_t used = ranks->place[now->reached - 1];
    Header header;
    int code = message_take(ranks, from, now->memory + used, ranks->area - used);
    if (!code)
        code = sends_done(ranks);
    if (code)
        return code;
    memcpy(&header, now->memory + used, sizeof header);
    if (header.step != ranks->own.step || header.contract != ranks->own.contract ||
        !blocks_note(ranks, used, used + (size_t)now->bytes, gather_wanted(ranks)))
        return CODE_DISAGREE;
    now->bytes = 0;
    return 0;
}

/* Own values lie behind a header at the beginning of the memory. */
static int gather_begin(Ranks *ranks, size_t values)
{
    const Range own = {ranks->own.first, ranks->own.end};
    ranks->own.values = values;
    ranks->header[ranks->rank] = ranks->own;
    ranks->piece[ranks->rank] = (Piece){own, (const Part *)(ranks->now.memory + sizeof(Header))};
    ranks->place[0] = sizeof(Header) + values * sizeof(Part);
    ranks->now.reached = 1;
    return gather_post(ranks);
}

/* At the end `piece` has the blocks of all ranks. */
static int gather_advance(Ranks *ranks)
{
    while (ranks->now.reached < ranks->ranks) {
        int code = gather_take(ranks);
        if (code)
            return code;
        ranks->now.reached += gather_wanted(ranks);
        code = gather_post(ranks);
        if (code)
            return code;
    }
    return headers_verdict(ranks) ? CODE_DISAGREE : 0;
}
$ if allreduces then

/* NEGATIVE CONTROL: the joins between ranks are MPI's, which may make them in any order. */
static int exchange_start(Ranks *ranks)
{
    const Range own = {ranks->own.first, ranks->own.end};
    const Tile all = tile_of_all(ranks->now.rows);
    const size_t items = ranks->now.level->items(own, ranks->parts);
    const Part *partial = (const Part *)(ranks->now.memory + sizeof(Header));
    float *value = tile_values(&ranks->now, all);
    for (size_t r = 0; r < ranks->now.rows; r++) {
        value[r] = 0;
        for (size_t k = 0; k < items; k++)
            value[r] += partial[k * ranks->now.rows + r];
    }
    return gather_begin(ranks, 0);
}

static int exchange_advance(Ranks *ranks)
{
    const int code = gather_advance(ranks);
    float *value = tile_values(&ranks->now, tile_of_all(ranks->now.rows));
    return code ? code
                : code_of(MPI_Allreduce(MPI_IN_PLACE, value, (int)ranks->now.rows, MPI_FLOAT, MPI_SUM, ranks->comm));
}
$ elseif spreads then

static int exchange_start(Ranks *ranks)
{
    const Range own = {ranks->own.first, ranks->own.end};
    return gather_begin(ranks, ranks->now.level->items(own, ranks->parts) * ranks->now.rows);
}

static int exchange_advance(Ranks *ranks)
{
    const Exchange *now = &ranks->now;
    const int code = gather_advance(ranks);
    if (!code)
        now->level->finish(ranks->piece, ranks->ranks, ranks->parts, now->rows,
                           tile_values(now, tile_of_all(now->rows)), ranks->lane);
    return code;
}
$ else

/* Nothing is exchanged but headers. */
static int exchange_start(Ranks *ranks)
{
    return gather_begin(ranks, 0);
}

static int exchange_advance(Ranks *ranks)
{
    return gather_advance(ranks);
}
$ end
