/* convert.c: cvt (PTX ISA 9.7.9, "Data Movement and Conversion").
 *
 * Exact: integers to wider ones, f32 to f64. Rounded: .rn to floats; .rni .rzi .rmi .rpi to integers, which
 * clamp. forbid.c has refused other roundings to floats. */
#include "ptx/translate.h"

#include <string.h>

static const char *rounded(PtxTranslator *t, const char *value, const char *rounding)
{
    static const char *const functions[][2] = {{"rni", "__builtin_rint"},
                                               {"rzi", "__builtin_trunc"},
                                               {"rmi", "__builtin_floor"},
                                               {"rpi", "__builtin_ceil"}};
    for (int k = 0; k < 4; k++) {
        if (strcmp(rounding, functions[k][0]) == 0) {
            return arena_printf(t->arena, "%s(%s)", functions[k][1], value);
        }
    }
    return NULL;
}

/* The source as a C value of its own meaning. A register may be wider than the source type. */
static const char *source(PtxTranslator *t, PtxType type)
{
    const PtxOperand *operand = &t->instruction->operand[1];
    if (type.kind == 'f') {
        return ptx_read_float(t, operand, type);
    }
    const char *value = ptx_read(t, operand, type, true);
    return type.kind == 's' ? arena_printf(t->arena, "(int%d_t)(%s)", type.bits, value) : value;
}

static bool is_integer(PtxType type)
{
    return type.kind == 'u' || type.kind == 's';
}

/* NULL: no such conversion. `rounding` is "" where none is written. */
static const char *converted(PtxTranslator *t, PtxType to, PtxType from, const char *rounding)
{
    const char *value = source(t, from);
    const bool none = rounding[0] == '\0', nearest = strcmp(rounding, "rn") == 0;
    if (is_integer(to) && is_integer(from)) {
        return none ? value : NULL;
    }
    if (is_integer(to) && from.kind == 'f') {
        const char *whole = rounded(t, value, rounding);
        return whole ? arena_printf(t->arena, "to_%s(%s, %d, %d)", to.kind == 's' ? "signed" : "unsigned",
                                    whole, to.bits, from.bits)
                     : NULL;
    }
    if (to.kind != 'f' || (from.kind != 'f' && !is_integer(from))) {
        return NULL;
    }
    const bool exact =
        from.kind == 'f' && to.bits >= from.bits; /* no rounding, or one to an integral value */
    const char *whole = exact && to.bits == from.bits ? rounded(t, value, rounding) : NULL;
    if (!whole && !(exact ? none : nearest)) {
        return NULL;
    }
    return arena_printf(t->arena, "bits%d((%s)(%s))", to.bits, to.bits == 32 ? "float" : "double",
                        whole ? whole : value);
}

void ptx_translate_cvt(PtxTranslator *t)
{
    const PtxInstruction *instruction = t->instruction;
    const int parts = instruction->parts;
    const PtxType to = parts >= 3 ? ptx_type(instruction->part[parts - 2]) : (PtxType){0, 0};
    const PtxType from = parts >= 3 ? ptx_type(instruction->part[parts - 1]) : (PtxType){0, 0};
    const bool fits = to.kind && from.kind && parts <= 4 && instruction->operands == 2;
    const char *value = fits ? converted(t, to, from, parts == 4 ? instruction->part[1] : "") : NULL;
    if (!value) {
        ptx_reject(t, "this conversion is not supported");
        return;
    }
    ptx_write(t, &instruction->operand[0], to, true, value);
}
