/* device_worker.c: one worker process of the timing protocol, its calls on a GPU (see worker.h).
 *
 * An epoch is a span between two of the device's events round as many calls as the plan says; the host's time
 * to ask for them is noted beside it and is in no epoch as long as it is the shorter of the two. A warm-up
 * child also tries geometries: which threads share a row changes no bit, and the winner is timed again by the
 * workers, so that luck in the trial flatters nobody. */
#include "bench/worker.h"

#include "bench/clock.h"
#include "bench/statistics.h"

#include <assert.h>
#include <string.h>

enum {
    SETS_LIMIT = 256,
    TRIALS = 5,      /* samples of one geometry */
    STALE_SPANS = 8, /* spans in a row without a gain: it has settled */
    SPANS_LIMIT = 200,
    WARM_SPANS = 3, /* in a worker, where the driver and the device are awake */
    CALLS_LIMIT = 10000,
    LAUNCHES = 256 /* samples of the time to ask, of each entry */
};
static const double span_ns = 1e6;
static const double stops_falling = 0.98;

typedef struct Entry {
    GpuKernel *kernel; /* NULL: a copy */
    GpuTimer *timer;
    double launch_ns[LAUNCHES];
    int launches, clock_low_mhz, clock_high_mhz;
} Entry;

typedef struct DeviceWorker {
    Arena *arena;
    const WorkerPlan *plan;
    const BenchTask *task;
    Gpu *gpu;
    GpuSets *sets;
    CallData call;
    Entry *entry;
    FILE *out;
} DeviceWorker;

static bool say(DeviceWorker *worker, int entry, const char *why)
{
    if (why != NULL)
        fprintf(worker->out, "x %d %.*s\n", entry, (int)strcspn(why, "\n"), why);
    return why == NULL;
}

static bool is_timed(const DeviceWorker *worker, int entry)
{
    const WorkerPlan *plan = worker->plan;
    return !plan->left_out[entry] && (plan->only < 0 || plan->only == entry);
}

/* ---- opening --------------------------------------------------------------------------------------- */

static const char *open_device(DeviceWorker *worker)
{
    const BenchTask *task = worker->task;
    const char *why = NULL;
    const int wanted = worker->plan->only >= 0 ? 1 : buffer_sets_wanted(task);
    worker->call = (CallData){.shape = task->shape};
    for (int i = 0; i < task->op->inputs; i++)
        worker->call.input[i] = worker->plan->shared->input[i];
    for (int p = 0; p < task->op->params; p++)
        worker->call.param[p] = task->op->param[p].value;
    worker->gpu = gpu_open(worker->arena, task->device->info.kind, &why);
    if (worker->gpu != NULL)
        worker->sets = gpu_sets_create(worker->arena, worker->gpu, task->op, &worker->call,
                                       wanted > SETS_LIMIT ? SETS_LIMIT : wanted, &why);
    return why;
}

static const char *open_entry(DeviceWorker *worker, int entry)
{
    const BenchEntry *row = &worker->task->entry[entry];
    const char *why = NULL;
    if (row->kind != ENTRY_MEMORY)
        worker->entry[entry].kernel =
            gpu_kernel_open(worker->arena, worker->gpu, row->path, row->launch, worker->task->op,
                            worker->task->device->parallel_dims, &why);
    return why;
}

static const char *set_geometry(DeviceWorker *worker, int entry, Geometry geometry)
{
    Entry *one = &worker->entry[entry];
    const char *why = NULL;
    gpu_timer_destroy(one->timer);
    one->timer = gpu_timer_create(worker->arena, worker->gpu, one->kernel, worker->sets, &worker->call,
                                  geometry, &why);
    return why;
}

/* What is still alive when a driver is left is a leak there. A lost device is asked for nothing. */
static void close_everything(DeviceWorker *worker)
{
    for (int e = 0; e < worker->task->entries; e++) {
        gpu_timer_destroy(worker->entry[e].timer);
        gpu_kernel_close(worker->entry[e].kernel);
    }
    gpu_sets_destroy(worker->sets);
    gpu_close(worker->gpu);
}

/* ---- a fresh process: the first call, the geometry, the settled time --------------------------------- */

static const char *run(DeviceWorker *worker, int entry, int calls, DeviceSpan *span)
{
    return gpu_timer_run(worker->arena, worker->entry[entry].timer, calls, span);
}

static int calls_for(double call_ns)
{
    double calls = call_ns > 0 ? span_ns / call_ns : CALLS_LIMIT;
    return calls < 1 ? 1 : calls > CALLS_LIMIT ? CALLS_LIMIT : (int)calls;
}

static const char *try_geometry(DeviceWorker *worker, int entry, Geometry geometry, double *median_ns)
{
    DeviceSpan span = {0};
    double ns[TRIALS];
    const char *why = set_geometry(worker, entry, geometry);
    for (int i = 0; i < 2 && why == NULL; i++)
        why = run(worker, entry, 1, &span);
    const int calls = calls_for(span.device_ns);
    for (int i = 0; i < TRIALS && why == NULL; i++) {
        why = run(worker, entry, calls, &span);
        ns[i] = span.device_ns;
    }
    *median_ns = why == NULL ? statistics_median(ns, TRIALS) : 0;
    return why;
}

static LaunchWork work_of(const DeviceWorker *worker)
{
    return launch_work(worker->task->op, worker->task->device->parallel_dims, &worker->task->shape);
}

static const char *tune(DeviceWorker *worker, int entry, Geometry *best, int *tried)
{
    Geometry list[LAUNCH_CANDIDATES];
    double least = 0, median;
    const char *why = NULL;
    *tried = launch_candidates(worker->task->entry[entry].launch, work_of(worker),
                               gpu_kernel_block_limit(worker->entry[entry].kernel), list);
    for (int i = 0; i < *tried && why == NULL; i++) {
        why = try_geometry(worker, entry, list[i], &median);
        if (why == NULL && (i == 0 || median < least)) {
            least = median;
            *best = list[i];
        }
    }
    return why;
}

/* A geometry that every kernel can have: of the first call. */
static Geometry first_geometry(const DeviceWorker *worker, int entry)
{
    Geometry list[LAUNCH_CANDIDATES];
    const int count = launch_candidates(worker->task->entry[entry].launch, work_of(worker),
                                        gpu_kernel_block_limit(worker->entry[entry].kernel), list);
    return count > 0 ? list[0] : (Geometry){PATH_ROWS, LAUNCH_WARP, 0};
}

/* Spans of about a millisecond until the least has stopped falling. */
static const char *settle(DeviceWorker *worker, int entry, Warmup *warmup)
{
    DeviceSpan span = {0};
    const char *why = run(worker, entry, 1, &span);
    double least = span.device_ns;
    int made = 1 + warmup->calls, spans = 0;
    for (int stale = 0; stale < STALE_SPANS && spans < SPANS_LIMIT && why == NULL; spans++) {
        const int calls = calls_for(least);
        why = run(worker, entry, calls, &span);
        made += calls;
        stale++;
        if (span.device_ns < stops_falling * least) {
            stale = 0;
            warmup->calls = made;
        }
        least = span.device_ns < least ? span.device_ns : least;
    }
    warmup->settled_ns = least;
    return why;
}

/* A control repeats its twin in all things. */
static const char *choose_geometry(DeviceWorker *worker, int entry, DeviceFigures *figures)
{
    const BenchEntry *row = &worker->task->entry[entry];
    if (row->kind == ENTRY_MEMORY)
        return NULL;
    if (row->kind != ENTRY_CONTROL)
        return tune(worker, entry, &figures->geometry, &figures->tried);
    *figures = worker->plan->device[row->twin];
    return NULL;
}

static const char *warm_up(DeviceWorker *worker, int entry, Warmup *warmup, DeviceFigures *figures)
{
    DeviceSpan span = {0}, nothing = {0};
    const bool copies = worker->task->entry[entry].kind == ENTRY_MEMORY;
    const char *why = open_entry(worker, entry);
    if (why == NULL)
        why = set_geometry(worker, entry, copies ? (Geometry){0} : first_geometry(worker, entry));
    if (why == NULL)
        why = run(worker, entry, 1, &span);
    *warmup = (Warmup){.first_ns = span.whole_ns, .calls = 1};
    if (why == NULL)
        why = run(worker, entry, 0, &nothing);
    if (why == NULL)
        why = choose_geometry(worker, entry, figures);
    if (why == NULL && !copies)
        why = set_geometry(worker, entry, figures->geometry);
    figures->overhead_ns = nothing.device_ns;
    figures->load_ns = why == NULL && !copies ? gpu_kernel_load_ns(worker->entry[entry].kernel) : 0;
    return why != NULL ? why : settle(worker, entry, warmup);
}

static void warm_up_one(DeviceWorker *worker, int entry)
{
    Warmup warmup = {0};
    DeviceFigures figures = {0};
    if (!say(worker, entry, warm_up(worker, entry, &warmup, &figures)))
        return;
    fprintf(worker->out, "w %d %.0f %.3f %d\n", entry, warmup.first_ns, warmup.settled_ns, warmup.calls);
    fprintf(worker->out, "g %d %d %u %d %.0f %.3f\n", entry, (int)figures.geometry.path,
            figures.geometry.block, figures.tried, figures.load_ns, figures.overhead_ns);
}

/* ---- blocks ------------------------------------------------------------------------------------------ */

static bool open_everything(DeviceWorker *worker)
{
    const BenchTask *task = worker->task;
    int order[task->entries];
    williams_fill_row(task->entries, worker->plan->process, order);
    for (int i = 0; i < task->entries; i++) {
        const int e = order[i];
        const char *why = is_timed(worker, e) ? open_entry(worker, e) : NULL;
        if (is_timed(worker, e) && why == NULL)
            why = set_geometry(worker, e, worker->plan->device[e].geometry);
        if (!say(worker, e, why))
            return false;
    }
    return true;
}

static void note_span(DeviceWorker *worker, int entry, const DeviceSpan *span)
{
    Entry *one = &worker->entry[entry];
    if (one->launches < LAUNCHES)
        one->launch_ns[one->launches++] = span->launch_ns;
}

/* Before and after each span: even of a single one it is known whether the clock fell meanwhile. */
static void note_clock(DeviceWorker *worker, int entry)
{
    Entry *one = &worker->entry[entry];
    const int mhz = gpu_clock_mhz(worker->gpu);
    if (mhz > 0 && (one->clock_low_mhz == 0 || mhz < one->clock_low_mhz))
        one->clock_low_mhz = mhz;
    if (mhz > one->clock_high_mhz)
        one->clock_high_mhz = mhz;
}

static bool time_epoch(DeviceWorker *worker, int block, int entry)
{
    DeviceSpan span = {0};
    note_clock(worker, entry);
    if (!say(worker, entry, run(worker, entry, worker->plan->iterations, &span)))
        return false;
    fprintf(worker->out, "e %d %d %.3f\n", block, entry, span.device_ns);
    note_span(worker, entry, &span);
    note_clock(worker, entry);
    return true;
}

static bool time_block(DeviceWorker *worker, int block)
{
    const int entries = worker->task->entries;
    assert(entries > 0); /* nothing to time is no task */
    int order[entries];
    williams_fill_row(entries, worker->plan->first_row + block, order);
    for (int i = 0; i < entries; i++)
        if (is_timed(worker, order[i]) && (block == 0 || !worker->plan->seldom[order[i]]) &&
            !time_epoch(worker, block, order[i]))
            return false;
    return true;
}

static bool warm_up_again(DeviceWorker *worker)
{
    DeviceSpan span;
    for (int e = 0; e < worker->task->entries; e++)
        for (int i = 0; i < WARM_SPANS && is_timed(worker, e); i++)
            if (!say(worker, e, run(worker, e, 1, &span)))
                return false;
    return true;
}

static void say_figures(DeviceWorker *worker)
{
    for (int e = 0; e < worker->task->entries; e++) {
        Entry *one = &worker->entry[e];
        if (one->launches > 0)
            fprintf(worker->out, "l %d %.3f %d %d\n", e,
                    statistics_median(one->launch_ns, (size_t)one->launches), one->clock_low_mhz,
                    one->clock_high_mhz);
    }
}

static void time_blocks(DeviceWorker *worker)
{
    const WorkerPlan *plan = worker->plan;
    const int64_t begin = clock_nanoseconds();
    for (int b = 0; b < plan->blocks; b++) {
        const double spent = 1e-9 * (double)(clock_nanoseconds() - begin);
        if (b > 0 && plan->seconds > 0.0 && spent > plan->seconds)
            break;
        if (!time_block(worker, b))
            return;
    }
    say_figures(worker);
}

void device_worker_run(void *context, FILE *out)
{
    const WorkerPlan *plan = context;
    Arena *arena = arena_create();
    DeviceWorker worker = {.arena = arena,
                           .plan = plan,
                           .task = plan->task,
                           .entry = ARENA_ARRAY(arena, Entry, (size_t)plan->task->entries),
                           .out = out};
    if (say(&worker, plan->only < 0 ? 0 : plan->only, open_device(&worker))) {
        if (plan->only >= 0)
            warm_up_one(&worker, plan->only);
        else if (open_everything(&worker) && warm_up_again(&worker))
            time_blocks(&worker);
    }
    close_everything(&worker);
    arena_destroy(arena);
}
