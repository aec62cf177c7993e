/* shadow.h: who touched which word last, for modules whose every access is reported. Internal to
 * runtime/simt.
 *
 * Two accesses of one word by two threads, one of them a write and not both atomic, are a race unless
 * something orders them. What can order them on a GPU is little: a barrier of the block between them, a
 * synchronisation of lanes between two lanes of one warp, the end of a launch. So a time is (number of
 * barriers passed, clock of the lane), and lanes keep a vector clock of their warp. Two blocks of one launch
 * are never ordered. This finds the race in whatever order the threads happened to run.
 *
 * The rule of exchange (a shuffle orders no memory) is CUDA's: "__shfl_sync does not imply a memory barrier".
 */
#ifndef SAMEBITS_SIMT_SHADOW_H
#define SAMEBITS_SIMT_SHADOW_H

#include "simt/abi.h"
#include "simt/simt.h"

typedef struct Engine Engine;
typedef struct Shadow Shadow;

/* NULL when there is no memory for it. `image` is the module itself: its constants may be read. */
Shadow *shadow_create(Engine *engine, SimtSpan shared, SimtSpan image, const SimtArgument *arguments,
                      int count);
void shadow_destroy(Shadow *shadow);

/* A block starts: nothing of its shared memory has been written. */
void shadow_begin_block(Shadow *shadow);
void shadow_pass_barrier(Shadow *shadow, unsigned orders);
void shadow_sync_lanes(Shadow *shadow, int warp, uint32_t lanes, unsigned orders);

/* What is wrong with this access, or NULL. `where` is a pc of the module, or a site (then `is_site`). */
typedef struct ShadowAccess {
    const void *address;
    uint64_t bytes;
    unsigned kind;
    const void *where;
    bool is_site;
} ShadowAccess;
typedef struct ShadowFinding {
    const char *text;  /* NULL: nothing wrong */
    const void *other; /* the earlier access of a race; NULL: none */
    bool other_is_site;
    unsigned other_thread;
    uint64_t other_block;
    unsigned other_kind;
} ShadowFinding;
ShadowFinding shadow_access(Shadow *shadow, const ShadowAccess *access);

#endif
