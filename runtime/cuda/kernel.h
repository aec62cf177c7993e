/* kernel.h: an opened kernel and the buffers of its calls, for the files of this folder. */
#ifndef SAMEBITS_CUDA_KERNEL_H
#define SAMEBITS_CUDA_KERNEL_H

#include "cuda/device.h"

struct CudaKernel {
    CudaDevice *device;
    CUmodule module;
    const Launch *launch;
    CUfunction function[LAUNCH_ENTRIES]; /* parallel to launch->entry */
    unsigned block_limit;                /* threads that every one of them can be launched with */
    const Operator *op;
    uint32_t parallel_dims;
    double load_ns;
};

/* Device buffers of one call. */
typedef struct CudaBuffers {
    CUdeviceptr input[OPERATOR_INPUTS], output[OPERATOR_OUTPUTS];
} CudaBuffers;

/* Allocates and fills the inputs. What was made is in *buffers also when it fails. */
const char *cuda_buffers_create(Arena *arena, CudaDevice *device, const Operator *op, const CallData *call,
                                CudaBuffers *buffers);
void cuda_buffers_destroy(CudaDevice *device, const Operator *op, CudaBuffers *buffers);
/* 0 where the geometry needs none. */
const char *cuda_workspace_create(Arena *arena, CudaKernel *kernel, const CallData *call, Geometry geometry,
                                  CUdeviceptr *workspace);

/* Asks for all launches of one call, in order on the device's stream. */
const char *cuda_kernel_launch(Arena *arena, CudaKernel *kernel, const CudaBuffers *buffers,
                               CUdeviceptr workspace, const CallData *call, Geometry geometry);

/* Two events, and the time between them. */
typedef struct CudaEvents {
    CUevent begin, end;
} CudaEvents;
const char *cuda_events_create(Arena *arena, CudaDevice *device, CudaEvents *events);
void cuda_events_destroy(CudaDevice *device, CudaEvents *events);
const char *cuda_event_record(Arena *arena, CudaDevice *device, CUevent event);
/* Waits for the end; `what` is under way. */
const char *cuda_events_elapsed(Arena *arena, CudaDevice *device, const CudaEvents *events, const char *what,
                                double *ns);

#endif
