/* parse.c: reads a term from text.
 *
 *   term  = name | name "(" size [ "," term "," term ] ")"
 *   size  = digits | "auto"
 *
 * One mistake is reported and reading stops: what follows a wrong bracket is guesswork. Recursion is
 * bounded by TERM_DEPTH_LIMIT, checked on the way down. */
#include "tree/term.h"

#include <inttypes.h>
#include <string.h>

enum { WORD_SHOWN = 40 }; /* letters of a word that a message repeats */

typedef struct Parser {
    Arena *arena;
    Diagnostics *diagnostics;
    Location where; /* of text[0] */
    const char *text;
    size_t at;
} Parser;

/* A run of letters, digits and the like: a name or a number, as the user meant it. */
typedef struct Word {
    const char *text; /* a copy for messages, cut when very long; "" when there is none */
    size_t at, size;
} Word;

static const Term *parse_term(Parser *parser, int depth);

/* Where `at` lies: terms in Lua's long strings may span lines. */
static Location location_of(const Parser *parser, size_t at)
{
    Location where = parser->where;
    where.column = where.column > 0 ? where.column : 1;
    for (size_t i = 0; i < at; i++) {
        where.column++;
        if (parser->text[i] == '\n') {
            where.line++;
            where.column = 1;
        }
    }
    return where;
}

/* Reports at `at` and returns NULL. Without a line the message itself says where. */
__attribute__((format(printf, 3, 4))) static const Term *fail(Parser *parser, size_t at, const char *format,
                                                              ...)
{
    va_list arguments;
    va_start(arguments, format);
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const Location where = location_of(parser, at);
    if (where.file && where.line) {
        diagnostics_error(parser->diagnostics, where, "%s", message);
    } else {
        diagnostics_error(parser->diagnostics, where, "in the tree '%.120s', column %zu: %s", parser->text,
                          at + 1, message);
    }
    return NULL;
}

static void skip_blanks(Parser *parser)
{
    parser->at += strspn(parser->text + parser->at, " \t\r\n");
}

static char peek(Parser *parser)
{
    skip_blanks(parser);
    return parser->text[parser->at];
}

static bool accept(Parser *parser, char wanted)
{
    if (peek(parser) != wanted) {
        return false;
    }
    parser->at++;
    return true;
}

/* What stands at the reading position, for messages: 'x', or the end of the text. */
static const char *found(Parser *parser)
{
    const unsigned char next = (unsigned char)peek(parser);
    if (next == '\0') {
        return "the end of the text";
    }
    return next < 0x20 || next > 0x7e ? arena_printf(parser->arena, "the byte 0x%02x", next)
                                      : arena_printf(parser->arena, "'%c'", next);
}

static Word read_word(Parser *parser)
{
    skip_blanks(parser);
    const size_t at = parser->at;
    const size_t size =
        strspn(parser->text + at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-+");
    parser->at += size;
    const char *copy = size <= WORD_SHOWN
                           ? arena_copy_bytes(parser->arena, parser->text + at, size)
                           : arena_printf(parser->arena, "%.*s...", WORD_SHOWN, parser->text + at);
    return (Word){copy, at, size};
}

/* All names, alphabetical, ended by NULL: candidates for a near name. */
static void collect_names(const char *names[TERM_KINDS + 1])
{
    for (int kind = 0; kind < TERM_KINDS; kind++) {
        names[kind] = term_rows[kind].name;
    }
    names[TERM_KINDS] = NULL;
}

static const Term *fail_unknown(Parser *parser, Word word)
{
    const char *names[TERM_KINDS + 1];
    collect_names(names);
    const char *nearest = diagnostics_nearest(word.text, names);
    if (nearest) {
        return fail(parser, word.at, "unknown term '%s'; did you mean '%s'?", word.text, nearest);
    }
    Buffer all = {0};
    for (int kind = 0; kind < TERM_KINDS; kind++) {
        buffer_printf(&all, "%s%s", kind ? ", " : "", names[kind]);
    }
    fail(parser, word.at, "unknown term '%s'; the terms are %s", word.text, buffer_string(&all));
    buffer_destroy(&all);
    return NULL;
}

/* A number, but not one in plain digits: -8, 8.5, .5, 1e3. */
static bool is_other_number(const char *text)
{
    const size_t start = strspn(text, "+-");
    const bool digit =
        text[start + strspn(text + start, ".")] >= '0' && text[start + strspn(text + start, ".")] <= '9';
    return digit && strspn(text + start, "0123456789.eE+-") == strlen(text + start);
}

/* Each way a size can be wrong has a message of its own. */
static void fail_size(Parser *parser, const TermRow *row, Word word, uint64_t limit)
{
    const char *text = word.text;
    if (*text == '\0') {
        fail(parser, word.at,
             "%s needs a size first, a whole number from 1 to %" PRIu64 ", as in %s; found %s", row->name,
             limit, row->usage, found(parser));
    } else if (strcmp(text, "auto") == 0) {
        fail(parser, word.at, "%s cannot have the size 'auto', only split can; write a whole number",
             row->name);
    } else if (text[0] == '-' && is_other_number(text)) {
        fail(parser, word.at, "the size %s in %s is negative; write a whole number from 1 to %" PRIu64, text,
             row->usage, limit);
    } else if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        fail(parser, word.at, "the size %s is not written in decimal; sizes are, as in %s", text, row->usage);
    } else if (is_other_number(text)) {
        fail(parser, word.at,
             "the size %s in %s is not a whole number in plain digits; write one from 1 to %" PRIu64, text,
             row->usage, limit);
    } else {
        fail(parser, word.at,
             "%s needs a size first, a whole number from 1 to %" PRIu64 ", as in %s; found '%s'", row->name,
             limit, row->usage, text);
    }
}

typedef struct Size {
    uint64_t value;
    bool is_auto;
    size_t at;
} Size;

/* Reads digits or `auto`. Zero is a size here; term_with_parts says what is wrong with it. */
static bool parse_size(Parser *parser, const TermRow *row, Size *size)
{
    const uint64_t limit = row->kind == TERM_LANES ? TERM_LANES_LIMIT : TERM_SIZE_LIMIT;
    const Word word = read_word(parser);
    *size = (Size){.is_auto = row->kind == TERM_SPLIT && strcmp(word.text, "auto") == 0, .at = word.at};
    if (size->is_auto) {
        return true;
    }
    if (word.size == 0 || strspn(parser->text + word.at, "0123456789") < word.size) {
        fail_size(parser, row, word, limit);
        return false;
    }
    for (size_t i = 0; i < word.size && size->value <= limit; i++) {
        size->value = size->value * 10 + (uint64_t)(parser->text[word.at + i] - '0');
    }
    if (size->value > limit) {
        fail(parser, word.at, "the size %s in %s is too large; the largest allowed is %" PRIu64, word.text,
             row->usage, limit);
        return false;
    }
    return true;
}

/* `, inner, outer`, up to the closing bracket. */
static bool parse_parts(Parser *parser, const TermRow *row, int depth, const Term **inner, const Term **outer)
{
    *inner = parse_term(parser, depth + 1);
    if (!*inner) {
        return false;
    }
    if (peek(parser) == ')') {
        fail(parser, parser->at, "%s has an inner part but no outer one; write %s", row->name, row->usage);
        return false;
    }
    if (!accept(parser, ',')) {
        fail(parser, parser->at, "expected ',' before the outer part of %s; found %s", row->name,
             found(parser));
        return false;
    }
    *outer = parse_term(parser, depth + 1);
    return *outer != NULL;
}

static bool parse_close(Parser *parser, const TermRow *row, size_t opened)
{
    if (accept(parser, ')')) {
        return true;
    }
    if (peek(parser) == ',') {
        fail(parser, parser->at, "%s has too many parts; write %s", row->name, row->usage);
    } else {
        fail(parser, parser->at, "expected ')' to close the '(' of %s at column %d; found %s", row->name,
             location_of(parser, opened).column, found(parser));
    }
    return false;
}

/* What follows the size: the parts, or for lanes nothing. */
static bool parse_rest(Parser *parser, const TermRow *row, int depth, const Term **inner, const Term **outer)
{
    if (accept(parser, ',')) {
        return parse_parts(parser, row, depth, inner, outer);
    }
    if (peek(parser) != ')') {
        fail(parser, parser->at, "expected ',' or ')' after the size of %s, which is plain digits; found %s",
             row->name, found(parser));
        return false;
    }
    if (row->kind != TERM_LANES) {
        fail(parser, parser->at, "%s needs its parts as well as its size; write %s", row->name, row->usage);
        return false;
    }
    return true;
}

/* After `name(`. */
static const Term *parse_arguments(Parser *parser, const TermRow *row, size_t name_at, size_t opened,
                                   int depth)
{
    Size size;
    const Term *inner = NULL, *outer = NULL;
    if (!parse_size(parser, row, &size) || !parse_rest(parser, row, depth, &inner, &outer) ||
        !parse_close(parser, row, opened)) {
        return NULL;
    }
    const bool is_zero = size.value == 0 && !size.is_auto;
    return term_with_parts(parser->arena, parser->diagnostics,
                           location_of(parser, is_zero ? size.at : name_at), row->kind, size.value,
                           size.is_auto, inner, outer);
}

static const Term *fail_expected_term(Parser *parser, Word word)
{
    if (*word.text == '\0') {
        return fail(parser, word.at, "expected a term, such as seq or lanes(8); found %s", found(parser));
    }
    return fail(parser, word.at, "expected a term, such as seq or lanes(8); found the number '%s'",
                word.text);
}

static const Term *parse_term(Parser *parser, int depth)
{
    const Word word = read_word(parser);
    if (*word.text == '\0' || strchr("0123456789+-.", *word.text)) {
        return fail_expected_term(parser, word);
    }
    if (depth > TERM_DEPTH_LIMIT) {
        return fail(parser, word.at, "the tree is more than %d terms deep; nest fewer terms",
                    TERM_DEPTH_LIMIT);
    }
    const TermRow *row = term_row_named(word.text);
    if (!row) {
        return fail_unknown(parser, word);
    }
    const bool opens = peek(parser) == '(';
    if (opens && !row->has_parts) {
        return fail(parser, parser->at, "%s takes no arguments; write %s alone", row->name, row->name);
    }
    if (!row->has_parts) {
        return term_leafless(parser->arena, row->kind);
    }
    if (!opens) {
        return fail(parser, word.at, "%s needs a size and its parts; write %s", row->name, row->usage);
    }
    const size_t opened = parser->at++;
    return parse_arguments(parser, row, word.at, opened, depth);
}

const Term *term_parse(Arena *arena, Diagnostics *diagnostics, Location where, const char *text)
{
    Parser parser = {.arena = arena, .diagnostics = diagnostics, .where = where, .text = text};
    const Term *term = parse_term(&parser, 1);
    if (!term) {
        return NULL;
    }
    if (peek(&parser) != '\0') {
        return fail(&parser, parser.at, "the term is complete, yet %s follows; remove it", found(&parser));
    }
    if (term_rows[term->kind].outer_only) {
        return fail(&parser, 0,
                    "%s cannot be a whole tree: it joins partial results and has no order for leaves; "
                    "write chunk(C, seq, %s) for instance",
                    term_rows[term->kind].name, term_rows[term->kind].name);
    }
    return term;
}
