/* diagnostics.h: the user's mistakes, collected.
 *
 * A diagnostic says what, where, why and what to do:
 *   specs/a.lua:4:12: error: unknown operator 'rsqr'; did you mean 'rsqrt'?
 * More than one is collected before the run ends with status 2. */
#ifndef SAMEBITS_DIAGNOSTICS_H
#define SAMEBITS_DIAGNOSTICS_H

#include "text/arena.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct Location {
    const char *file; /* NULL: no place in a file (a command-line option, say) */
    int line;         /* from 1; 0 when unknown */
    int column;       /* from 1; 0 when unknown */
} Location;

typedef struct Diagnostics {
    Arena *arena;
    char **message; /* complete lines, without newline */
    int count;
    int capacity;
} Diagnostics;

enum { DIAGNOSTICS_LIMIT = 20 }; /* further ones are counted, not kept */

void diagnostics_init(Diagnostics *diagnostics, Arena *arena);
void diagnostics_error(Diagnostics *diagnostics, Location where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool diagnostics_any(const Diagnostics *diagnostics);
void diagnostics_print(const Diagnostics *diagnostics, FILE *stream);

/* The candidate nearest to `name` (Damerau-Levenshtein, at most a third of its
 * length wrong), or NULL. `candidates` ends with NULL. */
const char *diagnostics_nearest(const char *name, const char *const *candidates);

#endif
