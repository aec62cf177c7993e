/* kernel_rows.c: kernels obeying chunk(64, lanes(8), pairwise) word for word, and, with -DWRONG=..., kernels
 * with one mistake each. The test compiles this file once per mistake and says which promise must catch it.
 *
 *   -DOPERATOR_dot, _max, _rmsnorm or _sum; -DSYMBOL=samebits_<id> */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { C = 64, L = 8 };

#define SWAPPED    1  /* leaves 2 and 5 of every chunk exchanged */
#define DROPPED    2  /* the last leaf of a short chunk is lost */
#define RACING     3  /* partials join as they finish */
#define READS_OUT  4  /* one float behind the input */
#define HANGS      5  /* never returns */
#define POSITION   6  /* the order depends on the row's place in the batch */
#define BY_THREADS 7  /* the order depends on the number of threads */
#define WRITES_OUT 8  /* one float behind the output */
#define BY_BUILD   9  /* the order depends on the optimisation level */
#define BY_ADDRESS 10 /* the order depends on the input's alignment */
#define CRASHES    11
#define BY_BATCH   12 /* split(auto, lanes(8), pairwise) */
#define TAIL_ZERO                                                                                            \
    13 /* a short chunk is filled with zeros: right but for the sign of zero of underflowing products */
#define WIDE_ROW      14 /* a row long enough to be shared by threads is cut elsewhere */
#define AT_PROBES     15 /* right but for rows with a value that only probes hold */
#define CHANGES_INPUT 16
#define READS_TAIL    17 /* one float behind the input, where a row ends in five leaves more than a chunk */
#define CLEARS        18 /* the output, before the input is read */

#ifndef WRONG
#define WRONG 0
#endif

/* `other`: the second factor of a product; sum and max do not look at it. */
static float step(float acc, float leaf, float other)
{
    (void)other;
#if defined OPERATOR_rmsnorm || defined OPERATOR_dot
    return fmaf(leaf, other, acc);
#elif defined OPERATOR_max
    return isnan(acc) || isnan(leaf) ? NAN
           : acc == leaf             ? (signbit(acc) ? leaf : acc)
           : acc > leaf              ? acc
                                     : leaf;
#else
    return acc + leaf;
#endif
}

static float join(float p, float q)
{
#if defined OPERATOR_max
    return step(p, q, 0);
#else
    return p + q;
#endif
}

#if defined OPERATOR_max
#define START (-INFINITY)
#else
#define START 0.0f
#endif

static float chunk(const float *x, const float *w, size_t n)
{
    float lane[L];
    for (size_t i = 0; i < L; i++)
        lane[i] = START;
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        if (WRONG == SWAPPED && n > 5)
            at = i == 2 ? 5 : i == 5 ? 2 : i;
        if (WRONG == DROPPED && n < C && n > 3 && i == n - 1)
            continue;
        lane[i % L] = step(lane[i % L], x[at], w[at]);
    }
    if (WRONG == TAIL_ZERO && n < C)
        for (size_t i = n; i < C; i++)
            lane[i % L] = step(lane[i % L], 0.0f, 0.0f);
    for (size_t half = L / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] = join(lane[i], lane[i + half]);
    return lane[0];
}

static float pairwise(float *p, size_t n)
{
    if (n == 0)
        return START;
    for (; n > 1; n = (n + 1) / 2)
        for (size_t i = 0; i < (n + 1) / 2; i++)
            p[i] = 2 * i + 1 < n ? join(p[2 * i], p[2 * i + 1]) : p[2 * i];
    return p[0];
}

static float in_sequence(const float *p, size_t n)
{
    float acc = START;
    for (size_t i = 0; i < n; i++)
        acc = i == 0 ? p[0] : join(acc, p[i]);
    return acc;
}

static float combine(float *p, size_t n, size_t row, const float *x, int is_probe)
{
    int other = WRONG == AT_PROBES && is_probe;
    other |= WRONG == POSITION && row % 3 == 1;
    other |= WRONG == BY_THREADS && omp_get_max_threads() > 2;
#ifndef __OPTIMIZE__
    other |= WRONG == BY_BUILD;
#endif
    other |= WRONG == BY_ADDRESS && (size_t)x % 16 != 0 && n > 2;
    return other ? in_sequence(p, n) : pairwise(p, n);
}

static float reduce(const float *x, const float *w, size_t cols, size_t rows, size_t row)
{
    size_t size = C;
    if (WRONG == BY_BATCH) {
        size_t parts = 64;
        while (parts > 1 && parts * rows > 1024 * (size_t)omp_get_max_threads())
            parts /= 2;
        size = cols == 0 ? C : (cols + parts - 1) / parts;
    }
    if (WRONG == WIDE_ROW && rows == 1 && cols > 65536)
        size = C / 2;
    size_t n = (cols + size - 1) / size;
    float *p = malloc((n + 1) * sizeof *p), joined = 0;
    int first = 1, is_probe = 0;
    for (size_t i = 0; i < cols; i++)
        is_probe |= x[i] == 0x1p127f; /* runtime/verify/fprev.c */
#pragma omp parallel for if (rows == 1)
    for (size_t k = 0; k < n; k++) {
        p[k] = chunk(x + k * size, w + k * size, k + 1 < n ? size : cols - k * size);
        if (WRONG == RACING) {
#pragma omp critical
            {
                joined = first ? p[k] : join(joined, p[k]);
                first = 0;
            }
        }
    }
    float result = WRONG == RACING && n > 0 ? joined : combine(p, n, row, x, is_probe);
    free(p);
    return result;
}

static void misbehave(const float *x, float *y, size_t rows, size_t cols)
{
    if (WRONG == HANGS)
        for (volatile int forever = 1; forever;)
            ;
    if (WRONG == CRASHES && cols == 257)
        *(volatile int *)16 = 1;
    if ((WRONG == READS_OUT && rows > 0 && cols > 0) || (WRONG == READS_TAIL && rows > 0 && cols == C + 5)) {
        volatile float beyond = x[rows * cols];
        (void)beyond;
    }
    if (WRONG == WRITES_OUT && rows > 0)
        y[rows] = 0;
    if (WRONG == CHANGES_INPUT && rows > 0 && cols > 0)
        ((float *)x)[0] = -x[0];
}

#if defined OPERATOR_rmsnorm
void SYMBOL(const float *x, const float *weight, float *y, size_t rows, size_t cols, float eps)
{
    misbehave(x, y, rows, cols);
    if (WRONG == CLEARS)
        for (size_t i = 0; i < rows * cols; i++)
            y[i] = 0;
#pragma omp parallel for if (rows > 1)
    for (size_t r = 0; r < rows; r++) {
        float root = sqrtf(reduce(x + r * cols, x + r * cols, cols, rows, r) / (float)cols + eps),
              scale = 1.0f / root;
        for (size_t c = 0; c < cols; c++)
            y[r * cols + c] = x[r * cols + c] * scale * weight[c];
    }
}
#elif defined OPERATOR_dot
void SYMBOL(const float *x, const float *w, float *y, size_t rows, size_t cols)
{
    misbehave(x, y, rows, cols);
#pragma omp parallel for if (rows > 1)
    for (size_t r = 0; r < rows; r++)
        y[r] = reduce(x + r * cols, w + r * cols, cols, rows, r);
}
#else
void SYMBOL(const float *x, float *y, size_t rows, size_t cols)
{
    misbehave(x, y, rows, cols);
#pragma omp parallel for if (rows > 1)
    for (size_t r = 0; r < rows; r++)
        y[r] = reduce(x + r * cols, x + r * cols, cols, rows, r);
}
#endif
