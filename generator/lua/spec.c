/* spec.c: reads one spec: file, sandbox, globals of the language, result.
 *
 * The constructors build the operator and the axes while the spec runs; what it returns is only checked
 * to be the kernel. A spec is complete or NULL: any mistake, wherever, makes it NULL. */
#include "lua/spec.h"

#include "lua/reader.h"
#include "lua/sandbox.h"

#include <string.h>

static const char *function_names(Arena *arena)
{
    const char *names = "sum";
    for (int op = OP_CODES - 1; op >= 0; op--) {
        if (!op_rows[op].symbol) {
            names = arena_printf(arena, "%s, %s", op_rows[op].name, names);
        }
    }
    return names;
}

/* Reads an undefined global. The sandbox's own answer (upvalue 1) raises a message with a near name; here
 * it is reported with its column and the spec goes on with a mistake in its place. */
static int unknown_global(lua_State *state)
{
    Reader *reader = reader_of(state);
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_pushvalue(state, 3); /* the name, once more for the place */
    lua_insert(state, 1);
    if (lua_pcall(state, 2, 1, 0) == LUA_OK) {
        return 1;
    }
    const char *message = lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "";
    const char *name = lua_type(state, 1) == LUA_TSTRING ? lua_tostring(state, 1) : "?";
    if (!strstr(message, arena_printf(reader->arena, "'%s'", name))) {
        return lua_error(state); /* a limit of the sandbox, not an answer */
    }
    bool needs_cure = strncmp(message, "unknown", 7) == 0 && !strchr(message, '?');
    diagnostics_error(
        reader->diagnostics, locator_name(reader->locator, reader_line(state), name), "%s%s", message,
        needs_cure ? arena_printf(reader->arena, "; declare it with local, or use a function: %s",
                                  function_names(reader->arena))
                   : "");
    return reader_push_mistake(state);
}

static void wrap_unknown_global(lua_State *state)
{
    lua_pushglobaltable(state);
    if (lua_getmetatable(state, -1)) {
        lua_getfield(state, -1, "__index");
        lua_pushcclosure(state, unknown_global, 1);
        lua_setfield(state, -2, "__index");
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
}

/* Runs under sandbox_call, so that running out of memory here is reported like anywhere else. */
static int register_language(lua_State *state)
{
    spec_values_register(state);
    spec_trees_register(state);
    spec_kernel_register(state);
    wrap_unknown_global(state);
    return 0;
}

static void run(Reader *reader, const Buffer *text)
{
    Sandbox *sandbox = sandbox_create();
    lua_State *state = sandbox_state(sandbox);
    reader_attach(state, reader);
    lua_pushcfunction(state, register_language);
    if (sandbox_call(sandbox, reader->diagnostics, 0, 0) &&
        sandbox_run(sandbox, reader->diagnostics, reader->file, buffer_string(text), text->size)) {
        spec_kernel_check_result(state);
    }
    sandbox_destroy(sandbox);
}

/* False after reporting why the file cannot be a spec. */
static bool read_file(Diagnostics *diagnostics, const char *path, Buffer *text)
{
    const char *why = buffer_read_file(text, path, SANDBOX_FILE_LIMIT);
    if (why) {
        diagnostics_error(diagnostics, (Location){.file = path},
                          "the spec cannot be read: %s; a spec is a Lua text file of at most 1 MiB", why);
    }
    return !why;
}

const Spec *spec_read(Arena *arena, Diagnostics *diagnostics, const char *path)
{
    Buffer text = {0};
    Reader reader = {.arena = arena,
                     .diagnostics = diagnostics,
                     .file = arena_copy(arena, path),
                     .mistakes_before = diagnostics->count};
    if (read_file(diagnostics, path, &text)) {
        reader.locator = locator_create(arena, reader.file, buffer_string(&text), text.size);
        reader.builder = operator_build_start(arena, diagnostics);
        reader.spec = ARENA_NEW(arena, Spec);
        run(&reader, &text);
    }
    buffer_destroy(&text);
    return diagnostics->count == reader.mistakes_before ? reader.spec : NULL;
}
