/* ${n.comment} */
${inline} ${r.state} ${n.name}(${n.params})
{
    ${r.state} stack[64];
    unsigned depth = 0;
    for (size_t i = 0; i < ${n.span}.count; i++) {
        const size_t k = ${n.span}.first + i * ${n.span}.stride;
        ${r.kind}_push(stack, &depth, i, ${n.item});
    }
    return depth == 0 ? ${r.start} : ${r.kind}_pop_all(stack, &depth);
}
