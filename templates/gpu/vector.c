/* ${n.comment}: thread l of the warp takes lanes l, l + 32, ... */
${inline} ${r.state} ${n.name}(${row_param}, Span s)
{
$ for g in n.groups do
    ${g.declare}
$ end
    size_t i = 0;
    for (; s.count - i >= ${n.lanes}; i += ${n.lanes}) {
$ for g in n.groups do
        ${g.full}
$ end
    }
    const size_t left = s.count - i;
    if (left > 0) { /* the last round: lanes without a leaf are not stepped */
$ for g in n.groups do
        ${g.tail}
$ end
    }
$ for l in n.fold do
    ${l.text}
$ end
    return ${n.call};
}
