/* bench.c: times a family by the protocol of docs/measuring.md and writes bench.json. */
#include "bench/bench.h"
#include "bench/compare.h"
#include "bench/device.h"
#include "bench/line_up.h"
#include "bench/machine.h"
#include "bench/outcome.h"
#include "bench/ranks.h"
#include "driver/build.h"
#include "driver/kernel.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

enum { PROTOCOL = 1 };
static const double seconds_default = 24.0;
static const double cold_share = 0.3; /* of a shape's time, where both a hot and a cold pass are made */
/* Against a baseline, four times as slow is decided; methods are compared with each other, however slow. */
static const double seldom_from = 4.0, seldom_from_among_methods = 40.0;

typedef struct Run {
    Arena *arena;
    const Family *family;
    BenchOptions options;
    Machine machine;
    LineUp line_up;
    int comparisons;
    Progress progress;
    json_t *shapes, *errors, *devices;
    Pass first; /* of the first shape */
} Run;

/* What is timed, and on what. */
typedef struct Place {
    const LineUp *line_up;
    const Machine *machine;
    const BenchDevice *device; /* NULL: this processor */
    int comparisons;
} Place;

/* For the whole family. */
static double seconds_wanted(BenchOptions options)
{
    const char *named = getenv("SAMEBITS_BENCH_SECONDS");
    double seconds = named ? strtod(named, NULL) : 0.0;
    if (options.seconds > 0.0)
        return options.seconds;
    return seconds > 0.0 && seconds < 1e6 ? seconds : seconds_default;
}

static bool is_larger_than_cache(const Run *run, const Place *place, const Shape *shape)
{
    Work work = work_count(run->family->op, shape);
    return work.bytes_in + work.bytes_out > (double)place->machine->cache_bytes;
}

static BenchTask describe_task(const Run *run, const Place *place, int shape, bool cold)
{
    const BenchPlan *plan = &run->family->bench;
    const LineUp *line_up = place->line_up;
    bool both = !is_larger_than_cache(run, place, &plan->shape[shape]);
    return (BenchTask){.op = run->family->op,
                       .shape = plan->shape[shape],
                       .data = strcmp(plan->data, "mixed") == 0 ? INPUT_MIXED : INPUT_NORMAL,
                       .entry = line_up->entry,
                       .entries = line_up->entries,
                       .baseline = line_up->baseline,
                       .baseline_again = line_up->baseline_again,
                       .device = place->device,
                       .threads = place->machine->threads,
                       .cache_bytes = place->machine->cache_bytes,
                       .clock_tick_ns = place->machine->clock_tick_ns,
                       .memory_gbs = place->machine->copy_gbs,
                       .cold = cold,
                       .seldom_from =
                           plan->compare == COMPARE_METHODS ? seldom_from_among_methods : seldom_from,
                       .processes = run->options.processes > 0 ? run->options.processes
                                                               : measure_processes(place->comparisons),
                       .seconds = seconds_wanted(run->options) / plan->shapes *
                                  (!both  ? 1.0
                                   : cold ? cold_share
                                          : 1.0 - cold_share)};
}

static int count_steps(const Run *run, const Place *place)
{
    int steps = 0;
    for (int s = 0; s < run->family->bench.shapes; s++) {
        BenchTask task = describe_task(run, place, s, false);
        steps += measure_steps(&task);
        if (!is_larger_than_cache(run, place, &task.shape))
            steps += task.processes;
    }
    return steps;
}

/* A shape that does not fit in the cache has only a cold pass; one that does has both, the hot one first. */
static void time_shape(Run *run, const Place *place, int shape)
{
    bool large = is_larger_than_cache(run, place, &run->family->bench.shape[shape]);
    BenchTask *task = ARENA_ARRAY(run->arena, BenchTask, 2);
    task[0] = describe_task(run, place, shape, large);
    Pass pass = outcome_time_pass(run->arena, &task[0], NULL, place->comparisons, &run->progress), cold = {0};
    if (shape == 0 && place->device == NULL)
        run->first = pass;
    if (pass.times.why != NULL) {
        const char *message =
            arena_printf(run->arena, "shape %d was not timed%s%s: %s", shape + 1, place->device ? " on " : "",
                         place->device ? place->device->info.text : "", pass.times.why);
        json_array_append_new(run->errors, json_string(message));
        return;
    }
    if (!large) {
        task[1] = describe_task(run, place, shape, true);
        cold = outcome_time_pass(run->arena, &task[1], &pass.times, place->comparisons, &run->progress);
    }
    json_t *row = outcome_to_json(run->arena, &pass, large ? NULL : &cold, place->machine, run->errors);
    json_array_append_new(run->shapes, row);
}

static void time_place(Run *run, const Place *place, const char *name)
{
    progress_start(&run->progress, name, count_steps(run, place), run->options.progress);
    for (int s = 0; s < run->family->bench.shapes; s++)
        time_shape(run, place, s);
    progress_end(&run->progress);
}

/* ---- devices ---- */

static void time_on_device(Run *run, const GpuInfo *info, const LineUp *line_up)
{
    Machine *machine = ARENA_NEW(run->arena, Machine);
    BenchDevice *device = ARENA_NEW(run->arena, BenchDevice);
    *machine = device_machine(info);
    *device = (BenchDevice){*info, operator_parallel_dims(run->family->op)};
    const Place place = {line_up, machine, device, line_up_comparisons(line_up)};
    json_object_set(run->devices, gpu_kind_name(info->kind), info->json);
    time_place(run, &place, gpu_kind_name(info->kind));
}

/* Whatever is not timed is skipped with its reason. */
static void time_on_devices(Run *run, const char *out_dir)
{
    for (int kind = 0; kind < GPU_KINDS; kind++) {
        if (!device_has_variants(run->family, (GpuKind)kind))
            continue;
        GpuInfo info = gpu_examine(run->arena, (GpuKind)kind);
        LineUp line_up =
            device_line_up_of_family(run->arena, run->family, out_dir, &info, run->options.verify);
        json_array_extend(run->line_up.skipped, line_up.skipped);
        if (line_up.baseline >= 0)
            time_on_device(run, &info, &line_up);
        line_up_destroy(&line_up);
        gpu_info_destroy(&info);
    }
}

typedef struct RankContext {
    Arena *arena;
    const Family *family;
    const char *out_dir;
    const json_t *verify;
} RankContext;

static const char *why_ranks_not_timed(const void *context, const Variant *variant)
{
    const RankContext *known = context;
    const char *path = build_object_path(known->arena, known->family, variant, known->out_dir, 0);
    return line_up_why_not(known->arena, variant, path, known->verify);
}

/* NULL where no variant has ranks. */
static json_t *time_ranks(Run *run, const char *out_dir)
{
    const RankContext context = {run->arena, run->family, out_dir, run->options.verify};
    return ranks_to_json(run->arena, run->family, out_dir, why_ranks_not_timed, &context,
                         run->line_up.skipped);
}

static json_t *collect(Run *run, json_t *ranks)
{
    json_t *bench =
        json_pack("{s:i, s:s, s:i, s:o, s:O, s:O, s:O}", "version", 1, "family", run->family->name,
                  "protocol", PROTOCOL, "machine", machine_to_json(&run->machine), "shapes", run->shapes,
                  "skipped", run->line_up.skipped, "errors", run->errors);
    if (json_object_size(run->devices) > 0)
        json_object_set(bench, "devices", run->devices);
    const Pass *first = run->first.task != NULL && run->first.times.why == NULL ? &run->first : NULL;
    json_t *compare = compare_to_json(run->arena, run->family, &run->line_up, first, run->machine.threads);
    if (compare != NULL)
        json_object_set_new(bench, "compare", compare);
    if (ranks != NULL)
        json_object_set_new(bench, "ranks", ranks);
    return bench;
}

static const char *write_json(Arena *arena, const json_t *bench, const char *out_dir, const char *family)
{
    char *text = json_dumps(bench, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (text == NULL)
        arena_out_of_memory();
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    buffer_append_string(&buffer, "\n");
    const char *why = buffer_write_file(&buffer, arena_printf(arena, "%s/%s/bench.json", out_dir, family));
    buffer_destroy(&buffer);
    free(text);
    return why;
}

static void run_everything(Run *run, const char *out_dir)
{
    ProcessorTime before = machine_processor_time();
    run->machine = machine_examine(run->arena, kernel_default_threads());
    const Place here = {&run->line_up, &run->machine, NULL, run->comparisons};
    time_place(run, &here, "bench");
    machine_note_steal(run->arena, &run->machine, before);
    time_on_devices(run, out_dir);
}

static const char *why_nothing_to_time(const Run *run)
{
    if (run->family->bench.shapes == 0)
        return "the spec names no shapes to be timed; add bench = { shapes = ... }";
    if (run->line_up.baseline < 0)
        return "no variant is built and verified; see `samebits compile` and `samebits verify`";
    return NULL;
}

json_t *bench_family(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
                     BenchOptions options)
{
    Run run = {.arena = arena,
               .family = family,
               .options = options,
               .shapes = json_array(),
               .errors = json_array(),
               .devices = json_object()};
    run.line_up =
        line_up_create(arena, family, out_dir, (LineUpChoice){.verify = options.verify, .with_peers = true});
    run.comparisons = line_up_comparisons(&run.line_up);
    json_t *bench = NULL;
    const char *why = why_nothing_to_time(&run);
    if (why == NULL) {
        run_everything(&run, out_dir);
        bench = collect(&run, time_ranks(&run, out_dir));
        why = write_json(arena, bench, out_dir, family->name);
    }
    if (why != NULL)
        diagnostics_error(diagnostics, (Location){.file = family->spec}, "bench: %s", why);
    line_up_destroy(&run.line_up);
    json_decref(run.shapes);
    json_decref(run.errors);
    json_decref(run.devices);
    return bench;
}
