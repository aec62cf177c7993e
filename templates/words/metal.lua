-- metal.lua: how the target `metal` spells each word. With math_mode(safe) and contract(off), which every source asks for, + - * / and
-- fma round once to nearest even, and precise::sqrt too. Apple GPUs flush subnormals; there is no double.
return {
    -- arithmetic: one rounding to nearest even per word
    abs = "as_type<float>(as_type<int>($1) & 0x7fffffff)",
    add = "($1 + $2)",
    const = "$1",
    div = "($1 / $2)",
    fma = "fma($1, $2, $3)", -- $1 * $2 + $3
    fnma = "fma(-($1), $2, $3)", -- -($1 * $2) + $3
    mul = "($1 * $2)",
    neg = "(-($1))",
    sqrt = "precise::sqrt($1)",
    sub = "($1 - $2)",

    -- $2 when either is NaN or both are zero
    max = "($1 > $2 ? $1 : $2)",
    min = "($1 < $2 ? $1 : $2)",

    -- comparisons give masks; a NaN is never less, never equal, always unordered
    equal = "(-(int)($1 == $2))",
    less = "(-(int)($1 < $2))",
    nan_where = "as_type<float>(as_type<int>($2) | $1)", -- $2, but NaN where mask $1 is set
    select = "($1 ? $2 : $3)", -- $2 where mask $1 is set, else $3
    unordered = "(-(int)($1 != $1 || $2 != $2))",

    -- integers
    int_add = "(int)((uint)$1 + (uint)$2)",
    int_and = "($1 & $2)",
    int_const = "$1",
    int_or = "($1 | $2)",
    int_sub = "(int)((uint)$1 - (uint)$2)",
    int_to_float = "(float)$1",
    int_xor = "($1 ^ $2)",
    shift_left = "(int)((uint)$1 << $2)",
    shift_right_arith = "($1 >> $2)",
    shift_right_logic = "(int)((uint)$1 >> $2)",

    -- the same 32 bits, seen as the other type
    bits_of = "as_type<int>($1)",
    float_of = "as_type<float>($1)",

    -- elementary functions: pages of templates/elementary, expanded with this vocabulary
    exp = "exp_f32($1)",
    log = "log_f32($1)",
    maximum = "maximum_f32($1, $2)",
    minimum = "minimum_f32($1, $2)",

    -- memory: $1 is a pointer, $2 the place
    load = "$1[$2]",
    store = "$1[$2] = $3;",

    type = "float",
    int_type = "int",

    plus_infinity = "as_type<float>(0x7f800000)",
    minus_infinity = "as_type<float>(0xff800000u)",

    -- lanes: the value that another lane of the SIMD-group has
    shuffle = "simd_shuffle($1, (ushort)($2))",
    shuffle_xor = "simd_shuffle_xor($1, (ushort)($2))",

    -- how functions, pointers and entry points are declared
    array_param = "thread const $1 *lane",
    block_barrier = "threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);",
    global = "device float *",
    global_const = "device const float *",
    inline = "static inline",
    known_param = "device const $1 *known",
    partials_param = "device const $1 *partials",
    part_param = "Part part",
    part_template = "template <typename Part> /* a pointer to threadgroup memory */",
    row_param = "thread const Row *row",
    shared_array = "threadgroup $1 part[$2];",
    thread = "thread ",
    warp_barrier = "simdgroup_barrier(mem_flags::mem_device);",
}
