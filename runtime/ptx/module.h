/* module.h: PTX text as data.
 *
 * Everything here lives in the arena it was read into and is constant afterwards. Names keep their PTX
 * spelling, the '%' of registers included. Source: "Parallel Thread Execution ISA", NVIDIA, chapters 4
 * (syntax), 5 (state spaces, types, variables) and 9 (instructions). */
#ifndef SAMEBITS_PTX_MODULE_H
#define SAMEBITS_PTX_MODULE_H

#include "text/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum PtxSpace {
    PTX_GENERIC,
    PTX_GLOBAL, /* .const as well: both are memory of the whole module */
    PTX_SHARED,
    PTX_LOCAL,
    PTX_PARAM,
    PTX_REGISTER,
} PtxSpace;

/* kind: 'b' bits, 'u' and 's' integers, 'f' floats, 'p' predicate; 0: no type. */
typedef struct PtxType {
    char kind;
    int bits; /* 8, 16, 32, 64; 1 for a predicate */
} PtxType;

typedef struct PtxVariable {
    const char *name;
    PtxSpace space;
    PtxType type;
    uint64_t count; /* elements; registers: how many the declaration makes */
    bool numbered;  /* a register declaration `name<count>` */
    uint32_t align;
    bool external;             /* .extern: an array whose size the launch gives */
    const unsigned char *data; /* count * bits / 8 bytes, or NULL */
    int line;
} PtxVariable;

typedef enum PtxOperandKind {
    PTX_OPERAND_NAME,    /* a register, special register, variable, label or function; `_` too */
    PTX_OPERAND_INTEGER, /* bits: two's complement in 64 bits */
    PTX_OPERAND_F32,     /* bits: those of the float */
    PTX_OPERAND_F64,
    PTX_OPERAND_ADDRESS, /* [name + offset] or [offset] */
    PTX_OPERAND_VECTOR,  /* {a, b, ...} */
    PTX_OPERAND_LIST,    /* (a, b, ...) of a call */
} PtxOperandKind;

typedef struct PtxOperand PtxOperand;
struct PtxOperand {
    PtxOperandKind kind;
    const char *name;        /* NULL: none */
    const char *second;      /* of `%r1|%p1` */
    bool negated;            /* `!%p1` */
    uint64_t bits;           /* constants; offset of an address or of name + constant */
    const PtxOperand *items; /* vector, list */
    int count;
};

enum { PTX_PARTS = 12, PTX_OPERANDS = 8, PTX_ITEMS = 64 };

typedef struct PtxInstruction {
    const char *opcode; /* as written: "shfl.sync.bfly.b32" */
    const char *part[PTX_PARTS];
    int parts; /* part[0]: "shfl" */
    const char *guard;
    bool guard_negated;
    PtxOperand operand[PTX_OPERANDS];
    int operands;
} PtxInstruction;

typedef enum PtxStatementKind {
    PTX_STATEMENT_INSTRUCTION,
    PTX_STATEMENT_LABEL,
    PTX_STATEMENT_OPEN, /* a brace: names live until its close */
    PTX_STATEMENT_CLOSE,
    PTX_STATEMENT_VARIABLE,
} PtxStatementKind;

typedef struct PtxStatement {
    PtxStatementKind kind;
    int line;
    const char *label;
    const PtxVariable *variable;
    const PtxInstruction *instruction;
} PtxStatement;

typedef struct PtxFunction {
    const char *name;
    bool entry;
    bool body; /* false: only declared */
    PtxVariable *result;
    int results;
    PtxVariable *param;
    int params;
    PtxStatement *statement;
    int statements;
    int line;
} PtxFunction;

typedef struct PtxModule {
    const char *path;
    PtxVariable *variable;
    int variables;
    PtxFunction *function; /* a definition replaces its declaration */
    int functions;
} PtxModule;

/* The user's side of a failure: lines `file:line: error: what, why`, at most PTX_REASONS of them. */
enum { PTX_REASONS = 20 };
typedef struct PtxReasons {
    Arena *arena;
    const char *path;
    const char *text; /* NULL: none so far */
    int count;
} PtxReasons;
void ptx_refuse(PtxReasons *reasons, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* parse.c: text (NUL-terminated, `size` bytes) to a module; NULL with the reason added. */
PtxModule *ptx_parse(Arena *arena, PtxReasons *reasons, const char *text, size_t size);

/* forbid.c: what the numerical contract forbids, whether or not it could be run. */
void ptx_forbid(PtxReasons *reasons, const PtxModule *module);

bool ptx_has_part(const PtxInstruction *instruction, const char *part);
PtxType ptx_type(const char *word); /* "f32" to its type; kind 0 when it is none */

#endif
