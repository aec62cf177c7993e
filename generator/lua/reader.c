/* reader.c: userdata of the spec language, places and descriptions for messages. */
#include "lua/reader.h"

#include "lua/sandbox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MISTAKES_LIMIT = 1000 }; /* a loop can make one mistake very often */

static const char reader_key = 0; /* its address is the registry's key */

static const char *const kind_names[VALUE_NONE] = {
    [VALUE_AUTO] = "samebits.auto",     [VALUE_DIM] = "samebits.dim",         [VALUE_EXPR] = "samebits.value",
    [VALUE_KERNEL] = "samebits.kernel", [VALUE_MISTAKE] = "samebits.mistake", [VALUE_TREES] = "samebits.tree",
};

void reader_attach(lua_State *state, Reader *reader)
{
    lua_pushlightuserdata(state, reader);
    lua_rawsetp(state, LUA_REGISTRYINDEX, &reader_key);
}

Reader *reader_of(lua_State *state)
{
    lua_rawgetp(state, LUA_REGISTRYINDEX, &reader_key);
    Reader *reader = lua_touserdata(state, -1);
    lua_pop(state, 1);
    return reader;
}

/* A value as text: never its address, which differs from run to run. */
static int kind_tostring(lua_State *state)
{
    ValueKind kind = reader_kind(state, 1);
    lua_pushstring(state, kind == VALUE_NONE ? "?" : kind_names[kind]);
    return 1;
}

void reader_new_kind(lua_State *state, ValueKind kind, const luaL_Reg *methods)
{
    luaL_newmetatable(state, kind_names[kind]);
    luaL_setfuncs(state, methods, 0);
    lua_pushcfunction(state, kind_tostring);
    lua_setfield(state, -2, "__tostring");
    lua_pushboolean(state, 0); /* what getmetatable gives; setmetatable is refused */
    lua_setfield(state, -2, "__metatable");
    lua_pushinteger(state, kind);
    lua_rawsetp(state, -2, &reader_key);
    lua_pop(state, 1);
}

ValueKind reader_kind(lua_State *state, int index)
{
    if (lua_type(state, index) != LUA_TUSERDATA || !lua_getmetatable(state, index)) {
        return VALUE_NONE;
    }
    lua_rawgetp(state, -1, &reader_key);
    int is_integer;
    lua_Integer kind = lua_tointegerx(state, -1, &is_integer);
    lua_pop(state, 2);
    return is_integer ? (ValueKind)kind : VALUE_NONE;
}

void *reader_push(lua_State *state, ValueKind kind, size_t size)
{
    void *memory = lua_newuserdatauv(state, size ? size : 1, 0);
    luaL_setmetatable(state, kind_names[kind]);
    return memory;
}

int reader_push_mistake(lua_State *state)
{
    if (reader_of(state)->diagnostics->count > MISTAKES_LIMIT) {
        sandbox_stop(state);
    }
    reader_push(state, VALUE_MISTAKE, 0);
    return 1;
}

int reader_push_expr(lua_State *state, const Expr *expr)
{
    if (!expr && operator_build_is_full(reader_of(state)->builder)) {
        sandbox_stop(state); /* reported; a loop that makes more would go on to the end of its budget */
    }
    if (!expr) {
        return reader_push_mistake(state);
    }
    const Expr **slot = reader_push(state, VALUE_EXPR, sizeof *slot);
    *slot = expr;
    return 1;
}

const Expr *reader_expr(lua_State *state, int index)
{
    return *(const Expr **)lua_touserdata(state, index);
}

int reader_dim(lua_State *state, int index)
{
    return *(int *)lua_touserdata(state, index);
}

Trees *reader_trees(lua_State *state, int index)
{
    return lua_touserdata(state, index);
}

int reader_line(lua_State *state)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(state, level, &frame); level++) {
        lua_getinfo(state, "l", &frame);
        if (frame.currentline > 0) {
            return frame.currentline;
        }
    }
    return 0;
}

Location reader_here(lua_State *state, const char *function)
{
    return locator_call(reader_of(state)->locator, reader_line(state), function);
}

static const char *describe_string(Reader *reader, const char *text)
{
    enum { SHOWN = 40 };
    char shown[SHOWN + 1];
    size_t size = 0;
    for (; text[size] && size < SHOWN; size++) {
        shown[size] = (unsigned char)text[size] < ' ' ? '?' : text[size]; /* one line per message */
    }
    shown[size] = '\0';
    return arena_printf(reader->arena, "the string \"%s%s\"", shown, text[size] ? "..." : "");
}

const char *reader_describe(lua_State *state, int index)
{
    Reader *reader = reader_of(state);
    switch (reader_kind(state, index)) {
    case VALUE_AUTO:
        return "the word auto";
    case VALUE_DIM:
        return arena_printf(reader->arena, "dim '%s'",
                            operator_build_so_far(reader->builder)->dim[reader_dim(state, index)]);
    case VALUE_EXPR:
        return "a value";
    case VALUE_KERNEL:
        return "a kernel";
    case VALUE_MISTAKE:
        return "a mistake that is reported above";
    case VALUE_TREES:
        return "a tree";
    case VALUE_NONE:
        break;
    }
    switch (lua_type(state, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        return "nothing (nil)";
    case LUA_TNUMBER:
        return lua_isinteger(state, index)
                   ? arena_printf(reader->arena, "the number %lld", (long long)lua_tointeger(state, index))
               : isnan(lua_tonumber(state, index))
                   ? "not a number (0 / 0)"
                   : arena_printf(reader->arena, "the number %.14g", lua_tonumber(state, index));
    case LUA_TSTRING:
        return describe_string(reader, lua_tostring(state, index));
    default:
        return arena_printf(reader->arena, "a %s", luaL_typename(state, index));
    }
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *reader_sorted_keys(lua_State *state, int index, bool *odd)
{
    Reader *reader = reader_of(state);
    int table = lua_absindex(state, index);
    size_t count = 0, at = 0;
    for (lua_pushnil(state); lua_next(state, table); lua_pop(state, 1)) {
        count++;
    }
    const char **keys = ARENA_ARRAY(reader->arena, const char *, count + 1);
    *odd = false;
    for (lua_pushnil(state); lua_next(state, table); lua_pop(state, 1)) {
        if (lua_type(state, -2) == LUA_TSTRING) {
            keys[at++] = arena_copy(reader->arena, lua_tostring(state, -2));
        } else {
            *odd = true;
        }
    }
    qsort(keys, at, sizeof *keys, compare_strings);
    return keys;
}
