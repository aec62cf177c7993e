/* time.c: calls and copies between two events, on the device's own clock.
 *
 * Launches are asked for without waiting, so the host's time to ask is in no device time as long as it is the
 * shorter of the two; it is measured beside it. Which calls follow one another, and how many, is the timing
 * protocol's to say (bench/device_worker.c). */
#include "cuda/kernel.h"

/* A stream holds some thousand launches; then asking waits until one is done, and would be as slow as the
 * device. What the host needs to ask is taken from the first ones, of which there is room for many. */
enum { ROOM = 512 };

struct CudaSets {
    CudaDevice *device;
    const Operator *op;
    CudaBuffers *buffers;
    int count, next;
    CUdeviceptr spare; /* what copies go to where there is one set */
    size_t copy_bytes; /* of the first input */
};

struct CudaTimer {
    CudaDevice *device;
    CudaKernel *kernel; /* NULL: copies */
    CudaSets *sets;
    const CallData *call;
    Geometry geometry;
    CUdeviceptr workspace;
    CudaEvents events;
};

/* ---- buffers ---- */

CudaSets *cuda_sets_create(Arena *arena, CudaDevice *device, const Operator *op, const CallData *call,
                           int sets, const char **why)
{
    CudaSets *made = ARENA_NEW(arena, CudaSets);
    *made = (CudaSets){.device = device,
                       .op = op,
                       .buffers = ARENA_ARRAY(arena, CudaBuffers, (size_t)sets),
                       .copy_bytes = tensor_elements(&op->input[0], &call->shape) * sizeof(float)};
    *why = cuda_memory_create(arena, device, made->copy_bytes, &made->spare);
    for (int i = 0; i < sets && !*why; i++)
        *why = cuda_buffers_create(arena, device, op, call, &made->buffers[made->count++]);
    if (!*why)
        return made;
    cuda_sets_destroy(made);
    return NULL;
}

void cuda_sets_destroy(CudaSets *sets)
{
    if (!sets)
        return;
    for (int i = 0; i < sets->count; i++)
        cuda_buffers_destroy(sets->device, sets->op, &sets->buffers[i]);
    cuda_memory_destroy(sets->device, sets->spare);
    *sets = (CudaSets){.device = sets->device};
}

/* ---- calls ---- */

static const char *prepare(Arena *arena, CudaTimer *timer)
{
    const char *why = NULL;
    if (timer->kernel)
        why = launch_refuses(arena, timer->kernel->launch, timer->geometry, timer->kernel->block_limit);
    if (timer->kernel && !why)
        why = cuda_workspace_create(arena, timer->kernel, timer->call, timer->geometry, &timer->workspace);
    return why ? why : cuda_events_create(arena, timer->device, &timer->events);
}

CudaTimer *cuda_timer_create(Arena *arena, CudaDevice *device, CudaKernel *kernel, CudaSets *sets,
                             const CallData *call, Geometry geometry, const char **why)
{
    CudaTimer *timer = ARENA_NEW(arena, CudaTimer);
    *timer =
        (CudaTimer){.device = device, .kernel = kernel, .sets = sets, .call = call, .geometry = geometry};
    *why = prepare(arena, timer);
    if (!*why)
        return timer;
    cuda_timer_destroy(timer);
    return NULL;
}

void cuda_timer_destroy(CudaTimer *timer)
{
    if (!timer)
        return;
    cuda_events_destroy(timer->device, &timer->events);
    cuda_memory_destroy(timer->device, timer->workspace);
    timer->workspace = 0;
}

/* All sets hold the same inputs: copying one's over the next one's changes nothing. */
static const char *copy_once(Arena *arena, CudaTimer *timer, int from)
{
    CudaDevice *device = timer->device;
    CudaSets *sets = timer->sets;
    const CUdeviceptr to = sets->count > 1 ? sets->buffers[(from + 1) % sets->count].input[0] : sets->spare;
    return cuda_check(
        arena, device,
        device->api.memcpy_dtod_async(to, sets->buffers[from].input[0], sets->copy_bytes, device->stream),
        "copying on the device");
}

static const char *ask_once(Arena *arena, CudaTimer *timer)
{
    CudaSets *sets = timer->sets;
    const int set = sets->next;
    sets->next = (set + 1) % sets->count;
    return timer->kernel ? cuda_kernel_launch(arena, timer->kernel, &sets->buffers[set], timer->workspace,
                                              timer->call, timer->geometry)
                         : copy_once(arena, timer, set);
}

static int launches_of_call(const CudaTimer *timer)
{
    const CudaKernel *kernel = timer->kernel;
    LaunchStep step;
    int launches = 0;
    if (!kernel)
        return 1;
    const LaunchWork work = launch_work(kernel->op, kernel->parallel_dims, &timer->call->shape);
    while (launches < ROOM && launch_step(kernel->launch, work, timer->geometry, (size_t)launches, &step))
        launches++;
    return launches > 0 ? launches : 1;
}

/* Asks for all calls; of the first, what asking for one took. */
static const char *ask(Arena *arena, CudaTimer *timer, int calls, double *launch_ns)
{
    const int room = ROOM / launches_of_call(timer), counted = calls < room ? calls : room;
    const double start = cuda_now_ns();
    const char *why = NULL;
    for (int i = 0; i < calls && !why; i++) {
        why = ask_once(arena, timer);
        if (i + 1 == counted)
            *launch_ns = (cuda_now_ns() - start) / counted;
    }
    return why;
}

const char *cuda_timer_run(Arena *arena, CudaTimer *timer, int calls, DeviceSpan *span)
{
    CudaDevice *device = timer->device;
    const char *what = timer->kernel ? timer->kernel->launch->entry[0].name : "copying on the device";
    const double start = cuda_now_ns();
    const char *why = cuda_event_record(arena, device, timer->events.begin);
    span->launch_ns = 0;
    if (!why)
        why = ask(arena, timer, calls, &span->launch_ns);
    if (!why)
        why = cuda_event_record(arena, device, timer->events.end);
    if (!why)
        why = cuda_events_elapsed(arena, device, &timer->events, what, &span->device_ns);
    span->whole_ns = cuda_now_ns() - start;
    span->device_ns /= calls > 0 ? calls : 1;
    return why;
}

int cuda_clock_mhz(const CudaDevice *device)
{
    return cuda_clocks_multiprocessor_mhz(&device->clocks);
}
