/* compile.h: one template as a Lua chunk (internal to the engine).
 *
 * Invariant: template line n becomes line n of the chunk and nothing else, so every line number that Lua
 * gives is the template's own. Literal text stays in the template; the chunk names it by piece number. */
#ifndef SAMEBITS_COMPILE_H
#define SAMEBITS_COMPILE_H

#include "text/arena.h"
#include "text/buffer.h"
#include "text/diagnostics.h"

#include <stdbool.h>

typedef struct Piece {
    const char *text;
    size_t size;
} Piece;

typedef struct Page {
    const char *name;
    const char *text; /* the template, "\n" alone ending lines */
    Piece *piece;
    int pieces, capacity;
    int lines;
    int chunk; /* reference to the compiled function (lua/page.c) */
} Page;

/* Appends the chunk's text to `lua`. The page and its text live in `arena`. NULL after reporting every line
 * that is wrong. The chunk is called with a scope and then the functions of lua/page.c in the order of
 * PAGE_FUNCTIONS. */
Page *page_compile(Arena *arena, Diagnostics *diagnostics, const char *name, const char *text, Buffer *lua);

/* The chunk's first words. In lua/page.c one C function stands behind each name. */
#define PAGE_FUNCTIONS "__s,__b,__c,__e,__f,__g,__h,__i,__l,__n,__q,__t,__v,__w,__x"

#endif
