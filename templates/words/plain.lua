-- plain.lua: what anyone would write, for the baseline that is built with -Ofast. Promises nothing about bits.
return {
    abs = "fabsf($1)",
    add = "($1 + $2)",
    const = "$1",
    div = "($1 / $2)",
    exp = "expf($1)",
    fma = "($3 + $1 * $2)",
    load = "$1[$2]",
    log = "logf($1)",
    maximum = "($1 > $2 ? $1 : $2)",
    minimum = "($1 < $2 ? $1 : $2)",
    mul = "($1 * $2)",
    neg = "(-$1)",
    sqrt = "sqrtf($1)",
    store = "$1[$2] = $3;",
    sub = "($1 - $2)",
    type = "float",
}
