/* One long row: ${r.wide_comment} */
static ${r.state} ${r.name}_wide(const Row *row)
{
$ for l in r.wide_spans do
    ${l.text}
$ end
    if (${r.wide_span}.count == 0)
        return ${r.start};
$ if r.wide_kind == "halving" then
    /* With a power of two of classes, class i holds items i, i + classes, ...: halving them first is what halving does. */
    ${r.state} lane[${classes}];
    size_t classes = 1;
    while (classes < ${classes} && 2 * classes <= ${r.wide_span}.count)
        classes *= 2;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < classes; i++) {
        const Span every = {i, (${r.wide_span}.count - i + classes - 1) / classes, classes, 0};
        lane[i] = ${r.wide_class};
    }
    return ${r.kind}_halve(lane, classes);
$ else
    ${r.state} part[${panel}]; /* so many partials at a time, whatever the number of threads */
$ if r.wide_kind == "pairwise" then
    ${r.state} stack[64];
    unsigned depth = 0;
$ else
    ${r.state} acc = ${r.start};
$ end
    for (size_t base = 0; base < ${r.wide_span}.count; base += ${panel}) {
        const size_t left = ${r.wide_span}.count - base, parts = left < ${panel} ? left : ${panel};
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < parts; i++) {
            const size_t k = base + i;
            part[i] = ${r.wide_item};
        }
$ if r.wide_kind == "pairwise" then
        for (size_t i = 0; i < parts; i++)
            ${r.kind}_push(stack, &depth, base + i, part[i]);
$ else
        for (size_t i = 0; i < parts; i++) {
            const ${r.state} p = part[i];
            acc = base + i == 0 ? p : ${r.join_p};
        }
$ end
    }
$ if r.wide_kind == "pairwise" then
    return ${r.kind}_pop_all(stack, &depth);
$ else
    return acc;
$ end
$ end
}
