/* team.h: the processes of one `mpirun`, each with a socket to this process.
 *
 * Nothing outlives the team: team_end ends the launcher's process group and every rank on this host, and when
 * this process is gone, however, the launcher gets SIGTERM and the ranks see their sockets close. */
#ifndef SAMEBITS_TEAM_H
#define SAMEBITS_TEAM_H

#include "mpi/mpirun.h"
#include "mpi/wire.h"

#include <stdio.h>
#include <sys/types.h>

typedef struct Member {
    int socket; /* -1: none */
    int handle; /* pidfd of a rank on this host, else -1 */
    long pid;
    char host[64], library[256];
    bool ready;
} Member;

typedef struct Team {
    Arena *arena; /* of messages */
    const Mpi *mpi;
    pid_t launcher, owner; /* owner: the process that started it */
    int ranks;
    Member member[WIRE_RANKS]; /* by rank */
    FILE *said;                /* what the launcher and the ranks wrote */
    int strangers;             /* connections that had no right token */
} Team;

/* NULL, or why no team was started (nothing is left of it then). */
const char *team_start(Team *team, Arena *arena, const Mpi *mpi, const char *program, int ranks,
                       double seconds);
/* Asks the ranks to end when `orderly`; ends what is left. In a process that does not own it: closes what it
 * inherited. */
void team_end(Team *team, bool orderly);

/* False: the connection is broken. */
bool team_send(Team *team, int rank, WireKind kind, const void *data, size_t bytes, const void *more,
               size_t more_bytes);
bool team_receive(Team *team, int rank, void *data, size_t bytes);
/* The next rank that says something, within `seconds`, and its head; bit r of `among`: rank r is asked. -1:
 * nobody did. Where its connection ended or makes no sense, head->kind is 0. */
int team_next(Team *team, uint64_t among, double seconds, WireHead *head);

/* The launcher's last lines, ": mpirun says: ...", else how it ended, ": mpirun ended with status 9", else
 * "". Waits up to `seconds` for its end. */
const char *team_last_words(Team *team, double seconds);

double team_clock(void);

#endif
