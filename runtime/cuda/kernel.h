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
    CUdeviceptr input[OPERATOR_INPUTS], output[OPERATOR_OUTPUTS], workspace;
    size_t bytes; /* of all but the workspace */
} CudaBuffers;

/* Allocates and fills the inputs. What was made is in *buffers also when it fails. */
const char *cuda_buffers_create(Arena *arena, CudaKernel *kernel, const CallData *call, Geometry geometry,
                                CudaBuffers *buffers);
void cuda_buffers_destroy(CudaKernel *kernel, CudaBuffers *buffers);

/* Asks for all launches of one call, in order on the device's stream. */
const char *cuda_kernel_launch(Arena *arena, CudaKernel *kernel, const CudaBuffers *buffers,
                               const CallData *call, Geometry geometry);

/* NULL, or why the geometry cannot be launched. */
const char *cuda_kernel_refuses(Arena *arena, const CudaKernel *kernel, Geometry geometry);

#endif
