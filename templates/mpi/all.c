$ if merges then
/* All partials of ranges that follow one another are those of the range that they make. */
static void all_merge(const Piece *piece, int pieces, size_t parts, size_t rows, Part *to)
{
    for (int s = 0; s < pieces; s++) {
        const size_t values = all_of(piece[s].range, parts) * rows;
        if (values)
            memcpy(to, piece[s].at, values * sizeof(Part));
        to += values;
    }
}

$ end
/* The partials of one row, in index order. */
static inline void all_of_row(const Piece *piece, int pieces, size_t rows, size_t r, Part *lane)
{
    for (int s = 0; s < pieces; s++) {
        const size_t items = piece[s].range.end - piece[s].range.first;
        for (size_t k = 0; k < items; k++)
            *lane++ = piece[s].at[k * rows + r];
    }
}
