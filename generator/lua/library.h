/* library.h: the whitelist of a sandbox (internal to sandbox.c). */
#ifndef SAMEBITS_LIBRARY_H
#define SAMEBITS_LIBRARY_H

#include <lua.h>

/* Replaces the globals of a fresh state by the whitelist. Raises Lua errors only for lack of memory. */
void library_open(lua_State *state);

/* Pushes the text of the value at `index` (absolute): __tostring is honoured, addresses never appear. */
void library_push_text(lua_State *state, int index);

#endif
