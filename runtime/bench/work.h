/* work.h: what one call of an operator costs at least, counted from the spec, not from a kernel. */
#ifndef SAMEBITS_WORK_H
#define SAMEBITS_WORK_H

#include "family/family.h"

typedef struct Work {
    double bytes_in, bytes_out; /* every input read once, every output written once */
    double flops; /* one per arithmetic node and element; an elementary function counts as one, so this is
                   * a lower bound; a reduction counts one join per leaf */
} Work;
Work work_count(const Operator *op, const Shape *shape);

/* Steps of the longest chain of dependent additions in the sums of one row; sums that need one another add
 * up. 0 when the row is longer than WORK_CHAIN_LIMIT leaves (nothing is said then). No schedule can be faster
 * than these steps one after another. */
enum { WORK_CHAIN_LIMIT = 1 << 20 };
double work_chain_steps(const Operator *op, const Term *tree, const Shape *shape);

#endif
