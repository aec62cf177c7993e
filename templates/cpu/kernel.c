${linkage}void ${entry}(${signature})
{
    const size_t rows_in_all = ${row_count};
$ for l in kernel_lines do
    ${l.text}
$ end
$ if wide then
    if (${wide_when}) { /* few rows: the threads share each row */
        for (size_t r = 0; r < rows_in_all; r++) {
            Row row;
            row_values(&row, ${arguments}, r, 1${extra});
$ if has_outputs then
#pragma omp parallel for schedule(static)
            for (size_t first = 0; first < row.count; first += ${wide_from}) {
                const size_t left = row.count - first;
                const size_t last = first + (left < ${wide_from} ? left : ${wide_from});
$ if streams then
                if (stream) {
                    outputs_stream(&row, 1, first, last);
                    _mm_sfence();
                    continue;
                }
$ end
                outputs(&row, first, last);
            }
$ end
        }
        return;
    }
$ end
$ if rows_in_parallel then
    const size_t at_once = ${rows_at_once};
#pragma omp parallel if (${parallel_when})
    {
#pragma omp for schedule(static)${nowait}
        for (size_t r = 0; r < rows_in_all; r += at_once) {
            Row row[${rows_at_once_most}];
            const size_t end = at_once < rows_in_all - r ? at_once : rows_in_all - r;
            for (size_t i = 0; i < end; i++)
                row_values(&row[i], ${arguments}, r + i, 0${extra});
$ if streams then
            if (stream) {
                outputs_stream(row, end, 0, ${row_size});
                continue;
            }
$ end
$ if turns then
            if (${turns_when} && r % 2 == 1) { /* to and fro: what rows share is met again where it was left */
                outputs_back(row);
                continue;
            }
$ end
$ if has_outputs then
            for (size_t i = 0; i < end; i++)
                outputs(&row[i], 0, row[i].count);
$ end
        }
$ if streams then
        if (stream)
            _mm_sfence(); /* stores around the cache are ordered before the threads meet */
$ end
    }
$ else
    for (size_t r = 0; r < rows_in_all; r++) {
        Row row;
        row_values(&row, ${arguments}, r, 0${extra});
$ if streams then
        if (stream) {
            outputs_stream(&row, 1, 0, ${row_size});
            _mm_sfence();
            continue;
        }
$ end
$ if has_outputs then
        outputs(&row, 0, row.count);
$ end
    }
$ end
}
