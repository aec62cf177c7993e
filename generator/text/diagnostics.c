/* diagnostics.c: the user's mistakes, collected, and near names. */
#include "text/diagnostics.h"

#include "text/buffer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 64 }; /* longer names have no near name */

void diagnostics_init(Diagnostics *diagnostics, Arena *arena)
{
    *diagnostics = (Diagnostics){.arena = arena};
}

/* `file:line:column: `, as far as it is known. */
static void append_location(Buffer *line, Location where)
{
    if (!where.file) {
        return;
    }
    buffer_append_string(line, where.file);
    if (where.line > 0) {
        buffer_printf(line, ":%d", where.line);
    }
    if (where.line > 0 && where.column > 0) {
        buffer_printf(line, ":%d", where.column);
    }
    buffer_append_string(line, ": ");
}

static void keep_message(Diagnostics *diagnostics, const char *text)
{
    if (diagnostics->count == diagnostics->capacity) {
        const int capacity = diagnostics->capacity ? 2 * diagnostics->capacity : 8;
        char **message = ARENA_ARRAY(diagnostics->arena, char *, (size_t)capacity);
        if (diagnostics->count > 0) {
            memcpy(message, diagnostics->message, (size_t)diagnostics->count * sizeof *message);
        }
        diagnostics->message = message;
        diagnostics->capacity = capacity;
    }
    diagnostics->message[diagnostics->count] = arena_copy(diagnostics->arena, text);
}

void diagnostics_error(Diagnostics *diagnostics, Location where, const char *format, ...)
{
    if (diagnostics->count < DIAGNOSTICS_LIMIT) {
        char *what;
        va_list arguments;
        va_start(arguments, format);
        if (vasprintf(&what, format, arguments) < 0) {
            arena_out_of_memory();
        }
        va_end(arguments);
        Buffer line = {0};
        append_location(&line, where);
        buffer_printf(&line, "error: %s", what);
        keep_message(diagnostics, buffer_string(&line));
        buffer_destroy(&line);
        free(what);
    }
    diagnostics->count++;
}

bool diagnostics_any(const Diagnostics *diagnostics)
{
    return diagnostics->count > 0;
}

void diagnostics_print(const Diagnostics *diagnostics, FILE *stream)
{
    const int kept = diagnostics->count < DIAGNOSTICS_LIMIT ? diagnostics->count : DIAGNOSTICS_LIMIT;
    for (int i = 0; i < kept; i++) {
        fprintf(stream, "%s\n", diagnostics->message[i]);
    }
    if (diagnostics->count > kept) {
        fprintf(stream, "and %d more; correct these first\n", diagnostics->count - kept);
    }
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance in its restricted form (no substring edited twice), letters of either
 * case alike. Three rows of the table suffice: a transposition looks two rows back. */
static int edit_distance(const char *a, int a_size, const char *b, int b_size)
{
    int rows[3][NAME_LIMIT + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (int j = 0; j <= b_size; j++) {
        above[j] = j;
    }
    for (int i = 1; i <= a_size; i++) {
        row[0] = i;
        for (int j = 1; j <= b_size; j++) {
            const int edited = least(above[j], row[j - 1]) + 1;
            row[j] = least(edited, above[j - 1] + !same_letter(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1])) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        int *const spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_size];
}

const char *diagnostics_nearest(const char *name, const char *const *candidates)
{
    const size_t size = strlen(name);
    const char *nearest = NULL;
    int best = 0;
    for (; *candidates && size <= NAME_LIMIT; candidates++) {
        const size_t other = strlen(*candidates);
        if (other > NAME_LIMIT) {
            continue;
        }
        const int allowed = (int)(size > other ? size : other) / 3;
        const int distance = edit_distance(name, (int)size, *candidates, (int)other);
        if (distance <= allowed && (!nearest || distance < best)) {
            nearest = *candidates;
            best = distance;
        }
    }
    return nearest;
}
