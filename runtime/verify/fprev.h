/* fprev.h: the order of a sum, recovered from the compiled kernel alone (FPRev: Xie, Gao, Wang, Xue, USENIX
 * ATC 2025). */
#ifndef SAMEBITS_FPREV_H
#define SAMEBITS_FPREV_H

#include "verify/check.h"

/* True when the operator is one sum of an input's elements, or of products of two inputs: its leaves can be
 * set. */
bool fprev_applies(const Operator *op);
/* Recovers the order for several numbers of leaves and compares each with the term's. */
void fprev_check(Check *check);

/* Answers l(i, j): the number of leaves below the node where leaves i and j meet. */
typedef struct FprevProbe {
    void *context;
    size_t (*meet)(void *context, size_t i, size_t j);
} FprevProbe;
/* The order as text, "((0+1)+(2+3))": the part with the smallest leaf first. A node that joins more
 * than two parts at once is written "[0+1+2]". */
const char *fprev_recover(Arena *arena, size_t leaves, const FprevProbe *probe);
/* The same text for a term, from term_walk; "" without leaves. */
const char *fprev_expected(Arena *arena, const Term *tree, size_t leaves);

#endif
