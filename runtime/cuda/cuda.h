/* cuda.h: one NVIDIA GPU: load PTX, call its kernels, time them.
 *
 * A process that forks must not have used CUDA, and a kernel that hangs can only be left by ending the
 * process: so everything but cuda_examine and what takes no CudaDevice is called in a child process
 * only. Waiting has a limit; after a time-out or a fault of the device nothing more is asked of it (the
 * device is "lost") and the child ends. */
#ifndef SAMEBITS_CUDA_H
#define SAMEBITS_CUDA_H

#include "device/launch.h"
#include "device/span.h"
#include "driver/child.h"
#include "reference/evaluate.h"

#include <jansson.h>
#include <stdbool.h>

enum { CUDA_NAME = 128, CUDA_REASON = 192 };
typedef struct CudaInfo {
    char name[CUDA_NAME];   /* "NVIDIA H200" */
    char driver[CUDA_NAME]; /* "550.54.15"; "" where NVML is missing */
    int cuda;               /* CUDA version the driver knows: 12040 is 12.4 */
    int major, minor;       /* compute capability */
    int processors, warp;
    size_t memory_bytes, cache_bytes;
    double peak_gbs;             /* from the memory clock and bus width; 0: not known */
    char no_clocks[CUDA_REASON]; /* why clock rates cannot be sampled; "" where they can */
} CudaInfo;
json_t *cuda_info_to_json(const CudaInfo *info);
/* "NVIDIA H200 with driver 550.54.15 (CUDA 12.4)": for "run on device X with driver Y" */
const char *cuda_info_text(Arena *arena, const CudaInfo *info);

/* In a child: is there a device, and does it compute as the contract says? NULL and *info; else "skipped:
 * ..." (no GPU, no driver, driver too old) or "refused: ..." (the floating-point probe failed). */
const char *cuda_examine(Arena *arena, CudaInfo *info);

/* ---- in a child ---- */

typedef struct CudaDevice CudaDevice;
/* Opens device $SAMEBITS_CUDA_DEVICE (0). NULL and *why ("skipped: ..."). */
CudaDevice *cuda_open(Arena *arena, const char **why);
void cuda_close(CudaDevice *device);
const CudaInfo *cuda_info(const CudaDevice *device);
/* Seconds that one wait may take (launch_patience); then the call says "no answer within 10 s ...". */
void cuda_set_patience(CudaDevice *device, double seconds);
/* NULL, or why the device is refused: its floating-point arithmetic is not the contract's. */
const char *cuda_probe(Arena *arena, CudaDevice *device);

/* The kernels of one PTX text with an operator's signature: inputs, outputs (pointers), sizes (64 bits, in
 * order of dims), params (float). `parallel_dims` are those that make rows. NULL and *why: "skipped: ..."
 * when driver or device cannot run the PTX; else what is wrong with it. Text and launch must outlive the
 * kernel. */
typedef struct CudaKernel CudaKernel;
CudaKernel *cuda_kernel_open(Arena *arena, CudaDevice *device, const char *ptx, const Launch *launch,
                             const Operator *op, uint32_t parallel_dims, const char **why);
void cuda_kernel_close(CudaKernel *kernel);
double cuda_kernel_load_ns(const CudaKernel *kernel); /* what making the module from PTX took */
/* The geometry for a shape, its block cut to what the compiled kernels allow. */
Geometry cuda_kernel_geometry(const CudaKernel *kernel, const Shape *shape);
unsigned cuda_kernel_block_limit(const CudaKernel *kernel); /* threads */

/* What one call took. */
typedef struct CudaCallTime {
    double device_ns; /* between an event before the first launch and one behind the last */
    double launch_ns; /* the host's time to ask for the launches */
    double call_ns;   /* from the first launch asked for until its end was seen */
} CudaCallTime;

/* Copies the inputs to the device, launches, waits, copies the outputs back. geometry NULL: the kernel's own
 * choice; time NULL: not wanted. NULL when done, else why; the outputs then hold nothing. */
const char *cuda_kernel_call(Arena *arena, CudaKernel *kernel, const CallData *call, const Geometry *geometry,
                             CudaCallTime *time);

/* ---- times: who asks decides in which order and how often ---- */

/* Buffers of one shape on the device, `sets` times, with the same inputs: kernels of one operator share them,
 * and calls go round them, so that with enough sets none finds its inputs in the cache. NULL and *why. */
typedef struct CudaSets CudaSets;
CudaSets *cuda_sets_create(Arena *arena, CudaDevice *device, const Operator *op, const CallData *call,
                           int sets, const char **why);
void cuda_sets_destroy(CudaSets *sets);

/* Calls of one kernel in one geometry; kernel NULL: copies of the first input, on the device. Kernel, sets
 * and call must outlive it. NULL and *why. */
typedef struct CudaTimer CudaTimer;
CudaTimer *cuda_timer_create(Arena *arena, CudaDevice *device, CudaKernel *kernel, CudaSets *sets,
                             const CallData *call, Geometry geometry, const char **why);
void cuda_timer_destroy(CudaTimer *timer);
/* `calls` calls between two events, waited for; 0: what two events in a row take. NULL when done. */
const char *cuda_timer_run(Arena *arena, CudaTimer *timer, int calls, DeviceSpan *span);
int cuda_clock_mhz(const CudaDevice *device); /* of the multiprocessors, now; 0: not known */

#endif
