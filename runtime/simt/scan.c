/* scan.c: tokens, then `__global__ ... void NAME(...)` or `kernel void NAME(...)`. */
#include "simt/scan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct Token {
    const char *at;
    int size, line; /* size 0: the end */
} Token;

typedef struct Reader {
    Arena *arena;
    const char *at;
    int line;
    bool line_start;
} Reader;

/* ---- tokens ---- */

static void skip_one(Reader *reader)
{
    if (*reader->at == '\n') {
        reader->line++;
        reader->line_start = true;
    }
    reader->at++;
}

static void skip_comment(Reader *reader, const char *end)
{
    reader->at += 2;
    while (*reader->at && strncmp(reader->at, end, strlen(end)) != 0) {
        skip_one(reader);
    }
    for (size_t i = 0; i < strlen(end) && *reader->at; i++) {
        skip_one(reader);
    }
}

static void skip_directive(Reader *reader)
{
    while (*reader->at && *reader->at != '\n') {
        if (reader->at[0] == '\\' && reader->at[1] == '\n') {
            reader->at++;
        }
        skip_one(reader);
    }
}

static void skip_space(Reader *reader)
{
    for (;;) {
        if (isspace((unsigned char)*reader->at)) {
            skip_one(reader);
        } else if (strncmp(reader->at, "//", 2) == 0) {
            skip_comment(reader, "\n");
        } else if (strncmp(reader->at, "/*", 2) == 0) {
            skip_comment(reader, "*/");
        } else if (*reader->at == '#' && reader->line_start) {
            skip_directive(reader);
        } else {
            return;
        }
    }
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static Token next_token(Reader *reader)
{
    skip_space(reader);
    reader->line_start = false;
    Token token = {reader->at, 0, reader->line};
    if (!*reader->at) {
        return token;
    }
    if (*reader->at == '"' || *reader->at == '\'') {
        const char quote = *reader->at++;
        while (*reader->at && *reader->at != quote) {
            reader->at += *reader->at == '\\' && reader->at[1] ? 2 : 1;
        }
        reader->at += *reader->at == quote;
    } else if (in_word(*reader->at)) {
        while (in_word(*reader->at)) {
            reader->at++;
        }
    } else {
        reader->at++;
    }
    token.size = (int)(reader->at - token.at);
    return token;
}

static bool is(Token token, const char *text)
{
    return token.size == (int)strlen(text) && strncmp(token.at, text, strlen(text)) == 0;
}

/* ---- one kernel ---- */

static int depth_change(Token token)
{
    return (is(token, "(") || is(token, "[") || is(token, "{")) -
           (is(token, ")") || is(token, "]") || is(token, "}"));
}

/* `[[` was read up to its second bracket. The attribute's text without spaces, up to `]]`. */
static const char *read_attribute(Reader *reader)
{
    char *text = arena_copy(reader->arena, "");
    for (int depth = 2; depth > 0;) {
        const Token token = next_token(reader);
        if (token.size == 0) {
            return NULL;
        }
        depth += depth_change(token);
        if (depth >= 2) {
            text = arena_printf(reader->arena, "%s%.*s", text, token.size, token.at);
        }
    }
    return text;
}

/* Behind the opening parenthesis. */
static const char *read_parameters(Reader *reader, ScanKernel *kernel)
{
    bool any = false;
    Token before = {"", 0, 0};
    for (int depth = 1;;) {
        const Token token = next_token(reader);
        if (token.size == 0) {
            return "the list of a kernel's parameters does not end";
        }
        if (depth == 2 && is(token, "[") && is(before, "[")) {
            kernel->attribute[kernel->parameters] = read_attribute(reader);
            depth = 1;
            before = (Token){"", 0, 0};
            continue;
        }
        depth += depth_change(token);
        if (depth == 0) {
            kernel->parameters += any;
            return NULL;
        }
        any |= !is(token, "void") || before.size > 0;
        if (depth == 1 && is(token, ",") && ++kernel->parameters == SCAN_PARAMETERS) {
            return "a kernel with more than 64 parameters";
        }
        before = token;
    }
}

/* Behind `__global__` or `kernel`: attributes, `void`, a name, parameters. */
static const char *read_kernel(Reader *reader, Scan *scan)
{
    Token token = next_token(reader);
    int depth = 0;
    while (token.size > 0 && !(depth == 0 && is(token, "void"))) {
        if (depth == 0 && (is(token, ";") || is(token, "{"))) {
            return NULL; /* not a kernel after all */
        }
        depth += depth_change(token);
        token = next_token(reader);
    }
    token = next_token(reader);
    while (is(token, "__launch_bounds__")) {
        do {
            token = next_token(reader);
        } while (token.size > 0 && !is(token, ")"));
        token = next_token(reader);
    }
    const Token name = token;
    if (!is(next_token(reader), "(")) {
        return "a kernel's name must be followed by its parameters";
    }
    if (scan->kernels == SCAN_KERNELS) {
        return "more than 64 kernels in one file";
    }
    ScanKernel kernel = {.name = arena_copy_bytes(reader->arena, name.at, (size_t)name.size)};
    const char *why = read_parameters(reader, &kernel);
    if (!why && is(next_token(reader), "{")) { /* a declaration is no kernel */
        scan->kernel[scan->kernels++] = kernel;
    }
    return why;
}

/* ---- a file ---- */

/* `threadgroup` is `static` to the compiler here, so a pointer of that kind would be one variable for all
 * threads. */
static const char *check_threadgroup(Reader *reader)
{
    const Reader start = *reader;
    for (Token token = next_token(reader); token.size > 0; token = next_token(reader)) {
        if (is(token, ";") || is(token, "[") || is(token, ",") || is(token, ")") || is(token, "=")) {
            break;
        }
        if (is(token, "*") || is(token, "&")) {
            return "pointers and references to threadgroup memory cannot be run here; use the array by its "
                   "name";
        }
    }
    *reader = start;
    return NULL;
}

const char *scan_kernels(Arena *arena, const char *text, bool metal, Scan *scan)
{
    Reader reader = {arena, text, 1, true};
    const char *why = NULL;
    for (Token token = next_token(&reader); token.size > 0 && !why; token = next_token(&reader)) {
        const int line = token.line;
        if (is(token, metal ? "kernel" : "__global__")) {
            why = read_kernel(&reader, scan);
        } else if (metal && is(token, "threadgroup")) {
            why = check_threadgroup(&reader);
        }
        if (why) {
            return arena_printf(arena, "line %d: %s", line, why);
        }
    }
    return scan->kernels > 0 ? NULL : "there is no kernel in it";
}
