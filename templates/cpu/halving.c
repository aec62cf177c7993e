/* ${n.comment}
 * The last round of halving joins all items of even place with all of odd place; so does each part again. */
static ${r.state} ${n.name}(${n.params})
{
    if (${n.span}.count == 0)
        return ${r.start};
    if (${n.span}.count == 1) {
        const size_t k = ${n.span}.first;
        return ${n.item};
    }
    const Span even = {${n.span}.first, (${n.span}.count + 1) / 2, 2 * ${n.span}.stride, 0};
    const Span odd = {${n.span}.first + ${n.span}.stride, ${n.span}.count / 2, 2 * ${n.span}.stride, 0};
    const ${r.state} left = ${n.call_even};
    const ${r.state} right = ${n.call_odd};
    return ${r.join_left_right};
}
