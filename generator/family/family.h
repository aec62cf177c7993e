/* family.h: what one spec means: an operator and its variants (tree x accumulator x target x schedule). */
#ifndef SAMEBITS_FAMILY_H
#define SAMEBITS_FAMILY_H

#include "operator/operator.h"
#include "target/target.h"
#include "text/arena.h"
#include "text/diagnostics.h"
#include "tree/term.h"

#include <stdbool.h>
#include <stddef.h>

/* How ranks learn each other's partials (docs/mpi.md, "Messages"). */
typedef enum Exchange { EXCHANGE_GATHER, EXCHANGE_SCATTER, EXCHANGE_TREE, EXCHANGES } Exchange;
extern const char *const exchange_names[]; /* "gather", "scatter", "tree"; ends with NULL */

/* What never changes a bit. */
typedef struct Schedule {
    int unroll;          /* vectors per iteration of an output loop: 1, 2, 4, 8 */
    size_t stream_bytes; /* outputs of at least this many bytes are stored around the cache; 0: never */
    Exchange exchange;   /* of targets with ranks; EXCHANGE_GATHER elsewhere */
    bool overlap;        /* of targets with ranks: the next rows are computed while values travel */
} Schedule;

/* "tree", "tree, overlapped" */
const char *schedule_exchange_text(const Schedule *schedule);

typedef struct Variant {
    const char *id;    /* unique in the family, a C identifier: rmsnorm_avx2_chunk1024_lanes32_pairwise_f32 */
    const char *label; /* the spec's name for this method ("standard"), or NULL */
    const Operator *op;
    const Term *tree;
    Accumulator accumulator;
    const char *dtype; /* "f32" */
    const Target *target;
    Schedule schedule;
    const char *contract; /* canonical text */
    const char *digest;   /* its SHA-256 */
    const char *symbol;   /* exported C function: samebits_<id> */
    const char *source;   /* path of the generated source, below the family's folder */
    const char *control; /* NULL, or why it must be caught: "allreduce", "completion", "split(auto)", "swapped
                            pair" */
} Variant;

/* Asked for, not possible here: never hidden. */
typedef struct Skip {
    const char *what, *why;
} Skip;

/* One size per dim of the operator. */
typedef struct Shape {
    size_t size[OPERATOR_DIMS];
} Shape;

typedef enum CompareKind { COMPARE_NONE, COMPARE_METHODS, COMPARE_BATCH } CompareKind;

/* What the spec wants measured. */
typedef struct BenchPlan {
    Shape *shape;
    int shapes;
    const char *data;      /* "normal" or "mixed" (a quarter x10, half x1, a quarter x0.1) */
    CompareKind compare;   /* methods: against the first tree; batch: rows alone against in a batch */
    int batch[8], batches; /* COMPARE_BATCH: factors on the first dim */
} BenchPlan;

typedef struct Family {
    const char *name; /* the spec's file name without folder and .lua: out/<name>/ */
    const char *spec; /* path as given */
    const Operator *op;
    Variant *variant; /* in the spec's order; last axis (target) fastest */
    Skip *skip;
    int variants, skips;
    /* Negative controls: kernels of the plain row sum that the verifier must catch. "swapped pair" is
     * generated from variant[0]'s tree with two leaves exchanged but carries the honest tree and contract.
     * "allreduce", beside variants with ranks, lets MPI_Allreduce join what ranks hold. */
    Variant control[4];
    int controls;
    BenchPlan bench;
} Family;

/* An axis overridden on the command line: -a tree='chunk(96, lanes(8), pairwise)' */
typedef struct AxisOverride {
    const char *axis;
    const char *values;
} AxisOverride;

/* Reads a spec in the sandbox. NULL after reporting what is wrong. */
const Family *family_read(Arena *arena, Diagnostics *diagnostics, const char *path,
                          const AxisOverride *overrides, int override_count);

/* NULL, or why this combination cannot be made: it then becomes a Skip. family.c has a weak one that is
 * always NULL; whoever lowers variants defines the strong one. Every field is filled when it is asked. */
const char *variant_why_not(const Variant *variant);

/* Axis names, for messages and `--help`; ends with NULL: accumulator, dtype, exchange, overlap, stream,
 * target, tree, unroll */
extern const char *const family_axes[];

#endif
