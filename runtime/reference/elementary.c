/* elementary.c: the elementary functions, written a second time, from docs/elementary.md.
 *
 * Invariant: every rounded operation of the documented sequence appears here once, in that order; what is
 * exact (clamping, integers, powers of two) is written plainly instead of as a kernel spells it. An error in
 * templates/elementary is then not repeated here, and `samebits elementary` compares this text with MPFR. */
#include "reference/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* 2^exponent for a normal exponent. */
static float power_of_two(int exponent)
{
    uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* exp(r) - 1 for |r| < 0.347. */
static float exp_minus_one(float r)
{
    float square = r * r;
    float low = fmaf(r, 0x1.55597ep-5f, 0x1.55548cp-3f);
    float high = fmaf(r, 0x1.6a1ac6p-10f, 0x1.124a7p-7f);
    float cubic = fmaf(high, square, low);
    float p = fmaf(cubic, r, 0x1.fffffep-2f);
    return fmaf(square, p, r);
}

float reference_exp(float x)
{
    if (isnan(x)) {
        return x;
    }
    if (x < -104.0f) {
        x = -104.0f;
    }
    if (x > 89.0f) {
        x = 89.0f;
    }
    /* One rounding to an integer, ties to even, as the sum with 1.5 * 2^23 makes it; the subtraction is
     * exact. */
    float n = fmaf(x, 0x1.715476p+0f, 0x1.8001fcp+23f) - 0x1.8001fcp+23f;
    float r = fmaf(n, -0x1.62e43p-1f, x);
    r = fmaf(n, 0x1.05c61p-29f, r);
    float q = exp_minus_one(r);

    int exponent = (int)n;
    int half = (exponent + 254) / 2 - 127; /* floor(exponent / 2): the dividend is positive */
    float scale = power_of_two(half);
    return fmaf(scale, q, scale) * power_of_two(exponent - half);
}

/* P of log(1 + f) = f + f^2 P(f) for f in [-0.2929, 0.4143). */
static float log_polynomial(float f, float square)
{
    float fourth = square * square;
    float p01 = fmaf(f, 0x1.55555p-2f, -0x1.fffff8p-2f);
    float p23 = fmaf(f, 0x1.99a3aap-3f, -0x1.00042ap-2f);
    float p45 = fmaf(f, 0x1.2273d6p-3f, -0x1.54275cp-3f);
    float p67 = fmaf(f, 0x1.084852p-3f, -0x1.0f3938p-3f);
    float low = fmaf(square, p23, p01);
    float p678 = fmaf(square, -0x1.382feep-4f, p67);
    float high = fmaf(square, p678, p45);
    return fmaf(fourth, high, low);
}

/* log of a positive finite x. */
static float log_of_positive(float x)
{
    int exponent;
    float fraction = frexpf(x, &exponent); /* exact, in [1/2, 1), of subnormals too */
    if (fraction < 0x1.6a09e6p-1f) {       /* sqrt(1/2) rounded to nearest */
        fraction *= 2.0f;
        exponent--;
    }
    float e = (float)exponent;
    float f = fraction - 1.0f;
    float square = f * f;
    float p = log_polynomial(f, square);

    float sum = fmaf(e, 0x1.62e4p-1f, f);
    float back = fmaf(e, -0x1.62e4p-1f, sum);
    float lost = f - back;
    float small = fmaf(e, 0x1.7f7d1cp-20f, lost);
    float tail = fmaf(square, p, small);
    return sum + tail;
}

float reference_log(float x)
{
    if (isnan(x) || x < 0) {
        return NAN;
    }
    if (x == 0) {
        return -INFINITY;
    }
    return isinf(x) ? x : log_of_positive(x);
}

float reference_maximum(float a, float b)
{
    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    if (a == 0 && b == 0) {
        return signbit(a) ? b : a; /* +0 is above -0 */
    }
    return a > b ? a : b;
}

float reference_minimum(float a, float b)
{
    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    if (a == 0 && b == 0) {
        return signbit(a) ? a : b; /* -0 is below +0 */
    }
    return a < b ? a : b;
}
