/* gpu.h: one GPU of this machine, NVIDIA's or Apple's, behind one face: runtime/cuda and runtime/metal.
 *
 * What holds for them holds here: everything but gpu_examine is called in a child process only. */
#ifndef SAMEBITS_GPU_H
#define SAMEBITS_GPU_H

#include "device/launch.h"
#include "device/span.h"
#include "reference/evaluate.h"

#include <jansson.h>
#include <stdbool.h>

typedef enum GpuKind { GPU_CUDA, GPU_METAL, GPU_KINDS } GpuKind;
const char *gpu_kind_name(GpuKind kind); /* "cuda": the target it runs */
/* False when no device runs that target. */
bool gpu_kind_of_target(const Target *target, GpuKind *kind);

typedef struct GpuInfo {
    GpuKind kind;
    const char *why_not; /* NULL: it can be used; else "skipped: ..." or "refused: ..." */
    const char *text;    /* "NVIDIA H200 with driver 550.54.15 (CUDA 12.4)" */
    bool flushes;        /* subnormals: the promise is reduced */
    size_t cache_bytes;
    double peak_gbs; /* of its memory, by its clock and width; 0: not known */
    json_t *json;    /* all of it; NULL when it cannot be used */
} GpuInfo;
GpuInfo gpu_examine(Arena *arena, GpuKind kind);
void gpu_info_destroy(GpuInfo *info);

/* ---- in a child ---- */

typedef struct Gpu Gpu;
Gpu *gpu_open(Arena *arena, GpuKind kind, const char **why);
void gpu_close(Gpu *gpu);
int gpu_clock_mhz(const Gpu *gpu); /* now; 0: not known */

/* The kernels of a file (PTX, or Metal source). Launch and operator must outlive them. */
typedef struct GpuKernel GpuKernel;
GpuKernel *gpu_kernel_open(Arena *arena, Gpu *gpu, const char *path, const Launch *launch, const Operator *op,
                           uint32_t parallel_dims, const char **why);
void gpu_kernel_close(GpuKernel *kernel);
double gpu_kernel_load_ns(const GpuKernel *kernel); /* what its driver needed to compile it */
unsigned gpu_kernel_block_limit(const GpuKernel *kernel);
/* geometry NULL: the driver's choice. */
const char *gpu_kernel_call(Arena *arena, GpuKernel *kernel, const CallData *call, const Geometry *geometry);

/* Buffers that kernels of one operator share, and calls that are timed: cuda.h, "times". */
typedef struct GpuSets GpuSets;
GpuSets *gpu_sets_create(Arena *arena, Gpu *gpu, const Operator *op, const CallData *call, int sets,
                         const char **why);
void gpu_sets_destroy(GpuSets *sets);

typedef struct GpuTimer GpuTimer;
GpuTimer *gpu_timer_create(Arena *arena, Gpu *gpu, GpuKernel *kernel, GpuSets *sets, const CallData *call,
                           Geometry geometry, const char **why);
void gpu_timer_destroy(GpuTimer *timer);
const char *gpu_timer_run(Arena *arena, GpuTimer *timer, int calls, DeviceSpan *span);

#endif
