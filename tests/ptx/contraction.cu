// contraction.cu: a product and a sum that a compiler may fuse. The negative control of the PTX level.
extern "C" __global__ void bare(const float *a, const float *b, const float *c, float *y, unsigned long long count)
{
    for (unsigned long long i = threadIdx.x; i < count; i += blockDim.x) {
        y[i] = a[i] * b[i] + c[i];
    }
}
