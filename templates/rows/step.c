/* Leaf i stepped into acc. */
${inline} ${r.state} ${r.step}(${row_param}, ${r.state} acc, size_t i)
{
$ for s in r.leaf do
    ${s.text}
$ end
}

