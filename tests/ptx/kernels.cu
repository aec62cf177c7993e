// kernels.cu: kernels whose PTX is run. Each has its meaning in C in kernels.c, written from the same words.

static __device__ float fold(float value)
{
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 16));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 8));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 4));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 2));
    value = __fadd_rn(value, __shfl_xor_sync(0xffffffffu, value, 1));
    return value;
}

// Sums of chunks of 80 leaves, lanes(32) in each, into part[]: chunk c by warp c mod warps.
static __device__ void chunk_sums(const float *row, unsigned long long cols, float *part)
{
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const unsigned long long chunks = (cols + 79) / 80;
    for (unsigned long long c = warp; c < chunks; c += warps) {
        const unsigned long long end = c * 80 + 80 < cols ? c * 80 + 80 : cols;
        float sum = 0.0f;
        for (unsigned long long i = c * 80 + lane; i < end; i += 32) {
            sum = __fadd_rn(sum, row[i]);
        }
        sum = fold(sum);
        if (lane == 0) {
            part[c] = sum;
        }
    }
}

// y[r] on chunk(80, lanes(32), seq); at most 64 chunks.
extern "C" __global__ void row_sum(const float *x, float *y, unsigned long long rows, unsigned long long cols)
{
    __shared__ float part[64];
    for (unsigned long long r = blockIdx.x; r < rows; r += gridDim.x) {
        chunk_sums(x + r * cols, cols, part);
        __syncthreads();
        if (threadIdx.x == 0) {
            float sum = cols > 0 ? part[0] : 0.0f;
            for (unsigned long long c = 1; c * 80 < cols; c++) {
                sum = __fadd_rn(sum, part[c]);
            }
            y[r] = sum;
        }
        __syncthreads();
    }
}

// The same with its first barrier missing.
extern "C" __global__ void row_sum_race(const float *x, float *y, unsigned long long rows, unsigned long long cols)
{
    __shared__ float part[64];
    for (unsigned long long r = blockIdx.x; r < rows; r += gridDim.x) {
        chunk_sums(x + r * cols, cols, part);
        if (threadIdx.x == 0) {
            float sum = cols > 0 ? part[0] : 0.0f;
            for (unsigned long long c = 1; c * 80 < cols; c++) {
                sum = __fadd_rn(sum, part[c]);
            }
            y[r] = sum;
        }
        __syncthreads();
    }
}

// y = (x * (1 / sqrt(sum(x*x) / cols + eps))) * weight, the sum on lanes(32) of one warp; the scale goes through shared memory.
extern "C" __global__ void rmsnorm(const float *x, const float *weight, float *y, unsigned long long rows,
                                   unsigned long long cols, float eps)
{
    __shared__ float scale;
    for (unsigned long long r = blockIdx.x; r < rows; r += gridDim.x) {
        const float *row = x + r * cols;
        if (threadIdx.x < 32) {
            float sum = 0.0f;
            for (unsigned long long i = threadIdx.x; i < cols; i += 32) {
                sum = __fmaf_rn(row[i], row[i], sum);
            }
            sum = fold(sum);
            if (threadIdx.x == 0) {
                const float mean = __fdiv_rn(sum, __ull2float_rn(cols));
                scale = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(mean, eps)));
            }
        }
        __syncthreads();
        for (unsigned long long i = threadIdx.x; i < cols; i += blockDim.x) {
            y[r * cols + i] = __fmul_rn(__fmul_rn(row[i], scale), weight[i]);
        }
        __syncthreads();
    }
}

static __device__ float larger(float a, float b)
{
    return a < b ? b : a;
}

// exp by a polynomial, without a branch: clamp, round to an integer by a constant, two halves of the power.
static __device__ __noinline__ float exponential(float x)
{
    const float inside = -larger(-larger(x, -104.0f), -89.0f);
    const float biased = __fmaf_rn(inside, 0x1.715476p+0f, 0x1.8001fcp+23f);
    const float n = __fsub_rn(biased, 0x1.8001fcp+23f);
    const float exact = __fmaf_rn(-n, 0x1.62e43p-1f, inside);
    const float r = __fmaf_rn(-n, -0x1.05c61p-29f, exact);
    const float square = __fmul_rn(r, r);
    const float low = __fmaf_rn(r, 0x1.55597ep-5f, 0x1.55548cp-3f);
    const float high = __fmaf_rn(r, 0x1.6a1ac6p-10f, 0x1.124a7p-7f);
    const float p = __fmaf_rn(__fmaf_rn(high, square, low), r, 0x1.fffffep-2f);
    const float q = __fmaf_rn(square, p, r);
    const int bits = __float_as_int(biased);
    const int half = static_cast<int>(static_cast<unsigned>(bits) >> 1), rest = bits - half;
    const float scale = __int_as_float(static_cast<int>(static_cast<unsigned>(half) << 23));
    const float last = __int_as_float(static_cast<int>(static_cast<unsigned>(rest) << 23));
    return __fmul_rn(__fmaf_rn(scale, q, scale), last);
}

extern "C" __global__ void exponentials(const float *x, float *y, unsigned long long count)
{
    for (unsigned long long i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        y[i] = isnan(x[i]) ? x[i] : exponential(x[i]);
    }
}

// y[i][j] = sum over k of a[i][k] * b[j][k], k in index order, in bins by k mod 3 that are then added: loops in loops, and
// a local array with an index that is not known when compiling.
extern "C" __global__ void nested(const float *a, const float *b, float *y, unsigned long long rows, unsigned long long cols,
                                  unsigned long long depth)
{
    for (unsigned long long i = blockIdx.x; i < rows; i += gridDim.x) {
        for (unsigned long long j = threadIdx.x; j < cols; j += blockDim.x) {
            float bin[3] = {0.0f, 0.0f, 0.0f};
            for (unsigned long long k = 0; k < depth; k++) {
                bin[k % 3] = __fmaf_rn(a[i * depth + k], b[j * depth + k], bin[k % 3]);
            }
            float sum = 0.0f;
            for (unsigned k = 0; k < 3; k++) {
                sum = __fadd_rn(sum, bin[(depth + k) % 3]);
            }
            y[i * cols + j] = sum;
        }
    }
}

// y[r] = the float nearest to the sum of squares in double, on lanes(32) of one warp.
extern "C" __global__ void wide(const float *x, float *y, unsigned long long rows, unsigned long long cols)
{
    const unsigned lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (unsigned long long r = blockIdx.x * warps + threadIdx.x / 32; r < rows; r += gridDim.x * warps) {
        double sum = 0.0;
        for (unsigned long long i = lane; i < cols; i += 32) {
            sum = __fma_rn(static_cast<double>(x[r * cols + i]), static_cast<double>(x[r * cols + i]), sum);
        }
        for (int step = 16; step > 0; step /= 2) {
            sum = __dadd_rn(sum, __shfl_xor_sync(0xffffffffu, sum, step));
        }
        if (lane == 0) {
            y[r] = __double2float_rn(sum);
        }
        __syncwarp();
    }
}

// What every lane gets from every kind of exchange, in segments of 32, 8 and 4 lanes. Six results per thread, one block.
extern "C" __global__ void exchanges(const float *x, float *y)
{
    const float value = x[threadIdx.x];
    float *out = y + threadIdx.x * 6;
    out[0] = __shfl_sync(0xffffffffu, value, 7);
    out[1] = __shfl_sync(0xffffffffu, value, static_cast<int>(threadIdx.x * 5), 8);
    out[2] = __shfl_up_sync(0xffffffffu, value, 3, 8);
    out[3] = __shfl_down_sync(0xffffffffu, value, 3);
    out[4] = __shfl_down_sync(0xffffffffu, value, 1, 4);
    out[5] = __shfl_xor_sync(0xffffffffu, value, 9, 8);
}

// Four floats at a time: y = x + x.
extern "C" __global__ void fours(const float *x, float *y, unsigned long long count)
{
    for (unsigned long long i = threadIdx.x; i < count / 4; i += blockDim.x) {
        const float4 v = reinterpret_cast<const float4 *>(x)[i];
        reinterpret_cast<float4 *>(y)[i] =
            make_float4(__fadd_rn(v.x, v.x), __fadd_rn(v.y, v.y), __fadd_rn(v.z, v.z), __fadd_rn(v.w, v.w));
    }
}

// Integers of every width, signed and unsigned, and the conversions between them and floats. Eleven results per element.
extern "C" __global__ void integers(const float *x, float *y, unsigned long long count)
{
    for (unsigned long long i = threadIdx.x; i < count; i += blockDim.x) {
        const unsigned a = __float_as_uint(x[i]), b = __float_as_uint(x[(i + 1) % count]);
        const int s = static_cast<int>(a), u = static_cast<int>(b | 1u);
        const unsigned long long w = static_cast<unsigned long long>(a) << 32 | b;
        float *out = y + i * 11;
        out[0] = __int_as_float(s / (u == -1 ? 3 : u) + s % (u == -1 ? 3 : u));
        out[1] = __uint_as_float(a / (b | 1u) ^ a % (b | 1u));
        out[2] = __uint_as_float(static_cast<unsigned>(w / (b | 1u)) + static_cast<unsigned>(w % 1000003u));
        out[3] = __int_as_float(min(s, u) ^ (max(s, u) >> 5));
        out[4] = __uint_as_float((a << (b & 31u)) | (a >> (b & 7u)));
        out[5] = __uint_as_float(static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32));
        out[6] = __int2float_rn(s);
        out[7] = __ull2float_rn(w);
        out[8] = __fadd_rn(__int2float_rn(static_cast<short>(a)), __int2float_rn(static_cast<unsigned char>(b)));
        out[9] = __int_as_float(static_cast<int>(floorf(__fdiv_rn(__int2float_rn(s % 4096), 7.0f))) + __popc(a) * __clz(s));
        out[10] = __uint_as_float((x[i] < x[(i + 1) % count] ? 1u : 0u) | (x[i] >= 0.0f || b > a ? 2u : 0u) |
                                  (!(x[i] > 1.0f) ? 4u : 0u) | (x[i] != x[i] ? 8u : 0u));
    }
}
