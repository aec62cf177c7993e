void ${symbol}(${signature})
{
    const size_t rows_in_all = ${row_count};
$ for l in kernel_lines do
    ${l.text}
$ end
$ if wide then
    if (${wide_when}) { /* few rows: the threads share each row */
        for (size_t r = 0; r < rows_in_all; r++)
            one_row(${arguments}, r, 1${stream_argument});
        return;
    }
$ end
$ if rows_in_parallel then
#pragma omp parallel if (${parallel_when})
    {
#pragma omp for schedule(static)${nowait}
        for (size_t r = 0; r < rows_in_all; r++)
            one_row(${arguments}, r, 0${stream_argument});
$ if streams then
        if (stream)
            _mm_sfence(); /* stores around the cache are ordered before the threads meet */
$ end
    }
$ else
    for (size_t r = 0; r < rows_in_all; r++)
        one_row(${arguments}, r, 0${stream_argument});
$ end
}
