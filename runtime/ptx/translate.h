/* translate.h: what the files of the translator share. One function of the module at a time. */
#ifndef SAMEBITS_PTX_TRANSLATE_H
#define SAMEBITS_PTX_TRANSLATE_H

#include "ptx/module.h"
#include "text/buffer.h"

enum { PTX_DEEPEST = 64 };

/* A variable in sight. */
typedef struct PtxName {
    const PtxVariable *variable;
    uint64_t offset; /* in its window (shared, local: there behind the caller's frame) */
    const char *c;   /* where its bytes start, in C (global, param) */
    bool constant;   /* a parameter of a kernel: it may not be written */
} PtxName;

typedef struct PtxTranslator {
    Arena *arena;
    PtxReasons *reasons;
    const PtxModule *module;
    Buffer *out;
    /* The function being translated. */
    const PtxFunction *function;
    PtxName *name; /* innermost last */
    int names, name_room;
    int scope[PTX_DEEPEST], scopes; /* how many names each open block found */
    uint64_t frame;                 /* bytes of local memory that this function has for itself */
    int blocks;                     /* .param variables of calls so far: each has a name of its own in C */
    const char **label;             /* label k is L_k in C */
    int labels;
    /* The statement being translated. */
    int line;
    const PtxInstruction *instruction;
    bool refused; /* this instruction */
} PtxTranslator;

/* Refuses the instruction being translated. */
void ptx_reject(PtxTranslator *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

const PtxName *ptx_find(const PtxTranslator *t, const char *name); /* NULL: none */

/* operand.c: operands as C expressions. Values are unsigned integers of the type's width, 0 or 1 for a
 * predicate; "0" after refusing. `wider`: the register may be wider than the type (ld, st, cvt). */
const char *ptx_read(PtxTranslator *t, const PtxOperand *operand, PtxType type, bool wider);
const char *ptx_read_signed(PtxTranslator *t, const PtxOperand *operand, PtxType type);
const char *ptx_read_float(PtxTranslator *t, const PtxOperand *operand, PtxType type);
const char *ptx_read_guard(PtxTranslator *t, const char *name, bool negated);
/* `value`, of the type's width, into a register; a wider one is extended as the type says. `_` drops it. */
void ptx_write(PtxTranslator *t, const PtxOperand *operand, PtxType type, bool wider, const char *value);
void ptx_write_name(PtxTranslator *t, const char *name, PtxType type, bool wider, const char *value);
const char *ptx_register_c(PtxTranslator *t, const char *name);               /* "%r1" to "v_r1" */
PtxType ptx_register_type(const PtxTranslator *t, const PtxOperand *operand); /* kind 0: no register */
const char *ptx_c_type(PtxType type);                                         /* "uint32_t" */
const char *ptx_site(PtxTranslator *t); /* a pointer to this instruction's SimtSite */

/* layout.c: where shared and local variables lie. */
typedef struct PtxLayout {
    uint64_t largest; /* bytes of shared memory that the kernel with the most of it has */
    uint64_t *start;  /* [function] where its own shared variables start */
    uint64_t *shared; /* [function] of an entry: where they end */
    uint64_t *frame;  /* [function] bytes of its own local variables */
    uint64_t *local;  /* [function] the same and those of what it calls */
} PtxLayout;
PtxLayout ptx_layout(PtxReasons *reasons, const PtxModule *module);
uint64_t ptx_variable_bytes(const PtxVariable *variable);
uint64_t ptx_align(uint64_t offset, uint64_t align);

/* instruction.c: one statement of C, without the guard. */
void ptx_translate_instruction(PtxTranslator *t);
/* memory.c: ld, st, and mov of addresses and vectors; call. */
void ptx_translate_load(PtxTranslator *t);
void ptx_translate_store(PtxTranslator *t);
void ptx_translate_mov(PtxTranslator *t);
void ptx_translate_cvta(PtxTranslator *t);
void ptx_translate_call(PtxTranslator *t);
/* convert.c */
void ptx_translate_cvt(PtxTranslator *t);

#endif
