/* sandbox.h: Lua states for strangers' programs. This folder is the only one that includes lua.h.
 *
 * No io, os, package, debug, load, require, collectgarbage, print, coroutines, bytecode or __gc; string
 * methods with superlinear patterns are charged for their worst case before they run (string.rep, find,
 * match, gmatch, gsub limited); pairs() and next() visit in sorted key order; reading an undefined global is
 * an error that offers a near name. An instruction budget (re-armed at count 1 once it is spent, so pcall
 * cannot swallow it) and an allocator cap end runaways. */
#ifndef SAMEBITS_SANDBOX_H
#define SAMEBITS_SANDBOX_H

#include "text/arena.h"
#include "text/diagnostics.h"

#include <lua.h>

enum {
    SANDBOX_FILE_LIMIT = 1 << 20,    /* bytes of a spec */
    SANDBOX_MEMORY_LIMIT = 64 << 20, /* bytes a state may hold */
    SANDBOX_STRING_LIMIT = 1 << 20,  /* bytes that string.rep may make */
    SANDBOX_INSTRUCTION_LIMIT = 10000000
};

typedef struct Sandbox Sandbox;
Sandbox *sandbox_create(void);
void sandbox_destroy(Sandbox *sandbox); /* NULL is allowed */
lua_State *sandbox_state(Sandbox *sandbox);

/* Loads text (never bytecode) under `chunk_name` (shown in messages) and calls it with its one
 * result left on the stack. False after reporting with file and line. */
bool sandbox_run(Sandbox *sandbox, Diagnostics *diagnostics, const char *chunk_name, const char *text,
                 size_t size);
/* The first half of sandbox_run: the loaded function is left on the stack. */
bool sandbox_load(Sandbox *sandbox, Diagnostics *diagnostics, const char *chunk_name, const char *text,
                  size_t size);
/* lua_pcall with budget and message handling; on failure reports and pops. */
bool sandbox_call(Sandbox *sandbox, Diagnostics *diagnostics, int arguments, int results);

/* Location of the innermost Lua line now running (for constructors called from a spec). */
Location sandbox_location(lua_State *state, Arena *arena);

/* For C functions called from Lua. sandbox_stop raises an error that is reported already: sandbox_run
 * and sandbox_call then fail without a message of their own. sandbox_charge takes `units` (about one
 * VM instruction of time each) off the budget, for loops in C whose length the program chooses. */
_Noreturn void sandbox_stop(lua_State *state);
void sandbox_charge(lua_State *state, double units);

#endif
