/* expression.h: expressions of the template language, read and rewritten as Lua (internal to template/).
 *
 *   expression  ::= conjunction { "or" conjunction }
 *   conjunction ::= comparison { "and" comparison }
 *   comparison  ::= text [ ("==" | "~=" | "<" | "<=" | ">" | ">=") text ]
 *   text        ::= unary { ".." unary }
 *   unary       ::= ("not" | "#") unary | value
 *   value       ::= ( name | name "(" [expression {"," expression}] ")" | "(" expression ")" )
 *                   { "." name | "[" expression "]" }  |  integer | string | "true" | "false"
 *
 * Nothing else of Lua gets through: no arithmetic, tables, methods, functions, assignments, statements. Every
 * operation that can fail is rewritten as a call that carries its column (lua/page.c has the functions), so
 * that a mistake found while a page runs is shown at its exact place. */
#ifndef SAMEBITS_EXPRESSION_H
#define SAMEBITS_EXPRESSION_H

#include "text/buffer.h"
#include "text/diagnostics.h"

#include <stdbool.h>

enum {
    PAGE_BLOCK_LIMIT = 24,       /* nested $ for and $ if; Lua has 200 local variables, a loop takes six */
    EXPRESSION_DEPTH_LIMIT = 40, /* parentheses, calls, fields of fields; Lua has 200 levels */
    EXPRESSION_LIST_LIMIT = 64   /* operands of one ".." or arguments of one call */
};

typedef enum TokenKind {
    TOKEN_END, /* end of the line */
    TOKEN_NAME,
    TOKEN_KEYWORD,
    TOKEN_INTEGER,
    TOKEN_STRING,
    TOKEN_SYMBOL,
    TOKEN_BAD /* reported already */
} TokenKind;

typedef struct Token {
    TokenKind kind;
    const char *start;
    int size;
    unsigned long long integer;
} Token;

/* Names of the loop variables that are visible. */
typedef struct Variables {
    const char *name[2 * PAGE_BLOCK_LIMIT];
    int count;
} Variables;

/* Reads one line of a template, from a place in it to its end. */
typedef struct Reader {
    Diagnostics *diagnostics;
    const Variables *variables;
    const char *file;
    int line;
    const char *line_start, *line_end;
    Token token; /* the next one */
    int depth;
    bool failed; /* the first mistake of an expression is reported, and ends it */
    Buffer *lua;
} Reader;

void reader_start(Reader *reader, const char *at);
void reader_next(Reader *reader);
bool reader_at(const Reader *reader, const char *text); /* the next token is this keyword, name or symbol */
int reader_column(const Reader *reader, const char *place);
void reader_fail(Reader *reader, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says why the next token cannot stand here; `expected` says what could. */
void reader_refuse_token(Reader *reader, const char *expected);

/* Reads an expression and appends it as Lua. False after reporting; what was appended is then of no use. */
bool expression_read(Reader *reader);

/* A name that pages may give to loop variables. */
bool reader_is_free_name(const Token *token);

#endif
