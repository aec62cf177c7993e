/* compile.c: templates to Lua, line by line.
 *
 * | template              | chunk                                    |
 * |-----------------------|------------------------------------------|
 * | int ${name} = 0;      | __t(1);__h(5,name);__t(2);__n(12);       |
 * |     ${body}           | __b(5,3,body,13);                        |
 * | $ for x in xs do      | for __k,x in __e(12,xs) do               |
 * | $ if c then           | if __v(6,c) then                         |
 * | $ include "a.c"       | __i(11,"a.c",__s,"x",x);                 |
 *
 * The numbers are columns, pieces of literal text, and the line itself (for provenance). Expressions are
 * shown as they are in the template; expression.c rewrites them too. */
#include "template/compile.h"

#include "template/expression.h"

#include <ctype.h>
#include <string.h>

typedef enum BlockKind { BLOCK_FOR, BLOCK_IF, BLOCK_ELSE } BlockKind;

typedef struct Block {
    BlockKind kind;
    int line, column;
    int variables; /* visible outside */
} Block;

typedef struct Compiler {
    Arena *arena;
    Diagnostics *diagnostics;
    Page *page;
    Buffer *lua;
    Variables variables;
    Block block[PAGE_BLOCK_LIMIT];
    int blocks;
    int skipped; /* blocks beyond the limit, reported once */
    bool failed;
    Reader reader; /* on the current line */
} Compiler;

static const char *const control_words[] = {"for", "if", "elseif", "else", "end", "include", NULL};

/* ---- literal text ---- */

static int add_piece(Compiler *compiler, const char *text, size_t size)
{
    Page *page = compiler->page;
    if (page->pieces == page->capacity) {
        int capacity = page->capacity ? 2 * page->capacity : 64;
        Piece *piece = ARENA_ARRAY(compiler->arena, Piece, (size_t)capacity);
        if (page->pieces)
            memcpy(piece, page->piece, (size_t)page->pieces * sizeof *piece);
        page->piece = piece;
        page->capacity = capacity;
    }
    page->piece[page->pieces] = (Piece){.text = text, .size = size};
    return page->pieces++;
}

static void write_literal(Compiler *compiler, const char *from, const char *to)
{
    if (to > from)
        buffer_printf(compiler->lua, "__t(%d);", add_piece(compiler, from, (size_t)(to - from)));
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* ---- text lines ---- */

/* Reads the hole whose "${" is at `at`; gives the place after its "}", or NULL after reporting. The
 * expression goes to `lua`. */
static const char *read_hole(Compiler *compiler, const char *at, Buffer *lua)
{
    Reader *reader = &compiler->reader;
    reader->lua = lua;
    reader_start(reader, at + 2);
    if (!reader->failed && reader_at(reader, "}"))
        reader_fail(reader, at, "this hole is empty; '$$' spells a dollar");
    if (expression_read(reader) && !reader_at(reader, "}")) {
        if (reader->token.kind == TOKEN_END)
            reader_fail(reader, at, "this hole has no closing '}' on its line");
        else
            reader_refuse_token(reader, "'}'");
    }
    if (reader->failed) {
        compiler->failed = true;
        return NULL;
    }
    return reader->token.start + 1;
}

/* ${...} alone on its line: its value may be several lines, or none. */
static bool compile_lone_hole(Compiler *compiler, const char *dollar)
{
    Reader *reader = &compiler->reader;
    Buffer value = {0};
    const char *after = read_hole(compiler, dollar, &value);
    bool alone = after && skip_blanks(after, reader->line_end) == reader->line_end;
    if (alone) {
        size_t indent = (size_t)(dollar - reader->line_start);
        int piece = add_piece(compiler, reader->line_start, indent);
        buffer_printf(compiler->lua, "__b(%d,%d,%s,%d);", (int)indent + 1, piece, buffer_string(&value),
                      reader->line);
    }
    buffer_destroy(&value);
    return alone || !after;
}

/* A dollar that is no "$$": a hole, or a mistake. Gives the place after it, NULL after reporting. */
static const char *compile_hole(Compiler *compiler, const char *dollar)
{
    Reader *reader = &compiler->reader;
    if (dollar + 1 >= reader->line_end || dollar[1] != '{') {
        reader->failed = false;
        reader_fail(reader, dollar, "a lone '$'; write '$$' for a dollar, '${...}' for a hole");
        compiler->failed = true;
        return NULL;
    }
    buffer_printf(compiler->lua, "__h(%d,", reader_column(reader, dollar));
    const char *after = read_hole(compiler, dollar, compiler->lua);
    buffer_append_string(compiler->lua, ");");
    return after;
}

static void compile_text_line(Compiler *compiler)
{
    const Reader *reader = &compiler->reader;
    const char *first = skip_blanks(reader->line_start, reader->line_end);
    if (reader->line_end - first >= 2 && first[0] == '$' && first[1] == '{' &&
        compile_lone_hole(compiler, first))
        return;
    const char *literal = reader->line_start;
    for (const char *at = literal; at < reader->line_end;) {
        if (*at != '$') {
            at++;
        } else if (at + 1 < reader->line_end && at[1] == '$') {
            write_literal(compiler, literal, at + 1);
            literal = at += 2;
        } else {
            write_literal(compiler, literal, at);
            at = compile_hole(compiler, at);
            if (!at)
                return;
            literal = at;
        }
    }
    write_literal(compiler, literal, reader->line_end);
    buffer_printf(compiler->lua, "__n(%d);", reader->line);
}

/* ---- control lines ---- */

static void fail_at(Compiler *compiler, const char *place, const char *message)
{
    compiler->reader.failed = false;
    reader_fail(&compiler->reader, place, "%s", message);
    compiler->failed = true;
}

static void open_block(Compiler *compiler, BlockKind kind, const char *place)
{
    if (compiler->blocks == PAGE_BLOCK_LIMIT) {
        if (compiler->skipped++ == 0)
            fail_at(compiler, place, "blocks nest too deep here; split the page with include");
        return;
    }
    compiler->block[compiler->blocks++] = (Block){.kind = kind,
                                                  .line = compiler->reader.line,
                                                  .column = reader_column(&compiler->reader, place),
                                                  .variables = compiler->variables.count};
}

static Block *innermost_block(Compiler *compiler)
{
    return compiler->blocks > 0 ? &compiler->block[compiler->blocks - 1] : NULL;
}

/* Reads the name of a loop variable; NULL after reporting. */
static const char *read_variable(Compiler *compiler)
{
    Reader *reader = &compiler->reader;
    Token name = reader->token;
    if (!reader_is_free_name(&name)) {
        if (!reader->failed)
            reader_refuse_token(reader, "the name of a loop variable");
        return NULL;
    }
    reader_next(reader);
    return arena_copy_bytes(compiler->arena, name.start, (size_t)name.size);
}

static void expect_word(Compiler *compiler, const char *word)
{
    Reader *reader = &compiler->reader;
    char expected[32];
    snprintf(expected, sizeof expected, "'%s'", word);
    if (!reader->failed && !reader_at(reader, word))
        reader_refuse_token(reader, expected);
    reader_next(reader);
}

static void expect_line_end(Compiler *compiler)
{
    Reader *reader = &compiler->reader;
    if (!reader->failed && reader->token.kind != TOKEN_END)
        reader_refuse_token(reader, "the end of the line");
}

/* The list is read before the variables are visible. */
static void compile_for(Compiler *compiler, const char *place)
{
    Reader *reader = &compiler->reader;
    const char *second = NULL, *first = read_variable(compiler);
    if (first && reader_at(reader, ",")) {
        reader_next(reader);
        second = read_variable(compiler);
    }
    expect_word(compiler, "in");
    buffer_printf(compiler->lua, "for %s,%s in __e(%d,", second ? first : "__k",
                  second  ? second
                  : first ? first
                          : "__v",
                  reader_column(reader, reader->token.start));
    if (!reader->failed)
        expression_read(reader);
    buffer_append_string(compiler->lua, ") do ");
    expect_word(compiler, "do");
    expect_line_end(compiler);
    open_block(compiler, BLOCK_FOR, place);
    if (compiler->skipped)
        return;
    Variables *variables = &compiler->variables;
    if (first)
        variables->name[variables->count++] = first;
    if (second)
        variables->name[variables->count++] = second;
}

static void compile_condition(Compiler *compiler, const char *head)
{
    Reader *reader = &compiler->reader;
    buffer_printf(compiler->lua, "%s __v(%d,", head, reader_column(reader, reader->token.start));
    if (!reader->failed)
        expression_read(reader);
    buffer_append_string(compiler->lua, ") then ");
    expect_word(compiler, "then");
    expect_line_end(compiler);
}

static void compile_if(Compiler *compiler, const char *place)
{
    compile_condition(compiler, "if");
    open_block(compiler, BLOCK_IF, place);
}

static void compile_elseif(Compiler *compiler, const char *place)
{
    const Block *block = innermost_block(compiler);
    if (compiler->skipped || (block && block->kind == BLOCK_IF))
        compile_condition(compiler, "elseif");
    else
        fail_at(compiler, place,
                block && block->kind == BLOCK_ELSE ? "'elseif' after 'else'; put it before"
                                                   : "'elseif' without 'if'");
}

static void compile_else(Compiler *compiler, const char *place)
{
    Block *block = innermost_block(compiler);
    expect_line_end(compiler);
    if (compiler->skipped)
        return;
    if (!block || block->kind != BLOCK_IF) {
        fail_at(compiler, place,
                block && block->kind == BLOCK_ELSE ? "a second 'else'" : "'else' without 'if'");
        return;
    }
    block->kind = BLOCK_ELSE;
    buffer_append_string(compiler->lua, "else ");
}

static void compile_end(Compiler *compiler, const char *place)
{
    expect_line_end(compiler);
    if (compiler->skipped) {
        compiler->skipped--;
        return;
    }
    if (compiler->blocks == 0) {
        fail_at(compiler, place, "'end' without 'for' or 'if'");
        return;
    }
    compiler->variables.count = compiler->block[--compiler->blocks].variables;
    buffer_append_string(compiler->lua, "end;");
}

static bool is_shadowed(const Variables *variables, int i)
{
    for (int j = i + 1; j < variables->count; j++)
        if (strcmp(variables->name[i], variables->name[j]) == 0)
            return true;
    return false;
}

/* The included page gets the loop variables that are visible here. */
static void compile_include(Compiler *compiler, const char *place)
{
    (void)place;
    Reader *reader = &compiler->reader;
    buffer_printf(compiler->lua, "__i(%d,", reader_column(reader, reader->token.start));
    if (!reader->failed)
        expression_read(reader);
    expect_line_end(compiler);
    buffer_append_string(compiler->lua, ",__s");
    const Variables *variables = &compiler->variables;
    for (int i = 0; i < variables->count; i++)
        if (!is_shadowed(variables, i))
            buffer_printf(compiler->lua, ",\"%s\",%s", variables->name[i], variables->name[i]);
    buffer_append_string(compiler->lua, ");");
}

static void refuse_control(Compiler *compiler)
{
    Reader *reader = &compiler->reader;
    const Token token = reader->token;
    const char *near = NULL;
    char word[40];
    snprintf(word, sizeof word, "%.*s", token.size, token.start);
    if (token.kind == TOKEN_NAME || token.kind == TOKEN_KEYWORD)
        near = diagnostics_nearest(word, control_words);
    if (near)
        reader_fail(reader, token.start, "unknown control word '%s'; did you mean '%s'?", word, near);
    reader_fail(reader, token.start,
                "a control line is one of: for, if, elseif, else, end, include, -- comment");
}

typedef struct Control {
    const char *word;
    void (*compile)(Compiler *compiler, const char *place);
} Control;

static const Control controls[] = {{"else", compile_else}, {"elseif", compile_elseif},
                                   {"end", compile_end},   {"for", compile_for},
                                   {"if", compile_if},     {"include", compile_include}};

static void compile_control_line(Compiler *compiler, const char *dollar)
{
    Reader *reader = &compiler->reader;
    reader->lua = compiler->lua;
    reader_start(reader, dollar + 1);
    if (reader_at(reader, "--"))
        return;
    const char *place = reader->token.start;
    const Control *control = NULL;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (!reader->failed && reader_at(reader, controls[i].word))
            control = &controls[i];
    if (control) {
        reader_next(reader);
        control->compile(compiler, place);
    } else if (!reader->failed) {
        refuse_control(compiler);
    }
    compiler->failed = compiler->failed || reader->failed;
}

/* ---- pages ---- */

static bool is_control(const char *first, const char *end)
{
    return first < end && *first == '$' && (first + 1 == end || first[1] == ' ' || first[1] == '\t');
}

static void compile_line(Compiler *compiler, const char *start, const char *end)
{
    Reader *reader = &compiler->reader;
    reader->line_start = start;
    reader->line_end = end;
    reader->line = ++compiler->page->lines;
    reader->failed = false;
    const char *first = skip_blanks(start, end);
    if (is_control(first, end))
        compile_control_line(compiler, first);
    else
        compile_text_line(compiler);
    buffer_append_string(compiler->lua, "\n");
}

static void close_page(Compiler *compiler)
{
    for (int i = 0; i < compiler->blocks; i++) {
        const Block *block = &compiler->block[i];
        Location where = {.file = compiler->page->name, .line = block->line, .column = block->column};
        diagnostics_error(compiler->diagnostics, where, "this '%s' has no '$ end'",
                          block->kind == BLOCK_FOR ? "for" : "if");
        compiler->failed = true;
    }
}

/* A copy in which every line ends with "\n" alone: the same page from a checkout with other line ends gives
 * the same bytes. */
static const char *copy_text(Arena *arena, const char *text)
{
    char *copy = arena_copy(arena, text), *to = copy;
    for (const char *from = copy; *from; from++)
        if (from[0] != '\r' || from[1] != '\n')
            *to++ = *from;
    *to = 0;
    return copy;
}

Page *page_compile(Arena *arena, Diagnostics *diagnostics, const char *name, const char *text, Buffer *lua)
{
    Page *page = ARENA_NEW(arena, Page);
    page->name = arena_copy(arena, name);
    page->text = copy_text(arena, text);
    Compiler compiler = {.arena = arena, .diagnostics = diagnostics, .page = page, .lua = lua};
    compiler.reader =
        (Reader){.diagnostics = diagnostics, .variables = &compiler.variables, .file = page->name};
    buffer_append_string(lua, "local " PAGE_FUNCTIONS "=...;");
    for (const char *at = page->text; *at;) {
        const char *end = at + strcspn(at, "\n");
        compile_line(&compiler, at, end);
        at = *end ? end + 1 : end;
    }
    close_page(&compiler);
    return compiler.failed ? NULL : page;
}
