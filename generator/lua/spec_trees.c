/* spec_trees.c: the terms of trees as Lua values.
 *
 * Constructors derive from term_rows. An argument may be a list; the constructor then yields one tree per
 * combination, its leftmost argument varying slowest. Sizes, depth and placement are checked by term.h alone.
 */
#include "lua/reader.h"

#include "lua/sandbox.h"

#include <string.h>

enum { TREES_MADE_LIMIT = 200000 }; /* terms of one spec, used or not */

/* One argument of a constructor: sizes, or trees. */
typedef struct Size {
    uint64_t value;
    bool is_auto;
} Size;

typedef struct SizeList {
    Size *size;
    int count;
} SizeList;

static bool is_list(lua_State *state, int index)
{
    return lua_type(state, index) == LUA_TTABLE;
}

/* Items of the list at `index`; 1 for anything else. -1 after reporting what is no list. */
static int count_items(lua_State *state, int index, Location where, const char *what)
{
    Reader *reader = reader_of(state);
    if (!is_list(state, index)) {
        return 1;
    }
    lua_Integer count = (lua_Integer)lua_rawlen(state, index), keys = 0;
    for (lua_pushnil(state); lua_next(state, index); lua_pop(state, 1)) {
        keys++;
    }
    if (count == 0 || keys != count) {
        diagnostics_error(reader->diagnostics, where, "%s is %s; write a list, {a, b}", what,
                          keys == 0 ? "an empty list" : "a table with fields or holes");
        return -1;
    }
    if (count > AXIS_TREES_LIMIT) {
        diagnostics_error(reader->diagnostics, where, "%s has %lld items; at most %d trees are possible",
                          what, (long long)count, AXIS_TREES_LIMIT);
        return -1;
    }
    return (int)count;
}

/* Pushes item i (from 0) of the list at `index`, or the value itself when it is none. */
static void push_item(lua_State *state, int index, int i)
{
    if (is_list(state, index)) {
        lua_rawgeti(state, index, i + 1);
    } else {
        lua_pushvalue(state, index);
    }
}

/* The size on top of the stack; false after reporting. Zero and too large sizes are term.h's to report. */
static bool read_size(lua_State *state, Location where, const TermRow *row, Size *size)
{
    Reader *reader = reader_of(state);
    int is_integer;
    lua_Integer value = lua_tointegerx(state, -1, &is_integer);
    if (reader_kind(state, -1) == VALUE_AUTO) {
        *size = (Size){0, true};
        return true;
    }
    if (lua_type(state, -1) == LUA_TNUMBER && is_integer && value >= 0) {
        *size = (Size){(uint64_t)value, false};
        return true;
    }
    if (reader_kind(state, -1) != VALUE_MISTAKE) {
        bool number = lua_type(state, -1) == LUA_TNUMBER;
        diagnostics_error(reader->diagnostics, where,
                          "the size in %s is %s%s; write a whole number, 1 or more", row->usage,
                          reader_describe(state, -1),
                          !number                          ? ""
                          : is_integer                     ? ", which is negative"
                          : lua_tonumber(state, -1) > 1e15 ? ", which is too large"
                                                           : ", which is no whole number");
    }
    return false;
}

static bool read_sizes(lua_State *state, int index, Location where, const TermRow *row, SizeList *list)
{
    Reader *reader = reader_of(state);
    int count = count_items(state, index, where, arena_printf(reader->arena, "the size in %s", row->usage));
    bool ok = count > 0;
    if (!ok) {
        return false;
    }
    list->size = ARENA_ARRAY(reader->arena, Size, (size_t)count);
    list->count = count;
    for (int i = 0; i < count; i++) {
        push_item(state, index, i);
        ok = read_size(state, where, row, &list->size[i]) && ok;
        lua_pop(state, 1);
    }
    return ok;
}

/* A value that should be a tree and is not. */
static void report_no_tree(lua_State *state, int index, Location where, const char *what)
{
    Reader *reader = reader_of(state);
    ValueKind kind = reader_kind(state, index);
    if (kind == VALUE_MISTAKE) {
        return;
    }
    bool is_text = lua_type(state, index) == LUA_TSTRING;
    diagnostics_error(reader->diagnostics, where, "%s is %s; a tree is needed%s", what,
                      reader_describe(state, index),
                      is_text ? ", written without quotes: lanes(32)" : ", such as seq or lanes(32)");
}

/* The trees at `index`: one value, or a list of values that may hold several trees each. */
static bool read_trees(lua_State *state, int index, Location where, const char *what, Trees *trees)
{
    Reader *reader = reader_of(state);
    int items = count_items(state, index, where, what), total = 0;
    bool ok = items > 0;
    for (int i = 0; i < items; i++) {
        push_item(state, index, i);
        if (reader_kind(state, -1) == VALUE_TREES) {
            total += reader_trees(state, -1)->count;
        } else {
            report_no_tree(state, lua_gettop(state), where, what);
            ok = false;
        }
        lua_pop(state, 1);
        if (total > AXIS_TREES_LIMIT) {
            diagnostics_error(reader->diagnostics, where, "%s stands for more than %d trees; use fewer", what,
                              AXIS_TREES_LIMIT);
            return false;
        }
    }
    if (!ok) {
        return false;
    }
    trees->choice = ARENA_ARRAY(reader->arena, TreeChoice, (size_t)total);
    for (int i = 0; i < items; i++) {
        push_item(state, index, i);
        const Trees *part = reader_trees(state, -1);
        memcpy(&trees->choice[trees->count], part->choice, (size_t)part->count * sizeof *part->choice);
        trees->count += part->count;
        lua_pop(state, 1);
    }
    return true;
}

static int push_trees(lua_State *state, Trees trees)
{
    Trees *slot = reader_push(state, VALUE_TREES, sizeof *slot);
    *slot = trees;
    return 1;
}

static bool is_labelled(Reader *reader, Location where, const Trees *trees)
{
    for (int i = 0; i < trees->count; i++) {
        if (trees->choice[i].label) {
            diagnostics_error(
                reader->diagnostics, where,
                "a part of this tree is named '%s'; only a whole tree has a name: named(\"%s\", ...) "
                "goes outside",
                trees->choice[i].label, trees->choice[i].label);
            return true;
        }
    }
    return false;
}

/* Counts `wanted` more trees; stops the spec, reported, when that is too many. */
static void count_trees(lua_State *state, Location where, double wanted)
{
    Reader *reader = reader_of(state);
    if (wanted <= AXIS_TREES_LIMIT && reader->trees_made + wanted <= TREES_MADE_LIMIT) {
        reader->trees_made += (int)wanted;
        return;
    }
    diagnostics_error(reader->diagnostics, where, "this makes more than %d trees; use fewer values",
                      wanted > AXIS_TREES_LIMIT ? AXIS_TREES_LIMIT : TREES_MADE_LIMIT);
    sandbox_stop(state); /* a loop that makes more would go on to the end of its budget */
}

static int combine(lua_State *state, Location where, TermKind kind, const SizeList *sizes, const Trees *inner,
                   const Trees *outer)
{
    Reader *reader = reader_of(state);
    double wanted = (double)sizes->count * inner->count * outer->count;
    sandbox_charge(state, wanted);
    if (is_labelled(reader, where, inner) || is_labelled(reader, where, outer)) {
        return reader_push_mistake(state);
    }
    count_trees(state, where, wanted);
    Trees result = {ARENA_ARRAY(reader->arena, TreeChoice, (size_t)wanted), 0};
    int before = reader->diagnostics->count;
    for (int s = 0; s < sizes->count; s++) {
        for (int i = 0; i < inner->count; i++) {
            for (int o = 0; o < outer->count; o++) {
                const Size *size = &sizes->size[s];
                result.choice[result.count++].term =
                    term_with_parts(reader->arena, reader->diagnostics, where, kind, size->value,
                                    size->is_auto, inner->choice[i].term, outer->choice[o].term);
                if (reader->diagnostics->count > before) { /* one mistake, not one per combination */
                    return reader_push_mistake(state);
                }
            }
        }
    }
    return push_trees(state, result);
}

static Trees single_tree(Reader *reader, TermKind kind)
{
    Trees trees = {ARENA_NEW(reader->arena, TreeChoice), 1};
    trees.choice->term = term_leafless(reader->arena, kind);
    return trees;
}

/* A term with parts; upvalue 1 is its kind. */
static int call_term(lua_State *state)
{
    Reader *reader = reader_of(state);
    TermKind kind = (TermKind)lua_tointeger(state, lua_upvalueindex(1));
    const TermRow *row = &term_rows[kind];
    Location where = reader_here(state, row->name);
    bool is_short = kind == TERM_LANES && lua_gettop(state) == 1;
    if (lua_gettop(state) != 3 && !is_short) {
        diagnostics_error(reader->diagnostics, where, "%s takes 3 arguments%s, got %d; write %s", row->name,
                          kind == TERM_LANES ? ", or 1" : "", lua_gettop(state), row->usage);
        return reader_push_mistake(state);
    }
    SizeList sizes = {0};
    Trees inner = {0}, outer = {0};
    bool ok = read_sizes(state, 1, where, row, &sizes);
    if (is_short) {
        inner = single_tree(reader, TERM_SEQ);
        outer = single_tree(reader, TERM_HALVING);
    } else {
        const char *inner_name = "inner", *outer_name = kind == TERM_LANES ? "fold" : "outer";
        ok = read_trees(state, 2, where, arena_printf(reader->arena, "%s in %s", inner_name, row->usage),
                        &inner) &&
             ok;
        ok = read_trees(state, 3, where, arena_printf(reader->arena, "%s in %s", outer_name, row->usage),
                        &outer) &&
             ok;
    }
    return ok ? combine(state, where, kind, &sizes, &inner, &outer) : reader_push_mistake(state);
}

static const char *label_why_not(const char *label)
{
    enum { LABEL_LIMIT = 60 };
    if (!*label || strlen(label) > LABEL_LIMIT) {
        return "must have 1 to 60 characters";
    }
    for (const char *c = label; *c; c++) {
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
            return "can hold plain ASCII text only, without quotes and backslashes";
        }
    }
    return NULL;
}

static int call_named(lua_State *state)
{
    Reader *reader = reader_of(state);
    Location where = reader_here(state, "named");
    const char *usage = "named(\"standard\", seq)";
    Trees trees = {0};
    if (lua_gettop(state) != 2 || lua_type(state, 1) != LUA_TSTRING) {
        diagnostics_error(reader->diagnostics, where, "named takes a name and a tree; write %s", usage);
        return reader_push_mistake(state);
    }
    const char *label = lua_tostring(state, 1), *why = label_why_not(label);
    if (why) {
        diagnostics_error(reader->diagnostics, where, "the name of a tree %s", why);
        return reader_push_mistake(state);
    }
    if (!read_trees(state, 2, where, "argument 2 of named", &trees) || is_labelled(reader, where, &trees)) {
        return reader_push_mistake(state);
    }
    if (trees.count != 1) {
        diagnostics_error(reader->diagnostics, where,
                          "named(\"%s\", ...) is given %d trees; name each by itself", label, trees.count);
        return reader_push_mistake(state);
    }
    trees.choice[0].label = arena_copy(reader->arena, label);
    return push_trees(state, trees);
}

static int refuse_call(lua_State *state)
{
    Reader *reader = reader_of(state);
    const Trees *trees = reader_trees(state, 1);
    const char *text = trees->count == 1 ? term_short_text(reader->arena, trees->choice[0].term) : "a tree";
    diagnostics_error(reader->diagnostics, reader_here(state, text),
                      "%s is a tree, not a function; write %s alone", text, text);
    return reader_push_mistake(state);
}

static int refuse_arithmetic(lua_State *state)
{
    Reader *reader = reader_of(state);
    diagnostics_error(
        reader->diagnostics, (Location){reader->file, reader_line(state), 0},
        "a tree is not a number; trees are combined by their constructors: chunk(256, seq, pairwise)");
    return reader_push_mistake(state);
}

static void register_terms(lua_State *state)
{
    Reader *reader = reader_of(state);
    for (int kind = 0; kind < TERM_KINDS; kind++) {
        if (term_rows[kind].has_parts) {
            lua_pushinteger(state, kind);
            lua_pushcclosure(state, call_term, 1);
        } else {
            push_trees(state, single_tree(reader, (TermKind)kind));
        }
        lua_setglobal(state, term_rows[kind].name);
    }
}

void spec_trees_register(lua_State *state)
{
    static const luaL_Reg methods[] = {
        {"__call", refuse_call},        {"__add", refuse_arithmetic},    {"__sub", refuse_arithmetic},
        {"__mul", refuse_arithmetic},   {"__div", refuse_arithmetic},    {"__unm", refuse_arithmetic},
        {"__index", refuse_arithmetic}, {"__concat", refuse_arithmetic}, {NULL, NULL}};
    static const luaL_Reg none[] = {{NULL, NULL}};
    reader_new_kind(state, VALUE_TREES, methods);
    reader_new_kind(state, VALUE_AUTO, none);
    register_terms(state);
    reader_push(state, VALUE_AUTO, 0);
    lua_setglobal(state, "auto");
    lua_register(state, "named", call_named);
}
