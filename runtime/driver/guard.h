/* guard.h: buffers between guard pages. Reads or writes out of bounds crash the child that runs the kernel.
 */
#ifndef SAMEBITS_GUARD_H
#define SAMEBITS_GUARD_H

#include <stddef.h>

typedef struct GuardedBuffer {
    float *data;
    size_t elements;
    void *mapping;
    size_t mapping_size;
} GuardedBuffer;

/* Where in its pages the buffer lies. END: last byte touches the guard page behind (alignment follows from
 * the size); START: first byte touches the guard page in front; OFFSET: `offset` bytes (a multiple of 4,
 * below 64) after a 64-byte boundary. Unused bytes around the data are filled with a canary that
 * guarded_buffer_check tests. */
typedef enum GuardPlacement { GUARD_END, GUARD_START, GUARD_OFFSET } GuardPlacement;
const char *guarded_buffer_create(GuardedBuffer *buffer, size_t elements, GuardPlacement placement,
                                  size_t offset); /* NULL: done, else why */
const char *
guarded_buffer_check(const GuardedBuffer *buffer); /* NULL: canaries intact, else what was overwritten */
void guarded_buffer_destroy(GuardedBuffer *buffer);

#endif
