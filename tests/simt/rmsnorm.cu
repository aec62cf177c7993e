// rmsnorm.cu: y = (x * (1 / sqrt(sum(x*x) / cols + eps))) * weight on chunk(1024, lanes(32), seq), for the engine's timing.

static __device__ float fold(float value)
{
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 16));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 8));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 4));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 2));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return value;
}

extern "C" __global__ void rmsnorm(const float *x, const float *weight, float *y, unsigned long long rows, unsigned long long cols,
                                   float eps)
{
    __shared__ float part[64];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const unsigned long long chunks = (cols + 1023) / 1024;
    for (unsigned long long r = blockIdx.x; r < rows; r += gridDim.x) {
        const float *row = x + r * cols;
        for (unsigned long long c = warp; c < chunks; c += warps) {
            const unsigned long long end = c * 1024 + 1024 < cols ? c * 1024 + 1024 : cols;
            float sum = 0.0f;
            for (unsigned long long i = c * 1024 + lane; i < end; i += 32) {
                sum = __fmaf_rn(row[i], row[i], sum);
            }
            sum = fold(sum);
            if (lane == 0) {
                part[c] = sum;
            }
        }
        __syncthreads();
        float sum = chunks > 0 ? part[0] : 0.0f;
        for (unsigned long long c = 1; c < chunks; c++) {
            sum = __fadd_rn(sum, part[c]);
        }
        const float scale =
            __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(__fdiv_rn(sum, __ull2float_rn(cols)), eps)));
        for (unsigned long long i = threadIdx.x; i < cols; i += blockDim.x) {
            y[r * cols + i] = __fmul_rn(__fmul_rn(row[i], scale), weight[i]);
        }
        __syncthreads();
    }
}

// Nothing but switches.
extern "C" __global__ void barriers(float *y, unsigned long long count)
{
    for (unsigned long long i = 0; i < count; i++) {
        __syncthreads();
    }
    y[threadIdx.x] = 1.0f;
}
