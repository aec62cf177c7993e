/* ${n.comment} */
${inline} ${r.state} ${n.name}(${n.params})
{
    ${n.set_part}
    return ${n.call};
}
