/* rows.cu: kernels for the tests of the CUDA driver, in the style of generated ones: two inputs, two outputs, two
 * sizes, two parameters, so that an argument in a wrong place shows.
 *
 * z[r] = a * sum(cols, x[r] * w) + b over chunk(64, lanes(32), seq); y = (x * w) + z[r]. rows.ptx is this file by
 *   clang -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -Xclang -target-feature
 *     -Xclang +ptx75 -fdeclspec -O2 -ffp-contract=off -S -include rows_prelude.h rows.cu -o rows.ptx */
typedef unsigned long long Size;
enum { VALUES = 16 }; /* places in front of the partials */

__device__ static float chunk(const float *x, const float *w, Size begin, Size end, unsigned lane)
{
    float acc = 0.0f;
    for (Size i = begin + lane; i < end; i += 32)
        acc = __fmaf_rn(x[i], w[i], acc);
    for (unsigned half = 16; half > 0; half /= 2) {
        const float other = __shfl_xor_sync(0xffffffffu, acc, half);
        acc = (lane & half) ? __fadd_rn(other, acc) : __fadd_rn(acc, other);
    }
    return acc;
}

__device__ static Size chunk_end(Size c, Size cols)
{
    return (c + 1) * 64 < cols ? (c + 1) * 64 : cols;
}

extern "C" __global__ void rows(const float *x, const float *w, float *y, float *z, Size rows, Size cols, float a,
                                float b)
{
    __shared__ float part[32];
    __shared__ float value;
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const Size chunks = (cols + 63) / 64;
    for (Size r = blockIdx.x; r < rows; r += gridDim.x) {
        float total = 0.0f;
        for (Size c = 0; c < chunks; c += warps) {
            if (c + warp < chunks) {
                const float sum = chunk(x + r * cols, w, (c + warp) * 64, chunk_end(c + warp, cols), lane);
                if (lane == 0)
                    part[warp] = sum;
            }
            __syncthreads();
            if (threadIdx.x == 0)
                for (unsigned i = 0; i < warps && c + i < chunks; i++)
                    total = c + i ? __fadd_rn(total, part[i]) : part[i];
            __syncthreads();
        }
        if (threadIdx.x == 0)
            z[r] = value = __fadd_rn(__fmul_rn(a, total), b);
        __syncthreads();
        for (Size i = threadIdx.x; i < cols; i += blockDim.x)
            y[r * cols + i] = __fadd_rn(__fmul_rn(x[r * cols + i], w[i]), value);
        __syncthreads();
    }
}

extern "C" __global__ void rows_warp(const float *x, const float *w, float *y, float *z, Size rows, Size cols,
                                     float a, float b)
{
    const unsigned lane = threadIdx.x % 32;
    const Size warps = blockDim.x / 32, chunks = (cols + 63) / 64;
    for (Size r = blockIdx.x * warps + threadIdx.x / 32; r < rows; r += gridDim.x * warps) {
        float total = 0.0f;
        for (Size c = 0; c < chunks; c++) {
            const float sum = chunk(x + r * cols, w, c * 64, chunk_end(c, cols), lane);
            total = c ? __fadd_rn(total, sum) : sum;
        }
        const float value = __fadd_rn(__fmul_rn(a, total), b);
        if (lane == 0)
            z[r] = value;
        for (Size i = lane; i < cols; i += 32)
            y[r * cols + i] = __fadd_rn(__fmul_rn(x[r * cols + i], w[i]), value);
    }
}

extern "C" __global__ void rows_part0(const float *x, const float *w, float *y, float *z, Size rows, Size cols,
                                      float a, float b, Size row, float *workspace)
{
    const unsigned lane = threadIdx.x % 32;
    const Size warps = blockDim.x / 32, chunks = (cols + 63) / 64;
    for (Size c = blockIdx.x * warps + threadIdx.x / 32; c < chunks; c += gridDim.x * warps) {
        const float sum = chunk(x + row * cols, w, c * 64, chunk_end(c, cols), lane);
        if (lane == 0)
            workspace[VALUES + c] = sum;
    }
}

extern "C" __global__ void rows_join0(const float *x, const float *w, float *y, float *z, Size rows, Size cols,
                                      float a, float b, Size row, float *workspace)
{
    const Size chunks = (cols + 63) / 64;
    if (threadIdx.x == 0) {
        float total = 0.0f;
        for (Size c = 0; c < chunks; c++)
            total = c ? __fadd_rn(total, workspace[VALUES + c]) : workspace[VALUES + c];
        z[row] = workspace[0] = __fadd_rn(__fmul_rn(a, total), b);
    }
}

extern "C" __global__ void rows_output(const float *x, const float *w, float *y, float *z, Size rows, Size cols,
                                       float a, float b, Size row, float *workspace)
{
    for (Size i = (Size)blockIdx.x * blockDim.x + threadIdx.x; i < cols; i += (Size)gridDim.x * blockDim.x)
        y[row * cols + i] = __fadd_rn(__fmul_rn(x[row * cols + i], w[i]), workspace[0]);
}
