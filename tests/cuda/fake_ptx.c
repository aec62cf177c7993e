/* fake_ptx.c: an interpreter of the PTX that Clang makes of kernels, one state per thread.
 *
 * Source: NVIDIA, PTX ISA, "Instruction set". What is not here (.approx, atomics, functions) ends a launch
 * with a message. Registers are 64 bits wide; a binary32 value is in the low half. */
#include "fake_ptx.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME = 96,
    ENTRIES = 32,
    PARAMETERS = 64,
    OPERANDS = 8,
    MODIFIERS = 8,
    SHARED_BYTES = 48 << 10,
    LOCAL_BYTES = 16 << 10,
    WARP = 32
};
static const uint64_t shared_base = UINT64_C(1) << 56, local_base = UINT64_C(1) << 57,
                      global_base = UINT64_C(0x700000000000);

/* ---- memory ---- */

unsigned long long fake_memory_create(FakeMemory *memory, size_t bytes)
{
    static unsigned long long next = 0;
    if (memory->count == FAKE_ALLOCATIONS)
        abort();
    const unsigned long long address = global_base + next;
    next += (bytes + 4096) / 256 * 256; /* with a hole behind it */
    memory->item[memory->count].address = address;
    memory->item[memory->count].bytes = bytes;
    memory->item[memory->count].data = malloc(bytes);
    memset(memory->item[memory->count].data, 0xcd, bytes);
    memory->count++;
    return address;
}

bool fake_memory_destroy(FakeMemory *memory, unsigned long long address)
{
    for (int i = 0; i < memory->count; i++)
        if (memory->item[i].address == address) {
            free(memory->item[i].data);
            memory->item[i] = memory->item[--memory->count];
            return true;
        }
    return false;
}

void *fake_memory_at(const FakeMemory *memory, unsigned long long address, size_t bytes)
{
    for (int i = 0; i < memory->count; i++)
        if (address >= memory->item[i].address &&
            address - memory->item[i].address <= memory->item[i].bytes &&
            bytes <= memory->item[i].bytes - (address - memory->item[i].address))
            return memory->item[i].data + (address - memory->item[i].address);
    return NULL;
}

/* ---- text as data ---- */

typedef enum TypeKind { NONE, PRED, BITS, UNSIGNED, SIGNED, FLOAT } TypeKind;
typedef struct Type {
    TypeKind kind;
    int bits;
} Type;

typedef enum OperandKind { REGISTER, IMMEDIATE, MEMORY, SPECIAL, LABEL, PARAMETER, UNUSED } OperandKind;
typedef struct Operand {
    OperandKind kind;
    int slot;       /* register; memory: base register or -1 */
    uint64_t value; /* immediate, offset, address; label: target */
    char name[NAME];
    int part[4], parts; /* {a, b, c, d} */
    int predicate;      /* d|p: slot of p, or -1 */
} Operand;

typedef enum Op {
    OP_ABS,
    OP_ADD,
    OP_AND,
    OP_BAR,
    OP_BARWARP,
    OP_BRA,
    OP_CVT,
    OP_CVTA,
    OP_DIV,
    OP_FENCE,
    OP_FMA,
    OP_LD,
    OP_MAD,
    OP_MAX,
    OP_MIN,
    OP_MOV,
    OP_MUL,
    OP_NEG,
    OP_NOT,
    OP_OR,
    OP_RCP,
    OP_REM,
    OP_RET,
    OP_SELP,
    OP_SETP,
    OP_SHF,
    OP_SHFL,
    OP_SHL,
    OP_SHR,
    OP_SQRT,
    OP_ST,
    OP_SUB,
    OP_XOR,
    OPS
} Op;
static const char *const op_names[OPS] = {
    "abs", "add",  "and",  "bar", "",     "bra", "cvt", "cvta", "div", "membar", "fma",
    "ld",  "mad",  "max",  "min", "mov",  "mul", "neg", "not",  "or",  "rcp",    "rem",
    "ret", "selp", "setp", "shf", "shfl", "shl", "shr", "sqrt", "st",  "sub",    "xor"};

typedef struct Instruction {
    Op op;
    int line, guard; /* slot of the predicate, or -1 */
    bool negated;
    Type type, from;
    char modifier[MODIFIERS][12];
    int modifiers, operands;
    bool wide, high, nan;
    char space; /* of a load or store: g, s, l, p; 0: generic */
    Operand operand[OPERANDS];
} Instruction;

struct PtxEntry {
    char name[NAME];
    PtxParameter parameter[PARAMETERS];
    char parameter_name[PARAMETERS][NAME];
    int parameters;
    Instruction *code;
    int count, capacity;
    char (*reg)[NAME];
    int regs, reg_capacity;
    struct {
        char name[NAME];
        int at;
    } label[2048];
    int labels;
    struct {
        char name[NAME];
        uint64_t address;
    } variable[128];
    int variables;
    uint64_t shared, local;
};

struct PtxText {
    PtxEntry *entry[ENTRIES];
    int entries;
};

typedef struct Reader {
    char *text, *at;
    char *why;
    size_t why_size;
    bool failed;
    PtxText *result;
    PtxEntry *entry;
} Reader;

static int line_of(const Reader *reader, const char *at)
{
    int line = 1;
    for (const char *c = reader->text; c < at; c++)
        line += *c == '\n';
    return line;
}

__attribute__((format(printf, 2, 3))) static void fail(Reader *reader, const char *format, ...)
{
    if (reader->failed)
        return;
    const int used = snprintf(reader->why, reader->why_size, "line %d: ", line_of(reader, reader->at));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->why + used, reader->why_size - (size_t)used, format, arguments);
    va_end(arguments);
    reader->failed = true;
}

static void blank_comments(char *text)
{
    for (char *at = text; *at; at++) {
        if (at[0] == '/' && at[1] == '/')
            for (; *at && *at != '\n'; at++)
                *at = ' ';
        else if (at[0] == '/' && at[1] == '*') {
            for (; *at && !(at[0] == '*' && at[1] == '/'); at++)
                *at = *at == '\n' ? '\n' : ' ';
            if (*at)
                at[0] = at[1] = ' ';
        }
        if (!*at)
            break;
    }
}

static Type type_of(const char *name)
{
    static const struct {
        const char *name;
        TypeKind kind;
    } letters[] = {{"b", BITS}, {"u", UNSIGNED}, {"s", SIGNED}, {"f", FLOAT}};
    if (!strcmp(name, "pred"))
        return (Type){PRED, 1};
    for (size_t i = 0; i < 4; i++)
        if (name[0] == letters[i].name[0] && isdigit((unsigned char)name[1])) {
            char *end;
            const long bits = strtol(name + 1, &end, 10);
            if (!*end && (bits == 8 || bits == 16 || bits == 32 || bits == 64))
                return (Type){letters[i].kind, (int)bits};
        }
    return (Type){NONE, 0};
}

static int slot_of(PtxEntry *entry, const char *name)
{
    for (int i = 0; i < entry->regs; i++)
        if (!strcmp(entry->reg[i], name))
            return i;
    if (entry->regs == entry->reg_capacity) {
        entry->reg_capacity = entry->reg_capacity ? 2 * entry->reg_capacity : 128;
        entry->reg = realloc(entry->reg, (size_t)entry->reg_capacity * sizeof *entry->reg);
    }
    snprintf(entry->reg[entry->regs], NAME, "%s", name);
    return entry->regs++;
}

static void trim(char *text)
{
    char *from = text + strspn(text, " \t\r\n");
    size_t length = strlen(from);
    while (length > 0 && isspace((unsigned char)from[length - 1]))
        length--;
    memmove(text, from, length);
    text[length] = '\0';
}

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool read_number(const char *text, uint64_t *value)
{
    char *end;
    if (text[0] == '0' && (text[1] == 'f' || text[1] == 'F' || text[1] == 'd' || text[1] == 'D'))
        *value = strtoull(text + 2, &end, 16);
    else if (isdigit((unsigned char)*text) || *text == '-')
        *value = *text == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);
    else
        return false;
    return *end == '\0' || !strcmp(end, "U");
}

static bool variable_address(const PtxEntry *entry, const char *name, uint64_t *address)
{
    for (int i = 0; i < entry->variables; i++)
        if (!strcmp(entry->variable[i].name, name)) {
            *address = entry->variable[i].address;
            return true;
        }
    return false;
}

static bool parameter_offset(const PtxEntry *entry, const char *name, uint64_t *offset)
{
    for (int i = 0; i < entry->parameters; i++)
        if (!strcmp(entry->parameter_name[i], name)) {
            *offset = entry->parameter[i].offset;
            return true;
        }
    return false;
}

static bool is_special(const char *name)
{
    static const char *const names[] = {"%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.x", "%laneid", NULL};
    for (int i = 0; names[i]; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

/* [%rd1+4], [name], [name+8] */
static void read_address(Reader *reader, char *text, Operand *operand)
{
    char *close = strchr(text, ']');
    uint64_t offset = 0, base = 0;
    operand->kind = MEMORY;
    operand->slot = -1;
    if (!close) {
        fail(reader, "']' is missing");
        return;
    }
    *close = '\0';
    char *plus = strpbrk(text + 2, "+-");
    if (plus) {
        const bool minus = *plus == '-';
        *plus = '\0';
        offset = strtoull(plus + 1, NULL, 0);
        offset = minus ? 0 - offset : offset;
    }
    char *name = text + 1;
    trim(name);
    if (*name == '%')
        operand->slot = slot_of(reader->entry, name);
    else if (!parameter_offset(reader->entry, name, &base) && !variable_address(reader->entry, name, &base) &&
             !read_number(name, &base))
        fail(reader, "unknown name %s", name);
    operand->value = base + offset;
}

static void read_parts(Reader *reader, char *text, Operand *operand)
{
    char *rest = text + 1, *close = strchr(text, '}');
    operand->kind = REGISTER;
    if (close)
        *close = '\0';
    for (char *part; (part = strsep(&rest, ",")) != NULL && operand->parts < 4;) {
        trim(part);
        operand->part[operand->parts++] = slot_of(reader->entry, part);
    }
}

static void read_operand(Reader *reader, char *text, Operand *operand)
{
    *operand = (Operand){.slot = -1, .predicate = -1};
    trim(text);
    char *bar = *text == '%' ? strchr(text, '|') : NULL;
    if (bar) {
        *bar = '\0';
        operand->predicate = slot_of(reader->entry, bar + 1);
    }
    snprintf(operand->name, NAME, "%s", text);
    if (*text == '[')
        read_address(reader, text, operand);
    else if (*text == '{')
        read_parts(reader, text, operand);
    else if (*text == '_')
        operand->kind = UNUSED;
    else if (is_special(text))
        operand->kind = SPECIAL;
    else if (*text == '%') {
        operand->kind = REGISTER;
        operand->slot = slot_of(reader->entry, text);
    } else if (read_number(text, &operand->value))
        operand->kind = IMMEDIATE;
    else
        operand->kind = variable_address(reader->entry, text, &operand->value) ? IMMEDIATE : LABEL;
}

static bool has(const Instruction *instruction, const char *modifier)
{
    for (int i = 0; i < instruction->modifiers; i++)
        if (!strcmp(instruction->modifier[i], modifier))
            return true;
    return false;
}

static void read_opcode(Reader *reader, char *text, Instruction *instruction)
{
    char whole[NAME];
    snprintf(whole, sizeof whole, "%s", text);
    char *rest = whole, *base = strsep(&rest, ".");
    instruction->op = OPS;
    for (int i = 0; i < OPS; i++)
        if (*op_names[i] && !strcmp(base, op_names[i]))
            instruction->op = (Op)i;
    if (!strcmp(base, "barrier"))
        instruction->op = OP_BAR;
    if (!strcmp(base, "exit"))
        instruction->op = OP_RET;
    for (char *part; (part = strsep(&rest, ".")) != NULL;) {
        const Type type = type_of(part);
        if (type.kind != NONE && instruction->type.kind == NONE)
            instruction->type = type;
        else if (type.kind != NONE)
            instruction->from = type;
        else if (instruction->modifiers < MODIFIERS)
            snprintf(instruction->modifier[instruction->modifiers++], sizeof *instruction->modifier, "%s",
                     part);
    }
    instruction->wide = has(instruction, "wide");
    instruction->high = has(instruction, "hi");
    instruction->nan = has(instruction, "NaN");
    instruction->space = has(instruction, "global")   ? 'g'
                         : has(instruction, "shared") ? 's'
                         : has(instruction, "local")  ? 'l'
                         : has(instruction, "param")  ? 'p'
                                                      : '\0';
    if (instruction->op == OP_BAR && has(instruction, "warp"))
        instruction->op = OP_BARWARP;
    if (instruction->op == OPS || has(instruction, "approx") || has(instruction, "ftz") ||
        has(instruction, "full") || has(instruction, "sat"))
        fail(reader, "%s is not interpreted", text);
}

static void read_operands(Reader *reader, char *text, Instruction *instruction)
{
    int depth = 0;
    char *start = text;
    for (char *at = text;; at++) {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        if ((*at == ',' && depth == 0) || *at == '\0') {
            const bool last = *at == '\0';
            *at = '\0';
            trim(start);
            if (*start && instruction->operands < OPERANDS)
                read_operand(reader, start, &instruction->operand[instruction->operands++]);
            if (last)
                return;
            start = at + 1;
        }
    }
}

static void read_instruction(Reader *reader, char *statement)
{
    PtxEntry *entry = reader->entry;
    if (entry->count == entry->capacity) {
        entry->capacity = entry->capacity ? 2 * entry->capacity : 256;
        entry->code = realloc(entry->code, (size_t)entry->capacity * sizeof *entry->code);
    }
    Instruction *instruction = &entry->code[entry->count++];
    *instruction = (Instruction){.guard = -1, .line = line_of(reader, reader->at)};
    if (*statement == '@') {
        char *end = statement + strcspn(statement, " \t");
        const bool more = *end != '\0';
        *end = '\0';
        instruction->negated = statement[1] == '!';
        instruction->guard = slot_of(entry, statement + 1 + instruction->negated);
        statement = end + more;
        statement += strspn(statement, " \t");
    }
    char *end = statement + strcspn(statement, " \t\n");
    const bool more = *end != '\0';
    *end = '\0';
    read_opcode(reader, statement, instruction);
    if (more)
        read_operands(reader, end + 1, instruction);
}

/* .shared .align 4 .b8 name[128] */
static void read_variable(Reader *reader, char *statement)
{
    PtxEntry *entry = reader->entry;
    const bool shared = !strncmp(statement, ".shared", 7);
    uint64_t *used = shared ? &entry->shared : &entry->local, align = 1, bytes = 1, count = 1;
    char *rest = statement, name[NAME] = "";
    for (char *word; (word = strsep(&rest, " \t\n")) != NULL;) {
        const Type type = *word == '.' ? type_of(word + 1) : (Type){NONE, 0};
        if (!strcmp(word, ".align") && rest)
            align = strtoull(rest, &rest, 10);
        else if (type.kind != NONE)
            bytes = (uint64_t)type.bits / 8;
        else if (*word != '.' && *word)
            snprintf(name, sizeof name, "%s", word);
    }
    char *bracket = strchr(name, '[');
    if (bracket) {
        *bracket = '\0';
        count = strtoull(bracket + 1, NULL, 10);
    }
    align = align < bytes ? bytes : align;
    *used = (*used + align - 1) / align * align;
    snprintf(entry->variable[entry->variables].name, NAME, "%s", name);
    entry->variable[entry->variables++].address = *used;
    *used += bytes * count;
    if (entry->shared > SHARED_BYTES || entry->local > LOCAL_BYTES || entry->variables == 128)
        fail(reader, "too much memory for %s", name);
}

static void read_statement(Reader *reader, char *statement)
{
    PtxEntry *entry = reader->entry;
    trim(statement);
    for (;;) { /* labels, and the braces of inner scopes */
        char *colon = strchr(statement, ':'), *blank = strpbrk(statement, " \t\n[{");
        if (*statement == '{' || *statement == '}') {
            *statement = ' ';
        } else if (colon && (!blank || colon < blank)) {
            *colon = '\0';
            if (entry->labels == 2048)
                fail(reader, "too many labels");
            else {
                snprintf(entry->label[entry->labels].name, NAME, "%s", statement);
                entry->label[entry->labels++].at = entry->count;
            }
            memmove(statement, colon + 1, strlen(colon + 1) + 1);
        } else {
            break;
        }
        trim(statement);
    }
    if (!*statement || !strncmp(statement, ".reg", 4) || !strncmp(statement, ".pragma", 7))
        return;
    if (!strncmp(statement, ".shared", 7) || !strncmp(statement, ".local", 6))
        read_variable(reader, statement);
    else
        read_instruction(reader, statement);
}

static void resolve_labels(Reader *reader)
{
    PtxEntry *entry = reader->entry;
    for (int i = 0; i < entry->count && !reader->failed; i++) {
        Instruction *instruction = &entry->code[i];
        for (int k = 0; k < instruction->operands; k++) {
            Operand *operand = &instruction->operand[k];
            bool found = operand->kind != LABEL;
            for (int l = 0; l < entry->labels && !found; l++)
                if (!strcmp(entry->label[l].name, operand->name)) {
                    operand->value = (uint64_t)entry->label[l].at;
                    found = true;
                }
            if (!found)
                fail(reader, "unknown name %s", operand->name);
        }
    }
}

static void read_parameters(Reader *reader, char *text)
{
    PtxEntry *entry = reader->entry;
    size_t offset = 0;
    char *rest = text;
    for (char *item; (item = strsep(&rest, ",")) != NULL;) {
        char *words = item;
        size_t size = 0;
        char name[NAME] = "";
        for (char *word; (word = strsep(&words, " \t\r\n")) != NULL;) {
            const Type type = *word == '.' ? type_of(word + 1) : (Type){NONE, 0};
            if (type.kind != NONE)
                size = (size_t)type.bits / 8;
            else if (*word && *word != '.')
                snprintf(name, sizeof name, "%s", word);
        }
        if (!*name)
            continue;
        if (size == 0 || entry->parameters == PARAMETERS) {
            fail(reader, "parameter %s", name);
            return;
        }
        offset = (offset + size - 1) / size * size;
        entry->parameter[entry->parameters] = (PtxParameter){offset, size};
        snprintf(entry->parameter_name[entry->parameters++], NAME, "%s", name);
        offset += size;
    }
}

static char *body_end(char *at)
{
    int depth = 0;
    for (; *at; at++) {
        depth += (*at == '{') - (*at == '}');
        if (depth == 0)
            return at;
    }
    return NULL;
}

static void read_body(Reader *reader, char *from, char *to)
{
    for (reader->at = from + 1; reader->at < to && !reader->failed;) {
        char *end = memchr(reader->at, ';', (size_t)(to - reader->at));
        const size_t length = (size_t)((end ? end : to) - reader->at);
        char *statement = malloc(length + 1);
        memcpy(statement, reader->at, length);
        statement[length] = '\0';
        read_statement(reader, statement);
        free(statement);
        reader->at += length + 1;
    }
}

static void read_entry(Reader *reader)
{
    char *at = reader->at + strlen(".entry");
    at += strspn(at, " \t\r\n");
    const size_t name = strcspn(at, " \t\r\n({");
    PtxEntry *entry = calloc(1, sizeof *entry);
    reader->entry = entry;
    reader->result->entry[reader->result->entries++] = entry;
    snprintf(entry->name, NAME, "%.*s", (int)name, at);
    at += name + strspn(at + name, " \t\r\n");
    if (*at == '(') {
        char *close = strchr(at, ')');
        if (!close) {
            fail(reader, "')' is missing");
            return;
        }
        *close = '\0';
        read_parameters(reader, at + 1);
        at = close + 1;
    }
    char *open = strchr(at, '{'), *close = open ? body_end(open) : NULL;
    if (!close) {
        fail(reader, "'}' is missing");
        return;
    }
    read_body(reader, open, close);
    resolve_labels(reader);
    reader->at = close + 1;
}

PtxText *ptx_text_read(const char *text, char *why, size_t why_size)
{
    Reader reader = {.text = strdup(text), .why = why, .why_size = why_size};
    reader.at = reader.text;
    reader.result = calloc(1, sizeof *reader.result);
    blank_comments(reader.text);
    if (!strstr(reader.text, ".version") || !strstr(reader.text, ".target"))
        fail(&reader, "no .version or .target");
    if (strstr(reader.text, ".func"))
        fail(&reader, "functions are not interpreted");
    while (!reader.failed && reader.result->entries < ENTRIES &&
           (reader.at = strstr(reader.at, ".entry")) != NULL)
        read_entry(&reader);
    if (reader.failed) {
        ptx_text_destroy(reader.result);
        reader.result = NULL;
    }
    free(reader.text);
    return reader.result;
}

void ptx_text_destroy(PtxText *text)
{
    for (int i = 0; i < text->entries; i++) {
        free(text->entry[i]->code);
        free(text->entry[i]->reg);
        free(text->entry[i]);
    }
    free(text);
}

PtxEntry *ptx_text_entry(PtxText *text, const char *name)
{
    for (int i = 0; i < text->entries; i++)
        if (!strcmp(text->entry[i]->name, name))
            return text->entry[i];
    return NULL;
}

const char *ptx_entry_name(const PtxEntry *entry)
{
    return entry->name;
}

int ptx_entry_parameters(const PtxEntry *entry)
{
    return entry->parameters;
}

PtxParameter ptx_entry_parameter(const PtxEntry *entry, int index)
{
    return entry->parameter[index];
}

/* ---- threads ---- */

typedef enum State { RUNS, WAITS_BLOCK, WAITS_WARP, EXCHANGES, ENDED } State;
typedef struct Thread {
    uint64_t *reg;
    unsigned char *local;
    int at;
    State state;
    unsigned tid;
    int product; /* register that holds a product, for a device that contracts */
    float product_a, product_b;
    unsigned long long instructions;
} Thread;

typedef struct Machine {
    const PtxEntry *entry;
    const unsigned char *arguments;
    const FakeMemory *memory;
    PtxFlaws flaws;
    unsigned grid, block, index;
    unsigned char shared[SHARED_BYTES];
    Thread *thread;
    PtxEnd end;
    unsigned long long left;
} Machine;

static void stop(Machine *machine, PtxEndKind how, const Instruction *instruction, const char *why)
{
    if (machine->end.how != PTX_DONE)
        return;
    machine->end.how = how;
    snprintf(machine->end.why, sizeof machine->end.why, "%s, line %d: %s", machine->entry->name,
             instruction ? instruction->line : 0, why);
}

static float to_float(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

static uint64_t from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double to_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t mask_to(uint64_t value, int bits)
{
    return bits >= 64 ? value : value & ((UINT64_C(1) << bits) - 1);
}

static int64_t extend(uint64_t value, int bits)
{
    const int shift = 64 - bits;
    return (int64_t)(value << shift) >> shift;
}

static float flushed(const Machine *machine, float value)
{
    return machine->flaws.flush && fpclassify(value) == FP_SUBNORMAL ? copysignf(0, value) : value;
}

static void set_slot(Thread *thread, int slot, uint64_t value)
{
    if (thread->product == slot)
        thread->product = -1;
    thread->reg[slot] = value;
}

static void set(Thread *thread, const Instruction *instruction, uint64_t value)
{
    const Operand *to = &instruction->operand[0];
    if (to->kind == REGISTER && to->slot >= 0)
        set_slot(thread, to->slot, value);
}

static uint64_t special(const Machine *machine, const Thread *thread, const char *name)
{
    if (!strcmp(name, "%tid.x"))
        return thread->tid;
    if (!strcmp(name, "%ntid.x"))
        return machine->block;
    if (!strcmp(name, "%ctaid.x"))
        return machine->index;
    return !strcmp(name, "%nctaid.x") ? machine->grid : thread->tid % WARP;
}

static uint64_t get(const Machine *machine, const Thread *thread, const Instruction *instruction, int index)
{
    const Operand *operand = &instruction->operand[index];
    if (operand->kind == REGISTER)
        return thread->reg[operand->slot];
    return operand->kind == SPECIAL ? special(machine, thread, operand->name) : operand->value;
}

/* ---- arithmetic ---- */

static float divide(const Machine *machine, float a, float b)
{
    return machine->flaws.division ? a * (1.0f / b) : a / b;
}

static float add_floats(const Machine *machine, Thread *thread, const Instruction *instruction, float a,
                        float b)
{
    for (int i = 1; machine->flaws.contract && i <= 2; i++)
        if (instruction->operand[i].kind == REGISTER && instruction->operand[i].slot == thread->product)
            return fmaf(thread->product_a, thread->product_b, i == 1 ? b : a);
    return a + b;
}

static bool binary32(const Machine *machine, Thread *thread, const Instruction *instruction,
                     const uint64_t *word, float *result)
{
    const float a = flushed(machine, to_float(word[1])), b = flushed(machine, to_float(word[2])),
                c = flushed(machine, to_float(word[3]));
    const bool nan = instruction->nan && (isnan(a) || isnan(b));
    switch (instruction->op) {
    case OP_ABS:
        *result = fabsf(a);
        return true;
    case OP_ADD:
        *result = add_floats(machine, thread, instruction, a, b);
        return true;
    case OP_SUB:
        *result = a - b;
        return true;
    case OP_MUL:
        *result = a * b;
        return true;
    case OP_FMA:
        *result = fmaf(a, b, c);
        return true;
    case OP_DIV:
        *result = divide(machine, a, b);
        return true;
    case OP_RCP:
        *result = 1.0f / a;
        return true;
    case OP_SQRT:
        *result = sqrtf(a);
        return true;
    case OP_NEG:
        *result = -a;
        return true;
    case OP_MAX:
        *result = nan ? NAN : fmaxf(a, b);
        return true;
    case OP_MIN:
        *result = nan ? NAN : fminf(a, b);
        return true;
    default:
        return false;
    }
}

static bool binary64(const Instruction *instruction, const uint64_t *word, double *result)
{
    const double a = to_double(word[1]), b = to_double(word[2]), c = to_double(word[3]);
    switch (instruction->op) {
    case OP_ABS:
        *result = fabs(a);
        return true;
    case OP_ADD:
        *result = a + b;
        return true;
    case OP_SUB:
        *result = a - b;
        return true;
    case OP_MUL:
        *result = a * b;
        return true;
    case OP_FMA:
        *result = fma(a, b, c);
        return true;
    case OP_DIV:
        *result = a / b;
        return true;
    case OP_SQRT:
        *result = sqrt(a);
        return true;
    case OP_NEG:
        *result = -a;
        return true;
    case OP_MAX:
        *result = fmax(a, b);
        return true;
    case OP_MIN:
        *result = fmin(a, b);
        return true;
    default:
        return false;
    }
}

static uint64_t multiply(const Instruction *instruction, uint64_t a, uint64_t b)
{
    const int bits = instruction->type.bits;
    const bool is_signed = instruction->type.kind == SIGNED;
    const __int128 product = is_signed ? (__int128)extend(a, bits) * extend(b, bits)
                                       : (__int128)((unsigned __int128)mask_to(a, bits) * mask_to(b, bits));
    if (instruction->wide)
        return (uint64_t)product;
    return instruction->high ? mask_to((uint64_t)(product >> bits), bits) : mask_to((uint64_t)product, bits);
}

static uint64_t shift_right(const Instruction *instruction, uint64_t a, uint64_t by)
{
    const int bits = instruction->type.bits;
    const uint64_t most = (uint64_t)bits - 1;
    if (instruction->type.kind == SIGNED)
        return mask_to((uint64_t)(extend(a, bits) >> (by > most ? most : by)), bits);
    return by > most ? 0 : mask_to(a, bits) >> by;
}

static uint64_t funnel(const Instruction *instruction, const uint64_t *word)
{
    const uint64_t both = (word[2] & UINT32_MAX) << 32 | (word[1] & UINT32_MAX);
    const unsigned by = (unsigned)(word[3] & 31);
    return has(instruction, "l") ? (both << by) >> 32 : (both >> by) & UINT32_MAX;
}

static bool integers(const Instruction *instruction, const uint64_t *word, uint64_t *result)
{
    const int bits = instruction->type.bits;
    const bool is_signed = instruction->type.kind == SIGNED;
    const uint64_t a = mask_to(word[1], bits), b = mask_to(word[2], bits);
    const bool less = is_signed ? extend(a, bits) < extend(b, bits) : a < b;
    switch (instruction->op) {
    case OP_ADD:
        *result = a + b;
        break;
    case OP_SUB:
        *result = a - b;
        break;
    case OP_MUL:
        *result = multiply(instruction, a, b);
        return true;
    case OP_MAD:
        *result = multiply(instruction, a, b) + word[3];
        *result = instruction->wide ? *result : mask_to(*result, bits);
        return true;
    case OP_DIV:
    case OP_REM:
        if (b == 0)
            return false;
        if (is_signed)
            *result = (uint64_t)(instruction->op == OP_DIV ? extend(a, bits) / extend(b, bits)
                                                           : extend(a, bits) % extend(b, bits));
        else
            *result = instruction->op == OP_DIV ? a / b : a % b;
        break;
    case OP_MAX:
        *result = less ? b : a;
        break;
    case OP_MIN:
        *result = less ? a : b;
        break;
    case OP_ABS:
        *result = extend(a, bits) < 0 ? 0 - a : a;
        break;
    case OP_NEG:
        *result = 0 - a;
        break;
    case OP_AND:
        *result = a & b;
        break;
    case OP_OR:
        *result = a | b;
        break;
    case OP_XOR:
        *result = a ^ b;
        break;
    case OP_NOT:
        *result = instruction->type.kind == PRED ? !a : ~a;
        break;
    case OP_SHL:
        *result = word[2] >= (uint64_t)bits ? 0 : a << word[2];
        break;
    case OP_SHR:
        *result = shift_right(instruction, a, word[2] & UINT32_MAX);
        break;
    case OP_SHF:
        *result = funnel(instruction, word);
        break;
    default:
        return false;
    }
    *result = mask_to(*result, bits);
    return true;
}

/* ---- comparing and converting ---- */

static bool compare_numbers(const char *how, bool less, bool equal, bool unordered, bool *result)
{
    static const struct {
        const char *name;
        bool less, equal, greater, unordered;
    } rows[] = {
        {"eq", 0, 1, 0, 0},  {"ne", 1, 0, 1, 0},  {"lt", 1, 0, 0, 0},  {"le", 1, 1, 0, 0},
        {"gt", 0, 0, 1, 0},  {"ge", 0, 1, 1, 0},  {"lo", 1, 0, 0, 0},  {"ls", 1, 1, 0, 0},
        {"hi", 0, 0, 1, 0},  {"hs", 0, 1, 1, 0},  {"equ", 0, 1, 0, 1}, {"neu", 1, 0, 1, 1},
        {"ltu", 1, 0, 0, 1}, {"leu", 1, 1, 0, 1}, {"gtu", 0, 0, 1, 1}, {"geu", 0, 1, 1, 1},
        {"num", 1, 1, 1, 0}, {"nan", 0, 0, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(how, rows[i].name)) {
            *result = unordered ? rows[i].unordered
                      : less    ? rows[i].less
                      : equal   ? rows[i].equal
                                : rows[i].greater;
            return true;
        }
    return false;
}

static bool compare(const Machine *machine, const Instruction *instruction, uint64_t a, uint64_t b,
                    bool *result)
{
    const int bits = instruction->type.bits;
    const char *how = instruction->modifiers ? instruction->modifier[0] : "";
    if (instruction->type.kind == FLOAT) {
        const double x = bits == 32 ? (double)flushed(machine, to_float(a)) : to_double(a),
                     y = bits == 32 ? (double)flushed(machine, to_float(b)) : to_double(b);
        return compare_numbers(how, x < y, x == y, isnan(x) || isnan(y), result);
    }
    const uint64_t x = mask_to(a, bits), y = mask_to(b, bits);
    const bool less = instruction->type.kind == SIGNED ? extend(x, bits) < extend(y, bits) : x < y;
    return compare_numbers(how, less, x == y, false, result);
}

static bool set_predicate(Machine *machine, Thread *thread, const Instruction *instruction,
                          const uint64_t *word)
{
    bool result = false;
    if (!compare(machine, instruction, word[1], word[2], &result))
        return false;
    if (instruction->operands > 3) {
        const bool c = word[3] & 1;
        result = has(instruction, "and") ? result && c : has(instruction, "or") ? result || c : result != c;
    }
    set(thread, instruction, result);
    return true;
}

static double round_to_integer(const Instruction *instruction, double value)
{
    if (has(instruction, "rzi"))
        return trunc(value);
    if (has(instruction, "rmi"))
        return floor(value);
    return has(instruction, "rpi") ? ceil(value) : has(instruction, "rni") ? nearbyint(value) : value;
}

static uint64_t float_to_integer(Type to, double value)
{
    const double limit = ldexp(1, to.kind == SIGNED ? to.bits - 1 : to.bits);
    if (isnan(value))
        return 0;
    if (to.kind == SIGNED)
        return value >= limit    ? (UINT64_C(1) << (to.bits - 1)) - 1
               : value <= -limit ? UINT64_C(1) << (to.bits - 1)
                                 : mask_to((uint64_t)(int64_t)value, to.bits);
    return value >= limit ? mask_to(UINT64_MAX, to.bits) : value <= 0 ? 0 : (uint64_t)value;
}

static uint64_t convert(const Machine *machine, const Instruction *instruction, uint64_t word)
{
    const Type to = instruction->type, from = instruction->from;
    if (from.kind == FLOAT) {
        const double value = round_to_integer(
            instruction, from.bits == 32 ? (double)flushed(machine, to_float(word)) : to_double(word));
        if (to.kind != FLOAT)
            return float_to_integer(to, value);
        return to.bits == 32 ? from_float(flushed(machine, (float)value)) : double_bits(value);
    }
    if (to.kind == FLOAT) {
        const uint64_t magnitude = mask_to(word, from.bits);
        if (to.bits == 32)
            return from_float(from.kind == SIGNED ? (float)extend(word, from.bits) : (float)magnitude);
        return double_bits(from.kind == SIGNED ? (double)extend(word, from.bits) : (double)magnitude);
    }
    const uint64_t value = from.kind == SIGNED ? (uint64_t)extend(word, from.bits) : mask_to(word, from.bits);
    return mask_to(value, to.bits);
}

/* ---- memory of a kernel ---- */

static unsigned char *place_of(Machine *machine, Thread *thread, const Instruction *instruction,
                               const Operand *operand, size_t bytes)
{
    uint64_t address = operand->value + (operand->slot >= 0 ? thread->reg[operand->slot] : 0);
    const bool generic = instruction->space == '\0';
    if (address % bytes)
        return NULL;
    if (instruction->space == 's' || (generic && (address & shared_base))) {
        address &= ~shared_base;
        return address <= machine->entry->shared - bytes && machine->entry->shared >= bytes
                   ? machine->shared + address
                   : NULL;
    }
    if (instruction->space == 'l' || (generic && (address & local_base))) {
        address &= ~local_base;
        return address <= machine->entry->local - bytes && machine->entry->local >= bytes
                   ? thread->local + address
                   : NULL;
    }
    return fake_memory_at(machine->memory, address, bytes);
}

static void load_or_store(Machine *machine, Thread *thread, const Instruction *instruction)
{
    const bool store = instruction->op == OP_ST;
    const Operand *memory = &instruction->operand[store ? 0 : 1],
                  *value = &instruction->operand[store ? 1 : 0];
    const size_t bytes = (size_t)instruction->type.bits / 8;
    const int parts = value->parts ? value->parts : 1;
    for (int i = 0; i < parts; i++) {
        Operand at = *memory;
        at.value += (uint64_t)i * bytes;
        uint64_t word = 0;
        if (instruction->space == 'p') {
            memcpy(&word, machine->arguments + at.value, bytes);
        } else {
            unsigned char *place = place_of(machine, thread, instruction, &at, bytes);
            if (!place) {
                stop(machine, PTX_FAULT, instruction, "an address outside every allocation, or not aligned");
                return;
            }
            if (store) {
                word = value->parts ? thread->reg[value->part[i]] : get(machine, thread, instruction, 1);
                memcpy(place, &word, bytes);
                continue;
            }
            memcpy(&word, place, bytes);
        }
        if (instruction->type.kind == SIGNED)
            word = (uint64_t)extend(word, instruction->type.bits);
        set_slot(thread, value->parts ? value->part[i] : value->slot, word);
    }
}

/* mov.b64 {%r1, %r2}, %rd1 and back */
static void move(Machine *machine, Thread *thread, const Instruction *instruction)
{
    const Operand *to = &instruction->operand[0], *from = &instruction->operand[1];
    if (to->parts == 2) {
        const uint64_t word = get(machine, thread, instruction, 1);
        set_slot(thread, to->part[0], word & UINT32_MAX);
        set_slot(thread, to->part[1], word >> 32);
    } else if (from->parts == 2) {
        set(thread, instruction,
            thread->reg[from->part[1]] << 32 | (thread->reg[from->part[0]] & UINT32_MAX));
    } else {
        set(thread, instruction, get(machine, thread, instruction, 1));
    }
}

static void convert_address(Thread *thread, const Instruction *instruction, uint64_t word)
{
    const bool to = has(instruction, "to");
    const uint64_t base = has(instruction, "shared")  ? shared_base
                          : has(instruction, "local") ? local_base
                                                      : 0;
    set(thread, instruction, to ? word & ~base : word | base);
}

/* ---- one instruction ---- */

static void compute(Machine *machine, Thread *thread, const Instruction *instruction, const uint64_t *word)
{
    uint64_t bits = 0;
    double wide = 0;
    float value = 0;
    bool known = true;
    if (instruction->type.kind == FLOAT && instruction->type.bits == 32) {
        known = binary32(machine, thread, instruction, word, &value);
        bits = from_float(flushed(machine, value));
    } else if (instruction->type.kind == FLOAT) {
        known = binary64(instruction, word, &wide);
        bits = double_bits(machine->flaws.no_double ? (double)(float)wide : wide);
    } else {
        known = integers(instruction, word, &bits);
    }
    if (!known) {
        stop(machine, PTX_WRONG, instruction, "this type is not interpreted");
        return;
    }
    set(thread, instruction, bits);
    if (instruction->op == OP_MUL && instruction->type.kind == FLOAT && instruction->type.bits == 32) {
        thread->product = instruction->operand[0].slot;
        thread->product_a = to_float(word[1]);
        thread->product_b = to_float(word[2]);
    }
}

static void execute(Machine *machine, Thread *thread, const Instruction *instruction)
{
    uint64_t word[OPERANDS] = {0};
    for (int i = 1; i < instruction->operands; i++)
        if (!instruction->operand[i].parts && instruction->operand[i].kind != MEMORY)
            word[i] = get(machine, thread, instruction, i);
    switch (instruction->op) {
    case OP_BRA:
        thread->at = (int)instruction->operand[0].value;
        break;
    case OP_RET:
        thread->state = ENDED;
        break;
    case OP_BAR:
        thread->state = WAITS_BLOCK;
        break;
    case OP_BARWARP:
        thread->state = WAITS_WARP;
        break;
    case OP_SHFL:
        thread->state = EXCHANGES;
        break;
    case OP_FENCE:
        break;
    case OP_LD:
    case OP_ST:
        load_or_store(machine, thread, instruction);
        break;
    case OP_MOV:
        move(machine, thread, instruction);
        break;
    case OP_CVT:
        set(thread, instruction, convert(machine, instruction, word[1]));
        break;
    case OP_CVTA:
        convert_address(thread, instruction, word[1]);
        break;
    case OP_SELP:
        set(thread, instruction, mask_to(word[3] & 1 ? word[1] : word[2], instruction->type.bits));
        break;
    case OP_SETP:
        if (!set_predicate(machine, thread, instruction, word))
            stop(machine, PTX_WRONG, instruction, "this comparison is not interpreted");
        break;
    default:
        compute(machine, thread, instruction, word);
    }
}

static void run_thread(Machine *machine, Thread *thread)
{
    const PtxEntry *entry = machine->entry;
    while (thread->state == RUNS && machine->end.how == PTX_DONE) {
        if (thread->at >= entry->count) {
            thread->state = ENDED;
            return;
        }
        if (machine->left-- == 0) {
            stop(machine, PTX_ENDLESS, NULL, "endless");
            return;
        }
        const Instruction *instruction = &entry->code[thread->at++];
        thread->instructions++;
        if (instruction->guard >= 0 && ((thread->reg[instruction->guard] & 1) != 0) == instruction->negated)
            continue;
        execute(machine, thread, instruction);
    }
}

/* ---- waiting together ---- */

static unsigned exchange_source(const Instruction *instruction, unsigned lane, unsigned by)
{
    if (has(instruction, "bfly"))
        return lane ^ by;
    if (has(instruction, "up"))
        return lane >= by ? lane - by : lane;
    return has(instruction, "down") ? (lane + by < WARP ? lane + by : lane) : by;
}

/* A warp's lanes that wait at the same instruction, once all that its mask names are there. */
static bool release_warp(Machine *machine, unsigned first)
{
    Thread *warp = &machine->thread[first];
    const unsigned lanes = machine->block - first < WARP ? machine->block - first : WARP;
    const Thread *leader = NULL;
    uint64_t got[WARP];
    for (unsigned i = 0; i < lanes && !leader; i++)
        if (warp[i].state == EXCHANGES || warp[i].state == WAITS_WARP)
            leader = &warp[i];
    if (!leader)
        return false;
    const Instruction *instruction = &machine->entry->code[leader->at - 1];
    const bool exchanges = leader->state == EXCHANGES;
    const uint64_t mask = get(machine, leader, instruction, exchanges ? 4 : 0) & UINT32_MAX;
    const int at = leader->at;
    for (unsigned i = 0; i < lanes; i++)
        if ((mask >> i & 1) && warp[i].state != ENDED && warp[i].at != at)
            return false;
    for (unsigned i = 0; i < lanes && exchanges; i++) {
        const unsigned by = (unsigned)get(machine, &warp[i], instruction, 2) & 31;
        const unsigned from = exchange_source(instruction, i, by);
        if ((mask >> i & 1) && (from >= lanes || !(mask >> from & 1) || warp[from].state == ENDED))
            stop(machine, PTX_WRONG, instruction, "a lane reads from one that takes no part");
        else
            got[i] = get(machine, &warp[from], instruction, 1);
    }
    for (unsigned i = 0; i < lanes; i++)
        if ((mask >> i & 1) && warp[i].state != ENDED) {
            if (exchanges)
                set(&warp[i], instruction, mask_to(got[i], 32));
            warp[i].state = RUNS;
        }
    return true;
}

static bool release_block(Machine *machine)
{
    bool some = false;
    for (unsigned i = 0; i < machine->block; i++) {
        if (machine->thread[i].state != WAITS_BLOCK && machine->thread[i].state != ENDED)
            return false;
        some |= machine->thread[i].state == WAITS_BLOCK;
    }
    for (unsigned i = 0; i < machine->block; i++)
        if (machine->thread[i].state == WAITS_BLOCK)
            machine->thread[i].state = RUNS;
    return some;
}

static bool all_ended(const Machine *machine)
{
    for (unsigned i = 0; i < machine->block; i++)
        if (machine->thread[i].state != ENDED)
            return false;
    return true;
}

static void run_block(Machine *machine)
{
    memset(machine->shared, 0xa5, sizeof machine->shared);
    for (unsigned i = 0; i < machine->block; i++) {
        Thread *thread = &machine->thread[i];
        uint64_t *reg = thread->reg;
        unsigned char *local = thread->local;
        memset(reg, 0xa5, (size_t)machine->entry->regs * sizeof *reg);
        *thread = (Thread){.reg = reg, .local = local, .tid = i, .product = -1};
    }
    while (machine->end.how == PTX_DONE && !all_ended(machine)) {
        bool released = false;
        for (unsigned i = 0; i < machine->block; i++)
            run_thread(machine, &machine->thread[i]);
        for (unsigned i = 0; i < machine->block; i += WARP)
            released |= release_warp(machine, i);
        released = released || release_block(machine);
        if (!released && !all_ended(machine))
            stop(machine, PTX_WRONG, NULL, "threads wait for each other for ever");
    }
    unsigned long long most = 0;
    for (unsigned i = 0; i < machine->block; i++)
        most = machine->thread[i].instructions > most ? machine->thread[i].instructions : most;
    machine->end.instructions += most;
}

PtxEnd ptx_run(const PtxEntry *entry, const unsigned char *arguments, unsigned grid, unsigned block,
               const FakeMemory *memory, PtxFlaws flaws)
{
    const char *steps = getenv("FAKE_CUDA_STEPS");
    Machine *machine = calloc(1, sizeof *machine);
    *machine = (Machine){.entry = entry,
                         .arguments = arguments,
                         .memory = memory,
                         .flaws = flaws,
                         .grid = grid,
                         .block = block,
                         .thread = calloc(block, sizeof(Thread)),
                         .left = steps ? strtoull(steps, NULL, 10) : 10000000000};
    for (unsigned i = 0; i < block; i++) {
        machine->thread[i].reg = calloc((size_t)entry->regs + 1, sizeof(uint64_t));
        machine->thread[i].local = calloc(1, entry->local + 1);
    }
    for (machine->index = 0; machine->index < grid && machine->end.how == PTX_DONE; machine->index++)
        run_block(machine);
    for (unsigned i = 0; i < block; i++) {
        free(machine->thread[i].reg);
        free(machine->thread[i].local);
    }
    const PtxEnd end = machine->end;
    free(machine->thread);
    free(machine);
    return end;
}
