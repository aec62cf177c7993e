/* job.c: children that open a kernel, and what they answer. */
#include "bundle/job.h"

#include "cuda/cuda.h"
#include "driver/kernel.h"
#include "metal/metal.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 64 << 20 };

/* ---- the host ---- */

static void examine_cuda(Arena *arena, Host *host)
{
    CudaInfo info;
    host->why_not[BUNDLED_CUDA] = cuda_examine(arena, &info);
    if (host->why_not[BUNDLED_CUDA])
        return;
    host->where[BUNDLED_CUDA] = arena_printf(arena, "run on %s", cuda_info_text(arena, &info));
    host->device = cuda_info_to_json(&info);
}

static void examine_metal(Arena *arena, Host *host)
{
    MetalInfo info;
    host->why_not[BUNDLED_METAL] = metal_examine(arena, &info);
    if (host->why_not[BUNDLED_METAL])
        return;
    host->where[BUNDLED_METAL] = arena_printf(arena, "run on %s", metal_info_text(arena, &info));
    host->flushes[BUNDLED_METAL] = info.flushes;
    if (!host->device)
        host->device = metal_info_to_json(&info);
}

Host host_examine(Arena *arena, const bool wanted[BUNDLED_KINDS])
{
    Host host = {.where = {"run on this machine's processor", "", ""},
                 .why_not = {NULL, "not asked for", "not asked for"}};
    if (wanted[BUNDLED_CUDA])
        examine_cuda(arena, &host);
    if (wanted[BUNDLED_METAL])
        examine_metal(arena, &host);
    return host;
}

void host_close(Host *host)
{
    json_decref(host->device);
    host->device = NULL;
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
    CudaDevice *device;
    CudaKernel *cuda;
    MetalDevice *apple;
    MetalKernel *metal;
    Kernel *cpu;
    const char *text; /* PTX, or Metal source */
} Opened;

static const char *call_cpu(void *opened, Arena *arena, const CallData *call)
{
    (void)arena;
    kernel_call(((Opened *)opened)->cpu, call);
    return kernel_failure(((Opened *)opened)->cpu);
}

static const char *call_cuda(void *opened, Arena *arena, const CallData *call)
{
    return cuda_kernel_call(arena, ((Opened *)opened)->cuda, call, NULL, NULL);
}

static const char *call_metal(void *opened, Arena *arena, const CallData *call)
{
    return metal_kernel_call(arena, ((Opened *)opened)->metal, call, NULL, NULL);
}

static const char *read_text(Opened *opened, const char *path)
{
    Buffer text = {0};
    const char *why = buffer_read_file(&text, path, TEXT_LIMIT);
    opened->text = arena_copy(opened->arena, buffer_string(&text));
    buffer_destroy(&text);
    return why ? arena_printf(opened->arena, "%s: %s", path, why) : NULL;
}

static const char *open_cuda(Opened *opened, const Job *job)
{
    const char *why = read_text(opened, job->file);
    if (!why)
        opened->device = cuda_open(opened->arena, &why);
    if (!why)
        opened->cuda = cuda_kernel_open(opened->arena, opened->device, opened->text, &job->entry->launch,
                                        job->entry->variant.op, job->entry->parallel_dims, &why);
    return why;
}

static const char *open_metal(Opened *opened, const Job *job)
{
    const char *why = read_text(opened, job->file);
    if (!why)
        opened->apple = metal_open(opened->arena, &why);
    if (!why)
        opened->metal = metal_kernel_open(opened->arena, opened->apple, opened->text, &job->entry->launch,
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
    switch (job->entry->kind) {
    case BUNDLED_CUDA:
        return open_cuda(opened, job);
    case BUNDLED_METAL:
        return open_metal(opened, job);
    default:
        return open_cpu(opened, job);
    }
}

static void close_kernel(Opened *opened)
{
    cuda_kernel_close(opened->cuda);
    cuda_close(opened->device);
    metal_kernel_close(opened->metal);
    metal_close(opened->apple);
    kernel_close(opened->cpu);
    arena_destroy(opened->arena);
}

static KernelCall *const calls[BUNDLED_KINDS] = {
    [BUNDLED_CPU] = call_cpu, [BUNDLED_CUDA] = call_cuda, [BUNDLED_METAL] = call_metal};

static Checked checked_of(const Job *job, Opened *opened)
{
    return (Checked){.variant = &job->entry->variant,
                     .call = calls[job->entry->kind],
                     .kernel = opened,
                     .inputs = job->inputs,
                     .flushes = job->host->flushes[job->entry->kind]};
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

static size_t bytes_of(const Operator *op, const Shape *shape)
{
    size_t elements = 0;
    for (int i = 0; i < op->inputs; i++)
        elements += tensor_elements(&op->input[i], shape);
    for (int o = 0; o < op->outputs; o++)
        elements += tensor_elements(&op->output[o], shape);
    return elements * sizeof(float);
}

/* The largest tensor, so that the copy moves about as much as the kernel. */
static size_t copy_bytes(const Operator *op, const Shape *shape)
{
    size_t most = 0;
    for (int i = 0; i < op->inputs; i++) {
        const size_t elements = tensor_elements(&op->input[i], shape);
        most = elements > most ? elements : most;
    }
    return most > 0 ? most * sizeof(float) : sizeof(float);
}

static json_t *tried_to_json(const CudaTuned *tuned)
{
    json_t *list = json_array();
    for (int i = 0; i < tuned->count; i++)
        json_array_append_new(list, json_pack("{s:s, s:i, s:f}", "path",
                                              launch_path_name[tuned->tried[i].path], "block",
                                              (int)tuned->tried[i].block, "median_ns", tuned->median_ns[i]));
    return list;
}

static json_t *timing_answer(const Job *job, const CudaTiming *timing, double copy_gbs,
                             const CudaTuned *tuned)
{
    const size_t bytes = bytes_of(job->entry->variant.op, &job->entry->large.shape);
    const double gbs = timing->median_ns > 0 ? (double)bytes / timing->median_ns : 0;
    return json_pack("{s:I, s:f, s:f, s:f, s:{s:s, s:i}, s:o, s:o}", "bytes", (json_int_t)bytes, "gbs", gbs,
                     "copy_gbs", copy_gbs, "share_of_copy", copy_gbs > 0 ? gbs / copy_gbs : 0.0, "geometry",
                     "path", launch_path_name[tuned->best.path], "block", (int)tuned->best.block, "tried",
                     tried_to_json(tuned), "timing", cuda_timing_to_json(timing));
}

/* Tunes, times the winner afresh, measures the copy, and calls once more for the digest. */
static const char *time_opened(const Job *job, Opened *opened, LargeCase *large, json_t **answer)
{
    Arena *arena = opened->arena;
    const Operator *op = job->entry->variant.op;
    const Case what = {.shape = large->shape, .fill = INPUT_NORMAL, .seed = 1};
    const Trial trial = trial_create(arena, &job->entry->variant, &what);
    CudaTuned tuned;
    CudaTiming timing;
    double copy_gbs = 0;
    const char *why = cuda_kernel_tune(arena, opened->cuda, &trial.call, &tuned);
    if (!why)
        why = cuda_kernel_time(arena, opened->cuda, &trial.call, &tuned.best, &timing);
    if (!why)
        why = cuda_copy_bandwidth(arena, opened->device, copy_bytes(op, &what.shape), &copy_gbs);
    if (!why)
        why = cuda_kernel_call(arena, opened->cuda, &trial.call, &tuned.best, NULL);
    if (why)
        return why;
    inputs_digest(trial.call.output[0], tensor_elements(&op->output[0], &what.shape), large->digest);
    *answer = timing_answer(job, &timing, copy_gbs, &tuned);
    json_object_set_new(*answer, "load_ns", json_real(cuda_kernel_load_ns(opened->cuda)));
    return NULL;
}

static void time_large(void *context, FILE *out)
{
    const Job *job = context;
    Opened opened = {0};
    LargeCase large = job->entry->large;
    json_t *answer = NULL;
    const char *why = open_kernel(&opened, job);
    if (!why)
        why = time_opened(job, &opened, &large, &answer);
    if (why) {
        answer = status_only(opened.arena, why);
    } else {
        const char *expected = job->entry->large.digest;
        json_object_set_new(answer, "digest", json_string(large.digest));
        json_object_set_new(answer, "expected", json_string(expected));
        json_object_set_new(answer, "status",
                            json_string(!*expected                        ? "not compared"
                                        : !strcmp(expected, large.digest) ? "kept"
                                                                          : "broken"));
    }
    json_dumpf(answer, out, 0);
    json_decref(answer);
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

json_t *job_time(Arena *arena, const Job *job)
{
    const char *why = why_not_here(arena, job);
    if (!why && job->entry->kind != BUNDLED_CUDA)
        why = "skipped: only CUDA kernels are timed here; `samebits bench` times the others";
    json_t *result = describe(arena, job, why ? status_only(arena, why) : answer_of(arena, job, time_large));
    json_t *shape = json_object();
    const Operator *op = job->entry->variant.op;
    for (int d = 0; d < op->dims; d++)
        json_object_set_new(shape, op->dim[d], json_integer((json_int_t)job->entry->large.shape.size[d]));
    json_object_set_new(result, "shape", shape);
    return result;
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
