/* ${n.comment} */
${inline} ${r.state} ${n.name}(${n.params})
{
    if (${n.span}.count == 0)
        return ${r.start};
$ if n.leaves then
    ${r.state} acc = ${r.start};
    for (size_t i = 0; i < ${n.span}.count; i++)
        acc = ${r.step}(row, acc, ${n.span}.first + i * ${n.span}.stride);
$ else
    ${r.state} acc = ${n.item_first};
    for (size_t i = 1; i < ${n.span}.count; i++) {
        const size_t k = ${n.span}.first + i * ${n.span}.stride;
        acc = ${n.join_item};
    }
$ end
    return acc;
}
