/* ptx.h: what the head of a PTX text says: which driver and device it needs, what its entry points take. */
#ifndef SAMEBITS_CUDA_PTX_H
#define SAMEBITS_CUDA_PTX_H

#include "text/arena.h"

#include <stdbool.h>

typedef struct PtxNeeds {
    int isa_major, isa_minor; /* .version 7.5 */
    int sm;                   /* .target sm_80: 80 */
    bool exact;               /* sm_90a: runs on that architecture only */
} PtxNeeds;

/* NULL when done, else what is wrong with the text. */
const char *ptx_read_needs(Arena *arena, const char *ptx, PtxNeeds *needs);
/* The first CUDA version whose driver knows that ISA (12040 is 12.4); 0: newer than this table. */
int ptx_driver_for(PtxNeeds needs);
/* NULL, or why a driver (its CUDA version) or a device (compute capability) cannot run it: "skipped: ...". */
const char *ptx_why_not(Arena *arena, PtxNeeds needs, int driver, int capability_major, int capability_minor);

/* The types of an entry point's parameters, "uuuuuf" (u: .u64, f: .f32, ?: another); NULL when the text has no
 * such entry. */
const char *ptx_entry_parameters(Arena *arena, const char *ptx, const char *entry);

#endif
