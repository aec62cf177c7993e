/* verify.c: every variant and every control of a family, two at a time where there are processors for it. */
#include "verify/verify.h"

#include "array/inputs.h"
#include "driver/build.h"
#include "platform/platform.h"
#include "report/progress.h"
#include "verify/certificate.h"
#include "verify/controls.h"
#include "verify/device.h"
#include "verify/gpu_controls.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS = 2 }; /* the checks use several threads themselves */
static const double default_seconds = 120;

/* AddressSanitizer does not guard its own locks over a fork: where two threads start children, a child can
 * inherit a lock that is taken and wait for ever. glibc does guard those of malloc and stdio. */
#if defined(__SANITIZE_ADDRESS__)
static const bool forks_from_threads = false;
#elif defined(__has_feature)
static const bool forks_from_threads = !__has_feature(address_sanitizer);
#else
static const bool forks_from_threads = true;
#endif

typedef struct Work {
    Verification verification;
    Verified *verified; /* one per variant */
    json_t **control;   /* one per control */
    json_t **gpu;       /* one per control of GPU kernels */
    int gpu_controls;
    atomic_int next;
    pthread_mutex_t lock; /* of the progress bar */
    Progress progress;
} Work;

static double seconds_per_variant(VerifyOptions options)
{
    const char *wanted = getenv("SAMEBITS_VERIFY_SECONDS");
    double seconds = wanted ? strtod(wanted, NULL) : 0;
    if (options.seconds > 0)
        return options.seconds;
    return seconds > 0 && seconds < 1e6 ? seconds : default_seconds;
}

/* ---- what all variants share ---- */

/* The real-number results of case_for_error: the inputs are the same for every variant, so they are computed
 * once. */
static double *const *exact_results(Arena *arena, const Family *family)
{
    Variant any = family->variant[0];
    Case what = case_for_error(family->op);
    Trial trial = trial_create(arena, &any, &what);
    double **exact = ARENA_ARRAY(arena, double *, OPERATOR_OUTPUTS);
    for (int o = 0; o < family->op->outputs; o++)
        exact[o] = ARENA_ARRAY(arena, double, tensor_elements(&family->op->output[o], &what.shape) + 1);
    mpfr_evaluate(family->op, &trial.call, exact);
    return exact;
}

/* Inputs kept by an earlier verification would look like a failure of this one. */
static void failures_clear(Arena *arena, const char *folder)
{
    DIR *open = opendir(folder);
    if (open == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        if (entry->d_name[0] != '.')
            unlink(arena_printf(arena, "%s/%s", folder, entry->d_name));
    closedir(open);
    rmdir(folder);
}

/* ---- the work ---- */

static int work_jobs(const Work *work)
{
    return work->verification.family->variants + work->verification.family->controls + work->gpu_controls;
}

/* Variants, then controls, then controls of GPU kernels. */
static const char *work_one(Work *work, int job)
{
    const Family *family = work->verification.family;
    if (job < family->variants) {
        variant_verify(&work->verification, &work->verified[job], &family->variant[job]);
        return family->variant[job].id;
    }
    job -= family->variants;
    if (job < family->controls) {
        work->control[job] = control_verify(&work->verification, &family->control[job]);
        return family->control[job].id;
    }
    work->gpu[job - family->controls] = gpu_control_verify(&work->verification, job - family->controls);
    return "controls of GPU kernels";
}

static void work_do(Work *work, int job)
{
    const char *what = work_one(work, job);
    pthread_mutex_lock(&work->lock);
    progress_step(&work->progress, what);
    pthread_mutex_unlock(&work->lock);
}

static void *work_loop(void *context)
{
    Work *work = context;
    for (int job; (job = atomic_fetch_add(&work->next, 1)) < work_jobs(work);)
        work_do(work, job);
    return NULL;
}

static void work_all(Work *work, bool progress)
{
    pthread_t worker[WORKERS];
    int started = 0;
    pthread_mutex_init(&work->lock, NULL);
    progress_start(&work->progress, "verify", work_jobs(work), progress);
    if (forks_from_threads && sysconf(_SC_NPROCESSORS_ONLN) > 1)
        while (started < WORKERS && pthread_create(&worker[started], NULL, work_loop, work) == 0)
            started++;
    if (started == 0)
        work_loop(work);
    for (int i = 0; i < started; i++)
        pthread_join(worker[i], NULL);
    progress_end(&work->progress);
    pthread_mutex_destroy(&work->lock);
}

/* ---- verify.json ---- */

static json_t *manifest_variants(Arena *arena, const Family *family, const char *out_dir)
{
    json_t *manifest =
        json_load_file(arena_printf(arena, "%s/%s/manifest.json", out_dir, family->name), 0, NULL);
    json_t *variants = json_incref(json_object_get(manifest, "variants"));
    json_decref(manifest);
    return variants;
}

/* The manifest's entry, so that verify.json can be read alone. */
static json_t *variant_entry(Arena *arena, const json_t *manifest, const Variant *variant)
{
    size_t i;
    json_t *one;
    json_array_foreach(manifest, i, one)
    {
        const char *id = json_string_value(json_object_get(one, "id"));
        if (id != NULL && strcmp(id, variant->id) == 0)
            return json_deep_copy(one);
    }
    return json_pack("{s:s, s:s*, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", variant->id,
                     "label", variant->label, "operator", variant->op->name, "dtype", variant->dtype, "tree",
                     term_text(arena, variant->tree), "tree_short", term_short_text(arena, variant->tree),
                     "accumulator", accumulator_name(variant->accumulator), "target", variant->target->name,
                     "contract", variant->digest, "contract_text", variant->contract, "source",
                     variant->source, "symbol", variant->symbol);
}

static json_t *verified_json(Arena *arena, const json_t *manifest, const Verified *verified)
{
    static const char *const copied[] = {"output_digest", "error", "ftz"};
    json_t *entry = variant_entry(arena, manifest, verified->variant);
    json_object_set(entry, "promises", verified->promises);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        if (json_object_get(verified->canonical, copied[i]) != NULL)
            json_object_set(entry, copied[i], json_object_get(verified->canonical, copied[i]));
    json_object_set_new(entry, "deterministic",
                        json_boolean(verified->repeats && promise_is_made(verified->variant, PROMISE_RUN)));
    json_object_set_new(entry, "trust", json_string(verified_trust(verified)));
    if (verified->failure != NULL)
        json_object_set_new(entry, "failure", json_string(verified->failure));
    return entry;
}

static bool verified_ok(const Verified *verified)
{
    const char *name;
    json_t *promise;
    json_object_foreach(verified->promises, name, promise) if (promise_json_broken(promise)) return false;
    return verified->failure == NULL;
}

static json_t *machine_json(Arena *arena, const Family *family, const char *out_dir)
{
    return json_pack("{s:s, s:i, s:s}", "cpu", platform_processor_name(arena), "threads",
                     kernel_default_threads(), "compiler",
                     build_compiler_version(arena, family, out_dir, build_rows[0].compiler));
}

/* A verification without one of the controls proves nothing about itself. */
static json_t *controls_json(const Work *work, bool *ok)
{
    json_t *controls = json_array();
    const Family *family = work->verification.family;
    for (int n = 0; control_names[n] != NULL; n++) {
        if (!control_is_wanted(family, control_names[n]))
            continue;
        bool there = false;
        for (int i = 0; i < family->controls; i++)
            if (strcmp(family->control[i].control, control_names[n]) == 0) {
                json_array_append(controls, work->control[i]);
                there = true;
            }
        if (!there)
            json_array_append_new(controls, control_missing_json(control_names[n]));
    }
    for (int i = 0; i < work->gpu_controls; i++)
        json_array_append(controls, work->gpu[i]);
    size_t i;
    json_t *one;
    json_array_foreach(controls, i, one)
    {
        const bool tried = json_object_get(one, "not_tried") == NULL;
        *ok = *ok && (!tried || json_is_true(json_object_get(one, "caught")));
    }
    return controls;
}

static json_t *verify_json(Arena *arena, const Work *work)
{
    const Family *family = work->verification.family;
    const char *out_dir = work->verification.out_dir;
    bool ok = true;
    json_t *variants = json_array(), *manifest = manifest_variants(arena, family, out_dir);
    for (int v = 0; v < family->variants; v++) {
        json_array_append_new(variants, verified_json(arena, manifest, &work->verified[v]));
        ok = ok && verified_ok(&work->verified[v]);
    }
    json_decref(manifest);
    json_t *controls = controls_json(work, &ok);
    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:b}", "version", 1, "family", family->name, "machine",
                     machine_json(arena, family, out_dir), "variants", variants, "controls", controls, "ok",
                     ok);
}

static const char *verify_write(Arena *arena, const json_t *result, const char *folder)
{
    Buffer buffer = {0};
    char *text = json_dumps(result, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    buffer_append_string(&buffer, text);
    buffer_append_string(&buffer, "\n");
    const char *path = arena_printf(arena, "%s/verify.json", folder);
    const char *why = buffer_write_file(&buffer, path);
    buffer_destroy(&buffer);
    free(text);
    return why == NULL ? NULL : arena_printf(arena, "%s: %s", path, why);
}

/* Devices repeat what the certificates say, so these come first. */
static const char *write_all(Arena *arena, const Work *work, json_t *result, const char *folder)
{
    const Verification *verification = &work->verification;
    const char *why = NULL;
    for (int v = 0; v < verification->family->variants && why == NULL; v++)
        why = certificate_write(verification, &work->verified[v]);
    if (why == NULL)
        verify_on_devices(arena, verification->family, verification->out_dir, verification->seconds, result);
    return why == NULL ? verify_write(arena, result, folder) : why;
}

/* ---- the stage ---- */

static bool folder_there(Diagnostics *diagnostics, const char *folder)
{
    struct stat status;
    if (stat(folder, &status) == 0 && S_ISDIR(status.st_mode))
        return true;
    diagnostics_error(diagnostics, (Location){.file = folder},
                      "there is nothing to verify: no such folder; `samebits compile` makes it");
    return false;
}

json_t *verify_family(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
                      VerifyOptions options)
{
    const char *folder = arena_printf(arena, "%s/%s", out_dir, family->name);
    if (family->variants == 0)
        diagnostics_error(diagnostics, (Location){.file = family->spec}, "there is no variant to verify");
    if (family->variants == 0 || !folder_there(diagnostics, folder))
        return NULL;
    Work work = {.verification = {family, out_dir, seconds_per_variant(options), NULL}};
    work.verification.exact = exact_results(arena, family);
    work.verified = ARENA_ARRAY(arena, Verified, family->variants);
    work.control = ARENA_ARRAY(arena, json_t *, family->controls + 1);
    work.gpu_controls = gpu_controls_count(family);
    work.gpu = ARENA_ARRAY(arena, json_t *, work.gpu_controls + 1);
    for (int v = 0; v < family->variants; v++)
        failures_clear(arena, arena_printf(arena, "%s/failures/%s", folder, family->variant[v].id));
    work_all(&work, options.progress);
    variants_verify_target(&work.verification, work.verified, family->variants);
    json_t *result = verify_json(arena, &work);
    const char *why = write_all(arena, &work, result, folder);
    if (why != NULL)
        diagnostics_error(diagnostics, (Location){0}, "%s", why);
    for (int v = 0; v < family->variants; v++)
        verified_destroy(&work.verified[v]);
    for (int c = 0; c < family->controls; c++)
        json_decref(work.control[c]);
    for (int c = 0; c < work.gpu_controls; c++)
        json_decref(work.gpu[c]);
    return result;
}
