/* json_value.c: JSON as Lua values (json_value.h). */
#include "lua/json_value.h"

#include <lauxlib.h>

/* The list metatable lives in the registry under this address. */
static const char list_key;

static void push_list_metatable(lua_State *state)
{
    if (lua_rawgetp(state, LUA_REGISTRYINDEX, &list_key) == LUA_TTABLE)
        return;
    lua_pop(state, 1);
    lua_newtable(state);
    lua_pushvalue(state, -1);
    lua_rawsetp(state, LUA_REGISTRYINDEX, &list_key);
}

bool json_value_is_list(lua_State *state, int index)
{
    if (!lua_istable(state, index) || !lua_getmetatable(state, index))
        return false;
    lua_pop(state, 1); /* only lists have one */
    return true;
}

static void push_at_depth(lua_State *state, const json_t *value, int depth);

static void push_list(lua_State *state, const json_t *list, int depth)
{
    size_t size = json_array_size(list);
    lua_createtable(state, (int)size, 0);
    push_list_metatable(state);
    lua_setmetatable(state, -2);
    for (size_t i = 0; i < size; i++) {
        push_at_depth(state, json_array_get(list, i), depth);
        lua_rawseti(state, -2, (lua_Integer)i + 1);
    }
}

static void push_record(lua_State *state, const json_t *record, int depth)
{
    const char *key;
    json_t *value;
    lua_createtable(state, 0, (int)json_object_size(record));
    json_object_foreach((json_t *)record, key, value)
    {
        lua_pushstring(state, key);
        push_at_depth(state, value, depth);
        lua_rawset(state, -3);
    }
}

static void push_at_depth(lua_State *state, const json_t *value, int depth)
{
    if (depth > JSON_VALUE_DEPTH_LIMIT)
        luaL_error(state, "the data nest deeper than %d", JSON_VALUE_DEPTH_LIMIT);
    luaL_checkstack(state, 4, "data nest too deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_record(state, value, depth + 1);
        break;
    case JSON_ARRAY:
        push_list(state, value, depth + 1);
        break;
    case JSON_STRING:
        lua_pushlstring(state, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(state, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(state, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(state, json_is_true(value));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(state, NULL);
        break;
    }
}

void json_value_push(lua_State *state, const json_t *value)
{
    push_at_depth(state, value, 0);
}
