$ for line in head do
${line}
$ end
#ifdef __FAST_MATH__
#error "under fast math this kernel would not keep its contract"
#endif
$ for line in preamble do
${line}
$ end

$ for f in functions do
${f.text}

$ end
$ if spans then
$ include "rows/spans.c"
$ end
$ for k in kinds do
$ include "rows/kind.c"
$ end
/* One row: what the passes over ${axis} need, and which thread this is. */
typedef struct Row {
    size_t lane, warp, warps;     /* of the block */
    size_t own, sharers;          /* this thread, of those that share the row */
$ for m in members do
    ${m.text}
$ end
} Row;

$ for r in reductions do
/* ---- ${r.name} = ${r.text}${r.note} ---- */

$ if r.scalar_leaves then
$ include "rows/step.c"
$ end
$ for n in r.nodes do
$ if n.page == "vector" then
$ include "gpu/vector.c"
$ elseif n.page == "seq" then
$ include "rows/seq.c"
$ elseif n.page == "pairwise" then
$ include "rows/pairwise.c"
$ elseif n.page == "halving" then
$ include "rows/halving.c"
$ elseif n.page == "part" then
$ include "rows/part.c"
$ else
$ include "rows/cut.c"
$ end

$ end
$ include "gpu/block.c"

$ end
$ if has_outputs then
/* The threads of a row share the elements of the outputs. */
${inline} void outputs(${row_param})
{
$ for l in outputs.locals do
    ${l.text}
$ end
    for (size_t i = row->own; i < row->count; i += row->sharers) {
$ for l in outputs.scalar do
        ${l.text}
$ end
    }
}

$ end
/* Reductions of row r, and what depends on nothing else. */
${part_template}
${inline} void row_values(${row_out}, ${signature}, size_t r, const int wide, ${part_param})
{
$ for l in row_lines do
    ${l.text}
$ end
}

$ for e in entries do
/* ${e.comment} */
${e.head}
{
$ for l in e.lines do
    ${l.text}
$ end
    const size_t rows_in_all = ${row_count};
    Row row;
    row.lane = at_thread % 32;
    row.warp = at_thread / 32;
    row.warps = at_threads / 32;
$ if e.wide then
    row.own = at_thread;
    row.sharers = at_threads;
    for (size_t r = at_group; r < rows_in_all; r += at_groups) {
        row_values(&row, ${e.arguments}, r, 1, ${e.part});
$ if has_outputs then
        outputs(&row);
$ end
    }
$ else
    row.own = row.lane;
    row.sharers = 32;
    for (size_t r = at_group * row.warps + row.warp; r < rows_in_all; r += at_groups * row.warps) {
        row_values(&row, ${e.arguments}, r, 0, ${e.part});
        ${warp_barrier}
$ if has_outputs then
        outputs(&row);
$ end
    }
$ end
}

$ end
