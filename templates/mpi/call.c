/* ---- one call: blocks of rows ---- */

typedef struct Call {
    Ranks *ranks;
    Own own;
$ if counts_nodes then
    Range node[JOINED];
$ end
    size_t rows_in_all, count; /* count: own indices of the axis */
    size_t most;               /* rows of a block: from sizes and the number of ranks alone, never from the cut */
    size_t at, rows;           /* the block under way */
    Part *partial;             /* own ones of the block */
    float *value;              /* results of its reductions */
    int wide, spread;          /* the threads share each row; each has rows of its own */
} Call;

enum {
    BLOCK_PARTIALS = 32 << 20, /* bytes of everyone's partials of a block */
    BLOCK_CACHE = 512 << 10,   /* bytes of a block that a later pass reads again */
    REDUCTIONS = ${reduction_count}
};

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
$ for v in levels do
    if (most < ${v.most})
        most = ${v.most};
$ end
    return most;
}

static size_t block_rows(size_t rows_in_all, size_t size, size_t items, size_t ranks)
{
    size_t rows = BLOCK_PARTIALS / (items * sizeof(Part) + REDUCTIONS * sizeof(float));
$ if reads_again then
    const size_t again = BLOCK_CACHE / ((size / ranks + 1) * ${reads_again_bytes});
    rows = rows < again ? rows : again;
$ else
    (void)size, (void)ranks;
$ end
    rows = rows < rows_in_all ? rows : rows_in_all;
    return rows ? rows : 1;
}

static int call_reserve(Call *call, size_t size)
{
    Ranks *ranks = call->ranks;
    const size_t parts = call->own.parts, items = items_most(parts, (size_t)ranks->ranks);
    if (items > (INT_MAX - (size_t)ranks->ranks * sizeof(Header)) / sizeof(Part))
        return CODE_TOO_LARGE;
    call->most = block_rows(call->rows_in_all, size, items, (size_t)ranks->ranks);
    const size_t values = items * call->most;
$ if gathers then
    ranks->area = (size_t)ranks->ranks * sizeof(Header) + values * sizeof(Part) + MESSAGE_WHOLE;
    const size_t areas = 1;
$ elseif merges then
    ranks->area = values * sizeof(Part);
    const size_t areas = 3;
$ else
    ranks->area = (2 * values + items) * sizeof(Part);
    const size_t areas = 1;
$ end
    const size_t lanes = ${lanes_at_once} * sizeof(Part);
    const size_t before = (areas * ranks->area + 7) / 8 * 8;
    const int code = ranks_reserve(ranks, before + lanes + call->most * REDUCTIONS * sizeof(float));
    if (code)
        return code;
    ranks->lane = (Part *)(ranks->memory + before);
    call->value = (float *)(ranks->memory + before + lanes);
    call->partial = (Part *)(ranks->memory${partial_place});
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

static void call_block(Call *call, size_t at)
{
    const size_t left = call->rows_in_all - at;
    call->at = at;
    call->rows = left < call->most ? left : call->most;
    call->wide = call->rows < threads_most() && call->count >= ${wide_from};
    call->spread = !call->wide && call->rows > 1 && call->rows * call->count >= ${parallel_from};
}

static int call_exchange(const Call *call, const Level *level, size_t before)
{
    call->ranks->own.step++;
    const int code = exchange(call->ranks, level, call->rows, call->value + before * call->rows);
    return code == CODE_DISAGREE ? ranks_fail(call->ranks) : code;
}

/* Where a row's values lie: rows of a tile side by side. */
static inline Tile tile_with(const Call *call, size_t r)
{
$ if scatters then
    const size_t ranks = (size_t)call->ranks->ranks;
    return tile_of(call->rows, (int)(((r + 1) * ranks - 1) / call->rows), call->ranks->ranks);
$ else
    (void)r;
    return (Tile){0, call->rows};
$ end
}

/* Divisions, so not for every row: the next one is mostly in the same tile. */
static inline void tile_follow(const Call *call, size_t r, Tile *tile)
{
    if (r - tile->first >= tile->rows)
        *tile = tile_with(call, r);
}

static inline Part *own_place(const Call *call, size_t items, size_t r, Tile tile)
{
    return call->partial + items * tile.first + (r - tile.first);
}

/* Results of the exchanges before `level`. */
static inline const float *known_at(const Call *call, size_t r, Tile tile, int level, float *known)
{
$ for k in known do
    if (level > ${k.level})
        known[${k.index}] = call->value[${k.before} * call->rows + ${k.of} * tile.first + ${k.place} * tile.rows + (r - tile.first)];
$ end
    return known;
}
