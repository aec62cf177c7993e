-- avx2.lua: how the target `avx2` spells each word: eight binary32 lanes, AVX2 and FMA3.
--
-- A word has one meaning on every target, rounding included. Values are __m256 (V), integers __m256i (I) with
-- wrap-around, masks __m256 (all bits of a lane set or none).
return {
    -- arithmetic: one rounding to nearest even per word
    abs = "_mm256_andnot_ps(_mm256_set1_ps(-0.0f), $1)",
    add = "_mm256_add_ps($1, $2)",
    const = "_mm256_set1_ps($1)", -- a literal with its suffix: 0x1p-1f, -INFINITY
    div = "_mm256_div_ps($1, $2)",
    fma = "_mm256_fmadd_ps($1, $2, $3)", -- $1 * $2 + $3
    fnma = "_mm256_fnmadd_ps($1, $2, $3)", -- -($1 * $2) + $3
    mul = "_mm256_mul_ps($1, $2)",
    neg = "_mm256_xor_ps($1, _mm256_set1_ps(-0.0f))",
    sqrt = "_mm256_sqrt_ps($1)",
    sub = "_mm256_sub_ps($1, $2)",

    -- the hardware's minimum and maximum: $2 when either is NaN or both are zero
    max = "_mm256_max_ps($1, $2)",
    min = "_mm256_min_ps($1, $2)",

    -- comparisons give masks; a NaN is never less, never equal, always unordered
    equal = "_mm256_cmp_ps($1, $2, _CMP_EQ_OQ)",
    less = "_mm256_cmp_ps($1, $2, _CMP_LT_OQ)",
    nan_where = "_mm256_or_ps($1, $2)", -- $2, but NaN where mask $1 is set: all bits set is a NaN
    select = "_mm256_blendv_ps($3, $2, $1)", -- $2 where mask $1 is set, else $3
    unordered = "_mm256_cmp_ps($1, $2, _CMP_UNORD_Q)",

    -- integers
    int_add = "_mm256_add_epi32($1, $2)",
    int_and = "_mm256_and_si256($1, $2)",
    int_const = "_mm256_set1_epi32($1)",
    int_or = "_mm256_or_si256($1, $2)",
    int_sub = "_mm256_sub_epi32($1, $2)",
    int_to_float = "_mm256_cvtepi32_ps($1)",
    int_xor = "_mm256_xor_si256($1, $2)",
    shift_left = "_mm256_slli_epi32($1, $2)",
    shift_right_arith = "_mm256_srai_epi32($1, $2)",
    shift_right_logic = "_mm256_srli_epi32($1, $2)",

    -- the same 32 bits, seen as the other type
    bits_of = "_mm256_castps_si256($1)",
    float_of = "_mm256_castsi256_ps($1)",

    -- elementary functions: pages of templates/elementary, expanded with this vocabulary
    exp = "exp_f32x8($1)",
    log = "log_f32x8($1)",
    maximum = "maximum_f32x8($1, $2)",
    minimum = "minimum_f32x8($1, $2)",

    -- memory: $1 is a pointer, $2 the place of lane 0; a `live` word touches only the lanes of the mask `live`
    live = "lanes_below($1)",
    load = "_mm256_loadu_ps($1 + $2)",
    load_live = "_mm256_maskload_ps($1 + $2, live)",
    store = "_mm256_storeu_ps($1 + $2, $3);",
    store_live = "_mm256_maskstore_ps($1 + $2, live, $3);",
    store_stream = "_mm256_stream_ps($1 + $2, $3);",

    -- accumulators: f32 ones are one register; f64 ones two, lanes 0..3 and 4..7 (templates/cpu/f64x8.c)
    add_f64 = "f64x8_add($1, $2)",
    const_f64 = "f64x8_const($1)",
    fma_f64 = "f64x8_fma($1, $2, $3)",
    join_f64 = "f64x8_join($1, $2)",
    only_live = "_mm256_blendv_ps($2, $1, _mm256_castsi256_ps(live))", -- $1 in the lanes of `live`, else $2
    only_live_f64 = "f64x8_only_live($1, $2, live)",
    put = "_mm256_storeu_ps($1, $2);",
    put_f64 = "f64x8_store($1, $2);",
    type = "__m256",
    type_f64 = "F64x8",

    -- lanes of one register: lane i of the result is lane i + 4, i + 2, i + 1 of $1 (lanes that matter); lane 0 as a value
    lanes_4_up = "_mm256_permute2f128_ps($1, $1, 1)",
    lanes_2_up = "_mm256_shuffle_ps($1, $1, 0x4e)",
    lanes_1_up = "_mm256_shuffle_ps($1, $1, 0xb1)",
    lane_0 = "_mm256_cvtss_f32($1)",
    lanes_4_up_f64 = "f64x8_lanes_4_up($1)",
    lanes_2_up_f64 = "f64x8_lanes_2_up($1)",
    lanes_1_up_f64 = "f64x8_lanes_1_up($1)",
    lane_0_f64 = "_mm256_cvtsd_f64($1.low)",

    plus_infinity = "_mm256_set1_ps(INFINITY)",
    minus_infinity = "_mm256_set1_ps(-INFINITY)",
    -- memory that will be read: soon, into the first cache, or not at once, into the second
    prefetch_soon = "_mm_prefetch((const char *)($1 + $2), _MM_HINT_T0);",
    prefetch = "_mm_prefetch((const char *)($1 + $2), _MM_HINT_T1);",
}
