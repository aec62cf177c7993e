/* ties.h: data that shows the order even through a wide accumulator.
 *
 * With an f64 accumulator two orders differ near the 53rd bit, and the rounding to binary32 hides it, once in
 * some 10^8 rows excepted. So such a row is searched for: a few elements of ever smaller influence are
 * bisected until the row's result lies just below the place where it flips to the next binary32 number.
 * Another order, one ulp of binary64 higher, then gives another result. Only the reference evaluator is
 * asked: the row is the same on every machine. */
#ifndef SAMEBITS_TIES_H
#define SAMEBITS_TIES_H

#include "verify/cases.h"

/* Fills the rows of input 0; the other inputs stay as they are. */
void ties_search(const Variant *variant, const Case *what, float *const input[]);

#endif
