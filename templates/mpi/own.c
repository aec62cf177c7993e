$ if r.share == "nodes" then
$ if r.wide_nodes then
/* The partials first .. end - 1 that make a node, computed by all threads: a power of two of neighbours by one of them. */
static ${r.state} ${r.name}_wide(const Row *row, Span s, size_t first, size_t end)
{
    ${r.state} part[PANEL], stack[64];
    const size_t count = end - first;
    unsigned depth = 0;
    size_t group = 1;
    while (group < ${classes} && 16 * group * threads_most() <= count)
        group *= 2;
    const size_t groups = (count - 1) / group + 1;
    for (size_t base = 0; base < groups; base += PANEL) {
        const size_t left = groups - base, parts = left < PANEL ? left : PANEL;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < parts; i++) {
            const size_t begin = (base + i) * group;
            const Span items = {first + begin, group < count - begin ? group : count - begin, 1, 0};
            part[i] = ${r.group};
        }
        for (size_t i = 0; i < parts; i++)
            ${r.kind}_push(stack, &depth, base + i, part[i]);
    }
    return ${r.kind}_pop_all(stack, &depth);
}

$ end
/* ${r.name} of own parts: a value for each node that no other rank has a share in. */
static inline void ${r.name}_own(const Row *row, Own own, Part *to, size_t apart, int wide)
{
    const Span s = {0, row->count, 1, own.part};
    for (size_t n = 0; n < own.nodes; n++, to += apart) {
        const Range node = own.node[n];
        const Span items = {node.first, node.end - node.first, 1, 0};
        if (items.count == 1) { /* nothing to fold */
            const size_t k = node.first;
            *to = ${r.part};
        } else {
            *to = wide ? ${r.name}_wide(row, s, node.first, node.end) : ${r.group};
        }
    }
}
$ elseif r.share == "all" then
/* ${r.name} of own parts: the partial of each. */
static inline void ${r.name}_own(const Row *row, Own own, Part *to, size_t apart, int wide)
{
    const Span s = {0, row->count, 1, own.part};
    const size_t parts = own.range.end - own.range.first;
    if (wide) {
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < parts; k++)
            to[k * apart] = ${r.part};
        return;
    }
    for (size_t k = 0; k < parts; k++)
        to[k * apart] = ${r.part};
}

static void ${r.name}_finish(const Piece *piece, int pieces, size_t parts, size_t rows, float *value, Part *lanes)
{
    const int threads = (int)lanes_at_once(parts);
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * parts >= 32768)
    for (size_t r = 0; r < rows; r++) {
        Part *const lane = lanes + thread_now() * parts;
        all_of_row(piece, pieces, rows, r, lane);
        value[r] = (float)${r.over};
    }
}
$ else
/* ${r.name} of own parts: one value, in whatever order. */
static inline void ${r.name}_own(const Row *row, Own own, Part *to, size_t apart, int wide)
{
    (void)apart;
    if (own.range.first == own.range.end)
        return;
    if (!wide) {
        *to = ${r.whole};
        return;
    }
    const Span s = {0, row->count, 1, ${r.one_part}};
    const size_t count = (s.count - 1) / s.part + 1;
    float p = ${r.start};
    for (size_t base = 0; base < count; base += PANEL) {
        float part[PANEL];
        const size_t left = count - base, parts = left < PANEL ? left : PANEL;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < parts; i++) {
            const size_t k = base + i;
            part[i] = ${r.piece};
        }
        for (size_t i = 0; i < parts; i++) {
            const float q = part[i];
            p = base + i == 0 ? q : ${r.join_one};
        }
    }
    *to = p;
}
$ end
