/* Another thread's binary64, in two halves. */
static __device__ inline double shuffle_f64(double v, int lane)
{
    const long long bits = __double_as_longlong(v);
    const int high = __float_as_int(__shfl_sync(0xffffffffu, __int_as_float((int)(bits >> 32)), lane));
    const int low = __float_as_int(__shfl_sync(0xffffffffu, __int_as_float((int)bits), lane));
    return __longlong_as_double((long long)((unsigned long long)(unsigned)high << 32 | (unsigned)low));
}

static __device__ inline double shuffle_xor_f64(double v, int mask)
{
    const long long bits = __double_as_longlong(v);
    const int high = __float_as_int(__shfl_xor_sync(0xffffffffu, __int_as_float((int)(bits >> 32)), mask));
    const int low = __float_as_int(__shfl_xor_sync(0xffffffffu, __int_as_float((int)bits), mask));
    return __longlong_as_double((long long)((unsigned long long)(unsigned)high << 32 | (unsigned)low));
}
