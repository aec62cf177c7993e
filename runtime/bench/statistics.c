/* statistics.c: distribution-free statistics of log ratios (see statistics.h). */
#include "bench/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort_doubles(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
}

double statistics_median(double *values, size_t count)
{
    if (count == 0)
        return NAN;
    sort_doubles(values, count);
    size_t middle = count / 2;
    return count % 2 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

/* Quartiles as the values at rank ceil(q * n): no interpolation, so a mode of its own stays one. */
size_t statistics_count_outliers(double *values, size_t count)
{
    if (count < 4)
        return 0;
    sort_doubles(values, count);
    double first = values[(count + 3) / 4 - 1], third = values[(3 * count + 3) / 4 - 1];
    double limit = third + 3.0 * (third - first);
    size_t outliers = 0;
    while (outliers < count && values[count - 1 - outliers] > limit)
        outliers++;
    return outliers;
}

double statistics_binomial_tail(int n, int k)
{
    double term = ldexp(1.0, -n), sum = 0.0; /* C(n, 0) / 2^n; exact well past any number of processes */
    for (int i = 0; i <= k && i <= n; i++) {
        sum += term;
        term = term * (n - i) / (i + 1);
    }
    return sum;
}

/* The interval [x_(k), x_(n+1-k)] misses the median when at most k-1 values fall on one side of it. */
SignInterval statistics_sign_interval(double *values, int count, double error, int comparisons)
{
    assert(count > 0 && comparisons > 0);
    sort_doubles(values, (size_t)count);
    int k = 1;
    while (2 * (k + 1) <= count && 2.0 * statistics_binomial_tail(count, k) * comparisons <= error)
        k++;
    double missed = 2.0 * statistics_binomial_tail(count, k - 1) * comparisons;
    return (SignInterval){
        .low = values[k - 1],
        .high = values[count - k],
        .error = fmin(missed, 1.0),
        .enough = missed <= error,
    };
}

int statistics_values_needed(double error, int comparisons, int spare)
{
    int count = 2 * spare + 1;
    while (2.0 * statistics_binomial_tail(count, spare) * comparisons > error)
        count++;
    return count;
}

int williams_rows(int items)
{
    return items % 2 ? 2 * items : items;
}

/* First row 0, 1, n-1, 2, n-2, ...: its neighbouring differences 1, n-2, 3, ... are all distinct modulo n
 * when n is even, so adding r modulo n to it gives each ordered pair of neighbours once. For odd n each
 * difference or its negative occurs twice, and the mirrored rows supply the other half. */
void williams_fill_row(int items, int row, int *order)
{
    assert(items > 0 && row >= 0);
    row %= williams_rows(items);
    bool mirrored = row >= items;
    for (int i = 0; i < items; i++) {
        int first = i % 2 ? (i + 1) / 2 : (items - i / 2) % items;
        order[mirrored ? items - 1 - i : i] = (first + row) % items;
    }
}

const char *verdict_name(Verdict verdict)
{
    static const char *const names[] = {"FASTER", "SAME", "SLOWER", "UNRESOLVED"};
    return names[verdict];
}

Verdict verdict_decide(SignInterval interval, double floor, VerdictReason *reason)
{
    double same = log1p(VERDICT_SAME_WITHIN);
    *reason = REASON_TOO_FEW;
    if (!interval.enough)
        return VERDICT_UNRESOLVED;
    *reason = REASON_CLEAR;
    if (interval.low > -same && interval.high < same)
        return VERDICT_SAME;
    if (interval.low > floor)
        return VERDICT_FASTER;
    if (interval.high < -floor)
        return VERDICT_SLOWER;
    *reason = interval.low > 0.0 || interval.high < 0.0 ? REASON_NOISE : REASON_WIDE;
    return VERDICT_UNRESOLVED;
}
