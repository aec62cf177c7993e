/* cases.h: on which shapes and data a variant is tried.
 *
 * A case is a value: (shape, kind of data, seed). Everything in it follows from the operator and the tree,
 * never from the target or the machine, so that two kernels of one contract meet the same inputs. Column
 * counts are taken from the tree's own sizes: a kernel goes wrong at 0, 1, L-1, L, L+1, C-1, C, C+1, not in
 * between. */
#ifndef SAMEBITS_CASES_H
#define SAMEBITS_CASES_H

#include "array/inputs.h"
#include "family/family.h"
#include "reference/evaluate.h"

#include <stdbool.h>
#include <stdint.h>

/* Data: an InputKind, or one of these, which show the order of leaves that the canonical kinds cannot show.
 */
enum {
    FILL_PROBE_SIGNED = INPUT_KINDS, /* a row: M, -M and small integers; what meets M or -M first is lost */
    FILL_PROBE_SQUARE,               /* a row: one odd A whose square is a midpoint of binary32, and specks */
    FILL_UNDERFLOW,                  /* products below the smallest subnormal, all negative: a sum of -0.0 */
    FILL_EXPONENTS, /* a row: a maximum of 0, the others in [-8, -2]: exponentials of one size */
    FILL_TIE,       /* a row searched for: its result lies on a rounding boundary (ties.h) */
    FILL_KINDS
};

typedef struct Case {
    Shape shape;
    int fill;
    uint64_t seed;
} Case;

typedef struct CaseList {
    Case *item;
    int count, capacity;
    Arena *arena;
} CaseList;

const char *fill_name(int fill);

/* The sizes of a tree that cases are built around; 1 or more each. */
typedef struct TreeSizes {
    size_t lanes; /* the largest L, 8 when the tree has none */
    size_t chunk; /* the largest C that is worth a case, 0 when there is none */
    size_t split; /* the largest S, 0 when there is none */
} TreeSizes;
TreeSizes tree_sizes(const Term *tree);

/* Bit d: some reduction runs over dim d. The others are parallel: their positions are rows. */
uint32_t operator_reduced_dims(const Operator *op);
uint32_t operator_parallel_dims(const Operator *op);
/* True when some reduction is a sum: the order of a maximum cannot be seen. */
bool operator_has_sum(const Operator *op);

/* `columns` for the reduced dims, `rows` for the parallel ones. With several of a kind the seed picks which
 * gets the full size; the others get at most 9 columns, at most 3 rows. */
Shape case_shape(const Operator *op, size_t rows, size_t columns, uint64_t seed);
/* Operations of one call, about: the product of all sizes. */
double case_volume(const Operator *op, const Shape *shape);

/* Column counts around the tree's sizes, ascending, each once, none above `limit`. */
int cases_columns(Arena *arena, TreeSizes sizes, size_t limit, size_t **columns);

CaseList cases_canonical(Arena *arena, const Variant *variant); /* digests, BUILD, TARGET, RUN */
CaseList cases_tree(Arena *arena, const Variant *variant);      /* TREE */
/* Many rows of `columns` columns, when the ordinary cases did not tell some order apart; `attempt` counts
 * from 0. */
Case case_further(const Variant *variant, size_t columns, int attempt);
Case case_typical(const Operator *op, const Term *tree,
                  size_t rows);                       /* some chunks and a tail; cancelling data */
Case case_wide(const Operator *op, const Term *tree); /* one row of many columns */
Case case_many(const Operator *op, const Term *tree); /* many rows */
/* What only large calls reach: outputs stored around the cache, in many rows or in one, and one row of more
 * chunks than a kernel may hold partials of. False where the variant has no such path, or it would take too
 * much memory. */
bool case_streamed(const Variant *variant, Case *what);
bool case_huge(const Variant *variant, Case *what);
Case case_for_error(const Operator *op); /* the same for every tree: figures of error can be compared */

/* "cancel rows=5 cols=33 seed=7", and the same as part of a file name: "cancel-rows5-cols33-seed7". */
const char *case_text(Arena *arena, const Operator *op, const Case *what);
const char *case_stem(Arena *arena, const Operator *op, const Case *what);

/* Buffers of one call: inputs filled, params at their defaults, outputs full of a word that no result has. */
typedef struct Trial {
    CallData call;
    float *input[OPERATOR_INPUTS];
    float *output[OPERATOR_OUTPUTS];
} Trial;
Trial trial_create(Arena *arena, const Variant *variant, const Case *what);
/* A second set of outputs for the same inputs. */
void trial_fresh_outputs(Arena *arena, const Operator *op, const Shape *shape, float **output);
/* Fills the inputs only; `input[i]` hold tensor_elements each. */
void case_fill(const Variant *variant, const Case *what, float *const input[]);

#endif
