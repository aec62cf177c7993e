/* exp: fixed sequence "exp 1" (docs/elementary.md): 18 correctly rounded or integer operations, no branch.
 * x = n ln 2 + r with |r| < 0.347; exp(r) - 1 = r + r^2 P(r), P of degree 4 (error below 0.06 ulp); times 2^n in two
 * halves, so that a subnormal result rounds and a large one becomes infinity by itself.
 * Largest error over all 2^32 inputs: 0.998 ulp. exp(-inf) = +0, exp(+inf) = +inf, exp(NaN) = NaN, exp(+-0) = 1. */
${storage} ${V} ${name}(${V} x)
{
    /* Outside [-104, 89] the result is 0 or infinity. A NaN is the second operand, so it stays. */
    ${V} above = ${max(const("-104.0f"), "x")};
    ${V} inside = ${min(const("89.0f"), "above")};

    /* Adding 1.5 * 2^23 rounds to an integer; the 254 more leave twice the exponent bias in the low bits. */
    ${V} biased = ${fma("inside", const("0x1.715476p+0f"), const("0x1.8001fcp+23f"))};
    ${V} n = ${sub("biased", const("0x1.8001fcp+23f"))};
    ${V} exact = ${fnma("n", const("0x1.62e43p-1f"), "inside")}; /* no rounding: the leading bits cancel */
    ${V} r = ${fnma("n", const("-0x1.05c61p-29f"), "exact")};

    ${V} square = ${mul("r", "r")};
    ${V} low = ${fma("r", const("0x1.55597ep-5f"), const("0x1.55548cp-3f"))};
    ${V} high = ${fma("r", const("0x1.6a1ac6p-10f"), const("0x1.124a7p-7f"))};
    ${V} cubic = ${fma("high", "square", "low")};
    ${V} p = ${fma("cubic", "r", const("0x1.fffffep-2f"))};
    ${V} q = ${fma("square", "p", "r")}; /* exp(r) - 1 */

    /* 2^n = 2^h 2^(n - h), h = floor(n / 2): both powers are normal for every n in -150..128. */
    ${I} bits = ${bits_of("biased")};
    ${I} first = ${shift_right_logic("bits", 1)};
    ${I} rest = ${int_sub("bits", "first")};
    ${I} first_power = ${shift_left("first", 23)};
    ${I} rest_power = ${shift_left("rest", 23)};
    ${V} scale = ${float_of("first_power")};
    return ${mul(fma("scale", "q", "scale"), float_of("rest_power"))};
}
