/* json_value.h: JSON as Lua values.
 *
 * Objects become tables without, arrays tables with the list metatable, so that an empty list is told from an
 * empty record. Integers stay integers, reals become floats, null a light userdata (Lua's nil would make a
 * field vanish). */
#ifndef SAMEBITS_JSON_VALUE_H
#define SAMEBITS_JSON_VALUE_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

enum { JSON_VALUE_DEPTH_LIMIT = 64 };

/* Pushes `value`. Raises a Lua error where it nests too deep or memory runs out. */
void json_value_push(lua_State *state, const json_t *value);
bool json_value_is_list(lua_State *state, int index);

#endif
