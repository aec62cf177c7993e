/* ${n.comment}
 * The last round of halving joins all items of even place with all of odd place, and so does each part again: node
 * (i, level) stands for items i, i + 2^level, ... and the stack holds the left parts on the way to it. */
${inline} ${r.state} ${n.name}(${n.params})
{
    ${r.state} stack[64];
    unsigned depth = 0, level = 0;
    size_t i = 0;
    if (${n.span}.count == 0)
        return ${r.start};
    for (;;) {
        while (${n.span}.count - i > (size_t)1 << level)
            level++; /* to the left part, until it is one item */
        const size_t k = ${n.span}.first + i * ${n.span}.stride;
        ${r.state} p = ${n.item};
        while (level > 0 && i >> (level - 1) & 1) { /* a right part: joins with the left one */
            level--;
            i -= (size_t)1 << level;
            depth--;
            p = ${r.join_stack};
        }
        if (level == 0)
            return p;
        stack[depth++] = p;
        i += (size_t)1 << (level - 1); /* a left part: on to the right one */
    }
}
