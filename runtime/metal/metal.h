/* metal.h: one Apple GPU: compile Metal source, call its kernels, time them.
 *
 * Like cuda.h: everything but metal_examine is called in a child process only, for a kernel that
 * hangs is left by ending the process. Apple's GPUs flush binary32 subnormals: the promise is then "equal
 * wherever no subnormal occurs" (docs/contract.md), and MetalInfo says so. */
#ifndef SAMEBITS_METAL_H
#define SAMEBITS_METAL_H

#include "device/launch.h"
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
void metal_set_patience(MetalDevice *device, double seconds); /* of one wait; 10 */
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

typedef struct MetalCallTime {
    double device_ns; /* GPU start to GPU end, by the device's clock */
    double call_ns;   /* from encoding until the end was seen */
} MetalCallTime;
const char *metal_kernel_call(Arena *arena, MetalKernel *kernel, const CallData *call,
                              const Geometry *geometry, MetalCallTime *time);

typedef struct MetalTiming {
    double first_call_ns, median_ns, min_ns, max_ns; /* per call; all but the first on the device's clock */
    double launch_ns; /* per call: encoding, committing, seeing the end; without the above */
    int warmup_calls, samples;
} MetalTiming;
/* Buffers are shared with the host and stay where they are. */
const char *metal_kernel_time(Arena *arena, MetalKernel *kernel, const CallData *call,
                              const Geometry *geometry, MetalTiming *timing);
json_t *metal_timing_to_json(const MetalTiming *timing);

#endif
