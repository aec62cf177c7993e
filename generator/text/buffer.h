/* buffer.h: text that grows. Always NUL-terminated; `size` excludes the NUL. */
#ifndef SAMEBITS_BUFFER_H
#define SAMEBITS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Buffer {
    char *data; /* NULL until something is appended; then malloc'ed */
    size_t size;
    size_t capacity;
} Buffer;

void buffer_append(Buffer *buffer, const char *text, size_t size);
void buffer_append_string(Buffer *buffer, const char *text);
void buffer_printf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_destroy(Buffer *buffer);
const char *buffer_string(const Buffer *buffer); /* "" when empty */

/* Whole files. buffer_read_file refuses directories and files above `limit`
 * bytes; both return NULL when done, else a reason (static or strerror text). */
const char *buffer_read_file(Buffer *buffer, const char *path, size_t limit);
/* Writes through a temporary file and rename, and only when the content
 * differs: an interrupt leaves either the old file or the new one. */
const char *buffer_write_file(const Buffer *buffer, const char *path);

#endif
