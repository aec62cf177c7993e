/* kernel.h: load a compiled variant and call it. Linux and macOS.
 *
 * A kernel is an ordinary function, or, when the object is a module of the SIMT engine, a GPU kernel that is
 * emulated: then calls are launches, no two in a row alike (emulated.h), and a launch may fail. Or ranks that
 * mpirun starts run it (ranked.h), which no two calls in a row share alike, and a call may fail. One emulated
 * or ranked call at a time, from one thread. */
#ifndef SAMEBITS_KERNEL_H
#define SAMEBITS_KERNEL_H

#include "family/family.h"
#include "mpi/ranked.h"
#include "reference/evaluate.h"

typedef struct Kernel Kernel;

/* dlopen of `path` and lookup of `symbol`; the signature is the operator's: inputs, outputs (float *), sizes
 * (size_t, in order of dims), params (float); returns void. Called through libffi, prepared once. NULL and
 * *why on failure. */
Kernel *kernel_open(Arena *arena, const char *path, const char *symbol, const Operator *op, const char **why);
/* The same by what the variant says: for a target with ranks, behind it is a Ranked. */
Kernel *kernel_open_variant(Arena *arena, const char *path, const Variant *variant, const char **why);
void kernel_close(Kernel *kernel);
/* Calls it. MXCSR is set to default (no FTZ/DAZ) by kernel_prepare_thread, which workers call once. */
void kernel_call(const Kernel *kernel, const CallData *call);
/* Emulated and ranked kernels: NULL, or why the first launch that failed did ("k.cu:31: ..."): its outputs
 * are worth nothing. */
const char *kernel_failure(const Kernel *kernel);
void *kernel_symbol_address(const Kernel *kernel); /* NULL: not in this process */
/* Number of OpenMP threads for the calls to come, through the OpenMP runtime that the kernel loaded
 * (omp_set_num_threads). */
void kernel_set_threads(int threads);
/* The same for an emulated kernel: threads per block (a multiple of 32) and blocks; 0: other ones for each
 * call, as when it is opened. */
void kernel_set_geometry(const Kernel *kernel, unsigned block, unsigned grid);
bool kernel_is_emulated(const Kernel *kernel);
Ranked *kernel_ranks(const Kernel *kernel); /* NULL: it runs in this process */
/* How the last call was launched, in words; "" for an ordinary function. */
const char *kernel_launch_text(const Kernel *kernel, char *text, size_t size);
/* NULL when this machine can run kernels for `target`, else why not: its processor, or no MPI. */
const char *kernel_why_not_here(Arena *arena, const Target *target);
int kernel_default_threads(void); /* OMP_NUM_THREADS when set, else online processors in the affinity mask */
void kernel_prepare_thread(void);

#endif
