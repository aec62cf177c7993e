/* locate.c: columns of a spec's calls and fields, from its tokens.
 *
 * The token rules are those of the Lua 5.4 manual, section 3.1, as far as brackets, names, strings and
 * comments need them. Invariant: token[] is in text order, and `partner` of a bracket is the token that
 * closes it, or itself when nothing does.
 *
 * Why the order in which calls return: arguments run before the call they are for, so of `f(f(1), f(2))` the
 * inner two run first. That is the order of the closing brackets. */
#include "lua/locate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    LINE_TOKENS_LIMIT = 512
}; /* longer lines were not written by hand; columns are not worth their time */

typedef enum TokenKind { TOKEN_NAME, TOKEN_OTHER, TOKEN_STRING, TOKEN_SYMBOL } TokenKind;

typedef struct Token {
    TokenKind kind;
    const char *text;
    int length, line, column;
    int partner; /* of an opening bracket */
    int asked; /* locator_call: how many times this name was asked for on this line (on the first of them) */
} Token;

struct Locator {
    const char *file;
    Token *token;
    int tokens;
};

/* ---- Cutting ---- */

typedef struct Cutter {
    const char *at, *end, *line_start;
    int line;
} Cutter;

static void advance(Cutter *c, size_t count)
{
    for (; count > 0 && c->at < c->end; count--) {
        if (*c->at++ == '\n') {
            c->line++;
            c->line_start = c->at;
        }
    }
}

static bool starts_with(const Cutter *c, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(c->end - c->at) >= size && memcmp(c->at, text, size) == 0;
}

/* Level of the long bracket `[==[` here, -1 when there is none. */
static int long_bracket(const Cutter *c)
{
    const char *at = c->at;
    int level = 0;
    if (at == c->end || *at++ != '[') {
        return -1;
    }
    for (; at < c->end && *at == '='; at++) {
        level++;
    }
    return at < c->end && *at == '[' ? level : -1;
}

static void skip_long_bracket(Cutter *c, int level)
{
    advance(c, (size_t)level + 2);
    for (; c->at < c->end; advance(c, 1)) {
        if (*c->at != ']') {
            continue;
        }
        const char *at = c->at + 1;
        while (at < c->end && *at == '=') {
            at++;
        }
        if (at - c->at - 1 == level && at < c->end && *at == ']') {
            advance(c, (size_t)level + 2);
            return;
        }
    }
}

static void skip_quoted(Cutter *c)
{
    char quote = *c->at;
    advance(c, 1);
    while (c->at < c->end && *c->at != quote && *c->at != '\n') {
        advance(c, *c->at == '\\' ? 2 : 1);
    }
    advance(c, 1);
}

static void skip_blank(Cutter *c)
{
    while (c->at < c->end) {
        if (isspace((unsigned char)*c->at)) {
            advance(c, 1);
        } else if (starts_with(c, "--")) {
            advance(c, 2);
            int level = long_bracket(c);
            if (level >= 0) {
                skip_long_bracket(c, level);
            } else {
                while (c->at < c->end && *c->at != '\n') {
                    advance(c, 1);
                }
            }
        } else {
            return;
        }
    }
}

static TokenKind skip_token(Cutter *c)
{
    static const char *const pairs[] = {"==", "~=", "<=", ">=", "//", "..", "<<", ">>", NULL};
    if (isalpha((unsigned char)*c->at) || *c->at == '_') {
        while (c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '_')) {
            advance(c, 1);
        }
        return TOKEN_NAME;
    }
    if (*c->at == '"' || *c->at == '\'') {
        skip_quoted(c);
        return TOKEN_STRING;
    }
    if (long_bracket(c) >= 0) {
        skip_long_bracket(c, long_bracket(c));
        return TOKEN_STRING;
    }
    if (isdigit((unsigned char)*c->at)) {
        char before = ' '; /* 1e-6 is one token */
        while (c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '.' ||
                                  ((*c->at == '-' || *c->at == '+') && strchr("eEpP", before)))) {
            before = *c->at;
            advance(c, 1);
        }
        return TOKEN_OTHER;
    }
    for (int i = 0; pairs[i]; i++) {
        if (starts_with(c, pairs[i])) {
            advance(c, 2);
            return TOKEN_SYMBOL;
        }
    }
    advance(c, 1);
    return TOKEN_SYMBOL;
}

static bool token_is(const Token *token, const char *text)
{
    return token->kind != TOKEN_STRING && (size_t)token->length == strlen(text) &&
           memcmp(token->text, text, (size_t)token->length) == 0;
}

static bool opens(const Token *token)
{
    return token_is(token, "(") || token_is(token, "{") || token_is(token, "[");
}

static bool closes(const Token *token)
{
    return token_is(token, ")") || token_is(token, "}") || token_is(token, "]");
}

static void find_partners(Arena *arena, Locator *locator)
{
    int *open = ARENA_ARRAY(arena, int, (size_t)locator->tokens + 1);
    int depth = 0;
    for (int t = 0; t < locator->tokens; t++) {
        locator->token[t].partner = t;
        if (opens(&locator->token[t])) {
            open[depth++] = t;
        } else if (closes(&locator->token[t]) && depth > 0) {
            locator->token[open[--depth]].partner = t;
        }
    }
}

Locator *locator_create(Arena *arena, const char *file, const char *text, size_t size)
{
    Locator *locator = ARENA_NEW(arena, Locator);
    locator->file = file;
    locator->token = ARENA_ARRAY(arena, Token, size + 1); /* a token has at least one character */
    Cutter c = {text, text + size, text, 1};
    for (skip_blank(&c); c.at < c.end; skip_blank(&c)) {
        Token *token = &locator->token[locator->tokens++];
        token->text = c.at;
        token->line = c.line;
        token->column = (int)(c.at - c.line_start) + 1;
        token->kind = skip_token(&c);
        token->length = (int)(c.at - token->text);
    }
    find_partners(arena, locator);
    return locator;
}

/* ---- Finding ---- */

static Location at_token(const Locator *locator, int token)
{
    return (Location){locator->file, locator->token[token].line, locator->token[token].column};
}

static Location at_line(const Locator *locator, int line)
{
    return (Location){locator->file, line, 0};
}

/* First token of `line` or behind it. */
static int first_on_line(const Locator *locator, int line)
{
    int low = 0, high = locator->tokens;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (locator->token[middle].line < line) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The last token of the call whose name is token `t`; -1 when it is no call. */
static int call_end(const Locator *locator, int t)
{
    if (t + 1 >= locator->tokens || (t > 0 && token_is(&locator->token[t - 1], "."))) {
        return -1;
    }
    const Token *next = &locator->token[t + 1];
    bool called = next->kind == TOKEN_STRING || token_is(next, "(") || token_is(next, "{");
    return called ? next->partner : -1;
}

/* Calls of `name` on `line` in the order in which they return. -1 when the line is too long to look at. */
static int calls_on_line(const Locator *locator, int line, const char *name, int call[LINE_TOKENS_LIMIT])
{
    int count = 0, first = first_on_line(locator, line);
    for (int t = first; t < locator->tokens && locator->token[t].line == line; t++) {
        if (t - first >= LINE_TOKENS_LIMIT) {
            return -1;
        }
        if (!token_is(&locator->token[t], name) || call_end(locator, t) < 0) {
            continue;
        }
        int at = count++;
        for (; at > 0 && call_end(locator, call[at - 1]) > call_end(locator, t); at--) {
            call[at] = call[at - 1];
        }
        call[at] = t;
    }
    return count;
}

Location locator_call(Locator *locator, int line, const char *name)
{
    int call[LINE_TOKENS_LIMIT];
    int count = calls_on_line(locator, line, name, call);
    if (count <= 0) {
        return at_line(locator, line);
    }
    int k = locator->token[call[0]].asked++ % count; /* again from the first: the line is in a loop */
    return at_token(locator, call[k]);
}

Location locator_symbol(const Locator *locator, int line, const char *symbol)
{
    int found = -1;
    for (int t = first_on_line(locator, line); t < locator->tokens && locator->token[t].line == line; t++) {
        if (token_is(&locator->token[t], symbol)) {
            if (found >= 0) {
                return at_line(locator, line);
            }
            found = t;
        }
    }
    return found >= 0 ? at_token(locator, found) : at_line(locator, line);
}

Location locator_name(const Locator *locator, int line, const char *name)
{
    for (int t = first_on_line(locator, line); t < locator->tokens && locator->token[t].line == line; t++) {
        if (locator->token[t].kind == TOKEN_NAME && token_is(&locator->token[t], name)) {
            return at_token(locator, t);
        }
    }
    return at_line(locator, line);
}

int locator_table_after(const Locator *locator, int line, const char *name)
{
    for (int t = first_on_line(locator, line); t < locator->tokens && locator->token[t].line == line; t++) {
        if (token_is(&locator->token[t], name) && call_end(locator, t) >= 0) {
            int next = call_end(locator, t) + 1;
            return next < locator->tokens && token_is(&locator->token[next], "{") ? next : -1;
        }
    }
    return -1;
}

/* The first token of item `wanted` (from 1) of a table, or of the item that begins `field =`; -1 if none. */
static int find_item(const Locator *locator, int table, int wanted, const char *field)
{
    if (table < 0) {
        return -1;
    }
    int item = 1;
    bool begins = true;
    for (int t = table + 1; t < locator->token[table].partner; t++) {
        const Token *token = &locator->token[t];
        if (begins && field && token_is(token, field) && token_is(&token[1], "=")) {
            return t;
        }
        if (begins && !field && item == wanted) {
            return t;
        }
        begins = token_is(token, ",") || token_is(token, ";");
        item += begins ? 1 : 0;
        t = token->partner; /* what is inside a bracket is no item of this table */
    }
    return -1;
}

int locator_field_table(const Locator *locator, int table, const char *field)
{
    int at = find_item(locator, table, 0, field);
    return at >= 0 && at + 2 < locator->tokens && token_is(&locator->token[at + 2], "{") ? at + 2 : -1;
}

int locator_item_table(const Locator *locator, int table, int item)
{
    int at = find_item(locator, table, item, NULL);
    return at >= 0 && token_is(&locator->token[at], "{") ? at : -1;
}

Location locator_field(const Locator *locator, int table, const char *field, Location otherwise)
{
    int at = find_item(locator, table, 0, field);
    return at >= 0 ? at_token(locator, at) : otherwise;
}

Location locator_item(const Locator *locator, int table, int item, Location otherwise)
{
    int at = find_item(locator, table, item, NULL);
    return at >= 0 ? at_token(locator, at) : otherwise;
}
