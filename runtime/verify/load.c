/* load.c: each thread sleeps for a changing while and spins for a shorter one. Every waking takes a processor
 * away from some thread of the kernel, on one processor as on many, which shifts the moments at which its
 * threads finish. Long spins would only make the kernel wait: the load is there to disturb, not to measure
 * patience. */
#include "verify/load.h"
#include "platform/platform.h"

#include <stdint.h>
#include <time.h>

enum { SPIN_BITS = 13, PAUSE_BITS = 16 }; /* at most some 20 microseconds and 65 microseconds */

static void *load_spin(void *context)
{
    Load *load = context;
    uint32_t state = (uint32_t)(uintptr_t)&state | 1;
    platform_wake_promptly();
    while (!atomic_load_explicit(&load->stop, memory_order_relaxed)) {
        state = state * UINT32_C(1664525) + UINT32_C(1013904223);
        for (volatile uint32_t spin = state >> (32 - SPIN_BITS); spin > 0; spin = spin - 1)
            ;
        nanosleep(&(struct timespec){0, (long)(state << 8 >> (32 - PAUSE_BITS))}, NULL);
    }
    return NULL;
}

void load_start(Load *load)
{
    load->threads = 0;
    atomic_init(&load->stop, false);
    for (int i = 0; i < LOAD_THREADS; i++)
        if (pthread_create(&load->thread[load->threads], NULL, load_spin, load) == 0)
            load->threads++;
}

void load_stop(Load *load)
{
    atomic_store(&load->stop, true);
    for (int i = 0; i < load->threads; i++)
        pthread_join(load->thread[i], NULL);
}
