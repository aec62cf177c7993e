/* memory.c: loads, stores, addresses and calls.
 *
 * What a cache hint or .nc says about speed is dropped; orderings stronger than .weak are refused, because
 * kernels talk through barriers only. */
#include "ptx/translate.h"

#include <string.h>

/* ---- what ld and st have in common ---- */

typedef struct Access {
    PtxSpace space;
    PtxType type;
    int lanes; /* 1, 2, 4 */
} Access;

static bool is_hint(const char *part)
{
    static const char *const hints[] = {"weak", "volatile", "ca", "cg", "cs", "lu",
                                        "cv",   "nc",       "wb", "wt", NULL};
    for (int k = 0; hints[k]; k++) {
        if (strcmp(part, hints[k]) == 0) {
            return true;
        }
    }
    return strncmp(part, "L1::", 4) == 0 ||
           (strncmp(part, "L2::", 4) == 0 && strcmp(part, "L2::cache_hint") != 0);
}

static bool find_space(const char *part, PtxSpace *space)
{
    static const struct {
        const char *part;
        PtxSpace space;
    } spaces[] = {{"global", PTX_GLOBAL},      {"const", PTX_GLOBAL},     {"shared", PTX_SHARED},
                  {"local", PTX_LOCAL},        {"param", PTX_PARAM},      {"shared::cta", PTX_SHARED},
                  {"param::entry", PTX_PARAM}, {"param::func", PTX_PARAM}};
    for (size_t k = 0; k < sizeof spaces / sizeof spaces[0]; k++) {
        if (strcmp(part, spaces[k].part) == 0) {
            *space = spaces[k].space;
            return true;
        }
    }
    return false;
}

static bool read_access(PtxTranslator *t, Access *access)
{
    const PtxInstruction *instruction = t->instruction;
    *access = (Access){PTX_GENERIC, ptx_type(instruction->part[instruction->parts - 1]), 1};
    for (int k = 1; k < instruction->parts - 1; k++) {
        const char *part = instruction->part[k];
        if (strcmp(part, "v2") == 0 || strcmp(part, "v4") == 0) {
            access->lanes = part[1] - '0';
        } else if (!find_space(part, &access->space) && !is_hint(part)) {
            ptx_reject(t, "'.%s' is not supported", part);
            return false;
        }
    }
    if (access->type.bits < 8 || access->type.bits * access->lanes > 128) {
        ptx_reject(t, "this type is not supported");
        return false;
    }
    if (instruction->operands != 2) {
        ptx_reject(t, "%d operands, where it has 2", instruction->operands);
        return false;
    }
    return true;
}

/* ---- addresses ---- */

static int access_bytes(const Access *access)
{
    return access->type.bits / 8 * access->lanes;
}

/* A place in a parameter is known now, so it is checked now. */
static const char *param_pointer(PtxTranslator *t, const PtxOperand *address, const Access *access)
{
    const PtxName *name = address->name ? ptx_find(t, address->name) : NULL;
    if (!name || name->variable->space != PTX_PARAM) {
        ptx_reject(t, "there is no such parameter");
        return "0";
    }
    const PtxVariable *variable = name->variable;
    const uint64_t size = ptx_variable_bytes(variable), bytes = (uint64_t)access_bytes(access);
    if (size < bytes || address->bits > size - bytes) {
        ptx_reject(t, "outside of parameter '%s'", variable->name);
        return "0";
    }
    return arena_printf(t->arena, "%s + %llu", name->c, (unsigned long long)address->bits);
}

/* The address as a number of 64 bits. A 32-bit base wraps at 32 bits, as the device's adder does. */
static const char *address_value(PtxTranslator *t, const PtxOperand *address, PtxSpace space)
{
    if (!address->name) {
        return arena_printf(t->arena, "UINT64_C(0x%llx)", (unsigned long long)address->bits);
    }
    const PtxOperand base = {.kind = PTX_OPERAND_NAME, .name = address->name, .bits = 0};
    const PtxType own = ptx_register_type(t, &base);
    if (own.kind == 0) { /* a variable */
        const PtxName *name = ptx_find(t, address->name);
        const bool fits = name && (space == name->variable->space || space == PTX_GENERIC) &&
                          !(space == PTX_GENERIC && name->variable->space != PTX_GLOBAL);
        if (!fits) {
            ptx_reject(t, "'%s' is no variable of this state space", address->name);
            return "0";
        }
        const PtxOperand place = {.kind = PTX_OPERAND_NAME, .name = address->name, .bits = address->bits};
        return ptx_read(t, &place, (PtxType){'u', 64}, false);
    }
    if (own.bits != 64 && !(own.bits == 32 && (space == PTX_SHARED || space == PTX_LOCAL))) {
        ptx_reject(t, "an address of %d bits is not supported here", own.bits);
        return "0";
    }
    return arena_printf(t->arena, "(uint%d_t)(%s + UINT64_C(0x%llx))", own.bits,
                        ptx_read(t, &base, (PtxType){'u', own.bits}, false),
                        (unsigned long long)address->bits);
}

/* `kind`: SIMT_READS or SIMT_WRITES, for what threads share. */
static const char *pointer(PtxTranslator *t, const PtxOperand *address, const Access *access,
                           const char *kind)
{
    if (address->kind != PTX_OPERAND_ADDRESS) {
        ptx_reject(t, "an address in brackets is expected");
        return "0";
    }
    if (access->space == PTX_PARAM) {
        return param_pointer(t, address, access);
    }
    const char *value = address_value(t, address, access->space), *site = ptx_site(t);
    const int bytes = access_bytes(access);
    switch (access->space) {
    case PTX_SHARED:
        return arena_printf(t->arena, "at_shared(shared, %s, %d, %s, %s)", value, bytes, kind, site);
    case PTX_LOCAL:
        return arena_printf(t->arena, "at_window(local, %s, %d, %s)", value, bytes, site);
    default:
        return arena_printf(t->arena, "at_pointer(%s, %d, %s, %s)", value, bytes, kind, site);
    }
}

/* The registers (or, of a store, constants too) that one access moves. */
static const PtxOperand *lanes_of(PtxTranslator *t, const PtxOperand *operand, const Access *access)
{
    if (access->lanes == 1) {
        return operand;
    }
    if (operand->kind != PTX_OPERAND_VECTOR || operand->count != access->lanes) {
        ptx_reject(t, "%d registers in braces are expected", access->lanes);
        return NULL;
    }
    return operand->items;
}

void ptx_translate_load(PtxTranslator *t)
{
    Access access;
    if (!read_access(t, &access)) {
        return;
    }
    const PtxOperand *to = lanes_of(t, &t->instruction->operand[0], &access);
    buffer_printf(t->out, "{ const unsigned char *at = %s; ",
                  pointer(t, &t->instruction->operand[1], &access, "SIMT_READS"));
    for (int k = 0; to && k < access.lanes; k++) {
        ptx_write(t, &to[k], access.type, true,
                  arena_printf(t->arena, "get%d(at + %d)", access.type.bits, k * access.type.bits / 8));
    }
    buffer_append_string(t->out, " }");
}

void ptx_translate_store(PtxTranslator *t)
{
    Access access;
    if (!read_access(t, &access)) {
        return;
    }
    const char *param = access.space == PTX_PARAM ? t->instruction->operand[0].name : NULL;
    const PtxName *name = param ? ptx_find(t, param) : NULL;
    if (name && name->constant) {
        ptx_reject(t, "the parameters of a kernel are not written to");
    }
    const PtxOperand *from = lanes_of(t, &t->instruction->operand[1], &access);
    buffer_printf(t->out, "{ unsigned char *at = %s; ",
                  pointer(t, &t->instruction->operand[0], &access, "SIMT_WRITES"));
    for (int k = 0; from && k < access.lanes; k++) {
        buffer_printf(t->out, "put%d(at + %d, %s);", access.type.bits, k * access.type.bits / 8,
                      ptx_read(t, &from[k], access.type, true));
    }
    buffer_append_string(t->out, " }");
}

/* ---- mov ---- */

/* mov.b64 %rd1, {%r1, %r2}: the first is the low half. */
static void pack(PtxTranslator *t, PtxType type)
{
    const PtxOperand *from = &t->instruction->operand[1];
    const PtxType part = {'b', type.bits / from->count};
    const char *value = "0";
    for (int k = 0; k < from->count; k++) {
        value = arena_printf(t->arena, "%s | (uint64_t)%s << %d", value,
                             ptx_read(t, &from->items[k], part, false), k * part.bits);
    }
    ptx_write(t, &t->instruction->operand[0], type, false, value);
}

static void unpack(PtxTranslator *t, PtxType type)
{
    const PtxOperand *to = &t->instruction->operand[0];
    const PtxType part = {'b', type.bits / to->count};
    buffer_printf(t->out, "{ const uint64_t whole = %s; ",
                  ptx_read(t, &t->instruction->operand[1], type, false));
    for (int k = 0; k < to->count; k++) {
        ptx_write(t, &to->items[k], part, false, arena_printf(t->arena, "whole >> %d", k * part.bits));
    }
    buffer_append_string(t->out, " }");
}

static bool splits(PtxTranslator *t, const PtxOperand *vector, PtxType type)
{
    const bool possible =
        type.kind == 'b' && (vector->count == 2 || vector->count == 4) && type.bits / vector->count >= 16;
    if (!possible) {
        ptx_reject(t, "these halves are not supported");
    }
    return possible;
}

void ptx_translate_mov(PtxTranslator *t)
{
    const PtxInstruction *instruction = t->instruction;
    const PtxType type = instruction->parts == 2 ? ptx_type(instruction->part[1]) : (PtxType){0, 0};
    const PtxOperand *operand = instruction->operand;
    if (type.kind == 0 || instruction->operands != 2 || (type.bits == 8)) {
        ptx_reject(t, "this form is not supported");
    } else if (operand[1].kind == PTX_OPERAND_VECTOR) {
        if (splits(t, &operand[1], type)) {
            pack(t, type);
        }
    } else if (operand[0].kind == PTX_OPERAND_VECTOR) {
        if (splits(t, &operand[0], type)) {
            unpack(t, type);
        }
    } else {
        ptx_write(t, &operand[0], type, false, ptx_read(t, &operand[1], type, false));
    }
}

/* ---- cvta ---- */

/* cvta.space: from a window to a pointer; cvta.to.space: back. Global addresses are pointers already. */
void ptx_translate_cvta(PtxTranslator *t)
{
    const PtxInstruction *instruction = t->instruction;
    const bool to = instruction->parts == 4 && strcmp(instruction->part[1], "to") == 0;
    PtxSpace space;
    if (instruction->parts != (to ? 4 : 3) || instruction->operands != 2 ||
        strcmp(instruction->part[instruction->parts - 1], "u64") != 0 ||
        !find_space(instruction->part[instruction->parts - 2], &space) || space == PTX_PARAM) {
        ptx_reject(t, "this form is not supported");
        return;
    }
    const PtxType type = {'u', 64};
    const char *value = ptx_read(t, &instruction->operand[1], type, false);
    const char *window = space == PTX_SHARED ? "shared.memory" : "local.memory";
    if (space != PTX_GLOBAL) {
        value = arena_printf(t->arena, "%s %c (uint64_t)(uintptr_t)%s", value, to ? '-' : '+', window);
    }
    ptx_write(t, &instruction->operand[0], type, false, value);
}

/* ---- call ---- */

static int find_function(const PtxModule *module, const char *name)
{
    for (int f = 0; f < module->functions; f++) {
        if (strcmp(module->function[f].name, name) == 0) {
            return f;
        }
    }
    return -1;
}

/* ", a, b": the bytes that go in or come back. */
static const char *pass(PtxTranslator *t, const PtxOperand *list, const PtxVariable *wanted, int count)
{
    const int given = list ? list->count : 0;
    const char *text = "";
    if (given != count) {
        ptx_reject(t, "%d values are passed where %d are declared", given, count);
        return text;
    }
    for (int k = 0; k < count; k++) {
        const PtxOperand *item = &list->items[k];
        const PtxName *name =
            item->kind == PTX_OPERAND_NAME && item->bits == 0 ? ptx_find(t, item->name) : NULL;
        if (!name || name->variable->space != PTX_PARAM ||
            ptx_variable_bytes(name->variable) < ptx_variable_bytes(&wanted[k])) {
            ptx_reject(t, "what is passed is no .param of the declared size");
            return text;
        }
        text = arena_printf(t->arena, "%s, %s", text, name->c);
    }
    return text;
}

/* call [(results),] function [, (arguments)] */
void ptx_translate_call(PtxTranslator *t)
{
    const PtxInstruction *instruction = t->instruction;
    const PtxOperand *operand = instruction->operand;
    const PtxOperand *end = operand + instruction->operands;
    const PtxOperand *results = operand < end && operand->kind == PTX_OPERAND_LIST ? operand++ : NULL;
    const PtxOperand *callee = operand < end && operand->kind == PTX_OPERAND_NAME ? operand++ : NULL;
    const PtxOperand *arguments = operand < end && operand->kind == PTX_OPERAND_LIST ? operand++ : NULL;
    const bool plain =
        instruction->parts == 1 || (instruction->parts == 2 && ptx_has_part(instruction, "uni"));
    if (!plain || !callee || operand != end) {
        ptx_reject(t, "this form is not supported");
        return;
    }
    const int f = find_function(t->module, callee->name);
    const PtxFunction *function = f < 0 ? NULL : &t->module->function[f];
    if (!function || function->entry || !function->body) {
        ptx_reject(t, "'%s' has no body in this file", callee->name);
        return;
    }
    const char *back = pass(t, results, function->result, function->results);
    const char *in = pass(t, arguments, function->param, function->params);
    buffer_printf(t->out, "f_%d(shared, local, frame + %llu%s%s);", f, (unsigned long long)t->frame, back,
                  in);
}
