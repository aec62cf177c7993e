/* time.c: settled times of a kernel on the device's own clock, launch overhead apart.
 *
 * A sample is one pair of events round as many calls as last a millisecond; time per call is their distance
 * divided by the calls. The host's time to ask for a launch is measured beside it and is in no device time as
 * long as it is the shorter of the two. Buffers rotate through more than twice the device's cache, so that no
 * call finds its inputs there. */
#include "cuda/kernel.h"

#include "bench/statistics.h"

enum {
    SAMPLES = 31,
    WARMUP_LIMIT = 200,
    WARMUP_STEADY = 8, /* calls without a new least time: it has stopped falling */
    BUFFERS_LIMIT = 64,
    CALLS_LIMIT = 10000,
    COPIES = 15
};
static const double sample_ns = 1e6;
static const double settled_share = 0.98; /* a new least time is less than this much of the old one */

typedef struct Timer {
    Arena *arena;
    CudaKernel *kernel;
    const CallData *call;
    Geometry geometry;
    CudaBuffers buffers[BUFFERS_LIMIT];
    int sets, next;
    CUevent begin, end;
    CudaTiming *timing;
} Timer;

static const char *record(Timer *timer, CUevent event)
{
    CudaDevice *device = timer->kernel->device;
    return cuda_check(timer->arena, device, device->api.event_record(event, device->stream),
                      "recording an event");
}

/* `calls` calls between two events: time per call on the device and for the host to ask. */
static const char *sample(Timer *timer, int calls, double *device_ns, double *launch_ns)
{
    CudaDevice *device = timer->kernel->device;
    float milliseconds = 0;
    const char *why = record(timer, timer->begin);
    const double start = cuda_now_ns();
    for (int i = 0; i < calls && !why; i++) {
        why = cuda_kernel_launch(timer->arena, timer->kernel, &timer->buffers[timer->next], timer->call,
                                 timer->geometry);
        timer->next = (timer->next + 1) % timer->sets;
    }
    *launch_ns = (cuda_now_ns() - start) / (calls > 0 ? calls : 1);
    if (!why)
        why = record(timer, timer->end);
    if (!why)
        why = cuda_wait(timer->arena, device, timer->end, timer->kernel->launch->entry[0].name);
    if (!why)
        why = cuda_check(timer->arena, device,
                         device->api.event_elapsed_time(&milliseconds, timer->begin, timer->end),
                         "reading the device's clock");
    *device_ns = 1e6 * (double)milliseconds / (calls > 0 ? calls : 1);
    return why;
}

static void note_clock(Timer *timer)
{
    CudaTiming *timing = timer->timing;
    const int mhz = cuda_clocks_multiprocessor_mhz(&timer->kernel->device->clocks);
    if (mhz <= 0)
        return;
    if (timing->clock_low_mhz == 0 || mhz < timing->clock_low_mhz)
        timing->clock_low_mhz = mhz;
    if (mhz > timing->clock_high_mhz)
        timing->clock_high_mhz = mhz;
}

static const char *create_buffers(Timer *timer)
{
    const size_t cache = timer->kernel->device->info.cache_bytes;
    size_t bytes = 0;
    const char *why = NULL;
    do {
        CudaBuffers *buffers = &timer->buffers[timer->sets++];
        why = cuda_buffers_create(timer->arena, timer->kernel, timer->call, timer->geometry, buffers);
        bytes += buffers->bytes;
    } while (!why && bytes <= 2 * cache && timer->sets < BUFFERS_LIMIT);
    timer->timing->buffers = timer->sets;
    return why;
}

static const char *prepare(Timer *timer)
{
    CudaDevice *device = timer->kernel->device;
    const char *why = cuda_kernel_refuses(timer->arena, timer->kernel, timer->geometry);
    if (!why)
        why = create_buffers(timer);
    if (!why)
        why = cuda_check(timer->arena, device, device->api.event_create(&timer->begin, CUDA_EVENT_DEFAULT),
                         "making an event");
    if (!why)
        why = cuda_check(timer->arena, device, device->api.event_create(&timer->end, CUDA_EVENT_DEFAULT),
                         "making an event");
    return why;
}

static void release(Timer *timer)
{
    CudaDevice *device = timer->kernel->device;
    for (int i = 0; i < timer->sets; i++)
        cuda_buffers_destroy(timer->kernel, &timer->buffers[i]);
    if (device->lost)
        return;
    if (timer->begin)
        device->api.event_destroy(timer->begin);
    if (timer->end)
        device->api.event_destroy(timer->end);
}

/* The first call, then calls until the least time has stopped falling. */
static const char *warm_up(Timer *timer, double *settled_ns)
{
    double device_ns = 0, launch_ns = 0;
    const double start = cuda_now_ns();
    const char *why = sample(timer, 1, &device_ns, &launch_ns);
    timer->timing->first_call_ns = cuda_now_ns() - start;
    *settled_ns = device_ns;
    timer->timing->warmup_calls = 1;
    for (int steady = 0; steady < WARMUP_STEADY && timer->timing->warmup_calls < WARMUP_LIMIT && !why;) {
        why = sample(timer, 1, &device_ns, &launch_ns);
        timer->timing->warmup_calls++;
        steady = device_ns < settled_share * *settled_ns ? 0 : steady + 1;
        if (device_ns < *settled_ns)
            *settled_ns = device_ns;
    }
    return why;
}

static int calls_for(double call_ns)
{
    const double calls = call_ns > 0 ? sample_ns / call_ns : CALLS_LIMIT;
    return calls < 1 ? 1 : calls > CALLS_LIMIT ? CALLS_LIMIT : (int)calls;
}

static const char *take_samples(Timer *timer, int calls)
{
    double device_ns[SAMPLES], launch_ns[SAMPLES], nothing;
    CudaTiming *timing = timer->timing;
    const char *why = sample(timer, 0, &timing->overhead_ns, &nothing);
    for (int i = 0; i < SAMPLES && !why; i++) {
        why = sample(timer, calls, &device_ns[i], &launch_ns[i]);
        note_clock(timer);
    }
    if (why)
        return why;
    timing->samples = SAMPLES;
    timing->calls_per_sample = calls;
    timing->median_ns = statistics_median(device_ns, SAMPLES); /* sorts */
    timing->min_ns = device_ns[0];
    timing->max_ns = device_ns[SAMPLES - 1];
    timing->launch_ns = statistics_median(launch_ns, SAMPLES);
    return NULL;
}

const char *cuda_kernel_time(Arena *arena, CudaKernel *kernel, const CallData *call, const Geometry *geometry,
                             CudaTiming *timing)
{
    double settled_ns = 0;
    Timer *timer = ARENA_NEW(arena, Timer);
    *timing = (CudaTiming){0};
    *timer = (Timer){.arena = arena,
                     .kernel = kernel,
                     .call = call,
                     .geometry = geometry ? *geometry : cuda_kernel_geometry(kernel, &call->shape),
                     .timing = timing};
    const char *why = prepare(timer);
    if (!why)
        why = warm_up(timer, &settled_ns);
    if (!why)
        why = take_samples(timer, calls_for(settled_ns));
    release(timer);
    return why;
}

const char *cuda_kernel_tune(Arena *arena, CudaKernel *kernel, const CallData *call, CudaTuned *tuned)
{
    const LaunchWork work = launch_work(kernel->op, kernel->parallel_dims, &call->shape);
    *tuned = (CudaTuned){.best = cuda_kernel_geometry(kernel, &call->shape)};
    tuned->count = launch_candidates(kernel->launch, work, kernel->block_limit, tuned->tried);
    for (int i = 0, best = 0; i < tuned->count; i++) {
        CudaTiming timing;
        const char *why = cuda_kernel_time(arena, kernel, call, &tuned->tried[i], &timing);
        if (why)
            return why;
        tuned->median_ns[i] = timing.median_ns;
        if (timing.median_ns <= tuned->median_ns[best])
            tuned->best = tuned->tried[best = i];
    }
    return NULL;
}

json_t *cuda_timing_to_json(const CudaTiming *timing)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:i, s:i, s:i, s:i}", "first_call_ns",
                     timing->first_call_ns, "median_ns", timing->median_ns, "min_ns", timing->min_ns,
                     "max_ns", timing->max_ns, "launch_ns", timing->launch_ns, "event_overhead_ns",
                     timing->overhead_ns, "warmup_calls", timing->warmup_calls, "samples", timing->samples,
                     "calls_per_sample", timing->calls_per_sample, "buffers", timing->buffers,
                     "clock_low_mhz", timing->clock_low_mhz, "clock_high_mhz", timing->clock_high_mhz);
}

/* ---- copy bandwidth ---- */

static const char *time_copy(Arena *arena, CudaDevice *device, CUdeviceptr to, CUdeviceptr from, size_t bytes,
                             CUevent begin, CUevent end, double *ns)
{
    const CudaApi *api = &device->api;
    float milliseconds = 0;
    const char *why =
        cuda_check(arena, device, api->event_record(begin, device->stream), "recording an event");
    if (!why)
        why = cuda_check(arena, device, api->memcpy_dtod_async(to, from, bytes, device->stream),
                         "copying on the device");
    if (!why)
        why = cuda_check(arena, device, api->event_record(end, device->stream), "recording an event");
    if (!why)
        why = cuda_wait(arena, device, end, "copying on the device");
    if (!why)
        why = cuda_check(arena, device, api->event_elapsed_time(&milliseconds, begin, end),
                         "reading the device's clock");
    *ns = 1e6 * (double)milliseconds;
    return why;
}

const char *cuda_copy_bandwidth(Arena *arena, CudaDevice *device, size_t bytes, double *gbs)
{
    CUdeviceptr memory[2] = {0, 0};
    CUevent event[2] = {NULL, NULL};
    double ns[COPIES];
    const char *why = NULL;
    for (int i = 0; i < 2 && !why; i++) {
        why = cuda_memory_create(arena, device, bytes, &memory[i]);
        if (!why)
            why = cuda_check(arena, device, device->api.memset_d32(memory[i], 0, bytes / sizeof(float)),
                             "filling %zu bytes", bytes);
        if (!why)
            why = cuda_check(arena, device, device->api.event_create(&event[i], CUDA_EVENT_DEFAULT),
                             "making an event");
    }
    for (int i = 0; i < COPIES && !why; i++)
        why = time_copy(arena, device, memory[i % 2], memory[1 - i % 2], bytes, event[0], event[1], &ns[i]);
    for (int i = 0; i < 2; i++) {
        cuda_memory_destroy(device, memory[i]);
        if (event[i] && !device->lost)
            device->api.event_destroy(event[i]);
    }
    if (!why)
        *gbs = 2.0 * (double)bytes / statistics_median(ns, COPIES);
    return why;
}
