/* blame.h: why a call failed, in one line: which rank, and what it did. */
#ifndef SAMEBITS_BLAME_H
#define SAMEBITS_BLAME_H

#include "mpi/team.h"

/* Rank `rank` said something else than what was asked, or its connection ended (head->kind 0). */
const char *blame_end(Team *team, int rank, const WireHead *head);
/* Ranks `waiting` of `all` said nothing within `seconds`: every one is asked what it does. */
const char *blame_silence(Team *team, uint64_t all, uint64_t waiting, double seconds);

#endif
