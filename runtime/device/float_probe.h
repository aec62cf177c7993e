/* float_probe.h: does a device compute as the contract says? Operations with known results.
 *
 * A device program computes every operation on every row's operands; result[op * float_probe_count + row] is
 * compared here. One row is one fact of IEEE 754 that kernels rely on. The expected words are constants:
 * tests/cuda holds them against MPFR. */
#ifndef SAMEBITS_FLOAT_PROBE_H
#define SAMEBITS_FLOAT_PROBE_H

#include "text/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* The order in which a device program stores its results. */
typedef enum ProbeOp {
    PROBE_ADD,      /* a + b */
    PROBE_MUL,      /* a * b */
    PROBE_FMA,      /* fma(a, b, c) */
    PROBE_MUL_ADD,  /* a * b, rounded, then + c */
    PROBE_DIV,      /* a / b */
    PROBE_RCP,      /* 1 / a */
    PROBE_SQRT,     /* sqrt(a) */
    PROBE_GREATER,  /* a > b ? 1.0 : 0.0 */
    PROBE_FROM_U64, /* the integer (word of a) * 2^32 + (word of b), converted to binary32 */
    PROBE_F64_ADD,  /* binary64: (a + b) + c, converted to binary32 */
    PROBE_F64_FMA,  /* binary64: fma(a, b, c), converted to binary32 */
    PROBE_OPS,
    PROBE_OPS_WITHOUT_F64 = PROBE_F64_ADD /* Metal has no binary64 */
} ProbeOp;

/* What is wrong with a device that gives another word. */
typedef enum ProbeFault {
    FAULT_FLUSHES,
    FAULT_CONTRACTS,
    FAULT_SPLITS, /* its fma rounds twice */
    FAULT_ROUNDS,
    FAULT_F64,
    FAULTS
} ProbeFault;

typedef struct ProbeRow {
    ProbeOp op;
    ProbeFault fault;
    uint32_t a, b, c, expected;
} ProbeRow;
extern const ProbeRow float_probe_rows[];
extern const int float_probe_count;

/* How many rows of each fault failed, and a text on the first: "flushes subnormals: 00000001 + 00000001 gave
 * 00000000, not 00000002". */
typedef struct ProbeVerdict {
    int failed[FAULTS];
    const char *text; /* NULL: every row is right */
} ProbeVerdict;

/* `result` has (ops * float_probe_count) words; rows of operations from `ops` on are left out. */
ProbeVerdict float_probe_judge(Arena *arena, const uint32_t *result, int ops);
/* True when flushed subnormals are the only thing wrong: the promise is then "equal wherever no subnormal
 * occurs" (docs/contract.md). */
bool float_probe_only_flushes(const ProbeVerdict *verdict);

#endif
