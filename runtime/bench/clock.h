/* clock.h: the monotonic clock of the benchmark. */
#ifndef SAMEBITS_CLOCK_H
#define SAMEBITS_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some fixed moment; never runs backwards, not steered in jumps. */
int64_t clock_nanoseconds(void);

/* The smallest step between two readings that differ, over some hundred pairs: what one tick costs and
 * resolves. */
int64_t clock_tick(void);

void clock_sleep(int64_t nanoseconds);

#endif
