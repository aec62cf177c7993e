/* simt.h: runs the source of a GPU kernel, unmodified, on the CPU.
 *
 * One fiber per GPU thread of a block, blocks in sequence. A fiber runs until a barrier or an exchange
 * between lanes, so the engine sees every place where threads meet: it says which of them do not come, and
 * where they are instead. The order in which threads and blocks run is chosen; a kernel whose bits depend on
 * it has a race. What this does not see is what a GPU's compiler makes of the source (contraction, above
 * all): that is seen in the PTX.
 *
 * What a source must obey to be run, beyond what CUDA and Metal ask of it: shared arrays are declared in the
 * kernel with a constant size; no pointer to threadgroup memory is declared (an array is passed on as
 * `threadgroup float *` only in CUDA, where it is an ordinary pointer); block shapes have at most 1024
 * threads; a simd-group has 32 lanes. Functions whose bits a vendor chooses (simd_sum, expf, rsqrtf, fmaxf
 * ...) do not exist here.
 *
 * One launch at a time per module: its shared arrays and its index registers are the module's own. */
#ifndef SAMEBITS_SIMT_H
#define SAMEBITS_SIMT_H

#include "text/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PLAIN runs at speed; array bounds are checked. CHECKED has every access reported to the engine (Clang's
 * ThreadSanitizer instrumentation with this engine's own runtime, and UndefinedBehaviorSanitizer's checks):
 * races between threads, reads of shared memory that nobody wrote and accesses outside every buffer are
 * errors that name the threads and the lines. About ten times slower, and some hundred bytes of memory per
 * element that is touched. */
typedef enum SimtBuild { SIMT_PLAIN, SIMT_CHECKED } SimtBuild;

typedef enum SimtOrder { SIMT_ASCENDING, SIMT_DESCENDING, SIMT_RANDOM } SimtOrder;

/* What shared memory holds when a block starts: signalling NaNs, or bytes 5a (a large finite number). */
typedef enum SimtPoison { SIMT_POISON_NAN, SIMT_POISON_5A } SimtPoison;

typedef struct SimtLaunch {
    unsigned grid[3], block[3]; /* a 0 in y or z counts as 1 */
    SimtOrder order;            /* of threads and of blocks */
    uint64_t seed;              /* SIMT_RANDOM */
    SimtPoison poison;
    double seconds; /* a launch that takes longer is an error that says where; 0: no limit. Uses SIGALRM */
} SimtLaunch;

typedef enum SimtKind { SIMT_INPUT, SIMT_OUTPUT, SIMT_SIZE, SIMT_FLOAT } SimtKind;
typedef struct SimtArgument {
    SimtKind kind;
    void *pointer; /* SIMT_INPUT, SIMT_OUTPUT (whatever may be written, workspaces included) */
    size_t bytes;  /* of the buffer: what lies outside every buffer must not be touched */
    uint64_t size;
    float value;
} SimtArgument;

/* Why a launch failed. `text` is whole ("k.cu:31: ..."), in the module's arena. */
typedef struct SimtError {
    const char *file; /* NULL: not in the kernel */
    unsigned line;
    const char *text;
} SimtError;

typedef struct SimtModule SimtModule;

/* Compiles a .cu or .metal with $SAMEBITS_CLANG (clang) into the shared object `output`; folders are made.
 * NULL when done, else why
 * ("skipped: ..." without a clang). Beside it lie `output`.cc, its entry points, and simt/, the headers it
 * was compiled with. */
const char *simt_compile(Arena *arena, const char *source, const char *output, SimtBuild build);

/* The address spaces of a .metal, checked by Clang's C++ for OpenCL. NULL: nothing wrong; else the compiler's
 * words. */
const char *simt_lint_metal(Arena *arena, const char *source, const char *folder);

SimtModule *simt_open(Arena *arena, const char *path, const char **why); /* NULL and *why on failure */
void simt_close(SimtModule *module);                                     /* NULL is allowed */
/* Name of kernel `index`, NULL behind the last. */
const char *simt_kernel_name(const SimtModule *module, int index);

/* Runs one kernel. A crash in it (SIGSEGV, SIGBUS, SIGILL, SIGFPE) is an error like any other. False with
 * *error on failure; buffers are then as the kernel left them. */
bool simt_launch(SimtModule *module, const char *kernel, const SimtLaunch *launch,
                 const SimtArgument *arguments, int count, SimtError *error);

/* Kernels that are launched one after the other and share buffers. */
typedef struct SimtStep {
    const char *kernel;
    unsigned grid[3], block[3];
    const SimtArgument *arguments;
    int count;
} SimtStep;

/* Runs the steps under every order and poison, `seeds` times under random ones. Each run starts with the
 * outputs as they are now, and its outputs must have the bits of the first run (any NaN is equal to any NaN);
 * they are left as the first run made them. */
bool simt_launch_schedules(SimtModule *module, const SimtStep *steps, int count, int seeds, uint64_t seed,
                           double seconds, SimtError *error);

#endif
