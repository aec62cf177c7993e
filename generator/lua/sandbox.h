/* sandbox.h: Lua states for strangers' programs. This folder is the only one that includes lua.h.
 *
 * No io, os, package, debug, load, require, collectgarbage, print to stdout, bytecode, __gc; string methods with
 * superlinear patterns are bounded (string.rep, find, match, gsub limited); pairs() visits
 * in sorted key order. An instruction budget (re-armed at count 1 once it is spent, so pcall
 * cannot swallow it; coroutines inherit it) and an allocator cap end runaways. */
#ifndef SAMEBITS_SANDBOX_H
#define SAMEBITS_SANDBOX_H

#include "text/arena.h"
#include "text/diagnostics.h"

#include <lua.h>

enum {
    SANDBOX_FILE_LIMIT = 1 << 20,       /* bytes of a spec */
    SANDBOX_MEMORY_LIMIT = 64 << 20,    /* bytes a state may hold */
    SANDBOX_INSTRUCTION_LIMIT = 10000000
};

typedef struct Sandbox Sandbox;
Sandbox *sandbox_create(void);
void sandbox_destroy(Sandbox *sandbox);
lua_State *sandbox_state(Sandbox *sandbox);

/* Loads text (never bytecode) under `chunk_name` (shown in messages) and calls it with its one
 * result left on the stack. False after reporting with file and line. */
bool sandbox_run(Sandbox *sandbox, Diagnostics *diagnostics, const char *chunk_name, const char *text,
                 size_t size);
/* lua_pcall with budget and message handling; on failure reports and pops. */
bool sandbox_call(Sandbox *sandbox, Diagnostics *diagnostics, int arguments, int results);

/* Location of the innermost Lua line now running (for constructors called from a spec). */
Location sandbox_location(lua_State *state, Arena *arena);

#endif
