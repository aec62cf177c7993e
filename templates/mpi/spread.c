int ${symbol}(${mpi_signature})
{
    const size_t rows_in_all = ${row_count};
    const uint64_t words[] = {${words}};
    Call call;
    int code = call_begin(&call, comm, words_digest(words, sizeof words / sizeof *words), rows_in_all, ${axis_size}, first, count);
    if (code)
        return code;
$ for l in kernel_lines do
    ${l.text}
$ end
    for (size_t at = 0; at == 0 || at < rows_in_all; at += call.most) {
        call_block(&call, at);
$ for v in levels do
        const size_t items${v.index} = level${v.index}_items(call.own.range, call.own.parts);
#pragma omp parallel if (call.spread)
        {
            Tile tile = {0, 0};
#pragma omp for schedule(static)
            for (size_t i = 0; i < call.rows; i++) {
                Row row;
                float known[REDUCTIONS];
                tile_follow(&call, i, &tile);
                row_values(&row, ${arguments}, at + i, ${v.index}, known_at(&call, i, tile, ${v.index}, known));
                level${v.index}_own(&row, call.own, own_place(&call, items${v.index}, i, tile), tile.rows, call.wide);
            }
        }
        code = call_exchange(&call, &level${v.index}, ${v.before});
        if (code)
            return code;
$ end
#pragma omp parallel if (call.spread)
        {
            Tile tile = {0, 0};
#pragma omp for schedule(static)${nowait}
            for (size_t i = 0; i < call.rows; i++) {
                Row row;
                float known[REDUCTIONS];
                tile_follow(&call, i, &tile);
                row_values(&row, ${arguments}, at + i, ${#levels}, known_at(&call, i, tile, ${#levels}, known));
$ if has_outputs then
                if (!call.wide) {
$ if streams then
                    if (stream) {
                        outputs_stream(&row, 1, 0, row.count);
                        continue;
                    }
$ end
                    outputs(&row, 0, row.count);
                    continue;
                }
#pragma omp parallel for schedule(static)
                for (size_t begin = 0; begin < row.count; begin += ${wide_from}) {
                    const size_t left = row.count - begin;
                    const size_t end = begin + (left < ${wide_from} ? left : ${wide_from});
$ if streams then
                    if (stream) {
                        outputs_stream(&row, 1, begin, end);
                        _mm_sfence();
                        continue;
                    }
$ end
                    outputs(&row, begin, end);
                }
$ end
            }
$ if streams then
            if (stream)
                _mm_sfence(); /* stores around the cache are ordered before the threads meet */
$ end
        }
    }
    return 0;
}
