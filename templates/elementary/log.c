/* log: fixed sequence "log 1" (docs/elementary.md): 33 correctly rounded or integer operations, no branch.
 * x = 2^e (1 + f) with 1 + f in [0.7071, 1.4143); log(1 + f) = f + f^2 P(f), P of degree 8; e ln 2 is added so that
 * what the sum rounds away is kept. Largest error over all 2^32 inputs: 0.977 ulp.
 * log(x < 0) = NaN, log(+-0) = -inf, log(+inf) = +inf, log(NaN) = NaN, log(1) = +0. */
${storage} ${V} ${name}(${V} x)
{
    /* A subnormal is scaled by 2^24 and starts 24 exponents lower. What x <= 0 gives here is replaced at the end. */
    ${V} tiny = ${mul("x", const("0x1p+24f"))};
    ${V} scaled = ${select(less("x", const("0x1p-126f")), "tiny", "x")};
    ${V} origin = ${select(less("x", const("0x1p-126f")), const("0x1.6a09e6p+23f"), const("0x1.6a09e6p-1f"))};

    /* Counted from the bits of sqrt(1/2), the exponent field is e and the rest are the bits of 1 + f. */
    ${I} offset = ${int_sub(bits_of("scaled"), bits_of("origin"))};
    ${I} exponent = ${shift_right_arith("offset", 23)};
    ${I} fraction = ${int_and("offset", int_const("0x007fffff"))};
    ${I} reduced = ${int_add("fraction", int_const("0x3f3504f3"))};
    ${V} e = ${int_to_float("exponent")};
    ${V} f = ${sub(float_of("reduced"), const("1.0f"))}; /* exact: both lie within a factor of two */

    ${V} square = ${mul("f", "f")};
    ${V} fourth = ${mul("square", "square")};
    ${V} p01 = ${fma("f", const("0x1.55555p-2f"), const("-0x1.fffff8p-2f"))};
    ${V} p23 = ${fma("f", const("0x1.99a3aap-3f"), const("-0x1.00042ap-2f"))};
    ${V} p45 = ${fma("f", const("0x1.2273d6p-3f"), const("-0x1.54275cp-3f"))};
    ${V} p67 = ${fma("f", const("0x1.084852p-3f"), const("-0x1.0f3938p-3f"))};
    ${V} low = ${fma("square", "p23", "p01")};
    ${V} p678 = ${fma("square", const("-0x1.382feep-4f"), "p67")};
    ${V} high = ${fma("square", "p678", "p45")};
    ${V} p = ${fma("fourth", "high", "low")};

    /* ln 2 = 0x1.62e4p-1 + the rest: e times the first has at most 24 bits. */
    ${V} sum = ${fma("e", const("0x1.62e4p-1f"), "f")};
    ${V} back = ${fnma("e", const("0x1.62e4p-1f"), "sum")}; /* exact: the part of f that sum holds */
    ${V} lost = ${sub("f", "back")};                        /* exact: the part that it does not */
    ${V} small = ${fma("e", const("0x1.7f7d1cp-20f"), "lost")};
    ${V} tail = ${fma("square", "p", "small")};
    ${V} finite = ${add("sum", "tail")};

    ${V} positive = ${select(less("x", plus_infinity()), "finite", "x")}; /* +inf and NaN are their own logarithms */
    ${V} number = ${nan_where(less("x", const("0.0f")), "positive")};
    return ${select(equal("x", const("0.0f")), minus_infinity(), "number")};
}
