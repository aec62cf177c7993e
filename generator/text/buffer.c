/* buffer.c: text that grows, and whole files.
 *
 * Invariant: `data` is NULL and `size` 0, or `size < capacity` and `data[size]` is NUL. */
#include "text/buffer.h"

#include "text/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 256, READ_SIZE = 64 * 1024 };

/* Makes room for `more` bytes and a NUL behind `size`. */
static void buffer_reserve(Buffer *buffer, size_t more)
{
    if (more >= SIZE_MAX / 2 - buffer->size) {
        arena_out_of_memory();
    }
    const size_t needed = buffer->size + more + 1;
    if (needed <= buffer->capacity) {
        return;
    }
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        arena_out_of_memory();
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_append(Buffer *buffer, const char *text, size_t size)
{
    buffer_reserve(buffer, size);
    if (size > 0) { /* memcpy from NULL is undefined even for no bytes */
        memcpy(buffer->data + buffer->size, text, size);
    }
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

void buffer_append_string(Buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(Buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) { /* only above INT_MAX characters */
        arena_out_of_memory();
    }
    buffer_reserve(buffer, (size_t)size);
    vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
    va_end(again);
    buffer->size += (size_t)size;
}

void buffer_destroy(Buffer *buffer)
{
    free(buffer->data);
    *buffer = (Buffer){0};
}

const char *buffer_string(const Buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}

/* Appends what `descriptor` holds, up to `limit` bytes. NULL, or the reason. */
static const char *read_all(Buffer *buffer, int descriptor, size_t limit)
{
    const size_t start = buffer->size;
    for (;;) {
        buffer_reserve(buffer, READ_SIZE);
        const ssize_t got = read(descriptor, buffer->data + buffer->size, READ_SIZE);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return strerror(errno);
        }
        buffer->size += (size_t)got;
        buffer->data[buffer->size] = '\0';
        if (buffer->size - start > limit) {
            return "the file is too large";
        }
        if (got == 0) {
            return NULL;
        }
    }
}

const char *buffer_read_file(Buffer *buffer, const char *path, size_t limit)
{
    /* O_NONBLOCK: a FIFO without a writer must not hold up the run before fstat can refuse it. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return strerror(errno);
    }
    const size_t size_before = buffer->size;
    struct stat status;
    const char *reason = NULL;
    if (fstat(descriptor, &status) != 0) {
        reason = strerror(errno);
    } else if (S_ISDIR(status.st_mode)) {
        reason = "it is a directory, not a file";
    } else if (!S_ISREG(status.st_mode)) {
        reason = "it is not a regular file";
    } else if (status.st_size > 0 && (uintmax_t)status.st_size > limit) {
        reason = "the file is too large";
    } else {
        reason = read_all(buffer, descriptor, limit);
    }
    close(descriptor);
    if (reason && buffer->data) { /* nothing half-read is left */
        buffer->size = size_before;
        buffer->data[size_before] = '\0';
    }
    return reason;
}

static bool file_holds(const char *path, const Buffer *wanted)
{
    Buffer present = {0};
    const bool same = !buffer_read_file(&present, path, wanted->size) && present.size == wanted->size &&
                      memcmp(buffer_string(&present), buffer_string(wanted), wanted->size) == 0;
    buffer_destroy(&present);
    return same;
}

static const char *write_all(const Buffer *buffer, int descriptor)
{
    for (size_t done = 0; done < buffer->size;) {
        const ssize_t wrote = write(descriptor, buffer->data + done, buffer->size - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return strerror(errno);
        }
        done += (size_t)wrote;
    }
    return NULL;
}

static const char *write_and_rename(const Buffer *buffer, const char *temporary, const char *path)
{
    const int descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) {
        return strerror(errno);
    }
    const char *reason = write_all(buffer, descriptor);
    if (close(descriptor) != 0 && !reason) { /* some file systems report a full disk only here */
        reason = strerror(errno);
    }
    if (!reason && rename(temporary, path) != 0) {
        reason = strerror(errno);
    }
    if (reason) {
        unlink(temporary);
    }
    return reason;
}

const char *buffer_write_file(const Buffer *buffer, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) { /* rename would replace a device */
        return S_ISDIR(status.st_mode) ? "it is a directory, not a file" : "it is not a regular file";
    }
    if (file_holds(path, buffer)) {
        return NULL;
    }
    Buffer temporary = {0};
    buffer_printf(&temporary, "%s.new-%ld", path, (long)getpid());
    const char *reason = write_and_rename(buffer, temporary.data, path);
    buffer_destroy(&temporary);
    return reason;
}
