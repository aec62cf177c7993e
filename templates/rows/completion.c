/* ${n.comment}
 * NEGATIVE CONTROL: partials join under a lock in whatever order they finish. Promises nothing. */
static ${r.state} ${n.name}(${n.params})
{
    ${r.state} acc = ${r.start};
    int any = 0;
#pragma omp parallel for schedule(static, 1)
    for (size_t i = 0; i < ${n.span}.count; i++) {
        const size_t k = ${n.span}.first + i * ${n.span}.stride;
        const ${r.state} p = ${n.item};
#pragma omp critical
        {
            acc = any ? ${r.join_p} : p;
            any = 1;
        }
    }
    return acc;
}
