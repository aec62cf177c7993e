$ if outputs.vector then
$ for f in outputs.functions do
${f.head}
{
$ for l in f.lines do
    ${l.text}
$ end
}

$ end
$ end
/* Elements first .. last - 1 of the outputs; every element is independent of its neighbours. */
static inline void outputs(const Row *row, size_t first, size_t last${outputs.stream_param})
{
$ for l in outputs.locals do
    ${l.text}
$ end
    size_t i = first;
$ if outputs.streams then
    if (stream) { /* around the cache, once ${outputs.pointer} + i is on a vector's boundary */
        size_t head = -(uintptr_t)(${outputs.pointer} + i) / sizeof(float) % ${outputs.width};
        head = head < last - i ? head : last - i;
        ${outputs.head}
        for (i += head; last - i >= ${outputs.line}; i += ${outputs.line}) {
$ for l in outputs.ahead do
            ${l.text} /* reads of the next row overlap with the stores of this one */
$ end
$ for l in outputs.stream do
            ${l.text}
$ end
        }
    }
$ end
$ if outputs.vector then
    for (; last - i >= ${outputs.block}; i += ${outputs.block}) {
$ for l in outputs.unrolled do
        ${l.text}
$ end
    }
    for (; last - i >= ${outputs.width}; i += ${outputs.width})
        ${outputs.one}
    if (i < last)
        ${outputs.tail}
$ else
    for (; i < last; i++) {
$ for l in outputs.scalar do
        ${l.text}
$ end
    }
$ end
}
