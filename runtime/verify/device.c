/* device.c: see device.h. */
#include "verify/device.h"

#include "bundle/job.h"
#include "driver/build.h"
#include "verify/cases.h"

#include <string.h>
#include <unistd.h>

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static json_t *status_only(const char *status)
{
    return json_pack("{s:s}", "status", status);
}

static json_t *check_on_device(Arena *arena, const Family *family, const Variant *variant,
                               const char *out_dir, const Host *host, double seconds)
{
    Bundled entry = {.kind = bundled_kind_of_file(build_device_path(arena, family, variant, out_dir)),
                     .variant = *variant,
                     .parallel_dims = operator_parallel_dims(variant->op)};
    const Job job = {
        .entry = &entry,
        .host = host,
        .file = build_device_path(arena, family, variant, out_dir),
        .certificate = arena_printf(arena, "%s/%s/certificates/%s.json", out_dir, family->name, variant->id),
        .seconds = seconds};
    if (host->why_not[entry.kind])
        return status_only(host->why_not[entry.kind]);
    if (access(job.file, R_OK) != 0 || access(job.certificate, R_OK) != 0)
        return status_only("skipped: it was not compiled for a device, or has no certificate");
    const char *why = launch_of_variant(arena, variant, &entry.launch);
    return why ? status_only(arena_printf(arena, "failed: %s", why)) : job_check(arena, &job);
}

/* What of the answer the variant's entry does not have already. */
static json_t *device_json(const json_t *check)
{
    static const char *const copied[] = {"status", "where", "cases", "equal", "differs", "flushed"};
    json_t *device = json_object();
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        if (json_object_get(check, copied[i]))
            json_object_set(device, copied[i], json_object_get(check, copied[i]));
    return device;
}

static void note(Arena *arena, json_t *entry, const json_t *check, json_t *result)
{
    const char *status = text_of(check, "status"), *trust = text_of(entry, "trust");
    json_object_set_new(entry, "device", device_json(check));
    if (!strncmp(status, "skipped: ", 9) || !strncmp(status, "refused: ", 9)) /* no promise was tried there */
        return;
    if (!strcmp(status, "kept")) {
        json_object_set_new(entry, "trust",
                            json_string(arena_printf(arena, "%s, %s", trust, text_of(check, "where"))));
        return;
    }
    const char *where = text_of(check, "where");
    if (!json_object_get(entry, "failure"))
        json_object_set_new(entry, "failure",
                            json_string(arena_printf(arena, "%s%s%s", where, *where ? ": " : "", status)));
    json_object_set_new(result, "ok", json_false());
}

void verify_on_devices(Arena *arena, const Family *family, const char *out_dir, double seconds,
                       json_t *result)
{
    bool wanted[BUNDLED_KINDS] = {false};
    bool any = false;
    for (int v = 0; v < family->variants; v++)
        if (family->variant[v].target->gpu) {
            wanted[bundled_kind_of_file(build_device_path(arena, family, &family->variant[v], out_dir))] =
                true;
            any = true;
        }
    if (!any)
        return;
    Host host = host_examine(arena, wanted);
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        if (!variant->target->gpu)
            continue;
        json_t *check = check_on_device(arena, family, variant, out_dir, &host, seconds);
        note(arena, json_array_get(json_object_get(result, "variants"), (size_t)v), check, result);
        json_decref(check);
    }
    host_close(&host);
}
