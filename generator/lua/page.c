/* page.c: what compiled template pages call (template/compile.h names these functions).
 *
 * A page is Lua that only we write (template/expression.c): locals for loop variables, and/or/not, and calls
 * of the functions below. Every function that can fail gets the column it speaks for as its first argument;
 * the line is the chunk's current line. Types are strict: nothing turns into something else behind the
 * reader's back, and no floating-point number is ever spelled here (8/2 would print 4.0, 1/3 would lose
 * bits). */
#include "lua/page.h"

#include "lua/json_value.h"
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

struct PageHost {
    Sandbox *sandbox;
    PageFind *find;
    void *context;
    /* of the running expansion */
    Diagnostics *diagnostics;
    Output *output;
    const Page *root;
    const json_t *data, *words;
};

/* A word, or join: the only full userdata in this state. Its texts live in the words' JSON. */
typedef struct Word {
    const char *name;
    const char *pattern; /* NULL: join, or a word that has none */
    int arguments;
    bool is_join;
} Word;

enum { DESCRIPTION_LIMIT = 80 };

/* Registry keys: the function that expands, and the page functions in order. */
static const char expand_key, functions_key;

static PageHost *host_of(lua_State *state)
{
    return lua_touserdata(state, lua_upvalueindex(1));
}

static Output *output_of(lua_State *state)
{
    return host_of(state)->output;
}

/* ---- mistakes ---- */

static int current_line(lua_State *state)
{
    lua_Debug record;
    if (!lua_getstack(state, 1, &record))
        return 0;
    lua_getinfo(state, "l", &record);
    return record.currentline > 0 ? record.currentline : 0;
}

/* Reports at a column of the line that the running page is at, with the include chain, and ends the
 * expansion. */
static _Noreturn void fail(lua_State *state, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static _Noreturn void fail(lua_State *state, int column, const char *format, ...)
{
    PageHost *host = host_of(state);
    const Frame *frame = host->output->frame;
    char message[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    Location where = {.file = frame->page->name, .line = current_line(state), .column = column};
    int chain = (int)strlen(frame->prefix) - 3; /* without the last " > " */
    if (chain > 0)
        diagnostics_error(host->diagnostics, where, "%s (included from %.*s)", message, chain, frame->prefix);
    else
        diagnostics_error(host->diagnostics, where, "%s", message);
    sandbox_stop(state);
}

static int column_of(lua_State *state)
{
    return (int)lua_tointeger(state, 1);
}

/* What a value is, for messages; in `text`. */
static const char *describe(lua_State *state, int index, char text[DESCRIPTION_LIMIT])
{
    const Word *word = lua_type(state, index) == LUA_TUSERDATA ? lua_touserdata(state, index) : NULL;
    switch (lua_type(state, index)) {
    case LUA_TBOOLEAN:
        return lua_toboolean(state, index) ? "true" : "false";
    case LUA_TLIGHTUSERDATA:
        return "null";
    case LUA_TNUMBER:
        if (lua_isinteger(state, index))
            snprintf(text, DESCRIPTION_LIMIT, "the integer %lld", (long long)lua_tointeger(state, index));
        else
            snprintf(text, DESCRIPTION_LIMIT, "the floating-point number %.17g", lua_tonumber(state, index));
        return text;
    case LUA_TSTRING:
        snprintf(text, DESCRIPTION_LIMIT, "the string '%.40s'", lua_tostring(state, index));
        for (char *at = text; *at; at++)
            *at = (unsigned char)*at < ' ' ? ' ' : *at;
        return text;
    case LUA_TTABLE:
        return json_value_is_list(state, index) ? "a list" : "a record";
    default:
        snprintf(text, DESCRIPTION_LIMIT, "the word '%.40s'", word ? word->name : "?");
        return text;
    }
}

static bool is_float(lua_State *state, int index)
{
    return lua_type(state, index) == LUA_TNUMBER && !lua_isinteger(state, index);
}

/* Refuses what cannot be spelled; `role` says what it would have become. */
static _Noreturn void refuse_value(lua_State *state, int column, int index, const char *role)
{
    char text[DESCRIPTION_LIMIT];
    if (is_float(state, index))
        fail(state, column,
             "%s cannot be %s: printing could change it (8/2 prints 4.0, 1/3 loses bits); let the plan pass "
             "it as a "
             "string, written as a C hexadecimal constant",
             role, describe(state, index, text));
    if (lua_type(state, index) == LUA_TUSERDATA)
        fail(state, column, "%s cannot be %s itself; call it", role, describe(state, index, text));
    fail(state, column, "%s cannot be %s; integers and strings can", role, describe(state, index, text));
}

static bool is_text(lua_State *state, int index)
{
    return lua_type(state, index) == LUA_TSTRING || lua_isinteger(state, index);
}

/* ---- near names ---- */

typedef struct Candidates {
    Arena *arena;
    const char **name;
    int count, capacity;
} Candidates;

static void add_candidate(Candidates *candidates, const char *name)
{
    if (candidates->count + 1 >= candidates->capacity) {
        candidates->capacity = candidates->capacity ? 2 * candidates->capacity : 64;
        const char **grown = ARENA_ARRAY(candidates->arena, const char *, (size_t)candidates->capacity);
        if (candidates->count)
            memcpy(grown, candidates->name, (size_t)candidates->count * sizeof *grown);
        candidates->name = grown;
    }
    candidates->name[candidates->count++] = arena_copy(candidates->arena, name);
    candidates->name[candidates->count] = NULL;
}

static int order_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the table at `index` and of those behind it. Sorted: the order of a Lua table differs from run to
 * run. */
static void add_keys(lua_State *state, int index, Candidates *candidates)
{
    luaL_checkstack(state, 4, NULL);
    lua_pushvalue(state, index);
    int table = lua_gettop(state);
    for (lua_pushnil(state); lua_next(state, table); lua_pop(state, 1))
        if (lua_type(state, table + 1) == LUA_TSTRING)
            add_candidate(candidates, lua_tostring(state, table + 1));
    if (candidates->count)
        qsort(candidates->name, (size_t)candidates->count, sizeof *candidates->name, order_names);
    if (luaL_getmetafield(state, table, "__index") == LUA_TTABLE)
        add_keys(state, table + 1, candidates);
    lua_settop(state, table - 1);
}

/* Loop variables of the page that runs: locals of the chunk but its own. */
static void add_variables(lua_State *state, Candidates *candidates)
{
    lua_Debug record;
    if (!lua_getstack(state, 1, &record))
        return;
    const char *name;
    for (int i = 1; (name = lua_getlocal(state, &record, i)); i++) {
        if (name[0] != '(' && strncmp(name, "__", 2) != 0)
            add_candidate(candidates, name);
        lua_pop(state, 1);
    }
}

static const char *nearest(Candidates *candidates, const char *name)
{
    return candidates->count ? diagnostics_nearest(name, candidates->name) : NULL;
}

/* "a, b, c", at most eight. */
static const char *listed(const Candidates *candidates, char *text, size_t room)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < candidates->count && i < 8 && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%.40s", i ? ", " : "", candidates->name[i]);
    if (candidates->count > 8 && used < room)
        snprintf(text + used, room - used, ", ...");
    return text;
}

/* ---- reading values ---- */

/* __g(column, name, scope) */
static int page_name(lua_State *state)
{
    lua_pushvalue(state, 2);
    if (lua_gettable(state, 3) != LUA_TNIL)
        return 1;
    const char *name = lua_tostring(state, 2);
    Candidates candidates = {.arena = host_of(state)->diagnostics->arena};
    add_variables(state, &candidates);
    add_keys(state, 3, &candidates);
    const char *near = nearest(&candidates, name);
    if (near)
        fail(state, column_of(state), "unknown name '%s'; did you mean '%s'?", name, near);
    fail(state, column_of(state),
         "unknown name '%s'; names are loop variables, members of the data and words", name);
}

static _Noreturn void refuse_field(lua_State *state, const char *name)
{
    char text[DESCRIPTION_LIMIT], names[400];
    Candidates candidates = {.arena = host_of(state)->diagnostics->arena};
    int column = column_of(state);
    if (json_value_is_list(state, 2))
        fail(state, column, "a list has no field '%s'; loop over it, or take an item by its number", name);
    if (!lua_istable(state, 2))
        fail(state, column, "%s has no field '%s'; only records have fields", describe(state, 2, text), name);
    add_keys(state, 2, &candidates);
    const char *near = nearest(&candidates, name);
    if (near)
        fail(state, column, "this record has no field '%s'; did you mean '%s'?", name, near);
    fail(state, column, "this record has no field '%s'; it has: %s", name,
         listed(&candidates, names, sizeof names));
}

/* __f(column, record, name) */
static int page_field(lua_State *state)
{
    if (lua_istable(state, 2)) {
        lua_pushvalue(state, 3);
        if (lua_rawget(state, 2) != LUA_TNIL)
            return 1;
    }
    refuse_field(state, lua_tostring(state, 3));
}

/* __x(column, list or record, index) */
static int page_index(lua_State *state)
{
    char text[DESCRIPTION_LIMIT];
    bool list = json_value_is_list(state, 2);
    if (list && lua_isinteger(state, 3)) {
        if (lua_rawgeti(state, 2, lua_tointeger(state, 3)) != LUA_TNIL)
            return 1;
        fail(state, column_of(state), "this list has %d items, numbered from 1; there is no item %lld",
             (int)lua_rawlen(state, 2), (long long)lua_tointeger(state, 3));
    }
    if (!list && lua_type(state, 3) == LUA_TSTRING)
        return page_field(state);
    if (list)
        fail(state, column_of(state), "items of a list are numbered; the index is %s",
             describe(state, 3, text));
    fail(state, column_of(state), "%s has no item of that kind; lists take integers, records strings",
         describe(state, 2, text));
}

/* __l(column, list or string) */
static int page_length(lua_State *state)
{
    char text[DESCRIPTION_LIMIT];
    if (lua_type(state, 2) != LUA_TSTRING && !json_value_is_list(state, 2))
        fail(state, column_of(state), "'#' counts the items of a list or the bytes of a string; this is %s",
             describe(state, 2, text));
    lua_pushinteger(state, (lua_Integer)lua_rawlen(state, 2));
    return 1;
}

/* __v(column, value): a condition. Everything but false is true, as in Lua; but a number is a mistake, for 0
 * would be true. */
static int page_condition(lua_State *state)
{
    char text[DESCRIPTION_LIMIT];
    if (lua_type(state, 2) == LUA_TNUMBER || lua_type(state, 2) == LUA_TLIGHTUSERDATA)
        fail(state, column_of(state), "a condition cannot be %s; compare it with something",
             describe(state, 2, text));
    lua_settop(state, 2);
    return 1;
}

/* ---- comparing and joining ---- */

enum { EQUAL, UNEQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

/* Strings compare by their bytes: no locale. */
static int compare(lua_State *state, int a, int b)
{
    if (lua_isboolean(state, a))
        return lua_toboolean(state, a) - lua_toboolean(state, b);
    if (lua_isinteger(state, a)) {
        lua_Integer left = lua_tointeger(state, a), right = lua_tointeger(state, b);
        return (left > right) - (left < right);
    }
    size_t a_size, b_size;
    const char *left = lua_tolstring(state, a, &a_size), *right = lua_tolstring(state, b, &b_size);
    int order = memcmp(left, right, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static bool is_comparable(lua_State *state, int index, int operation)
{
    return is_text(state, index) || (operation <= UNEQUAL && lua_isboolean(state, index));
}

/* __q(column, a, operation, b) */
static int page_compare(lua_State *state)
{
    char left[DESCRIPTION_LIMIT], right[DESCRIPTION_LIMIT];
    int operation = (int)lua_tointeger(state, 3);
    if (!is_comparable(state, 2, operation) || !is_comparable(state, 4, operation) ||
        lua_type(state, 2) != lua_type(state, 4))
        fail(state, column_of(state), "cannot compare %s with %s%s", describe(state, 2, left),
             describe(state, 4, right), lua_type(state, 2) != lua_type(state, 4) ? ": types differ" : "");
    int order = compare(state, 2, 4);
    const bool results[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};
    lua_pushboolean(state, results[operation]);
    return 1;
}

/* __c(column of a, a, column of b, b, ...) */
static int page_concatenate(lua_State *state)
{
    int count = lua_gettop(state);
    for (int i = 2; i <= count; i += 2)
        if (!is_text(state, i))
            refuse_value(state, (int)lua_tointeger(state, i - 1), i, "a piece of text");
    luaL_Buffer text;
    luaL_buffinit(state, &text);
    for (int i = 2; i <= count; i += 2) {
        lua_pushvalue(state, i);
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    return 1;
}

/* join(list, separator): stack 3, 4. */
static int join(lua_State *state, int column)
{
    if (lua_gettop(state) != 4)
        fail(state, column, "join takes a list and a separator; %d arguments are given",
             lua_gettop(state) - 2);
    char text[DESCRIPTION_LIMIT];
    if (!json_value_is_list(state, 3))
        fail(state, column, "join takes a list; its first argument is %s", describe(state, 3, text));
    if (lua_type(state, 4) != LUA_TSTRING)
        fail(state, column, "join's separator must be a string; it is %s", describe(state, 4, text));
    lua_Integer count = (lua_Integer)lua_rawlen(state, 3);
    sandbox_charge(state, (double)count);
    luaL_Buffer joined;
    luaL_buffinit(state, &joined);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(state, 3, i);
        if (!is_text(state, -1))
            refuse_value(state, column, lua_gettop(state), "an item that is joined");
        luaL_addvalue(&joined);
        lua_pushvalue(state, 4);
        if (i < count)
            luaL_addvalue(&joined);
        else
            lua_pop(state, 1);
    }
    luaL_pushresult(&joined);
    return 1;
}

/* ---- words ---- */

/* How many arguments a pattern takes: its highest number. -1: it has a lone dollar. */
static int pattern_arguments(const char *pattern)
{
    int highest = 0;
    for (const char *at = strchr(pattern, '$'); at; at = strchr(at + 2, '$')) {
        if (at[1] >= '1' && at[1] <= '9')
            highest = at[1] - '0' > highest ? at[1] - '0' : highest;
        else if (at[1] != '$')
            return -1;
    }
    return highest;
}

/* Pushes the pattern with the arguments, at stack 3 and on, put in. */
static void push_spelled(lua_State *state, const Word *word)
{
    luaL_Buffer text;
    luaL_buffinit(state, &text);
    const char *from = word->pattern;
    for (const char *at = strchr(from, '$'); at; at = strchr(from, '$')) {
        luaL_addlstring(&text, from, (size_t)(at - from));
        if (at[1] == '$') {
            luaL_addchar(&text, '$');
        } else {
            lua_pushvalue(state, 2 + at[1] - '0');
            luaL_addvalue(&text);
        }
        from = at + 2;
    }
    luaL_addstring(&text, from);
    luaL_pushresult(&text);
}

/* __w(column, word, arguments...) */
static int page_call(lua_State *state)
{
    int column = column_of(state), given = lua_gettop(state) - 2;
    char text[DESCRIPTION_LIMIT];
    const Word *word = lua_type(state, 2) == LUA_TUSERDATA ? lua_touserdata(state, 2) : NULL;
    if (!word)
        fail(state, column, "%s cannot be called; only words and join can", describe(state, 2, text));
    if (word->is_join)
        return join(state, column);
    if (!word->pattern)
        fail(state, column, "the word '%s' has no pattern; words are strings with $1 to $9", word->name);
    if (word->arguments < 0)
        fail(state, column, "the pattern of the word '%s' has a lone '$'; write '$$' for a dollar",
             word->name);
    if (given != word->arguments)
        fail(state, column, "the word '%s' takes %d argument%s; %d given", word->name, word->arguments,
             word->arguments == 1 ? "" : "s", given);
    for (int i = 3; i <= given + 2; i++)
        if (!is_text(state, i))
            refuse_value(state, column, i, "an argument of a word");
    push_spelled(state, word);
    return 1;
}

static void push_word(lua_State *state, const char *name, const json_t *pattern, bool is_join)
{
    Word *word = lua_newuserdatauv(state, sizeof *word, 0);
    *word = (Word){.name = name, .pattern = json_string_value(pattern), .is_join = is_join};
    if (word->pattern)
        word->arguments = pattern_arguments(word->pattern);
}

/* ---- loops ---- */

/* Notes the integer field "spec_line" of the item at the top, if it has one. */
static void note_spec_line(lua_State *state)
{
    lua_Integer line = 0;
    if (lua_istable(state, -1)) {
        lua_pushliteral(state, "spec_line");
        if (lua_rawget(state, -2) == LUA_TNUMBER && lua_isinteger(state, -1))
            line = lua_tointeger(state, -1);
        lua_pop(state, 1);
    }
    output_set_spec_line(output_of(state), line > 0 && line < INT32_MAX ? (int)line : 0);
}

/* The iterator: (list, i) -> i + 1, item. Pages have no break and no goto, so every loop that ends ends here.
 */
static int page_each_step(lua_State *state)
{
    lua_Integer i = lua_tointeger(state, 2) + 1;
    if (i == 1)
        output_enter_loop(output_of(state));
    lua_pushinteger(state, i);
    if (lua_rawgeti(state, 1, i) == LUA_TNIL) {
        output_leave_loop(output_of(state));
        return 1; /* nil */
    }
    note_spec_line(state);
    return 2;
}

/* __e(column, list). Upvalue 2: the iterator. */
static int page_each(lua_State *state)
{
    char text[DESCRIPTION_LIMIT];
    if (!json_value_is_list(state, 2))
        fail(state, column_of(state), "a loop needs a list; this is %s", describe(state, 2, text));
    lua_pushvalue(state, lua_upvalueindex(2));
    lua_pushvalue(state, 2);
    lua_pushinteger(state, 0);
    return 3;
}

/* ---- writing ---- */

static void check_room(lua_State *state, size_t size)
{
    if (output_of(state)->expansion->text.size + size > TEMPLATE_OUTPUT_LIMIT)
        fail(state, 0, "the text grows above %d MiB; is a loop larger than meant?",
             TEMPLATE_OUTPUT_LIMIT >> 20);
}

static void write_text(lua_State *state, const char *text, size_t size)
{
    check_room(state, size);
    output_text(output_of(state), text, size);
}

/* __t(piece) */
static int page_text(lua_State *state)
{
    const Piece *piece = &output_of(state)->frame->page->piece[lua_tointeger(state, 1)];
    write_text(state, piece->text, piece->size);
    return 0;
}

/* The text of a hole's value at stack index 2 or 3, which may be changed to a string. */
static const char *hole_text(lua_State *state, int index, size_t *size)
{
    if (lua_isboolean(state, index)) {
        const char *text = lua_toboolean(state, index) ? "true" : "false";
        *size = strlen(text);
        return text;
    }
    if (!is_text(state, index))
        refuse_value(state, column_of(state), index, "the value of a hole");
    return lua_tolstring(state, index, size);
}

/* __h(column, value) */
static int page_hole(lua_State *state)
{
    size_t size;
    const char *text = hole_text(state, 2, &size);
    if (memchr(text, '\n', size))
        fail(state, column_of(state),
             "this value has several lines, so its hole must stand alone on its line; or loop "
             "over a list of lines");
    write_text(state, text, size);
    return 0;
}

/* __b(column, piece of the indentation, value, line) */
static int page_block(lua_State *state)
{
    size_t size;
    Output *output = output_of(state);
    const char *text = hole_text(state, 3, &size);
    check_room(state, size); /* indentation may add to it; far from unbounded */
    output_block(output, output->frame->page->piece[lua_tointeger(state, 2)], text, size,
                 (int)lua_tointeger(state, 4));
    return 0;
}

/* __n(line) */
static int page_line_end(lua_State *state)
{
    check_room(state, 1);
    output_end_line(output_of(state), (int)lua_tointeger(state, 1));
    return 0;
}

/* ---- pages in pages ---- */

/* Runs a page: chunk(scope, functions...). The scope is at the top and is popped. */
static void run_page(lua_State *state, const Page *page, int include_line)
{
    int scope = lua_gettop(state);
    luaL_checkstack(state, 24, "includes nest too deep");
    output_enter_page(output_of(state), page, include_line);
    lua_rawgeti(state, LUA_REGISTRYINDEX, page->chunk);
    lua_pushvalue(state, scope);
    lua_rawgetp(state, LUA_REGISTRYINDEX, &functions_key);
    int functions = lua_gettop(state), count = (int)lua_rawlen(state, functions);
    for (int i = 1; i <= count; i++)
        lua_rawgeti(state, functions, i);
    lua_remove(state, functions);
    lua_call(state, count + 1, 0);
    output_leave_page(output_of(state));
    lua_settop(state, scope - 1);
}

static bool is_inside(const char *name)
{
    if (!*name || *name == '/' || strpbrk(name, "\\\n\r"))
        return false;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t size = strcspn(at, "/");
        if (size == 0 || (size <= 2 && strspn(at, ".") >= size))
            return false;
    }
    return true;
}

static const Page *find_included(lua_State *state)
{
    PageHost *host = host_of(state);
    char text[DESCRIPTION_LIMIT];
    int column = column_of(state);
    if (lua_type(state, 2) != LUA_TSTRING)
        fail(state, column, "include needs the name of a page; this is %s", describe(state, 2, text));
    const char *name = lua_tostring(state, 2), *why = NULL;
    if (!is_inside(name) || strlen(name) != lua_rawlen(state, 2))
        fail(state, column, "'%.80s' is no path below the template root", name);
    if (host->output->depth > TEMPLATE_INCLUDE_LIMIT)
        fail(state, column, "includes nest deeper than %d; a page that includes itself must come to an end",
             TEMPLATE_INCLUDE_LIMIT);
    const Page *page = host->find(host->context, host->diagnostics, name, &why);
    if (!page && why)
        fail(state, column, "%s", why);
    if (!page)
        sandbox_stop(state);
    return page;
}

/* __i(column, name of a page, scope, name, value, ...): the scope grows by the loop variables. */
static int page_include(lua_State *state)
{
    const Page *page = find_included(state);
    int count = lua_gettop(state);
    if (count > 3) {
        lua_createtable(state, 0, (count - 3) / 2);
        for (int i = 4; i < count; i += 2) {
            lua_pushvalue(state, i);
            lua_pushvalue(state, i + 1);
            lua_rawset(state, -3);
        }
        lua_createtable(state, 0, 1);
        lua_pushvalue(state, 3);
        lua_setfield(state, -2, "__index");
        lua_setmetatable(state, -2);
    } else {
        lua_pushvalue(state, 3);
    }
    run_page(state, page, current_line(state));
    return 0;
}

/* ---- one expansion ---- */

static _Noreturn void refuse_data(lua_State *state, const char *name, const char *why)
{
    PageHost *host = host_of(state);
    diagnostics_error(host->diagnostics, (Location){.file = host->root->name}, "%s%s", name, why);
    sandbox_stop(state);
}

/* Adds a word to the names at the top. */
static void add_word(lua_State *state, const char *name, const json_t *pattern, bool is_join)
{
    lua_pushstring(state, name);
    if (lua_rawget(state, -2) != LUA_TNIL)
        refuse_data(state, name,
                    is_join ? " is a function of pages; give the data or the word another name"
                            : " is the name of data and of a word; rename one");
    lua_pop(state, 1);
    lua_pushstring(state, name);
    push_word(state, name, pattern, is_join);
    lua_rawset(state, -3);
}

static int expand_protected(lua_State *state)
{
    PageHost *host = host_of(state);
    const char *name;
    json_t *pattern;
    if (!json_is_object(host->data) || (host->words && !json_is_object(host->words)))
        refuse_data(state, "the data and words of a page", " must be JSON objects");
    json_value_push(state, host->data);
    json_object_foreach((json_t *)host->words, name, pattern) add_word(state, name, pattern, false);
    add_word(state, "join", NULL, true);
    run_page(state, host->root, 0);
    return 0;
}

bool page_host_expand(PageHost *host, Diagnostics *diagnostics, Output *output, const Page *root,
                      const json_t *data, const json_t *words)
{
    lua_State *state = sandbox_state(host->sandbox);
    host->diagnostics = diagnostics;
    host->output = output;
    host->root = root;
    host->data = data;
    host->words = words;
    lua_rawgetp(state, LUA_REGISTRYINDEX, &expand_key);
    return sandbox_call(host->sandbox, diagnostics, 0, 0);
}

bool page_host_load(PageHost *host, Diagnostics *diagnostics, Page *page, const Buffer *lua)
{
    if (!sandbox_load(host->sandbox, diagnostics, page->name, buffer_string(lua), lua->size))
        return false;
    page->chunk = luaL_ref(sandbox_state(host->sandbox), LUA_REGISTRYINDEX);
    return true;
}

static void push_function(lua_State *state, PageHost *host, lua_CFunction function)
{
    lua_pushlightuserdata(state, host);
    lua_pushcclosure(state, function, 1);
}

/* In the order of PAGE_FUNCTIONS; __s, the scope, comes before them. */
static const lua_CFunction page_functions[] = {
    page_block,  page_concatenate, page_each,    page_field, page_name,      page_hole, page_include,
    page_length, page_line_end,    page_compare, page_text,  page_condition, page_call, page_index};

static void push_functions(lua_State *state, PageHost *host)
{
    lua_newtable(state);
    for (size_t i = 0; i < sizeof page_functions / sizeof *page_functions; i++) {
        push_function(state, host, page_functions[i]);
        if (page_functions[i] == page_each) {
            lua_pop(state, 1);
            lua_pushlightuserdata(state, host);
            push_function(state, host, page_each_step);
            lua_pushcclosure(state, page_each, 2);
        }
        lua_rawseti(state, -2, (lua_Integer)i + 1);
    }
}

PageHost *page_host_create(PageFind *find, void *context)
{
    PageHost *host = calloc(1, sizeof *host);
    if (!host)
        arena_out_of_memory();
    *host = (PageHost){.sandbox = sandbox_create(), .find = find, .context = context};
    lua_State *state = sandbox_state(host->sandbox);
    push_functions(state, host);
    lua_rawsetp(state, LUA_REGISTRYINDEX, &functions_key);
    push_function(state, host, expand_protected);
    lua_rawsetp(state, LUA_REGISTRYINDEX, &expand_key);
    return host;
}

void page_host_destroy(PageHost *host)
{
    if (!host)
        return;
    sandbox_destroy(host->sandbox);
    free(host);
}
