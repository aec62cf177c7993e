/* measure.h: one shape, timed by several worker processes, and what the times say. */
#ifndef SAMEBITS_MEASURE_H
#define SAMEBITS_MEASURE_H

#include "bench/entry.h"
#include "bench/statistics.h"
#include "bench/worker.h"
#include "report/progress.h"

/* Chance that any verdict of a run is wrong by chance alone. */
#define MEASURE_ERROR 0.05

typedef struct Times {
    int entries, processes, blocks; /* blocks per process */
    int iterations, sets;
    double *ns;            /* [process][block][entry], per call; NAN where there is none */
    Warmup *warmup;        /* per entry; from a fresh process of its own */
    DeviceFigures *device; /* per entry, where the task has a device */
    const char *why;       /* NULL, or why nothing was timed */
} Times;

/* Steps that measure_run reports to the progress bar. */
int measure_steps(const BenchTask *task);
/* `known` may hold the times of another pass over the same entries: its warm-ups are used again. */
Times measure_run(Arena *arena, const BenchTask *task, const Times *known, Progress *progress);
double times_at(const Times *times, int process, int block, int entry);
bool times_has(const Times *times, int entry);

/* How many processes a run needs so that the sign test, corrected for all comparisons, can decide, even when
 * one process is far off on either side (a neighbour woke up; its pages lay badly). */
int measure_processes(int comparisons);

/* Entry `a` and, when it is not negative, `a_again` (their mean in each block) over entry `b`: log(time a /
 * time b), per process the median over blocks; the interval over processes. Above 0: b is faster. */
typedef struct Ratio {
    double median; /* log */
    SignInterval interval;
} Ratio;
Ratio times_ratio(Arena *arena, const Times *times, int a, int a_again, int b, int comparisons);

double times_median(Arena *arena, const Times *times, int entry); /* over all epochs */
double times_least(const Times *times, int entry);
size_t times_outliers(Arena *arena, const Times *times, int entry);

#endif
