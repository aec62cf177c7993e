/* bench.c: the benchmark's own logic on data with known answers. No assertion is about how long anything
 * took. */
#include "bench/clock.h"
#include "bench/compare.h"
#include "bench/line_up.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/statistics.h"
#include "bench/team.h"
#include "bench/work.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *kernels_path, *specs_folder;

static void assert_near(double value, double expected, double within)
{
    if (!(fabs(value - expected) <= within))
        fail_msg("%.12g is not %.12g", value, expected);
}

/* ---- statistics ------------------------------------------------------------------------------------------
 */

static void test_median(void **state)
{
    (void)state;
    double odd[] = {9.0, 1.0, 5.0}, even[] = {4.0, 1.0, 3.0, 100.0}, one[] = {7.0};
    assert_near(statistics_median(odd, 3), 5.0, 0.0);
    assert_near(statistics_median(even, 4), 3.5, 0.0);
    assert_near(statistics_median(one, 1), 7.0, 0.0);
    assert_true(isnan(statistics_median(one, 0)));
}

static void test_outliers(void **state)
{
    (void)state;
    double calm[] = {10, 11, 12, 13, 10, 11, 12, 13}, spiky[] = {10, 11, 12, 13, 10, 11, 12, 13, 40, 1000};
    double low[] = {10, 11, 12, 13,
                    10, 11, 12, 0.001}; /* fast ones are no outliers: nothing runs too fast by accident */
    assert_int_equal(statistics_count_outliers(calm, 8), 0);
    assert_int_equal(statistics_count_outliers(spiky, 10), 2);
    assert_int_equal(statistics_count_outliers(low, 8), 0);
}

/* Binomial tables: sums of rows of Pascal's triangle. */
static void test_binomial(void **state)
{
    (void)state;
    assert_near(statistics_binomial_tail(10, 0), 1.0 / 1024, 1e-15);
    assert_near(statistics_binomial_tail(10, 1), 11.0 / 1024, 1e-15);
    assert_near(statistics_binomial_tail(10, 2), 56.0 / 1024, 1e-15);
    assert_near(statistics_binomial_tail(20, 5), 21700.0 / 1048576, 1e-15);
    assert_near(statistics_binomial_tail(7, 7), 1.0, 1e-15);
    assert_near(statistics_binomial_tail(7, 3), 0.5, 1e-15);
}

typedef struct IntervalCase {
    int count, comparisons, rank; /* the interval is [x_rank, x_(count+1-rank)] */
    bool enough;
} IntervalCase;

/* Ranks at 95 per cent as tables for the sign test have them (Conover, table A3; Dixon and Massey, table
 * */
static void test_sign_interval(void **state)
{
    (void)state;
    static const IntervalCase cases[] = {
        {5, 1, 1, false}, {6, 1, 1, true},   {8, 1, 1, true},   {9, 1, 2, true},
        {10, 1, 2, true}, {12, 1, 3, true},  {15, 1, 4, true},  {20, 1, 6, true},
        {25, 1, 8, true}, {30, 1, 10, true}, {40, 1, 14, true}, {8, 11, 1, false},
        {9, 11, 1, true}, {10, 11, 1, true}, {13, 9, 2, true},  {12, 9, 1, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double values[64];
        for (int i = 0; i < cases[c].count; i++)
            values[i] = cases[c].count - i; /* n..1: sorting is the function's own business */
        SignInterval interval = statistics_sign_interval(values, cases[c].count, 0.05, cases[c].comparisons);
        assert_near(interval.low, cases[c].rank, 0.0);
        assert_near(interval.high, cases[c].count + 1 - cases[c].rank, 0.0);
        assert_int_equal(interval.enough, cases[c].enough);
        assert_int_equal(interval.error <= 0.05, cases[c].enough);
    }
}

static void test_values_needed(void **state)
{
    (void)state;
    assert_int_equal(statistics_values_needed(0.05, 1, 0), 6);
    assert_int_equal(statistics_values_needed(0.05, 1, 1), 9);
    assert_int_equal(statistics_values_needed(0.05, 9, 0), 9);
    assert_int_equal(statistics_values_needed(0.05, 9, 1), 13);
    assert_int_equal(statistics_values_needed(0.05, 25, 0), 10);
}

/* The interval's promise itself: from a source with a known median it misses in about the stated share of
 * runs. */
static void test_interval_covers(void **state)
{
    (void)state;
    uint64_t number = 1;
    int missed = 0, runs = 20000;
    for (int r = 0; r < runs; r++) {
        double values[10];
        for (int i = 0; i < 10; i++) {
            number = number * 6364136223846793005u + 1442695040888963407u;
            double uniform = (double)(number >> 11) * 0x1p-53;
            values[i] = uniform < 0.5 ? uniform : exp(20.0 * uniform); /* skewed; the median is 0.5 */
        }
        SignInterval interval = statistics_sign_interval(values, 10, 0.05, 1);
        missed += interval.low > 0.5 || interval.high < 0.5;
    }
    assert_near((double)missed / runs, 22.0 / 1024, 0.004); /* four standard deviations of the count */
}

/* ---- Williams squares
 * -------------------------------------------------------------------------------------- */

static void check_square(int items)
{
    int rows = williams_rows(items), order[32], position[32][32] = {{0}}, after[32][32] = {{0}};
    for (int r = 0; r < rows; r++) {
        williams_fill_row(items, r, order);
        for (int i = 0; i < items; i++) {
            assert_in_range(order[i], 0, items - 1);
            position[order[i]][i]++;
            if (i > 0)
                after[order[i - 1]][order[i]]++;
        }
    }
    for (int a = 0; a < items; a++)
        for (int b = 0; b < items; b++) {
            assert_int_equal(position[a][b], rows / items);
            assert_int_equal(after[a][b], a == b ? 0 : rows / items);
        }
}

static void test_williams(void **state)
{
    (void)state;
    for (int items = 1; items <= 32; items++)
        check_square(items);
    int first[5], later[5];
    williams_fill_row(5, 3, first);
    williams_fill_row(5, 13, later); /* rows repeat after the square's last */
    assert_memory_equal(first, later, sizeof first);
}

/* ---- verdicts
 * ------------------------------------------------------------------------------------------------ */

typedef struct VerdictCase {
    double low, high, floor;
    bool enough;
    Verdict verdict;
    VerdictReason reason;
} VerdictCase;

static void test_verdicts(void **state)
{
    (void)state;
    static const VerdictCase cases[] = {
        {0.05, 0.09, 0.01, true, VERDICT_FASTER, REASON_CLEAR},
        {-0.09, -0.05, 0.01, true, VERDICT_SLOWER, REASON_CLEAR},
        {-0.005, 0.005, 0.001, true, VERDICT_SAME, REASON_CLEAR},
        {0.002, 0.009, 0.001, true, VERDICT_SAME, REASON_CLEAR},     /* inside 1 per cent, although above 0 */
        {0.02, 0.03, 0.025, true, VERDICT_UNRESOLVED, REASON_NOISE}, /* part of it below the floor */
        {-0.03, -0.02, 0.04, true, VERDICT_UNRESOLVED, REASON_NOISE},
        {-0.02, 0.05, 0.001, true, VERDICT_UNRESOLVED, REASON_WIDE},
        {0.05, 0.09, 0.01, false, VERDICT_UNRESOLVED, REASON_TOO_FEW},
        {-0.001, 0.001, 0.0, false, VERDICT_UNRESOLVED, REASON_TOO_FEW}, /* too few cannot be SAME either */
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        SignInterval interval = {.low = cases[c].low, .high = cases[c].high, .enough = cases[c].enough};
        VerdictReason reason;
        assert_string_equal(verdict_name(verdict_decide(interval, cases[c].floor, &reason)),
                            verdict_name(cases[c].verdict));
        assert_int_equal(reason, cases[c].reason);
    }
}

/* ---- ratios from made-up times
 * --------------------------------------------------------------------------------- */

/* Entry 0 takes 100 times a drift that all entries of a block share; entry 1 is 1.25 times as fast; entry 2 a
 * copy of 0. One process in nine is far off for entry 1 alone. */
static Times make_times(Arena *arena)
{
    Times times = {.entries = 3, .processes = 9, .blocks = 5};
    times.ns = ARENA_ARRAY(arena, double, 3 * 9 * 5);
    times.warmup = ARENA_ARRAY(arena, Warmup, 3);
    for (int p = 0; p < 9; p++)
        for (int b = 0; b < 5; b++) {
            double drift = 1.0 + 0.7 * ((p * 5 + b) % 4), *cell = &times.ns[(p * 5 + b) * 3];
            cell[0] = 100.0 * drift;
            cell[1] = (p == 4 ? 400.0 : 80.0) * drift;
            cell[2] = 100.0 * drift;
        }
    return times;
}

static void test_ratio(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Times times = make_times(arena);
    Ratio faster = times_ratio(arena, &times, 0, 2, 1, 1);
    assert_near(exp(faster.median), 1.25, 1e-12);
    assert_near(exp(faster.interval.low), 1.25, 1e-12); /* 9 processes: one on either side is left out */
    assert_near(exp(faster.interval.high), 1.25, 1e-12);
    Ratio corrected = times_ratio(arena, &times, 0, 2, 1, 9);
    assert_near(exp(corrected.interval.low), 0.25, 1e-12); /* nine comparisons: none is left out */
    assert_near(times_ratio(arena, &times, 0, -1, 2, 1).median, 0.0, 1e-15);
    times.ns[(4 * 5 + 2) * 3 + 1] = NAN; /* an epoch that never came is left out, not counted as zero */
    assert_near(exp(times_ratio(arena, &times, 0, 2, 1, 1).median), 1.25, 1e-12);
    arena_destroy(arena);
}

/* ---- threads, clock, machine
 * ------------------------------------------------------------------------------------ */

static void test_clock(void **state)
{
    (void)state;
    int64_t last = clock_nanoseconds();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_nanoseconds();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_tick() > 0);
    int64_t before = clock_nanoseconds();
    clock_sleep(2000000);
    assert_true(clock_nanoseconds() - before >= 2000000);
}

static void test_shares(void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 1, 63, 64, 4096, 4097, 1000003};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int threads = 1; threads <= 9; threads++) {
            uint64_t at = 0, from, to;
            for (int t = 0; t < threads; t++) {
                team_share(counts[c], 64, t, threads, &from, &to);
                assert_int_equal(from, at);
                assert_true(from % 64 == 0 || from == counts[c]);
                at = to;
            }
            assert_int_equal(at, counts[c]);
        }
}

static void count_threads(void *context, int thread, int threads)
{
    int *seen = context;
    seen[thread] += threads;
}

static void test_team(void **state)
{
    (void)state;
    int seen[3] = {0};
    Team team = team_of_own(3);
    assert_true(team_run(&team, count_threads, seen) >= 0);
    for (int t = 0; t < 3; t++)
        assert_int_equal(seen[t], 3);
}

/* ---- what is counted from a spec
 * ----------------------------------------------------------------------------------- */

static const Family *read_spec(Arena *arena, const char *name)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Family *family =
        family_read(arena, &diagnostics, arena_printf(arena, "%s/%s.lua", specs_folder, name), NULL, 0);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(family);
    return family;
}

static const Term *read_term(Arena *arena, const char *text)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    return term_parse(arena, &diagnostics, (Location){0}, text);
}

/* y = (x * (1 / sqrt(sum(x*x) / cols + eps))) * weight: four operations per element (the square, its
 * addition, two products) and four per row. */
static void test_work(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const Operator *op = read_spec(arena, "rmsnorm")->op;
    Shape shape = {{12, 4096}};
    Work work = work_count(op, &shape);
    assert_near(work.bytes_in, 4.0 * (12 * 4096 + 4096), 0.0);
    assert_near(work.bytes_out, 4.0 * 12 * 4096, 0.0);
    assert_near(work.flops, 4.0 * 12 * 4096 + 4.0 * 12, 0.0);
    assert_true(task_is_copy_like(op, &shape));
    const Operator *sum = read_spec(arena, "sum")->op;
    assert_near(work_count(sum, &shape).flops, 12.0 * 4096, 0.0);
    assert_false(task_is_copy_like(sum, &shape));
    arena_destroy(arena);
}

static void test_chain(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const Operator *op = read_spec(arena, "rmsnorm")->op;
    Shape shape = {{12, 4096}};
    assert_near(work_chain_steps(op, read_term(arena, "seq"), &shape), 4096.0, 0.0);
    assert_near(work_chain_steps(op, read_term(arena, "lanes(32)"), &shape), 128.0 + 5.0, 0.0);
    assert_near(work_chain_steps(op, read_term(arena, "pairwise"), &shape), 1.0 + 12.0, 0.0);
    assert_near(work_chain_steps(op, read_term(arena, "chunk(1024, lanes(32), pairwise)"), &shape),
                32.0 + 5.0 + 2.0, 0.0);
    /* layernorm's second sum waits for its first */
    assert_near(work_chain_steps(read_spec(arena, "layernorm")->op, read_term(arena, "seq"), &shape), 8192.0,
                0.0);
    Shape long_row = {{1, (size_t)64 << 20}};
    assert_near(work_chain_steps(op, read_term(arena, "seq"), &long_row), 0.0, 0.0);
    arena_destroy(arena);
}

/* ---- recommendations and findings
 * ------------------------------------------------------------------------------------ */

static void test_recommendation(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    MethodFact fact[] = {
        {.label = "standard",
         .time_ns = 100e3,
         .max_ulps = 2.0,
         .deterministic = true,
         .gain_low = 0.4,
         .gain_high = 0.5},
        {.label = "careful",
         .time_ns = 50e3,
         .max_ulps = 1.0,
         .deterministic = true,
         .gain_low = 1.0,
         .gain_high = 1.0},
        {.label = "quick but bad", .time_ns = 10e3, .max_ulps = 9.0, .deterministic = true},
        {.label = "as it comes",
         .time_ns = 49e3,
         .max_ulps = 1.0,
         .run_to_run = 1e-7,
         .gain_low = 0.97,
         .gain_high = 1.02},
    };
    assert_int_equal(compare_choose_method(fact, 4), 1);
    const char *text = compare_recommend(arena, fact, 4);
    assert_non_null(strstr(text, "Use 'careful'"));
    assert_non_null(strstr(text, "it is the fastest: 50.0 µs, 1.00 ulps at most"));
    assert_non_null(strstr(text, "'as it comes' is not measurably faster"));
    assert_non_null(strstr(text, "nothing is gained by it"));
    fact[3].gain_low = 1.3, fact[3].gain_high = 1.4;
    text = compare_recommend(arena, fact, 4);
    assert_non_null(strstr(text, "is faster"));
    assert_non_null(strstr(text, "speed is bought with reproducibility"));
    fact[0].time_ns = 50.2e3, fact[0].max_ulps = 1.2; /* within one per cent: the smaller error decides */
    assert_int_equal(compare_choose_method(fact, 4), 1);
    fact[1].max_ulps = 1.3;
    assert_int_equal(compare_choose_method(fact, 4), 0);
    text = compare_recommend(arena, fact, 4); /* it is not the fastest, and must not be called so */
    assert_non_null(strstr(text, "as fast as the fastest ('careful', 50.0 µs; less than 1 % apart)"));
    assert_non_null(strstr(text, "(1.20 against 1.30 ulps)"));
    fact[1].max_ulps = fact[0].max_ulps; /* equal errors: the faster one, wherever it stands */
    assert_int_equal(compare_choose_method(fact, 4), 1);
    fact[0].deterministic = fact[1].deterministic = fact[2].deterministic = false;
    assert_int_equal(compare_choose_method(fact, 4), -1);
    assert_non_null(strstr(compare_recommend(arena, fact, 4), "No recommendation"));
    arena_destroy(arena);
}

static void test_finding(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    BatchFact fact[] = {{"chunk", 1, 256, 0, 0.0},
                        {"chunk", 8, 256, 0, 0.0},
                        {"auto", 1, 256, 0, 0.0},
                        {"auto", 2, 256, 100, 1.5e-7},
                        {"auto", 8, 256, 200, 3e-7}};
    const char *text = compare_find_batch(arena, fact, 5);
    assert_non_null(strstr(text, "1 of 2 methods"));
    assert_non_null(
        strstr(text, "'auto' does not: in a batch of 8, 200 of the first item's 256 rows differ"));
    assert_non_null(strstr(compare_find_batch(arena, fact, 2), "All 1 methods"));
    arena_destroy(arena);
}

/* ---- the protocol on real kernels
 * ---------------------------------------------------------------------------------------- */

static Operator make_operator(void)
{
    Operator op = {.name = "twice", .dim = {"rows", "cols"}, .dims = 2, .inputs = 1, .outputs = 1};
    op.input[0] = (Tensor){.name = "x", .rank = 2, .dim = {0, 1}};
    op.output[0] = (Tensor){.name = "y", .rank = 2, .dim = {0, 1}};
    return op;
}

static void check_times(const Times *times, int entry, bool in_every_block)
{
    assert_null(times->warmup[entry].why);
    assert_true(times->warmup[entry].calls >= 1);
    assert_true(times->warmup[entry].settled_ns > 0.0 &&
                times->warmup[entry].settled_ns <= times->warmup[entry].first_ns);
    for (int p = 0; p < times->processes; p++)
        for (int b = 0; b < times->blocks; b++) {
            double ns = times_at(times, p, b, entry);
            assert_true(ns > 0.0 || (isnan(ns) && b > 0 && !in_every_block));
        }
}

/* A kernel that crashes costs its own entry and nothing else; every entry of every block has a time of its
 * own. */
static void test_protocol(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Operator op = make_operator();
    BenchEntry entry[] = {
        {.kind = ENTRY_FASTMATH, .id = "twice", .path = kernels_path, .symbol = "twice", .twin = -1},
        {.kind = ENTRY_CONTROL, .id = "twice-again", .path = kernels_path, .symbol = "twice", .twin = 0},
        {.kind = ENTRY_VARIANT, .id = "slow", .path = kernels_path, .symbol = "twice_slowly", .twin = -1},
        {.kind = ENTRY_VARIANT, .id = "crash", .path = kernels_path, .symbol = "crash", .twin = -1},
        {.kind = ENTRY_VARIANT,
         .id = "absent",
         .path = kernels_path,
         .symbol = "no_such_function",
         .twin = -1},
        {.kind = ENTRY_MEMORY, .id = "read", .memory = MEMORY_READ, .twin = -1},
    };
    for (int cold = 0; cold < 2; cold++) {
        BenchTask task = {.op = &op,
                          .shape = {{64, 256}},
                          .data = INPUT_NORMAL,
                          .entry = entry,
                          .entries = 6,
                          .baseline = 0,
                          .baseline_again = 1,
                          .threads = 1,
                          .cache_bytes = 1 << 20,
                          .clock_tick_ns = 50.0,
                          .cold = cold,
                          .seldom_from = 4.0,
                          .processes = 3,
                          .seconds = 0.1};
        Progress progress;
        progress_start(&progress, "bench", measure_steps(&task), false);
        Times times = measure_run(arena, &task, NULL, &progress);
        progress_end(&progress);
        assert_null(times.why);
        assert_int_equal(times.processes, 3);
        assert_true(times.iterations >= 1 && times.blocks >= 3);
        assert_int_equal(times.sets > 1, cold);
        check_times(&times, 0, false); /* a busy machine may cut a run short after its first block */
        check_times(&times, 1, false);
        check_times(&times, 2, false);
        check_times(&times, 5, false);
        assert_non_null(times.warmup[3].why);
        assert_non_null(strstr(times.warmup[3].why, "killed by SIG"));
        assert_non_null(strstr(times.warmup[4].why, "no_such_function"));
        assert_true(isnan(times_at(&times, 0, 0, 3)));
        assert_true(isfinite(times_ratio(arena, &times, 0, 1, 2, 2).median));
    }
    arena_destroy(arena);
}

int main(int count, char **argument)
{
    if (count != 3) {
        fprintf(stderr, "usage: test-bench KERNELS SPECS\n");
        return 2;
    }
    kernels_path = argument[1];
    specs_folder = argument[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),         cmocka_unit_test(test_outliers),
        cmocka_unit_test(test_binomial),       cmocka_unit_test(test_sign_interval),
        cmocka_unit_test(test_values_needed),  cmocka_unit_test(test_interval_covers),
        cmocka_unit_test(test_williams),       cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_ratio),          cmocka_unit_test(test_clock),
        cmocka_unit_test(test_shares),         cmocka_unit_test(test_team),
        cmocka_unit_test(test_work),           cmocka_unit_test(test_chain),
        cmocka_unit_test(test_recommendation), cmocka_unit_test(test_finding),
        cmocka_unit_test(test_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
