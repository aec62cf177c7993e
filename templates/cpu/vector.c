$ for f in n.functions do
${f.head}
{
$ for l in f.lines do
    ${l.text}
$ end
}

$ end
/* ${n.comment} */
static inline ${r.state} ${n.name}(const Row *row, Span s)
{
$ for l in n.locals do
    ${l.text}
$ end
$ if n.keeps then
$ for l in n.keep do
    ${l.text}
$ end
$ end
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
