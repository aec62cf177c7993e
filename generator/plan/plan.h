/* plan.h: the steps of one row kernel in emission order, as data.
 *
 * A row kernel visits every index of the parallel axes ("a row"); within a row it makes passes over the axis:
 * the reduced dim, or several that are reduced together, in row-major order: reductions first, each in the
 * kernel's tree, then the outputs. The plan says which passes, what each computes, and how each reduction's
 * term becomes functions. It holds no text of any target.
 *
 * A term lowers to nodes. Every node reduces the items of one span:
 *   FOLD    joins items one by one in the order of seq, pairwise, halving or completion
 *   CUT     cuts its span into parts (chunk, split, lanes), each reduced by `inner`, and hands them as the
 * items of `outer` VECTOR  lanes(L, seq, fold) over consecutive leaves: L accumulators side by side, then
 * `outer` over them Items are leaves, the parts of a cut, or (below a VECTOR) the accumulators, an array. The
 * plan is replayed on leaf names before it is spelled (replay.c). */
#ifndef SAMEBITS_PLAN_H
#define SAMEBITS_PLAN_H

#include "family/family.h"
#include "operator/operator.h"
#include "plan/distribute.h"
#include "text/arena.h"
#include "tree/term.h"

#include <stdbool.h>

typedef enum PlanKind { PLAN_CUT, PLAN_FOLD, PLAN_VECTOR } PlanKind;
typedef enum PlanItems { ITEMS_ACCUMULATORS, ITEMS_LEAVES, ITEMS_PARTS } PlanItems;

typedef struct PlanNode PlanNode;
struct PlanNode {
    PlanKind kind;
    const Term *term;
    PlanItems items;
    const PlanNode *cut;   /* ITEMS_PARTS: the cut whose parts are the items */
    int depth;             /* how many spans enclose its own: 0 for the whole row and for arrays */
    bool whole_array;      /* its items are all accumulators of a VECTOR */
    bool in_array;         /* below a VECTOR's fold: the innermost items are accumulators */
    const PlanNode *inner; /* CUT: reduces one part */
    const PlanNode *outer; /* CUT: folds the parts; VECTOR: folds the accumulators that are left */
    /* VECTOR only. Whole vectors of `width` lanes are joined first where the fold is halving and L is a power
     * of two: each round joins the upper half of the accumulators onto the lower, until `left` remain, which
     * is again halving. */
    int width, vectors, left;
    int id; /* position in PlanReduction.node */
};

/* What one rank tells the others about a reduction along a distributed axis. */
typedef enum PlanShare {
    SHARE_NODES, /* pairwise over parts: the largest subtrees that it has all parts of */
    SHARE_ALL,   /* the partial of every part */
    SHARE_ONE    /* an order that cannot change a bit: one value */
} PlanShare;

enum { PLAN_NODES = 64, PLAN_REDUCTIONS = 16 };

typedef struct PlanReduction {
    const Expr *reduce;
    const Term *tree; /* the kernel's; for maxima, where no order can change a bit, the fastest */
    const PlanNode *node[PLAN_NODES]; /* in emission order: inner before outer, the root last */
    int nodes;
    const PlanNode *root;
    const Expr *kept;   /* stored while this reduction runs, read back later; NULL: nothing */
    bool scalar_leaves; /* some FOLD or CUT takes leaves one at a time */
    int level;          /* 0, or one more than the reductions that its leaves need */
    PlanShare share;
    const PlanNode *over; /* SHARE_ALL: folds an array of all partials as the tree's outermost outer does */
} PlanReduction;

typedef struct Plan {
    const Operator *op;
    const Term *tree;
    Accumulator accumulator;
    const Target *target;
    Schedule schedule;
    bool swapped;            /* negative control: leaves 1 and 2 change places */
    bool allreduce;          /* negative control: MPI joins what ranks hold */
    bool *reached;           /* per node of the operator: some output needs it */
    int axis[OPERATOR_DIMS]; /* the dims passes run over, the last one fastest */
    int axes;                /* how many; 0: none */
    uint32_t along;          /* the same as bits */
    int row_dim[OPERATOR_DIMS];
    int row_dims;     /* the parallel axes, in order of declaration */
    bool unit_stride; /* every tensor that varies along the axis is consecutive there: vectors can be used */
    PlanReduction reduction[PLAN_REDUCTIONS];
    int levels;                /* of reductions: those of one level do not depend on each other */
    Distribution distribution; /* of targets with ranks */
    int reductions;            /* in an order in which each depends only on earlier ones */
} Plan;

/* How a tensor lies along the axis. */
typedef enum PlanLie {
    LIE_CONSECUTIVE, /* its elements are neighbours */
    LIE_STEPPED,     /* a fixed distance apart: the axis's dims lie side by side, others behind them */
    LIE_SCATTERED    /* some dims of the axis are missing, apart, or in another order */
} PlanLie;
PlanLie plan_lie(const Plan *plan, const Tensor *tensor);

/* NULL and *why where this operator or tree has no row kernel (the user sees "skipped: why"). */
const Plan *plan_lower(Arena *arena, const Variant *variant, const char **why);

/* The dim that passes run over and the first parallel one, -1 where there is none; true when the axis is
 * reduced. */
bool plan_dims(const Operator *op, int *axis, int *row);

/* Replays the plan's reductions on leaf names and compares every join with the term's own walk,
 * for numbers of leaves that reach every part of it; `budget` bounds their sum per reduction (at least 64;
 * every plan is replayed with PLAN_REPLAY when it is made, the tests replay with much more). NULL when they
 * agree, else what differs. */
enum { PLAN_REPLAY = 6000 };
const char *plan_replay(Arena *arena, const Plan *plan, uint64_t budget);

#endif
