// row_sum.metal: y[r] = sum of row r on chunk(128, lanes(32), seq). One threadgroup per row; its simd-groups take chunks in turn.
// A correct kernel: the seeded bugs are edits of this text.
#include <metal_stdlib>
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
using namespace metal;

static float fold(float value)
{
    value = value + simd_shuffle_xor(value, 16);
    value = value + simd_shuffle_xor(value, 8);
    value = value + simd_shuffle_xor(value, 4);
    value = value + simd_shuffle_xor(value, 2);
    value = value + simd_shuffle_xor(value, 1);
    return value;
}

kernel void row_sum(device const float *x [[buffer(0)]], device float *y [[buffer(1)]], constant ulong &rows [[buffer(2)]],
                    constant ulong &cols [[buffer(3)]], uint thread_ [[thread_position_in_threadgroup]],
                    uint group_ [[threadgroup_position_in_grid]], uint threads_ [[threads_per_threadgroup]],
                    uint groups_ [[threadgroups_per_grid]])
{
    threadgroup float part[64];
    threadgroup float total[1];
    const uint lane = thread_ % 32, warp = thread_ / 32, warps = threads_ / 32;
    const ulong chunks = (cols + 127) / 128;
    for (ulong r = group_; r < rows; r += groups_) {
        device const float *row = x + r * cols;
        for (ulong c = warp; c < chunks; c += warps) {
            const ulong end = c * 128 + 128 < cols ? c * 128 + 128 : cols;
            float sum = 0.0f;
            for (ulong i = c * 128 + lane; i < end; i += 32) {
                sum = sum + row[i];
            }
            sum = fold(sum);
            if (lane == 0) {
                part[c] = sum;
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // every partial is there
        if (thread_ == 0) {
            float sum = chunks > 0 ? part[0] : 0.0f;
            for (ulong c = 1; c < chunks; c++) {
                sum = sum + part[c];
            }
            total[0] = sum;
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // the total is there, and the partials may be overwritten
        if (thread_ == threads_ - 1) {
            y[r] = total[0];
        }
    }
}
