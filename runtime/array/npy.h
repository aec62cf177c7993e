/* npy.h: NumPy .npy files, formats 1.0 to 3.0 (numpy.lib.format). binary32, little-endian, C order. */
#ifndef SAMEBITS_NPY_H
#define SAMEBITS_NPY_H

#include "text/arena.h"

#include <stddef.h>

enum { NPY_RANK_LIMIT = 8 };
typedef struct NpyArray {
    float *data; /* in the arena, 64-byte aligned */
    int rank;
    size_t shape[NPY_RANK_LIMIT];
} NpyArray;

/* NULL when done, else what is wrong with the file and what to do, e.g.
 * "dtype is '<f8', float32 is needed: save it with array.astype(numpy.float32)" */
const char *npy_read(Arena *arena, const char *path, NpyArray *array);
/* Through a temporary file and rename. */
const char *npy_write(const char *path, const NpyArray *array);

#endif
