/* maximum of IEEE 754-2019: any NaN gives NaN, +0 is above -0. Where max() meets a NaN or two zeros, it answers with
 * its second operand, so the two orders answer with both: AND of the bits keeps +0, and NaN is put back by a mask. */
${storage} ${V} ${name}(${V} a, ${V} b)
{
    ${V} ab = ${max("a", "b")};
    ${V} ba = ${max("b", "a")};
    ${V} number = ${float_of(int_and(bits_of("ab"), bits_of("ba")))};
    return ${nan_where(unordered("a", "b"), "number")};
}
