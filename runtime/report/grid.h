/* grid.h: an aligned table on a terminal.
 *
 * Columns belong to groups; a group is never torn. The first columns ("key") name the row; when all groups do
 * not fit the width, the rest go into further tables below, each with the key repeated. */
#ifndef SAMEBITS_GRID_H
#define SAMEBITS_GRID_H

#include "text/arena.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum Ink { INK_BAD, INK_FAINT, INK_GOOD, INK_PLAIN, INK_STRONG, INK_WARN, INKS } Ink;
/* Escape sequences round a text, or the text itself without colour. */
const char *ink_text(Arena *arena, Ink ink, bool color, const char *text);

typedef enum GridAlign { GRID_LEFT, GRID_RIGHT } GridAlign;
typedef struct Grid Grid;

Grid *grid_create(Arena *arena, int columns_limit, int rows_limit);
/* Adds a column; `gap` blanks stand in front of it. A change of `group` (compared by text) starts a new
 * group. */
int grid_add_column(Grid *grid, const char *group, const char *title, GridAlign align, int gap, bool key);
void grid_add_row(Grid *grid);
void grid_add_rule(Grid *grid);                                   /* a blank line between two rows */
void grid_set(Grid *grid, int column, Ink ink, const char *text); /* in the last row */
void grid_print(const Grid *grid, FILE *stream, int width, bool color, const char *indent);

#endif
