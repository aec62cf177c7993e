/* cuda_prelude.h: what clang needs in front of a generated `.cu` when no CUDA toolkit is there.
 *
 *   clang -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -Xclang -target-feature
 *         -Xclang +ptx75 -include cuda_prelude.h -O2 -ffp-contract=off -S kernel.cu -o kernel.ptx
 *
 * Clang 14 and later. Names and meanings are those of the CUDA C++ programming guide; arithmetic is by
 * NVPTX's own builtins, whose rounding is in their names, so no flag changes it. __syncthreads and
 * __syncwarp's instruction are Clang's builtins. Compiled for a device only: there is no host side. */
#ifndef SAMEBITS_CUDA_PRELUDE_H
#define SAMEBITS_CUDA_PRELUDE_H

#define __CUDACC__      1

#define __global__      __attribute__((global))
#define __device__      __attribute__((device))
#define __shared__      __attribute__((shared))
#define __constant__    __attribute__((constant))
#define __host__        __attribute__((host))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __noinline__    __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __align__(bytes)       __attribute__((aligned(bytes)))
#define PRELUDE                static __device__ __forceinline__

typedef __SIZE_TYPE__ size_t;

/* threadIdx.x and the like read special registers. */
#define PRELUDE_INDEX(Name, variable, sreg)                                                                  \
    struct Name {                                                                                            \
        __declspec(property(get = get_x)) unsigned x;                                                        \
        __declspec(property(get = get_y)) unsigned y;                                                        \
        __declspec(property(get = get_z)) unsigned z;                                                        \
        static __device__ unsigned get_x()                                                                   \
        {                                                                                                    \
            return __nvvm_read_ptx_sreg_##sreg##_x();                                                        \
        }                                                                                                    \
        static __device__ unsigned get_y()                                                                   \
        {                                                                                                    \
            return __nvvm_read_ptx_sreg_##sreg##_y();                                                        \
        }                                                                                                    \
        static __device__ unsigned get_z()                                                                   \
        {                                                                                                    \
            return __nvvm_read_ptx_sreg_##sreg##_z();                                                        \
        }                                                                                                    \
    };                                                                                                       \
    extern const __device__ __attribute__((weak)) Name variable;
PRELUDE_INDEX(PreludeThreadIdx, threadIdx, tid)
PRELUDE_INDEX(PreludeBlockIdx, blockIdx, ctaid)
PRELUDE_INDEX(PreludeBlockDim, blockDim, ntid)
PRELUDE_INDEX(PreludeGridDim, gridDim, nctaid)
#undef PRELUDE_INDEX

#define warpSize 32

/* ---- short vectors, loads and stores. Cache hints change no bit and are dropped ---- */

#define PRELUDE_VECTORS(Type, Element, make)                                                                 \
    struct __align__(8) Type##2                                                                              \
    {                                                                                                        \
        Element x, y;                                                                                        \
    };                                                                                                       \
    struct __align__(16) Type##4                                                                             \
    {                                                                                                        \
        Element x, y, z, w;                                                                                  \
    };                                                                                                       \
    PRELUDE Type##2 make##2(Element x, Element y)                                                            \
    {                                                                                                        \
        return Type##2 {x, y};                                                                               \
    }                                                                                                        \
    PRELUDE Type##4 make##4(Element x, Element y, Element z, Element w)                                      \
    {                                                                                                        \
        return Type##4 {x, y, z, w};                                                                         \
    }
PRELUDE_VECTORS(float, float, make_float)
PRELUDE_VECTORS(int, int, make_int)
PRELUDE_VECTORS(uint, unsigned, make_uint)
#undef PRELUDE_VECTORS

#define PRELUDE_LOAD(name)                                                                                   \
    template <class T> PRELUDE T name(const T *at)                                                           \
    {                                                                                                        \
        return *at;                                                                                          \
    }
#define PRELUDE_STORE(name)                                                                                  \
    template <class T, class V> PRELUDE void name(T *at, V value)                                            \
    {                                                                                                        \
        *at = value;                                                                                         \
    }
PRELUDE_LOAD(__ldg)
PRELUDE_LOAD(__ldca)
PRELUDE_LOAD(__ldcg)
PRELUDE_LOAD(__ldcs)
PRELUDE_STORE(__stcg)
PRELUDE_STORE(__stcs)
PRELUDE_STORE(__stwb)
#undef PRELUDE_LOAD
#undef PRELUDE_STORE

/* For the negative control: the contract forbids it, and the PTX check says so. */
PRELUDE float atomicAdd(float *at, float value)
{
    return __nvvm_atom_add_gen_f(at, value);
}

/* ---- arithmetic: one correctly rounded operation each ---- */

#define PRELUDE_UNARY(name, Type, builtin)                                                                   \
    PRELUDE Type name(Type a)                                                                                \
    {                                                                                                        \
        return builtin(a);                                                                                   \
    }
#define PRELUDE_BINARY(name, Type, builtin)                                                                  \
    PRELUDE Type name(Type a, Type b)                                                                        \
    {                                                                                                        \
        return builtin(a, b);                                                                                \
    }
#define PRELUDE_TERNARY(name, Type, builtin)                                                                 \
    PRELUDE Type name(Type a, Type b, Type c)                                                                \
    {                                                                                                        \
        return builtin(a, b, c);                                                                             \
    }
PRELUDE_BINARY(__fadd_rn, float, __nvvm_add_rn_f)
PRELUDE_BINARY(__fmul_rn, float, __nvvm_mul_rn_f)
PRELUDE_BINARY(__fdiv_rn, float, __nvvm_div_rn_f)
PRELUDE_TERNARY(__fmaf_rn, float, __nvvm_fma_rn_f)
PRELUDE_UNARY(__fsqrt_rn, float, __nvvm_sqrt_rn_f)
PRELUDE_UNARY(__frcp_rn, float, __nvvm_rcp_rn_f)
PRELUDE_BINARY(__dadd_rn, double, __nvvm_add_rn_d)
PRELUDE_BINARY(__dmul_rn, double, __nvvm_mul_rn_d)
PRELUDE_BINARY(__ddiv_rn, double, __nvvm_div_rn_d)
PRELUDE_TERNARY(__fma_rn, double, __nvvm_fma_rn_d)
PRELUDE_UNARY(__dsqrt_rn, double, __nvvm_sqrt_rn_d)
PRELUDE_UNARY(__drcp_rn, double, __nvvm_rcp_rn_d)
PRELUDE_UNARY(fabsf, float, __builtin_fabsf)
PRELUDE_UNARY(fabs, double, __builtin_fabs)
PRELUDE_UNARY(rintf, float, __builtin_rintf)
PRELUDE_UNARY(truncf, float, __builtin_truncf)
PRELUDE_UNARY(floorf, float, __builtin_floorf)
PRELUDE_UNARY(ceilf, float, __builtin_ceilf)
PRELUDE_TERNARY(fmaf, float, __nvvm_fma_rn_f)
PRELUDE_TERNARY(fma, double, __nvvm_fma_rn_d)
#undef PRELUDE_UNARY
#undef PRELUDE_BINARY
#undef PRELUDE_TERNARY

/* a - b is a + (-b), exactly; the target has no builtin for it. */
PRELUDE float __fsub_rn(float a, float b)
{
    return __nvvm_add_rn_f(a, -b);
}
PRELUDE double __dsub_rn(double a, double b)
{
    return __nvvm_add_rn_d(a, -b);
}

/* ---- conversions: those to floats round to nearest, ties to even ---- */

#define PRELUDE_CONVERT(name, To, From)                                                                      \
    PRELUDE To name(From a)                                                                                  \
    {                                                                                                        \
        return static_cast<To>(a);                                                                           \
    }
#define PRELUDE_BITS(name, To, From)                                                                         \
    PRELUDE To name(From a)                                                                                  \
    {                                                                                                        \
        return __builtin_bit_cast(To, a);                                                                    \
    }
PRELUDE_CONVERT(__double2float_rn, float, double)
PRELUDE_CONVERT(__int2float_rn, float, int)
PRELUDE_CONVERT(__uint2float_rn, float, unsigned)
PRELUDE_CONVERT(__int2double_rn, double, int)
PRELUDE_CONVERT(__ull2double_rn, double, unsigned long long)
PRELUDE_CONVERT(__ll2float_rn, float, long long)
PRELUDE_CONVERT(__ull2float_rn, float, unsigned long long)
PRELUDE_BITS(__float_as_int, int, float)
PRELUDE_BITS(__float_as_uint, unsigned, float)
PRELUDE_BITS(__int_as_float, float, int)
PRELUDE_BITS(__uint_as_float, float, unsigned)
PRELUDE_BITS(__double_as_longlong, long long, double)
PRELUDE_BITS(__longlong_as_double, double, long long)
#undef PRELUDE_CONVERT
#undef PRELUDE_BITS

PRELUDE bool isnan(float a)
{
    return a != a;
}
PRELUDE bool isnan(double a)
{
    return a != a;
}
PRELUDE bool isinf(float a)
{
    return __builtin_fabsf(a) == __builtin_inff();
}
PRELUDE bool signbit(float a)
{
    return __float_as_int(a) < 0;
}
PRELUDE float copysignf(float a, float b)
{
    return __uint_as_float((__float_as_uint(a) & 0x7fffffffu) | (__float_as_uint(b) & 0x80000000u));
}

/* ---- integers. Of floats there is neither: the vendor's answers differ on NaN and on zeros ---- */

#define PRELUDE_ORDER(Type)                                                                                  \
    PRELUDE Type min(Type a, Type b)                                                                         \
    {                                                                                                        \
        return a < b ? a : b;                                                                                \
    }                                                                                                        \
    PRELUDE Type max(Type a, Type b)                                                                         \
    {                                                                                                        \
        return a > b ? a : b;                                                                                \
    }
PRELUDE_ORDER(int)
PRELUDE_ORDER(unsigned)
PRELUDE_ORDER(unsigned long long)
#undef PRELUDE_ORDER
PRELUDE float min(float, float) = delete;
PRELUDE float max(float, float) = delete;

PRELUDE int __clz(int a)
{
    return a ? __builtin_clz(static_cast<unsigned>(a)) : 32;
}
PRELUDE int __popc(unsigned a)
{
    return __builtin_popcount(a);
}

/* ---- threads of a warp ---- */

PRELUDE void __syncwarp(unsigned lanes = 0xffffffffu)
{
    __nvvm_bar_warp_sync(lanes);
}

/* The last operand of shfl: the segment that `width` lanes make, and the lane to stop at (PTX ISA 9.7.9.6).
 */
#define PRELUDE_SHUFFLE(name, form, Other, stop)                                                             \
    PRELUDE int name(unsigned lanes, int value, Other other, int width = 32)                                 \
    {                                                                                                        \
        return __nvvm_shfl_sync_##form##_i32(lanes, value, static_cast<int>(other),                          \
                                             (32 - width) << 8 | stop);                                      \
    }                                                                                                        \
    PRELUDE unsigned name(unsigned lanes, unsigned value, Other other, int width = 32)                       \
    {                                                                                                        \
        return static_cast<unsigned>(name(lanes, static_cast<int>(value), other, width));                    \
    }                                                                                                        \
    PRELUDE float name(unsigned lanes, float value, Other other, int width = 32)                             \
    {                                                                                                        \
        return __int_as_float(name(lanes, __float_as_int(value), other, width));                             \
    }                                                                                                        \
    PRELUDE unsigned long long name(unsigned lanes, unsigned long long value, Other other, int width = 32)   \
    {                                                                                                        \
        const unsigned low = name(lanes, static_cast<unsigned>(value), other, width);                        \
        const unsigned high = name(lanes, static_cast<unsigned>(value >> 32), other, width);                 \
        return static_cast<unsigned long long>(high) << 32 | low;                                            \
    }                                                                                                        \
    PRELUDE double name(unsigned lanes, double value, Other other, int width = 32)                           \
    {                                                                                                        \
        const unsigned long long bits = __builtin_bit_cast(unsigned long long, value);                       \
        return __builtin_bit_cast(double, name(lanes, bits, other, width));                                  \
    }
PRELUDE_SHUFFLE(__shfl_sync, idx, int, 31)
PRELUDE_SHUFFLE(__shfl_xor_sync, bfly, int, 31)
PRELUDE_SHUFFLE(__shfl_down_sync, down, unsigned, 31)
PRELUDE_SHUFFLE(__shfl_up_sync, up, unsigned, 0)
#undef PRELUDE_SHUFFLE

#undef PRELUDE

#endif
