/* Leaf i stepped into acc. */
static inline ${r.state} ${r.step}(const Row *row, ${r.state} acc, size_t i)
{
$ for s in r.leaf do
    ${s.text}
$ end
}

