-- c.lua: how the target `c` spells each word: one value at a time, standard C17.
--
-- A word has one meaning on every target, rounding included. Values are float (V), integers int32_t (I) with
-- wrap-around, masks int32_t (all bits set or none). An argument may be written twice by a pattern, so pages pass
-- names and constants, not calls, where that would cost. The elementary pages use bits_of and float_of, which are pages
-- too and stand above them.
return {
    -- arithmetic: one rounding to nearest even per word
    abs = "fabsf($1)",
    add = "($1 + $2)",
    const = "$1", -- a literal with its suffix: 0x1p-1f, -INFINITY
    div = "($1 / $2)",
    fma = "fmaf($1, $2, $3)", -- $1 * $2 + $3
    fnma = "fmaf(-$1, $2, $3)", -- -($1 * $2) + $3
    mul = "($1 * $2)",
    neg = "(- $1)", -- blank: $1 may be a negative literal
    sqrt = "sqrtf($1)",
    sub = "($1 - $2)",

    -- the hardware's minimum and maximum: $2 when either is NaN or both are zero
    max = "($1 > $2 ? $1 : $2)",
    min = "($1 < $2 ? $1 : $2)",

    -- comparisons give masks; a NaN is never less, never equal, always unordered
    equal = "(-(int32_t)($1 == $2))",
    less = "(-(int32_t)($1 < $2))",
    nan_where = "float_of(bits_of($2) | $1)", -- $2, but NaN where mask $1 is set
    select = "($1 ? $2 : $3)", -- $2 where mask $1 is set, else $3
    unordered = "(-(int32_t)isunordered($1, $2))",

    -- integers
    int_add = "(int32_t)((uint32_t)$1 + (uint32_t)$2)",
    int_and = "($1 & $2)",
    int_const = "$1",
    int_or = "($1 | $2)",
    int_sub = "(int32_t)((uint32_t)$1 - (uint32_t)$2)",
    int_to_float = "(float)$1",
    int_xor = "($1 ^ $2)",
    shift_left = "(int32_t)((uint32_t)$1 << $2)",
    shift_right_arith = "($1 >> $2)",
    shift_right_logic = "(int32_t)((uint32_t)$1 >> $2)",

    -- the same 32 bits, seen as the other type
    bits_of = "bits_of($1)",
    float_of = "float_of($1)",

    -- elementary functions: pages of templates/elementary, expanded with this vocabulary
    exp = "exp_f32($1)",
    log = "log_f32($1)",
    maximum = "maximum_f32($1, $2)",
    minimum = "minimum_f32($1, $2)",

    -- memory: $1 is a pointer, $2 the place
    load = "$1[$2]",
    load_live = "$1[$2]",
    store = "$1[$2] = $3;",
    store_live = "$1[$2] = $3;",
    store_stream = "$1[$2] = $3;",

    -- accumulators: f32 ones are values; f64 ones widen what they take, exactly
    add_f64 = "($1 + (double)$2)",
    const_f64 = "$1",
    fma_f64 = "fma((double)$1, (double)$2, $3)",
    join_f64 = "($1 + $2)",
    type = "float",
    type_f64 = "double",

    plus_infinity = "INFINITY",
    minus_infinity = "-INFINITY",

    -- how functions and pointers are declared
    array_param = "const $1 *lane",
    global = "float *",
    global_const = "const float *",
    inline = "static inline",
    row_param = "const Row *row",
    thread = "",
}
