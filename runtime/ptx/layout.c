/* layout.c: where shared and local variables lie.
 *
 * Shared variables of the module and of functions lie first, those of each kernel behind them. A function's
 * local variables lie behind those of whoever called it; recursion would have no bound and is refused, as in
 * the sources. */
#include "ptx/translate.h"

#include <string.h>

static const uint64_t largest_shared = 48 * 1024; /* of static shared memory; ptxas refuses more */
static const uint64_t largest_local = 64 * 1024;  /* it lies on the stack of a GPU thread's fiber */

uint64_t ptx_variable_bytes(const PtxVariable *variable)
{
    return variable->count * (variable->type.bits < 8 ? 1 : (uint64_t)variable->type.bits / 8);
}

uint64_t ptx_align(uint64_t offset, uint64_t align)
{
    return (offset + align - 1) & ~(align - 1);
}

/* What the variables of one space in a body take, from `offset` on. */
static uint64_t body_bytes(const PtxFunction *function, PtxSpace space, uint64_t offset)
{
    for (int s = 0; s < function->statements; s++) {
        const PtxVariable *variable = function->statement[s].variable;
        if (variable && variable->space == space) {
            offset = ptx_align(offset, variable->align) + ptx_variable_bytes(variable);
        }
    }
    return offset;
}

static void lay_out_shared(PtxReasons *reasons, const PtxModule *module, PtxLayout *layout)
{
    uint64_t offset = 0;
    for (int v = 0; v < module->variables; v++) {
        const PtxVariable *variable = &module->variable[v];
        if (variable->space == PTX_SHARED) {
            offset = ptx_align(offset, variable->align) + ptx_variable_bytes(variable);
        }
    }
    for (int f = 0; f < module->functions; f++) {
        layout->start[f] = offset;
        offset = module->function[f].entry ? offset : body_bytes(&module->function[f], PTX_SHARED, offset);
    }
    layout->largest = offset;
    for (int f = 0; f < module->functions; f++) {
        const PtxFunction *function = &module->function[f];
        if (!function->entry) {
            continue;
        }
        layout->start[f] = offset;
        layout->shared[f] = body_bytes(function, PTX_SHARED, offset);
        layout->largest = layout->shared[f] > layout->largest ? layout->shared[f] : layout->largest;
        if (layout->shared[f] > largest_shared) {
            ptx_refuse(reasons, function->line, "'%s' has %llu bytes of shared memory; %llu is the most",
                       function->name, (unsigned long long)layout->shared[f],
                       (unsigned long long)largest_shared);
        }
    }
}

static int find_callee(const PtxModule *module, const PtxInstruction *call)
{
    for (int k = 0; k < call->operands; k++) {
        for (int f = 0; call->operand[k].kind == PTX_OPERAND_NAME && f < module->functions; f++) {
            if (strcmp(module->function[f].name, call->operand[k].name) == 0) {
                return f;
            }
        }
    }
    return -1;
}

/* What calls need, as known so far: the largest among those that `function` calls. */
static uint64_t largest_callee(const PtxModule *module, const PtxFunction *function, const uint64_t *known)
{
    uint64_t largest = 0;
    for (int s = 0; s < function->statements; s++) {
        const PtxInstruction *instruction = function->statement[s].instruction;
        const bool is_call = instruction && strcmp(instruction->part[0], "call") == 0;
        const int callee = is_call ? find_callee(module, instruction) : -1;
        largest = callee >= 0 && known[callee] > largest ? known[callee] : largest;
    }
    return largest;
}

/* One more round of sums along calls; false when it changed nothing. */
static bool sum_along_calls(const PtxModule *module, PtxLayout *layout, uint64_t *depth)
{
    bool changed = false;
    for (int f = 0; f < module->functions; f++) {
        const PtxFunction *function = &module->function[f];
        const uint64_t deeper = 1 + largest_callee(module, function, depth);
        const uint64_t larger = layout->frame[f] + largest_callee(module, function, layout->local);
        changed = changed || deeper != depth[f] || larger != layout->local[f];
        depth[f] = deeper;
        layout->local[f] = larger;
    }
    return changed;
}

static bool is_too_deep(PtxReasons *reasons, const PtxModule *module, const PtxLayout *layout,
                        const uint64_t *depth)
{
    for (int f = 0; f < module->functions; f++) {
        if (depth[f] > (uint64_t)module->functions) {
            ptx_refuse(reasons, module->function[f].line, "'%s' calls itself", module->function[f].name);
            return true;
        }
        if (layout->local[f] > largest_local) {
            ptx_refuse(reasons, module->function[f].line,
                       "'%s' has %llu bytes of local memory; %llu is the most", module->function[f].name,
                       (unsigned long long)layout->local[f], (unsigned long long)largest_local);
            return true;
        }
    }
    return false;
}

static void lay_out_local(PtxReasons *reasons, const PtxModule *module, PtxLayout *layout)
{
    uint64_t *depth = ARENA_ARRAY(reasons->arena, uint64_t, (size_t)module->functions + 1);
    for (int f = 0; f < module->functions; f++) {
        layout->frame[f] = ptx_align(body_bytes(&module->function[f], PTX_LOCAL, 0), 128);
    }
    while (sum_along_calls(module, layout, depth) && !is_too_deep(reasons, module, layout, depth)) {
    }
    is_too_deep(reasons, module, layout, depth);
}

PtxLayout ptx_layout(PtxReasons *reasons, const PtxModule *module)
{
    const size_t count = (size_t)module->functions;
    PtxLayout layout = {.start = ARENA_ARRAY(reasons->arena, uint64_t, count + 1),
                        .shared = ARENA_ARRAY(reasons->arena, uint64_t, count + 1),
                        .frame = ARENA_ARRAY(reasons->arena, uint64_t, count + 1),
                        .local = ARENA_ARRAY(reasons->arena, uint64_t, count + 1)};
    lay_out_shared(reasons, module, &layout);
    lay_out_local(reasons, module, &layout);
    return layout;
}
