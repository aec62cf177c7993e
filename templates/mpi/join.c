$ if k.nodes then
/* Rows at .. at + count - 1 of the nodes of ranges that follow one another, joined as far as both halves of one are there.
 * What is left lies at left[0 ..]; their number is returned. */
static int ${k.name}_join_nodes(const Piece *piece, int pieces, size_t parts, size_t rows, size_t at, size_t count,
    Part (*joined)[TILE], const Part **left)
{
    Node node[JOINED];
    int depth = 0;
    for (int s = 0; s < pieces; s++) {
        const Part *from = piece[s].at + at;
        for (size_t first = piece[s].range.first; first < piece[s].range.end; from += rows) {
            Node next = node_at(first, piece[s].range.end, parts);
            const Part *q = from;
            first = node_end(next, parts);
            for (; next.x & 1 && depth > 0 && node[depth - 1].x == next.x - 1 && node[depth - 1].y == next.y; depth--) {
                const Part *p = left[depth - 1];
                Part *to = joined[depth - 1];
                for (size_t i = 0; i < count; i++)
                    to[i] = ${k.join_values};
                q = to;
                next = node_risen((Node){next.x >> 1, next.y + 1}, parts);
            }
            node[depth] = next;
            left[depth++] = q;
        }
    }
    return depth;
}

static void ${k.name}_finish_nodes(const Piece *piece, int pieces, size_t parts, size_t rows, float *value)
{
#pragma omp parallel for schedule(static) if (rows >= 32768)
    for (size_t at = 0; at < rows; at += TILE) {
        Part joined[JOINED][TILE];
        const Part *left[JOINED];
        const size_t count = rows - at < TILE ? rows - at : TILE;
        const int nodes = ${k.name}_join_nodes(piece, pieces, parts, rows, at, count, joined, left);
        for (size_t i = 0; i < count; i++)
            value[at + i] = nodes ? (float)left[0][i] : (float)${k.start};
    }
}

$ if merges then
static void ${k.name}_merge_nodes(const Piece *piece, int pieces, size_t parts, size_t rows, Part *to)
{
    for (size_t at = 0; at < rows; at += TILE) {
        Part joined[JOINED][TILE];
        const Part *left[JOINED];
        const size_t count = rows - at < TILE ? rows - at : TILE;
        const int nodes = ${k.name}_join_nodes(piece, pieces, parts, rows, at, count, joined, left);
        for (int k = 0; k < nodes; k++)
            memcpy(to + (size_t)k * rows + at, left[k], count * sizeof(Part));
    }
}

$ end
$ end
$ if k.one then
/* One value of each range that is not empty; `to` gets their ${k.name}, and true is returned when there is one. */
static int ${k.name}_join_one(const Piece *piece, int pieces, size_t at, size_t count, float *to)
{
    int any = 0;
    for (int s = 0; s < pieces; s++) {
        if (piece[s].range.first == piece[s].range.end)
            continue;
        for (size_t i = 0; i < count; i++) {
            const float q = (float)piece[s].at[at + i], p = any ? to[i] : q;
            to[i] = any ? ${k.join_one} : q;
        }
        any = 1;
    }
    return any;
}

static void ${k.name}_finish_one(const Piece *piece, int pieces, size_t parts, size_t rows, float *value)
{
    (void)parts;
    if (!${k.name}_join_one(piece, pieces, 0, rows, value))
        for (size_t i = 0; i < rows; i++)
            value[i] = ${k.start};
}

$ if merges then
static void ${k.name}_merge_one(const Piece *piece, int pieces, size_t parts, size_t rows, Part *to)
{
    (void)parts;
    for (size_t at = 0; at < rows; at += TILE) {
        float joined[TILE];
        const size_t count = rows - at < TILE ? rows - at : TILE;
        if (${k.name}_join_one(piece, pieces, at, count, joined))
            for (size_t i = 0; i < count; i++)
                to[at + i] = joined[i];
    }
}

$ end
$ end
