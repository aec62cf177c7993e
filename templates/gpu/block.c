/* The warps of a block share the parts; every thread joins them, in the same order. */
${part_template}
${inline} ${r.state} ${r.name}_wide(${row_param}, ${part_param})
{
$ if r.wide then
$ for l in r.wide_spans do
    ${l.text}
$ end
    const size_t count = ${r.wide_span}.count;
$ if r.wide_kind == "halving" then
    /* With a power of two of classes, class i holds items i, i + classes, ...: halving them first is what halving does. */
    ${r.state} lane[${classes}];
    size_t classes = 1;
    if (count == 0)
        return ${r.start};
    while (classes < ${classes} && 2 * classes <= count)
        classes *= 2;
    for (size_t k = row->warp; k < classes; k += row->warps) {
        const Span items = {k, (count - k + classes - 1) / classes, classes, 0};
        const ${r.state} p = ${r.wide_group};
        if (row->lane == 0)
            part[k] = p;
    }
    ${block_barrier}
    for (size_t k = 0; k < classes; k++)
        lane[k] = part[k];
    ${block_barrier}
    return ${r.kind}_halve(lane, classes);
$ else
$ if r.wide_kind == "pairwise" then
    ${r.state} stack[64];
    unsigned depth = 0;
$ else
    ${r.state} acc = ${r.start};
$ end
    for (size_t base = 0; base < count; base += ${panel}) {
        const size_t left = count - base, parts = left < ${panel} ? left : ${panel};
        for (size_t i = row->warp; i < parts; i += row->warps) {
            const size_t k = base + i;
            const ${r.state} p = ${r.wide_item};
            if (row->lane == 0)
                part[i] = p;
        }
        ${block_barrier}
$ if r.wide_kind == "pairwise" then
        for (size_t i = 0; i < parts; i++)
            ${r.kind}_push(stack, &depth, base + i, part[i]);
$ else
        for (size_t i = 0; i < parts; i++) {
            const ${r.state} p = part[i];
            acc = base + i == 0 ? p : ${r.join_p};
        }
$ end
        ${block_barrier}
    }
$ if r.wide_kind == "pairwise" then
    return depth == 0 ? ${r.start} : ${r.kind}_pop_all(stack, &depth);
$ else
    return acc;
$ end
$ end
$ else
    if (row->warp == 0) { /* this tree has no parts to share */
        const ${r.state} p = ${r.root};
        if (row->lane == 0)
            part[0] = p;
    }
    ${block_barrier}
    const ${r.state} value = part[0];
    ${block_barrier}
    return value;
$ end
}
