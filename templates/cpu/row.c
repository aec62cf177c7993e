/* Reductions of row r, and what depends on nothing else. */
static inline void row_values(Row *row, ${signature}, size_t r, const int wide${extra_params})
{
$ for l in row_lines do
    ${l.text}
$ end
}
