/* clock.c: CLOCK_MONOTONIC, read through the vDSO on Linux. */
#include "bench/clock.h"

#include <errno.h>
#include <time.h>

int64_t clock_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_tick(void)
{
    int64_t smallest = INT64_MAX;
    for (int i = 0; i < 200; i++) {
        int64_t before = clock_nanoseconds(), after;
        do
            after = clock_nanoseconds();
        while (after == before);
        if (after - before < smallest)
            smallest = after - before;
    }
    return smallest;
}

void clock_sleep(int64_t nanoseconds)
{
    struct timespec rest = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        continue;
}
