/* minimum of IEEE 754-2019: any NaN gives NaN, -0 is below +0. Where min() meets a NaN or two zeros, it answers with
 * its second operand, so the two orders answer with both: OR of the bits keeps -0, and keeps a NaN a NaN. */
${storage} ${V} ${name}(${V} a, ${V} b)
{
    ${V} ab = ${min("a", "b")};
    ${V} ba = ${min("b", "a")};
    return ${float_of(int_or(bits_of("ab"), bits_of("ba")))};
}
