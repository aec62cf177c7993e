/* fake_modules.h: kernels of fake_metal.c that the SIMT engine runs. */
#ifndef SAMEBITS_FAKE_MODULES_H
#define SAMEBITS_FAKE_MODULES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct FakeArgument {
    void *data;
    size_t bytes;
    bool is_buffer; /* else a constant: 8 bytes are a size, 4 a binary32 */
} FakeArgument;

/* Runs the kernel of that name from a module of the folder FAKE_METAL_MODULES. NULL, or why not: no such
 * kernel, or what the engine found in it. */
const char *fake_modules_run(const char *kernel, unsigned groups, unsigned threads,
                             const FakeArgument *argument, int count);

#endif
