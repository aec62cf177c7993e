/* sum.cu: two row sums for the tests of bundles. sum.ptx is this file by
 *   clang -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -Xclang -target-feature
 *     -Xclang +ptx75 -fdeclspec -O2 -ffp-contract=off -S -include ../cuda/rows_prelude.h sum.cu -o sum.ptx
 * and wrong.ptx the same with -DWRONG, which exchanges two chunks' partials. */
typedef unsigned long long Size;

/* chunk(64, lanes(32), seq), binary32: one warp per row does the work */
extern "C" __global__ void chunked(const float *x, float *y, Size rows, Size cols)
{
    const unsigned lane = threadIdx.x % 32;
    if (threadIdx.x >= 32)
        return;
    for (Size r = blockIdx.x; r < rows; r += gridDim.x) {
        const Size chunks = (cols + 63) / 64;
        float total = 0.0f;
        for (Size k = 0; k < chunks; k++) {
            Size c = k;
#ifdef WRONG
            if (chunks > 3 && (k == 1 || k == 2))
                c = 3 - k;
#endif
            const Size end = (c + 1) * 64 < cols ? (c + 1) * 64 : cols;
            float acc = 0.0f;
            for (Size i = c * 64 + lane; i < end; i += 32)
                acc = __fadd_rn(acc, x[r * cols + i]);
            for (unsigned half = 16; half > 0; half /= 2) {
                const float other = __shfl_xor_sync(0xffffffffu, acc, half);
                acc = (lane & half) ? __fadd_rn(other, acc) : __fadd_rn(acc, other);
            }
            total = k ? __fadd_rn(total, acc) : acc;
        }
        if (lane == 0)
            y[r] = total;
    }
}

/* seq with a binary64 accumulator, one thread per row */
extern "C" __global__ void wide(const float *x, float *y, Size rows, Size cols)
{
    if (threadIdx.x == 0)
        for (Size r = blockIdx.x; r < rows; r += gridDim.x) {
            double acc = 0.0;
            for (Size i = 0; i < cols; i++)
                acc = __dadd_rn(acc, (double)x[r * cols + i]);
            y[r] = __double2float_rn(acc);
        }
}
