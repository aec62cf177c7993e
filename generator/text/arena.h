/* arena.h: memory that dies in groups.
 *
 * One arena per run of the generator or of a verification; nothing is freed
 * by itself. Running out of memory has one message and one place (arena.c);
 * no caller checks for NULL. */
#ifndef SAMEBITS_ARENA_H
#define SAMEBITS_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_create(void);
void arena_destroy(Arena *arena); /* NULL is allowed */

/* Zeroed memory, aligned for any type. `count * size` is checked for overflow. */
void *arena_alloc(Arena *arena, size_t count, size_t size);
#define ARENA_NEW(arena, Type)          ((Type *)arena_alloc((arena), 1, sizeof(Type)))
#define ARENA_ARRAY(arena, Type, count) ((Type *)arena_alloc((arena), (count), sizeof(Type)))

char *arena_copy(Arena *arena, const char *text);                    /* a copy of a C string */
char *arena_copy_bytes(Arena *arena, const char *text, size_t size); /* NUL added */
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* The one out-of-memory message; does not return (exit status 1). */
_Noreturn void arena_out_of_memory(void);

#endif
