-- cuda.lua: how the target `cuda` spells each word. Every rounding is spelled: an intrinsic ending in _rn rounds once to
-- nearest even and is never contracted, whatever the compiler's flags, but -ftz.
return {
    -- arithmetic: one rounding to nearest even per word
    abs = "__int_as_float(__float_as_int($1) & 0x7fffffff)",
    add = "__fadd_rn($1, $2)",
    const = "$1",
    div = "__fdiv_rn($1, $2)",
    fma = "__fmaf_rn($1, $2, $3)", -- $1 * $2 + $3
    fnma = "__fmaf_rn(-($1), $2, $3)", -- -($1 * $2) + $3
    mul = "__fmul_rn($1, $2)",
    neg = "(-($1))",
    sqrt = "__fsqrt_rn($1)",
    sub = "__fsub_rn($1, $2)",

    -- $2 when either is NaN or both are zero
    max = "($1 > $2 ? $1 : $2)",
    min = "($1 < $2 ? $1 : $2)",

    -- comparisons give masks; a NaN is never less, never equal, always unordered
    equal = "(-(int)($1 == $2))",
    less = "(-(int)($1 < $2))",
    nan_where = "__int_as_float(__float_as_int($2) | $1)", -- $2, but NaN where mask $1 is set
    select = "($1 ? $2 : $3)", -- $2 where mask $1 is set, else $3
    unordered = "(-(int)($1 != $1 || $2 != $2))",

    -- integers
    int_add = "(int)((unsigned)$1 + (unsigned)$2)",
    int_and = "($1 & $2)",
    int_const = "$1",
    int_or = "($1 | $2)",
    int_sub = "(int)((unsigned)$1 - (unsigned)$2)",
    int_to_float = "(float)$1",
    int_xor = "($1 ^ $2)",
    shift_left = "(int)((unsigned)$1 << $2)",
    shift_right_arith = "($1 >> $2)",
    shift_right_logic = "(int)((unsigned)$1 >> $2)",

    -- the same 32 bits, seen as the other type
    bits_of = "__float_as_int($1)",
    float_of = "__int_as_float($1)",

    -- elementary functions: pages of templates/elementary, expanded with this vocabulary
    exp = "exp_f32($1)",
    log = "log_f32($1)",
    maximum = "maximum_f32($1, $2)",
    minimum = "minimum_f32($1, $2)",

    -- memory: $1 is a pointer, $2 the place
    load = "$1[$2]",
    store = "$1[$2] = $3;",

    -- accumulators: f64 ones widen what they take, exactly
    add_f64 = "__dadd_rn($1, (double)($2))",
    const_f64 = "$1",
    fma_f64 = "__fma_rn((double)($1), (double)($2), $3)",
    join_f64 = "__dadd_rn($1, $2)",
    type = "float",
    type_f64 = "double",
    int_type = "int",

    plus_infinity = "__int_as_float(0x7f800000)",
    minus_infinity = "__int_as_float(0xff800000u)",

    -- lanes: the value that another lane of the warp has
    shuffle = "__shfl_sync(0xffffffffu, $1, $2)",
    shuffle_xor = "__shfl_xor_sync(0xffffffffu, $1, $2)",
    shuffle_f64 = "shuffle_f64($1, $2)",
    shuffle_xor_f64 = "shuffle_xor_f64($1, $2)",

    -- how functions, pointers and entry points are declared
    array_param = "const $1 *lane",
    block_barrier = "__syncthreads();",
    global = "float *",
    global_const = "const float *",
    inline = "static __device__ inline",
    known_param = "const $1 *known",
    partials_param = "const $1 *partials",
    part_param = "$1 *part",
    part_template = "",
    row_param = "const Row *row",
    shared_array = "__shared__ $1 part[$2];",
    thread = "",
    warp_barrier = "__syncwarp();",
}
