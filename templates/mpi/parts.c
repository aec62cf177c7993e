/* ---- what a rank says about a range of parts ---- */

$ if counts_nodes then
/* Node (x, y) of the pairwise tree stands for parts x 2^y .. (x + 1) 2^y - 1, as far as there are parts. Who holds all parts
 * of a node joins them; of any range at most 2 ceil(log2(parts)) nodes are left. */
typedef struct Node {
    size_t x;
    unsigned y;
} Node;

/* An even last node has no neighbour and moves up unchanged. */
static inline Node node_risen(Node node, size_t parts)
{
    while (node.x > 0 && !(node.x & 1) && node.x == (parts - 1) >> node.y)
        node = (Node){node.x >> 1, node.y + 1};
    return node;
}

static inline size_t node_end(Node node, size_t parts)
{
    const size_t last = (parts - 1) >> node.y; /* the last node of this level ends with the parts */
    return node.x >= last ? parts : (node.x + 1) << node.y;
}

/* The largest node that begins at part `first` and ends at `end` at the latest. */
static inline Node node_at(size_t first, size_t end, size_t parts)
{
    Node node = node_risen((Node){first, 0}, parts);
    while (!(node.x & 1) && node.x < (parts - 1) >> node.y) {
        const Node parent = node_risen((Node){node.x >> 1, node.y + 1}, parts);
        if (node_end(parent, parts) > end)
            break;
        node = parent;
    }
    return node;
}

static inline size_t nodes_of(Range range, size_t parts)
{
    size_t nodes = 0;
    for (size_t first = range.first; first < range.end; nodes++)
        first = node_end(node_at(first, range.end, parts), parts);
    return nodes;
}

$ end
$ if counts_all then
static inline size_t all_of(Range range, size_t parts)
{
    (void)parts;
    return range.end - range.first;
}

$ end
$ if counts_one then
static inline size_t one_of(Range range, size_t parts)
{
    (void)parts;
    return range.end > range.first;
}

$ end
/* Own indices, as parts. */
typedef struct Own {
    Range range;
    size_t parts, part;
$ if counts_nodes then
    const Range *node; /* the parts of each own node, from the first own one on: the same for every row */
    size_t nodes;
$ end
} Own;

$ if counts_nodes then
static size_t nodes_list(Range own, size_t parts, Range *node)
{
    size_t nodes = 0;
    for (size_t first = own.first; first < own.end; nodes++) {
        const size_t end = node_end(node_at(first, own.end, parts), parts);
        node[nodes] = (Range){first - own.first, end - own.first};
        first = end;
    }
    return nodes;
}

$ end

/* Rows that are finished together: all of a block, or one rank's share of it. `heads` headers lie before its values, the
 * last of them its own. */
typedef struct Tile {
    size_t first, rows, heads;
} Tile;

$ if scatters then
static inline Tile tile_of(size_t rows, int rank, int ranks)
{
    const size_t first = rows * (size_t)rank / (size_t)ranks, end = rows * ((size_t)rank + 1) / (size_t)ranks;
    return (Tile){first, end - first, (size_t)rank + 1};
}
$ else
static inline Tile tile_of_all(size_t rows)
{
    return (Tile){0, rows, 1};
}
$ end

/* Reductions whose values travel together. */
typedef struct Level {
    size_t index, before, reductions; /* before: reductions of the levels before it */
    size_t (*items)(Range range, size_t parts); /* values per row that a range has */
$ if merges then
    void (*merge)(Piece *piece, int pieces, size_t parts, size_t rows, Part *to);
$ end
    void (*finish)(Piece *piece, int pieces, size_t parts, size_t rows, float *value, Part *lane);
} Level;

/* Where the results of a tile's rows lie. */
static inline float *tile_values(const Exchange *now, Tile tile)
{
    return now->value + tile.heads * HEAD_FLOATS + now->level->reductions * tile.first;
}

enum { TILE = 64, JOINED = 128, PANEL = ${panel} };
