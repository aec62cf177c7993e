/* outcome.c: from times to what bench.json says about one shape (docs/architecture.md). */
#include "bench/outcome.h"

#include <math.h>
#include <string.h>

/* A figure may lie above a peak by this much: both have been measured, each with its own error. */
static const double peak_tolerance = 1.10;

Pass outcome_time_pass(Arena *arena, const BenchTask *task, const Times *known, int comparisons,
                       Progress *progress)
{
    Pass pass = {.task = task, .comparisons = comparisons, .work = work_count(task->op, &task->shape)};
    pass.times = measure_run(arena, task, known, progress);
    if (pass.times.why == NULL && times_has(&pass.times, task->baseline) &&
        times_has(&pass.times, task->baseline_again))
        pass.noise_floor =
            fabs(times_ratio(arena, &pass.times, task->baseline, -1, task->baseline_again, 1).median);
    return pass;
}

/* The baseline's mean of both copies is the steadier reference; it is not used against one of the two. */
Ratio outcome_ratio(Arena *arena, const Pass *pass, int entry)
{
    const BenchTask *task = pass->task;
    const BenchEntry *row = &task->entry[entry];
    if (row->kind == ENTRY_CONTROL)
        return times_ratio(arena, &pass->times, row->twin, -1, entry, pass->comparisons);
    int again =
        times_has(&pass->times, task->baseline_again) && entry != task->baseline ? task->baseline_again : -1;
    return times_ratio(arena, &pass->times, task->baseline, again, entry, pass->comparisons);
}

static int find_memory(const BenchTask *task, MemoryKind kind)
{
    for (int e = 0; e < task->entries; e++)
        if (task->entry[e].kind == ENTRY_MEMORY && task->entry[e].memory == kind)
            return e;
    return -1;
}

static bool has_fair_copy(const BenchTask *task)
{
    return task->device != NULL || task_is_copy_like(task->op, &task->shape);
}

double outcome_memory_gbs(Arena *arena, const Pass *pass, MemoryKind kind)
{
    int entry = find_memory(pass->task, kind);
    if (entry < 0 || !times_has(&pass->times, entry))
        return 0.0;
    if (!memory_kind_reads(kind) && !has_fair_copy(pass->task))
        return 0.0;
    double gbs = task_memory_bytes(pass->task, kind) / times_median(arena, &pass->times, entry);
    return isfinite(gbs) ? gbs : 0.0;
}

static MemoryKind faster_of(Arena *arena, const Pass *pass, MemoryKind one, MemoryKind other)
{
    return outcome_memory_gbs(arena, pass, other) > outcome_memory_gbs(arena, pass, one) ? other : one;
}

MemoryKind outcome_fastest_read(Arena *arena, const Pass *pass)
{
    return faster_of(arena, pass, MEMORY_READ, MEMORY_READ_STREAMS);
}

MemoryKind outcome_fastest_copy(Arena *arena, const Pass *pass)
{
    return faster_of(arena, pass, MEMORY_COPY, MEMORY_COPY_STREAM);
}

/* The fastest way to move this operator's bytes that the pass has measured. */
static double reference_gbs(Arena *arena, const Pass *pass)
{
    bool copies = has_fair_copy(pass->task);
    return outcome_memory_gbs(arena, pass,
                              copies ? outcome_fastest_copy(arena, pass) : outcome_fastest_read(arena, pass));
}

static double pass_bytes(const Pass *pass)
{
    return pass->work.bytes_in + pass->work.bytes_out;
}

/* ---- figures that cannot be ---------------------------------------------------------------------------- */

static bool leaves_the_cache(const Pass *pass)
{
    return pass_bytes(pass) * pass->times.sets >= 2.0 * (double)pass->task->cache_bytes;
}

static double memory_peak(Arena *arena, const Pass *pass, const Machine *machine)
{
    double peak = fmax(machine->read_gbs, fmax(machine->copy_gbs, machine->copy_stream_gbs));
    for (MemoryKind kind = 0; kind < MEMORY_KINDS; kind++)
        peak = fmax(peak, outcome_memory_gbs(arena, pass, kind));
    return peak;
}

/* NULL, or why the time cannot be right. */
static const char *find_error(Arena *arena, const Pass *pass, const Machine *machine, int entry)
{
    double median = times_median(arena, &pass->times, entry);
    double gflops = pass->work.flops / median, gbs = pass_bytes(pass) / median;
    double flops_peak = fmax(machine->fma_gflops_all, machine->fma_gflops_one * machine->threads);
    double bytes_peak = memory_peak(arena, pass, machine);
    if (machine->peak_is_known && flops_peak > 0.0 && gflops > peak_tolerance * flops_peak)
        return arena_printf(arena, "%.1f GFLOP/s is above the machine's peak of %.1f", gflops, flops_peak);
    if (leaves_the_cache(pass) && bytes_peak > 0.0 && gbs > peak_tolerance * bytes_peak)
        return arena_printf(arena, "%.1f GB/s is above the fastest memory operation of the run, %.1f", gbs,
                            bytes_peak);
    return NULL;
}

static void note_error(Arena *arena, json_t *row, const Pass *pass, const Machine *machine, int entry,
                       json_t *errors)
{
    const char *error = find_error(arena, pass, machine, entry);
    if (error == NULL)
        return;
    json_object_set_new(row, "error", json_string(error));
    const char *message = arena_printf(arena, "%s: %s", pass->task->entry[entry].id, error);
    json_array_append_new(errors, json_string(message));
}

/* ---- ratios and verdicts
 * ----------------------------------------------------------------------------------- */

static const char *explain(Arena *arena, const Pass *pass, Ratio ratio, VerdictReason reason)
{
    switch (reason) {
    case REASON_TOO_FEW:
        return arena_printf(
            arena, "the interval misses with a chance of %.2g: at least %d processes are needed",
            ratio.interval.error, statistics_values_needed(MEASURE_ERROR, pass->comparisons, 0));
    case REASON_NOISE:
        return arena_printf(
            arena, "the difference is not above this run's noise floor of %.1f %%: a quieter machine",
            100.0 * expm1(pass->noise_floor));
    case REASON_WIDE:
        return arena_printf(arena, "the interval is %.1f %% wide: more processes, or a quieter machine",
                            100.0 * expm1(ratio.interval.high - ratio.interval.low));
    case REASON_CLEAR:
        break;
    }
    return NULL;
}

static void set_ratio(Arena *arena, json_t *row, const Pass *pass, int entry)
{
    const BenchEntry *of = &pass->task->entry[entry];
    Ratio ratio = outcome_ratio(arena, pass, entry);
    if (isnan(ratio.median))
        return;
    const char *to = pass->task->entry[of->kind == ENTRY_CONTROL ? of->twin : pass->task->baseline].id;
    json_object_set_new(row, "ratio",
                        json_pack("{s:s, s:f, s:f, s:f, s:f}", "to", to, "value", exp(ratio.median), "low",
                                  exp(ratio.interval.low), "high", exp(ratio.interval.high), "error",
                                  ratio.interval.error));
    VerdictReason reason;
    Verdict verdict = verdict_decide(ratio.interval, pass->noise_floor, &reason);
    if (entry == pass->task->baseline) /* compared with its own second copy: there is nothing to be decided */
        verdict = VERDICT_SAME, reason = REASON_CLEAR;
    json_object_set_new(row, "verdict", json_string(verdict_name(verdict)));
    const char *hint = explain(arena, pass, ratio, reason);
    if (hint != NULL)
        json_object_set_new(row, "hint", json_string(hint));
}

/* ---- rows
 * ---------------------------------------------------------------------------------------------------- */

static void set_figures(Arena *arena, json_t *row, const Pass *pass, int entry)
{
    double median = times_median(arena, &pass->times, entry), reference = reference_gbs(arena, pass);
    double gbs = pass_bytes(pass) / median;
    json_object_set_new(row, "median_ns", json_real(median));
    json_object_set_new(row, "min_ns", json_real(times_least(&pass->times, entry)));
    json_object_set_new(row, "gbs", json_real(gbs));
    json_object_set_new(row, "gflops", json_real(pass->work.flops / median));
    if (reference > 0.0)
        json_object_set_new(row, "share_of_copy", json_real(gbs / reference));
    json_object_set_new(row, "outliers",
                        json_integer((json_int_t)times_outliers(arena, &pass->times, entry)));
    set_ratio(arena, row, pass, entry);
}

static void set_chain(json_t *row, const Pass *pass, const Machine *machine, int entry)
{
    double steps = work_chain_steps(pass->task->op, pass->task->entry[entry].tree, &pass->task->shape);
    if (steps <= 0.0 || pass->task->device != NULL) /* the processor's step says nothing of a device's */
        return;
    json_object_set_new(row, "chain_steps", json_integer((json_int_t)steps));
    json_object_set_new(row, "chain_bound_ns", json_real(steps * machine->chain_step_ns));
}

static json_t *cold_to_json(Arena *arena, const Pass *cold, const Machine *machine, int entry, json_t *errors)
{
    json_t *row = json_object();
    set_figures(arena, row, cold, entry);
    note_error(arena, row, cold, machine, entry, errors);
    return row;
}

/* Calls that take less time than asking for them: the device waits for the host. */
static bool is_launch_bound(const DeviceFigures *figures, double median)
{
    return figures->launch_ns > 0.9 * median;
}

static void set_device(Arena *arena, json_t *row, const Pass *pass, int entry)
{
    if (pass->task->device == NULL)
        return;
    const DeviceFigures *figures = &pass->times.device[entry];
    json_object_set_new(row, "device",
                        json_pack("{s:{s:s, s:i}, s:i, s:f, s:f, s:f, s:i, s:i, s:b}", "geometry", "path",
                                  launch_path_name[figures->geometry.path], "block",
                                  (int)figures->geometry.block, "tried", figures->tried, "load_ns",
                                  figures->load_ns, "launch_ns", figures->launch_ns, "event_overhead_ns",
                                  figures->overhead_ns, "clock_low_mhz", figures->clock_low_mhz,
                                  "clock_high_mhz", figures->clock_high_mhz, "launch_bound",
                                  is_launch_bound(figures, times_median(arena, &pass->times, entry))));
}

static json_t *entry_to_json(Arena *arena, const Pass *pass, const Pass *cold, const Machine *machine,
                             int entry, json_t *errors)
{
    const BenchEntry *of = &pass->task->entry[entry];
    const Warmup *warmup = &pass->times.warmup[entry];
    json_t *row = json_pack("{s:s, s:s, s:s}", "id", of->id, "kind", entry_kind_name(of->kind), "label",
                            of->label ? of->label : of->id);
    if (!times_has(&pass->times, entry)) {
        json_object_set_new(row, "failure", json_string(warmup->why));
        return row;
    }
    json_object_set_new(row, "first_call_ns", json_real(warmup->first_ns));
    json_object_set_new(row, "settled_ns", json_real(warmup->settled_ns));
    json_object_set_new(row, "warmup_calls", json_integer(warmup->calls));
    set_figures(arena, row, pass, entry);
    set_chain(row, pass, machine, entry);
    set_device(arena, row, pass, entry);
    note_error(arena, row, pass, machine, entry, errors);
    if (cold != NULL && cold->times.why == NULL)
        json_object_set_new(row, "cold", cold_to_json(arena, cold, machine, entry, errors));
    return row;
}

static json_t *memory_to_json(Arena *arena, const Pass *pass)
{
    return json_pack("{s:f, s:f, s:f}", "read_gbs",
                     outcome_memory_gbs(arena, pass, outcome_fastest_read(arena, pass)), "copy_gbs",
                     outcome_memory_gbs(arena, pass, MEMORY_COPY), "copy_stream_gbs",
                     outcome_memory_gbs(arena, pass, MEMORY_COPY_STREAM));
}

static json_t *pass_to_json(Arena *arena, const Pass *pass)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:f, s:o}", "processes", pass->times.processes, "blocks",
                     pass->times.blocks, "iterations", pass->times.iterations, "buffer_sets",
                     pass->times.sets, "noise_floor", expm1(pass->noise_floor), "memory",
                     memory_to_json(arena, pass));
}

json_t *outcome_to_json(Arena *arena, const Pass *pass, const Pass *cold, const Machine *machine,
                        json_t *errors)
{
    const Operator *op = pass->task->op;
    json_t *shape = json_object(), *entries = json_array();
    for (int d = 0; d < op->dims; d++)
        json_object_set_new(shape, op->dim[d], json_integer((json_int_t)pass->task->shape.size[d]));
    for (int e = 0; e < pass->task->entries; e++)
        if (pass->task->entry[e].kind != ENTRY_MEMORY)
            json_array_append_new(entries, entry_to_json(arena, pass, cold, machine, e, errors));
    json_t *object = json_pack("{s:o, s:s, s:f, s:f, s:f, s:o, s:o}", "shape", shape, "cache",
                               pass->task->cold ? "cold" : "hot", "bytes", pass_bytes(pass), "flops",
                               pass->work.flops, "noise_floor", expm1(pass->noise_floor), "run",
                               pass_to_json(arena, pass), "entries", entries);
    if (cold != NULL && cold->times.why == NULL)
        json_object_set_new(object, "cold_run", pass_to_json(arena, cold));
    if (pass->task->device != NULL)
        json_object_set_new(object, "device", json_string(pass->task->device->info.text));
    return object;
}
