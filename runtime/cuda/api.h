/* api.h: the part of the CUDA driver API that samebits uses, declared here and looked up when it runs.
 *
 * Source: NVIDIA, CUDA Driver API reference manual (types, values and names are its ABI). Nothing of NVIDIA's
 * is needed to build; at run time libcuda.so.1 comes with the display driver. Names with _v2 are what the
 * unsuffixed names in the manual stand for since CUDA 3.2 (64-bit sizes). */
#ifndef SAMEBITS_CUDA_API_H
#define SAMEBITS_CUDA_API_H

#include "text/arena.h"

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;

/* CUresult: those that samebits acts on. */
enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
    CUDA_ERROR_INVALID_PTX = 218,
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
    CUDA_ERROR_JIT_COMPILATION_DISABLED = 223,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_NOT_READY = 600,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700
};

/* CUdevice_attribute */
enum {
    CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
    CUDA_ATTRIBUTE_WARP_SIZE = 10,
    CUDA_ATTRIBUTE_CLOCK_RATE = 13, /* kHz */
    CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CUDA_ATTRIBUTE_MEMORY_CLOCK_RATE = 36, /* kHz */
    CUDA_ATTRIBUTE_MEMORY_BUS_WIDTH = 37,  /* bits */
    CUDA_ATTRIBUTE_L2_CACHE_SIZE = 38,     /* bytes */
    CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76
};

/* CUfunction_attribute */
enum { CUDA_FUNCTION_MAX_THREADS_PER_BLOCK = 0 };

/* CUjit_option */
enum { CUDA_JIT_ERROR_LOG_BUFFER = 5, CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6 };

enum { CUDA_STREAM_DEFAULT = 0, CUDA_EVENT_DEFAULT = 0 };

/* One row per function: member, exported name, parameters. Every one returns a CUresult. */
#define CUDA_FUNCTIONS(X)                                                                                    \
    X(ctx_set_current, "cuCtxSetCurrent", CUcontext)                                                         \
    X(device_get, "cuDeviceGet", CUdevice *, int)                                                            \
    X(device_get_attribute, "cuDeviceGetAttribute", int *, int, CUdevice)                                    \
    X(device_get_count, "cuDeviceGetCount", int *)                                                           \
    X(device_get_name, "cuDeviceGetName", char *, int, CUdevice)                                             \
    X(device_get_pci_bus_id, "cuDeviceGetPCIBusId", char *, int, CUdevice)                                   \
    X(device_primary_ctx_release, "cuDevicePrimaryCtxRelease_v2", CUdevice)                                  \
    X(device_primary_ctx_retain, "cuDevicePrimaryCtxRetain", CUcontext *, CUdevice)                          \
    X(device_total_mem, "cuDeviceTotalMem_v2", size_t *, CUdevice)                                           \
    X(driver_get_version, "cuDriverGetVersion", int *)                                                       \
    X(event_create, "cuEventCreate", CUevent *, unsigned)                                                    \
    X(event_destroy, "cuEventDestroy_v2", CUevent)                                                           \
    X(event_elapsed_time, "cuEventElapsedTime", float *, CUevent, CUevent)                                   \
    X(event_query, "cuEventQuery", CUevent)                                                                  \
    X(event_record, "cuEventRecord", CUevent, CUstream)                                                      \
    X(func_get_attribute, "cuFuncGetAttribute", int *, int, CUfunction)                                      \
    X(get_error_name, "cuGetErrorName", CUresult, const char **)                                             \
    X(get_error_string, "cuGetErrorString", CUresult, const char **)                                         \
    X(init, "cuInit", unsigned)                                                                              \
    X(launch_kernel, "cuLaunchKernel", CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned,         \
      unsigned, unsigned, CUstream, void **, void **)                                                        \
    X(mem_alloc, "cuMemAlloc_v2", CUdeviceptr *, size_t)                                                     \
    X(mem_free, "cuMemFree_v2", CUdeviceptr)                                                                 \
    X(memcpy_dtod_async, "cuMemcpyDtoDAsync_v2", CUdeviceptr, CUdeviceptr, size_t, CUstream)                 \
    X(memcpy_dtoh, "cuMemcpyDtoH_v2", void *, CUdeviceptr, size_t)                                           \
    X(memcpy_htod, "cuMemcpyHtoD_v2", CUdeviceptr, const void *, size_t)                                     \
    X(memset_d32, "cuMemsetD32_v2", CUdeviceptr, unsigned, size_t)                                           \
    X(module_get_function, "cuModuleGetFunction", CUfunction *, CUmodule, const char *)                      \
    X(module_load_data_ex, "cuModuleLoadDataEx", CUmodule *, const void *, unsigned, int *, void **)         \
    X(module_unload, "cuModuleUnload", CUmodule)                                                             \
    X(stream_create, "cuStreamCreate", CUstream *, unsigned)                                                 \
    X(stream_destroy, "cuStreamDestroy_v2", CUstream)

#define CUDA_MEMBER(member, name, ...) CUresult (*member)(__VA_ARGS__);
typedef struct CudaApi {
    void *library;
    CUDA_FUNCTIONS(CUDA_MEMBER)
} CudaApi;
#undef CUDA_MEMBER

/* Loads $SAMEBITS_LIBCUDA, else libcuda.so.1, and calls cuInit. NULL when done, else "skipped: ..." with what
 * to do. */
const char *cuda_api_load(Arena *arena, CudaApi *api);

/* "CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected" */
const char *cuda_api_error(Arena *arena, const CudaApi *api, CUresult result);

#endif
