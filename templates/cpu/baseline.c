$ for line in head do
${line}
$ end
#include <math.h>
#include <stddef.h>

static inline void one_row(${row_signature})
{
$ for l in row_lines do
    ${l.text}
$ end
}

void ${symbol}(${signature})
{
    const size_t rows_in_all = ${row_count};
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows_in_all; r++) {
$ for l in index_lines do
        ${l.text}
$ end
        one_row(${row_arguments});
    }
}
