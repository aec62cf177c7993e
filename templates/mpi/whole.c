/* Nothing is exchanged but headers: whether all ranks mean the same call. */
static int ranks_agree(MPI_Comm comm, uint64_t sizes, size_t size, size_t first, size_t count)
{
    Ranks *ranks;
    Range range;
    int code = ranks_of(comm, &ranks);
    if (code)
        return code;
    const int status = range_of(first, count, size, 1, &range);
    ranks_begin(ranks, sizes, range, size, status);
    ranks->area = (size_t)ranks->ranks * sizeof(Header);
    code = ranks_reserve(ranks, ranks->area);
    if (code && !status)
        ranks->own.status = (uint32_t)code;
    if (ranks->own.status)
        return ranks_fail(ranks);
    ranks->now = (Exchange){.memory = ranks->memory, .code = CODE_PENDING};
    code = exchange_start(ranks);
    ranks->now.code = code ? code : CODE_PENDING;
    return exchange_finish(ranks);
}

int ${symbol}(${mpi_signature})
{
    const uint64_t words[] = {${words}};
    const int code = ranks_agree(comm, words_digest(words, sizeof words / sizeof *words), ${axis_size}, first, count);
    if (!code)
        own_rows(${arguments});
    return code;
}
