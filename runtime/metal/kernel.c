/* kernel.c: pipelines with an operator's signature, one call, and settled times. */
#include "metal/device.h"

#include "bench/statistics.h"

#include <string.h>

enum { SAMPLES = 31, WARMUP_LIMIT = 200, WARMUP_STEADY = 8, POISON = 0x5a };
static const double settled_share = 0.98;

struct MetalKernel {
    MetalDevice *device;
    ObjcId library, pipeline[LAUNCH_ENTRIES]; /* parallel to launch->entry */
    const Launch *launch;
    const Operator *op;
    uint32_t parallel_dims;
    unsigned block_limit;
    double load_ns;
};

/* ---- opening ---- */

static const char *open_pipelines(Arena *arena, MetalKernel *kernel, const char *source)
{
    MetalDevice *device = kernel->device;
    const char *why = metal_library_create(arena, device, source, &kernel->library);
    for (int i = 0; i < kernel->launch->entries && !why; i++) {
        why = metal_pipeline_create(arena, device, kernel->library, kernel->launch->entry[i].name,
                                    &kernel->pipeline[i]);
        if (why)
            break;
        const ObjcUInteger most =
            objc_ask_number(&device->objc, kernel->pipeline[i], "maxTotalThreadsPerThreadgroup");
        if (most < kernel->block_limit)
            kernel->block_limit = (unsigned)(most / LAUNCH_WARP * LAUNCH_WARP);
    }
    if (!why && kernel->block_limit == 0)
        why = "skipped: a kernel needs so many registers that a threadgroup of 32 does not fit";
    return why;
}

MetalKernel *metal_kernel_open(Arena *arena, MetalDevice *device, const char *source, const Launch *launch,
                               const Operator *op, uint32_t parallel_dims, const char **why)
{
    MetalKernel *kernel = ARENA_NEW(arena, MetalKernel);
    const double start = metal_now_ns();
    *kernel = (MetalKernel){.device = device,
                            .launch = launch,
                            .op = op,
                            .parallel_dims = parallel_dims,
                            .block_limit = LAUNCH_BLOCK_LIMIT};
    *why = open_pipelines(arena, kernel, source);
    kernel->load_ns = metal_now_ns() - start;
    if (!*why)
        return kernel;
    metal_kernel_close(kernel);
    return NULL;
}

void metal_kernel_close(MetalKernel *kernel)
{
    if (!kernel || kernel->device->lost)
        return;
    for (int i = 0; i < kernel->launch->entries; i++) {
        objc_release(&kernel->device->objc, kernel->pipeline[i]);
        kernel->pipeline[i] = NULL;
    }
    objc_release(&kernel->device->objc, kernel->library);
    kernel->library = NULL;
}

double metal_kernel_load_ns(const MetalKernel *kernel)
{
    return kernel->load_ns;
}

static LaunchWork work_of(const MetalKernel *kernel, const Shape *shape)
{
    return launch_work(kernel->op, kernel->parallel_dims, shape);
}

/* The number of cores is not to be had; eight is the least that Apple's GPUs have had since the M1. */
Geometry metal_kernel_geometry(const MetalKernel *kernel, const Shape *shape)
{
    Geometry geometry = launch_choose(kernel->launch, work_of(kernel, shape), 8);
    if (geometry.block > kernel->block_limit)
        geometry.block = kernel->block_limit;
    return geometry;
}

static const char *refuses(Arena *arena, const MetalKernel *kernel, Geometry geometry)
{
    if (!launch_has_path(kernel->launch, geometry.path))
        return arena_printf(arena, "this kernel has no entry point for the path '%s'",
                            launch_path_name[geometry.path]);
    if (geometry.block == 0 || geometry.block % LAUNCH_WARP != 0)
        return arena_printf(arena, "a threadgroup of %u threads is not a whole number of SIMD-groups",
                            geometry.block);
    if (geometry.block > kernel->block_limit)
        return arena_printf(arena, "a threadgroup of %u threads is more than the %u that this kernel allows",
                            geometry.block, kernel->block_limit);
    return NULL;
}

/* ---- buffers ---- */

typedef struct Buffers {
    ObjcId input[OPERATOR_INPUTS], output[OPERATOR_OUTPUTS], workspace;
} Buffers;

static const char *create_buffers(Arena *arena, MetalKernel *kernel, const CallData *call, Geometry geometry,
                                  Buffers *buffers)
{
    MetalDevice *device = kernel->device;
    const Operator *op = kernel->op;
    const size_t workspace = launch_workspace(kernel->launch, work_of(kernel, &call->shape), geometry);
    const char *why = NULL;
    for (int i = 0; i < op->inputs && !why; i++) {
        const size_t bytes = tensor_elements(&op->input[i], &call->shape) * sizeof(float);
        why = metal_buffer_create(arena, device, bytes, &buffers->input[i]);
        if (!why && bytes > 0)
            memcpy(metal_buffer_data(device, buffers->input[i]), call->input[i], bytes);
    }
    for (int o = 0; o < op->outputs && !why; o++) {
        const size_t bytes = tensor_elements(&op->output[o], &call->shape) * sizeof(float);
        why = metal_buffer_create(arena, device, bytes, &buffers->output[o]);
        if (!why && bytes > 0)
            memset(metal_buffer_data(device, buffers->output[o]), POISON, bytes);
    }
    return why ? why : metal_buffer_create(arena, device, workspace, &buffers->workspace);
}

static void destroy_buffers(MetalKernel *kernel, const Buffers *buffers)
{
    const Objc *objc = &kernel->device->objc;
    if (kernel->device->lost)
        return;
    for (int i = 0; i < kernel->op->inputs; i++)
        objc_release(objc, buffers->input[i]);
    for (int o = 0; o < kernel->op->outputs; o++)
        objc_release(objc, buffers->output[o]);
    objc_release(objc, buffers->workspace);
}

static void read_outputs(MetalKernel *kernel, const Buffers *buffers, const CallData *call)
{
    for (int o = 0; o < kernel->op->outputs; o++) {
        const size_t bytes = tensor_elements(&kernel->op->output[o], &call->shape) * sizeof(float);
        if (bytes > 0)
            memcpy(call->output[o], metal_buffer_data(kernel->device, buffers->output[o]), bytes);
    }
}

/* ---- one call ---- */

static void set_buffer(const Objc *objc, ObjcId encoder, ObjcId buffer, ObjcUInteger *index)
{
    objc_send_buffer(objc, encoder, "setBuffer:offset:atIndex:", buffer, 0, (*index)++);
}

static void set_bytes(const Objc *objc, ObjcId encoder, const void *bytes, size_t size, ObjcUInteger *index)
{
    objc_send_bytes(objc, encoder, "setBytes:length:atIndex:", bytes, size, (*index)++);
}

static void encode_step(MetalKernel *kernel, ObjcId encoder, const Buffers *buffers, const CallData *call,
                        const LaunchStep *step)
{
    const Objc *objc = &kernel->device->objc;
    const Operator *op = kernel->op;
    ObjcUInteger index = 0;
    objc_send_id(objc, encoder,
                 "setComputePipelineState:", kernel->pipeline[step->entry - kernel->launch->entry]);
    for (int i = 0; i < op->inputs; i++)
        set_buffer(objc, encoder, buffers->input[i], &index);
    for (int o = 0; o < op->outputs; o++)
        set_buffer(objc, encoder, buffers->output[o], &index);
    for (int d = 0; d < op->dims; d++) {
        const uint64_t size = call->shape.size[d];
        set_bytes(objc, encoder, &size, sizeof size, &index);
    }
    for (int p = 0; p < op->params; p++)
        set_bytes(objc, encoder, &call->param[p], sizeof(float), &index);
    if (step->extra) {
        const uint64_t row = step->row;
        set_bytes(objc, encoder, &row, sizeof row, &index);
        set_buffer(objc, encoder, buffers->workspace, &index);
    }
    objc_send_grid(objc, encoder,
                   "dispatchThreadgroups:threadsPerThreadgroup:", (MetalSize){step->grid, 1, 1},
                   (MetalSize){step->block, 1, 1});
}

/* Dispatches of one encoder run in order, each seeing what the one before wrote (MTLDispatchTypeSerial, the
 * default). */
static const char *run_once(Arena *arena, MetalKernel *kernel, const Buffers *buffers, const CallData *call,
                            Geometry geometry, MetalCallTime *time)
{
    MetalDevice *device = kernel->device;
    const LaunchWork work = work_of(kernel, &call->shape);
    const double start = metal_now_ns();
    MetalCommands commands;
    LaunchStep step;
    void *pool = device->objc.pool_push();
    const char *why = metal_commands_begin(arena, device, &commands);
    for (size_t i = 0; !why && launch_step(kernel->launch, work, geometry, i, &step); i++)
        encode_step(kernel, commands.encoder, buffers, call, &step);
    if (!why)
        why = metal_commands_run(arena, device, &commands, kernel->launch->entry[0].name, &time->device_ns);
    time->call_ns = metal_now_ns() - start;
    if (!device->lost)
        device->objc.pool_pop(pool);
    return why;
}

const char *metal_kernel_call(Arena *arena, MetalKernel *kernel, const CallData *call,
                              const Geometry *geometry, MetalCallTime *time)
{
    const Geometry chosen = geometry ? *geometry : metal_kernel_geometry(kernel, &call->shape);
    MetalCallTime taken = {0};
    Buffers buffers = {0};
    const char *why = refuses(arena, kernel, chosen);
    if (!why)
        why = create_buffers(arena, kernel, call, chosen, &buffers);
    if (!why)
        why = run_once(arena, kernel, &buffers, call, chosen, &taken);
    if (!why)
        read_outputs(kernel, &buffers, call);
    destroy_buffers(kernel, &buffers);
    if (time)
        *time = taken;
    return why;
}

/* ---- times ---- */

/* The first call, then calls until the least time has stopped falling. */
static const char *warm_up(Arena *arena, MetalKernel *kernel, const Buffers *buffers, const CallData *call,
                           Geometry geometry, MetalTiming *timing)
{
    MetalCallTime time = {0};
    const char *why = run_once(arena, kernel, buffers, call, geometry, &time);
    double least = time.device_ns;
    timing->first_call_ns = time.call_ns;
    timing->warmup_calls = 1;
    for (int steady = 0; steady < WARMUP_STEADY && timing->warmup_calls < WARMUP_LIMIT && !why;
         timing->warmup_calls++) {
        why = run_once(arena, kernel, buffers, call, geometry, &time);
        steady = time.device_ns < settled_share * least ? 0 : steady + 1;
        least = time.device_ns < least ? time.device_ns : least;
    }
    return why;
}

static const char *take_samples(Arena *arena, MetalKernel *kernel, const Buffers *buffers,
                                const CallData *call, Geometry geometry, MetalTiming *timing)
{
    double device_ns[SAMPLES], launch_ns[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        MetalCallTime time = {0};
        const char *why = run_once(arena, kernel, buffers, call, geometry, &time);
        if (why)
            return why;
        device_ns[i] = time.device_ns;
        launch_ns[i] = time.call_ns - time.device_ns;
    }
    timing->samples = SAMPLES;
    timing->median_ns = statistics_median(device_ns, SAMPLES); /* sorts */
    timing->min_ns = device_ns[0];
    timing->max_ns = device_ns[SAMPLES - 1];
    timing->launch_ns = statistics_median(launch_ns, SAMPLES);
    return NULL;
}

const char *metal_kernel_time(Arena *arena, MetalKernel *kernel, const CallData *call,
                              const Geometry *geometry, MetalTiming *timing)
{
    const Geometry chosen = geometry ? *geometry : metal_kernel_geometry(kernel, &call->shape);
    Buffers buffers = {0};
    *timing = (MetalTiming){0};
    const char *why = refuses(arena, kernel, chosen);
    if (!why)
        why = create_buffers(arena, kernel, call, chosen, &buffers);
    if (!why)
        why = warm_up(arena, kernel, &buffers, call, chosen, timing);
    if (!why)
        why = take_samples(arena, kernel, &buffers, call, chosen, timing);
    destroy_buffers(kernel, &buffers);
    return why;
}

json_t *metal_timing_to_json(const MetalTiming *timing)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:i, s:i}", "first_call_ns", timing->first_call_ns,
                     "median_ns", timing->median_ns, "min_ns", timing->min_ns, "max_ns", timing->max_ns,
                     "launch_ns", timing->launch_ns, "warmup_calls", timing->warmup_calls, "samples",
                     timing->samples);
}
