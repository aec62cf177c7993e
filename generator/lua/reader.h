/* reader.h: what the parts of the spec reader share. Only this folder includes it.
 *
 * A spec's values are userdata, one kind per metatable. A mistake yields a value of kind MISTAKE: it is
 * reported where it is made, stands in for what should have been there, and is silent from then on, so that
 * the rest of the spec is still read and its own mistakes are found too. */
#ifndef SAMEBITS_LUA_READER_H
#define SAMEBITS_LUA_READER_H

#include "lua/locate.h"
#include "lua/spec.h"
#include "operator/build.h"

#include <lauxlib.h>
#include <lua.h>

typedef struct Reader {
    Arena *arena;
    Diagnostics *diagnostics;
    Locator *locator;
    OperatorBuilder *builder;
    const char *file;
    Spec *spec;
    int mistakes_before; /* of other specs */
    int kernels;         /* how many times kernel "name" { } ran */
    int trees_made;      /* terms built, used or not */
} Reader;

typedef enum ValueKind {
    VALUE_AUTO,    /* the word auto */
    VALUE_DIM,     /* int: its index */
    VALUE_EXPR,    /* const Expr * */
    VALUE_KERNEL,  /* KernelStart, or the kernel that a spec returns */
    VALUE_MISTAKE, /* reported already */
    VALUE_TREES,   /* Trees */
    VALUE_NONE     /* an ordinary Lua value */
} ValueKind;

/* One or more trees: a list inside a constructor makes several. */
typedef struct Trees {
    TreeChoice *choice;
    int count;
} Trees;

Reader *reader_of(lua_State *state);
void reader_attach(lua_State *state, Reader *reader);

/* Metatables. `methods` of a kind are registered once per state. */
void reader_new_kind(lua_State *state, ValueKind kind, const luaL_Reg *methods);
ValueKind reader_kind(lua_State *state, int index);
void *reader_push(lua_State *state, ValueKind kind, size_t size); /* the new userdata's memory */
int reader_push_mistake(lua_State *state);                        /* returns 1 */
int reader_push_expr(lua_State *state, const Expr *expr);         /* NULL gives a mistake; returns 1 */
const Expr *reader_expr(lua_State *state, int index);
int reader_dim(lua_State *state, int index);
Trees *reader_trees(lua_State *state, int index);

/* Line of the innermost Lua function that runs; place of the call or operator that runs. */
int reader_line(lua_State *state);
Location reader_here(lua_State *state, const char *function);

/* "the string \"x\"", "a table", "dim 'cols'"; in the arena. */
const char *reader_describe(lua_State *state, int index);

/* String keys of the table at `index` in sorted order, ends with NULL. `*odd` is set when there are other
 * keys than strings. */
const char *const *reader_sorted_keys(lua_State *state, int index, bool *odd);

void spec_values_register(lua_State *state);     /* spec_values.c: dim input param, operators and functions */
void spec_trees_register(lua_State *state);      /* spec_trees.c: the terms, auto, named */
void spec_kernel_register(lua_State *state);     /* spec_kernel.c: kernel */
void spec_kernel_check_result(lua_State *state); /* what the spec returned is on top of the stack */

#endif
