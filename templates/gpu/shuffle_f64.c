/* Another thread's binary64, in two halves. */
static __device__ inline double shuffle_f64(double v, int lane)
{
    const int high = __float_as_int(__shfl_sync(0xffffffffu, __int_as_float(__double2hiint(v)), lane));
    const int low = __float_as_int(__shfl_sync(0xffffffffu, __int_as_float(__double2loint(v)), lane));
    return __hiloint2double(high, low);
}

static __device__ inline double shuffle_xor_f64(double v, int mask)
{
    const int high = __float_as_int(__shfl_xor_sync(0xffffffffu, __int_as_float(__double2hiint(v)), mask));
    const int low = __float_as_int(__shfl_xor_sync(0xffffffffu, __int_as_float(__double2loint(v)), mask));
    return __hiloint2double(high, low);
}
