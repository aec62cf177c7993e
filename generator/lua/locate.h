/* locate.h: columns of a spec's calls and fields.
 *
 * Lua tells the line of a running call and nothing finer. The spec's text is cut into tokens once; a call on
 * a line is then found by its name, a field by walking into the table that holds it. What cannot be found
 * for certain has column 0: no column is better than a wrong one. */
#ifndef SAMEBITS_LUA_LOCATE_H
#define SAMEBITS_LUA_LOCATE_H

#include "text/arena.h"
#include "text/diagnostics.h"

typedef struct Locator Locator;

Locator *locator_create(Arena *arena, const char *file, const char *text, size_t size);

/* The call of `name` now made on `line`. When the line has several, the k-th that returns is the k-th to be
 * asked for: every call must be asked for, in the order in which they run. */
Location locator_call(Locator *locator, int line, const char *name);
/* The binary or unary operator `symbol` on `line`, where it is the only one. */
Location locator_symbol(const Locator *locator, int line, const char *symbol);
/* The name `name` on `line`, first occurrence. */
Location locator_name(const Locator *locator, int line, const char *name);

/* Tables written out in the text. A table is the token of its "{"; -1 when there is none to be seen. */
int locator_table_after(const Locator *locator, int line, const char *name);   /* kernel "a" {  */
int locator_field_table(const Locator *locator, int table, const char *field); /* field = {   */
int locator_item_table(const Locator *locator, int table, int item);           /* {...}, {...} */
Location locator_field(const Locator *locator, int table, const char *field, Location otherwise);
Location locator_item(const Locator *locator, int table, int item, Location otherwise); /* from 1 */

#endif
