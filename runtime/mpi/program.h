/* program.h: the rank program (rank.c), compiled for the MPI that is here. */
#ifndef SAMEBITS_RANK_PROGRAM_H
#define SAMEBITS_RANK_PROGRAM_H

#include "mpi/mpirun.h"

/* Its text, which travels in this program. */
extern const char rank_program_text[];

/* Compiles it into `folder`, which is made; its name has the digest of its text and of what compiled it, so
 * it is made once. Its path; NULL and *why when it cannot be made. */
const char *rank_program(Arena *arena, const Mpi *mpi, const char *folder, const char **why);

/* <out>/rank where `object` is <out>/<family>/obj/<build>/<id>.so; else the folder that the object lies in.
 */
const char *rank_program_folder(Arena *arena, const char *object);

/* Starts `ranks` ranks, lets them meet, and ends them. NULL, or why that cannot be done. */
const char *rank_program_try(Arena *arena, const Mpi *mpi, const char *folder, int ranks, double seconds);

#endif
