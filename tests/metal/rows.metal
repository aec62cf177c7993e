/* rows.metal: what fake_metal.c pretends to compile: only the names of kernels are read there; the SIMT engine and the
 * address-space lint run such files. z[r] = a * sum(cols, x[r] * w) + b, y = x * w + z[r]. */
#include <metal_stdlib>
using namespace metal;
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)

static float chunk(device const float *x, device const float *w, ulong begin, ulong end, uint lane)
{
    float acc = 0.0f;
    for (ulong i = begin + lane; i < end; i += 32)
        acc = fma(x[i], w[i], acc);
    for (ushort half_ = 16; half_ > 0; half_ /= 2) {
        const float other = simd_shuffle_xor(acc, half_);
        acc = (lane & half_) ? other + acc : acc + other;
    }
    return acc;
}

kernel void rows_warp(device const float *x [[buffer(0)]], device const float *w [[buffer(1)]],
                      device float *y [[buffer(2)]], device float *z [[buffer(3)]], constant ulong &rows [[buffer(4)]],
                      constant ulong &cols [[buffer(5)]], constant float &a [[buffer(6)]],
                      constant float &b [[buffer(7)]], uint thread_ [[thread_position_in_threadgroup]],
                      uint group_ [[threadgroup_position_in_grid]], uint threads_ [[threads_per_threadgroup]],
                      uint groups_ [[threadgroups_per_grid]])
{
    const uint lane = thread_ % 32;
    const ulong warps = threads_ / 32, chunks = (cols + 63) / 64;
    for (ulong r = group_ * warps + thread_ / 32; r < rows; r += groups_ * warps) {
        float total = 0.0f;
        for (ulong c = 0; c < chunks; c++) {
            const float sum = chunk(x + r * cols, w, c * 64, min((c + 1) * 64, cols), lane);
            total = c ? total + sum : sum;
        }
        const float product = a * total, value = product + b;
        if (lane == 0)
            z[r] = value;
        for (ulong i = lane; i < cols; i += 32) {
            const float scaled = x[r * cols + i] * w[i];
            y[r * cols + i] = scaled + value;
        }
    }
}
