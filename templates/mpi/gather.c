/* ---- gather: everybody learns everything ----
 *
 * Dissemination: in round k a rank sends what it knows to the rank 2^k after it, its own block first, then those of the
 * ranks before it; so blocks arrive in that order, one behind the other. */

/* Takes the blocks of a message apart; false where they are not what its header says. */
static int blocks_note(Ranks *ranks, size_t from, size_t end, int known, int wanted)
{
    for (int i = 0; i < wanted; i++) {
        const int rank = (ranks->rank - known - i + ranks->ranks) % ranks->ranks;
        Header *header = &ranks->header[rank];
        if (end - from < sizeof *header)
            return 0;
        memcpy(header, ranks->memory + from, sizeof *header);
        from += sizeof *header;
        if (header->values > (end - from) / sizeof(Part))
            return 0;
        ranks->piece[rank] = (Piece){{header->first, header->end}, (const Part *)(ranks->memory + from)};
        from += header->values * sizeof(Part);
        ranks->place[known + i] = from;
    }
    return from == end;
}

/* One round: `wanted` blocks to the rank `known` after this one, as many from the one before it. */
static int gather_round(Ranks *ranks, int known, int wanted)
{
    const int to = (ranks->rank + known) % ranks->ranks,
              from = (ranks->rank - known + ranks->ranks) % ranks->ranks;
    const size_t used = ranks->place[known - 1], bytes = ranks->place[wanted - 1] - sizeof(Header);
    char *place = ranks->memory + used;
    Header header;
    ranks->own.bytes = bytes;
    ranks->own.all = 0;
    for (int i = 0; i < wanted; i++)
        ranks->own.all += ranks->header[(ranks->rank - i + ranks->ranks) % ranks->ranks].values;
    memcpy(ranks->memory, &ranks->own, sizeof(Header));
    int code = ranks_post_receive(ranks, from, EXCHANGE, place, MESSAGE_WHOLE);
    if (!code)
        code = message_send(ranks, to, ranks->memory, ranks->memory + sizeof(Header), bytes);
    if (!code)
        code = ranks_wait_received(ranks);
    if (code)
        return code;
    memcpy(&header, place, sizeof header);
    if (header.step != ranks->own.step || header.contract != ranks->own.contract ||
        header.bytes > ranks->area - used - sizeof header)
        return CODE_DISAGREE;
    if (!is_whole(header.bytes)) {
        code = ranks_post_receive(ranks, from, TAG_REST, place + sizeof header, header.bytes);
        if (!code)
            code = ranks_wait_received(ranks);
    }
    if (!code)
        code = ranks_wait_sent(ranks);
    if (!code && !blocks_note(ranks, used, used + sizeof header + header.bytes, known, wanted))
        code = CODE_DISAGREE;
    return code;
}

/* Own values lie behind a header at the beginning of the memory; afterwards `piece` has those of all ranks. */
static int gather(Ranks *ranks, size_t values)
{
    const Range own = {ranks->own.first, ranks->own.end};
    ranks->own.values = values;
    ranks->header[ranks->rank] = ranks->own;
    ranks->piece[ranks->rank] = (Piece){own, (const Part *)(ranks->memory + sizeof(Header))};
    ranks->place[0] = sizeof(Header) + values * sizeof(Part);
    for (int known = 1; known < ranks->ranks; known *= 2) {
        const int left = ranks->ranks - known;
        const int code = gather_round(ranks, known, known < left ? known : left);
        if (code)
            return code;
    }
    return headers_verdict(ranks) ? CODE_DISAGREE : 0;
}
$ if allreduces then

/* NEGATIVE CONTROL: the joins between ranks are MPI's, which may make them in any order. */
static int exchange(Ranks *ranks, const Level *level, size_t rows, float *value)
{
    const Range own = {ranks->own.first, ranks->own.end};
    const size_t items = level->items(own, ranks->parts);
    const Part *partial = (const Part *)(ranks->memory + sizeof(Header));
    for (size_t r = 0; r < rows; r++) {
        value[r] = 0;
        for (size_t k = 0; k < items; k++)
            value[r] += partial[k * rows + r];
    }
    const int code = gather(ranks, 0);
    return code ? code : code_of(MPI_Allreduce(MPI_IN_PLACE, value, (int)rows, MPI_FLOAT, MPI_SUM, ranks->comm));
}
$ elseif spreads then

static int exchange(Ranks *ranks, const Level *level, size_t rows, float *value)
{
    const Range own = {ranks->own.first, ranks->own.end};
    const int code = gather(ranks, level->items(own, ranks->parts) * rows);
    if (!code)
        level->finish(ranks->piece, ranks->ranks, ranks->parts, rows, value, ranks->lane);
    return code;
}
$ end
