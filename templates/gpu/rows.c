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
$ include "rows/reduction.c"
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
/* Reductions of row r, and what depends on nothing else. `how`: 0 one warp computes them, 1 the block; 2 they are read from
 * `known`, where some may not be there yet; 3 all are there, and outputs that are one number are written. */
${part_template}
${inline} void row_values(${row_out}, ${signature}, size_t r, const int how, ${part_param}, ${known_param})
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
        row_values(&row, ${e.arguments}, r, 1, ${e.part}, nullptr);
$ if has_outputs then
        outputs(&row);
$ end
    }
$ else
    row.own = row.lane;
    row.sharers = 32;
    for (size_t r = at_group * row.warps + row.warp; r < rows_in_all; r += at_groups * row.warps) {
        row_values(&row, ${e.arguments}, r, 0, ${e.part}, nullptr);
        ${warp_barrier}
$ if has_outputs then
        outputs(&row);
$ end
    }
$ end
}

$ end
$ if long_rows then
/* ---- one long row over many blocks: part and join of each reduction in turn, then output ----
 * workspace[q] is the value of reduction q; partials lie from workspace[${values}] on, in index order. */

$ for r in reductions do
$ for n in r.join_nodes do
$ include n.page

$ end
/* Partials of ${r.name}: any number of blocks. */
${r.part_head}
{
$ for l in r.part_lines do
    ${l.text}
$ end
    Row row;
    row.lane = at_thread % 32;
    row.own = at_thread;
    row_values(&row, ${long_arguments}, at_row, 2, ${no_part}, workspace);
    const size_t warp = at_group * (at_threads / 32) + at_thread / 32, warps = at_groups * (at_threads / 32);
$ for l in r.long_spans do
    ${l.text}
$ end
    for (size_t k = warp; k < ${r.wide_span}.count; k += warps) {
        const ${r.state} p = ${r.long_item};
        if (row.lane == 0)
            workspace[${values} + k] = p;
    }
}

/* Joins them: one block. */
${r.join_head}
{
$ for l in r.join_lines do
    ${l.text}
$ end
$ if r.wide_kind == "seq" then
    if (at_thread != 0) /* one chain: one thread; others would read values that it writes */
        return;
$ end
    Row row;
    row.own = at_thread;
    row.lane = at_thread % 32;
    row_values(&row, ${long_arguments}, at_row, 2, ${no_part}, workspace);
$ for l in r.join_spans do
    ${l.text}
$ end
    ${r.partials}
    const size_t count = ${r.wide_span}.count;
    (void)at_group;
    (void)at_groups;
$ if r.wide_kind == "seq" then
    workspace[${r.index}] = ${r.name}_join(partials, span_of(0, count, 1));
$ elseif r.wide_kind == "pairwise" then
    size_t group = 1; /* a power of two of neighbours is a subtree */
    while (group * at_threads < count)
        group *= 2;
    const size_t groups = count == 0 ? 0 : (count - 1) / group + 1;
    if (at_thread < groups) {
        const size_t first = at_thread * group;
        part[at_thread] = ${r.name}_join(partials, span_of(first, group < count - first ? group : count - first, 1));
    }
    ${block_barrier}
    if (at_thread == 0) {
        ${r.state} stack[64];
        unsigned depth = 0;
        for (size_t i = 0; i < groups; i++)
            ${r.kind}_push(stack, &depth, i, part[i]);
        workspace[${r.index}] = groups == 0 ? ${r.start} : ${r.kind}_pop_all(stack, &depth);
    }
$ else
    size_t classes = 1; /* class i holds items i, i + classes, ... */
    while (2 * classes <= at_threads && 2 * classes <= count && classes < ${classes})
        classes *= 2;
    if (at_thread < classes)
        part[at_thread] = ${r.name}_join(partials, span_of(at_thread, (count + classes - 1 - at_thread) / classes, classes));
    ${block_barrier}
    if (at_thread == 0) {
        ${r.state} lane[${classes}];
        for (size_t i = 0; i < classes; i++)
            lane[i] = part[i];
        workspace[${r.index}] = ${r.kind}_halve(lane, classes);
    }
$ end
}

$ end
/* Outputs: any number of blocks. */
${output_head}
{
$ for l in output_lines do
    ${l.text}
$ end
    Row row;
    row.lane = at_thread % 32;
    row.own = at_group * at_threads + at_thread;
    row.sharers = at_groups * at_threads;
    row_values(&row, ${long_arguments}, at_row, 3, ${no_part}, workspace);
$ if has_outputs then
    outputs(&row);
$ end
}
$ end
