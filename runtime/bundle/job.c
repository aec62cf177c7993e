/* job.c: children that open a kernel, and what they answer. */
#include "bundle/job.h"

#include "driver/child.h"
#include "driver/kernel.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

/* ---- the host ---- */

Host host_examine(Arena *arena, const bool wanted[BUNDLED_KINDS])
{
    Host host = {.where = {"run on this machine's processor", "", ""},
                 .why_not = {NULL, "not asked for", "not asked for"}};
    for (int kind = BUNDLED_CUDA; kind < BUNDLED_KINDS; kind++) {
        if (!wanted[kind])
            continue;
        GpuInfo *gpu = &host.gpu[kind];
        *gpu = gpu_examine(arena, bundled_gpu((BundledKind)kind));
        host.why_not[kind] = gpu->why_not;
        host.where[kind] = gpu->why_not ? "" : arena_printf(arena, "run on %s", gpu->text);
    }
    return host;
}

void host_close(Host *host)
{
    for (int kind = BUNDLED_CUDA; kind < BUNDLED_KINDS; kind++)
        gpu_info_destroy(&host->gpu[kind]);
}

/* A target that this version does not know says nothing about the processor; loading will. */
static const char *why_not_here(Arena *arena, const Job *job)
{
    const Target *target = target_named(job->entry->variant.target->name);
    const char *why = job->host->why_not[job->entry->kind];
    if (why || job->entry->kind != BUNDLED_CPU || !target)
        return why;
    why = kernel_why_not_here(arena, target);
    return why ? arena_printf(arena, "skipped: %s", why) : NULL;
}

/* ---- kernels that can be called ---- */

typedef struct Opened {
    Arena *arena;
    Gpu *gpu;
    GpuKernel *kernel;
    Kernel *cpu; /* instead of these two */
    const Geometry *geometry;
} Opened;

static const char *call_opened(void *context, Arena *arena, const CallData *call)
{
    const Opened *opened = context;
    if (opened->kernel)
        return gpu_kernel_call(arena, opened->kernel, call, opened->geometry);
    kernel_call(opened->cpu, call);
    return kernel_failure(opened->cpu);
}

static const char *open_gpu(Opened *opened, const Job *job)
{
    const char *why = NULL;
    opened->gpu = gpu_open(opened->arena, bundled_gpu(job->entry->kind), &why);
    if (opened->gpu)
        opened->kernel = gpu_kernel_open(opened->arena, opened->gpu, job->file, &job->entry->launch,
                                         job->entry->variant.op, job->entry->parallel_dims, &why);
    return why;
}

/* An object needs the OpenMP runtime it was linked with, which another machine may lack. */
static const char *open_cpu(Opened *opened, const Job *job)
{
    const char *why = NULL;
    opened->cpu = kernel_open_variant(opened->arena, job->file, &job->entry->variant, &why);
    if (!opened->cpu)
        return arena_printf(opened->arena, "skipped: %s", why);
    kernel_prepare_thread();
    kernel_set_threads(kernel_default_threads());
    return NULL;
}

static const char *open_kernel(Opened *opened, const Job *job)
{
    opened->arena = arena_create();
    opened->geometry = job->geometry;
    return job->entry->kind == BUNDLED_CPU ? open_cpu(opened, job) : open_gpu(opened, job);
}

static void close_kernel(Opened *opened)
{
    gpu_kernel_close(opened->kernel);
    gpu_close(opened->gpu);
    kernel_close(opened->cpu);
    arena_destroy(opened->arena);
}

static Checked checked_of(const Job *job, Opened *opened)
{
    return (Checked){.variant = &job->entry->variant,
                     .call = call_opened,
                     .kernel = opened,
                     .inputs = job->inputs,
                     .flushes = job->host->gpu[job->entry->kind].flushes};
}

/* "skipped: ..." and "refused: ..." stay what they are. */
static const char *status_of(Arena *arena, const char *why)
{
    const bool said = !strncmp(why, "skipped: ", 9) || !strncmp(why, "refused: ", 9);
    return said ? why : arena_printf(arena, "failed: %s", why);
}

static json_t *status_only(Arena *arena, const char *why)
{
    return json_pack("{s:s}", "status", status_of(arena, why));
}

/* ---- in the child ---- */

static void check(void *context, FILE *out)
{
    const Job *job = context;
    Opened opened = {0};
    Certificate certificate = {0};
    json_t *answer = NULL;
    const char *why = open_kernel(&opened, job);
    if (!why)
        why = certificate_read(opened.arena, job->certificate, &certificate);
    if (why) {
        answer = status_only(opened.arena, why);
    } else {
        const Checked checked = checked_of(job, &opened);
        answer = certificate_check(opened.arena, &certificate, &checked);
    }
    json_dumpf(answer, out, 0);
    json_decref(answer);
    certificate_close(&certificate);
    close_kernel(&opened);
}

static void digest_large(void *context, FILE *out)
{
    const Job *job = context;
    Opened opened = {0};
    LargeCase large = job->entry->large;
    const char *why = open_kernel(&opened, job);
    if (!why) {
        const Checked checked = checked_of(job, &opened);
        why = certificate_large_digest(opened.arena, &checked, &large);
    }
    json_t *answer = why ? json_pack("{s:s}", "why", why) : json_pack("{s:s}", "digest", large.digest);
    json_dumpf(answer, out, 0);
    json_decref(answer);
    close_kernel(&opened);
}

/* ---- in the parent ---- */

static json_t *answer_of(Arena *arena, const Job *job, ChildWork *work)
{
    Buffer text = {0};
    const char *why = child_run(arena, (ChildLimits){job->seconds, 0}, work, (void *)job, &text);
    json_t *answer = why ? NULL : json_loads(buffer_string(&text), 0, NULL);
    buffer_destroy(&text);
    return answer ? answer : status_only(arena, why ? why : "it gave no answer");
}

static json_t *describe(Arena *arena, const Job *job, json_t *answer)
{
    const Variant *variant = &job->entry->variant;
    json_t *result = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", variant->id, "operator", variant->op->name,
                               "target", variant->target->name, "contract", variant->digest, "where",
                               why_not_here(arena, job) ? "" : job->host->where[job->entry->kind]);
    json_object_update(result, answer);
    json_decref(answer);
    return result;
}

json_t *job_check(Arena *arena, const Job *job)
{
    const char *why = why_not_here(arena, job);
    if (!why && !job->certificate)
        why = "skipped: the bundle has no certificate of its contract";
    return describe(arena, job, why ? status_only(arena, why) : answer_of(arena, job, check));
}

const char *job_large_digest(Arena *arena, const Job *job, LargeCase *large)
{
    const char *why = why_not_here(arena, job);
    if (why)
        return why;
    json_t *answer = answer_of(arena, job, digest_large);
    const char *digest = json_string_value(json_object_get(answer, "digest"));
    if (digest && strlen(digest) == 64)
        memcpy(large->digest, digest, 65);
    else {
        const char *said = json_string_value(json_object_get(answer, "why"));
        said = said ? said : json_string_value(json_object_get(answer, "status"));
        why = arena_copy(arena, said ? said : "it gave no answer");
    }
    json_decref(answer);
    return why;
}
