/* statistics.h: what a run's times are worth: medians, sign-test intervals, Williams squares, verdicts.
 *
 * Everything is distribution-free: times on a shared machine are skewed and have several modes, so means and
 * t-tests say nothing. A "log ratio" is log(baseline time / this time): above 0 is faster. Sources: Conover,
 * Practical Nonparametric Statistics, ch. 3 (the interval of a median by the sign test); Williams, Australian
 * J. Sci. Res. A 2 (1949) 149 (squares balanced for the predecessor). */
#ifndef SAMEBITS_STATISTICS_H
#define SAMEBITS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* The median; the mean of the middle two for an even count. Sorts `values` in place. NAN when count is 0. */
double statistics_median(double *values, size_t count);

/* How many values lie above the third quartile by more than three times the interquartile range. Sorts in
 * place. */
size_t statistics_count_outliers(double *values, size_t count);

/* An interval for the median of what `values` are drawn from. `error` is the chance that it misses, summed
 * over all comparisons (Bonferroni); `enough` says whether it is at most the error asked for. With too few
 * values the interval is [least, greatest] and `enough` is false. */
typedef struct SignInterval {
    double low, high;
    double error;
    bool enough;
} SignInterval;
SignInterval statistics_sign_interval(double *values, int count, double error, int comparisons);

/* The fewest values with which statistics_sign_interval can be `enough` and still leave out the `spare` most
 * extreme values on either side. */
int statistics_values_needed(double error, int comparisons, int spare);

/* P(B <= k) for B binomial(n, 1/2). */
double statistics_binomial_tail(int n, int k);

/* Row `row` (any row >= 0, taken modulo williams_rows) of the square for `items` items: every item once. Over
 * all rows each item stands at each position equally often and follows every other item equally often. */
int williams_rows(int items); /* items when even, 2 * items when odd */
void williams_fill_row(int items, int row, int *order);

typedef enum Verdict { VERDICT_FASTER, VERDICT_SAME, VERDICT_SLOWER, VERDICT_UNRESOLVED } Verdict;
const char *verdict_name(Verdict verdict);

/* The smallest difference called a difference: an interval inside [1/1.01, 1.01] is SAME. */
#define VERDICT_SAME_WITHIN 0.01

typedef enum VerdictReason { REASON_CLEAR, REASON_TOO_FEW, REASON_NOISE, REASON_WIDE } VerdictReason;
/* `interval` holds log ratios; `floor` is the run's noise floor, |log ratio| of the two baselines. */
Verdict verdict_decide(SignInterval interval, double floor, VerdictReason *reason);

#endif
