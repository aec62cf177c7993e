/* expression.c: see expression.h for the grammar. A recursive descent that writes Lua as it reads; where an
 * operation follows its first operand, its head is inserted in front of what that operand gave. */
#include "template/expression.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const keywords[] = {
    "and",   "break", "do",  "else", "elseif", "end",    "false", "for",  "function", "goto",  "if", "in",
    "local", "nil",   "not", "or",   "repeat", "return", "then",  "true", "until",    "while", NULL};

/* Longest first: the first that fits is taken. */
static const char *const symbols[] = {
    "...", "..", "==", "~=", "<=", ">=", "<<", ">>", "//", "::", "--", "+", "-",
    "*",   "/",  "%",  "^",  "#",  "&",  "~",  "|",  "<",  ">",  "=",  "(", ")",
    "{",   "}",  "[",  "]",  ";",  ":",  ",",  ".",  "$",  "!",  "?",  "@", NULL};

/* ---- tokens ---- */

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

int reader_column(const Reader *reader, const char *place)
{
    return (int)(place - reader->line_start) + 1;
}

void reader_fail(Reader *reader, const char *place, const char *format, ...)
{
    if (reader->failed)
        return;
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    Location where = {.file = reader->file, .line = reader->line, .column = reader_column(reader, place)};
    diagnostics_error(reader->diagnostics, where, "%s", message);
    reader->failed = true;
    reader->token = (Token){.kind = TOKEN_BAD, .start = place};
}

static bool token_is(const Token *token, const char *text)
{
    return (int)strlen(text) == token->size && memcmp(token->start, text, (size_t)token->size) == 0 &&
           (token->kind == TOKEN_NAME || token->kind == TOKEN_KEYWORD || token->kind == TOKEN_SYMBOL);
}

bool reader_at(const Reader *reader, const char *text)
{
    return token_is(&reader->token, text);
}

static void read_name(Reader *reader, const char *at)
{
    Token *token = &reader->token;
    while (at < reader->line_end && is_name_part(*at))
        at++;
    token->size = (int)(at - token->start);
    token->kind = TOKEN_NAME;
    for (int i = 0; keywords[i]; i++)
        if (token_is(token, keywords[i]))
            token->kind = TOKEN_KEYWORD;
    if (token->size >= 2 && token->start[0] == '_' && token->start[1] == '_')
        reader_fail(reader, token->start, "names that begin with two underscores are reserved");
}

/* Integers only: a constant such as 0.1 is the plan's business, which writes it as a C hexadecimal constant.
 */
static void read_integer(Reader *reader, const char *at)
{
    Token *token = &reader->token;
    while (at < reader->line_end && (is_name_part(*at) || (*at == '.' && at[1] != '.')))
        at++;
    token->size = (int)(at - token->start);
    token->kind = TOKEN_INTEGER;
    char digits[24], *end;
    if (token->size >= (int)sizeof digits) {
        reader_fail(reader, token->start, "this number is too long: integers have 64 bits");
        return;
    }
    memcpy(digits, token->start, (size_t)token->size);
    digits[token->size] = 0;
    errno = 0;
    token->integer =
        strtoull(digits, &end, digits[0] == '0' && tolower((unsigned char)digits[1]) == 'x' ? 16 : 10);
    if (*end)
        reader_fail(reader, token->start,
                    "'%s' is not an integer; floating-point constants come from the plan as strings", digits);
    else if (errno == ERANGE || token->integer > INT64_MAX)
        reader_fail(reader, token->start, "%s does not fit 64 bits", digits);
}

static void read_string(Reader *reader, const char *at)
{
    Token *token = &reader->token;
    char quote = *at++;
    for (; at < reader->line_end && *at != quote; at++) {
        if (*at != '\\')
            continue;
        at++;
        if (at < reader->line_end && !strchr("\\\"'nt", *at)) {
            reader_fail(reader, at - 1, "the escapes are \\\\ \\\" \\' \\n \\t");
            return;
        }
    }
    if (at >= reader->line_end) {
        reader_fail(reader, token->start, "this string has no closing %c on its line", quote);
        return;
    }
    token->kind = TOKEN_STRING;
    token->size = (int)(at + 1 - token->start);
}

static void read_symbol(Reader *reader)
{
    Token *token = &reader->token;
    size_t room = (size_t)(reader->line_end - token->start);
    for (int i = 0; symbols[i]; i++) {
        size_t size = strlen(symbols[i]);
        if (size <= room && memcmp(token->start, symbols[i], size) == 0) {
            token->kind = TOKEN_SYMBOL;
            token->size = (int)size;
            return;
        }
    }
    reader_fail(reader, token->start, "the byte 0x%02x cannot stand in an expression",
                (unsigned char)*token->start);
}

void reader_start(Reader *reader, const char *at)
{
    reader->failed = false;
    reader->depth = 0;
    while (at < reader->line_end && (*at == ' ' || *at == '\t'))
        at++;
    reader->token = (Token){.kind = TOKEN_END, .start = at};
    if (at >= reader->line_end)
        return;
    if (is_name_start(*at))
        read_name(reader, at);
    else if (isdigit((unsigned char)*at))
        read_integer(reader, at);
    else if (*at == '"' || *at == '\'')
        read_string(reader, at);
    else
        read_symbol(reader);
}

void reader_next(Reader *reader)
{
    if (reader->failed)
        return;
    int depth = reader->depth;
    reader_start(reader, reader->token.start + reader->token.size);
    reader->depth = depth;
}

bool reader_is_free_name(const Token *token)
{
    return token->kind == TOKEN_NAME;
}

/* ---- what cannot stand in a page, and what to do instead ---- */

typedef struct Refusal {
    const char *tokens; /* separated by blanks */
    const char *why;
} Refusal;

static const Refusal refusals[] = {
    {"+ - * / // % ^ & | ~ << >>", "pages do no arithmetic; let the plan compute the value and pass it in"},
    {"=", "pages cannot assign; '==' compares"},
    {"!", "'~=' is unequal and 'not' negates"},
    {"--", "a comment has a line of its own: $ -- text"},
    {"function", "pages define no functions; let the plan compute the value and pass it in"},
    {"nil", "pages have no nil: a missing field is an error, so let the plan pass false"},
    {"break else elseif end for goto if local repeat return until while",
     "a hole holds an expression, not a statement"},
    {"{", "pages build no tables; let the plan pass the list in"},
    {":", "pages call no methods"},
    {"...", "pages have no arguments"},
};

static bool is_among(const Token *token, const char *tokens)
{
    while (*tokens) {
        size_t size = strcspn(tokens, " ");
        if ((int)size == token->size && memcmp(tokens, token->start, size) == 0)
            return true;
        tokens += size + (tokens[size] == ' ');
    }
    return false;
}

void reader_refuse_token(Reader *reader, const char *expected)
{
    const Token token = reader->token;
    if (token.kind == TOKEN_END)
        reader_fail(reader, token.start, "the line ends here; expected %s", expected);
    bool in_expression = token.kind == TOKEN_SYMBOL || strcmp(expected, "a value") == 0;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (in_expression && token.kind != TOKEN_NAME && is_among(&token, refusals[i].tokens))
            reader_fail(reader, token.start, "'%.*s': %s", token.size, token.start, refusals[i].why);
    reader_fail(reader, token.start, "'%.*s' cannot stand here; expected %s",
                token.size < 40 ? token.size : 40, token.start, expected);
}

/* ---- writing ---- */

static void insert(Buffer *buffer, size_t at, const char *text)
{
    size_t size = strlen(text), tail = buffer->size - at;
    buffer_append(buffer, text, size);
    memmove(buffer->data + at + size, buffer->data + at, tail);
    memcpy(buffer->data + at, text, size);
}

/* "__f(12," in front of what was written since `at`. */
static void insert_head(Reader *reader, size_t at, const char *function, const char *place)
{
    char head[64];
    snprintf(head, sizeof head, "%s(%d,", function, reader_column(reader, place));
    insert(reader->lua, at, head);
}

/* A string of the page, its quotes and escapes kept; raw control bytes escaped, so that Lua sees no line end.
 */
static void write_string(Buffer *lua, const Token *token)
{
    for (const char *at = token->start; at < token->start + token->size; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < ' ' || byte == 127)
            buffer_printf(lua, "\\%03d", byte);
        else
            buffer_append(lua, at, 1);
    }
}

static bool is_variable(const Variables *variables, const Token *token)
{
    for (int i = variables->count - 1; i >= 0; i--)
        if (token_is(token, variables->name[i]))
            return true;
    return false;
}

static void write_name(Reader *reader, const Token *token)
{
    if (is_variable(reader->variables, token))
        buffer_append(reader->lua, token->start, (size_t)token->size);
    else
        buffer_printf(reader->lua, "__g(%d,\"%.*s\",__s)", reader_column(reader, token->start), token->size,
                      token->start);
}

/* ---- the grammar ---- */

static void read_expression(Reader *reader);

/* False after reporting. Every level calls leave() when done. */
static bool enter(Reader *reader)
{
    if (++reader->depth > EXPRESSION_DEPTH_LIMIT)
        reader_fail(reader, reader->token.start, "this expression nests deeper than %d; split it",
                    EXPRESSION_DEPTH_LIMIT);
    return !reader->failed;
}

static void expect(Reader *reader, const char *symbol, const char *expected)
{
    if (!reader_at(reader, symbol))
        reader_refuse_token(reader, expected);
    reader_next(reader);
}

static void read_arguments(Reader *reader)
{
    reader_next(reader); /* ( */
    int count = 0;
    while (!reader->failed && !reader_at(reader, ")")) {
        if (++count > EXPRESSION_LIST_LIMIT)
            reader_fail(reader, reader->token.start, "more than %d arguments", EXPRESSION_LIST_LIMIT);
        buffer_append_string(reader->lua, ",");
        read_expression(reader);
        if (reader_at(reader, ","))
            reader_next(reader);
        else if (!reader_at(reader, ")"))
            reader_refuse_token(reader, "',' or ')'");
    }
    reader_next(reader);
    buffer_append_string(reader->lua, ")");
}

static void read_name_or_call(Reader *reader)
{
    Token name = reader->token;
    size_t start = reader->lua->size;
    reader_next(reader);
    write_name(reader, &name);
    if (reader_at(reader, "(")) {
        insert_head(reader, start, "__w", name.start);
        read_arguments(reader);
    }
}

static void read_parenthesis(Reader *reader)
{
    reader_next(reader);
    buffer_append_string(reader->lua, "(");
    read_expression(reader);
    expect(reader, ")", "')'");
    buffer_append_string(reader->lua, ")");
}

static void read_field(Reader *reader, size_t start)
{
    reader_next(reader); /* . */
    const Token name = reader->token;
    if (name.kind == TOKEN_KEYWORD)
        reader_fail(reader, name.start, "the field '%.*s' is named like a keyword; write [\"%.*s\"]",
                    name.size, name.start, name.size, name.start);
    if (name.kind != TOKEN_NAME)
        reader_refuse_token(reader, "the name of a field");
    if (reader->failed)
        return;
    insert_head(reader, start, "__f", name.start);
    buffer_printf(reader->lua, ",\"%.*s\")", name.size, name.start);
    reader_next(reader);
    if (reader_at(reader, "("))
        reader_fail(reader, reader->token.start, "fields are values; only words can be called");
}

static void read_index(Reader *reader, size_t start)
{
    const char *place = reader->token.start;
    reader_next(reader);
    insert_head(reader, start, "__x", place);
    buffer_append_string(reader->lua, ",");
    read_expression(reader);
    expect(reader, "]", "']'");
    buffer_append_string(reader->lua, ")");
}

static void read_path(Reader *reader)
{
    size_t start = reader->lua->size;
    if (reader_at(reader, "("))
        read_parenthesis(reader);
    else
        read_name_or_call(reader);
    int entered = 0;
    while ((reader_at(reader, ".") || reader_at(reader, "[")) && enter(reader)) {
        entered++;
        if (reader_at(reader, "."))
            read_field(reader, start);
        else
            read_index(reader, start);
    }
    reader->depth -= entered;
}

static void read_negative(Reader *reader)
{
    const Token minus = reader->token;
    reader_next(reader);
    if (reader->token.kind != TOKEN_INTEGER) {
        reader->token = minus;
        reader_refuse_token(reader, "a value");
        return;
    }
    buffer_printf(reader->lua, "(-%llu)", reader->token.integer);
    reader_next(reader);
}

static void read_value(Reader *reader)
{
    const Token *token = &reader->token;
    if (token->kind == TOKEN_NAME || reader_at(reader, "(")) {
        read_path(reader);
    } else if (token->kind == TOKEN_INTEGER) {
        buffer_printf(reader->lua, "%llu", token->integer);
        reader_next(reader);
    } else if (token->kind == TOKEN_STRING) {
        write_string(reader->lua, token);
        reader_next(reader);
    } else if (reader_at(reader, "true") || reader_at(reader, "false")) {
        buffer_append(reader->lua, token->start, (size_t)token->size);
        reader_next(reader);
    } else if (reader_at(reader, "-")) {
        read_negative(reader);
    } else {
        reader_refuse_token(reader, "a value");
    }
}

static void read_unary(Reader *reader)
{
    if (!enter(reader))
        return;
    if (reader_at(reader, "not")) {
        reader_next(reader);
        buffer_append_string(reader->lua, "(not ");
        read_unary(reader);
        buffer_append_string(reader->lua, ")");
    } else if (reader_at(reader, "#")) {
        buffer_printf(reader->lua, "__l(%d,", reader_column(reader, reader->token.start));
        reader_next(reader);
        read_unary(reader);
        buffer_append_string(reader->lua, ")");
    } else {
        read_value(reader);
    }
    reader->depth--;
}

/* a .. b .. c becomes one call __c(column a, a, column b, b, ...): no nesting, however long. */
static void read_text(Reader *reader)
{
    size_t start = reader->lua->size;
    const char *place = reader->token.start;
    read_unary(reader);
    if (!reader_at(reader, ".."))
        return;
    insert_head(reader, start, "__c", place);
    for (int count = 1; reader_at(reader, ".."); count++) {
        if (count >= EXPRESSION_LIST_LIMIT)
            reader_fail(reader, reader->token.start, "more than %d pieces of text; use join",
                        EXPRESSION_LIST_LIMIT);
        reader_next(reader);
        buffer_printf(reader->lua, ",%d,", reader_column(reader, reader->token.start));
        read_unary(reader);
    }
    buffer_append_string(reader->lua, ")");
}

/* Numbers of the comparisons, as lua/page.c knows them. */
static int comparison_number(const Reader *reader)
{
    static const char *const comparisons[] = {"==", "~=", "<", "<=", ">", ">=", NULL};
    for (int i = 0; comparisons[i]; i++)
        if (reader_at(reader, comparisons[i]))
            return i;
    return -1;
}

static void read_comparison(Reader *reader)
{
    size_t start = reader->lua->size;
    read_text(reader);
    int number = comparison_number(reader);
    if (number < 0)
        return;
    insert_head(reader, start, "__q", reader->token.start);
    buffer_printf(reader->lua, ",%d,", number);
    reader_next(reader);
    read_text(reader);
    buffer_append_string(reader->lua, ")");
    if (comparison_number(reader) >= 0)
        reader_fail(reader, reader->token.start, "comparisons do not chain; use 'and'");
}

/* Operands of "and" (of "or"), flat between one pair of parentheses. */
static void read_operands(Reader *reader, const char *word, void (*operand)(Reader *))
{
    size_t start = reader->lua->size;
    operand(reader);
    if (!reader_at(reader, word))
        return;
    insert(reader->lua, start, "(");
    while (reader_at(reader, word)) {
        buffer_printf(reader->lua, " %s ", word);
        reader_next(reader);
        operand(reader);
    }
    buffer_append_string(reader->lua, ")");
}

static void read_conjunction(Reader *reader)
{
    read_operands(reader, "and", read_comparison);
}

static void read_expression(Reader *reader)
{
    if (enter(reader))
        read_operands(reader, "or", read_conjunction);
    reader->depth--;
}

bool expression_read(Reader *reader)
{
    read_expression(reader);
    return !reader->failed;
}
