/* parse.c: tokens to a module.
 *
 * Syntax only: whether an instruction exists, and whether its operands fit, is the translator's to say. The
 * first error ends the parse: from there on the parser sees the end of the text, so every loop comes to its
 * end. Recursion nowhere: braces in a body are statements, operand lists do not nest. */
#include "ptx/lex.h"
#include "ptx/module.h"
#include "text/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t largest_variable = 16u << 20; /* bytes; a device gives a thread 512 KiB of locals */
enum { LARGEST_REGISTERS = 1 << 17, DEEPEST_BLOCK = 64 };

typedef struct Parser {
    PtxReasons *reasons;
    PtxLexer lexer;
    PtxToken token; /* the one being looked at */
    bool failed;
    PtxModule *module;
} Parser;

void ptx_refuse(PtxReasons *reasons, int line, const char *format, ...)
{
    if (++reasons->count > PTX_REASONS) {
        return;
    }
    Buffer text = {0};
    va_list arguments;
    va_start(arguments, format);
    const char *what = arena_vprintf(reasons->arena, format, arguments);
    va_end(arguments);
    buffer_printf(&text, "%s%s%s:%d: error: %s", reasons->text ? reasons->text : "",
                  reasons->text ? "\n" : "", reasons->path, line, what);
    reasons->text = arena_copy(reasons->arena, buffer_string(&text));
    buffer_destroy(&text);
}

/* ---- tokens ---- */

static void fail(Parser *parser, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(Parser *parser, const char *format, ...)
{
    if (parser->failed) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    const char *what = arena_vprintf(parser->reasons->arena, format, arguments);
    va_end(arguments);
    ptx_refuse(parser->reasons, parser->token.line, "%s", what);
    parser->failed = true;
    parser->lexer.at = parser->lexer.end;
    parser->token = (PtxToken){.kind = PTX_TOKEN_END, .line = parser->token.line};
}

static void next(Parser *parser)
{
    parser->token = ptx_lex(&parser->lexer);
    if (parser->token.kind == PTX_TOKEN_BAD) {
        fail(parser, "%s", parser->token.text);
    }
}

static bool at_end(const Parser *parser)
{
    return parser->token.kind == PTX_TOKEN_END;
}

static bool at_mark(const Parser *parser, char mark)
{
    return parser->token.kind == PTX_TOKEN_MARK && parser->token.mark == mark;
}

static bool at_word(const Parser *parser, const char *word)
{
    return parser->token.kind == PTX_TOKEN_WORD && strcmp(parser->token.text, word) == 0;
}

static bool take_mark(Parser *parser, char mark)
{
    const bool there = at_mark(parser, mark);
    if (there) {
        next(parser);
    }
    return there;
}

static bool take_word(Parser *parser, const char *word)
{
    const bool there = at_word(parser, word);
    if (there) {
        next(parser);
    }
    return there;
}

static void want_mark(Parser *parser, char mark)
{
    if (!take_mark(parser, mark)) {
        fail(parser, "'%c' expected", mark);
    }
}

static const char *want_name(Parser *parser)
{
    if (parser->token.kind != PTX_TOKEN_WORD) {
        fail(parser, "a name expected");
        return "";
    }
    const char *name = parser->token.text;
    next(parser);
    return name;
}

static uint64_t want_integer(Parser *parser)
{
    const bool minus = take_mark(parser, '-');
    const uint64_t value = parser->token.value;
    if (parser->token.kind != PTX_TOKEN_INTEGER) {
        fail(parser, "an integer expected");
        return 0;
    }
    next(parser);
    return minus ? 0 - value : value;
}

/* The rest of a directive that ends with its line (.loc, .file, .version, .target). */
static void skip_line(Parser *parser)
{
    const int line = parser->token.line;
    while (!at_end(parser) && parser->token.line == line) {
        next(parser);
    }
}

/* ---- arrays that grow in the arena ---- */

static void *grow(Arena *arena, void *array, int count, size_t size)
{
    if ((count & (count - 1)) != 0) { /* room is the power of two not below the count */
        return array;
    }
    void *wider = arena_alloc(arena, count ? (size_t)count * 2 : 1, size);
    if (count) {
        memcpy(wider, array, (size_t)count * size);
    }
    return wider;
}
#define APPEND(parser, array, count, value)                                                                  \
    ((array) = grow((parser)->lexer.arena, (array), (count), sizeof *(array)), (array)[(count)++] = (value))

/* ---- variables ---- */

PtxType ptx_type(const char *word)
{
    static const struct {
        const char *word;
        PtxType type;
    } types[] = {{"b8", {'b', 8}},   {"b16", {'b', 16}}, {"b32", {'b', 32}}, {"b64", {'b', 64}},
                 {"u8", {'u', 8}},   {"u16", {'u', 16}}, {"u32", {'u', 32}}, {"u64", {'u', 64}},
                 {"s8", {'s', 8}},   {"s16", {'s', 16}}, {"s32", {'s', 32}}, {"s64", {'s', 64}},
                 {"f32", {'f', 32}}, {"f64", {'f', 64}}, {"pred", {'p', 1}}};
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
        if (strcmp(word, types[k].word) == 0) {
            return types[k].type;
        }
    }
    return (PtxType){0, 0};
}

static bool take_space(Parser *parser, PtxSpace *space)
{
    static const struct {
        const char *word;
        PtxSpace space;
    } spaces[] = {{".global", PTX_GLOBAL}, {".const", PTX_GLOBAL}, {".shared", PTX_SHARED},
                  {".local", PTX_LOCAL},   {".param", PTX_PARAM},  {".reg", PTX_REGISTER}};
    for (size_t k = 0; k < sizeof spaces / sizeof spaces[0]; k++) {
        if (take_word(parser, spaces[k].word)) {
            *space = spaces[k].space;
            return true;
        }
    }
    return false;
}

/* `.ptr .global .align 4` after a parameter's type: a promise about the pointer, no use here. */
static void skip_pointer_facts(Parser *parser)
{
    PtxSpace ignored;
    if (take_word(parser, ".ptr")) {
        take_space(parser, &ignored);
        if (take_word(parser, ".align")) {
            want_integer(parser);
        }
    }
}

/* [.align n] .type: what stands before the names. */
static void read_head(Parser *parser, PtxVariable *variable)
{
    if (take_word(parser, ".align")) {
        const uint64_t align = want_integer(parser);
        if (align == 0 || align > 128 || (align & (align - 1)) != 0) {
            fail(parser, "an alignment is a power of two up to 128");
        }
        variable->align = (uint32_t)align;
    }
    if (parser->token.kind == PTX_TOKEN_WORD && parser->token.text[0] == '.') {
        variable->type = ptx_type(parser->token.text + 1);
    }
    if (variable->type.kind == 0) {
        fail(parser, "no type that is known here: %s",
             parser->token.kind == PTX_TOKEN_WORD ? parser->token.text : "");
    } else {
        next(parser);
    }
    skip_pointer_facts(parser);
    if (variable->align == 0) {
        variable->align = variable->type.bits >= 8 ? (uint32_t)variable->type.bits / 8 : 1;
    }
}

static uint64_t element_bytes(const PtxVariable *variable)
{
    return variable->type.bits < 8 ? 1 : (uint64_t)variable->type.bits / 8;
}

/* Name, then <n> of registers or [n][m] of arrays. */
static void read_name(Parser *parser, PtxVariable *variable)
{
    variable->line = parser->token.line;
    variable->name = want_name(parser);
    variable->count = 1;
    if (variable->space == PTX_REGISTER && take_mark(parser, '<')) {
        variable->count = want_integer(parser);
        variable->numbered = true;
        want_mark(parser, '>');
        if (variable->count > LARGEST_REGISTERS) {
            fail(parser, "more than %d registers", LARGEST_REGISTERS);
        }
        return;
    }
    while (variable->space != PTX_REGISTER && take_mark(parser, '[')) {
        const uint64_t count = at_mark(parser, ']') ? 0 : want_integer(parser);
        want_mark(parser, ']');
        if (count > largest_variable / element_bytes(variable) ||
            (count && variable->count > largest_variable / element_bytes(variable) / count)) {
            fail(parser, "more than %d MiB in one variable", (int)(largest_variable >> 20));
            return;
        }
        variable->count *= count;
    }
}

static void read_element(Parser *parser, const PtxVariable *variable, unsigned char *data, uint64_t index)
{
    const bool minus = take_mark(parser, '-');
    const PtxToken token = parser->token;
    const bool fits = token.kind == PTX_TOKEN_INTEGER ||
                      (token.kind == PTX_TOKEN_F32 && variable->type.bits == 32) ||
                      (token.kind == PTX_TOKEN_F64 && variable->type.bits == 64);
    if (!fits || (minus && token.kind != PTX_TOKEN_INTEGER)) {
        fail(parser, "an initial value that is no constant of the variable's type");
        return;
    }
    next(parser);
    if (index >= variable->count) {
        fail(parser, "more initial values than elements");
        return;
    }
    const uint64_t value = minus ? 0 - token.value : token.value;
    for (uint64_t byte = 0; byte < element_bytes(variable); byte++) { /* PTX memory is little-endian */
        data[index * element_bytes(variable) + byte] = (unsigned char)(value >> (8 * byte));
    }
}

static void read_initial(Parser *parser, PtxVariable *variable)
{
    if (variable->space != PTX_GLOBAL) {
        fail(parser, "only module memory has initial values");
        return;
    }
    unsigned char *data = arena_alloc(parser->lexer.arena, variable->count + 1, element_bytes(variable));
    variable->data = data;
    if (!take_mark(parser, '{')) {
        read_element(parser, variable, data, 0);
        return;
    }
    uint64_t index = 0;
    do {
        read_element(parser, variable, data, index++);
    } while (take_mark(parser, ','));
    want_mark(parser, '}');
}

/* The space has been read. One declaration may name several variables. */
static const PtxVariable *read_variable(Parser *parser, PtxVariable head, bool first)
{
    PtxVariable *variable = ARENA_NEW(parser->lexer.arena, PtxVariable);
    *variable = head;
    if (first) {
        read_head(parser, variable);
    }
    read_name(parser, variable);
    if (take_mark(parser, '=')) {
        read_initial(parser, variable);
    }
    return variable;
}

/* ---- operands ---- */

static PtxOperand read_constant(Parser *parser)
{
    static const PtxOperandKind kinds[] = {[PTX_TOKEN_INTEGER] = PTX_OPERAND_INTEGER,
                                           [PTX_TOKEN_F32] = PTX_OPERAND_F32,
                                           [PTX_TOKEN_F64] = PTX_OPERAND_F64};
    const bool minus = take_mark(parser, '-');
    const PtxToken token = parser->token;
    if (token.kind != PTX_TOKEN_INTEGER && token.kind != PTX_TOKEN_F32 && token.kind != PTX_TOKEN_F64) {
        fail(parser, "an operand expected");
        return (PtxOperand){.kind = PTX_OPERAND_INTEGER};
    }
    next(parser);
    PtxOperand operand = {.kind = kinds[token.kind], .bits = token.value};
    if (minus) {
        const uint64_t sign = token.kind == PTX_TOKEN_F32 ? UINT64_C(1) << 31 : UINT64_C(1) << 63;
        operand.bits = token.kind == PTX_TOKEN_INTEGER ? 0 - token.value : token.value ^ sign;
    }
    return operand;
}

/* + n, + -n, - n, or nothing. */
static uint64_t read_offset(Parser *parser)
{
    if (take_mark(parser, '+')) {
        return want_integer(parser);
    }
    return at_mark(parser, '-') ? want_integer(parser) : 0;
}

static PtxOperand read_name_operand(Parser *parser)
{
    PtxOperand operand = {.kind = PTX_OPERAND_NAME};
    operand.negated = take_mark(parser, '!');
    operand.name = want_name(parser);
    if (take_mark(parser, '|')) {
        operand.second = want_name(parser);
    } else {
        operand.bits = read_offset(parser);
    }
    return operand;
}

static PtxOperand read_scalar(Parser *parser)
{
    return parser->token.kind == PTX_TOKEN_WORD || at_mark(parser, '!') ? read_name_operand(parser)
                                                                        : read_constant(parser);
}

static PtxOperand read_address(Parser *parser)
{
    PtxOperand operand = {.kind = PTX_OPERAND_ADDRESS};
    if (parser->token.kind == PTX_TOKEN_WORD) {
        operand.name = want_name(parser);
        operand.bits = read_offset(parser);
    } else {
        operand.bits = want_integer(parser);
    }
    want_mark(parser, ']');
    return operand;
}

static PtxOperand read_items(Parser *parser, PtxOperandKind kind, char close)
{
    PtxOperand *items = NULL;
    int count = 0;
    if (!at_mark(parser, close)) {
        do {
            if (count == PTX_ITEMS) {
                fail(parser, "more than %d operands in one list", PTX_ITEMS);
                break;
            }
            const PtxOperand item = read_scalar(parser);
            APPEND(parser, items, count, item);
        } while (take_mark(parser, ','));
    }
    want_mark(parser, close);
    return (PtxOperand){.kind = kind, .items = items, .count = count};
}

static PtxOperand read_operand(Parser *parser)
{
    if (take_mark(parser, '[')) {
        return read_address(parser);
    }
    if (take_mark(parser, '{')) {
        return read_items(parser, PTX_OPERAND_VECTOR, '}');
    }
    if (take_mark(parser, '(')) {
        return read_items(parser, PTX_OPERAND_LIST, ')');
    }
    return read_scalar(parser);
}

/* ---- statements ---- */

bool ptx_has_part(const PtxInstruction *instruction, const char *part)
{
    for (int k = 1; k < instruction->parts; k++) {
        if (strcmp(instruction->part[k], part) == 0) {
            return true;
        }
    }
    return false;
}

static void split_opcode(Parser *parser, PtxInstruction *instruction)
{
    const char *at = instruction->opcode;
    for (;;) {
        const size_t size = strcspn(at, ".");
        if (size == 0 || instruction->parts == PTX_PARTS) {
            fail(parser, "no instruction that is known here: '%s'", instruction->opcode);
            return;
        }
        instruction->part[instruction->parts++] = arena_copy_bytes(parser->lexer.arena, at, size);
        if (at[size] == '\0') {
            return;
        }
        at += size + 1;
    }
}

static void read_operands(Parser *parser, PtxInstruction *instruction)
{
    if (take_mark(parser, ';')) {
        return;
    }
    do {
        if (instruction->operands == PTX_OPERANDS) {
            fail(parser, "more than %d operands", PTX_OPERANDS);
            return;
        }
        instruction->operand[instruction->operands++] = read_operand(parser);
    } while (take_mark(parser, ','));
    want_mark(parser, ';');
}

static void add_statement(Parser *parser, PtxFunction *function, PtxStatement statement)
{
    APPEND(parser, function->statement, function->statements, statement);
}

/* A guard or an opcode or a label is being looked at. */
static void read_instruction(Parser *parser, PtxFunction *function)
{
    PtxInstruction *instruction = ARENA_NEW(parser->lexer.arena, PtxInstruction);
    const int line = parser->token.line;
    if (take_mark(parser, '@')) {
        instruction->guard_negated = take_mark(parser, '!');
        instruction->guard = want_name(parser);
    }
    instruction->opcode = want_name(parser);
    if (!instruction->guard && take_mark(parser, ':')) {
        add_statement(
            parser, function,
            (PtxStatement){.kind = PTX_STATEMENT_LABEL, .line = line, .label = instruction->opcode});
        return;
    }
    split_opcode(parser, instruction);
    read_operands(parser, instruction);
    add_statement(
        parser, function,
        (PtxStatement){.kind = PTX_STATEMENT_INSTRUCTION, .line = line, .instruction = instruction});
}

static void read_local_variables(Parser *parser, PtxFunction *function, PtxSpace space)
{
    PtxVariable head = {.space = space};
    bool first = true;
    do {
        const PtxVariable *variable = read_variable(parser, head, first);
        add_statement(
            parser, function,
            (PtxStatement){.kind = PTX_STATEMENT_VARIABLE, .line = variable->line, .variable = variable});
        head = (PtxVariable){.space = space, .type = variable->type, .align = variable->align};
        first = false;
    } while (take_mark(parser, ','));
    want_mark(parser, ';');
}

/* False: none of the directives that a body may have. */
static bool read_body_directive(Parser *parser, PtxFunction *function)
{
    PtxSpace space;
    if (take_space(parser, &space)) {
        read_local_variables(parser, function, space);
    } else if (at_word(parser, ".loc") || at_word(parser, ".file")) {
        skip_line(parser);
    } else if (take_word(parser, ".pragma")) { /* hints to ptxas: unrolling and the like */
        while (!at_end(parser) && !at_mark(parser, ';')) {
            next(parser);
        }
        want_mark(parser, ';');
    } else {
        return false;
    }
    return true;
}

static void read_statement(Parser *parser, PtxFunction *function)
{
    if (parser->token.kind == PTX_TOKEN_WORD && parser->token.text[0] == '.') {
        if (!read_body_directive(parser, function)) {
            fail(parser, "directive '%s' is not supported", parser->token.text);
        }
    } else if (parser->token.kind == PTX_TOKEN_WORD || at_mark(parser, '@')) {
        read_instruction(parser, function);
    } else {
        fail(parser, "an instruction expected");
    }
}

static void read_body(Parser *parser, PtxFunction *function)
{
    int depth = 1;
    function->body = true;
    while (depth > 0 && !at_end(parser)) {
        const PtxStatement brace = {.line = parser->token.line,
                                    .kind = at_mark(parser, '{') ? PTX_STATEMENT_OPEN : PTX_STATEMENT_CLOSE};
        if (take_mark(parser, '{')) {
            if (++depth > DEEPEST_BLOCK) {
                fail(parser, "more than %d blocks inside each other", DEEPEST_BLOCK);
            }
            add_statement(parser, function, brace);
        } else if (take_mark(parser, '}')) {
            if (--depth > 0) {
                add_statement(parser, function, brace);
            }
        } else {
            read_statement(parser, function);
        }
    }
    if (depth > 0) {
        fail(parser, "the end of '%s' is missing: is the file cut off?", function->name);
    }
}

/* ---- functions ---- */

static PtxVariable *read_params(Parser *parser, int *count)
{
    PtxVariable *params = NULL;
    want_mark(parser, '(');
    if (take_mark(parser, ')')) {
        return NULL;
    }
    do {
        PtxVariable head = {0};
        if (!take_space(parser, &head.space) || head.space != PTX_PARAM) {
            fail(parser, "a parameter is in the .param space here");
            break;
        }
        const PtxVariable *param = read_variable(parser, head, true);
        if (*count == PTX_ITEMS) {
            fail(parser, "more than %d parameters", PTX_ITEMS);
            break;
        }
        APPEND(parser, params, *count, *param);
    } while (take_mark(parser, ','));
    want_mark(parser, ')');
    return params;
}

/* .maxntid 1024, 1, 1 and the like: limits for ptxas, which change no value. */
static void skip_function_facts(Parser *parser)
{
    while (parser->token.kind == PTX_TOKEN_WORD && parser->token.text[0] == '.') {
        static const char *const facts[] = {".maxntid", ".reqntid",  ".minnctapersm",  ".maxnctapersm",
                                            ".maxnreg", ".noreturn", ".maxclusterrank"};
        bool known = false;
        for (size_t k = 0; k < sizeof facts / sizeof facts[0]; k++) {
            known = known || at_word(parser, facts[k]);
        }
        if (!known) {
            fail(parser, "directive '%s' is not supported", parser->token.text);
            return;
        }
        next(parser);
        while (parser->token.kind == PTX_TOKEN_INTEGER || at_mark(parser, ',')) {
            next(parser);
        }
    }
}

static PtxFunction *find_function(const PtxModule *module, const char *name)
{
    for (int f = 0; f < module->functions; f++) {
        if (strcmp(module->function[f].name, name) == 0) {
            return &module->function[f];
        }
    }
    return NULL;
}

static void add_function(Parser *parser, const PtxFunction *function)
{
    PtxFunction *earlier = find_function(parser->module, function->name);
    if (earlier && earlier->body && function->body) {
        fail(parser, "'%s' is defined twice (first at line %d)", function->name, earlier->line);
    } else if (earlier) {
        *earlier = function->body ? *function : *earlier;
    } else {
        APPEND(parser, parser->module->function, parser->module->functions, *function);
    }
}

static void read_function(Parser *parser, bool entry)
{
    PtxFunction function = {.entry = entry, .line = parser->token.line};
    if (!entry && at_mark(parser, '(')) {
        function.result = read_params(parser, &function.results);
    }
    function.name = want_name(parser);
    if (at_mark(parser, '(')) {
        function.param = read_params(parser, &function.params);
    }
    skip_function_facts(parser);
    if (!take_mark(parser, ';')) {
        want_mark(parser, '{');
        read_body(parser, &function);
    }
    if (!parser->failed) {
        add_function(parser, &function);
    }
}

/* ---- the module ---- */

static void skip_section(Parser *parser)
{
    next(parser);
    while (!at_end(parser) && !take_mark(parser, '}')) {
        next(parser);
    }
}

static void read_module_variables(Parser *parser, PtxSpace space, bool external)
{
    if (space == PTX_REGISTER || space == PTX_PARAM || space == PTX_LOCAL) {
        fail(parser, "only .global, .const and .shared variables stand outside of a function");
        return;
    }
    PtxVariable head = {.space = space, .external = external};
    const PtxVariable *variable = read_variable(parser, head, true);
    APPEND(parser, parser->module->variable, parser->module->variables, *variable);
    want_mark(parser, ';');
}

static void read_address_size(Parser *parser)
{
    if (want_integer(parser) != 64) {
        fail(parser, "addresses of 64 bits are supported, no others");
    }
}

static bool take_linkage(Parser *parser, bool *external)
{
    *external = *external || at_word(parser, ".extern");
    return take_word(parser, ".visible") || take_word(parser, ".weak") || take_word(parser, ".extern") ||
           take_word(parser, ".common");
}

static void read_declaration(Parser *parser)
{
    bool external = false;
    PtxSpace space;
    while (take_linkage(parser, &external)) {
    }
    if (take_word(parser, ".entry")) {
        read_function(parser, true);
    } else if (take_word(parser, ".func")) {
        read_function(parser, false);
    } else if (take_space(parser, &space)) {
        read_module_variables(parser, space, external);
    } else {
        fail(parser, "no declaration that is known here%s%s", parser->token.text ? ": " : "",
             parser->token.text ? parser->token.text : "");
    }
}

static void read_top(Parser *parser)
{
    if (at_word(parser, ".version") || at_word(parser, ".target") || at_word(parser, ".file") ||
        at_word(parser, ".loc")) {
        skip_line(parser);
    } else if (take_word(parser, ".address_size")) {
        read_address_size(parser);
    } else if (at_word(parser, ".section")) {
        skip_section(parser);
    } else {
        read_declaration(parser);
    }
}

PtxModule *ptx_parse(Arena *arena, PtxReasons *reasons, const char *text, size_t size)
{
    Parser parser = {.reasons = reasons,
                     .lexer = {.arena = arena, .at = text, .end = text + size, .line = 1},
                     .module = ARENA_NEW(arena, PtxModule)};
    parser.module->path = reasons->path;
    next(&parser);
    if (!parser.failed && !at_word(&parser, ".version")) {
        fail(&parser, "this is not PTX: it begins with .version");
    }
    while (!at_end(&parser)) {
        read_top(&parser);
    }
    return parser.failed ? NULL : parser.module;
}
