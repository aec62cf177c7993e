/* lex.h: PTX text as tokens (PTX ISA 4.2 to 4.5). */
#ifndef SAMEBITS_PTX_LEX_H
#define SAMEBITS_PTX_LEX_H

#include "ptx/module.h"

typedef enum PtxTokenKind {
    PTX_TOKEN_END,
    PTX_TOKEN_WORD,    /* names, opcodes with all their parts, directives with their dot */
    PTX_TOKEN_INTEGER, /* value */
    PTX_TOKEN_F32,     /* value: the bits */
    PTX_TOKEN_F64,
    PTX_TOKEN_STRING,
    PTX_TOKEN_MARK, /* one character, in `mark` */
    PTX_TOKEN_BAD,  /* text: what is wrong */
} PtxTokenKind;

typedef struct PtxToken {
    PtxTokenKind kind;
    int line;
    char mark;
    const char *text; /* WORD: a copy in the arena */
    uint64_t value;
} PtxToken;

typedef struct PtxLexer {
    Arena *arena;
    const char *at, *end;
    int line;
} PtxLexer;

PtxToken ptx_lex(PtxLexer *lexer);

#endif
