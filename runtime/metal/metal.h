/* metal.h: one Apple GPU: compile Metal source, call its kernels, time them.
 *
 * Like cuda.h: everything but metal_examine is called in a child process only, for a kernel that
 * hangs is left by ending the process. Apple's GPUs flush binary32 subnormals: the promise is then "equal
 * wherever no subnormal occurs" (docs/contract.md), and MetalInfo says so. */
#ifndef SAMEBITS_METAL_H
#define SAMEBITS_METAL_H

#include "device/launch.h"
#include "device/span.h"
#include "driver/child.h"
#include "reference/evaluate.h"

#include <jansson.h>
#include <stdbool.h>

enum { METAL_NAME = 128 };
typedef struct MetalInfo {
    char name[METAL_NAME]; /* "Apple M2" */
    int width;             /* threads of a SIMD-group, as a compiled pipeline says; must be 32 */
    bool flushes;          /* subnormals: found by the floating-point probe */
} MetalInfo;
/* Metal does not say how large a device's caches are; no Apple GPU's system-level cache is larger than this.
 */
#define METAL_CACHE_BYTES ((size_t)96 << 20)
json_t *metal_info_to_json(const MetalInfo *info);
const char *metal_info_text(Arena *arena, const MetalInfo *info);

/* In a child: NULL and *info, else "skipped: Metal needs macOS" (or why there is no device), or "refused:
 * ..." (the probe failed for another reason than flushed subnormals, or SIMD-groups are not 32 wide). */
const char *metal_examine(Arena *arena, MetalInfo *info);

/* ---- in a child ---- */

typedef struct MetalDevice MetalDevice;
MetalDevice *metal_open(Arena *arena, const char **why);
void metal_close(MetalDevice *device);
const MetalInfo *metal_info(const MetalDevice *device);
void metal_set_patience(MetalDevice *device, double seconds); /* of one wait; launch_patience */
/* NULL (and info.flushes is set), or why the device is refused. */
const char *metal_probe(Arena *arena, MetalDevice *device);

/* The kernels of one Metal source: inputs, outputs as buffers, then sizes (ulong) and params (float) as
 * constants, in the order of the operator's signature; parts, joins and outputs also a workspace and a row.
 * Compiled with safe and precise mathematics. `launch` must outlive the kernel. NULL and *why. */
typedef struct MetalKernel MetalKernel;
MetalKernel *metal_kernel_open(Arena *arena, MetalDevice *device, const char *source, const Launch *launch,
                               const Operator *op, uint32_t parallel_dims, const char **why);
void metal_kernel_close(MetalKernel *kernel);
double metal_kernel_load_ns(const MetalKernel *kernel); /* what compiling the source took */
Geometry metal_kernel_geometry(const MetalKernel *kernel, const Shape *shape);
unsigned metal_kernel_block_limit(const MetalKernel *kernel);

typedef struct MetalCallTime {
    double device_ns; /* GPU start to GPU end, by the device's clock */
    double call_ns;   /* from encoding until the end was seen */
} MetalCallTime;
const char *metal_kernel_call(Arena *arena, MetalKernel *kernel, const CallData *call,
                              const Geometry *geometry, MetalCallTime *time);

/* ---- times: as in cuda.h ---- */

typedef struct MetalSets MetalSets;
MetalSets *metal_sets_create(Arena *arena, MetalDevice *device, const Operator *op, const CallData *call,
                             int sets, const char **why);
void metal_sets_destroy(MetalSets *sets);

typedef struct MetalTimer MetalTimer;
MetalTimer *metal_timer_create(Arena *arena, MetalDevice *device, MetalKernel *kernel, MetalSets *sets,
                               const CallData *call, Geometry geometry, const char **why);
void metal_timer_destroy(MetalTimer *timer);
const char *metal_timer_run(Arena *arena, MetalTimer *timer, int calls, DeviceSpan *span);

#endif
