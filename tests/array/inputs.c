/* inputs.c: canonical inputs are frozen, have the shape that their kind says, and tell orders apart. */
#include "array/inputs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ELEMENTS = 1000, COLUMNS = 37 };

/* SHA-256 of 1000 elements, seed 7, rows of 37, worked out apart from this program: by a script with
 * arbitrary integers and fractions, rounded once where inputs.c converts or multiplies. */
static const char *const frozen[INPUT_KINDS] = {
    "b5aabecc6559488633fd869239d17fa9cb08dcf5ca4df314120ea508bef7faeb", /* normal */
    "776f415f361e8e1c810f4a95b5921a7d7a1ee988aaccf5d685a357dfb26ae7c7", /* mixed */
    "fca6a7a4050635738f9b611dd19c6e37e85de4e1f4ae40bacdf34e612ec57737", /* cancel */
    "a00d62f39500d605f97ac3acdf9b697837c3340a9ae64c8c60141899107443dc", /* wide */
    "341a5eec26a28f04d333dde4aec98a8deeeda3e61ad08ee839b56f364d613974", /* subnormal */
    "7751f42497ec059164cc6fa47b0a8c5c16a2dfb57172796d5c8fb27145b36721", /* signed zero */
    "433f604e617d9449b0679c70c071a07c4a48f117c69596c39f796a63598cd5a6", /* negative zero */
    "7b4f8d94aeb264aece6c0daf8447dba08dc8b5904634a7ef643f21519698e0ff", /* nan */
    "670d61ccbf2a14761ab2971ba634e8c541a5c6e9865ede6dffc39b5fd1714b04", /* infinity */
    "625ec7dcad17b53d6978752671f64406ba31e96c4959384f8f0bbfaa38b2df0e", /* large */
};

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float *make(InputKind kind, size_t elements, size_t columns, uint64_t seed)
{
    float *data = malloc(elements * sizeof *data + 1);
    assert_non_null(data);
    inputs_fill(data, elements, columns, kind, seed);
    return data;
}

static void test_frozen(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        float *data = make((InputKind)kind, ELEMENTS, COLUMNS, 7);
        char digest[65];
        inputs_digest(data, ELEMENTS, digest);
        if (strcmp(digest, frozen[kind]) != 0) {
            fail_msg("%s: %s", input_kind_name((InputKind)kind), digest);
        }
        free(data);
    }
}

/* An element never depends on how many are made. */
static void test_prefix(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        float *all = make((InputKind)kind, ELEMENTS, COLUMNS, 3),
              *some = make((InputKind)kind, 123, COLUMNS, 3);
        assert_memory_equal(all, some, 123 * sizeof *all);
        free(all);
        free(some);
    }
}

static void test_seeds_and_kinds_differ(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        float *one = make((InputKind)kind, ELEMENTS, COLUMNS, 1),
              *two = make((InputKind)kind, ELEMENTS, COLUMNS, 2);
        assert_true((memcmp(one, two, ELEMENTS * sizeof *one) != 0) == (kind != INPUT_NEGATIVE_ZERO));
        assert_non_null(input_kind_name((InputKind)kind));
        free(one);
        free(two);
    }
}

static void test_normal_is_normal(void **state)
{
    (void)state;
    enum { MANY = 400000 };
    float *data = make(INPUT_NORMAL, MANY, 1000, 11);
    double sum = 0, squares = 0, neighbours = 0;
    size_t within = 0, odd = 0;
    for (size_t i = 0; i < MANY; i++) {
        sum += data[i];
        squares += (double)data[i] * data[i];
        neighbours += i ? (double)data[i] * data[i - 1] : 0;
        within += fabsf(data[i]) < 1;
        odd += bits_of(data[i]) & 1;
    }
    assert_true(fabs(sum / MANY) < 0.01);
    assert_true(fabs(squares / MANY - 1) < 0.01);
    assert_true(fabs(neighbours / MANY) < 0.01);
    assert_true(fabs((double)within / MANY - 0.6827) < 0.01); /* 0.6813 for twelve uniforms */
    assert_true(fabs((double)odd / MANY - 0.5) < 0.01);       /* significands are full */
    free(data);
}

static void test_mixed_is_a_quarter_a_half_a_quarter(void **state)
{
    (void)state;
    enum { MANY = 4000 };
    float *mixed = make(INPUT_MIXED, MANY, 512, 5);
    size_t lane_large[4] = {0};
    for (size_t i = 0; i < MANY; i += 4) {
        float largest = 0;
        size_t at = 0;
        for (size_t j = 0; j < 4; j++) {
            if (fabsf(mixed[i + j]) > largest) {
                largest = fabsf(mixed[i + j]);
                at = j;
            }
        }
        lane_large[at]++;
    }
    for (size_t j = 0; j < 4; j++) {
        assert_true(lane_large[j] > MANY / 4 / 8); /* no lane has all the large ones */
    }
    double squares = 0;
    for (size_t i = 0; i < MANY; i++) {
        squares += (double)mixed[i] * mixed[i];
    }
    assert_true(fabs(squares / MANY - (100 + 2 + 0.01) / 4) < 3);
    free(mixed);
}

static float sum_in_order(const float *data, size_t count)
{
    float sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += data[i];
    }
    return sum;
}

static float sum_in_lanes(const float *data, size_t count)
{
    float lane[8] = {0};
    for (size_t i = 0; i < count; i++) {
        lane[i % 8] += data[i];
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static float sum_in_pairs(const float *data, size_t count)
{
    if (count == 1) {
        return data[0];
    }
    size_t half = 1;
    while (2 * half < count) {
        half *= 2;
    }
    return sum_in_pairs(data, half) + sum_in_pairs(data + half, count - half);
}

static float sum_with_swap(const float *data, size_t count, size_t a, size_t b,
                           float sum(const float *, size_t))
{
    float *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, data, count * sizeof *copy);
    copy[a] = data[b];
    copy[b] = data[a];
    const float result = sum(copy, count);
    free(copy);
    return result;
}

static float sum_with_far_swap(const float *data, size_t count)
{
    return sum_with_swap(data, count, 0, count - 1, sum_in_order);
}

/* Of 64 rows of 1000, the number in which another order gives other bits. */
static int rows_that_differ(InputKind kind, float other(const float *, size_t))
{
    enum { ROWS = 64, LENGTH = 1000 };
    float *data = make(kind, ROWS * LENGTH, LENGTH, 9);
    int differ = 0;
    for (size_t r = 0; r < ROWS; r++) {
        differ +=
            bits_of(sum_in_order(data + r * LENGTH, LENGTH)) != bits_of(other(data + r * LENGTH, LENGTH));
    }
    free(data);
    return differ;
}

static void test_orders_are_told_apart(void **state)
{
    (void)state;
    static const InputKind kinds[] = {INPUT_NORMAL, INPUT_MIXED, INPUT_CANCEL};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        assert_true(rows_that_differ(kinds[k], sum_in_lanes) > 48);
        assert_true(rows_that_differ(kinds[k], sum_in_pairs) > 48);
        assert_true(rows_that_differ(kinds[k], sum_with_far_swap) > 32);
    }
    assert_true(rows_that_differ(INPUT_WIDE, sum_in_lanes) > 16);
    assert_true(rows_that_differ(INPUT_LARGE, sum_in_lanes) > 0);
}

/* Two leaves in neighbouring lanes exchanged: one join's operands each, seen in most rows. */
static void test_swapped_lanes_are_told_apart(void **state)
{
    (void)state;
    enum { ROWS = 64, LENGTH = 1000 };
    float *data = make(INPUT_CANCEL, ROWS * LENGTH, LENGTH, 9);
    int differ = 0;
    for (size_t r = 0; r < ROWS; r++) {
        const float *row = data + r * LENGTH;
        differ +=
            bits_of(sum_in_lanes(row, LENGTH)) != bits_of(sum_with_swap(row, LENGTH, 500, 501, sum_in_lanes));
    }
    assert_true(differ > ROWS / 4);
    free(data);
}

/* Not in the last bit only: rows of "cancel" differ by far more than rows of "normal". */
static void test_cancel_loses_most_digits(void **state)
{
    (void)state;
    float *data = make(INPUT_CANCEL, 64 * 1024, 1024, 9);
    int much = 0;
    for (size_t r = 0; r < 64; r++) {
        const float one = sum_in_order(data + r * 1024, 1024), two = sum_in_lanes(data + r * 1024, 1024);
        much += fabsf(one - two) > 1e-4f * fabsf(two);
    }
    assert_true(much > 32);
    free(data);
}

static void test_special_values_are_where_they_belong(void **state)
{
    (void)state;
    enum { ROWS = 40 };
    float *nan = make(INPUT_NAN, ROWS * COLUMNS, COLUMNS, 2),
          *inf = make(INPUT_INFINITY, ROWS * COLUMNS, COLUMNS, 2);
    int negative = 0, signalling = 0;
    for (size_t r = 0; r < ROWS; r++) {
        int nans = 0, plus = 0, minus = 0;
        for (size_t i = r * COLUMNS; i < (r + 1) * COLUMNS; i++) {
            nans += isnan(nan[i]) != 0;
            negative += isnan(nan[i]) && bits_of(nan[i]) >> 31;
            signalling += isnan(nan[i]) && !(bits_of(nan[i]) & 0x400000);
            plus += inf[i] == INFINITY;
            minus += inf[i] == -INFINITY;
        }
        assert_int_equal(nans, r % 2 == 0);
        assert_int_equal(plus, r % 4 == 0 || r % 4 == 2);
        assert_int_equal(minus, r % 4 == 1 || r % 4 == 2);
    }
    assert_true(negative > 0 && negative < ROWS / 2 && signalling > 0 && signalling < ROWS / 2);
    free(nan);
    free(inf);
}

static void test_ranges(void **state)
{
    (void)state;
    float *tiny = make(INPUT_SUBNORMAL, ELEMENTS, COLUMNS, 4), *wide = make(INPUT_WIDE, ELEMENTS, COLUMNS, 4);
    float *zero = make(INPUT_SIGNED_ZERO, ELEMENTS, COLUMNS, 4),
          *large = make(INPUT_LARGE, ELEMENTS, COLUMNS, 4);
    int subnormals = 0, smallest = 0, minus = 0;
    for (size_t i = 0; i < ELEMENTS; i++) {
        assert_true(fabsf(tiny[i]) < 0x1p-125f);
        subnormals += fpclassify(tiny[i]) == FP_SUBNORMAL;
        smallest += fpclassify(tiny[i]) == FP_NORMAL;
        assert_true(fabsf(wide[i]) >= 0x1p-40f && fabsf(wide[i]) < 0x1p41f);
        assert_true(zero[i] == 0);
        minus += bits_of(zero[i]) >> 31;
        assert_true(isfinite(large[i]) && isinf(large[i] * large[i]));
    }
    assert_true(subnormals > ELEMENTS / 2 && smallest > ELEMENTS / 10);
    assert_true(minus > 400 && minus < 600);
    free(tiny);
    free(wide);
    free(zero);
    free(large);
}

/* SHA-256 of no bytes, and of the words of 1, -0 and a NaN (00 00 80 3f, 00 00 00 80, 00 00 c0 7f), by
 * sha256sum. */
static void test_digest(void **state)
{
    (void)state;
    char digest[65];
    inputs_digest(NULL, 0, digest);
    assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const uint32_t words[2][3] = {{0x3f800000, 0x80000000, 0x7fc00000}, {0x3f800000, 0x80000000, 0xff800001}};
    for (int i = 0; i < 2; i++) {
        float data[3];
        memcpy(data, words[i], sizeof data);
        inputs_digest(data, 3, digest);
        assert_string_equal(digest, "edfa3a89082bcce9a7725a436754d5774dcc3a5eed55bd86e7d2ffabd4feecc7");
    }
}

static void test_no_elements_and_no_columns(void **state)
{
    (void)state;
    for (int kind = 0; kind < INPUT_KINDS; kind++) {
        float untouched = 42;
        inputs_fill(&untouched, 0, 0, (InputKind)kind, 1);
        assert_true(untouched == 42);
        inputs_fill(&untouched, 1, 0, (InputKind)kind, 1);
        assert_true(untouched != 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_seeds_and_kinds_differ),
        cmocka_unit_test(test_normal_is_normal),
        cmocka_unit_test(test_mixed_is_a_quarter_a_half_a_quarter),
        cmocka_unit_test(test_orders_are_told_apart),
        cmocka_unit_test(test_swapped_lanes_are_told_apart),
        cmocka_unit_test(test_cancel_loses_most_digits),
        cmocka_unit_test(test_special_values_are_where_they_belong),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_no_elements_and_no_columns),
    };
    return cmocka_run_group_tests_name("inputs", tests, NULL, NULL);
}
