/* inputs.c: canonical inputs from an integer counter generator.
 *
 * Word w of element i is mix(key(kind, seed) + (8 i + w) * golden): SplitMix64 (Steele, Lea and Flood, "Fast
 * Splittable Pseudorandom Number Generators", OOPSLA 2014), entered at any counter value. Everything after
 * that is integer arithmetic, a conversion of an integer to binary32 (rounded to nearest even, exact scaling
 * by a power of two) or one multiplication, so every machine makes the same bits; tests hold them to frozen
 * digests.
 *
 * The rank program of target mpi holds this text: nothing here needs a library.
 *
 * The values have full significands on purpose: sums of numbers with few bits are exact, and an exact sum has
 * the same bits in every order, which would let any tree pass for any other. */
#include "array/inputs.h"

#include <stdbool.h>
#include <string.h>

enum { WORDS = 8 };                                 /* counter values per element */
static const uint64_t golden = 0x9e3779b97f4a7c15u; /* 2^64 divided by the golden ratio */

typedef struct Stream {
    uint64_t key;
    size_t columns;
} Stream;

typedef float Make(const Stream *stream, uint64_t index);

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t word(const Stream *stream, uint64_t index, unsigned w)
{
    return mix(stream->key + (index * WORDS + w + 1) * golden);
}

/* Numbers for groups of elements (rows, blocks) come from a far part of the counter. */
static uint64_t group_word(const Stream *stream, uint64_t group)
{
    return mix(~stream->key + (group + 1) * golden);
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t sign_bit(uint64_t random)
{
    return (uint32_t)(random >> 63) << 31;
}

/* The sum of twelve uniform 32-bit integers has standard deviation 2^32 (to one part in 2^64) and mean 6
 * (2^32 - 1). */
static float make_normal(const Stream *stream, uint64_t index)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < 6; w++) {
        const uint64_t random = word(stream, index, w);
        sum += (random >> 32) + (random & 0xffffffffu);
    }
    return (float)((int64_t)sum - 6 * (int64_t)0xffffffff) * 0x1p-32f;
}

/* In each four elements one is times 10 and one times 0.1; which ones differs from four to four, or every
 * lane of a tree with a multiple of four lanes would see one magnitude only. */
static float make_mixed(const Stream *stream, uint64_t index)
{
    const uint64_t random = group_word(stream, index / 4);
    const uint64_t large = random % 4, small = (large + 1 + (random >> 32) % 3) % 4;
    const float value = make_normal(stream, index);
    return index % 4 == large ? value * 10.0f : index % 4 == small ? value * 0.1f : value;
}

/* In each 128 elements, element j and element j ^ mask have opposite signs and magnitudes that agree in about
 * 14 bits: what is left of a sum is far below what its partial sums lost. The mask is another one in each
 * block, half of them powers of two: then the two meet soon in a tree with that many lanes or less, and the
 * partial sum falls back through many binades. Magnitudes go down along a row, from 2^23 to 2^8, by jumps of
 * up to eight: while a partial sum stays in one binade, s + a + b rounds a and b to the same grid whichever
 * comes first, and what is added later must not be so large that it swallows the difference. So even two
 * neighbours swapped in a sequential sum show. */
static float make_cancel(const Stream *stream, uint64_t index)
{
    const uint64_t random = group_word(stream, index / 128), high = random >> 32;
    const uint64_t mask = random & 1 ? (uint64_t)1 << high % 7 : 1 + high % 127;
    const uint64_t partner = index ^ mask, first = index < partner ? index : partner;
    const uint64_t shared = word(stream, first, 6);
    const uint32_t slope = 12 - (uint32_t)(first % stream->columns * 13 / stream->columns);
    const uint32_t exponent = 127 + 8 + slope + (uint32_t)(shared >> 62);
    const uint32_t low = (uint32_t)word(stream, index, 7) & 0x1ff;
    const uint32_t significand = ((uint32_t)shared & 0x7ffe00) | low;
    return from_bits((index == first ? 0 : 0x80000000u) | exponent << 23 | significand);
}

static float make_wide(const Stream *stream, uint64_t index)
{
    const uint64_t random = word(stream, index, 0);
    const uint32_t exponent = 127 - 40 + (uint32_t)((random >> 32) % 81);
    return from_bits(sign_bit(random) | exponent << 23 | ((uint32_t)random & 0x7fffff));
}

/* Below 2^-125: one bit of exponent field; half of them shifted down to fewer bits, down to 1. */
static float make_subnormal(const Stream *stream, uint64_t index)
{
    const uint64_t random = word(stream, index, 0);
    const unsigned shift = (random >> 62 & 1) ? (unsigned)(random >> 32) % 24 : 0;
    return from_bits(sign_bit(random) | ((uint32_t)random & 0xffffff) >> shift);
}

static float make_signed_zero(const Stream *stream, uint64_t index)
{
    return from_bits(sign_bit(word(stream, index, 0)));
}

static float make_negative_zero(const Stream *stream, uint64_t index)
{
    (void)stream, (void)index;
    return -0.0f;
}

/* True at one place of each row; `salt` 1 gives a second place, another one where the row has two elements or
 * more. */
static bool is_chosen(const Stream *stream, uint64_t index, unsigned salt)
{
    const uint64_t row = index / stream->columns, place = group_word(stream, row) % stream->columns;
    return index % stream->columns == (place + salt) % stream->columns;
}

/* One NaN in every even row: quiet and signalling, both signs, any payload. */
static float make_nan(const Stream *stream, uint64_t index)
{
    const uint64_t row = index / stream->columns, random = word(stream, index, 6);
    if (row % 2 == 0 && is_chosen(stream, index, 0)) {
        const uint32_t payload = (uint32_t)random & 0x7fffff;
        return from_bits(sign_bit(random) | 0x7f800000u | (payload ? payload : 1));
    }
    return make_normal(stream, index);
}

/* Of four rows the first has +inf, the second -inf, the third both, the fourth none. */
static float make_infinity(const Stream *stream, uint64_t index)
{
    const uint64_t kind = index / stream->columns % 4;
    const bool first = is_chosen(stream, index, 0), second = is_chosen(stream, index, 1);
    if (first && (kind == 0 || kind == 2)) {
        return from_bits(0x7f800000u);
    }
    if ((first && kind == 1) || (second && kind == 2)) {
        return from_bits(0xff800000u);
    }
    return make_normal(stream, index);
}

/* Magnitudes in [2^126, 2^128), three in four positive: whether and where a sum overflows depends on its
 * order. */
static float make_large(const Stream *stream, uint64_t index)
{
    const uint64_t random = word(stream, index, 0);
    const uint32_t sign = random >> 62 == 0 ? 0x80000000u : 0;
    return from_bits(sign | (253 + (uint32_t)(random >> 32 & 1)) << 23 | ((uint32_t)random & 0x7fffff));
}

static const struct {
    const char *name;
    Make *make;
} kinds[INPUT_KINDS] = {
    [INPUT_NORMAL] = {"normal", make_normal},
    [INPUT_MIXED] = {"mixed", make_mixed},
    [INPUT_CANCEL] = {"cancel", make_cancel},
    [INPUT_WIDE] = {"wide", make_wide},
    [INPUT_SUBNORMAL] = {"subnormal", make_subnormal},
    [INPUT_SIGNED_ZERO] = {"signed zero", make_signed_zero},
    [INPUT_NEGATIVE_ZERO] = {"negative zero", make_negative_zero},
    [INPUT_NAN] = {"nan", make_nan},
    [INPUT_INFINITY] = {"infinity", make_infinity},
    [INPUT_LARGE] = {"large", make_large},
};

const char *input_kind_name(InputKind kind)
{
    return kinds[kind].name;
}

void inputs_fill(float *data, size_t elements, size_t columns, InputKind kind, uint64_t seed)
{
    const Stream stream = {mix(seed + mix((uint64_t)kind + 1)), columns > 0 ? columns : 1};
    for (size_t i = 0; i < elements; i++) {
        data[i] = kinds[kind].make(&stream, i);
    }
}
