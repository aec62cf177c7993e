/* machine.h: where and under which load a run was made, and what the machine can do at most. */
#ifndef SAMEBITS_MACHINE_H
#define SAMEBITS_MACHINE_H

#include "text/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { MACHINE_ADVICE_LIMIT = 8 };

typedef struct Machine {
    const char *cpu;      /* model name */
    const char *governor; /* "performance", ...; "unknown" in most virtual machines */
    const char *compiler; /* first line of the compiler's --version */
    int threads;          /* used for everything timed */
    double load;          /* average over the last minute, before the run */
    double
        steal; /* share of processor time that the hypervisor gave to others, over the run; -1: not known */
    unsigned
        control_word;   /* MXCSR (x86) as kernels find it, exception flags left out; 0x1f80 is the default */
    size_t cache_bytes; /* last-level cache as the system reports it */
    double clock_tick_ns;
    double read_gbs, copy_gbs,
        copy_stream_gbs; /* 10^9 bytes per second; bytes read plus bytes written; 0: not possible */
    double fma_gflops_one, fma_gflops_all;
    double chain_step_ns; /* one multiply-add that waits for the one before */
    bool peak_is_known;   /* the multiply-add peak was measured with the machine's vectors */
    const char *advice[MACHINE_ADVICE_LIMIT];
    int advices;
} Machine;

/* Reads what the system says and measures the rest in a child process, in about half a second. Never
 * fails: what cannot be had is 0 or "unknown", with a line of advice. */
Machine machine_examine(Arena *arena, int threads);

/* Processor time counted so far, in ticks, for the share that was stolen; both 0 where the system does not
 * say. */
typedef struct ProcessorTime {
    double all, stolen;
} ProcessorTime;
ProcessorTime machine_processor_time(void);
/* Puts the share stolen since `before` into the record, with a line of advice when it matters. */
void machine_note_steal(Arena *arena, Machine *machine, ProcessorTime before);

json_t *machine_to_json(const Machine *machine);

#endif
