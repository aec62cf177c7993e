static inline void one_row(${signature}, size_t r, const int wide${stream_param})
{
$ for l in row_lines do
    ${l.text}
$ end
}
