/* data_file.h: Lua files that only hold data: one table of names to strings. */
#ifndef SAMEBITS_DATA_FILE_H
#define SAMEBITS_DATA_FILE_H

#include "text/arena.h"
#include "text/diagnostics.h"

#include <jansson.h>

/* Runs `path` in a sandbox; its result must be a table whose keys and values are strings. NULL after
 * reporting. */
json_t *data_file_read(Arena *arena, Diagnostics *diagnostics, const char *path);

#endif
