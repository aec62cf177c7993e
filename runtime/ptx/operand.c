/* operand.c: operands as C expressions, and registers as C variables.
 *
 * A register is an unsigned variable of its width whatever its declared type: PTX lets bit-size types and
 * floats meet, and newer compilers declare floats as .b32. */
#include "ptx/translate.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ptx_reject(PtxTranslator *t, const char *format, ...)
{
    if (t->refused) { /* one reason for an instruction is enough */
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    const char *what = arena_vprintf(t->reasons->arena, format, arguments);
    va_end(arguments);
    ptx_refuse(t->reasons, t->line, "'%s': %s", t->instruction ? t->instruction->opcode : "declaration",
               what);
    t->refused = true;
}

/* ---- names ---- */

/* `%f<50>` makes %f0 to %f49; no number is written with leading zeros. */
static bool is_in_range(const PtxVariable *registers, const char *name)
{
    const size_t size = strlen(registers->name);
    const char *digits = name + size;
    if (strncmp(name, registers->name, size) != 0 || !isdigit((unsigned char)digits[0]) ||
        (digits[0] == '0' && digits[1] != '\0') || strlen(digits) > 9) {
        return false;
    }
    char *rest;
    return strtoull(digits, &rest, 10) < registers->count && *rest == '\0';
}

const PtxName *ptx_find(const PtxTranslator *t, const char *name)
{
    for (int k = t->names - 1; k >= 0; k--) {
        const PtxVariable *variable = t->name[k].variable;
        if (variable->numbered ? is_in_range(variable, name) : strcmp(variable->name, name) == 0) {
            return &t->name[k];
        }
    }
    return NULL;
}

const char *ptx_register_c(PtxTranslator *t, const char *name)
{
    const char *bare = name[0] == '%' ? name + 1 : name;
    if (strpbrk(bare, "%.:")) {
        ptx_reject(t, "register name '%s' is not supported", name);
    }
    return arena_printf(t->arena, "%c_%s", name[0] == '%' ? 'v' : 'w', bare);
}

static const PtxVariable *find_register(PtxTranslator *t, const char *name)
{
    const PtxName *found = ptx_find(t, name);
    if (!found || found->variable->space != PTX_REGISTER) {
        ptx_reject(t, "no register '%s' is declared", name);
        return NULL;
    }
    return found->variable;
}

PtxType ptx_register_type(const PtxTranslator *t, const PtxOperand *operand)
{
    const PtxName *found = operand->kind == PTX_OPERAND_NAME ? ptx_find(t, operand->name) : NULL;
    return found && found->variable->space == PTX_REGISTER ? found->variable->type : (PtxType){0, 0};
}

const char *ptx_c_type(PtxType type)
{
    return type.bits == 64   ? "uint64_t"
           : type.bits == 32 ? "uint32_t"
           : type.bits == 16 ? "uint16_t"
                             : "uint8_t";
}

const char *ptx_site(PtxTranslator *t)
{
    return arena_printf(t->arena, "SITE(%d, \"%s\")", t->line, t->instruction->opcode);
}

/* ---- reading ---- */

static const char *constant(PtxTranslator *t, uint64_t bits, PtxType type)
{
    const uint64_t kept = type.bits == 64 ? bits : bits & ((UINT64_C(1) << type.bits) - 1);
    return type.bits == 64 ? arena_printf(t->arena, "UINT64_C(0x%llx)", (unsigned long long)kept)
                           : arena_printf(t->arena, "0x%llxu", (unsigned long long)kept);
}

static const char *special_register(const char *name)
{
    static const struct {
        const char *name, *c;
    } registers[] = {{"%tid.x", "HOST.place->index.x"},     {"%tid.y", "HOST.place->index.y"},
                     {"%tid.z", "HOST.place->index.z"},     {"%ntid.x", "HOST.block_size.x"},
                     {"%ntid.y", "HOST.block_size.y"},      {"%ntid.z", "HOST.block_size.z"},
                     {"%ctaid.x", "HOST.block.x"},          {"%ctaid.y", "HOST.block.y"},
                     {"%ctaid.z", "HOST.block.z"},          {"%nctaid.x", "HOST.grid.x"},
                     {"%nctaid.y", "HOST.grid.y"},          {"%nctaid.z", "HOST.grid.z"},
                     {"%laneid", "HOST.place->linear % 32"}};
    for (size_t k = 0; k < sizeof registers / sizeof registers[0]; k++) {
        if (strcmp(name, registers[k].name) == 0) {
            return registers[k].c;
        }
    }
    return NULL;
}

/* The address of a variable as a value: an offset in a window, or a pointer. */
static const char *address_of(PtxTranslator *t, const PtxName *name, uint64_t offset, PtxType type)
{
    const PtxSpace space = name->variable->space;
    if (space == PTX_PARAM) {
        ptx_reject(t, "the address of parameter '%s' is not supported", name->variable->name);
        return "0";
    }
    if (type.kind == 'f' || type.kind == 'p' || type.bits < (space == PTX_SHARED ? 32 : 64)) {
        ptx_reject(t, "the address of '%s' does not fit the type", name->variable->name);
        return "0";
    }
    if (space == PTX_SHARED) {
        return constant(t, name->offset + offset, type);
    }
    if (space == PTX_LOCAL) { /* behind the frames of the callers */
        const unsigned long long place = name->offset + offset;
        return arena_printf(t->arena, "(frame + UINT64_C(%llu))", place);
    }
    return arena_printf(t->arena, "((uint64_t)(uintptr_t)%s + UINT64_C(0x%llx))", name->c,
                        (unsigned long long)offset);
}

static const char *read_register(PtxTranslator *t, const PtxOperand *operand, PtxType type, bool wider)
{
    const PtxVariable *variable = find_register(t, operand->name);
    if (!variable) {
        return "0";
    }
    const PtxType own = variable->type;
    if ((own.kind == 'p') != (type.kind == 'p') || own.bits < type.bits || (own.bits > type.bits && !wider)) {
        ptx_reject(t, "register '%s' has another size than the instruction's type", operand->name);
        return "0";
    }
    const char *name = ptx_register_c(t, operand->name);
    if (type.kind == 'p') {
        return operand->negated ? arena_printf(t->arena, "(!%s)", name) : name;
    }
    return own.bits == type.bits ? name : arena_printf(t->arena, "(%s)%s", ptx_c_type(type), name);
}

static const char *read_name(PtxTranslator *t, const PtxOperand *operand, PtxType type, bool wider)
{
    const char *special = special_register(operand->name);
    if (special && type.bits == 32 && type.kind != 'f' && operand->bits == 0) {
        return special;
    }
    const PtxName *name = ptx_find(t, operand->name);
    if (name && name->variable->space != PTX_REGISTER) {
        return address_of(t, name, operand->bits, type);
    }
    if (!name && operand->name[0] == '%' && strchr(operand->name, '.')) {
        ptx_reject(t, "special register '%s' is not supported", operand->name);
        return "0";
    }
    if (operand->bits != 0) {
        ptx_reject(t, "a register and a constant are no operand");
    }
    return read_register(t, operand, type, wider);
}

static bool constant_fits(const PtxOperand *operand, PtxType type)
{
    switch (operand->kind) {
    case PTX_OPERAND_INTEGER:
        return type.kind != 'f';
    case PTX_OPERAND_F32:
        return type.bits == 32 && (type.kind == 'f' || type.kind == 'b');
    case PTX_OPERAND_F64:
        return type.bits == 64 && (type.kind == 'f' || type.kind == 'b');
    default:
        return false;
    }
}

const char *ptx_read(PtxTranslator *t, const PtxOperand *operand, PtxType type, bool wider)
{
    if (operand->kind == PTX_OPERAND_NAME) {
        if (operand->second || (operand->negated && type.kind != 'p')) {
            ptx_reject(t, "'%s' stands where one value is expected", operand->name);
            return "0";
        }
        return read_name(t, operand, type, wider);
    }
    if (!constant_fits(operand, type)) {
        ptx_reject(t, "an operand does not fit the instruction's type");
        return "0";
    }
    if (type.kind == 'p') /* compilers write a predicate's constants as 0, 1 or -1 */
        return operand->bits ? "1" : "0";
    return constant(t, operand->bits, type);
}

const char *ptx_read_signed(PtxTranslator *t, const PtxOperand *operand, PtxType type)
{
    return arena_printf(t->arena, "(int%d_t)%s", type.bits, ptx_read(t, operand, type, false));
}

const char *ptx_read_float(PtxTranslator *t, const PtxOperand *operand, PtxType type)
{
    return arena_printf(t->arena, "f%d(%s)", type.bits, ptx_read(t, operand, type, false));
}

const char *ptx_read_guard(PtxTranslator *t, const char *name, bool negated)
{
    const PtxOperand operand = {.kind = PTX_OPERAND_NAME, .name = name, .negated = negated};
    return ptx_read(t, &operand, (PtxType){'p', 1}, false);
}

/* ---- writing ---- */

void ptx_write_name(PtxTranslator *t, const char *name, PtxType type, bool wider, const char *value)
{
    if (strcmp(name, "_") == 0) {
        buffer_printf(t->out, "(void)(%s);", value);
        return;
    }
    const PtxVariable *variable = find_register(t, name);
    if (!variable) {
        return;
    }
    const PtxType own = variable->type;
    if ((own.kind == 'p') != (type.kind == 'p') || own.bits < type.bits || (own.bits > type.bits && !wider)) {
        ptx_reject(t, "register '%s' has another size than the instruction's type", name);
        return;
    }
    const bool extends = own.bits > type.bits && type.kind == 's';
    const char *c = ptx_register_c(t, name);
    if (type.kind == 'p') {
        buffer_printf(t->out, "%s = (%s) != 0;", c, value);
    } else if (extends) {
        buffer_printf(t->out, "%s = (%s)(int%d_t)(%s);", c, ptx_c_type(own), type.bits, value);
    } else {
        buffer_printf(t->out, "%s = (%s)(%s);", c, ptx_c_type(type), value);
    }
}

void ptx_write(PtxTranslator *t, const PtxOperand *operand, PtxType type, bool wider, const char *value)
{
    if (operand->kind != PTX_OPERAND_NAME || operand->second || operand->negated || operand->bits) {
        ptx_reject(t, "the result does not go to a register");
        return;
    }
    ptx_write_name(t, operand->name, type, wider, value);
}
