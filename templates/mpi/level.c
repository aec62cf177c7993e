/* ---- exchange ${v.index}: ${v.text} ---- */

static size_t level${v.index}_items(Range range, size_t parts)
{
    return ${v.items};
}

static inline void level${v.index}_own(const Row *row, Own own, Part *to, size_t apart, int wide)
{
$ for r in v.reductions do
    ${r.name}_own(row, own, to, apart, wide);
$ if not r.last then
    to += apart * ${r.count}(own.range, own.parts);
$ end
$ end
}
$ if merges then

static void level${v.index}_merge(Piece *piece, int pieces, size_t parts, size_t rows, Part *to)
{
$ if #v.reductions > 1 then
    const Range range = {piece[0].range.first, piece[pieces - 1].range.end};
$ for r in v.reductions do
    ${r.merge}(piece, pieces, parts, rows, to);
    to += rows * ${r.count}(range, parts);
    for (int s = 0; s < pieces; s++)
        piece[s].at += rows * ${r.count}(piece[s].range, parts);
$ end
$ else
    ${v.reductions[1].merge}(piece, pieces, parts, rows, to);
$ end
}
$ end

static void level${v.index}_finish(Piece *piece, int pieces, size_t parts, size_t rows, float *value, Part *lane)
{
$ if not v.uses_lane then
    (void)lane;
$ end
$ for r in v.reductions do
    ${r.finish}(piece, pieces, parts, rows, value${r.lane});
$ if not r.last then
    value += rows;
    for (int s = 0; s < pieces; s++)
        piece[s].at += rows * ${r.count}(piece[s].range, parts);
$ end
$ end
}

static const Level level${v.index} = {${v.index}, ${v.before}, ${#v.reductions}, level${v.index}_items, ${v.merge_entry}level${v.index}_finish};
