/* kernel.c: a module from PTX, its entry points with an operator's signature, and one call. */
#include "cuda/kernel.h"

#include "cuda/needs.h"

#include <string.h>

enum {
    ARGUMENTS = OPERATOR_INPUTS + OPERATOR_OUTPUTS + OPERATOR_DIMS + OPERATOR_PARAMS + 2,
    POISON = 0x5a5a5a5a /* not a NaN: an element that was never written cannot pass for one */
};

/* ---- opening ---- */

/* "uuuuf": what the operator's signature is in PTX, without the last arguments of parts, joins and outputs.
 */
static const char *signature_of(Arena *arena, const Operator *op)
{
    const size_t words = (size_t)op->inputs + (size_t)op->outputs + (size_t)op->dims;
    const size_t params = (size_t)op->params;
    char *letters = arena_alloc(arena, words + params + 1, 1);
    memset(letters, 'u', words);
    memset(letters + words, 'f', params);
    return letters;
}

/* A kernel reads as many bytes of arguments as its text says, from wherever it is pointed to: the two must
 * agree before anything is launched. */
static const char *check_signature(Arena *arena, const char *ptx, CudaKernel *kernel, int entry)
{
    const LaunchEntry *row = &kernel->launch->entry[entry];
    const char *has = cuda_entry_parameters(arena, ptx, row->name);
    const char *wanted = signature_of(arena, kernel->op);
    const size_t length = strlen(wanted);
    if (!has)
        return arena_printf(arena, "the PTX has no kernel '%s'; generate and compile it again", row->name);
    const char *behind = strncmp(has, wanted, length) ? "?" : has + length;
    const bool has_extra = row->role >= LAUNCH_PART;
    if (strcmp(behind, has_extra ? "uu" : ""))
        return arena_printf(
            arena,
            "kernel %s takes other arguments (%s in PTX) than its operator has (%s%s); generate and "
            "compile it again",
            row->name, has, wanted, has_extra ? ", row, workspace" : "");
    return NULL;
}

static const char *find_function(Arena *arena, CudaKernel *kernel, int entry)
{
    CudaDevice *device = kernel->device;
    const char *name = kernel->launch->entry[entry].name;
    int threads = 0;
    const char *why = cuda_check(
        arena, device, device->api.module_get_function(&kernel->function[entry], kernel->module, name),
        "kernel %s", name);
    if (!why)
        why = cuda_check(arena, device,
                         device->api.func_get_attribute(&threads, CUDA_FUNCTION_MAX_THREADS_PER_BLOCK,
                                                        kernel->function[entry]),
                         "kernel %s", name);
    if (!why && threads < LAUNCH_WARP)
        why = arena_printf(
            arena, "skipped: kernel %s needs so many registers that a block of 32 does not fit", name);
    if (!why && (unsigned)threads < kernel->block_limit)
        kernel->block_limit = (unsigned)(threads / LAUNCH_WARP * LAUNCH_WARP);
    return why;
}

CudaKernel *cuda_kernel_open(Arena *arena, CudaDevice *device, const char *ptx, const Launch *launch,
                             const Operator *op, uint32_t parallel_dims, const char **why)
{
    CudaKernel *kernel = ARENA_NEW(arena, CudaKernel);
    *kernel = (CudaKernel){.device = device,
                           .launch = launch,
                           .block_limit = LAUNCH_BLOCK_LIMIT,
                           .op = op,
                           .parallel_dims = parallel_dims};
    *why = NULL;
    for (int i = 0; i < launch->entries && !*why; i++)
        *why = check_signature(arena, ptx, kernel, i);
    if (*why)
        return NULL;
    const double start = cuda_now_ns();
    *why = cuda_module_load(arena, device, ptx, &kernel->module);
    kernel->load_ns = cuda_now_ns() - start;
    for (int i = 0; i < launch->entries && !*why; i++)
        *why = find_function(arena, kernel, i);
    if (!*why)
        return kernel;
    cuda_kernel_close(kernel);
    return NULL;
}

void cuda_kernel_close(CudaKernel *kernel)
{
    if (kernel && kernel->module && !kernel->device->lost)
        kernel->device->api.module_unload(kernel->module);
    if (kernel)
        kernel->module = NULL;
}

double cuda_kernel_load_ns(const CudaKernel *kernel)
{
    return kernel->load_ns;
}

Geometry cuda_kernel_geometry(const CudaKernel *kernel, const Shape *shape)
{
    return launch_choose(kernel->launch, launch_work(kernel->op, kernel->parallel_dims, shape),
                         kernel->device->info.processors, kernel->block_limit);
}

unsigned cuda_kernel_block_limit(const CudaKernel *kernel)
{
    return kernel->block_limit;
}

/* ---- buffers ---- */

static size_t tensor_bytes(const Tensor *tensor, const CallData *call)
{
    return tensor_elements(tensor, &call->shape) * sizeof(float);
}

static const char *create_input(Arena *arena, CudaDevice *device, const void *data, size_t bytes,
                                CUdeviceptr *memory)
{
    const char *why = cuda_memory_create(arena, device, bytes, memory);
    return why ? why : cuda_memory_write(arena, device, *memory, data, bytes);
}

static const char *create_poisoned(Arena *arena, CudaDevice *device, size_t bytes, CUdeviceptr *memory)
{
    const char *why = cuda_memory_create(arena, device, bytes, memory);
    if (!why && bytes > 0)
        why = cuda_check(arena, device, device->api.memset_d32(*memory, POISON, bytes / sizeof(float)),
                         "filling %zu bytes", bytes);
    return why;
}

const char *cuda_buffers_create(Arena *arena, CudaDevice *device, const Operator *op, const CallData *call,
                                CudaBuffers *buffers)
{
    const char *why = NULL;
    *buffers = (CudaBuffers){0};
    for (int i = 0; i < op->inputs && !why; i++)
        why = create_input(arena, device, call->input[i], tensor_bytes(&op->input[i], call),
                           &buffers->input[i]);
    for (int o = 0; o < op->outputs && !why; o++)
        why = create_poisoned(arena, device, tensor_bytes(&op->output[o], call), &buffers->output[o]);
    return why;
}

void cuda_buffers_destroy(CudaDevice *device, const Operator *op, CudaBuffers *buffers)
{
    for (int i = 0; i < op->inputs; i++)
        cuda_memory_destroy(device, buffers->input[i]);
    for (int o = 0; o < op->outputs; o++)
        cuda_memory_destroy(device, buffers->output[o]);
    *buffers = (CudaBuffers){0};
}

const char *cuda_workspace_create(Arena *arena, CudaKernel *kernel, const CallData *call, Geometry geometry,
                                  CUdeviceptr *workspace)
{
    const LaunchWork work = launch_work(kernel->op, kernel->parallel_dims, &call->shape);
    const size_t bytes = launch_workspace(kernel->launch, work, geometry);
    *workspace = 0;
    return bytes > 0 ? create_poisoned(arena, kernel->device, bytes, workspace) : NULL;
}

/* ---- launching ---- */

/* cuLaunchKernel wants the address of each argument's value; sizes are 64 bits wide whatever size_t is. */
typedef struct Arguments {
    void *value[ARGUMENTS];
    unsigned long long size[OPERATOR_DIMS], row;
    int count;
} Arguments;

static void pack(Arguments *arguments, const CudaKernel *kernel, const CudaBuffers *buffers,
                 const CUdeviceptr *workspace, const CallData *call)
{
    const Operator *op = kernel->op;
    arguments->count = 0;
    for (int i = 0; i < op->inputs; i++)
        arguments->value[arguments->count++] = (void *)&buffers->input[i];
    for (int o = 0; o < op->outputs; o++)
        arguments->value[arguments->count++] = (void *)&buffers->output[o];
    for (int d = 0; d < op->dims; d++) {
        arguments->size[d] = call->shape.size[d];
        arguments->value[arguments->count++] = &arguments->size[d];
    }
    for (int p = 0; p < op->params; p++)
        arguments->value[arguments->count++] = (void *)&call->param[p];
    arguments->value[arguments->count] = &arguments->row; /* these two are there for long rows only */
    arguments->value[arguments->count + 1] = (void *)workspace;
}

const char *cuda_kernel_launch(Arena *arena, CudaKernel *kernel, const CudaBuffers *buffers,
                               CUdeviceptr workspace, const CallData *call, Geometry geometry)
{
    CudaDevice *device = kernel->device;
    const LaunchWork work = launch_work(kernel->op, kernel->parallel_dims, &call->shape);
    Arguments arguments;
    LaunchStep step;
    pack(&arguments, kernel, buffers, &workspace, call);
    for (size_t i = 0; launch_step(kernel->launch, work, geometry, i, &step); i++) {
        arguments.row = step.row;
        const CUresult result =
            device->api.launch_kernel(kernel->function[step.entry - kernel->launch->entry], step.grid, 1, 1,
                                      step.block, 1, 1, 0, device->stream, arguments.value, NULL);
        if (result != CUDA_SUCCESS)
            return cuda_check(arena, device, result, "launching %s with %u blocks of %u threads",
                              step.entry->name, step.grid, step.block);
    }
    return NULL;
}

/* ---- events ---- */

const char *cuda_events_create(Arena *arena, CudaDevice *device, CudaEvents *events)
{
    *events = (CudaEvents){0};
    const char *why = cuda_check(arena, device, device->api.event_create(&events->begin, CUDA_EVENT_DEFAULT),
                                 "making an event");
    return why ? why
               : cuda_check(arena, device, device->api.event_create(&events->end, CUDA_EVENT_DEFAULT),
                            "making an event");
}

void cuda_events_destroy(CudaDevice *device, CudaEvents *events)
{
    if (events->begin && !device->lost)
        device->api.event_destroy(events->begin);
    if (events->end && !device->lost)
        device->api.event_destroy(events->end);
    *events = (CudaEvents){0};
}

const char *cuda_event_record(Arena *arena, CudaDevice *device, CUevent event)
{
    return cuda_check(arena, device, device->api.event_record(event, device->stream), "recording an event");
}

const char *cuda_events_elapsed(Arena *arena, CudaDevice *device, const CudaEvents *events, const char *what,
                                double *ns)
{
    float milliseconds = 0;
    const char *why = cuda_wait(arena, device, events->end, what);
    if (!why)
        why = cuda_check(arena, device,
                         device->api.event_elapsed_time(&milliseconds, events->begin, events->end),
                         "reading the device's clock");
    *ns = 1e6 * (double)milliseconds;
    return why;
}

/* ---- one call ---- */

/* Everything that a call has on the device. */
typedef struct OneCall {
    CudaBuffers buffers;
    CUdeviceptr workspace;
    CudaEvents events;
} OneCall;

static const char *prepare(Arena *arena, CudaKernel *kernel, const CallData *call, Geometry geometry,
                           OneCall *one)
{
    const char *why = launch_refuses(arena, kernel->launch, geometry, kernel->block_limit);
    if (!why)
        why = cuda_buffers_create(arena, kernel->device, kernel->op, call, &one->buffers);
    if (!why)
        why = cuda_workspace_create(arena, kernel, call, geometry, &one->workspace);
    return why ? why : cuda_events_create(arena, kernel->device, &one->events);
}

static const char *run_once(Arena *arena, CudaKernel *kernel, const OneCall *one, const CallData *call,
                            Geometry geometry, CudaCallTime *time)
{
    CudaDevice *device = kernel->device;
    const double start = cuda_now_ns();
    const char *why = cuda_event_record(arena, device, one->events.begin);
    if (!why)
        why = cuda_kernel_launch(arena, kernel, &one->buffers, one->workspace, call, geometry);
    time->launch_ns = cuda_now_ns() - start;
    if (!why)
        why = cuda_event_record(arena, device, one->events.end);
    if (!why)
        why =
            cuda_events_elapsed(arena, device, &one->events, kernel->launch->entry[0].name, &time->device_ns);
    time->call_ns = cuda_now_ns() - start;
    return why;
}

static const char *read_outputs(Arena *arena, CudaKernel *kernel, const CudaBuffers *buffers,
                                const CallData *call)
{
    const char *why = NULL;
    for (int o = 0; o < kernel->op->outputs && !why; o++)
        why = cuda_memory_read(arena, kernel->device, call->output[o], buffers->output[o],
                               tensor_bytes(&kernel->op->output[o], call));
    return why;
}

const char *cuda_kernel_call(Arena *arena, CudaKernel *kernel, const CallData *call, const Geometry *geometry,
                             CudaCallTime *time)
{
    const Geometry chosen = geometry ? *geometry : cuda_kernel_geometry(kernel, &call->shape);
    CudaCallTime taken = {0};
    OneCall one = {0};
    const char *why = prepare(arena, kernel, call, chosen, &one);
    if (!why)
        why = run_once(arena, kernel, &one, call, chosen, &taken);
    if (!why)
        why = read_outputs(arena, kernel, &one.buffers, call);
    cuda_events_destroy(kernel->device, &one.events);
    cuda_memory_destroy(kernel->device, one.workspace);
    cuda_buffers_destroy(kernel->device, kernel->op, &one.buffers);
    if (time)
        *time = taken;
    return why;
}
