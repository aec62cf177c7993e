/* rows_prelude.h: what rows.cu uses of CUDA, for Clang without a toolkit. */
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))

#define INDEX(NAME, READ)                                                                                    \
    struct NAME {                                                                                            \
        __declspec(property(get = read)) unsigned x;                                                         \
        __device__ static inline unsigned read()                                                             \
        {                                                                                                    \
            return READ();                                                                                   \
        }                                                                                                    \
    }
INDEX(ThreadIndex, __nvvm_read_ptx_sreg_tid_x);
INDEX(BlockIndex, __nvvm_read_ptx_sreg_ctaid_x);
INDEX(BlockSize, __nvvm_read_ptx_sreg_ntid_x);
INDEX(GridSize, __nvvm_read_ptx_sreg_nctaid_x);
extern __device__ const ThreadIndex threadIdx;
extern __device__ const BlockIndex blockIdx;
extern __device__ const BlockSize blockDim;
extern __device__ const GridSize gridDim;

#define __shfl_xor_sync(MASK, VALUE, LANES) __nvvm_shfl_sync_bfly_f32(MASK, VALUE, LANES, 31)
#define __fadd_rn(A, B)                     __nvvm_add_rn_f(A, B)
#define __fmul_rn(A, B)                     __nvvm_mul_rn_f(A, B)
#define __fmaf_rn(A, B, C)                  __nvvm_fma_rn_f(A, B, C)
#define __dadd_rn(A, B)                     __nvvm_add_rn_d(A, B)
#define __double2float_rn(A)                __nvvm_d2f_rn(A)
