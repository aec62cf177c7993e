/* worker.h: what a worker process does: load, warm up, and time blocks of epochs.
 *
 * Every process starts fresh from a parent that never loaded a kernel. It has its own load order and buffer
 * offsets, because the layout of memory is fixed per process and decides a few per cent. */
#ifndef SAMEBITS_WORKER_H
#define SAMEBITS_WORKER_H

#include "bench/buffers.h"
#include "bench/entry.h"

#include <stdio.h>

typedef struct Warmup {
    double first_ns;   /* the first call: page faults, start of the threads, cold caches and predictors */
    double settled_ns; /* per call, once the time has stopped falling */
    int calls;         /* made until it had settled */
    const char *why;   /* NULL, or why this entry cannot be timed */
} Warmup;

/* What is known of an entry on a device besides its time. */
typedef struct DeviceFigures {
    Geometry geometry; /* the fastest of those tried in the warm-up, which is schedule */
    int tried;
    double load_ns;                    /* the driver's compiler */
    double launch_ns;                  /* the host's time to ask for one call */
    double overhead_ns;                /* between two events with nothing between them: not taken off */
    int clock_low_mhz, clock_high_mhz; /* while timing; 0: not known */
} DeviceFigures;

typedef struct WorkerPlan {
    const BenchTask *task;
    const SharedInputs *shared;
    int process;   /* number of this worker: decides load order and offsets */
    int first_row; /* of the Williams square */
    int blocks;
    int iterations;       /* calls per epoch, the same for every entry */
    int only;             /* >= 0: warm up this entry in a fresh state, write its Warmup, and end */
    const bool *left_out; /* entries that cannot be timed */
    const bool *seldom;   /* entries far slower than the fastest: timed in one block per process */
    const bool
        *unwarmed; /* entries so long that a call before the first epoch changes nothing; with `seldom` */
    const DeviceFigures *device; /* per entry; of a twin before its control */
    double seconds;              /* after which no further block is begun, but for the first; 0: none */
} WorkerPlan;

/* ChildWork. Writes lines: "w ENTRY FIRST SETTLED CALLS", "x ENTRY WHY", "e BLOCK ENTRY NANOSECONDS" (per
 * call). */
void worker_run(void *plan, FILE *out);

/* The same on a device (device_worker.c). Two lines more: "g ENTRY PATH BLOCK TRIED LOAD OVERHEAD" behind a
 * warm-up, "l ENTRY LAUNCH CLOCK_LOW CLOCK_HIGH" at the end. */
void device_worker_run(void *plan, FILE *out);

#endif
