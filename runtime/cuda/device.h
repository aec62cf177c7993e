/* device.h: an opened device, for the files of this folder. */
#ifndef SAMEBITS_CUDA_DEVICE_H
#define SAMEBITS_CUDA_DEVICE_H

#include "cuda/api.h"
#include "cuda/clocks.h"
#include "cuda/cuda.h"

struct CudaDevice {
    CudaApi api;
    CudaInfo info;
    CudaClocks clocks;
    CUdevice handle;
    CUcontext context;
    CUstream stream;
    double patience; /* seconds */
    bool lost;       /* a time-out, or a fault that ended the context: nothing more is asked of it */
};

/* NULL for CUDA_SUCCESS, else "WHAT: CUDA_ERROR_...". A fault of the context marks the device as lost. */
const char *cuda_check(Arena *arena, CudaDevice *device, CUresult result, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Memory of the device. A size of 0 is memory too: kernels may be handed its address. */
const char *cuda_memory_create(Arena *arena, CudaDevice *device, size_t bytes, CUdeviceptr *memory);
void cuda_memory_destroy(CudaDevice *device, CUdeviceptr memory); /* 0 is allowed */
const char *cuda_memory_write(Arena *arena, CudaDevice *device, CUdeviceptr to, const void *from,
                              size_t bytes);
const char *cuda_memory_read(Arena *arena, CudaDevice *device, void *to, CUdeviceptr from, size_t bytes);

/* Waits for an event in the device's stream, at most as long as its patience. */
const char *cuda_wait(Arena *arena, CudaDevice *device, CUevent event, const char *what);

/* A module from PTX, with the compiler's log in the reason. */
const char *cuda_module_load(Arena *arena, CudaDevice *device, const char *ptx, CUmodule *module);

double cuda_now_ns(void); /* CLOCK_MONOTONIC */

#endif
