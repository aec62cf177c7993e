/* instruction.c: one PTX instruction as one statement of C.
 *
 * Most instructions are a row: its modifiers, its types, and C with holes. Those with another form have a
 * function. What is in neither table is refused; nothing is skipped. Source: PTX ISA 9.7. */
#include "ptx/translate.h"

#include <string.h>

/* What the C of a row gives. */
typedef enum Result {
    BITS,  /* an integer of the instruction's type */
    FLOAT, /* a float or double of it */
    WIDE,  /* an integer twice as wide */
    WORD,  /* a .u32 */
    TRUTH, /* a predicate */
} Result;

/* Holes: $k is source operand k as an unsigned integer; $sk signed; $fk a float; $nk a .u32 whatever the
 * type; $pk a predicate; $Wk twice as wide; $w the width in bits. */
typedef struct Row {
    const char *base, *modifiers, *types;
    int sources;
    Result result;
    const char *c;
} Row;

#define UNSIGNED "u16 u32 u64"
#define SIGNED   "s16 s32 s64"
#define INTEGERS UNSIGNED " " SIGNED
#define BITWISE  "b16 b32 b64"
#define FLOATS   "f32 f64"

/* Products are formed in 64 bits: two uint16_t would be promoted to int and overflow it. */
static const Row rows[] = {
    {"abs", "", SIGNED, 1, BITS, "$s0 < 0 ? 0 - (uint64_t)$0 : $0"},
    {"abs", "", FLOATS, 1, BITS, "$0 & ~(UINT64_C(1) << ($w - 1))"},
    {"add", "", INTEGERS, 2, BITS, "(uint64_t)$0 + $1"},
    {"add", "rn", FLOATS, 2, FLOAT, "$f0 + $f1"},
    {"and", "", BITWISE, 2, BITS, "$0 & $1"},
    {"and", "", "pred", 2, TRUTH, "$0 & $1"},
    {"bfe", "", "u32 u64", 3, BITS, "extract($0, $n1, $n2, $w, 0)"},
    {"bfe", "", "s32 s64", 3, BITS, "extract($0, $n1, $n2, $w, 1)"},
    {"bfi", "", "b32 b64", 4, BITS, "insert($0, $1, $n2, $n3, $w)"},
    {"bfind", "", "u32 u64", 1, WORD, "$0 ? 63 - (uint32_t)__builtin_clzll($0) : ~0u"},
    {"brev", "", "b32 b64", 1, BITS, "reverse($0, $w)"},
    {"clz", "", "b32 b64", 1, WORD, "$0 ? (uint32_t)__builtin_clzll($0) - (64 - $w) : $w"},
    {"cnot", "", BITWISE, 1, BITS, "$0 == 0"},
    {"copysign", "", "f32", 2, BITS, "($0 & 0x80000000u) | ($1 & 0x7fffffffu)"},
    {"copysign", "", "f64", 2, BITS, "($0 & UINT64_C(1) << 63) | ($1 & ~(UINT64_C(1) << 63))"},
    {"div", "", UNSIGNED, 2, BITS, "divide_u($0, $1)"},
    {"div", "", SIGNED, 2, BITS, "divide_s($s0, $s1)"},
    {"div", "rn", FLOATS, 2, FLOAT, "$f0 / $f1"},
    {"fma", "rn", "f32", 3, FLOAT, "__builtin_fmaf($f0, $f1, $f2)"},
    {"fma", "rn", "f64", 3, FLOAT, "__builtin_fma($f0, $f1, $f2)"},
    {"lop3", "", "b32", 4, BITS, "logic3($0, $1, $2, $n3)"},
    {"mad", "hi", "u32", 3, BITS, "((uint64_t)$0 * $1 >> 32) + $2"},
    {"mad", "hi", "s32", 3, BITS, "(uint64_t)((int64_t)$s0 * $s1 >> 32) + $2"},
    {"mad", "lo", INTEGERS, 3, BITS, "(uint64_t)$0 * $1 + $2"},
    {"mad", "wide", "u16 u32", 3, WIDE, "(uint64_t)$0 * $1 + $W2"},
    {"mad", "wide", "s16 s32", 3, WIDE, "(uint64_t)((int64_t)$s0 * $s1) + $W2"},
    {"max", "", UNSIGNED, 2, BITS, "$0 > $1 ? $0 : $1"},
    {"max", "", SIGNED, 2, BITS, "$s0 > $s1 ? $0 : $1"},
    {"max", "", FLOATS, 2, FLOAT, "max_f$w($f0, $f1)"},
    {"max", "NaN", "f32", 2, FLOAT, "EITHER_NAN($f0, $f1) ? __builtin_nanf(\"\") : max_f32($f0, $f1)"},
    {"min", "", UNSIGNED, 2, BITS, "$0 < $1 ? $0 : $1"},
    {"min", "", SIGNED, 2, BITS, "$s0 < $s1 ? $0 : $1"},
    {"min", "", FLOATS, 2, FLOAT, "min_f$w($f0, $f1)"},
    {"min", "NaN", "f32", 2, FLOAT, "EITHER_NAN($f0, $f1) ? __builtin_nanf(\"\") : min_f32($f0, $f1)"},
    {"mul", "hi", "u16 u32", 2, BITS, "(uint64_t)$0 * $1 >> $w"},
    {"mul", "hi", "s16 s32", 2, BITS, "(int64_t)$s0 * $s1 >> $w"},
    {"mul", "hi", "u64", 2, BITS, "(unsigned __int128)$0 * $1 >> 64"},
    {"mul", "hi", "s64", 2, BITS, "(__int128)$s0 * $s1 >> 64"},
    {"mul", "lo", INTEGERS, 2, BITS, "(uint64_t)$0 * $1"},
    {"mul", "rn", FLOATS, 2, FLOAT, "$f0 * $f1"},
    {"mul", "wide", "u16 u32", 2, WIDE, "(uint64_t)$0 * $1"},
    {"mul", "wide", "s16 s32", 2, WIDE, "(int64_t)$s0 * $s1"},
    {"neg", "", SIGNED, 1, BITS, "0 - (uint64_t)$0"},
    {"neg", "", FLOATS, 1, BITS, "$0 ^ UINT64_C(1) << ($w - 1)"},
    {"not", "", BITWISE, 1, BITS, "~(uint64_t)$0"},
    {"not", "", "pred", 1, TRUTH, "!$0"},
    {"or", "", BITWISE, 2, BITS, "$0 | $1"},
    {"or", "", "pred", 2, TRUTH, "$0 | $1"},
    {"popc", "", "b32 b64", 1, WORD, "__builtin_popcountll($0)"},
    {"prmt", "", "b32", 3, BITS, "permute($0, $1, $2)"},
    {"rcp", "rn", FLOATS, 1, FLOAT, "1 / $f0"},
    {"rem", "", UNSIGNED, 2, BITS, "remainder_u($0, $1)"},
    {"rem", "", SIGNED, 2, BITS, "remainder_s($s0, $s1)"},
    {"selp", "", BITWISE " " INTEGERS " " FLOATS, 3, BITS, "$p2 ? $0 : $1"},
    {"shf", "l.clamp", "b32", 3, BITS, "((uint64_t)$1 << 32 | $0) << ($2 < 32 ? $2 : 32) >> 32"},
    {"shf", "l.wrap", "b32", 3, BITS, "((uint64_t)$1 << 32 | $0) << ($2 & 31) >> 32"},
    {"shf", "r.clamp", "b32", 3, BITS, "((uint64_t)$1 << 32 | $0) >> ($2 < 32 ? $2 : 32)"},
    {"shf", "r.wrap", "b32", 3, BITS, "((uint64_t)$1 << 32 | $0) >> ($2 & 31)"},
    {"shl", "", BITWISE, 2, BITS, "$n1 < $w ? (uint64_t)$0 << $n1 : 0"},
    {"shr", "", BITWISE " " UNSIGNED, 2, BITS, "$n1 < $w ? $0 >> $n1 : 0"},
    {"shr", "", SIGNED, 2, BITS, "$s0 >> ($n1 < $w ? $n1 : $w - 1)"},
    {"sqrt", "rn", "f32", 1, FLOAT, "__builtin_sqrtf($f0)"},
    {"sqrt", "rn", "f64", 1, FLOAT, "__builtin_sqrt($f0)"},
    {"sub", "", INTEGERS, 2, BITS, "(uint64_t)$0 - $1"},
    {"sub", "rn", FLOATS, 2, FLOAT, "$f0 - $f1"},
    {"testp", "finite", FLOATS, 1, TRUTH, "__builtin_isfinite($f0)"},
    {"testp", "infinite", FLOATS, 1, TRUTH, "__builtin_isinf($f0)"},
    {"testp", "normal", FLOATS, 1, TRUTH, "__builtin_isnormal($f0)"},
    {"testp", "notanumber", FLOATS, 1, TRUTH, "$f0 != $f0"},
    {"testp", "number", FLOATS, 1, TRUTH, "$f0 == $f0"},
    {"xor", "", BITWISE, 2, BITS, "$0 ^ $1"},
    {"xor", "", "pred", 2, TRUTH, "$0 ^ $1"},
};

/* ---- rows ---- */

static bool lists(const char *list, const char *word)
{
    const size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += size) {
        if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0')) {
            return true;
        }
    }
    return false;
}

/* The parts between base and type, joined; *type is the last part. False: there is no type. */
static bool split_parts(PtxTranslator *t, const char **modifiers, const char **type)
{
    const PtxInstruction *instruction = t->instruction;
    if (instruction->parts < 2) {
        return false;
    }
    *modifiers = "";
    for (int k = 1; k < instruction->parts - 1; k++) {
        *modifiers = arena_printf(t->arena, "%s%s%s", *modifiers, k > 1 ? "." : "", instruction->part[k]);
    }
    *type = instruction->part[instruction->parts - 1];
    return ptx_type(*type).kind != 0;
}

static const Row *find_row(PtxTranslator *t, PtxType *type)
{
    const char *modifiers, *word;
    if (!split_parts(t, &modifiers, &word)) {
        return NULL;
    }
    *type = ptx_type(word);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        if (strcmp(rows[k].base, t->instruction->part[0]) == 0 && strcmp(rows[k].modifiers, modifiers) == 0 &&
            lists(rows[k].types, word)) {
            return &rows[k];
        }
    }
    return NULL;
}

static PtxType wide(PtxType type)
{
    return (PtxType){type.kind, type.bits * 2};
}

/* `at` is behind the '$'; returns what is behind the hole. */
static const char *fill_hole(PtxTranslator *t, Buffer *text, const char *at, PtxType type)
{
    if (*at == 'w') {
        buffer_printf(text, "%d", type.bits);
        return at + 1;
    }
    const char form = strchr("sfnpW", *at) ? *at++ : '\0';
    const PtxOperand *operand = &t->instruction->operand[1 + (*at - '0')];
    const char *c = form == 's'   ? ptx_read_signed(t, operand, type)
                    : form == 'f' ? ptx_read_float(t, operand, type)
                    : form == 'n' ? ptx_read(t, operand, (PtxType){'u', 32}, false)
                    : form == 'p' ? ptx_read(t, operand, (PtxType){'p', 1}, false)
                    : form == 'W' ? ptx_read(t, operand, wide(type), false)
                                  : ptx_read(t, operand, type, false);
    buffer_printf(text, form == 'f' ? "%s" : "(%s)", c);
    return at + 1;
}

static const char *fill_row(PtxTranslator *t, const Row *row, PtxType type)
{
    Buffer text = {0};
    for (const char *at = row->c; *at;) {
        if (*at == '$') {
            at = fill_hole(t, &text, at + 1, type);
        } else {
            buffer_append(&text, at++, 1);
        }
    }
    const char *c = arena_copy(t->arena, buffer_string(&text));
    buffer_destroy(&text);
    return c;
}

static bool has_operands(PtxTranslator *t, int count)
{
    if (t->instruction->operands != count) {
        ptx_reject(t, "%d operands, where it has %d", t->instruction->operands, count);
        return false;
    }
    return true;
}

static void translate_row(PtxTranslator *t, const Row *row, PtxType type)
{
    if (!has_operands(t, row->sources + 1)) {
        return;
    }
    const char *c = fill_row(t, row, type);
    if (row->result == FLOAT) {
        c = arena_printf(t->arena, "bits%d(%s)", type.bits, c);
    }
    const PtxType result = row->result == WIDE    ? wide(type)
                           : row->result == WORD  ? (PtxType){'u', 32}
                           : row->result == TRUTH ? (PtxType){'p', 1}
                                                  : type;
    ptx_write(t, &t->instruction->operand[0], result, false, c);
}

/* ---- comparison ---- */

typedef struct Comparison {
    const char *name, *integer, *real; /* C with holes a and b; NULL: not for this type */
    bool is_unsigned;
} Comparison;

static const Comparison comparisons[] = {
    {"eq", "a == b", "a == b", false},
    {"ne", "a != b", "a < b || a > b", false},
    {"lt", "a < b", "a < b", false},
    {"le", "a <= b", "a <= b", false},
    {"gt", "a > b", "a > b", false},
    {"ge", "a >= b", "a >= b", false},
    {"lo", "a < b", NULL, true},
    {"ls", "a <= b", NULL, true},
    {"hi", "a > b", NULL, true},
    {"hs", "a >= b", NULL, true},
    {"equ", NULL, "!(a < b || a > b)", false},
    {"neu", NULL, "a != b", false},
    {"ltu", NULL, "!(a >= b)", false},
    {"leu", NULL, "!(a > b)", false},
    {"gtu", NULL, "!(a <= b)", false},
    {"geu", NULL, "!(a < b)", false},
    {"num", NULL, "a == a && b == b", false},
    {"nan", NULL, "a != a || b != b", false},
};

static const char *find_comparison(PtxTranslator *t, PtxType type)
{
    for (size_t k = 0; k < sizeof comparisons / sizeof comparisons[0]; k++) {
        const Comparison *row = &comparisons[k];
        const bool bitwise = type.kind == 'b' && k > 1; /* bits are equal or not */
        if (strcmp(row->name, t->instruction->part[1]) == 0 && !bitwise &&
            !(row->is_unsigned && type.kind == 's')) {
            return type.kind == 'f' ? row->real : type.kind == 'p' ? NULL : row->integer;
        }
    }
    return NULL;
}

/* and, or, xor with the third source; *join is NULL when there is none. False: another word stands there. */
static bool find_join(const PtxInstruction *instruction, const char **join)
{
    static const char *const words[] = {"and", "&", "or", "|", "xor", "^"};
    *join = NULL;
    if (instruction->parts == 3) {
        return true;
    }
    for (int k = 0; k < 6 && instruction->parts == 4; k += 2) {
        if (strcmp(instruction->part[2], words[k]) == 0) {
            *join = words[k + 1];
        }
    }
    return *join != NULL;
}

static const char *operand_to_compare(PtxTranslator *t, const PtxOperand *operand, PtxType type)
{
    return type.kind == 'f'   ? ptx_read_float(t, operand, type)
           : type.kind == 's' ? ptx_read_signed(t, operand, type)
                              : ptx_read(t, operand, type, false);
}

/* setp.lt.and.f32 %p|%q, a, b, c: p is (a < b) & c, q is !(a < b) & c. */
static void translate_setp(PtxTranslator *t)
{
    const PtxInstruction *instruction = t->instruction;
    const PtxType type = ptx_type(instruction->part[instruction->parts - 1]);
    const char *join;
    const char *comparison = instruction->parts >= 3 ? find_comparison(t, type) : NULL;
    if (!comparison || !find_join(instruction, &join)) {
        ptx_reject(t, "this comparison is not supported");
        return;
    }
    if (!has_operands(t, join ? 4 : 3)) {
        return;
    }
    const char *third = join ? ptx_read(t, &instruction->operand[3], (PtxType){'p', 1}, false) : "0";
    const char *c_type = type.kind == 'f'   ? (type.bits == 32 ? "float" : "double")
                         : type.kind == 's' ? arena_printf(t->arena, "int%d_t", type.bits)
                                            : ptx_c_type(type);
    buffer_printf(t->out, "{ const %s a = %s, b = %s; const int holds = %s, third = %s; (void)third; ",
                  c_type, operand_to_compare(t, &instruction->operand[1], type),
                  operand_to_compare(t, &instruction->operand[2], type), comparison, third);
    const PtxOperand *to = &instruction->operand[0];
    if (to->kind != PTX_OPERAND_NAME || to->negated || to->bits) {
        ptx_reject(t, "the result does not go to a predicate");
        return;
    }
    const char *tail = join ? arena_printf(t->arena, " %s third", join) : "";
    ptx_write_name(t, to->name, (PtxType){'p', 1}, false, arena_printf(t->arena, "holds%s", tail));
    if (to->second) {
        ptx_write_name(t, to->second, (PtxType){'p', 1}, false, arena_printf(t->arena, "!holds%s", tail));
    }
    buffer_append_string(t->out, " }");
}

/* ---- threads ---- */

static bool is_spelled(PtxTranslator *t, const char *const *spellings)
{
    for (; *spellings; spellings++) {
        if (strcmp(t->instruction->opcode, *spellings) == 0) {
            return true;
        }
    }
    ptx_reject(t, "this form is not supported");
    return false;
}

/* Barrier 0 of all threads is the only one a kernel may use: __syncthreads. */
static void translate_bar(PtxTranslator *t)
{
    static const char *const spellings[] = {"bar.sync",
                                            "bar.cta.sync",
                                            "barrier.sync",
                                            "barrier.cta.sync",
                                            "barrier.sync.aligned",
                                            "barrier.cta.sync.aligned",
                                            NULL};
    const PtxOperand *operand = t->instruction->operand;
    if (strcmp(t->instruction->opcode, "bar.warp.sync") == 0) {
        if (has_operands(t, 1)) {
            buffer_printf(t->out, "HOST.sync_lanes(&HOST, %s, %s, SIMT_ORDERS_ALL);", ptx_site(t),
                          ptx_read(t, &operand[0], (PtxType){'b', 32}, false));
        }
        return;
    }
    if (!is_spelled(t, spellings) || !has_operands(t, 1)) {
        return;
    }
    if (operand[0].kind != PTX_OPERAND_INTEGER || operand[0].bits != 0) {
        ptx_reject(t, "barriers other than 0 are not supported");
    }
    buffer_printf(t->out, "HOST.barrier(&HOST, %s, SIMT_ORDERS_ALL);", ptx_site(t));
}

static const char *shuffle_mode(PtxTranslator *t)
{
    static const char *const modes[][2] = {{"shfl.sync.up.b32", "SHUFFLE_UP"},
                                           {"shfl.sync.down.b32", "SHUFFLE_DOWN"},
                                           {"shfl.sync.bfly.b32", "SHUFFLE_BFLY"},
                                           {"shfl.sync.idx.b32", "SHUFFLE_IDX"}};
    for (int k = 0; k < 4; k++) {
        if (strcmp(t->instruction->opcode, modes[k][0]) == 0) {
            return modes[k][1];
        }
    }
    ptx_reject(t, "this form is not supported");
    return "0";
}

/* shfl.sync.bfly.b32 d|p, value, b, c, lanes */
static void translate_shfl(PtxTranslator *t)
{
    const PtxType word = {'b', 32};
    const PtxOperand *operand = t->instruction->operand;
    const char *mode = shuffle_mode(t);
    if (!has_operands(t, 5)) {
        return;
    }
    if (operand[0].kind != PTX_OPERAND_NAME || operand[0].negated || operand[0].bits) {
        ptx_reject(t, "the result does not go to a register");
        return;
    }
    buffer_printf(t->out, "{ int inside; const uint32_t got = shuffle(%s, %s, %s, %s, %s, &inside, %s); ",
                  mode, ptx_read(t, &operand[1], word, false), ptx_read(t, &operand[2], word, false),
                  ptx_read(t, &operand[3], word, false), ptx_read(t, &operand[4], word, false), ptx_site(t));
    ptx_write_name(t, operand[0].name, word, false, "got");
    if (operand[0].second) {
        ptx_write_name(t, operand[0].second, (PtxType){'p', 1}, false, "inside");
    }
    buffer_append_string(t->out, " }");
}

/* Threads of a block take turns on one memory: a fence between two of them changes nothing. */
static void translate_fence(PtxTranslator *t)
{
    static const char *const spellings[] = {
        "membar.cta",        "membar.gl",    "membar.sys",   "fence.acq_rel.cta", "fence.acq_rel.gpu",
        "fence.acq_rel.sys", "fence.sc.cta", "fence.sc.gpu", "fence.sc.sys",      NULL};
    if (is_spelled(t, spellings) && has_operands(t, 0)) {
        buffer_append_string(t->out, "__asm__ volatile(\"\" ::: \"memory\");");
    }
}

/* ---- flow ---- */

static int find_label(const PtxTranslator *t, const char *name)
{
    for (int k = 0; k < t->labels; k++) {
        if (strcmp(t->label[k], name) == 0) {
            return k;
        }
    }
    return -1;
}

static void translate_bra(PtxTranslator *t)
{
    static const char *const spellings[] = {"bra", "bra.uni", NULL};
    if (!is_spelled(t, spellings) || !has_operands(t, 1)) {
        return;
    }
    const PtxOperand *to = &t->instruction->operand[0];
    const int label = to->kind == PTX_OPERAND_NAME ? find_label(t, to->name) : -1;
    if (label < 0) {
        ptx_reject(t, "there is no such label in this function");
        return;
    }
    buffer_printf(t->out, "goto L_%d;", label);
}

static void translate_end(PtxTranslator *t)
{
    static const char *const spellings[] = {"ret", "ret.uni", "exit", NULL};
    if (!is_spelled(t, spellings) || !has_operands(t, 0)) {
        return;
    }
    if (!t->function->entry && t->instruction->opcode[0] == 'e') {
        ptx_reject(t, "the end of a thread inside of a function is not supported");
    }
    buffer_append_string(t->out, "return;");
}

static void translate_trap(PtxTranslator *t)
{
    if (has_operands(t, 0)) {
        buffer_printf(t->out, "HOST.mistake(&HOST, %s, \"the kernel stopped itself\");", ptx_site(t));
    }
}

/* ---- the table of forms ---- */

typedef struct Form {
    const char *base;
    void (*translate)(PtxTranslator *t);
} Form;

static const Form forms[] = {
    {"bar", translate_bar},       {"barrier", translate_bar},  {"bra", translate_bra},
    {"call", ptx_translate_call}, {"cvt", ptx_translate_cvt},  {"cvta", ptx_translate_cvta},
    {"exit", translate_end},      {"fence", translate_fence},  {"ld", ptx_translate_load},
    {"ldu", ptx_translate_load},  {"membar", translate_fence}, {"mov", ptx_translate_mov},
    {"ret", translate_end},       {"setp", translate_setp},    {"shfl", translate_shfl},
    {"st", ptx_translate_store},  {"trap", translate_trap},
};

static bool is_known(const char *base)
{
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        if (strcmp(rows[k].base, base) == 0) {
            return true;
        }
    }
    return false;
}

void ptx_translate_instruction(PtxTranslator *t)
{
    const char *base = t->instruction->part[0];
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        if (strcmp(forms[k].base, base) == 0) {
            forms[k].translate(t);
            return;
        }
    }
    PtxType type;
    const Row *row = find_row(t, &type);
    if (row) {
        translate_row(t, row, type);
    } else {
        ptx_reject(t, is_known(base) ? "this form is not supported" : "this instruction is not supported");
    }
}
