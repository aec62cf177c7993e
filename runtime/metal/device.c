/* device.c: the default device, libraries, pipelines, buffers, command buffers. Source: Apple, Metal
 * framework reference. Objects from methods named new... are owned and released; others live until the pool
 * is popped. */
#include "metal/device.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MATH_MODE_SAFE = 0,         /* MTLMathModeSafe */
    MATH_FUNCTIONS_PRECISE = 1, /* MTLMathFloatingPointFunctionsPrecise */
    STORAGE_SHARED = 0,         /* MTLResourceStorageModeShared */
    STATUS_COMPLETED = 4,       /* MTLCommandBufferStatusCompleted */
    STATUS_ERROR = 5,
    SPIN_NS = 2000000,
    NAP_NS = 200000
};

double metal_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* ---- the device ---- */

MetalDevice *metal_open(Arena *arena, const char **why)
{
    MetalDevice *device = ARENA_NEW(arena, MetalDevice);
    const Objc *objc = &device->objc;
    device->patience = launch_patience();
    *why = objc_load(arena, &device->objc);
    if (*why)
        return NULL;
    device->pool = objc->pool_push();
    device->device = objc->create_device();
    if (!device->device) {
        *why = "skipped: Metal finds no GPU";
        metal_close(device);
        return NULL;
    }
    const char *name = objc_text(arena, objc, objc_send(objc, device->device, "name"));
    snprintf(device->info.name, sizeof device->info.name, "%s", name);
    device->queue = objc_send(objc, device->device, "newCommandQueue");
    if (!device->queue) {
        *why = arena_printf(arena, "skipped: %s gives no command queue", name);
        metal_close(device);
        return NULL;
    }
    return device;
}

void metal_close(MetalDevice *device)
{
    if (!device || device->lost)
        return;
    objc_release(&device->objc, device->queue);
    objc_release(&device->objc, device->device);
    device->queue = device->device = NULL;
    if (device->pool)
        device->objc.pool_pop(device->pool);
    device->pool = NULL;
}

const MetalInfo *metal_info(const MetalDevice *device)
{
    return &device->info;
}

void metal_set_patience(MetalDevice *device, double seconds)
{
    device->patience = seconds;
}

static const char *error_text(Arena *arena, const MetalDevice *device, ObjcId error)
{
    const Objc *objc = &device->objc;
    return error ? objc_text(arena, objc, objc_send(objc, error, "localizedDescription")) : "no reason given";
}

/* ---- libraries ---- */

/* Contraction has no option: the pragma in the source switches it off, and the probe finds out. */
static void set_mathematics(const Objc *objc, ObjcId options)
{
    if (objc_responds(objc, options, "setMathMode:")) { /* macOS 15 */
        objc_send_number(objc, options, "setMathMode:", MATH_MODE_SAFE);
        objc_send_number(objc, options, "setMathFloatingPointFunctions:", MATH_FUNCTIONS_PRECISE);
    } else {
        objc_send_flag(objc, options, "setFastMathEnabled:", false);
    }
}

const char *metal_library_create(Arena *arena, MetalDevice *device, const char *source, ObjcId *library)
{
    const Objc *objc = &device->objc;
    ObjcId error = NULL, options = objc_send(objc, objc->get_class("MTLCompileOptions"), "new");
    if (!options)
        return "Metal gives no compile options";
    set_mathematics(objc, options);
    *library = objc_send_id_id_error(objc, device->device,
                                     "newLibraryWithSource:options:error:", objc_string(objc, source),
                                     options, &error);
    objc_release(objc, options);
    return *library
               ? NULL
               : arena_printf(arena, "Metal does not take the source: %s", error_text(arena, device, error));
}

const char *metal_pipeline_create(Arena *arena, MetalDevice *device, ObjcId library, const char *name,
                                  ObjcId *pipeline)
{
    const Objc *objc = &device->objc;
    ObjcId error = NULL;
    ObjcId function = objc_send_id(objc, library, "newFunctionWithName:", objc_string(objc, name));
    if (!function)
        return arena_printf(arena, "the source has no kernel '%s'; generate it again", name);
    *pipeline = objc_send_id_error(objc, device->device,
                                   "newComputePipelineStateWithFunction:error:", function, &error);
    objc_release(objc, function);
    if (!*pipeline)
        return arena_printf(arena, "kernel %s: %s", name, error_text(arena, device, error));
    device->info.width = (int)objc_ask_number(objc, *pipeline, "threadExecutionWidth");
    if (device->info.width != LAUNCH_WARP)
        return arena_printf(arena, "refused: %s runs %s in SIMD-groups of %d threads, the kernels need %d",
                            device->info.name, name, device->info.width, LAUNCH_WARP);
    return NULL;
}

/* ---- buffers ---- */

const char *metal_buffer_create(Arena *arena, MetalDevice *device, size_t bytes, ObjcId *buffer)
{
    *buffer = objc_send_two_sizes(&device->objc, device->device,
                                  "newBufferWithLength:options:", bytes > 0 ? bytes : sizeof(float),
                                  STORAGE_SHARED);
    return *buffer ? NULL : arena_printf(arena, "%zu bytes on the device: there is no room", bytes);
}

void *metal_buffer_data(const MetalDevice *device, ObjcId buffer)
{
    return objc_ask_pointer(&device->objc, buffer, "contents");
}

/* ---- commands ---- */

const char *metal_commands_begin(Arena *arena, MetalDevice *device, MetalEncoder encoder,
                                 MetalCommands *commands)
{
    static const char *const selector[] = {
        [METAL_COMPUTE] = "computeCommandEncoder", [METAL_COPY] = "blitCommandEncoder"};
    const Objc *objc = &device->objc;
    commands->buffer = objc_send(objc, device->queue, "commandBuffer");
    commands->encoder = commands->buffer ? objc_send(objc, commands->buffer, selector[encoder]) : NULL;
    return commands->encoder ? NULL : arena_printf(arena, "%s gives no command encoder", device->info.name);
}

void metal_commands_drop(MetalDevice *device, MetalCommands *commands)
{
    if (commands->encoder)
        objc_send(&device->objc, commands->encoder, "endEncoding");
    commands->encoder = NULL;
}

/* waitUntilCompleted has no limit; asking for the status has. */
static const char *wait_for(Arena *arena, MetalDevice *device, ObjcId buffer, const char *what)
{
    const double start = metal_now_ns();
    for (;;) {
        const ObjcUInteger status = objc_ask_number(&device->objc, buffer, "status");
        if (status == STATUS_COMPLETED)
            return NULL;
        if (status == STATUS_ERROR)
            return arena_printf(arena, "%s: %s", what,
                                error_text(arena, device, objc_send(&device->objc, buffer, "error")));
        const double waited = metal_now_ns() - start;
        if (waited > 1e9 * device->patience) {
            device->lost = true;
            return arena_printf(arena, "%s: no answer within %g s", what, device->patience);
        }
        if (waited > SPIN_NS)
            nanosleep(&(struct timespec){0, NAP_NS}, NULL);
    }
}

const char *metal_commands_run(Arena *arena, MetalDevice *device, MetalCommands *commands, const char *what,
                               double *device_ns)
{
    const Objc *objc = &device->objc;
    metal_commands_drop(device, commands);
    objc_send(objc, commands->buffer, "commit");
    const char *why = wait_for(arena, device, commands->buffer, what);
    if (!why)
        *device_ns = 1e9 * (objc_ask_double(objc, commands->buffer, "GPUEndTime") -
                            objc_ask_double(objc, commands->buffer, "GPUStartTime"));
    return why;
}
