$ if k.stack then
/* Neighbours join level by level: after i items the stack holds one partial per set bit of i. */
${inline} void ${k.name}_push(${thread}${k.state} *stack, ${thread}unsigned *depth, size_t i, ${k.state} p)
{
    for (; i & 1; i >>= 1) {
        --*depth;
        p = ${k.join_stack};
    }
    stack[(*depth)++] = p;
}

/* What is left over moves up and joins from the right. */
${inline} ${k.state} ${k.name}_pop_all(${thread}${k.state} *stack, ${thread}unsigned *depth)
{
    ${k.state} p = stack[--*depth];
    while (*depth > 0) {
        --*depth;
        p = ${k.join_stack};
    }
    return p;
}

$ end
$ if k.halve then
/* Item i joins item i + apart; apart goes from the largest power of two below count down to 1. */
${inline} ${k.state} ${k.name}_halve(${thread}${k.state} *lane, size_t count)
{
    size_t apart = 1;
    while (2 * apart < count)
        apart *= 2;
    for (; apart >= 1; apart /= 2)
        for (size_t i = 0; i < apart && i + apart < count; i++)
            lane[i] = ${k.join_lanes};
    return lane[0];
}

$ end
