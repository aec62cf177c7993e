/* run.c: a bundle's digests, then its kernels. Nothing is run of a bundle whose files are not as listed. */
#include "bundle/bundle.h"

#include "bench/device.h"
#include "bench/outcome.h"
#include "bundle/job.h"
#include "bundle/sums.h"
#include "report/notes.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 1024 };
static const double default_seconds = 600;
static const double seconds_per_group = 20; /* to aim for when kernels of one operator are timed */
static const double seldom_from = 4;        /* so many times as slow as the fastest: timed once per process */

typedef struct Run {
    Arena *arena;
    const char *folder;
    BundleRun options;
    FILE *out;
    Sums sums;
    Bundled *entry;
    int entries;
    Host host;
    json_t *checks, *times, *groups;
    int checked;
    bool ok;
} Run;

/* ---- reading ---- */

static const char *listed(Run *run, const char *path)
{
    return sums_has(&run->sums, path)
               ? NULL
               : arena_printf(run->arena, "refused: bundle.json names %s, which SHA256SUMS does not list",
                              path);
}

static const char *check_entry(Run *run, const Bundled *entry)
{
    const char *why = listed(run, entry->file);
    if (why || !entry->certificate)
        return why;
    Certificate certificate = {0};
    why = listed(run, entry->certificate);
    if (!why)
        why = certificate_read(run->arena, arena_printf(run->arena, "%s/%s", run->folder, entry->certificate),
                               &certificate);
    if (!why)
        why = certificate_refuses(run->arena, &certificate, entry->variant.digest);
    certificate_close(&certificate);
    return why;
}

static const char *read_entries(Run *run, const json_t *manifest)
{
    const json_t *kernels = json_object_get(manifest, "kernels"), *record;
    const char *why = NULL;
    size_t i;
    if (json_integer_value(json_object_get(manifest, "version")) != 1 || json_array_size(kernels) > ENTRIES)
        return "refused: bundle.json is not of version 1";
    run->entry = ARENA_ARRAY(run->arena, Bundled, json_array_size(kernels) + 1);
    json_array_foreach(kernels, i, record)
    {
        if (!why)
            why = bundled_from_json(run->arena, record, &run->entry[i]);
        if (!why)
            why = check_entry(run, &run->entry[run->entries++]);
    }
    return why;
}

static const char *read_bundle(Run *run)
{
    json_error_t error;
    const char *why = sums_read(run->arena, run->folder, &run->sums);
    if (!why)
        why = sums_check(run->arena, &run->sums);
    if (!why)
        why = listed(run, "bundle.json");
    if (why)
        return why;
    json_t *manifest = json_load_file(arena_printf(run->arena, "%s/bundle.json", run->folder),
                                      JSON_REJECT_DUPLICATES, &error);
    if (!manifest)
        return arena_printf(run->arena, "refused: bundle.json: %s", error.text);
    why = read_entries(run, manifest);
    json_decref(manifest);
    return why;
}

/* ---- kernels ---- */

static Job job_of(Run *run, const Bundled *entry)
{
    return (Job){.entry = entry,
                 .host = &run->host,
                 .file = arena_printf(run->arena, "%s/%s", run->folder, entry->file),
                 .certificate = entry->certificate
                                    ? arena_printf(run->arena, "%s/%s", run->folder, entry->certificate)
                                    : NULL,
                 .inputs = arena_printf(run->arena, "%s/inputs", run->folder),
                 .seconds = run->options.seconds > 0 ? run->options.seconds : default_seconds};
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

/* A kernel that was skipped is neither right nor wrong; everything else but "kept" is wrong. */
static void count(Run *run, const json_t *result)
{
    const char *status = text_of(result, "status");
    if (!strncmp(status, "skipped: ", 9))
        return;
    run->checked++;
    run->ok &= !strcmp(status, "kept") || !strcmp(status, "not compared");
}

static void say_check(const Run *run, const json_t *result)
{
    if (!run->out)
        return;
    const json_t *cases = json_object_get(result, "cases");
    fprintf(run->out, "%-58s %s", text_of(result, "id"), text_of(result, "status"));
    if (cases)
        fprintf(run->out, ": %lld of %lld cases equal, %s",
                (long long)json_integer_value(json_object_get(result, "equal")),
                (long long)json_integer_value(cases), text_of(result, "where"));
    fputs("\n", run->out);
    fflush(run->out);
}

static void check_all(Run *run)
{
    for (int i = 0; i < run->entries; i++) {
        const Job job = job_of(run, &run->entry[i]);
        if (run->options.skip_cpu && run->entry[i].kind == BUNDLED_CPU)
            continue;
        json_t *result = job_check(run->arena, &job);
        count(run, result);
        say_check(run, result);
        json_array_append_new(run->checks, result);
    }
}

static double number_of(const json_t *json, const char *name)
{
    return json_number_value(json_object_get(json, name));
}

/* ---- times ---- */

/* Kernels of one operator on one device, and the shape of their large case: they are timed together. */
typedef struct Group {
    const Bundled *first;
    LineUp line_up;
    const Bundled *entry[ENTRIES]; /* parallel to the line-up's */
} Group;

/* Only what has been found right is timed. */
static bool is_kept(const Run *run, const Bundled *entry)
{
    const json_t *result;
    size_t i;
    json_array_foreach(run->checks, i, result)
    {
        if (!strcmp(text_of(result, "id"), entry->variant.id))
            return !strcmp(text_of(result, "status"), "kept");
    }
    return false;
}

static bool can_be_timed(const Run *run, const Bundled *entry)
{
    return entry->kind != BUNDLED_CPU && case_volume(entry->variant.op, &entry->large.shape) > 0 &&
           is_kept(run, entry);
}

static bool same_signature(const Operator *a, const Operator *b)
{
    bool same = !strcmp(a->name, b->name) && a->dims == b->dims && a->inputs == b->inputs &&
                a->outputs == b->outputs && a->params == b->params;
    for (int i = 0; same && i < a->inputs; i++)
        same =
            a->input[i].rank == b->input[i].rank &&
            !memcmp(a->input[i].dim, b->input[i].dim, (size_t)a->input[i].rank * sizeof a->input[i].dim[0]);
    return same;
}

static bool is_in_group(const Bundled *first, const Bundled *entry)
{
    return first->kind == entry->kind && same_signature(first->variant.op, entry->variant.op) &&
           !memcmp(&first->large.shape, &entry->large.shape, sizeof first->large.shape);
}

static void gather_group(Run *run, int first, bool *done, Group *group)
{
    *group = (Group){.first = &run->entry[first],
                     .line_up = device_line_up_create(run->arena, run->entries - first)};
    for (int i = first; i < run->entries; i++) {
        const Bundled *entry = &run->entry[i];
        if (done[i] || !can_be_timed(run, entry) || !is_in_group(group->first, entry))
            continue;
        done[i] = true;
        group->entry[group->line_up.entries] = entry;
        device_line_up_add(run->arena, &group->line_up, &entry->variant,
                           arena_printf(run->arena, "%s/%s", run->folder, entry->file), &entry->launch);
    }
    device_line_up_finish(run->arena, &group->line_up);
}

static BenchTask task_of(const Group *group, const BenchDevice *device, const Machine *machine)
{
    const LineUp *line_up = &group->line_up;
    return (BenchTask){.op = group->first->variant.op,
                       .shape = group->first->large.shape,
                       .data = INPUT_NORMAL,
                       .entry = line_up->entry,
                       .entries = line_up->entries,
                       .baseline = line_up->baseline,
                       .baseline_again = line_up->baseline_again,
                       .device = device,
                       .threads = 1,
                       .cache_bytes = machine->cache_bytes,
                       .clock_tick_ns = machine->clock_tick_ns,
                       .cold = true,
                       .seldom_from = seldom_from,
                       .processes = measure_processes(line_up_comparisons(line_up)),
                       .seconds = seconds_per_group};
}

/* The outputs of the geometry that was timed, against those of a processor's kernel when the bundle was made.
 */
static void compare_large(Run *run, const Bundled *entry, const Geometry *geometry, json_t *row)
{
    LargeCase large = entry->large;
    Job job = job_of(run, entry);
    job.geometry = geometry;
    const char *expected = entry->large.digest, *why = job_large_digest(run->arena, &job, &large);
    json_object_set_new(row, "digest", json_string(why ? "" : large.digest));
    json_object_set_new(row, "expected", json_string(expected));
    json_object_set_new(row, "status",
                        json_string(why          ? arena_printf(run->arena, "failed: %s", why)
                                    : !*expected ? "not compared"
                                    : !strcmp(expected, large.digest) ? "kept"
                                                                      : "broken"));
}

static void say_time(const Run *run, const json_t *row)
{
    if (!run->out)
        return;
    const json_t *device = json_object_get(row, "device"), *geometry = json_object_get(device, "geometry");
    const char *clock = notes_clock_text(run->arena, device);
    fprintf(run->out, "%-58s %s", text_of(row, "id"), text_of(row, "status"));
    if (device)
        fprintf(run->out,
                ": %.1f us, %.0f GB/s, %.3f of copy; %s of %d threads; launch %.1f us%s, first call %.1f us, "
                "module %.0f ms%s%s",
                1e-3 * number_of(row, "median_ns"), number_of(row, "gbs"), number_of(row, "share_of_copy"),
                text_of(geometry, "path"), (int)number_of(geometry, "block"),
                1e-3 * number_of(device, "launch_ns"),
                json_is_true(json_object_get(device, "launch_bound")) ? " (the device waits for it)" : "",
                1e-3 * number_of(row, "first_call_ns"), 1e-6 * number_of(device, "load_ns"),
                clock ? "; " : "", clock ? clock : "");
    fputs("\n", run->out);
    fflush(run->out);
}

/* One row per kernel: its entry of the timed shape, its digest, where it ran. */
static void report_entry(Run *run, const Group *group, const json_t *shape, const Times *times, int index,
                         const json_t *entry)
{
    const Bundled *kernel = group->entry[index];
    json_t *row = json_deep_copy(entry);
    json_object_set_new(row, "target", json_string(kernel->variant.target->name));
    json_object_set_new(row, "where", json_string(run->host.where[kernel->kind]));
    json_object_set(row, "shape", json_object_get(shape, "shape"));
    json_object_set(row, "bytes", json_object_get(shape, "bytes"));
    json_object_set(row, "copy_gbs",
                    json_object_get(json_object_get(json_object_get(shape, "run"), "memory"), "copy_gbs"));
    const json_t *failure = json_object_get(entry, "failure");
    if (failure)
        json_object_set_new(row, "status",
                            json_string(arena_printf(run->arena, "failed: %s", json_string_value(failure))));
    else
        compare_large(run, kernel, &times->device[index].geometry, row);
    count(run, row);
    say_time(run, row);
    json_array_append_new(run->times, row);
}

static void say_group(const Run *run, const json_t *shape, const Group *group)
{
    const json_t *how = json_object_get(shape, "run");
    if (run->out)
        fprintf(run->out,
                "times of %s on %s: device copy %.0f GB/s, noise floor %.2f %% (%s entered twice), %d "
                "processes\n",
                group->first->variant.op->name, text_of(shape, "device"),
                number_of(json_object_get(how, "memory"), "copy_gbs"), 100 * number_of(shape, "noise_floor"),
                group->first->variant.id, (int)number_of(how, "processes"));
}

static void report_group(Run *run, const Group *group, const Pass *pass, const Machine *machine)
{
    json_t *errors = json_array();
    json_t *shape = outcome_to_json(run->arena, pass, NULL, machine, errors);
    const json_t *entries = json_object_get(shape, "entries");
    say_group(run, shape, group);
    for (size_t i = 0; i < json_array_size(entries); i++)
        if (i < (size_t)group->line_up.baseline_again) /* those before it are kernels */
            report_entry(run, group, shape, &pass->times, (int)i, json_array_get(entries, i));
    json_array_append_new(run->groups, shape);
    json_decref(errors);
}

static void fail_group(Run *run, const Group *group, const char *why)
{
    for (int i = 0; i < group->line_up.baseline_again; i++) {
        json_t *row = json_pack("{s:s, s:s, s:s}", "id", group->entry[i]->variant.id, "where",
                                run->host.where[group->entry[i]->kind], "status",
                                arena_printf(run->arena, "failed: not timed: %s", why));
        count(run, row);
        say_time(run, row);
        json_array_append_new(run->times, row);
    }
}

static void time_group(Run *run, const Group *group)
{
    const BenchDevice device = {run->host.gpu[group->first->kind], group->first->parallel_dims};
    const Machine machine = device_machine(&device.info);
    const BenchTask task = task_of(group, &device, &machine);
    Progress progress;
    progress_start(&progress, "time", measure_steps(&task), false);
    const Pass pass =
        outcome_time_pass(run->arena, &task, NULL, line_up_comparisons(&group->line_up), &progress);
    progress_end(&progress);
    if (pass.times.why)
        fail_group(run, group, pass.times.why);
    else
        report_group(run, group, &pass, &machine);
}

static void time_all(Run *run)
{
    bool *done = ARENA_ARRAY(run->arena, bool, (size_t)run->entries + 1);
    Group *group = ARENA_NEW(run->arena, Group);
    for (int i = 0; i < run->entries; i++) {
        if (done[i] || !can_be_timed(run, &run->entry[i]))
            continue;
        gather_group(run, i, done, group);
        time_group(run, group);
        line_up_destroy(&group->line_up);
    }
}

/* ---- the report ---- */

static json_t *report_of(Run *run, const char *why)
{
    json_t *skipped = json_object();
    for (int kind = 0; kind < BUNDLED_KINDS && !why; kind++)
        if (run->host.why_not[kind] && strcmp(run->host.why_not[kind], "not asked for"))
            json_object_set_new(skipped, bundled_kind_name((BundledKind)kind),
                                json_string(run->host.why_not[kind]));
    json_t *report = json_pack("{s:i, s:s, s:i, s:b, s:o}", "version", 1, "bundle", run->sums.own, "checked",
                               run->checked, "ok", !why && run->ok, "not_here", skipped);
    if (why)
        json_object_set_new(report, "refused", json_string(why));
    json_t *devices = json_object();
    for (int kind = BUNDLED_CUDA; kind < BUNDLED_KINDS; kind++)
        if (run->host.gpu[kind].json)
            json_object_set(devices, bundled_kind_name((BundledKind)kind), run->host.gpu[kind].json);
    json_object_set_new(report, "devices", devices);
    json_object_set(report, "checks", run->checks);
    if (run->options.time) {
        json_object_set(report, "times", run->times);
        json_object_set(report, "shapes", run->groups);
    }
    return report;
}

static void write_report(Run *run, const json_t *report)
{
    Buffer buffer = {0};
    const char *path =
        run->options.report ? run->options.report : arena_printf(run->arena, "%s/report.json", run->folder);
    char *text = json_dumps(report, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    buffer_append_string(&buffer, text);
    buffer_append_string(&buffer, "\n");
    const char *why = buffer_write_file(&buffer, path);
    if (run->out)
        fprintf(run->out, why ? "%s cannot be written: %s\n" : "report: %s\n", path, why);
    free(text);
    buffer_destroy(&buffer);
}

static void examine_host(Run *run)
{
    bool wanted[BUNDLED_KINDS] = {false};
    for (int i = 0; i < run->entries; i++)
        wanted[run->entry[i].kind] = true;
    run->host = host_examine(run->arena, wanted);
    if (!run->out)
        return;
    fprintf(run->out, "bundle %s: %d files as listed\n", run->sums.own, run->sums.count);
    for (int kind = BUNDLED_CUDA; kind < BUNDLED_KINDS; kind++)
        if (wanted[kind])
            fprintf(run->out, "%s: %s\n", bundled_kind_name((BundledKind)kind),
                    run->host.why_not[kind] ? run->host.why_not[kind] : run->host.where[kind]);
}

json_t *bundle_run(Arena *arena, const char *folder, BundleRun options, FILE *out)
{
    Run *run = ARENA_NEW(arena, Run);
    *run = (Run){.arena = arena,
                 .folder = folder,
                 .options = options,
                 .out = out,
                 .checks = json_array(),
                 .times = json_array(),
                 .groups = json_array(),
                 .ok = true};
    const char *why = read_bundle(run);
    if (why && out)
        fprintf(out, "%s\n", why);
    if (!why) {
        examine_host(run);
        check_all(run);
        if (options.time)
            time_all(run);
    }
    json_t *report = report_of(run, why);
    write_report(run, report);
    host_close(&run->host);
    json_decref(run->checks);
    json_decref(run->times);
    json_decref(run->groups);
    return report;
}
