/* lex.c: PTX text as tokens.
 *
 * A dot or '%' belongs to the word it stands in, so an opcode is one token. `L2::cache_hint` is one too: two
 * colons between word characters do not end it, one does (a label). Every read is below `end`. */
#include "ptx/lex.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.';
}

static char ahead(const PtxLexer *lexer, int distance)
{
    return lexer->end - lexer->at > distance ? lexer->at[distance] : '\0';
}

/* False: a comment without an end. */
static bool skip_comment(PtxLexer *lexer)
{
    if (ahead(lexer, 1) == '/') {
        while (lexer->at < lexer->end && *lexer->at != '\n') {
            lexer->at++;
        }
        return true;
    }
    for (lexer->at += 2; lexer->at < lexer->end; lexer->at++) {
        if (*lexer->at == '\n') {
            lexer->line++;
        } else if (*lexer->at == '*' && ahead(lexer, 1) == '/') {
            lexer->at += 2;
            return true;
        }
    }
    return false;
}

static bool skip_blank(PtxLexer *lexer)
{
    while (lexer->at < lexer->end) {
        const char c = *lexer->at;
        if (c == '/' && (ahead(lexer, 1) == '/' || ahead(lexer, 1) == '*')) {
            if (!skip_comment(lexer)) {
                return false;
            }
        } else if (c == '\n') {
            lexer->line++;
            lexer->at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            lexer->at++;
        } else {
            break;
        }
    }
    return true;
}

static PtxToken bad(const PtxLexer *lexer, const char *what)
{
    return (PtxToken){.kind = PTX_TOKEN_BAD, .line = lexer->line, .text = what};
}

/* 0f and eight hexadecimal digits, 0d and sixteen: the bits of a float or double. */
static PtxToken exact_float(const PtxLexer *lexer, const char *text)
{
    const bool single = tolower((unsigned char)text[1]) == 'f';
    const size_t digits = single ? 8 : 16;
    if (strlen(text) != 2 + digits || strspn(text + 2, "0123456789abcdefABCDEF") != digits) {
        return bad(lexer, "a float constant has 8 (0f) or 16 (0d) hexadecimal digits");
    }
    return (PtxToken){.kind = single ? PTX_TOKEN_F32 : PTX_TOKEN_F64,
                      .line = lexer->line,
                      .value = strtoull(text + 2, NULL, 16)};
}

/* Decimal, 0x, 0b or octal, with an optional U. */
static PtxToken integer(const PtxLexer *lexer, const char *text)
{
    const bool binary = text[0] == '0' && tolower((unsigned char)text[1]) == 'b';
    char *rest;
    const uint64_t value = strtoull(binary ? text + 2 : text, &rest, binary ? 2 : 0);
    if (*rest == 'U' && rest[1] == '\0') {
        rest++;
    }
    if (*rest != '\0') {
        return bad(lexer, "not a number");
    }
    return (PtxToken){.kind = PTX_TOKEN_INTEGER, .line = lexer->line, .value = value};
}

static PtxToken decimal_float(const PtxLexer *lexer, const char *text)
{
    char *rest;
    const double value = strtod(text, &rest);
    PtxToken token = {.kind = PTX_TOKEN_F64, .line = lexer->line};
    if (*rest != '\0') {
        return bad(lexer, "not a number");
    }
    memcpy(&token.value, &value, sizeof value);
    return token;
}

static PtxToken number(const PtxLexer *lexer, const char *text)
{
    const char second = (char)tolower((unsigned char)text[1]);
    if (text[0] == '0' && (second == 'f' || second == 'd')) {
        return exact_float(lexer, text);
    }
    const bool hexadecimal = text[0] == '0' && second == 'x';
    if (!hexadecimal && strpbrk(text, ".eE")) {
        return decimal_float(lexer, text);
    }
    return integer(lexer, text);
}

static PtxToken word(PtxLexer *lexer)
{
    const char *start = lexer->at;
    while (lexer->at < lexer->end) {
        if (*lexer->at == ':' && ahead(lexer, 1) == ':' && is_word(ahead(lexer, 2))) {
            lexer->at += 2;
        } else if (!is_word(*lexer->at)) {
            break;
        }
        lexer->at++;
    }
    const char *text = arena_copy_bytes(lexer->arena, start, (size_t)(lexer->at - start));
    if (isdigit((unsigned char)text[0])) {
        return number(lexer, text);
    }
    return (PtxToken){.kind = PTX_TOKEN_WORD, .line = lexer->line, .text = text};
}

/* Strings (file names, pragmas) carry nothing that decides a value: skipped, not copied. */
static PtxToken string(PtxLexer *lexer)
{
    for (lexer->at++; lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n'; lexer->at++) {
        if (*lexer->at == '\\' && lexer->end - lexer->at > 1) {
            lexer->at++;
        }
    }
    if (lexer->at >= lexer->end || *lexer->at != '"') {
        return bad(lexer, "a string without its closing quote");
    }
    lexer->at++;
    return (PtxToken){.kind = PTX_TOKEN_STRING, .line = lexer->line, .text = ""};
}

PtxToken ptx_lex(PtxLexer *lexer)
{
    if (!skip_blank(lexer)) {
        return bad(lexer, "a comment without its end");
    }
    if (lexer->at >= lexer->end) {
        return (PtxToken){.kind = PTX_TOKEN_END, .line = lexer->line};
    }
    const char c = *lexer->at;
    if (is_word(c)) {
        return word(lexer);
    }
    if (c == '"') {
        return string(lexer);
    }
    if (!strchr("{}()[]<>,;:@!|+-=*&", c) || c == '\0') {
        return bad(lexer, "a character that PTX does not have");
    }
    lexer->at++;
    return (PtxToken){.kind = PTX_TOKEN_MARK, .line = lexer->line, .mark = c};
}
