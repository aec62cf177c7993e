/* ---- one call ---- */

/* FNV-1a over the words of sizes and parameters. */
static uint64_t words_digest(const uint64_t *word, size_t words)
{
    uint64_t digest = 0xcbf29ce484222325u;
    for (size_t i = 0; i < words; i++)
        for (int shift = 0; shift < 64; shift += 8)
            digest = (digest ^ (word[i] >> shift & 0xff)) * 0x100000001b3u;
    return digest;
}

$ if has_params then
static inline uint64_t float_word(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

$ end
/* The parts of indices first .. first + count - 1 of `size`. */
static int range_of(size_t first, size_t count, size_t size, size_t part, Range *range)
{
    const size_t parts = size / part + (size % part > 0);
    *range = (Range){0, 0};
    if (first > size || count > size - first)
        return CODE_CUT;
    const size_t end = first + count;
    if ((first % part && first < size) || (end % part && end < size))
        return CODE_CUT;
    range->first = first == size ? parts : first / part;
    range->end = end == size ? parts : end / part;
    return 0;
}

static void ranks_begin(Ranks *ranks, uint64_t sizes, Range range, size_t parts, int status)
{
    ranks->calls++;
    ranks->crowded = ranks->here * omp_get_max_threads() > ranks->processors;
    ranks->parts = parts;
    ranks->own = (Header){.mark = message_mark,
                          .contract = contract_digest,
                          .sizes = sizes,
                          .first = range.first,
                          .end = range.end,
                          .schedule = SCHEDULE,
                          .status = (uint32_t)status};
}
