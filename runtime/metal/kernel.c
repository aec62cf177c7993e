/* kernel.c: pipelines with an operator's signature, and one call. */
#include "metal/kernel.h"

#include <string.h>

enum { POISON = 0x5a };

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
    return launch_choose(kernel->launch, work_of(kernel, shape), 8, kernel->block_limit);
}

unsigned metal_kernel_block_limit(const MetalKernel *kernel)
{
    return kernel->block_limit;
}

/* ---- buffers ---- */

static size_t tensor_bytes(const Tensor *tensor, const CallData *call)
{
    return tensor_elements(tensor, &call->shape) * sizeof(float);
}

const char *metal_buffers_create(Arena *arena, MetalDevice *device, const Operator *op, const CallData *call,
                                 MetalBuffers *buffers)
{
    const char *why = NULL;
    *buffers = (MetalBuffers){0};
    for (int i = 0; i < op->inputs && !why; i++) {
        const size_t bytes = tensor_bytes(&op->input[i], call);
        why = metal_buffer_create(arena, device, bytes, &buffers->input[i]);
        if (!why && bytes > 0)
            memcpy(metal_buffer_data(device, buffers->input[i]), call->input[i], bytes);
    }
    for (int o = 0; o < op->outputs && !why; o++) {
        const size_t bytes = tensor_bytes(&op->output[o], call);
        why = metal_buffer_create(arena, device, bytes, &buffers->output[o]);
        if (!why && bytes > 0)
            memset(metal_buffer_data(device, buffers->output[o]), POISON, bytes);
    }
    return why;
}

void metal_buffers_destroy(MetalDevice *device, const Operator *op, MetalBuffers *buffers)
{
    if (device->lost)
        return;
    for (int i = 0; i < op->inputs; i++)
        objc_release(&device->objc, buffers->input[i]);
    for (int o = 0; o < op->outputs; o++)
        objc_release(&device->objc, buffers->output[o]);
    *buffers = (MetalBuffers){0};
}

const char *metal_workspace_create(Arena *arena, MetalKernel *kernel, const CallData *call, Geometry geometry,
                                   ObjcId *workspace)
{
    const size_t bytes = launch_workspace(kernel->launch, work_of(kernel, &call->shape), geometry);
    const char *why = metal_buffer_create(arena, kernel->device, bytes, workspace);
    if (!why && bytes > 0)
        memset(metal_buffer_data(kernel->device, *workspace), POISON, bytes);
    return why;
}

static void read_outputs(MetalKernel *kernel, const MetalBuffers *buffers, const CallData *call)
{
    for (int o = 0; o < kernel->op->outputs; o++) {
        const size_t bytes = tensor_bytes(&kernel->op->output[o], call);
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

static void encode_step(MetalKernel *kernel, ObjcId encoder, const MetalBuffers *buffers, ObjcId workspace,
                        const CallData *call, const LaunchStep *step)
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
        set_buffer(objc, encoder, workspace, &index);
    }
    objc_send_grid(objc, encoder,
                   "dispatchThreadgroups:threadsPerThreadgroup:", (MetalSize){step->grid, 1, 1},
                   (MetalSize){step->block, 1, 1});
}

/* Dispatches of one encoder run in order, each seeing what the one before wrote (MTLDispatchTypeSerial, the
 * default). */
void metal_kernel_encode(MetalKernel *kernel, ObjcId encoder, const MetalBuffers *buffers, ObjcId workspace,
                         const CallData *call, Geometry geometry)
{
    const LaunchWork work = work_of(kernel, &call->shape);
    LaunchStep step;
    for (size_t i = 0; launch_step(kernel->launch, work, geometry, i, &step); i++)
        encode_step(kernel, encoder, buffers, workspace, call, &step);
}

static const char *run_once(Arena *arena, MetalKernel *kernel, const MetalBuffers *buffers, ObjcId workspace,
                            const CallData *call, Geometry geometry, MetalCallTime *time)
{
    MetalDevice *device = kernel->device;
    const double start = metal_now_ns();
    MetalCommands commands;
    void *pool = device->objc.pool_push();
    const char *why = metal_commands_begin(arena, device, METAL_COMPUTE, &commands);
    if (!why) {
        metal_kernel_encode(kernel, commands.encoder, buffers, workspace, call, geometry);
        why = metal_commands_run(arena, device, &commands, kernel->launch->entry[0].name, &time->device_ns);
    }
    time->call_ns = metal_now_ns() - start;
    if (!device->lost)
        device->objc.pool_pop(pool);
    return why;
}

const char *metal_kernel_call(Arena *arena, MetalKernel *kernel, const CallData *call,
                              const Geometry *geometry, MetalCallTime *time)
{
    const Geometry chosen = geometry ? *geometry : metal_kernel_geometry(kernel, &call->shape);
    MetalDevice *device = kernel->device;
    MetalCallTime taken = {0};
    MetalBuffers buffers = {0};
    ObjcId workspace = NULL;
    const char *why = launch_refuses(arena, kernel->launch, chosen, kernel->block_limit);
    if (!why)
        why = metal_buffers_create(arena, device, kernel->op, call, &buffers);
    if (!why)
        why = metal_workspace_create(arena, kernel, call, chosen, &workspace);
    if (!why)
        why = run_once(arena, kernel, &buffers, workspace, call, chosen, &taken);
    if (!why)
        read_outputs(kernel, &buffers, call);
    metal_buffers_destroy(device, kernel->op, &buffers);
    if (!device->lost)
        objc_release(&device->objc, workspace);
    if (time)
        *time = taken;
    return why;
}
