/* data_file.c: reads a table of strings. Order does not matter: the result is looked up by name. */
#include "lua/data_file.h"

#include "lua/sandbox.h"
#include "text/buffer.h"

static json_t *table_of_strings(lua_State *state, Diagnostics *diagnostics, Location where)
{
    if (!lua_istable(state, -1)) {
        diagnostics_error(diagnostics, where, "this file must return a table of strings");
        return NULL;
    }
    json_t *object = json_object();
    for (lua_pushnil(state); lua_next(state, -2); lua_pop(state, 1)) {
        if (lua_type(state, -2) != LUA_TSTRING || lua_type(state, -1) != LUA_TSTRING)
            diagnostics_error(diagnostics, where, "every name and value of this table must be a string");
        else
            json_object_set_new(object, lua_tostring(state, -2), json_string(lua_tostring(state, -1)));
    }
    return object;
}

json_t *data_file_read(Arena *arena, Diagnostics *diagnostics, const char *path)
{
    Location where = {arena_copy(arena, path), 0, 0};
    Buffer text = {0};
    const char *why = buffer_read_file(&text, path, SANDBOX_FILE_LIMIT);
    if (why) {
        diagnostics_error(diagnostics, where, "cannot be read: %s", why);
        return NULL;
    }
    Sandbox *sandbox = sandbox_create();
    json_t *object = NULL;
    if (sandbox_run(sandbox, diagnostics, path, buffer_string(&text), text.size))
        object = table_of_strings(sandbox_state(sandbox), diagnostics, where);
    sandbox_destroy(sandbox);
    buffer_destroy(&text);
    return object;
}
