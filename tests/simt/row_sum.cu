// row_sum.cu: y[r] = sum of row r on chunk(128, lanes(32), seq). One block per row; its warps take chunks in turn.
// A correct kernel: the seeded bugs are edits of this text.

static __device__ float fold(float value)
{
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 16));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 8));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 4));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 2));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return value;
}

extern "C" __global__ void row_sum(const float *x, float *y, unsigned long long rows, unsigned long long cols)
{
    __shared__ float part[64];
    __shared__ float total;
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const unsigned long long chunks = (cols + 127) / 128;
    for (unsigned long long r = blockIdx.x; r < rows; r += gridDim.x) {
        const float *row = x + r * cols;
        for (unsigned long long c = warp; c < chunks; c += warps) {
            const unsigned long long end = c * 128 + 128 < cols ? c * 128 + 128 : cols;
            float sum = 0.0f;
            for (unsigned long long i = c * 128 + lane; i < end; i += 32) {
                sum = __fadd_rn(sum, row[i]);
            }
            sum = fold(sum);
            if (lane == 0) {
                part[c] = sum;
            }
        }
        __syncthreads(); // every partial is there
        if (threadIdx.x == 0) {
            float sum = chunks > 0 ? part[0] : 0.0f;
            for (unsigned long long c = 1; c < chunks; c++) {
                sum = __fadd_rn(sum, part[c]);
            }
            total = sum;
        }
        __syncthreads(); // the total is there, and the partials may be overwritten
        if (threadIdx.x == blockDim.x - 1) {
            y[r] = total;
        }
    }
}

// Shared memory between the lanes of one warp: y[r] is the sum of the row's first 32 elements, by halving.
extern "C" __global__ void warp_sum(const float *x, float *y, unsigned long long rows, unsigned long long cols)
{
    __shared__ float part[32][33];
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const unsigned long long r = blockIdx.x * (unsigned long long)(blockDim.x / 32) + warp;
    if (r >= rows) {
        return;
    }
    part[warp][lane] = __fadd_rn(0.0f, lane < cols ? x[r * cols + lane] : 0.0f);
    __syncwarp();
    for (unsigned half = 16; half > 0; half /= 2) {
        float sum = 0.0f;
        if (lane < half) {
            sum = __fadd_rn(part[warp][lane], part[warp][lane + half]);
        }
        __syncwarp();
        if (lane < half) {
            part[warp][lane] = sum;
        }
        __syncwarp();
    }
    if (lane == 0) {
        y[r] = part[warp][0];
    }
}
