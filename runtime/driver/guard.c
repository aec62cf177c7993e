/* guard.c: buffers between guard pages.
 *
 *   | PROT_NONE | canary ... data ... canary | PROT_NONE |
 *
 * A guard is a mebibyte: with a single page a kernel that is wrong by a row would step over it. The body
 * between the two guards is filled with one word, the data included, before the caller writes his values. The
 * word is a signalling NaN: a kernel that reads beside its buffer but inside the page does not crash, but its
 * result turns into a NaN; an output that a kernel forgot to write is a NaN too. A buffer of no elements has
 * no body at all: touching it crashes wherever it is placed. */
#include "driver/guard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BOUNDARY = 64,   /* bytes; GUARD_OFFSET counts from a multiple of it */
    GUARD = 1 << 20, /* bytes of each guard, a multiple of every page size in use */
};
static const uint32_t canary = 0x7fa5a5a5u;

typedef struct Body {
    size_t bytes;  /* between the guards */
    size_t offset; /* of the data from the body's start */
} Body;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* False when the sizes overflow. */
static bool body_plan(Body *body, size_t data_bytes, GuardPlacement placement, size_t offset)
{
    const size_t page = page_bytes();
    const size_t slack = placement == GUARD_OFFSET ? BOUNDARY + offset : 0;
    if (data_bytes > PTRDIFF_MAX - slack - page - 2 * GUARD) {
        return false;
    }
    if (data_bytes == 0) {
        *body = (Body){0, 0};
        return true;
    }
    body->offset = 0; /* GUARD_START */
    body->bytes = (data_bytes + slack + page - 1) / page * page;
    switch (placement) {
    case GUARD_START:
        break;
    case GUARD_END:
        body->offset = body->bytes - data_bytes;
        break;
    case GUARD_OFFSET: /* as near to the guard page behind as the alignment allows */
        body->offset = (body->bytes - data_bytes - offset) / BOUNDARY * BOUNDARY + offset;
        break;
    }
    return true;
}

static void fill_canary(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof canary) {
        memcpy(bytes + i, &canary, sizeof canary);
    }
}

const char *guarded_buffer_create(GuardedBuffer *buffer, size_t elements, GuardPlacement placement,
                                  size_t offset)
{
    *buffer = (GuardedBuffer){0};
    if (offset >= BOUNDARY || offset % sizeof(float) != 0) {
        return "the offset of a guarded buffer must be a multiple of 4 below 64";
    }
    size_t data_bytes;
    Body body;
    if (__builtin_mul_overflow(elements, sizeof(float), &data_bytes) ||
        !body_plan(&body, data_bytes, placement, offset)) {
        return "more elements than the address space holds";
    }
    const size_t size = body.bytes + 2 * GUARD;
    unsigned char *mapping = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return strerror(errno);
    }
    if (body.bytes > 0 && mprotect(mapping + GUARD, body.bytes, PROT_READ | PROT_WRITE) != 0) {
        const char *why = strerror(errno);
        munmap(mapping, size);
        return why;
    }
    fill_canary(mapping + GUARD, body.bytes);
    *buffer = (GuardedBuffer){(float *)(void *)(mapping + GUARD + body.offset), elements, mapping, size};
    return NULL;
}

static bool canary_intact(const unsigned char *from, const unsigned char *to)
{
    for (; from < to; from += sizeof canary) {
        if (memcmp(from, &canary, sizeof canary) != 0) {
            return false;
        }
    }
    return true;
}

const char *guarded_buffer_check(const GuardedBuffer *buffer)
{
    const unsigned char *begin = (const unsigned char *)buffer->mapping + GUARD;
    const unsigned char *end = (const unsigned char *)buffer->mapping + buffer->mapping_size - GUARD;
    const unsigned char *data = (const unsigned char *)buffer->data;
    if (begin == end) {
        return NULL; /* no elements: there was nothing that could be written without a crash */
    }
    if (!canary_intact(begin, data)) {
        return "memory in front of a buffer was overwritten";
    }
    if (!canary_intact(data + buffer->elements * sizeof(float), end)) {
        return "memory behind a buffer was overwritten";
    }
    return NULL;
}

void guarded_buffer_destroy(GuardedBuffer *buffer)
{
    if (buffer->mapping) {
        munmap(buffer->mapping, buffer->mapping_size);
    }
    *buffer = (GuardedBuffer){0};
}
