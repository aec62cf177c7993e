/* program.h: the rank program (rank.c), compiled for the MPI that is here. */
#ifndef SAMEBITS_RANK_PROGRAM_H
#define SAMEBITS_RANK_PROGRAM_H

#include "mpi/mpirun.h"

/* Compiles it into <out>/rank/, where `object` is <out>/<family>/obj/<build>/<id>.so, or beside the object
 * where it lies elsewhere; its name has the digest of its text and of what compiled it, so it is made once.
 * Its path; NULL and *why when it cannot be made. */
const char *rank_program(Arena *arena, const Mpi *mpi, const char *object, const char **why);

#endif
