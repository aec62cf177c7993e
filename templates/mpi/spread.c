$ for v in levels do
/* Own partials of ${v.text}: rows from .. end - 1 of a block. */
static void level${v.index}_rows(const Call *call, const Block *block, size_t from, size_t end, ${signature})
{
    const size_t items = level${v.index}_items(call->own.range, call->own.parts);
#pragma omp parallel if (block->spread)
    {
        Tile tile = {0, 0, 0};
#pragma omp for schedule(static)
        for (size_t i = from; i < end; i++) {
            Row row;
            float known[REDUCTIONS];
            tile_follow(call, block, i, &tile);
            row_values(&row, ${arguments}, block->at + i, ${v.index}, known_at(call, block, i, tile, ${v.index}, known));
            level${v.index}_own(&row, call->own, own_place(block, items, i, tile), tile.rows, block->wide);
        }
    }
}

$ end
$ if has_outputs then
/* The threads share one row. */
static void outputs_wide(const Row *row${stream_param})
{
#pragma omp parallel for schedule(static)
    for (size_t begin = 0; begin < row->count; begin += ${wide_from}) {
        const size_t left = row->count - begin, end = begin + (left < ${wide_from} ? left : ${wide_from});
$ if streams then
        if (stream) {
            outputs_stream(row, 1, begin, end);
            _mm_sfence();
            continue;
        }
$ end
        outputs(row, begin, end);
    }
}

$ end
/* All exchanges are over: rows from .. end - 1 of a block. */
static void outputs_rows(const Call *call, const Block *block, size_t from, size_t end, ${signature})
{
$ if streams then
    const size_t rows_in_all = call->rows_in_all;
$ end
$ for l in kernel_lines do
    ${l.text}
$ end
#pragma omp parallel if (block->spread)
    {
        Tile tile = {0, 0, 0};
#pragma omp for schedule(static)${nowait}
        for (size_t i = from; i < end; i++) {
            Row row;
            float known[REDUCTIONS];
            tile_follow(call, block, i, &tile);
            row_values(&row, ${arguments}, block->at + i, LEVELS, known_at(call, block, i, tile, LEVELS, known));
$ if has_outputs then
            if (block->wide)
                outputs_wide(&row${stream_argument});
$ if streams then
            else if (stream)
                outputs_stream(&row, 1, 0, row.count);
$ end
            else
                outputs(&row, 0, row.count);
$ end
        }
$ if streams then
        if (stream)
            _mm_sfence(); /* stores around the cache are ordered before the threads meet */
$ end
    }
}

$ if overlaps then
/* ---- two blocks in turn: while one's values travel the other one is computed ---- */

/* So many rows, then a look at what has come: few enough that it does not wait, enough for all threads. */
static inline size_t slice_end(const Block *block, size_t from)
{
    const size_t least = block->spread ? 4 * threads_most() : 1, eighth = block->rows / 8;
    const size_t slice = eighth > least ? eighth : least;
    return slice < block->rows - from ? from + slice : block->rows;
}

static void block_step(const Call *call, const Block *block, ${signature})
{
    for (size_t from = 0, end; from < block->rows; from = end) {
        end = slice_end(block, from);
        switch (block->level) {
$ for v in levels do
        case ${v.index}:
            level${v.index}_rows(call, block, from, end, ${arguments});
            break;
$ end
        default:
            outputs_rows(call, block, from, end, ${arguments});
        }
        exchange_poll(call->ranks);
    }
}

static int blocks_run(Call *call, ${signature})
{
    static const Level *const levels[] = {${level_list}};
    Block *now = &call->block[0], *other = &call->block[1];
    size_t at = 0;
    now->level = other->level = LEVELS + 1;
    call->ranks->now.code = 0; /* nothing is under way */
    for (int first = 1; first || at < call->rows_in_all || now->level <= LEVELS || other->level <= LEVELS; first = 0) {
        if (now->level > LEVELS && (first || at < call->rows_in_all)) {
            block_take(call, now, at);
            at += now->rows;
            now->level = 0;
        }
        if (now->level <= LEVELS)
            block_step(call, now, ${arguments});
        const int code = exchange_finish(call->ranks); /* the other block's */
        if (code)
            return code;
        if (now->level < LEVELS)
            block_exchange_start(call, now, levels[now->level]);
        now->level += now->level <= LEVELS;
        Block *next = other;
        other = now;
        now = next;
    }
    return exchange_finish(call->ranks);
}
$ else
static int blocks_run(Call *call, ${signature})
{
    Block *block = &call->block[0];
    int code = 0;
    for (size_t at = 0; at == 0 || at < call->rows_in_all; at += call->most) {
        block_take(call, block, at);
$ for v in levels do
        level${v.index}_rows(call, block, 0, block->rows, ${arguments});
        block_exchange_start(call, block, &level${v.index});
        code = exchange_finish(call->ranks);
        if (code)
            return code;
$ end
        outputs_rows(call, block, 0, block->rows, ${arguments});
    }
    return code;
}
$ end

int ${symbol}(${mpi_signature})
{
    const uint64_t words[] = {${words}};
    Call call;
    const int code = call_begin(&call, comm, words_digest(words, sizeof words / sizeof *words), ${row_count}, ${axis_size}, first, count);
    return code ? code : blocks_run(&call, ${arguments});
}
