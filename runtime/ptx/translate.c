/* translate.c: a PTX module to a C module for the SIMT engine.
 *
 * Each function becomes a C function, each instruction a statement, each register a variable. `#line` makes
 * compilers, sanitizers and crashes speak of PTX lines. Variables start as poison, so a register that is read
 * before it is written shows itself and is no undefined behaviour. */
#include "ptx/translate.h"

#include "ptx/ptx.h"
#include "ptx/texts.h"

#include <string.h>

static const size_t largest_file = 64u << 20;

/* ---- names ---- */

static void add_name(PtxTranslator *t, PtxName name)
{
    if (t->names == t->name_room) {
        PtxName *wider = ARENA_ARRAY(t->arena, PtxName, (size_t)t->name_room * 2 + 64);
        if (t->names) {
            memcpy(wider, t->name, (size_t)t->names * sizeof *wider);
        }
        t->name = wider;
        t->name_room = t->name_room * 2 + 64;
    }
    t->name[t->names++] = name;
}

static bool is_declared_here(const PtxTranslator *t, const PtxVariable *variable)
{
    for (int k = t->scopes ? t->scope[t->scopes - 1] : 0; k < t->names; k++) {
        if (strcmp(t->name[k].variable->name, variable->name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the module's own variables ---- */

static void write_bytes(PtxTranslator *t, const PtxVariable *variable)
{
    const uint64_t size = ptx_variable_bytes(variable);
    for (uint64_t k = 0; variable->data && k < size; k++) {
        buffer_printf(t->out, "%s%u,", k % 32 == 0 ? "\n    " : "", variable->data[k]);
    }
}

static void write_global(PtxTranslator *t, const PtxVariable *variable, int number)
{
    const char *c = arena_printf(t->arena, "g_%d", number);
    buffer_printf(t->out, "static _Alignas(%u) unsigned char %s[%llu] = {", variable->align, c,
                  (unsigned long long)ptx_variable_bytes(variable));
    write_bytes(t, variable);
    buffer_printf(t->out, "}; /* %s */\n", variable->name);
    add_name(t, (PtxName){.variable = variable, .c = c});
}

static void write_module_variables(PtxTranslator *t)
{
    uint64_t offset = 0;
    for (int v = 0; v < t->module->variables; v++) {
        const PtxVariable *variable = &t->module->variable[v];
        t->line = variable->line;
        if (variable->external || variable->count == 0) {
            ptx_refuse(t->reasons, t->line, "'%s' has no size of its own: a launch gives no memory here",
                       variable->name);
        } else if (is_declared_here(t, variable)) {
            ptx_refuse(t->reasons, t->line, "'%s' is declared twice", variable->name);
        } else if (variable->space == PTX_GLOBAL) {
            write_global(t, variable, v);
        } else {
            offset = ptx_align(offset, variable->align);
            add_name(t, (PtxName){.variable = variable, .offset = offset});
            offset += ptx_variable_bytes(variable);
        }
    }
}

/* ---- declarations in a body ---- */

/* Where the next shared and local variable of the function goes. */
typedef struct Places {
    uint64_t shared, local;
} Places;

static const char *poison(PtxType type)
{
    return type.bits == 1    ? "0"
           : type.bits == 64 ? "POISON64"
           : type.bits == 32 ? "POISON32"
           : type.bits == 16 ? "POISON16"
                             : "POISON8";
}

static void write_registers(PtxTranslator *t, const PtxVariable *variable)
{
    const char *first = ptx_register_c(t, variable->name);
    if (variable->count == 0) {
        return;
    }
    buffer_printf(t->out, "    %s", ptx_c_type(variable->type));
    for (uint64_t k = 0; k < variable->count; k++) {
        buffer_printf(t->out, "%s%s", k == 0 ? " " : k % 16 == 0 ? ",\n        " : ", ", first);
        if (variable->numbered) {
            buffer_printf(t->out, "%llu", (unsigned long long)k);
        }
        buffer_printf(t->out, " = %s", poison(variable->type));
    }
    buffer_append_string(t->out, ";\n");
}

static uint64_t place(uint64_t *next, const PtxVariable *variable)
{
    const uint64_t offset = ptx_align(*next, variable->align);
    *next = offset + ptx_variable_bytes(variable);
    return offset;
}

/* The arguments and results of a call are bytes. */
static void declare_param(PtxTranslator *t, const PtxVariable *variable)
{
    const char *c = arena_printf(t->arena, "p_%d", t->blocks++);
    buffer_printf(t->out, "    _Alignas(16) unsigned char %s[%llu] = {0};\n", c,
                  (unsigned long long)ptx_variable_bytes(variable));
    add_name(t, (PtxName){.variable = variable, .c = c});
}

static void declare(PtxTranslator *t, const PtxVariable *variable, Places *places)
{
    if (is_declared_here(t, variable)) {
        ptx_reject(t, "'%s' is declared twice", variable->name);
    } else if (variable->count == 0 && variable->space != PTX_REGISTER) {
        ptx_reject(t, "'%s' has no size", variable->name);
    } else if (variable->space == PTX_REGISTER) {
        write_registers(t, variable);
        add_name(t, (PtxName){.variable = variable});
    } else if (variable->space == PTX_SHARED) {
        add_name(t, (PtxName){.variable = variable, .offset = place(&places->shared, variable)});
    } else if (variable->space == PTX_LOCAL) {
        add_name(t, (PtxName){.variable = variable, .offset = place(&places->local, variable)});
    } else if (variable->space == PTX_PARAM) {
        declare_param(t, variable);
    } else {
        ptx_reject(t, "module memory is not declared in a body");
    }
}

/* ---- bodies ---- */

static void collect_labels(PtxTranslator *t)
{
    const PtxFunction *function = t->function;
    t->label = ARENA_ARRAY(t->arena, const char *, (size_t)function->statements + 1);
    t->labels = 0;
    for (int s = 0; s < function->statements; s++) {
        if (function->statement[s].kind == PTX_STATEMENT_LABEL) {
            t->label[t->labels++] = function->statement[s].label;
        }
    }
}

static void check_labels(PtxTranslator *t)
{
    for (int a = 0; a < t->labels; a++) {
        for (int b = 0; b < a; b++) {
            if (strcmp(t->label[a], t->label[b]) == 0) {
                ptx_refuse(t->reasons, t->function->line, "'%s' has two labels '%s'", t->function->name,
                           t->label[a]);
                return;
            }
        }
    }
}

static void write_instruction(PtxTranslator *t, const PtxStatement *statement)
{
    t->instruction = statement->instruction;
    buffer_printf(t->out, "#line %d PTX_FILE\n    ", statement->line);
    if (t->instruction->guard) {
        buffer_printf(t->out, "if (%s) ",
                      ptx_read_guard(t, t->instruction->guard, t->instruction->guard_negated));
    }
    buffer_append_string(t->out, "{ ");
    ptx_translate_instruction(t);
    buffer_append_string(t->out, " }\n");
}

static void write_brace(PtxTranslator *t, bool open)
{
    if (open) {
        t->scope[t->scopes++] = t->names; /* the parser keeps the depth below PTX_DEEPEST */
    } else {
        t->names = t->scope[--t->scopes];
    }
    buffer_append_string(t->out, open ? "    {\n" : "    }\n");
}

static void write_statement(PtxTranslator *t, const PtxStatement *statement, int *label, Places *places)
{
    t->line = statement->line;
    t->instruction = NULL;
    t->refused = false;
    switch (statement->kind) {
    case PTX_STATEMENT_LABEL:
        buffer_printf(t->out, "L_%d:; /* %s */\n", *label, statement->label);
        (*label)++;
        break;
    case PTX_STATEMENT_VARIABLE:
        declare(t, statement->variable, places);
        break;
    case PTX_STATEMENT_INSTRUCTION:
        write_instruction(t, statement);
        break;
    default:
        write_brace(t, statement->kind == PTX_STATEMENT_OPEN);
        break;
    }
}

static void write_body(PtxTranslator *t, Places places)
{
    int label = 0;
    collect_labels(t);
    check_labels(t);
    for (int s = 0; s < t->function->statements; s++) {
        write_statement(t, &t->function->statement[s], &label, &places);
    }
    buffer_append_string(t->out, "}\n\n");
}

/* ---- functions ---- */

/* "unsigned char *r_0, unsigned char *a_0": results first. */
static void write_prototype(PtxTranslator *t, int f)
{
    const PtxFunction *function = &t->module->function[f];
    buffer_printf(t->out, "static void f_%d(Window shared, Window local, uint64_t frame", f);
    if (function->entry) {
        buffer_append_string(t->out, ", void *const *argument");
    }
    for (int k = 0; k < function->results; k++) {
        buffer_printf(t->out, ", unsigned char *r_%d", k);
    }
    for (int k = 0; !function->entry && k < function->params; k++) {
        buffer_printf(t->out, ", unsigned char *a_%d", k);
    }
    buffer_append_string(t->out, ")");
}

static void add_params(PtxTranslator *t, const PtxFunction *function)
{
    for (int k = 0; k < function->results; k++) {
        add_name(t, (PtxName){.variable = &function->result[k], .c = arena_printf(t->arena, "r_%d", k)});
    }
    for (int k = 0; k < function->params; k++) {
        const char *c = function->entry ? arena_printf(t->arena, "(unsigned char *)argument[%d]", k)
                                        : arena_printf(t->arena, "a_%d", k);
        add_name(t, (PtxName){.variable = &function->param[k], .c = c, .constant = function->entry});
    }
}

/* `shared` is where this function's shared variables start. */
static void write_function(PtxTranslator *t, int f, uint64_t shared, uint64_t frame)
{
    const int outer = t->names;
    t->function = &t->module->function[f];
    t->frame = frame;
    t->scopes = 0;
    t->scope[t->scopes++] = t->names;
    t->line = t->function->line;
    buffer_printf(t->out, "/* %s, line %d */\n", t->function->name, t->function->line);
    write_prototype(t, f);
    buffer_append_string(t->out, "\n{\n");
    add_params(t, t->function);
    write_body(t, (Places){.shared = shared});
    t->names = outer;
}

static void write_functions(PtxTranslator *t, const PtxLayout *layout)
{
    const PtxModule *module = t->module;
    for (int f = 0; f < module->functions; f++) {
        if (module->function[f].body) {
            write_prototype(t, f);
            buffer_append_string(t->out, ";\n");
        }
    }
    buffer_append_string(t->out, "\n");
    for (int f = 0; f < module->functions; f++) {
        if (module->function[f].body) {
            write_function(t, f, layout->start[f], layout->frame[f]);
        }
    }
}

/* ---- what the engine looks for ---- */

static bool is_read_into(const PtxInstruction *instruction, const PtxVariable *param)
{
    return strncmp(instruction->opcode, "ld.param", 8) == 0 && instruction->operands == 2 &&
           instruction->operand[0].name && instruction->operand[1].name &&
           strcmp(instruction->operand[1].name, param->name) == 0;
}

static bool becomes_address(const PtxFunction *function, const char *name)
{
    for (int s = 0; s < function->statements; s++) {
        const PtxInstruction *instruction = function->statement[s].instruction;
        if (instruction && strncmp(instruction->opcode, "cvta.to", 7) == 0 && instruction->operands == 2 &&
            instruction->operand[1].name && strcmp(instruction->operand[1].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A pointer and an integer of 64 bits are both .u64. What a cvta makes an address of is a pointer; what is
 * not even read may be either, and passes for either ('w'). */
static char kind_of(const PtxFunction *function, const PtxVariable *param)
{
    if (param->type.bits == 32) {
        return param->type.kind == 'f' ? 'f' : 'i';
    }
    for (int s = 0; s < function->statements; s++) {
        const PtxInstruction *instruction = function->statement[s].instruction;
        if (instruction && is_read_into(instruction, param) &&
            becomes_address(function, instruction->operand[0].name)) {
            return 'p';
        }
    }
    return 'w';
}

static void write_kinds(PtxTranslator *t, const PtxFunction *function)
{
    buffer_append_string(t->out, "\"");
    for (int k = 0; k < function->params; k++) {
        const PtxVariable *param = &function->param[k];
        if (param->count != 1 || param->type.bits < 32) {
            ptx_refuse(t->reasons, param->line, "parameter '%s' is no number of 32 or 64 bits", param->name);
        }
        buffer_printf(t->out, "%c", kind_of(function, param));
    }
    buffer_append_string(t->out, "\"");
}

/* C names are letters, digits, '_' and '$': a name with anything else came from no C or CUDA source. */
static bool is_plain(const char *name)
{
    return strpbrk(name, "%.:\"\\") == NULL;
}

static void write_entries(PtxTranslator *t, const PtxLayout *layout)
{
    const PtxModule *module = t->module;
    for (int f = 0; f < module->functions; f++) {
        if (module->function[f].entry && module->function[f].body) {
            buffer_printf(t->out, "ENTRY(%d, %llu, %llu)\n", f, (unsigned long long)layout->shared[f],
                          (unsigned long long)layout->local[f]);
        }
    }
    buffer_append_string(t->out, "\nconst SimtEntry samebits_simt_entries[] = {\n");
    for (int f = 0; f < module->functions; f++) {
        const PtxFunction *function = &module->function[f];
        if (function->entry && function->body) {
            if (!is_plain(function->name)) {
                ptx_refuse(t->reasons, function->line, "a kernel's name is letters, digits, '_' and '$'");
            }
            buffer_printf(t->out, "    {\"%s\", enter_%d, ", function->name, f);
            write_kinds(t, function);
            buffer_append_string(t->out, "},\n");
        }
    }
    buffer_append_string(t->out, "    {0, 0, 0},\n};\n");
}

/* ---- the file ---- */

static const char *quoted(Arena *arena, const char *path)
{
    Buffer text = {0};
    buffer_append_string(&text, "\"");
    for (; *path; path++) {
        if (*path == '"' || *path == '\\') {
            buffer_append_string(&text, "\\");
        }
        buffer_append(&text, *path == '\n' ? "?" : path, 1);
    }
    buffer_append_string(&text, "\"");
    const char *copy = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

static void write_module(PtxTranslator *t)
{
    const PtxLayout layout = ptx_layout(t->reasons, t->module);
    buffer_printf(t->out, "/* Translated from %s by samebits. Compile with -ffp-contract=off. */\n",
                  t->module->path);
    buffer_printf(t->out, "#define PTX_FILE %s\n#define SHARED_BYTES %llu\n\n",
                  quoted(t->arena, t->module->path),
                  (unsigned long long)(layout.largest ? layout.largest : 1));
    buffer_append_string(t->out, ptx_text_machine);
    buffer_append_string(t->out, "\n");
    write_module_variables(t);
    write_functions(t, &layout);
    buffer_append_string(t->out, "#line 1 \"entries\"\n");
    write_entries(t, &layout);
}

static const char *reasons_text(const PtxReasons *reasons)
{
    return reasons->count > PTX_REASONS ? arena_printf(reasons->arena, "%s\n%s: %d more", reasons->text,
                                                       reasons->path, reasons->count - PTX_REASONS)
                                        : reasons->text;
}

/* Parsed, with what the contract forbids among the reasons; NULL when it is no PTX. */
static PtxModule *read_module(PtxReasons *reasons, const char **why)
{
    Buffer text = {0};
    *why = buffer_read_file(&text, reasons->path, largest_file);
    PtxModule *module = *why ? NULL : ptx_parse(reasons->arena, reasons, buffer_string(&text), text.size);
    *why = *why ? arena_printf(reasons->arena, "%s: %s", reasons->path, *why) : NULL;
    buffer_destroy(&text);
    if (module) {
        ptx_forbid(reasons, module);
    }
    return module;
}

const char *ptx_check(Arena *arena, const char *ptx)
{
    PtxReasons reasons = {.arena = arena, .path = ptx};
    const char *why;
    read_module(&reasons, &why);
    return why ? why : reasons_text(&reasons);
}

const char *ptx_translate(Arena *arena, const char *ptx, const char *c)
{
    PtxReasons reasons = {.arena = arena, .path = ptx};
    Buffer out = {0};
    const char *why;
    PtxModule *module = read_module(&reasons, &why);
    if (module && reasons.count == 0) {
        PtxTranslator t = {.arena = arena, .reasons = &reasons, .module = module, .out = &out};
        write_module(&t);
    }
    why = why ? why : reasons_text(&reasons);
    if (!why) {
        why = buffer_write_file(&out, c);
        why = why ? arena_printf(arena, "%s: %s", c, why) : NULL;
    }
    buffer_destroy(&out);
    return why;
}
