/* A mask of the lanes below `count`. */
static inline __m256i lanes_below(size_t count)
{
    const int lanes = count < 8 ? (int)count : 8;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
