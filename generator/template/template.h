/* template.h: text with holes (docs/template-language.md).
 *
 *   ${expr}             a hole: an integer, boolean or string; a float is an error
 *   $ for x in list do  ... $ end        $ for i, x in list do      (i counts from 1)
 *   $ if expr then ... $ elseif expr then ... $ else ... $ end
 *   $ include "page.c"  (path below the template root; sees the same names, loop variables included)
 *   $ -- a comment
 *   $$                  a dollar
 *
 * A control line (first non-blank characters "$ ") leaves no line behind. One template line becomes
 * one line of the loaded Lua chunk, so every error names the template's own line. A hole that
 * stands alone on its line and yields several lines indents all of them alike; one that
 * yields "" alone on its line removes the line. Unknown names are errors that offer near names. Pages
 * cannot assign, define functions, or reach anything but their data. */
#ifndef SAMEBITS_TEMPLATE_H
#define SAMEBITS_TEMPLATE_H

#include "text/arena.h"
#include "text/buffer.h"
#include "text/diagnostics.h"

#include <jansson.h>

/* Where one output line came from. `chain` is the include chain, outermost first, "page.c:12 > lanes.c:3";
 * `spec_line` is the integer field "spec_line" of the innermost loop variable that has one, else 0. */
typedef struct LineOrigin {
    const char *chain;
    int spec_line;
} LineOrigin;

typedef struct Expansion {
    Buffer text;
    LineOrigin *line; /* one per output line, in the arena */
    int lines;
} Expansion;

enum {
    TEMPLATE_INCLUDE_LIMIT = 16,     /* pages inside pages */
    TEMPLATE_OUTPUT_LIMIT = 16 << 20 /* bytes of one expansion */
};

/* Gives the text of template `name`, or NULL; asked once per name and engine; the text is copied at once. */
typedef const char *TemplateLoad(void *context, const char *name);

/* Keeps compiled pages and a Lua state for many expansions. */
typedef struct TemplateEngine TemplateEngine;
TemplateEngine *template_engine_create(TemplateLoad *load, void *context);
void template_engine_destroy(TemplateEngine *engine); /* NULL is allowed */

/* Expands `page` over `data` (a JSON object: objects, arrays, strings, integers, booleans; its
 * top-level members are the page's names). `words` may be NULL, else a JSON object: word -> pattern with
 * $1..$9; each becomes a function callable in holes: ${fma("a", "b", "acc")} spells its pattern with the
 * arguments put in. False after reporting; *out is then empty. */
bool template_expand(TemplateEngine *engine, Arena *arena, Diagnostics *diagnostics, const char *page,
                     const json_t *data, const json_t *words, Expansion *out);
void expansion_destroy(Expansion *expansion);

#endif
