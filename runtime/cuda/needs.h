/* needs.h: what the head of a PTX text says: which driver and device it needs, what its entry points take. */
#ifndef SAMEBITS_CUDA_NEEDS_H
#define SAMEBITS_CUDA_NEEDS_H

#include "text/arena.h"

#include <stdbool.h>

typedef struct CudaNeeds {
    int isa_major, isa_minor; /* .version 7.5 */
    int sm;                   /* .target sm_80: 80 */
    bool exact;               /* sm_90a: runs on that architecture only */
} CudaNeeds;

/* NULL when done, else what is wrong with the text. */
const char *cuda_needs_read(Arena *arena, const char *ptx, CudaNeeds *needs);
/* The first CUDA version whose driver knows that ISA (12040 is 12.4); 0: newer than this table. */
int cuda_needs_driver(CudaNeeds needs);
/* NULL, or why a driver (its CUDA version) or a device (compute capability) cannot run it: "skipped: ...". */
const char *cuda_needs_why_not(Arena *arena, CudaNeeds needs, int driver, int capability_major,
                               int capability_minor);

/* The types of an entry point's parameters, "uuuuuf" (u: .u64, f: .f32, ?: another); NULL when the text has
 * no such entry. */
const char *cuda_entry_parameters(Arena *arena, const char *ptx, const char *entry);

#endif
