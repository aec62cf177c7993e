// atomic.cu: a sum in the order in which threads arrive. The contract forbids it.
extern "C" __global__ void arrival(const float *x, float *y, unsigned long long count)
{
    for (unsigned long long i = threadIdx.x; i < count; i += blockDim.x) {
        atomicAdd(y, x[i]);
    }
}
