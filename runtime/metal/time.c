/* time.c: calls and copies in one command buffer, on the device's own clock (GPU start to GPU end).
 *
 * What the host needs to encode the calls and commit them is measured beside it. */
#include "metal/kernel.h"

struct MetalSets {
    MetalDevice *device;
    const Operator *op;
    MetalBuffers *buffers;
    int count, next;
    ObjcId spare; /* what copies go to where there is one set */
    size_t copy_bytes;
};

struct MetalTimer {
    MetalDevice *device;
    MetalKernel *kernel; /* NULL: copies */
    MetalSets *sets;
    const CallData *call;
    Geometry geometry;
    ObjcId workspace;
};

/* ---- buffers ---- */

MetalSets *metal_sets_create(Arena *arena, MetalDevice *device, const Operator *op, const CallData *call,
                             int sets, const char **why)
{
    MetalSets *made = ARENA_NEW(arena, MetalSets);
    *made = (MetalSets){.device = device,
                        .op = op,
                        .buffers = ARENA_ARRAY(arena, MetalBuffers, (size_t)sets),
                        .copy_bytes = tensor_elements(&op->input[0], &call->shape) * sizeof(float)};
    *why = metal_buffer_create(arena, device, made->copy_bytes, &made->spare);
    for (int i = 0; i < sets && !*why; i++)
        *why = metal_buffers_create(arena, device, op, call, &made->buffers[made->count++]);
    if (!*why)
        return made;
    metal_sets_destroy(made);
    return NULL;
}

void metal_sets_destroy(MetalSets *sets)
{
    if (!sets || sets->device->lost)
        return;
    for (int i = 0; i < sets->count; i++)
        metal_buffers_destroy(sets->device, sets->op, &sets->buffers[i]);
    objc_release(&sets->device->objc, sets->spare);
    *sets = (MetalSets){.device = sets->device};
}

/* ---- calls ---- */

MetalTimer *metal_timer_create(Arena *arena, MetalDevice *device, MetalKernel *kernel, MetalSets *sets,
                               const CallData *call, Geometry geometry, const char **why)
{
    MetalTimer *timer = ARENA_NEW(arena, MetalTimer);
    *timer =
        (MetalTimer){.device = device, .kernel = kernel, .sets = sets, .call = call, .geometry = geometry};
    *why = kernel ? launch_refuses(arena, kernel->launch, geometry, kernel->block_limit) : NULL;
    if (kernel && !*why)
        *why = metal_workspace_create(arena, kernel, call, geometry, &timer->workspace);
    if (!*why)
        return timer;
    metal_timer_destroy(timer);
    return NULL;
}

void metal_timer_destroy(MetalTimer *timer)
{
    if (!timer || timer->device->lost)
        return;
    objc_release(&timer->device->objc, timer->workspace);
    timer->workspace = NULL;
}

/* All sets hold the same inputs: copying one's over the next one's changes nothing. */
static void encode_copy(MetalTimer *timer, ObjcId encoder, int from)
{
    const MetalSets *sets = timer->sets;
    const ObjcId to = sets->count > 1 ? sets->buffers[(from + 1) % sets->count].input[0] : sets->spare;
    objc_send_copy(&timer->device->objc, encoder,
                   "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:",
                   sets->buffers[from].input[0], to, sets->copy_bytes);
}

static void encode_once(MetalTimer *timer, ObjcId encoder)
{
    MetalSets *sets = timer->sets;
    const int set = sets->next;
    sets->next = (set + 1) % sets->count;
    if (timer->kernel)
        metal_kernel_encode(timer->kernel, encoder, &sets->buffers[set], timer->workspace, timer->call,
                            timer->geometry);
    else
        encode_copy(timer, encoder, set);
}

const char *metal_timer_run(Arena *arena, MetalTimer *timer, int calls, DeviceSpan *span)
{
    MetalDevice *device = timer->device;
    MetalCommands commands;
    const char *what = timer->kernel ? timer->kernel->launch->entry[0].name : "copying on the device";
    void *pool = device->objc.pool_push();
    const double start = metal_now_ns();
    const char *why =
        metal_commands_begin(arena, device, timer->kernel ? METAL_COMPUTE : METAL_COPY, &commands);
    for (int i = 0; i < calls && !why; i++)
        encode_once(timer, commands.encoder);
    const double asked = metal_now_ns();
    if (!why)
        why = metal_commands_run(arena, device, &commands, what, &span->device_ns);
    span->whole_ns = metal_now_ns() - start;
    span->launch_ns = (asked - start) / (calls > 0 ? calls : 1);
    span->device_ns /= calls > 0 ? calls : 1;
    if (!device->lost)
        device->objc.pool_pop(pool);
    return why;
}
