/* Part k of ${n.comment}. */
${inline} ${r.state} ${n.name}(${n.params}, size_t k)
{
    return ${n.call};
}
