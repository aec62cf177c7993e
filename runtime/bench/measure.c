/* measure.c: the parent's side of the timing protocol: warm-ups, worker processes, ratios. */
#include "bench/measure.h"
#include "bench/work.h"
#include "driver/child.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPOCH_NS = 1000000, /* an epoch lasts at least this long ... */
    EPOCH_TICKS = 1000, /* ... and this many ticks of the clock */
    BLOCKS_LEAST = 3,   /* a median needs three */
    BLOCKS_MOST = 60,
    START_NS = 30000000,          /* of a worker: fork, loading, buffers */
    DEVICE_START_NS = 1000000000, /* waking a driver, compiling for its device */
    PEER_TURN_NS = 15000000,      /* the pauses round a peer's epoch */
    WARM_CALLS = 3,
    UNWARMED_NS = 5000000
};
static const double child_patience = 120.0; /* seconds on top of what a worker should take */
static const double overrun = 2.0;          /* times its share that a worker may take on a busy machine */

int measure_processes(int comparisons)
{
    return statistics_values_needed(MEASURE_ERROR, comparisons > 0 ? comparisons : 1, 1);
}

int measure_steps(const BenchTask *task)
{
    return task->entries + task->processes;
}

double times_at(const Times *times, int process, int block, int entry)
{
    return times->ns[((size_t)process * (size_t)times->blocks + (size_t)block) * (size_t)times->entries +
                     (size_t)entry];
}

bool times_has(const Times *times, int entry)
{
    return times->why == NULL && times->warmup[entry].why == NULL;
}

/* ---- reading what workers say ---------------------------------------------------------------------- */

static void take_warmup(Times *times, int entry, const char *rest)
{
    Warmup *warmup = &times->warmup[entry];
    sscanf(rest, "%lf %lf %d", &warmup->first_ns, &warmup->settled_ns, &warmup->calls);
}

static void take_epoch(Times *times, int process, int block, int entry, double ns)
{
    if (block < 0 || block >= times->blocks || entry < 0 || entry >= times->entries || ns <= 0.0)
        return;
    times->ns[((size_t)process * (size_t)times->blocks + (size_t)block) * (size_t)times->entries +
              (size_t)entry] = ns;
}

static void take_geometry(Times *times, int entry, const char *rest)
{
    DeviceFigures *figures = &times->device[entry];
    int path;
    if (sscanf(rest, "%d %u %d %lf %lf", &path, &figures->geometry.block, &figures->tried, &figures->load_ns,
               &figures->overhead_ns) == 5 &&
        path >= 0 && path < PATHS)
        figures->geometry.path = (LaunchPath)path;
}

/* Of several processes the least time to ask, and the clock's whole range. */
static void take_launch(Times *times, int entry, const char *rest)
{
    DeviceFigures *figures = &times->device[entry];
    double launch_ns;
    int low, high;
    if (sscanf(rest, "%lf %d %d", &launch_ns, &low, &high) != 3)
        return;
    if (figures->launch_ns == 0 || launch_ns < figures->launch_ns)
        figures->launch_ns = launch_ns;
    if (low > 0 && (figures->clock_low_mhz == 0 || low < figures->clock_low_mhz))
        figures->clock_low_mhz = low;
    if (high > figures->clock_high_mhz)
        figures->clock_high_mhz = high;
}

static bool is_entry(const Times *times, int entry)
{
    return entry >= 0 && entry < times->entries;
}

/* Lines of a warm-up child (process < 0) or of a worker. NULL, or what a line "x" gave as reason. */
static const char *take_lines(Arena *arena, Times *times, int process, Buffer *text)
{
    const char *why = NULL;
    char *rest = NULL;
    for (char *line = text->data ? strtok_r(text->data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        int entry, block, used = 0;
        double ns;
        if (sscanf(line, "e %d %d %lf", &block, &entry, &ns) == 3 && process >= 0)
            take_epoch(times, process, block, entry, ns);
        else if (sscanf(line, "w %d %n", &entry, &used) == 1 && used > 0 && process < 0)
            take_warmup(times, entry, line + used);
        else if (sscanf(line, "g %d %n", &entry, &used) == 1 && used > 0 && is_entry(times, entry))
            take_geometry(times, entry, line + used);
        else if (sscanf(line, "l %d %n", &entry, &used) == 1 && used > 0 && is_entry(times, entry))
            take_launch(times, entry, line + used);
        else if (sscanf(line, "x %d %n", &entry, &used) == 1 && used > 0)
            why = arena_copy(arena, line + used);
    }
    return why;
}

static const char *run_worker(Arena *arena, Times *times, const WorkerPlan *plan, double seconds)
{
    Buffer text = {0};
    ChildWork *work = plan->task->device ? device_worker_run : worker_run;
    const char *died =
        child_run(arena, (ChildLimits){.seconds = seconds + child_patience}, work, (void *)plan, &text);
    const char *why = take_lines(arena, times, plan->only >= 0 ? -1 : plan->process, &text);
    buffer_destroy(&text);
    return why ? why : died;
}

/* ---- warm-up ----------------------------------------------------------------------------------------- */

/* Each entry in a fresh process of its own: a crash or a hang costs that entry only, and the first call is a
 * first call. */
static void warm_up_entries(Arena *arena, Times *times, WorkerPlan plan, Progress *progress)
{
    for (int e = 0; e < times->entries; e++) {
        plan.only = e;
        Warmup *warmup = &times->warmup[e];
        warmup->why = run_worker(arena, times, &plan, 0.0);
        if (warmup->why == NULL && !(warmup->settled_ns > 0.0))
            warmup->why = "it ran but no time came back";
        progress_step(progress, plan.task->entry[e].id);
    }
}

/* ---- how long ---------------------------------------------------------------------------------------- */

/* The warm-up's time is a hot one; a cold call cannot be faster than its bytes from memory. */
static double expected_ns(const BenchTask *task, const Times *times, int entry)
{
    Work work = work_count(task->op, &task->shape);
    bool known = task->cold && task->memory_gbs > 0.0;
    double from_memory = known ? (work.bytes_in + work.bytes_out) / task->memory_gbs : 0.0;
    return fmax(times->warmup[entry].settled_ns, from_memory);
}

static double fastest_ns(const BenchTask *task, const Times *times)
{
    double fastest = INFINITY;
    for (int e = 0; e < times->entries; e++)
        if (times->warmup[e].why == NULL && task->entry[e].kind != ENTRY_MEMORY)
            fastest = fmin(fastest, expected_ns(task, times, e));
    return fastest;
}

/* The first reason says more than that there is none. */
static const char *why_none(Arena *arena, const BenchTask *task, const Times *times)
{
    for (int e = 0; e < times->entries; e++)
        if (times->warmup[e].why != NULL)
            return arena_printf(arena, "no entry could be run: %s: %s", task->entry[e].id,
                                times->warmup[e].why);
    return "no entry could be run";
}

static int choose_iterations(const BenchTask *task, const Times *times)
{
    double ticks = EPOCH_TICKS * task->clock_tick_ns, fastest = fastest_ns(task, times);
    return isinf(fastest) ? 0 : (int)ceil(fmax(EPOCH_NS, ticks) / fastest);
}

/* An entry several times as slow as the fastest is SLOWER beyond doubt: one epoch per process is enough, and
 * the time goes to those that are close. */
static void mark_seldom(const BenchTask *task, const Times *times, bool *seldom, bool *unwarmed)
{
    double fastest = fastest_ns(task, times);
    for (int e = 0; e < times->entries; e++) {
        double expected = expected_ns(task, times, e);
        seldom[e] =
            e != task->baseline && e != task->baseline_again && expected > task->seldom_from * fastest;
        unwarmed[e] = seldom[e] && expected > UNWARMED_NS;
    }
}

/* A block of all entries, or of those that are in every block. */
static double block_ns(const BenchTask *task, const Times *times, const bool *seldom)
{
    double all = 0.0;
    for (int e = 0; e < times->entries; e++)
        if (times->warmup[e].why == NULL && (seldom == NULL || !seldom[e]))
            all += expected_ns(task, times, e) * times->iterations +
                   (task->entry[e].kind == ENTRY_PEER ? PEER_TURN_NS : 0);
    return all;
}

static int choose_blocks(const BenchTask *task, const Times *times, const bool *seldom)
{
    double full = block_ns(task, times, NULL), usual = block_ns(task, times, seldom);
    double start = (task->device ? DEVICE_START_NS : START_NS) + usual / times->iterations * WARM_CALLS;
    double blocks = 1.0 + (task->seconds * 1e9 / task->processes - start - full) / usual;
    return blocks < BLOCKS_LEAST ? BLOCKS_LEAST : blocks > BLOCKS_MOST ? BLOCKS_MOST : (int)blocks;
}

/* ---- the run ----------------------------------------------------------------------------------------- */

static void run_processes(Arena *arena, Times *times, WorkerPlan plan, Progress *progress)
{
    const BenchTask *task = plan.task;
    double seconds =
        1e-9 * (block_ns(task, times, NULL) + block_ns(task, times, plan.seldom) * (times->blocks - 1));
    size_t cells = (size_t)times->processes * (size_t)times->blocks * (size_t)times->entries;
    times->ns = ARENA_ARRAY(arena, double, cells);
    for (size_t i = 0; i < cells; i++)
        times->ns[i] = NAN;
    plan.only = -1;
    plan.blocks = times->blocks;
    plan.iterations = times->iterations;
    plan.seconds = overrun * seconds;
    for (int p = 0; p < times->processes && times->why == NULL; p++) {
        plan.process = p;
        plan.first_row = p * times->blocks; /* the square goes on where the last process stopped */
        times->why = run_worker(arena, times, &plan, 10.0 * seconds);
        progress_step(progress, task->cold ? "cold" : "hot");
    }
}

Times measure_run(Arena *arena, const BenchTask *task, const Times *known, Progress *progress)
{
    Times times = {.entries = task->entries, .processes = task->processes, .sets = buffer_sets_wanted(task)};
    times.warmup = known ? known->warmup : ARENA_ARRAY(arena, Warmup, (size_t)task->entries);
    times.device = known ? known->device : ARENA_ARRAY(arena, DeviceFigures, (size_t)task->entries);
    bool *left_out = ARENA_ARRAY(arena, bool, (size_t)task->entries);
    SharedInputs shared;
    times.why = shared_inputs_create(&shared, task->op, &task->shape, task->data);
    if (times.why != NULL)
        return times;
    WorkerPlan plan = {
        .task = task, .shared = &shared, .iterations = 1, .left_out = left_out, .device = times.device};
    if (known == NULL)
        warm_up_entries(arena, &times, plan, progress);
    for (int e = 0; e < times.entries; e++)
        left_out[e] = times.warmup[e].why != NULL;
    bool *seldom = ARENA_ARRAY(arena, bool, (size_t)task->entries),
         *unwarmed = ARENA_ARRAY(arena, bool, (size_t)task->entries);
    mark_seldom(task, &times, seldom, unwarmed);
    plan.seldom = seldom;
    plan.unwarmed = unwarmed;
    times.iterations = choose_iterations(task, &times);
    if (times.iterations == 0)
        times.why = why_none(arena, task, &times);
    if (times.why == NULL) {
        times.blocks = choose_blocks(task, &times, seldom);
        run_processes(arena, &times, plan, progress);
    }
    shared_inputs_destroy(&shared);
    return times;
}

/* ---- what the times say -------------------------------------------------------------------------------- */

static double log_time(const Times *times, int process, int block, int entry, int again)
{
    double value = log(times_at(times, process, block, entry));
    return again < 0 ? value : 0.5 * (value + log(times_at(times, process, block, again)));
}

Ratio times_ratio(Arena *arena, const Times *times, int a, int a_again, int b, int comparisons)
{
    double *paired = ARENA_ARRAY(arena, double, (size_t)times->blocks);
    double *process = ARENA_ARRAY(arena, double, (size_t)times->processes);
    int processes = 0;
    for (int p = 0; p < times->processes; p++) {
        size_t count = 0;
        for (int k = 0; k < times->blocks; k++) {
            double ratio = log_time(times, p, k, a, a_again) - log_time(times, p, k, b, -1);
            if (!isnan(ratio))
                paired[count++] = ratio;
        }
        if (count > 0)
            process[processes++] = statistics_median(paired, count);
    }
    Ratio ratio = {.median = NAN, .interval = {.low = NAN, .high = NAN, .error = 1.0}};
    if (processes == 0)
        return ratio;
    ratio.interval = statistics_sign_interval(process, processes, MEASURE_ERROR, comparisons);
    ratio.median = statistics_median(process, (size_t)processes);
    return ratio;
}

static size_t collect(Arena *arena, const Times *times, int entry, double **values)
{
    *values = ARENA_ARRAY(arena, double, (size_t)times->processes *(size_t)times->blocks);
    size_t count = 0;
    for (int p = 0; p < times->processes; p++)
        for (int b = 0; b < times->blocks; b++)
            if (!isnan(times_at(times, p, b, entry)))
                (*values)[count++] = times_at(times, p, b, entry);
    return count;
}

double times_median(Arena *arena, const Times *times, int entry)
{
    double *values;
    size_t count = collect(arena, times, entry, &values);
    return statistics_median(values, count);
}

double times_least(const Times *times, int entry)
{
    double least = INFINITY;
    for (int p = 0; p < times->processes; p++)
        for (int b = 0; b < times->blocks; b++)
            least = fmin(least, times_at(times, p, b, entry)); /* fmin passes over NAN */
    return least;
}

size_t times_outliers(Arena *arena, const Times *times, int entry)
{
    double *values;
    size_t count = collect(arena, times, entry, &values);
    return statistics_count_outliers(values, count);
}
