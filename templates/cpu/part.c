/* Part k of ${n.comment}. */
static inline ${r.state} ${n.name}(${n.params}, size_t k)
{
    return ${n.call};
}
