/* cuda_shim.h: the part of CUDA C++ that kernels with spelled rounding use, for the engine. Included in front
 * of every .cu. */
#ifndef SAMEBITS_CUDA_SHIM_H
#define SAMEBITS_CUDA_SHIM_H

#include "module_shim.h"

/* ---- places ---- */

#define __global__ __attribute__((visibility("default"), used))
#define __device__
#define __host__
#define __shared__      SAMEBITS_SHARED
#define __constant__    static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__    __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

typedef __SIZE_TYPE__ size_t;
typedef SimtIndex uint3;
#define threadIdx (samebits_simt_host.place->index)
#define blockIdx  ((const SimtIndex &)samebits_simt_host.block)
#define blockDim  ((const SimtIndex &)samebits_simt_host.block_size)
#define gridDim   ((const SimtIndex &)samebits_simt_host.grid)
#define warpSize  32

/* ---- where threads meet ---- */

#define __syncthreads()                                                                                      \
    samebits_simt_host.barrier(&samebits_simt_host, SAMEBITS_SITE("__syncthreads"), SIMT_ORDERS_ALL)
#define __syncwarp(...)       samebits_sync_warp(SAMEBITS_SITE("__syncwarp"), ##__VA_ARGS__)
#define __shfl_sync(...)      samebits_shfl(SAMEBITS_SITE("__shfl_sync"), __VA_ARGS__)
#define __shfl_xor_sync(...)  samebits_shfl_xor(SAMEBITS_SITE("__shfl_xor_sync"), __VA_ARGS__)
#define __shfl_down_sync(...) samebits_shfl_down(SAMEBITS_SITE("__shfl_down_sync"), __VA_ARGS__)
#define __shfl_up_sync(...)   samebits_shfl_up(SAMEBITS_SITE("__shfl_up_sync"), __VA_ARGS__)

SAMEBITS_SHIM void samebits_sync_warp(const SimtSite *site, unsigned mask = 0xffffffffu)
{
    samebits_simt_host.sync_lanes(&samebits_simt_host, site, mask, SIMT_ORDERS_ALL);
}

/* A segment is `width` lanes; a lane that would read outside its segment reads itself (CUDA C++ Programming
 * Guide, "Warp Shuffle Functions"). */
template <class T>
SAMEBITS_SHIM T samebits_shfl(const SimtSite *site, unsigned mask, T value, unsigned source,
                              unsigned width = 32)
{
    const unsigned lane = samebits_lane();
    return samebits_exchange(site, mask, value, (lane & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
SAMEBITS_SHIM T samebits_shfl_xor(const SimtSite *site, unsigned mask, T value, unsigned with,
                                  unsigned width = 32)
{
    const unsigned lane = samebits_lane(), from = lane ^ with;
    return samebits_exchange(site, mask, value, from < (lane | (width - 1)) + 1 ? from : lane);
}
template <class T>
SAMEBITS_SHIM T samebits_shfl_down(const SimtSite *site, unsigned mask, T value, unsigned by,
                                   unsigned width = 32)
{
    const unsigned lane = samebits_lane();
    return samebits_exchange(site, mask, value, (lane & (width - 1)) + by < width ? lane + by : lane);
}
template <class T>
SAMEBITS_SHIM T samebits_shfl_up(const SimtSite *site, unsigned mask, T value, unsigned by,
                                 unsigned width = 32)
{
    const unsigned lane = samebits_lane();
    return samebits_exchange(site, mask, value, (lane & (width - 1)) >= by ? lane - by : lane);
}

/* Present because its order must be shown to matter: in ascending order it passes. */
#define atomicAdd(at, value) samebits_atomic_at(SAMEBITS_SITE("atomicAdd"), at, value)
template <class T, class V> SAMEBITS_SHIM T samebits_atomic_at(const SimtSite *site, T *at, V value)
{
    return samebits_atomic_add<T>(site, at, (T)value);
}

/* clang-format off: a table, one function a line */

/* ---- arithmetic: one rounding each ---- */

SAMEBITS_SHIM float __fadd_rn(float a, float b)
{
    return a + b;
}
SAMEBITS_SHIM float __fsub_rn(float a, float b)
{
    return a - b;
}
SAMEBITS_SHIM float __fmul_rn(float a, float b)
{
    return a * b;
}
SAMEBITS_SHIM float __fdiv_rn(float a, float b)
{
    return a / b;
}
SAMEBITS_SHIM float __frcp_rn(float a)
{
    return 1.0f / a;
}
SAMEBITS_SHIM float __fsqrt_rn(float a)
{
    return __builtin_sqrtf(a);
}
SAMEBITS_SHIM float __fmaf_rn(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
SAMEBITS_SHIM double __dadd_rn(double a, double b)
{
    return a + b;
}
SAMEBITS_SHIM double __dsub_rn(double a, double b)
{
    return a - b;
}
SAMEBITS_SHIM double __dmul_rn(double a, double b)
{
    return a * b;
}
SAMEBITS_SHIM double __ddiv_rn(double a, double b)
{
    return a / b;
}
SAMEBITS_SHIM double __drcp_rn(double a)
{
    return 1.0 / a;
}
SAMEBITS_SHIM double __dsqrt_rn(double a)
{
    return __builtin_sqrt(a);
}
SAMEBITS_SHIM double __fma_rn(double a, double b, double c)
{
    return __builtin_fma(a, b, c);
}

SAMEBITS_SHIM float fmaf(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
SAMEBITS_SHIM double fma(double a, double b, double c)
{
    return __builtin_fma(a, b, c);
}
SAMEBITS_SHIM float fabsf(float a)
{
    return __builtin_fabsf(a);
}
SAMEBITS_SHIM float __fabsf(float a)
{
    return __builtin_fabsf(a);
}
SAMEBITS_SHIM double fabs(double a)
{
    return __builtin_fabs(a);
}
SAMEBITS_SHIM float copysignf(float a, float b)
{
    return __builtin_copysignf(a, b);
}
SAMEBITS_SHIM float rintf(float a)
{
    return __builtin_rintf(a);
}
SAMEBITS_SHIM float truncf(float a)
{
    return __builtin_truncf(a);
}
SAMEBITS_SHIM float floorf(float a)
{
    return __builtin_floorf(a);
}
SAMEBITS_SHIM float ceilf(float a)
{
    return __builtin_ceilf(a);
}
SAMEBITS_SHIM bool isnan(float a)
{
    return __builtin_isnan(a);
}
SAMEBITS_SHIM bool isnan(double a)
{
    return __builtin_isnan(a);
}
SAMEBITS_SHIM bool isinf(float a)
{
    return __builtin_isinf(a);
}
SAMEBITS_SHIM bool signbit(float a)
{
    return __builtin_signbit(a);
}

/* ---- conversions and bits ---- */

SAMEBITS_SHIM float __double2float_rn(double a)
{
    return (float)a;
}
SAMEBITS_SHIM float __int2float_rn(int a)
{
    return (float)a;
}
SAMEBITS_SHIM float __uint2float_rn(unsigned a)
{
    return (float)a;
}
SAMEBITS_SHIM float __ll2float_rn(long long a)
{
    return (float)a;
}
SAMEBITS_SHIM float __ull2float_rn(unsigned long long a)
{
    return (float)a;
}
SAMEBITS_SHIM double __int2double_rn(int a)
{
    return (double)a;
}
SAMEBITS_SHIM double __ull2double_rn(unsigned long long a)
{
    return (double)a;
}
SAMEBITS_SHIM int __float_as_int(float a)
{
    return samebits_bits<int>(a);
}
SAMEBITS_SHIM unsigned __float_as_uint(float a)
{
    return samebits_bits<unsigned>(a);
}
SAMEBITS_SHIM float __int_as_float(int a)
{
    return samebits_bits<float>(a);
}
SAMEBITS_SHIM float __uint_as_float(unsigned a)
{
    return samebits_bits<float>(a);
}
SAMEBITS_SHIM long long __double_as_longlong(double a)
{
    return samebits_bits<long long>(a);
}
SAMEBITS_SHIM double __longlong_as_double(long long a)
{
    return samebits_bits<double>(a);
}
SAMEBITS_SHIM int __clz(int a)
{
    return a ? __builtin_clz((unsigned)a) : 32;
}
SAMEBITS_SHIM int __popc(unsigned a)
{
    return __builtin_popcount(a);
}
SAMEBITS_SHIM int min(int a, int b)
{
    return a < b ? a : b;
}
SAMEBITS_SHIM int max(int a, int b)
{
    return a > b ? a : b;
}
SAMEBITS_SHIM unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}
SAMEBITS_SHIM unsigned max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}
SAMEBITS_SHIM unsigned long long min(unsigned long long a, unsigned long long b)
{
    return a < b ? a : b;
}
SAMEBITS_SHIM unsigned long long max(unsigned long long a, unsigned long long b)
{
    return a > b ? a : b;
}
/* The larger of two floats is the vendor's where one is a NaN or both are zeros. */
float min(float, float) = delete;
float max(float, float) = delete;

/* ---- loads, stores and short vectors ---- */

template <class T> SAMEBITS_SHIM T __ldg(const T *at)
{
    return *at;
}
template <class T> SAMEBITS_SHIM T __ldca(const T *at)
{
    return *at;
}
template <class T> SAMEBITS_SHIM T __ldcg(const T *at)
{
    return *at;
}
template <class T> SAMEBITS_SHIM T __ldcs(const T *at)
{
    return *at;
}
template <class T, class V> SAMEBITS_SHIM void __stcg(T *at, V value)
{
    *at = value;
}
template <class T, class V> SAMEBITS_SHIM void __stcs(T *at, V value)
{
    *at = value;
}
template <class T, class V> SAMEBITS_SHIM void __stwb(T *at, V value)
{
    *at = value;
}

struct __align__(8) float2
{
    float x, y;
};
struct __align__(16) float4
{
    float x, y, z, w;
};
struct __align__(8) uint2
{
    unsigned x, y;
};
struct __align__(16) uint4
{
    unsigned x, y, z, w;
};
SAMEBITS_SHIM float2 make_float2(float x, float y)
{
    return {x, y};
}
SAMEBITS_SHIM float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}
/* clang-format on */

#endif
