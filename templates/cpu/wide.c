/* One long row: ${r.wide_comment} */
static ${r.state} ${r.name}_wide(const Row *row)
{
$ for l in r.wide_spans do
    ${l.text}
$ end
    const size_t count = ${r.wide_span}.count;
    if (count == 0)
        return ${r.start};
$ if r.wide_kind == "halving" then
    /* With a power of two of classes, class i holds items i, i + classes, ...: halving them first is what halving does. */
    ${r.state} lane[${classes}];
    size_t classes = 1;
    while (classes < ${classes} && 2 * classes <= count)
        classes *= 2;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < classes; i++) {
        const Span items = {i, (count - i + classes - 1) / classes, classes, 0};
        lane[i] = ${r.wide_group};
    }
    return ${r.kind}_halve(lane, classes);
$ elseif r.wide_kind == "pairwise" then
    /* A power of two of neighbours is a subtree, folded by one thread. */
    size_t group = 1;
    while (group < ${classes} && 16 * group * (size_t)omp_get_max_threads() <= count)
        group *= 2;
    const size_t groups = (count - 1) / group + 1;
    ${r.state} part[${panel}], stack[64];
    unsigned depth = 0;
    for (size_t base = 0; base < groups; base += ${panel}) {
        const size_t left = groups - base, parts = left < ${panel} ? left : ${panel};
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < parts; i++) {
            const size_t first = (base + i) * group;
            const Span items = {first, group < count - first ? group : count - first, 1, 0};
            part[i] = ${r.wide_group};
        }
        for (size_t i = 0; i < parts; i++)
            ${r.kind}_push(stack, &depth, base + i, part[i]);
    }
    return ${r.kind}_pop_all(stack, &depth);
$ else
    ${r.state} part[${panel}]; /* so many partials at a time, whatever the number of threads */
    ${r.state} acc = ${r.start};
    for (size_t base = 0; base < count; base += ${panel}) {
        const size_t left = count - base, parts = left < ${panel} ? left : ${panel};
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < parts; i++) {
            const size_t k = base + i;
            part[i] = ${r.wide_item};
        }
        for (size_t i = 0; i < parts; i++) {
            const ${r.state} p = part[i];
            acc = base + i == 0 ? p : ${r.join_p};
        }
    }
    return acc;
$ end
}
