$ if outputs.vector then
$ for f in outputs.functions do
${f.head}
{
$ for l in f.lines do
    ${l.text}
$ end
}

$ end
$ end
/* Elements first .. last - 1 of the outputs; every element is independent of its neighbours. */
static inline void outputs(const Row *row, size_t first, size_t last)
{
$ for l in outputs.locals do
    ${l.text}
$ end
    size_t i = first;
$ if outputs.vector then
    for (; last - i >= ${outputs.block}; i += ${outputs.block}) {
$ for l in outputs.unrolled do
        ${l.text}
$ end
    }
    for (; last - i >= ${outputs.width}; i += ${outputs.width})
        ${outputs.one}
    if (i < last)
        ${outputs.tail}
$ else
    for (; i < last; i++) {
$ for l in outputs.scalar do
        ${l.text}
$ end
    }
$ end
}
$ if turns then

/* The same from the end: what was read last is still in the first cache. */
static inline void outputs_back(const Row *row)
{
$ for l in outputs.locals do
    ${l.text}
$ end
    const size_t last = row->count;
    size_t i = last - last % ${outputs.width};
    if (i < last)
        ${outputs.tail}
    while (i % ${outputs.block} != 0) {
        i -= ${outputs.width};
        ${outputs.one}
    }
    while (i > 0) {
        i -= ${outputs.block};
$ for l in outputs.unrolled do
        ${l.text}
$ end
    }
}
$ end
$ if outputs.streams then

/* Before and behind what is stored around the cache. */
static inline void outputs_edge(const Row *row, size_t i, size_t last)
{
$ for l in outputs.locals do
    ${l.text}
$ end
    for (; last - i >= ${outputs.width}; i += ${outputs.width})
        ${outputs.one}
    if (i < last)
        ${outputs.tail}
}

/* One block of one row, around the cache; what lies `ahead` of the first row is read by rows that come next. */
static inline void outputs_block(const Row *row, size_t i, const Row *first_row, size_t ahead)
{
$ for l in outputs.locals do
    ${l.text}
$ end
$ for l in outputs.ahead do
    ${l.text}
$ end
$ for l in outputs.stream do
    ${l.text}
$ end
}

/* Elements first .. last - 1 of rows side by side, block by block: what they share is read into the first cache once for all. */
static void outputs_stream(const Row *row, size_t rows, size_t first, size_t last)
{
    size_t at[${rows_at_once_most}], common = last - first, i = 0; /* at: a line of the cache begins there in ${outputs.pointer} */
    for (size_t r = 0; r < rows; r++) {
        const size_t head = -(uintptr_t)(row[r].${outputs.pointer} + first) / sizeof(float) % ${outputs.line};
        at[r] = head < last - first ? first + head : last;
        common = last - at[r] < common ? last - at[r] : common;
        outputs_edge(&row[r], first, at[r]);
    }
    for (; common - i >= ${outputs.stream_block}; i += ${outputs.stream_block})
        for (size_t r = 0; r < rows; r++)
            outputs_block(&row[r], at[r] + i, row, rows * (row->count + first + i) + r * ${outputs.stream_block});
    for (size_t r = 0; r < rows; r++)
        outputs_edge(&row[r], at[r] + i, last);
}
$ end
