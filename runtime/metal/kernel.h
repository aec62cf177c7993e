/* kernel.h: an opened kernel and the buffers of its calls, for the files of this folder. */
#ifndef SAMEBITS_METAL_KERNEL_H
#define SAMEBITS_METAL_KERNEL_H

#include "metal/device.h"

struct MetalKernel {
    MetalDevice *device;
    ObjcId library, pipeline[LAUNCH_ENTRIES]; /* parallel to launch->entry */
    const Launch *launch;
    const Operator *op;
    uint32_t parallel_dims;
    unsigned block_limit; /* threads that every one of them can be launched with */
    double load_ns;
};

/* Buffers of one call, shared with the host. What was made is in *buffers also when it fails. */
typedef struct MetalBuffers {
    ObjcId input[OPERATOR_INPUTS], output[OPERATOR_OUTPUTS];
} MetalBuffers;
const char *metal_buffers_create(Arena *arena, MetalDevice *device, const Operator *op, const CallData *call,
                                 MetalBuffers *buffers);
void metal_buffers_destroy(MetalDevice *device, const Operator *op, MetalBuffers *buffers);
/* A buffer also where the geometry needs none. */
const char *metal_workspace_create(Arena *arena, MetalKernel *kernel, const CallData *call, Geometry geometry,
                                   ObjcId *workspace);

/* All launches of one call. */
void metal_kernel_encode(MetalKernel *kernel, ObjcId encoder, const MetalBuffers *buffers, ObjcId workspace,
                         const CallData *call, Geometry geometry);

#endif
