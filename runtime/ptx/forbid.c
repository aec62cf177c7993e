/* forbid.c: what the numerical contract forbids in PTX (docs/contract.md, "Arithmetic").
 *
 * An unqualified add, sub or mul means round to nearest even, but ptxas may fuse it with a neighbour; `.rn`
 * on it forbids that (PTX ISA 9.7.3: "an add instruction with no rounding modifier ... may be
 * optimized aggressively"). What the compiler itself has fused stands there as fma.rn and is legal PTX: only
 * its bits can tell. */
#include "ptx/module.h"

#include <string.h>

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(word, *list) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_one_of(const PtxInstruction *instruction, const char *const *list)
{
    for (; *list; list++) {
        if (ptx_has_part(instruction, *list)) {
            return true;
        }
    }
    return false;
}

static bool is_float(const PtxInstruction *instruction)
{
    static const char *const types[] = {"f16", "f16x2", "bf16", "bf16x2", "tf32",
                                        "f32", "f32x2", "f64",  NULL};
    return has_one_of(instruction, types);
}

/* The bits of these are the hardware's, whatever the modifiers. */
static const char *vendor_function(const PtxInstruction *instruction)
{
    static const char *const functions[] = {"ex2", "lg2", "sin", "cos", "tanh", "rsqrt", NULL};
    return is_one_of(instruction->part[0], functions)
               ? "is approximate: its bits are the device's own; use a fixed sequence of rounded operations"
               : NULL;
}

static const char *modifier(const PtxInstruction *instruction)
{
    static const char *const approximate[] = {"approx", "full", NULL};
    if (has_one_of(instruction, approximate)) {
        return "is approximate: use .rn";
    }
    return ptx_has_part(instruction, "ftz") ? "flushes subnormals to zero: compile without -ftz" : NULL;
}

static const char *atomic(const PtxInstruction *instruction)
{
    static const char *const atomics[] = {"atom", "red", NULL};
    return is_one_of(instruction->part[0], atomics) && is_float(instruction)
               ? "adds floats in the order in which threads arrive"
               : NULL;
}

static const char *rounding(const PtxInstruction *instruction)
{
    static const char *const arithmetic[] = {"add", "sub", "mul", "fma", "mad", "div", "sqrt", "rcp", NULL};
    static const char *const fusible[] = {"add", "sub", "mul", "mad", NULL};
    static const char *const directed[] = {"rz", "rm", "rp", NULL};
    const char *base = instruction->part[0];
    const bool computes = is_one_of(base, arithmetic) || strcmp(base, "cvt") == 0;
    if (!is_float(instruction) || !computes) {
        return NULL;
    }
    if (has_one_of(instruction, directed)) {
        return "does not round to nearest even: use .rn";
    }
    return is_one_of(base, fusible) && !ptx_has_part(instruction, "rn")
               ? "has no rounding: ptxas may contract it with a neighbour; use .rn (__fadd_rn, __fmul_rn)"
               : NULL;
}

static void forbid_instruction(PtxReasons *reasons, int line, const PtxInstruction *instruction)
{
    const char *why = vendor_function(instruction);
    why = why ? why : modifier(instruction);
    why = why ? why : atomic(instruction);
    why = why ? why : rounding(instruction);
    if (why) {
        ptx_refuse(reasons, line, "'%s' %s", instruction->opcode, why);
    }
}

void ptx_forbid(PtxReasons *reasons, const PtxModule *module)
{
    for (int f = 0; f < module->functions; f++) {
        const PtxFunction *function = &module->function[f];
        for (int s = 0; s < function->statements; s++) {
            if (function->statement[s].kind == PTX_STATEMENT_INSTRUCTION) {
                forbid_instruction(reasons, function->statement[s].line, function->statement[s].instruction);
            }
        }
    }
}
