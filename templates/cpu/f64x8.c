/* Eight binary64 accumulators: lanes 0..3 and 4..7. */
typedef struct F64x8 {
    __m256d low, high;
} F64x8;

static inline F64x8 f64x8_const(double value)
{
    return (F64x8){_mm256_set1_pd(value), _mm256_set1_pd(value)};
}

$ if calls_add or calls_fma then
/* Widening is exact, so a step rounds once. */
static inline F64x8 f64x8_widen(__m256 v)
{
    return (F64x8){_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
}

$ end
$ if calls_join or calls_add then
static inline F64x8 f64x8_join(F64x8 a, F64x8 b)
{
    return (F64x8){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}

$ end
$ if calls_add then
static inline F64x8 f64x8_add(F64x8 acc, __m256 v)
{
    return f64x8_join(acc, f64x8_widen(v));
}

$ end
$ if calls_fma then
static inline F64x8 f64x8_fma(__m256 a, __m256 b, F64x8 acc)
{
    const F64x8 x = f64x8_widen(a), y = f64x8_widen(b);
    return (F64x8){_mm256_fmadd_pd(x.low, y.low, acc.low), _mm256_fmadd_pd(x.high, y.high, acc.high)};
}

$ end
/* `stepped` in the live lanes, `acc` in the others. */
static inline F64x8 f64x8_only_live(F64x8 stepped, F64x8 acc, __m256i live)
{
    const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(live));
    const __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(live, 1));
    return (F64x8){_mm256_blendv_pd(acc.low, stepped.low, _mm256_castsi256_pd(low)),
                   _mm256_blendv_pd(acc.high, stepped.high, _mm256_castsi256_pd(high))};
}

$ if calls_store then
static inline void f64x8_store(double *to, F64x8 v)
{
    _mm256_storeu_pd(to, v.low);
    _mm256_storeu_pd(to + 4, v.high);
}

$ end
$ if calls_lanes_4_up then
/* Lane i of the result is lane i + 4, i + 2, i + 1; only the lower ones matter. */
static inline F64x8 f64x8_lanes_4_up(F64x8 v)
{
    return (F64x8){v.high, v.low};
}

$ end
$ if calls_lanes_2_up then
static inline F64x8 f64x8_lanes_2_up(F64x8 v)
{
    return (F64x8){_mm256_permute2f128_pd(v.low, v.low, 1), v.high};
}

$ end
$ if calls_lanes_1_up then
static inline F64x8 f64x8_lanes_1_up(F64x8 v)
{
    return (F64x8){_mm256_permute_pd(v.low, 5), v.high};
}
$ end
