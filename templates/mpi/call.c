/* ---- one call: blocks of rows ---- */

/* Rows whose values travel together. */
typedef struct Block {
    size_t at, rows;
$ if overlaps then
    size_t level;     /* what is next: the exchange of that level; behind all of them the outputs, behind those nothing */
$ end
    char *memory;     /* of its exchanges; begins with a header and own partials */
    float *value;     /* results of its reductions */
    int wide, spread; /* the threads share each row; each has rows of its own */
} Block;

enum {
    BLOCK_PARTIALS = 32 << 20, /* bytes of everyone's partials of all blocks under way */
    BLOCK_CACHE = 512 << 10,   /* bytes of these blocks that a later pass reads again */
    BLOCKS = ${blocks},
    LEVELS = ${#levels},
    REDUCTIONS = ${reduction_count}
};

typedef struct Call {
    Ranks *ranks;
    Own own;
$ if counts_nodes then
    Range node[JOINED];
$ end
    size_t rows_in_all, count; /* count: own indices of the axis */
    size_t most;               /* rows of a block: from sizes and the number of ranks alone, never from the cut */
    Block block[BLOCKS];
} Call;

$ if counts_nodes then
/* At most so many nodes have all ranks together. */
static size_t nodes_most(size_t parts, size_t ranks)
{
    size_t each = 0;
    while (each < 63 && parts > (size_t)1 << each)
        each++;
    each = each ? 2 * each : 1;
    return each < parts / ranks ? each * ranks : parts;
}

$ end
/* Values that all ranks together send for one row, in any exchange. */
static size_t items_most(size_t parts, size_t ranks)
{
    size_t most = 0;
    (void)parts;
$ if not counts_one then
    (void)ranks;
$ end
$ for m in mosts do
    if (most < ${m})
        most = ${m};
$ end
    return most;
}

static size_t block_rows(size_t rows_in_all, size_t size, size_t items, size_t ranks)
{
    size_t rows = BLOCK_PARTIALS / BLOCKS / (items * sizeof(Part) + REDUCTIONS * sizeof(float));
$ if reads_again then
    const size_t again = BLOCK_CACHE / BLOCKS / ((size / ranks + 1) * ${reads_again_bytes});
    rows = rows < again ? rows : again;
$ else
    (void)size, (void)ranks;
$ end
$ if overlaps then
    const size_t eighth = rows_in_all / 8; /* of few blocks little overlaps */
    rows = rows < eighth ? rows : eighth;
$ end
    rows = rows < rows_in_all ? rows : rows_in_all;
    return rows ? rows : 1;
}

/* Tiles that the rows of a block make. */
static inline size_t tiles_of(const Call *call)
{
$ if scatters then
    return (size_t)call->ranks->ranks;
$ else
    (void)call;
    return 1;
$ end
}

/* Floats of a block's results: room for a header before each tile of each level. */
static inline size_t values_most(const Call *call)
{
    return call->most * REDUCTIONS + LEVELS * tiles_of(call) * HEAD_FLOATS;
}

static int call_reserve(Call *call, size_t size)
{
    Ranks *ranks = call->ranks;
    const size_t parts = call->own.parts, many = (size_t)ranks->ranks, items = items_most(parts, many);
    if (items > (INT_MAX - many * sizeof(Header)) / sizeof(Part))
        return CODE_TOO_LARGE;
    call->most = block_rows(call->rows_in_all, size, items, many);
    ranks->area = (exchange_area(many, items, call->most) + 63) / 64 * 64;
    const size_t each = ranks->area + (values_most(call) * sizeof(float) + 63) / 64 * 64;
    const int code = ranks_reserve(ranks, BLOCKS * each + ${lanes_at_once} * sizeof(Part));
    if (code)
        return code;
    ranks->lane = (Part *)(ranks->memory + BLOCKS * each);
    for (size_t b = 0; b < BLOCKS; b++) {
        call->block[b].memory = ranks->memory + b * each;
        call->block[b].value = (float *)(call->block[b].memory + ranks->area);
    }
    return 0;
}

static int call_begin(Call *call, MPI_Comm comm, uint64_t sizes, size_t rows_in_all, size_t size, size_t first, size_t count)
{
    *call = (Call){.rows_in_all = rows_in_all, .count = count};
    int status = ranks_of(comm, &call->ranks);
    if (status)
        return status;
    call->own.part = ${part};
    call->own.parts = size / call->own.part + (size % call->own.part > 0);
    status = range_of(first, count, size, call->own.part, &call->own.range);
$ if counts_nodes then
    call->own.node = call->node;
    call->own.nodes = nodes_list(call->own.range, call->own.parts, call->node);
$ end
    ranks_begin(call->ranks, sizes, call->own.range, call->own.parts, status);
    if (!status)
        status = call_reserve(call, size);
    call->ranks->own.status = (uint32_t)status;
    return status ? ranks_fail(call->ranks) : 0;
}

static void block_take(const Call *call, Block *block, size_t at)
{
    const size_t left = call->rows_in_all - at;
    block->at = at;
    block->rows = left < call->most ? left : call->most;
    block->wide = block->rows < threads_most() && call->count >= ${wide_from};
    block->spread = !block->wide && block->rows > 1 && block->rows * call->count >= ${parallel_from};
}

/* Own partials of the level are there. */
static void block_exchange_start(const Call *call, const Block *block, const Level *level)
{
    Ranks *ranks = call->ranks;
    ranks->own.step++;
    ranks->now = (Exchange){.level = level, .rows = block->rows, .memory = block->memory};
    ranks->now.value = block->value + level->before * block->rows + level->index * tiles_of(call) * HEAD_FLOATS;
    const int code = exchange_start(ranks);
    ranks->now.code = code ? code : CODE_PENDING;
}

/* The tile of row r; rows of a tile have their values side by side. */
static inline Tile tile_with(const Call *call, const Block *block, size_t r)
{
$ if scatters then
    const size_t ranks = (size_t)call->ranks->ranks;
    return tile_of(block->rows, (int)(((r + 1) * ranks - 1) / block->rows), call->ranks->ranks);
$ else
    (void)call, (void)r;
    return tile_of_all(block->rows);
$ end
}

/* Divisions, so not for every row: the next one is mostly in the same tile. */
static inline void tile_follow(const Call *call, const Block *block, size_t r, Tile *tile)
{
    if (r - tile->first >= tile->rows)
        *tile = tile_with(call, block, r);
}

static inline Part *own_place(const Block *block, size_t items, size_t r, Tile tile)
{
    return (Part *)block->memory + tile.heads * HEAD + items * tile.first + (r - tile.first);
}

/* Results of the exchanges before `level`. */
static inline const float *known_at(const Call *call, const Block *block, size_t r, Tile tile, size_t level, float *known)
{
    const size_t place = r - tile.first, tiles = tiles_of(call);
$ for k in known do
    if (level > ${k.level})
        known[${k.index}] = block->value[${k.before} * block->rows + (${k.level} * tiles + tile.heads) * HEAD_FLOATS +
                              ${k.of} * tile.first + ${k.place} * tile.rows + place];
$ end
    return known;
}
