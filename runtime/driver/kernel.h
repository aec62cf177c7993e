/* kernel.h: load a compiled variant and call it. Linux and macOS, CPU targets. */
#ifndef SAMEBITS_KERNEL_H
#define SAMEBITS_KERNEL_H

#include "family/family.h"
#include "reference/evaluate.h"

typedef struct Kernel Kernel;

/* dlopen of `path` and lookup of `symbol`; the signature is the operator's: inputs, outputs (float *), sizes
 * (size_t, in order of dims), params (float); returns void. Called through libffi, prepared once. NULL and
 * *why on failure. */
Kernel *kernel_open(Arena *arena, const char *path, const char *symbol, const Operator *op, const char **why);
void kernel_close(Kernel *kernel);
/* Calls it. MXCSR is set to default (no FTZ/DAZ) by kernel_prepare_thread, which workers call once. */
void kernel_call(const Kernel *kernel, const CallData *call);
void *kernel_symbol_address(const Kernel *kernel);
/* Number of OpenMP threads for the calls to come, through the OpenMP runtime that the kernel loaded
 * (omp_set_num_threads). */
void kernel_set_threads(int threads);
int kernel_default_threads(void); /* OMP_NUM_THREADS when set, else online processors in the affinity mask */
void kernel_prepare_thread(void);

#endif
