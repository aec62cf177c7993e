/* npy.c: NumPy .npy files.
 *
 * Written from the format's specification (NEP 1 and the documentation of numpy.lib.format): magic
 * "\x93NUMPY", a version, the length of the header (2 bytes in 1.0, 4 in 2.0 and 3.0, little-endian), a
 * Python dict literal with the keys descr, fortran_order and shape in any order, then the elements. The
 * literal is read by a strict parser of just that shape; what NumPy's own reader would refuse is refused
 * here.
 *
 * Nothing is allocated before the file's size has been held against the shape, so a header cannot ask for
 * memory that the file does not fill. */
#include "array/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements are moved as they lie in memory, which the format wants little-endian"
#endif

enum { HEADER_LIMIT = 1 << 16, ALIGNMENT = 64 };
static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
static const char save_again[] = "save it again with numpy.save(path, array.astype(numpy.float32))";

/* Reading and writing all of it. */

/* The number of bytes read; less than `size` only at the end of the file. -1: errno. */
static ssize_t read_all(int file, void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t got = read(file, (char *)bytes + done, size - done);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)done;
}

static bool write_all(int file, const void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t put = write(file, (const char *)bytes + done, size - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* The dict. */

typedef struct Header {
    Arena *arena;
    const char *at, *end;
    const char *descr;
    int fortran_order; /* -1: not seen */
    bool shape_seen;
    NpyArray *array;
    const char *why; /* the first thing wrong */
} Header;

static bool wrong(Header *header, const char *why)
{
    if (!header->why) {
        header->why = why;
    }
    return false;
}

static bool malformed(Header *header, const char *what)
{
    return wrong(header, arena_printf(header->arena, "the header is malformed (%s): %s", what, save_again));
}

static void skip_blanks(Header *header)
{
    while (header->at < header->end && (*header->at == ' ' || *header->at == '\n' || *header->at == '\t')) {
        header->at++;
    }
}

static bool take(Header *header, char wanted)
{
    skip_blanks(header);
    if (header->at < header->end && *header->at == wanted) {
        header->at++;
        return true;
    }
    return false;
}

static bool take_word(Header *header, const char *wanted)
{
    skip_blanks(header);
    const size_t size = strlen(wanted);
    if ((size_t)(header->end - header->at) < size || memcmp(header->at, wanted, size) != 0) {
        return false;
    }
    header->at += size;
    return true;
}

/* A string without escapes, in either kind of quotes; NULL when there is none. */
static const char *take_string(Header *header)
{
    skip_blanks(header);
    if (header->at >= header->end || (*header->at != '\'' && *header->at != '"')) {
        return NULL;
    }
    const char quote = *header->at, *from = header->at + 1, *to = from;
    while (to < header->end && *to != quote && *to >= ' ' && *to <= '~' && *to != '\\') {
        to++;
    }
    if (to >= header->end || *to != quote) {
        return NULL;
    }
    header->at = to + 1;
    return arena_copy_bytes(header->arena, from, (size_t)(to - from));
}

static bool read_descr(Header *header)
{
    skip_blanks(header);
    if (header->at < header->end && *header->at == '[') {
        return wrong(
            header,
            "dtype has fields, float32 is needed: save one field with array['name'].astype(numpy.float32)");
    }
    header->descr = take_string(header);
    return header->descr ? true : malformed(header, "descr is no string");
}

static bool read_fortran_order(Header *header)
{
    if (take_word(header, "True")) {
        header->fortran_order = 1;
    } else if (take_word(header, "False")) {
        header->fortran_order = 0;
    } else {
        return malformed(header, "fortran_order is neither True nor False");
    }
    return true;
}

static bool read_size(Header *header, size_t *size)
{
    skip_blanks(header);
    const char *from = header->at;
    *size = 0;
    for (; header->at < header->end && *header->at >= '0' && *header->at <= '9'; header->at++) {
        if (__builtin_mul_overflow(*size, (size_t)10, size) ||
            __builtin_add_overflow(*size, (size_t)(*header->at - '0'), size)) {
            return wrong(header, "a size in the shape is larger than any memory");
        }
    }
    if (header->at == from) {
        return malformed(header, "a size in the shape is no whole number");
    }
    if (header->at - from > 1 && *from == '0') {
        return malformed(header, "a size in the shape has a leading zero");
    }
    take_word(header, "L"); /* Python 2 wrote long integers so */
    return true;
}

/* (), (3,), (2, 3), (2, 3,); but (3) is a number in Python, not a tuple. */
static bool read_shape(Header *header)
{
    NpyArray *array = header->array;
    header->shape_seen = true;
    if (!take(header, '(')) {
        return malformed(header, "shape is no tuple");
    }
    bool comma = true;
    while (!take(header, ')')) {
        if (!comma) {
            return malformed(header, "a comma is missing in the shape");
        }
        if (array->rank == NPY_RANK_LIMIT) {
            return wrong(header, "more than 8 dimensions: save it with array.reshape(...) of at most 8");
        }
        if (!read_size(header, &array->shape[array->rank])) {
            return false;
        }
        array->rank++;
        comma = take(header, ',');
    }
    return array->rank != 1 || comma ? true : malformed(header, "shape is no tuple");
}

static bool read_entry(Header *header)
{
    const char *key = take_string(header);
    if (!key || !take(header, ':')) {
        return malformed(header, "a key is missing");
    }
    if (strcmp(key, "descr") == 0 && !header->descr) {
        return read_descr(header);
    }
    if (strcmp(key, "fortran_order") == 0 && header->fortran_order < 0) {
        return read_fortran_order(header);
    }
    if (strcmp(key, "shape") == 0 && !header->shape_seen) {
        return read_shape(header);
    }
    return malformed(header, arena_printf(header->arena, "key '%s' is unknown or there twice", key));
}

static bool read_dict(Header *header)
{
    if (!take(header, '{')) {
        return malformed(header, "no dict");
    }
    bool comma = true;
    while (!take(header, '}')) {
        if (!comma) {
            return malformed(header, "a comma is missing");
        }
        if (!read_entry(header)) {
            return false;
        }
        comma = take(header, ',');
    }
    skip_blanks(header);
    if (header->at != header->end) {
        return malformed(header, "text after the dict");
    }
    if (!header->descr || header->fortran_order < 0 || !header->shape_seen) {
        return malformed(header, "descr, fortran_order or shape is missing");
    }
    return true;
}

static bool accept_contents(Header *header)
{
    const char *descr = header->descr;
    if (strcmp(descr, ">f4") == 0) {
        return wrong(header, "dtype is '>f4' (big-endian): save it with array.astype('<f4')");
    }
    if (strcmp(descr, "<f4") != 0) {
        return wrong(
            header,
            arena_printf(header->arena,
                         "dtype is '%.40s', float32 is needed: save it with array.astype(numpy.float32)",
                         descr));
    }
    if (header->fortran_order) {
        return wrong(header, "is in Fortran order: save it with numpy.ascontiguousarray(array)");
    }
    return true;
}

/* Reading. */

typedef struct Source {
    Arena *arena;
    int file;
    size_t size; /* of the file */
    size_t data; /* where the elements start */
} Source;

static const char *not_npy(ssize_t got)
{
    if (got < 0) {
        return strerror(errno);
    }
    return got == 0
               ? "is empty: write it with numpy.save(path, array)"
               : "is no .npy file: write it with numpy.save(path, array), not numpy.savez or array.tofile";
}

/* Magic, version and the header's length. */
static const char *read_preamble(Source *source, size_t *header_size)
{
    unsigned char start[12];
    const ssize_t got = read_all(source->file, start, 8);
    if (got < (ssize_t)sizeof magic || memcmp(start, magic, sizeof magic) != 0) {
        return not_npy(got);
    }
    if (got < 8) {
        return "is truncated in its header: save it again with numpy.save";
    }
    if (start[6] < 1 || start[6] > 3 || start[7] != 0) {
        return arena_printf(source->arena,
                            "is .npy version %d.%d, and 1.0 to 3.0 are known: save it with "
                            "numpy.lib.format.write_array(file, array, version=(1, 0))",
                            start[6], start[7]);
    }
    const size_t width = start[6] == 1 ? 2 : 4;
    if (read_all(source->file, start + 8, width) != (ssize_t)width) {
        return "is truncated in its header: save it again with numpy.save";
    }
    *header_size = 0;
    for (size_t i = 0; i < width; i++) {
        *header_size |= (size_t)start[8 + i] << 8 * i;
    }
    source->data = 8 + width + *header_size;
    return *header_size > HEADER_LIMIT
               ? arena_printf(source->arena,
                              "has a header of %zu bytes, far more than an array of float32 needs: %s",
                              *header_size, save_again)
               : NULL;
}

static const char *read_header(Source *source, NpyArray *array)
{
    size_t size = 0;
    const char *why = read_preamble(source, &size);
    if (why) {
        return why;
    }
    char *text = ARENA_ARRAY(source->arena, char, size + 1);
    const ssize_t got = read_all(source->file, text, size);
    if (got != (ssize_t)size) {
        return got < 0 ? strerror(errno) : "is truncated in its header: save it again with numpy.save";
    }
    Header header = {
        .arena = source->arena, .at = text, .end = text + size, .fortran_order = -1, .array = array};
    if (read_dict(&header)) {
        accept_contents(&header);
    }
    return header.why;
}

/* The bytes of the elements; false on overflow. A zero anywhere makes the array empty, whatever the other
 * sizes. */
static bool shape_bytes(const NpyArray *array, size_t *bytes)
{
    for (int i = 0; i < array->rank; i++) {
        if (array->shape[i] == 0) {
            *bytes = 0;
            return true;
        }
    }
    *bytes = sizeof(float);
    for (int i = 0; i < array->rank; i++) {
        if (__builtin_mul_overflow(*bytes, array->shape[i], bytes) || *bytes > PTRDIFF_MAX - ALIGNMENT) {
            return false;
        }
    }
    return true;
}

static const char *check_size(const Source *source, const NpyArray *array, size_t *bytes)
{
    if (!shape_bytes(array, bytes)) {
        return "its shape has more elements than any memory holds";
    }
    const size_t there = source->size > source->data ? source->size - source->data : 0;
    if (there < *bytes) {
        return arena_printf(source->arena,
                            "is truncated: its shape needs %zu bytes of data and %zu are there: save it "
                            "again with numpy.save",
                            *bytes, there);
    }
    if (there > *bytes) {
        return arena_printf(source->arena,
                            "has %zu bytes behind its data: save one array to a file with numpy.save",
                            there - *bytes);
    }
    return NULL;
}

static const char *read_data(const Source *source, NpyArray *array, size_t bytes)
{
    char *memory = arena_alloc(source->arena, bytes + ALIGNMENT, 1);
    array->data = (float *)(void *)(memory + (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT);
    const ssize_t got = read_all(source->file, array->data, bytes);
    if (got < 0) {
        return strerror(errno);
    }
    return (size_t)got == bytes ? NULL : "became shorter while it was read: save it again with numpy.save";
}

static const char *read_array(Source *source, NpyArray *array)
{
    const char *why = read_header(source, array);
    size_t bytes = 0;
    if (!why) {
        why = check_size(source, array, &bytes);
    }
    return why ? why : read_data(source, array, bytes);
}

static const char *why_no_file(const struct stat *about)
{
    if (S_ISDIR(about->st_mode)) {
        return "is a directory: name the .npy file in it";
    }
    return S_ISREG(about->st_mode) ? NULL : "is no regular file: write a file with numpy.save(path, array)";
}

const char *npy_read(Arena *arena, const char *path, NpyArray *array)
{
    *array = (NpyArray){0};
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would block for its writer */
    if (file < 0) {
        return errno == ENOENT ? "there is no such file" : strerror(errno);
    }
    struct stat about;
    const char *why = fstat(file, &about) == 0 ? why_no_file(&about) : strerror(errno);
    if (!why) {
        Source source = {arena, file, (size_t)about.st_size, 0};
        why = read_array(&source, array);
    }
    close(file);
    if (why) {
        *array = (NpyArray){0};
    }
    return why;
}

/* Writing. */

static const char *why_not_written(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return "may not be written here: choose another folder, or change its permissions";
    case EDQUOT:
    case EFBIG:
    case ENOSPC:
        return "the disk is full: make room or choose another folder; no half file was left";
    case ENOENT:
        return "its folder does not exist: create it first";
    case EISDIR:
        return "is a directory: name a file in it";
    default:
        return strerror(error);
    }
}

/* As numpy.save writes it: version 1.0, the elements on a multiple of 64 bytes. */
static size_t format_header(char text[512], const NpyArray *array)
{
    memcpy(text, magic, sizeof magic);
    text[6] = 1;
    text[7] = 0;
    size_t size = 10;
    size += (size_t)snprintf(text + size, 512 - size, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < array->rank; i++) {
        size += (size_t)snprintf(text + size, 512 - size, i == 0 ? "%zu" : " %zu", array->shape[i]);
        if (i + 1 < array->rank || array->rank == 1) {
            text[size++] = ',';
        }
    }
    size += (size_t)snprintf(text + size, 512 - size, "), }");
    while ((size + 1) % ALIGNMENT != 0) {
        text[size++] = ' ';
    }
    text[size++] = '\n';
    text[8] = (char)((size - 10) & 0xff);
    text[9] = (char)((size - 10) >> 8);
    return size;
}

/* 0, or errno. */
static int write_array(const char *path, const NpyArray *array, size_t bytes)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) {
        return errno;
    }
    char header[512];
    const size_t size = format_header(header, array);
    int error = 0;
    if (!write_all(file, header, size) || !write_all(file, array->data, bytes)) {
        error = errno;
    }
    if (close(file) != 0 && error == 0) { /* NFS and quotas report a full disk here */
        error = errno;
    }
    return error;
}

/* `target` is where the name leads: a link stays a link. */
static int replace_file(const char *target, const NpyArray *array, size_t bytes)
{
    const size_t size = strlen(target) + 32;
    char *temporary = malloc(size);
    if (!temporary) {
        arena_out_of_memory();
    }
    snprintf(temporary, size, "%s.%ld.new", target, (long)getpid());
    unlink(temporary); /* left by a process of the same number that was killed */
    int error = write_array(temporary, array, bytes);
    if (error == 0 && rename(temporary, target) != 0) {
        error = errno;
    }
    if (error != 0) {
        unlink(temporary);
    }
    free(temporary);
    return error;
}

const char *npy_write(const char *path, const NpyArray *array)
{
    size_t bytes;
    if (array->rank < 0 || array->rank > NPY_RANK_LIMIT || !shape_bytes(array, &bytes)) {
        return "its shape has more dimensions or elements than a file can have";
    }
    struct stat about;
    const bool exists = stat(path, &about) == 0;
    if (exists && !S_ISREG(about.st_mode)) { /* rename would replace a device or a pipe by a file */
        return S_ISDIR(about.st_mode) ? "is a directory: name a file in it"
                                      : "is no regular file: name another one";
    }
    char *resolved = exists ? realpath(path, NULL) : NULL;
    const int error = replace_file(resolved ? resolved : path, array, bytes);
    free(resolved);
    return error ? why_not_written(error) : NULL;
}
