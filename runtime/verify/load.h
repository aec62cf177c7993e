/* load.h: threads that take the processors away at odd moments, so that a race shows. */
#ifndef SAMEBITS_LOAD_H
#define SAMEBITS_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { LOAD_THREADS = 3 };
typedef struct Load {
    pthread_t thread[LOAD_THREADS];
    int threads;
    atomic_bool stop;
} Load;

void load_start(Load *load);
void load_stop(Load *load);

#endif
