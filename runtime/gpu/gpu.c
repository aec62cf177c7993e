/* gpu.c: see gpu.h. */
#include "gpu/gpu.h"

#include "cuda/cuda.h"
#include "metal/metal.h"
#include "text/buffer.h"

#include <string.h>

enum { TEXT_LIMIT = 64 << 20 };

static const char *const kind_names[GPU_KINDS] = {[GPU_CUDA] = "cuda", [GPU_METAL] = "metal"};

const char *gpu_kind_name(GpuKind kind)
{
    return kind_names[kind];
}

bool gpu_kind_of_target(const Target *target, GpuKind *kind)
{
    for (int k = 0; k < GPU_KINDS; k++)
        if (strcmp(target->name, kind_names[k]) == 0) {
            *kind = (GpuKind)k;
            return true;
        }
    return false;
}

/* ---- what there is ---- */

static void examine_cuda(Arena *arena, GpuInfo *info)
{
    CudaInfo found;
    info->why_not = cuda_examine(arena, &found);
    if (info->why_not)
        return;
    info->text = cuda_info_text(arena, &found);
    info->cache_bytes = found.cache_bytes;
    info->peak_gbs = found.peak_gbs;
    info->json = cuda_info_to_json(&found);
}

static void examine_metal(Arena *arena, GpuInfo *info)
{
    MetalInfo found;
    info->why_not = metal_examine(arena, &found);
    if (info->why_not)
        return;
    info->text = metal_info_text(arena, &found);
    info->flushes = found.flushes;
    info->cache_bytes = METAL_CACHE_BYTES;
    info->json = metal_info_to_json(&found);
}

GpuInfo gpu_examine(Arena *arena, GpuKind kind)
{
    GpuInfo info = {.kind = kind, .text = ""};
    if (kind == GPU_CUDA)
        examine_cuda(arena, &info);
    else
        examine_metal(arena, &info);
    return info;
}

void gpu_info_destroy(GpuInfo *info)
{
    json_decref(info->json);
    info->json = NULL;
}

/* ---- devices ---- */

/* Of each pair one is NULL. */
struct Gpu {
    CudaDevice *cuda;
    MetalDevice *metal;
};

Gpu *gpu_open(Arena *arena, GpuKind kind, const char **why)
{
    Gpu *gpu = ARENA_NEW(arena, Gpu);
    *gpu = (Gpu){0};
    *why = NULL;
    if (kind == GPU_CUDA)
        gpu->cuda = cuda_open(arena, why);
    else
        gpu->metal = metal_open(arena, why);
    return gpu->cuda || gpu->metal ? gpu : NULL;
}

void gpu_close(Gpu *gpu)
{
    if (gpu && gpu->cuda)
        cuda_close(gpu->cuda);
    if (gpu && gpu->metal)
        metal_close(gpu->metal);
}

int gpu_clock_mhz(const Gpu *gpu)
{
    return gpu->cuda ? cuda_clock_mhz(gpu->cuda) : 0;
}

/* ---- kernels ---- */

struct GpuKernel {
    CudaKernel *cuda;
    MetalKernel *metal;
};

static const char *read_text(Arena *arena, const char *path, const char **why)
{
    Buffer buffer = {0};
    const char *failed = buffer_read_file(&buffer, path, TEXT_LIMIT);
    const char *text = arena_copy(arena, buffer_string(&buffer));
    buffer_destroy(&buffer);
    *why = failed ? arena_printf(arena, "%s: %s", path, failed) : NULL;
    return text;
}

GpuKernel *gpu_kernel_open(Arena *arena, Gpu *gpu, const char *path, const Launch *launch, const Operator *op,
                           uint32_t parallel_dims, const char **why)
{
    GpuKernel *kernel = ARENA_NEW(arena, GpuKernel);
    const char *text = read_text(arena, path, why);
    *kernel = (GpuKernel){0};
    if (!*why && gpu->cuda)
        kernel->cuda = cuda_kernel_open(arena, gpu->cuda, text, launch, op, parallel_dims, why);
    else if (!*why)
        kernel->metal = metal_kernel_open(arena, gpu->metal, text, launch, op, parallel_dims, why);
    return kernel->cuda || kernel->metal ? kernel : NULL;
}

void gpu_kernel_close(GpuKernel *kernel)
{
    if (kernel && kernel->cuda)
        cuda_kernel_close(kernel->cuda);
    if (kernel && kernel->metal)
        metal_kernel_close(kernel->metal);
}

double gpu_kernel_load_ns(const GpuKernel *kernel)
{
    return kernel->cuda ? cuda_kernel_load_ns(kernel->cuda) : metal_kernel_load_ns(kernel->metal);
}

unsigned gpu_kernel_block_limit(const GpuKernel *kernel)
{
    return kernel->cuda ? cuda_kernel_block_limit(kernel->cuda) : metal_kernel_block_limit(kernel->metal);
}

const char *gpu_kernel_call(Arena *arena, GpuKernel *kernel, const CallData *call, const Geometry *geometry)
{
    return kernel->cuda ? cuda_kernel_call(arena, kernel->cuda, call, geometry, NULL)
                        : metal_kernel_call(arena, kernel->metal, call, geometry, NULL);
}

/* ---- times ---- */

struct GpuSets {
    CudaSets *cuda;
    MetalSets *metal;
};

GpuSets *gpu_sets_create(Arena *arena, Gpu *gpu, const Operator *op, const CallData *call, int sets,
                         const char **why)
{
    GpuSets *made = ARENA_NEW(arena, GpuSets);
    *made = (GpuSets){0};
    if (gpu->cuda)
        made->cuda = cuda_sets_create(arena, gpu->cuda, op, call, sets, why);
    else
        made->metal = metal_sets_create(arena, gpu->metal, op, call, sets, why);
    return made->cuda || made->metal ? made : NULL;
}

void gpu_sets_destroy(GpuSets *sets)
{
    if (sets && sets->cuda)
        cuda_sets_destroy(sets->cuda);
    if (sets && sets->metal)
        metal_sets_destroy(sets->metal);
}

struct GpuTimer {
    CudaTimer *cuda;
    MetalTimer *metal;
};

GpuTimer *gpu_timer_create(Arena *arena, Gpu *gpu, GpuKernel *kernel, GpuSets *sets, const CallData *call,
                           Geometry geometry, const char **why)
{
    GpuTimer *timer = ARENA_NEW(arena, GpuTimer);
    *timer = (GpuTimer){0};
    if (gpu->cuda)
        timer->cuda = cuda_timer_create(arena, gpu->cuda, kernel ? kernel->cuda : NULL, sets->cuda, call,
                                        geometry, why);
    else
        timer->metal = metal_timer_create(arena, gpu->metal, kernel ? kernel->metal : NULL, sets->metal, call,
                                          geometry, why);
    return timer->cuda || timer->metal ? timer : NULL;
}

void gpu_timer_destroy(GpuTimer *timer)
{
    if (timer && timer->cuda)
        cuda_timer_destroy(timer->cuda);
    if (timer && timer->metal)
        metal_timer_destroy(timer->metal);
}

const char *gpu_timer_run(Arena *arena, GpuTimer *timer, int calls, DeviceSpan *span)
{
    return timer->cuda ? cuda_timer_run(arena, timer->cuda, calls, span)
                       : metal_timer_run(arena, timer->metal, calls, span);
}
