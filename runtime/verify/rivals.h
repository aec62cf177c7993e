/* rivals.h: other orders of the same leaves, and whether some data tells them from a tree.
 *
 * A comparison proves something only where another order would have given other bits. Rivals are common
 * orders (seq, pairwise, halving, lanes of 4, 8, 16, 32), the tree itself with one size or part changed, and
 * the tree on leaves whose neighbours are exchanged, or on leaves turned round. */
#ifndef SAMEBITS_RIVALS_H
#define SAMEBITS_RIVALS_H

#include "verify/cases.h"

/* Rivals are evaluated by the reference: a larger case (case_volume) than this tells nothing. */
enum { RIVAL_VOLUME_LIMIT = 60000 };

/* EXCHANGED: the middle two of every four; exchanging the first two would be the same order for pairwise. */
typedef enum LeafOrder { LEAVES_IN_ORDER, LEAVES_EXCHANGED, LEAVES_REVERSED } LeafOrder;

typedef struct Rival {
    const char *name;
    const Term *tree;
    LeafOrder leaves;
    bool differs;   /* for some case seen so far it means another order */
    size_t columns; /* the most leaves of such a case: the more, the more their rounding errors differ */
    bool told;      /* and in one of those its result has other bits */
} Rival;

typedef struct Rivals {
    Rival *item;
    int count;
} Rivals;
Rivals rivals_of(Arena *arena, const Term *tree);

/* A number for the order that a term gives `leaves` leaves: equal orders, equal numbers. The operands of a
 * join may change places, and a start that nothing has been stepped into counts for nothing. `fused`: a leaf
 * is a product, and stepping it into an accumulator is not the same as joining its rounded product. */
uint64_t order_number(const Term *tree, uint64_t leaves, bool fused, LeafOrder order);

/* Evaluates on the trial's inputs every rival that is not told yet and means another order; marks those whose
 * bits differ from `expected`. Returns how many are told now. */
int rivals_try(Rivals *rivals, const Variant *variant, const Case *what, const Trial *trial,
               float *const expected[]);
/* A rival that differs from the tree and was never told, or NULL when every one was. */
const Rival *rivals_missed(const Rivals *rivals);
int rivals_told(const Rivals *rivals);
/* Why equal bits on all inputs tried say nothing about the order, or NULL: then every rival was told. */
const char *rivals_why_vacuous(Arena *arena, const Rivals *rivals);

/* Turns `what->fill` into the first kind of data for which some rival has other bits. False: none was found,
 * or the operator has no sum. */
bool case_make_telling(const Variant *variant, Case *what);

#endif
