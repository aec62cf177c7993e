/* memory.h: what the machine can do at most: bytes per second from and to memory, and multiply-adds per
 * second. */
#ifndef SAMEBITS_MEMORY_H
#define SAMEBITS_MEMORY_H

#include "bench/team.h"

#include <stdbool.h>
#include <stddef.h>

/* MEMORY_READ goes through one contiguous part per thread, MEMORY_READ_STREAMS through four at once: which is
 * faster depends on how many requests the machine keeps in flight. MEMORY_COPY stores through the cache,
 * MEMORY_COPY_STREAM around it (non-temporal stores). */
typedef enum MemoryKind {
    MEMORY_READ,
    MEMORY_READ_STREAMS,
    MEMORY_COPY,
    MEMORY_COPY_STREAM,
    MEMORY_KINDS
} MemoryKind;
bool memory_kind_reads(MemoryKind kind);       /* only reads */
const char *memory_kind_name(MemoryKind kind); /* "read", "read-streams", "copy", "copy-stream" */

/* NULL when this machine can do it, else why not. */
const char *memory_why_not(MemoryKind kind);

/* Reads `from` (`to` unused), or copies it to `to`, with all threads of the team; both 64-byte aligned, sizes
 * in bytes, a multiple of 4. Returns the nanoseconds taken. */
int64_t memory_run(MemoryKind kind, const Team *team, const void *from, void *to, size_t bytes);

/* Vector multiply-adds per call of peak_run and thread are `rounds` * peak_operations(); one multiply-add
 * counts as two. */
double peak_flops_per_round(void);
int64_t peak_run(const Team *team, uint64_t rounds);
/* Nanoseconds of one multiply-add that waits for the one before: the step of a dependency chain. */
double peak_chain_step(void);
const char *peak_instructions(void); /* "AVX2 FMA", "plain C" */

#endif
