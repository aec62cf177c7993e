/* Row r, as far as the exchanges before `level` tell: nothing of a reduction that is not known yet is used. */
static inline void row_values(Row *row, ${signature}, size_t r, const int level, const float *known)
{
$ for l in row_lines do
    ${l.text}
$ end
}
