/* entry.h: what a run times: one entry per kernel, baseline, peer or memory operation.
 *
 * The timing protocol knows entries, an operator (for the signature) and a shape; it does not know families
 * or specs. */
#ifndef SAMEBITS_ENTRY_H
#define SAMEBITS_ENTRY_H

#include "array/inputs.h"
#include "bench/memory.h"
#include "family/family.h"
#include "gpu/gpu.h"

typedef enum EntryKind {
    ENTRY_VARIANT,  /* a kernel of this project */
    ENTRY_FASTMATH, /* a baseline: the plain loop built with -Ofast */
    ENTRY_CONTROL,  /* an entry entered a second time: it must come out SAME */
    ENTRY_PEER,     /* another library, in a process of its own */
    ENTRY_MEMORY    /* a read or copy of the same bytes */
} EntryKind;
const char *entry_kind_name(EntryKind kind);

typedef struct BenchEntry {
    EntryKind kind;
    const char *id;
    const char *label;    /* for people; NULL: the id */
    const char *path;     /* shared object; for a peer its program */
    const char *symbol;   /* function; for a peer the problem, "softmax" */
    MemoryKind memory;    /* ENTRY_MEMORY only */
    const Term *tree;     /* NULL when it has none */
    int twin;             /* ENTRY_CONTROL: the entry that this one repeats */
    const Launch *launch; /* on a device: `path` is then PTX or Metal source */
} BenchEntry;

/* What the entries of a task run on, when it is not this processor. */
typedef struct BenchDevice {
    GpuInfo info;
    uint32_t parallel_dims; /* of the task's operator */
} BenchDevice;

/* One shape to be timed. entry[baseline] is what others are compared with; baseline_again is its second copy.
 */
typedef struct BenchTask {
    const Operator *op;
    Shape shape;
    InputKind data; /* of input 0; the others are normal */
    const BenchEntry *entry;
    int entries;
    int baseline, baseline_again;
    const BenchDevice *device; /* NULL: this processor */
    int threads;
    size_t cache_bytes;
    double clock_tick_ns;
    double memory_gbs;  /* for guessing how long a cold pass takes; 0: not known */
    bool cold;          /* buffers rotate through more than twice the last-level cache */
    double seldom_from; /* entries this many times as slow as the fastest are timed once per process */
    int processes;
    double seconds; /* to aim for */
} BenchTask;

/* Bytes that the memory entries move for this operator, and how many the operator's call moves at least. */
double task_memory_bytes(const BenchTask *task, MemoryKind kind);
/* True when the output is large enough that copying is the fair measure of memory; else reading is. */
bool task_is_copy_like(const Operator *op, const Shape *shape);

#endif
