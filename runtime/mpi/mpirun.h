/* mpirun.h: which MPI this machine has: launcher, compiler wrapper, library; how ranks are started.
 *
 * SAMEBITS_MPIRUN and SAMEBITS_MPICC name others than those in PATH; SAMEBITS_MPI_HOSTFILE is handed to the
 * launcher; SAMEBITS_MPIRUN_FLAGS are added. The launcher's own environment (OMPI_*, HYDRA_*, a batch
 * system's) is left alone. */
#ifndef SAMEBITS_MPIRUN_H
#define SAMEBITS_MPIRUN_H

#include "text/arena.h"

#include <stdbool.h>

typedef enum MpiKind { MPI_KIND_OPEN_MPI, MPI_KIND_MPICH, MPI_KIND_OTHER } MpiKind;

typedef struct Mpi {
    const char *mpirun, *mpicc;   /* paths */
    const char *launcher_version; /* "Open MPI 4.1.4" */
    const char *library_version;  /* what the compiler wrapper links: "Open MPI 4.1.4" */
    MpiKind kind;
    bool root;      /* the launcher must be told that root is meant */
    int processors; /* of this machine: more ranks are oversubscribed */
} Mpi;

/* NULL and *why ("no mpirun in PATH: apt install openmpi-bin", "mpirun is Open MPI's, mpicc is MPICH's: ...")
 * where ranks cannot be started. Asks both programs each time (about 0.2 s): keep what it gave. */
const Mpi *mpi_find(Arena *arena, const char **why);

/* The words of the command that starts `ranks` ranks of `program`, up to the program's own arguments; ends
 * with NULL. */
const char *const *mpi_command(Arena *arena, const Mpi *mpi, int ranks, const char *program);
bool mpi_oversubscribed(const Mpi *mpi, int ranks);

const char *mpi_hostfile(void); /* SAMEBITS_MPI_HOSTFILE, or NULL */
/* A hostfile, flags or a batch system's variables are there: ranks may be on other hosts. */
bool mpi_may_leave_this_host(void);

#endif
