/* run.c: a bundle's digests, then its kernels. Nothing is run of a bundle whose files are not as listed. */
#include "bundle/bundle.h"

#include "bundle/job.h"
#include "bundle/sums.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 1024 };
static const double default_seconds = 600;

typedef struct Run {
    Arena *arena;
    const char *folder;
    BundleRun options;
    FILE *out;
    Sums sums;
    Bundled *entry;
    int entries;
    Host host;
    json_t *checks, *times;
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

static void say_time(const Run *run, const json_t *result)
{
    if (!run->out)
        return;
    const json_t *timing = json_object_get(result, "timing");
    fprintf(run->out, "%-58s %s", text_of(result, "id"), text_of(result, "status"));
    if (timing)
        fprintf(run->out,
                ": %.1f us, %.0f GB/s, %.3f of copy; launch %.1f us, first call %.1f us, module %.0f ms",
                1e-3 * number_of(timing, "median_ns"), number_of(result, "gbs"),
                number_of(result, "share_of_copy"), 1e-3 * number_of(timing, "launch_ns"),
                1e-3 * number_of(timing, "first_call_ns"), 1e-6 * number_of(result, "load_ns"));
    fputs("\n", run->out);
    fflush(run->out);
}

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

static void time_all(Run *run)
{
    for (int i = 0; i < run->entries; i++) {
        const Bundled *entry = &run->entry[i];
        const Job job = job_of(run, entry);
        if (entry->kind != BUNDLED_CUDA || case_volume(entry->variant.op, &entry->large.shape) == 0 ||
            !is_kept(run, entry))
            continue;
        json_t *result = job_time(run->arena, &job);
        count(run, result);
        say_time(run, result);
        json_array_append_new(run->times, result);
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
    if (run->host.device)
        json_object_set(report, "device", run->host.device);
    json_object_set(report, "checks", run->checks);
    if (run->options.time)
        json_object_set(report, "times", run->times);
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
    if (wanted[BUNDLED_CUDA])
        fprintf(run->out, "CUDA: %s\n",
                run->host.why_not[BUNDLED_CUDA] ? run->host.why_not[BUNDLED_CUDA]
                                                : run->host.where[BUNDLED_CUDA]);
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
    return report;
}
