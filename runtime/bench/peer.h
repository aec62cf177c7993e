/* peer.h: another library, timed in a process of its own.
 *
 * Two OpenMP runtimes in one process spin against each other, so a peer is a program that the worker starts
 * and asks, one epoch at a time; between its turns it sleeps, and so do the worker's threads (worker.c). The
 * conversation is lines of text: the peer says "ready FIRST SETTLED CALLS" or "error WHY", then answers each
 * "run N" with "ns TOTAL". */
#ifndef SAMEBITS_PEER_H
#define SAMEBITS_PEER_H

#include "bench/entry.h"
#include "text/arena.h"

#include <stdint.h>

typedef struct Peer Peer;

/* The peer program for an operator, or NULL and why there is none. *problem becomes its name for the
 * operator. */
const char *peer_find(Arena *arena, const Operator *op, const char **problem, const char **why);

typedef struct PeerReady {
    double first_ns, settled_ns;
    int calls;
} PeerReady;
/* Starts it on the task's shape and data and waits until it is warm. NULL and *why on failure. */
Peer *peer_start(Arena *arena, const BenchEntry *entry, const BenchTask *task, int sets, PeerReady *ready,
                 const char **why);
/* Nanoseconds of `iterations` calls; negative when the peer has died. */
int64_t peer_run(Peer *peer, uint64_t iterations);
void peer_stop(Peer *peer);

#endif
