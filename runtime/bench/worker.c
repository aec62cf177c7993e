/* worker.c: one worker process of the timing protocol (see worker.h and docs/measuring.md). */
#include "bench/worker.h"
#include "bench/clock.h"
#include "bench/peer.h"
#include "bench/statistics.h"
#include "bench/team.h"
#include "driver/kernel.h"

#include <assert.h>
#include <stdlib.h>

enum {
    SPIN_MS = 1, /* how long idle OpenMP threads spin before they sleep */
    WINDOW_CALLS = 256,
    STALE_WINDOWS = 3,   /* windows in a row without a gain end the warm-up */
    PRIME_ITERATIONS = 4 /* from this count on, an epoch has one untimed call in front */
};
/* A window of warm-up is several calls, timed together. In a fresh process the settled time is a result, and
 * a window must outlast a hiccup of the scheduler; in a worker, where every kernel is warm soon, the first
 * may be the last. */
typedef struct WarmupPace {
    int64_t window_ns, limit_ns;
} WarmupPace;
static const WarmupPace fresh_pace = {1000000, 300000000}, worker_pace = {200000, 8000000};
static const double stops_falling =
    0.98; /* a window counts as faster when it is below this share of the best */

typedef struct Worker {
    Arena *arena;
    const WorkerPlan *plan;
    const BenchTask *task;
    BufferSets buffers;
    Kernel **kernel; /* one per entry; NULL for peers, memory entries and entries left out */
    Peer **peer;
    PeerReady *ready;
    Team team;
    FILE *out;
    bool after_peer; /* our threads have slept */
} Worker;

/* ---- one call ------------------------------------------------------------------------------------ */

static void move_memory(Worker *worker, MemoryKind kind, const CallData *call)
{
    const Operator *op = worker->task->op;
    if (!memory_kind_reads(kind)) {
        size_t bytes = (size_t)(task_memory_bytes(worker->task, kind) / 2.0);
        memory_run(kind, &worker->team, call->input[0], call->output[0], bytes);
        return;
    }
    for (int i = 0; i < op->inputs; i++)
        memory_run(kind, &worker->team, call->input[i], NULL,
                   sizeof(float) * tensor_elements(&op->input[i], &worker->task->shape));
}

static void call_entry(Worker *worker, int entry)
{
    const CallData *call = &worker->buffers.set[worker->buffers.next];
    worker->buffers.next = (worker->buffers.next + 1) % worker->buffers.sets;
    if (worker->task->entry[entry].kind == ENTRY_MEMORY)
        move_memory(worker, worker->task->entry[entry].memory, call);
    else
        kernel_call(worker->kernel[entry], call);
}

static int64_t time_calls(Worker *worker, int entry, int calls)
{
    int64_t before = clock_nanoseconds();
    for (int i = 0; i < calls; i++)
        call_entry(worker, entry);
    return clock_nanoseconds() - before;
}

/* ---- warm-up ------------------------------------------------------------------------------------- */

static Warmup warm_up(Worker *worker, int entry, WarmupPace pace)
{
    int64_t begin = clock_nanoseconds();
    Warmup warmup = {.first_ns = (double)time_calls(worker, entry, 1), .calls = 1};
    warmup.settled_ns = warmup.first_ns;
    int made = 1;
    for (int stale = 0; stale < STALE_WINDOWS && clock_nanoseconds() - begin < pace.limit_ns;) {
        double fit = (double)pace.window_ns / warmup.settled_ns;
        int calls = fit < 1.0 ? 1 : fit > WINDOW_CALLS ? WINDOW_CALLS : (int)fit;
        double each = (double)time_calls(worker, entry, calls) / calls;
        made += calls;
        stale++;
        if (each < stops_falling * warmup.settled_ns) {
            stale = 0;
            warmup.calls = made;
        }
        if (each < warmup.settled_ns)
            warmup.settled_ns = each;
    }
    return warmup;
}

static void write_warmup(Worker *worker, int entry, Warmup warmup)
{
    fprintf(worker->out, "w %d %.0f %.3f %d\n", entry, warmup.first_ns, warmup.settled_ns, warmup.calls);
}

/* ---- loading ------------------------------------------------------------------------------------- */

static bool is_timed(const Worker *worker, int entry)
{
    const WorkerPlan *plan = worker->plan;
    return !plan->left_out[entry] && (plan->only < 0 || plan->only == entry);
}

static bool open_kernel(Worker *worker, int entry)
{
    const BenchEntry *row = &worker->task->entry[entry];
    const char *why = NULL;
    worker->kernel[entry] = kernel_open(worker->arena, row->path, row->symbol, worker->task->op, &why);
    if (worker->kernel[entry] == NULL)
        fprintf(worker->out, "x %d %s\n", entry, why);
    else if (worker->team.parallel == NULL)
        worker->team = team_of_runtime(kernel_symbol_address(worker->kernel[entry]), worker->task->threads);
    return worker->kernel[entry] != NULL;
}

static bool open_peer(Worker *worker, int entry)
{
    const char *why = NULL;
    worker->peer[entry] = peer_start(worker->arena, &worker->task->entry[entry], worker->task,
                                     worker->buffers.sets, &worker->ready[entry], &why);
    if (worker->peer[entry] == NULL)
        fprintf(worker->out, "x %d %s\n", entry, why);
    return worker->peer[entry] != NULL;
}

static bool has_kernel(const BenchEntry *entry)
{
    return entry->kind != ENTRY_PEER && entry->kind != ENTRY_MEMORY;
}

/* Peers first: they must not inherit our threads' pinning, which OpenMP does when the first kernel runs. Then
 * the kernels, in an order of this process's own. A memory entry that is alone still needs some kernel for
 * its OpenMP team. */
static bool load_everything(Worker *worker)
{
    const BenchTask *task = worker->task;
    assert(task->entries > 0); /* a line-up without a baseline is not timed */
    for (int e = 0; e < task->entries; e++)
        if (is_timed(worker, e) && task->entry[e].kind == ENTRY_PEER && !open_peer(worker, e))
            return false;
    int order[task->entries];
    williams_fill_row(task->entries, worker->plan->process, order);
    for (int i = 0; i < task->entries; i++)
        if (is_timed(worker, order[i]) && has_kernel(&task->entry[order[i]]) &&
            !open_kernel(worker, order[i]))
            return false;
    for (int e = 0; e < task->entries && worker->team.parallel == NULL; e++)
        if (!worker->plan->left_out[e] && has_kernel(&task->entry[e]) && open_kernel(worker, e))
            break;
    kernel_set_threads(task->threads);
    return true;
}

/* Set in the child, before any OpenMP runtime is loaded: threads stay where they are put, and sleep soon
 * after their work, so that they are out of the way when a peer has its turn. What the user has set stays. */
static void set_environment(void)
{
    char spin[16];
    snprintf(spin, sizeof spin, "%d", SPIN_MS);
    setenv("OMP_PROC_BIND", "true", 0);
    setenv("KMP_BLOCKTIME", spin, 0);
}

/* ---- epochs -------------------------------------------------------------------------------------- */

static void do_nothing(void *context, int thread, int threads)
{
    (void)context, (void)thread, (void)threads;
}

/* After a peer's turn our threads sleep and our caches are its: wake the one and let one call refill the
 * other. */
static void prepare_epoch(Worker *worker, int entry)
{
    if (worker->after_peer && worker->team.parallel != NULL)
        team_run(&worker->team, do_nothing, NULL);
    if (worker->after_peer || worker->plan->iterations >= PRIME_ITERATIONS)
        call_entry(worker, entry);
    worker->after_peer = false;
}

static double time_epoch(Worker *worker, int entry)
{
    int iterations = worker->plan->iterations;
    if (worker->peer[entry] != NULL) {
        clock_sleep((SPIN_MS + 1) * 1000000LL);
        worker->after_peer = true;
        return (double)peer_run(worker->peer[entry], (uint64_t)iterations) / iterations;
    }
    prepare_epoch(worker, entry);
    return (double)time_calls(worker, entry, iterations) / iterations;
}

/* The block that has every entry: the first, so that a run cut short by a busy machine has one. */
static bool is_in_block(const Worker *worker, int entry, int block)
{
    return is_timed(worker, entry) && (block == 0 || !worker->plan->seldom[entry]);
}

static void time_block(Worker *worker, int block)
{
    int entries = worker->task->entries, order[entries];
    williams_fill_row(entries, worker->plan->first_row + block, order);
    for (int i = 0; i < entries; i++)
        if (is_in_block(worker, order[i], block))
            fprintf(worker->out, "e %d %d %.3f\n", block, order[i], time_epoch(worker, order[i]));
}

static void time_blocks(Worker *worker)
{
    const WorkerPlan *plan = worker->plan;
    int64_t begin = clock_nanoseconds();
    for (int b = 0; b < plan->blocks; b++) {
        double spent = 1e-9 * (double)(clock_nanoseconds() - begin);
        if (b > 0 && plan->seconds > 0.0 && spent > plan->seconds)
            return;
        time_block(worker, b);
    }
}

static void warm_up_everything(Worker *worker)
{
    bool fresh = worker->plan->only >= 0;
    for (int e = 0; e < worker->task->entries; e++) {
        if (!is_timed(worker, e) || (!fresh && worker->plan->unwarmed[e]))
            continue;
        const PeerReady *ready = &worker->ready[e];
        Warmup warmup = {ready->first_ns, ready->settled_ns, ready->calls, NULL};
        if (worker->peer[e] == NULL)
            warmup = warm_up(worker, e, fresh ? fresh_pace : worker_pace);
        write_warmup(worker, e, warmup);
    }
}

static void stop_peers(Worker *worker)
{
    for (int e = 0; e < worker->task->entries; e++)
        if (worker->peer[e] != NULL)
            peer_stop(worker->peer[e]);
}

/* The arena is not destroyed: the process ends here, and unmapping gigabytes takes time. */
void worker_run(void *context, FILE *out)
{
    const WorkerPlan *plan = context;
    Arena *arena = arena_create();
    size_t entries = (size_t)plan->task->entries;
    Worker worker = {.arena = arena,
                     .plan = plan,
                     .task = plan->task,
                     .kernel = ARENA_ARRAY(arena, Kernel *, entries),
                     .peer = ARENA_ARRAY(arena, Peer *, entries),
                     .ready = ARENA_ARRAY(arena, PeerReady, entries),
                     .team = team_of_own(plan->task->threads),
                     .out = out};
    kernel_prepare_thread();
    set_environment();
    int sets = plan->only >= 0 ? 1 : buffer_sets_wanted(plan->task);
    const char *why =
        buffer_sets_create(arena, &worker.buffers, plan->task, plan->shared, sets, plan->process);
    if (why != NULL) {
        fprintf(out, "x %d %s\n", plan->only, why);
        return;
    }
    if (load_everything(&worker)) {
        warm_up_everything(&worker);
        if (plan->only < 0)
            time_blocks(&worker);
    }
    stop_peers(&worker);
}
