/* library.c: what a program in a sandbox can call.
 *
 * Invariants: nothing here reaches the machine (files, clock, environment, addresses); nothing here depends
 * on the seed of Lua's hash or on any other accident of one run; every loop whose length the program
 * chooses is charged before it runs. Lua's own functions are used where they meet this as they stand;
 * the others are wrapped (the original is upvalue 1) or written anew (pairs, next, tostring, table.sort).
 *
 * Left out on purpose: transcendental math (each C library has its own last bits), table.move and
 * string.pack (unbounded or unneeded), random numbers, coroutines, xpcall. */
#include "lua/library.h"

#include "lua/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

static const char *const base_names[] = {"assert", "error",  "ipairs", "pcall",    "rawequal", "rawget",
                                         "rawlen", "rawset", "select", "tonumber", "type",     NULL};
static const char *const math_names[] = {"abs",        "ceil",       "floor", "fmod", "huge", "max",
                                         "maxinteger", "mininteger", "min",   "modf", "pi",   "sqrt",
                                         "tointeger",  "type",       "ult",   NULL};
static const char *const string_names[] = {"byte", "char", "len", "lower", "reverse", "sub", "upper", NULL};
static const char *const table_names[] = {"pack", NULL};

/* Names that people try and that are missing for a reason. */
static const char *const refused_names[] = {
    "_G",    "collectgarbage", "coroutine",  "debug",  "dofile", "io",
    "load",  "loadfile",       "loadstring", "module", "os",     "package",
    "print", "require",        "utf8",       "xpcall", NULL};

/* Runs the original in this very frame, so that its messages bear the name the program called. */
static int call_original(lua_State *state)
{
    return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

/* ---- text of values ---- */

void library_push_text(lua_State *state, int index)
{
    if (luaL_callmeta(state, index, "__tostring")) {
        if (!lua_isstring(state, -1))
            luaL_error(state, "'__tostring' must return a string");
        return;
    }
    int type = lua_type(state, index);
    if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN || type == LUA_TNIL) {
        luaL_tolstring(state, index, NULL);
        return;
    }
    if (luaL_getmetafield(state, index, "__name") == LUA_TSTRING)
        return;
    lua_pushstring(state, lua_typename(state, type)); /* never the address */
}

static int base_tostring(lua_State *state)
{
    luaL_checkany(state, 1);
    library_push_text(state, 1);
    return 1;
}

/* ---- a stable sort over Lua values ---- */

/* Compares the values at two absolute stack indices. */
typedef bool Less(lua_State *state, int a, int b);

/* Merges source[low, middle) and source[middle, high) into target; indices are absolute. */
static void merge(lua_State *state, Less *less, int source, int target, lua_Integer low, lua_Integer middle,
                  lua_Integer high)
{
    lua_Integer left = low, right = middle;
    for (lua_Integer i = low; i < high; i++) {
        bool take_right = left >= middle;
        if (left < middle && right < high) {
            lua_rawgeti(state, source, right);
            lua_rawgeti(state, source, left);
            take_right = less(state, lua_gettop(state) - 1, lua_gettop(state));
            lua_pop(state, 2);
        }
        lua_rawgeti(state, source, take_right ? right++ : left++);
        lua_rawseti(state, target, i);
    }
}

/* Sorts list[1..count] of the table at the absolute index `list`. Merging is stable and asks nothing of
 * `less`: a comparison that contradicts itself gives some order, never a crash; and unlike Lua's quicksort no
 * clock is read. */
static void sort(lua_State *state, int list, lua_Integer count, Less *less)
{
    double levels = 1;
    for (lua_Integer width = 1; width < count; width *= 2)
        levels++;
    sandbox_charge(state, 4 * levels * (double)count);
    luaL_checkstack(state, 8, "sort");
    lua_createtable(state, count < 1 << 20 ? (int)count : 0, 0);
    int scratch = lua_gettop(state), source = list, target = scratch;
    for (lua_Integer width = 1; width < count; width *= 2) {
        for (lua_Integer low = 1; low <= count; low += 2 * width) {
            lua_Integer middle = low + width <= count ? low + width : count + 1;
            lua_Integer high = middle + width <= count ? middle + width : count + 1;
            merge(state, less, source, target, low, middle, high);
        }
        int swap = source;
        source = target;
        target = swap;
    }
    for (lua_Integer i = 1; source != list && i <= count; i++) {
        lua_rawgeti(state, source, i);
        lua_rawseti(state, list, i);
    }
    lua_settop(state, scratch - 1);
}

/* ---- order of keys: numbers ascending, strings by their bytes, false, true ---- */

static int key_rank(lua_State *state, int index)
{
    switch (lua_type(state, index)) {
    case LUA_TNUMBER:
        return 0;
    case LUA_TSTRING:
        return 1;
    case LUA_TBOOLEAN:
        return 2;
    default:
        return luaL_error(
            state,
            "a key is a %s: only numbers, strings and booleans have an order; visit such a table "
            "through a list of its keys",
            luaL_typename(state, index));
    }
}

static bool string_less(lua_State *state, int a, int b)
{
    size_t a_size, b_size;
    const char *a_text = lua_tolstring(state, a, &a_size), *b_text = lua_tolstring(state, b, &b_size);
    int order = memcmp(a_text, b_text, a_size < b_size ? a_size : b_size); /* never strcoll: no locale */
    return order < 0 || (order == 0 && a_size < b_size);
}

static bool key_less(lua_State *state, int a, int b)
{
    int a_rank = key_rank(state, a), b_rank = key_rank(state, b);
    if (a_rank != b_rank)
        return a_rank < b_rank;
    if (a_rank == 1)
        return string_less(state, a, b);
    if (a_rank == 2)
        return !lua_toboolean(state, a) && lua_toboolean(state, b);
    return lua_compare(state, a, b, LUA_OPLT);
}

/* Pushes the sorted list of keys of the table at `table`. */
static void push_sorted_keys(lua_State *state, int table)
{
    lua_newtable(state);
    int keys = lua_gettop(state);
    lua_Integer count = 0;
    for (lua_pushnil(state); lua_next(state, table); lua_pop(state, 1)) {
        key_rank(state, keys + 1);
        lua_pushvalue(state, keys + 1);
        lua_rawseti(state, keys, ++count);
    }
    sort(state, keys, count, key_less);
    lua_settop(state, keys);
}

/* Upvalues: keys, how many were visited. Keys that were removed meanwhile are passed over. */
static int pairs_step(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_Integer position = lua_tointeger(state, lua_upvalueindex(2));
    for (;;) {
        if (lua_rawgeti(state, lua_upvalueindex(1), ++position) == LUA_TNIL)
            return 1;
        lua_pushvalue(state, -1);
        if (lua_rawget(state, 1) != LUA_TNIL)
            break;
        lua_pop(state, 2);
        sandbox_charge(state, 1);
    }
    lua_pushinteger(state, position);
    lua_replace(state, lua_upvalueindex(2));
    return 2;
}

static int base_pairs(lua_State *state)
{
    luaL_checkany(state, 1);
    if (luaL_getmetafield(state, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(state, 1);
        lua_call(state, 1, 3);
        return 3;
    }
    luaL_checktype(state, 1, LUA_TTABLE);
    push_sorted_keys(state, 1);
    lua_pushinteger(state, 0);
    lua_pushcclosure(state, pairs_step, 2);
    lua_pushvalue(state, 1);
    return 2;
}

/* next(t, k): the least key above k. One pass over the table per call. */
static int base_next(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 2);
    bool first = lua_isnil(state, 2);
    lua_pushnil(state); /* 3: the best so far */
    double visited = 1;
    for (lua_pushnil(state); lua_next(state, 1); lua_pop(state, 1), visited++) {
        bool above = first || key_less(state, 2, 4);
        if (above && (lua_isnil(state, 3) || key_less(state, 4, 3)))
            lua_copy(state, 4, 3);
    }
    sandbox_charge(state, 4 * visited);
    if (lua_isnil(state, 3))
        return 1;
    lua_pushvalue(state, 3);
    lua_rawget(state, 1);
    return 2;
}

/* ---- metatables ---- */

static int base_setmetatable(lua_State *state)
{
    static const char *const refused[] = {"__gc", "__mode", NULL};
    for (int i = 0; refused[i] && lua_istable(state, 2); i++) {
        lua_pushstring(state, refused[i]);
        if (lua_rawget(state, 2) != LUA_TNIL)
            return luaL_error(state,
                              "'%s' is refused: what runs here must not depend on when memory is collected",
                              refused[i]);
        lua_pop(state, 1);
    }
    return call_original(state);
}

static int base_getmetatable(lua_State *state)
{
    luaL_checkany(state, 1);
    if (!lua_istable(state, 1)) {
        lua_pushnil(state); /* metatables of strings and of C types are shared: not for changing */
        return 1;
    }
    return call_original(state);
}

/* ---- strings ---- */

static int string_rep(lua_State *state)
{
    size_t size, separator = 0;
    luaL_checklstring(state, 1, &size);
    lua_Integer times = luaL_checkinteger(state, 2);
    luaL_optlstring(state, 3, "", &separator);
    if (times > 0 && (double)(size + separator) * (double)times > SANDBOX_STRING_LIMIT)
        return luaL_error(state, "string.rep: the result would have more than %d bytes",
                          SANDBOX_STRING_LIMIT);
    sandbox_charge(state, times > 0 ? (double)times : 1);
    return call_original(state);
}

/* %s goes through our tostring, %p would show an address. */
static int string_format(lua_State *state)
{
    const char *format = luaL_checkstring(state, 1);
    int arguments = lua_gettop(state), argument = 1;
    for (const char *at = strchr(format, '%'); at; at = strchr(at, '%')) {
        at++;
        if (*at == '%') {
            at++;
            continue;
        }
        at += strspn(at, "-+ #0123456789.");
        argument++;
        if (*at == 'p')
            return luaL_error(state, "string.format: '%%p' is refused: addresses differ from run to run");
        if (*at == 's' && argument <= arguments) {
            library_push_text(state, argument);
            lua_replace(state, argument);
        }
    }
    return call_original(state);
}

/* The end of the single-character item of a pattern that starts at `at`. */
static const char *item_end(const char *at, const char *end)
{
    if (*at == '%')
        return at + 2 < end ? at + 2 : end;
    if (*at != '[')
        return at + 1;
    at += at + 1 < end && at[1] == '^' ? 2 : 1;
    bool first = true;
    for (; at < end && (*at != ']' || first); first = false)
        at += *at == '%' ? 2 : 1;
    return at < end ? at + 1 : end;
}

/* Steps that Lua's backtracking matcher may take in the worst case on `size` bytes: every repetition
 * multiplies by the number of lengths it may try. */
static double pattern_cost(const char *pattern, size_t pattern_size, double size)
{
    const char *at = pattern, *end = pattern + pattern_size;
    double cost = pattern_size > 0 && *pattern == '^' ? 1 : size + 1;
    if (pattern_size > 0 && *pattern == '^')
        at++;
    while (at < end && cost < 1e30) {
        bool long_item = *at == '%' && at + 1 < end && (at[1] == 'b' || (at[1] >= '1' && at[1] <= '9'));
        at = item_end(at, end);
        if (long_item || (at < end && strchr("*+-", *at) && *at))
            cost *= size + 1;
        else if (at < end && *at == '?')
            cost *= 2;
    }
    return cost + (double)pattern_size + size;
}

static void charge_pattern(lua_State *state, const char *name)
{
    size_t size, pattern_size;
    luaL_checklstring(state, 1, &size);
    const char *pattern = luaL_checklstring(state, 2, &pattern_size);
    bool plain = strcmp(name, "find") == 0 && lua_toboolean(state, 4);
    bool special = false;
    for (size_t i = 0; i < pattern_size; i++)
        special = special || (pattern[i] && strchr("^$*+?.([%-", pattern[i]));
    double cost = plain || !special ? (double)size * (1 + (double)pattern_size / 64)
                                    : pattern_cost(pattern, pattern_size, (double)size);
    if (cost > SANDBOX_INSTRUCTION_LIMIT)
        luaL_error(
            state,
            "string.%s: this pattern may take more than %d steps on %d bytes; use fewer repetitions or a "
            "shorter string",
            name, (int)SANDBOX_INSTRUCTION_LIMIT, (int)size);
    sandbox_charge(state, cost);
}

static int string_find(lua_State *state)
{
    charge_pattern(state, "find");
    return call_original(state);
}

static int string_gmatch(lua_State *state)
{
    charge_pattern(state, "gmatch");
    return call_original(state);
}

static int string_gsub(lua_State *state)
{
    charge_pattern(state, "gsub");
    return call_original(state);
}

static int string_match(lua_State *state)
{
    charge_pattern(state, "match");
    return call_original(state);
}

/* ---- tables ---- */

/* A table with __len may claim any length, and Lua's own functions would loop over all of it. */
static int table_bounded(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    if (luaL_getmetafield(state, 1, "__len") != LUA_TNIL)
        return luaL_error(state, "functions of 'table' take tables without '__len'");
    sandbox_charge(state, (double)lua_rawlen(state, 1));
    return call_original(state);
}

static bool value_less(lua_State *state, int a, int b)
{
    bool strings = lua_type(state, a) == LUA_TSTRING && lua_type(state, b) == LUA_TSTRING;
    return strings ? string_less(state, a, b) : lua_compare(state, a, b, LUA_OPLT);
}

static bool less_by_program(lua_State *state, int a, int b)
{
    lua_pushvalue(state, 2);
    lua_pushvalue(state, a);
    lua_pushvalue(state, b);
    lua_call(state, 2, 1);
    bool less = lua_toboolean(state, -1);
    lua_pop(state, 1);
    return less;
}

/* Sorts a copy, so that a comparison that fails or looks at the list never sees it half sorted. */
static int table_sort(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 2);
    if (!lua_isnil(state, 2))
        luaL_checktype(state, 2, LUA_TFUNCTION);
    lua_Integer count = (lua_Integer)lua_rawlen(state, 1);
    lua_newtable(state);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(state, 1, i);
        lua_rawseti(state, 3, i);
    }
    sort(state, 3, count, lua_isnil(state, 2) ? value_less : less_by_program);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(state, 3, i);
        lua_rawseti(state, 1, i);
    }
    return 0;
}

/* ---- globals ---- */

static bool is_refused(const char *name)
{
    for (int i = 0; refused_names[i]; i++)
        if (strcmp(refused_names[i], name) == 0)
            return true;
    return false;
}

/* Pushes a NULL-ended array (userdata) of the string keys of the table at 1; the strings live in that table.
 */
static const char *const *push_candidates(lua_State *state)
{
    push_sorted_keys(state, 1);
    int keys = lua_gettop(state);
    size_t count = lua_rawlen(state, keys), kept = 0;
    const char **names = lua_newuserdatauv(state, (count + 1) * sizeof *names, 0);
    for (size_t i = 1; i <= count; i++) {
        if (lua_rawgeti(state, keys, (lua_Integer)i) == LUA_TSTRING)
            names[kept++] = lua_tostring(state, -1);
        lua_pop(state, 1);
    }
    names[kept] = NULL;
    return names;
}

static int unknown_global(lua_State *state)
{
    const char *name = lua_type(state, 2) == LUA_TSTRING ? lua_tostring(state, 2) : "?";
    if (is_refused(name))
        return luaL_error(
            state,
            "'%s' is not available: programs here run in a sandbox without files, clock, output or "
            "code loading",
            name);
    const char *near = diagnostics_nearest(name, push_candidates(state));
    if (near)
        return luaL_error(state, "unknown name '%s'; did you mean '%s'?", name, near);
    return luaL_error(state, "unknown name '%s'", name);
}

/* Copies the named fields of the table at `from` to the table at the top. */
static void copy_names(lua_State *state, int from, const char *const names[])
{
    for (int i = 0; names[i]; i++) {
        lua_getfield(state, from, names[i]);
        lua_setfield(state, -2, names[i]);
    }
}

/* Sets field `name` of the table at the top to `function`, with the original from the table at `from` as
 * upvalue 1. */
static void wrap(lua_State *state, int from, const char *name, lua_CFunction function)
{
    lua_getfield(state, from, name);
    lua_pushcclosure(state, function, 1);
    lua_setfield(state, -2, name);
}

static void open_base(lua_State *state, int globals)
{
    lua_pushcfunction(state, luaopen_base);
    lua_call(state, 0, 1);
    int base = lua_gettop(state);
    lua_pushvalue(state, globals);
    copy_names(state, base, base_names);
    wrap(state, base, "getmetatable", base_getmetatable);
    wrap(state, base, "next", base_next);
    wrap(state, base, "pairs", base_pairs);
    wrap(state, base, "setmetatable", base_setmetatable);
    wrap(state, base, "tostring", base_tostring);
    lua_settop(state, base - 1);
}

static void open_math(lua_State *state, int globals)
{
    lua_pushcfunction(state, luaopen_math);
    lua_call(state, 0, 1);
    lua_newtable(state);
    copy_names(state, lua_gettop(state) - 1, math_names);
    lua_setfield(state, globals, "math");
    lua_pop(state, 1);
}

/* Strings reach their methods through a metatable that luaopen_string sets: it must lead to our table too. */
static void lead_methods(lua_State *state)
{
    lua_pushliteral(state, "");
    lua_getmetatable(state, -1);
    lua_pushvalue(state, -3);
    lua_setfield(state, -2, "__index");
    lua_pop(state, 2);
}

static void open_string(lua_State *state, int globals)
{
    lua_pushcfunction(state, luaopen_string);
    lua_call(state, 0, 1);
    int original = lua_gettop(state);
    lua_newtable(state);
    copy_names(state, original, string_names);
    wrap(state, original, "find", string_find);
    wrap(state, original, "format", string_format);
    wrap(state, original, "gmatch", string_gmatch);
    wrap(state, original, "gsub", string_gsub);
    wrap(state, original, "match", string_match);
    wrap(state, original, "rep", string_rep);
    lead_methods(state);
    lua_setfield(state, globals, "string");
    lua_pop(state, 1);
}

static void open_table(lua_State *state, int globals)
{
    lua_pushcfunction(state, luaopen_table);
    lua_call(state, 0, 1);
    int original = lua_gettop(state);
    lua_newtable(state);
    copy_names(state, original, table_names);
    wrap(state, original, "concat", table_bounded);
    wrap(state, original, "insert", table_bounded);
    wrap(state, original, "remove", table_bounded);
    wrap(state, original, "sort", table_sort);
    wrap(state, original, "unpack", table_bounded);
    lua_setfield(state, globals, "table");
    lua_pop(state, 1);
}

void library_open(lua_State *state)
{
    lua_newtable(state);
    int globals = lua_gettop(state);
    open_base(state, globals);
    open_math(state, globals);
    open_string(state, globals);
    open_table(state, globals);
    lua_createtable(state, 0, 2);
    lua_pushcfunction(state, unknown_global);
    lua_setfield(state, -2, "__index");
    lua_pushboolean(state, 0);
    lua_setfield(state, -2, "__metatable"); /* setmetatable(_ENV, ...) is refused */
    lua_setmetatable(state, globals);
    lua_rawseti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
