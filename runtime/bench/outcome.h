/* outcome.h: what the times of one shape mean: rates, shares of the machine's peaks, ratios, verdicts; as
 * JSON. */
#ifndef SAMEBITS_OUTCOME_H
#define SAMEBITS_OUTCOME_H

#include "bench/line_up.h"
#include "bench/machine.h"
#include "bench/measure.h"
#include "bench/work.h"

/* One timed pass over a shape's entries, and what is needed to judge it. */
typedef struct Pass {
    const BenchTask *task;
    Times times;
    Work work;
    int comparisons;
    double noise_floor; /* |log ratio| of the two baselines */
} Pass;
Pass outcome_time_pass(Arena *arena, const BenchTask *task, const Times *known, int comparisons,
                       Progress *progress);

/* Entry against baseline (a control against its twin). */
Ratio outcome_ratio(Arena *arena, const Pass *pass, int entry);

/* Bytes per nanosecond that a memory entry reached in this pass, by its median; 0 when it was not timed, or
 * is a copy where the operator writes too little for one. */
double outcome_memory_gbs(Arena *arena, const Pass *pass, MemoryKind kind);
/* The faster of the two ways to read, or to copy. */
MemoryKind outcome_fastest_read(Arena *arena, const Pass *pass);
MemoryKind outcome_fastest_copy(Arena *arena, const Pass *pass);

/* The shape's object in bench.json; `cold` may be NULL. Messages of figures that cannot be are appended to
 * `errors`. */
json_t *outcome_to_json(Arena *arena, const Pass *pass, const Pass *cold, const Machine *machine,
                        json_t *errors);

#endif
