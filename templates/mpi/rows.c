$ for line in head do
${line}
$ end
#ifdef __FAST_MATH__
#error "under -ffast-math this kernel would not keep its contract"
#endif
$ include "mpi/standalone.c"

#include <immintrin.h>
#include <limits.h>
#include <math.h>
#include <mpi.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_max_threads() 1
#define omp_get_thread_num() 0
#endif

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#endif

$ for f in functions do
${f.text}

$ end
typedef ${part_type} Part; /* a partial result on its way */

$ include "mpi/messages.c"

$ include "mpi/disagree.c"

$ include "mpi/state.c"

$ include "mpi/agree.c"

$ if spreads then
static inline size_t threads_most(void)
{
    return (size_t)omp_get_max_threads();
}

$ include "mpi/parts.c"

$ if gathers then
$ include "mpi/gather.c"
$ elseif merges then
$ include "mpi/tree.c"
$ else
$ include "mpi/scatter.c"
$ end

$ include "mpi/wait.c"

$ if counts_all then
/* So many threads fold rows of all partials at a time: their copies are bounded together. */
static size_t lanes_at_once(size_t parts)
{
    const size_t most = ((size_t)1 << 20) / (parts + 1) + 1, threads = threads_most();
    return most < threads ? most : threads;
}

static inline size_t thread_now(void)
{
    return (size_t)omp_get_thread_num();
}

$ include "mpi/all.c"

$ end
$ else
$ include "mpi/gather.c"

$ include "mpi/wait.c"

$ end
$ if spans then
$ include "rows/spans.c"
$ end
$ for k in kinds do
$ include "rows/kind.c"
$ if spreads then
$ include "mpi/join.c"
$ end
$ end
/* One row: what the passes over ${axis} need. */
typedef struct Row {
$ for m in members do
    ${m.text}
$ end
} Row;

$ for r in reductions do
$ include "rows/reduction.c"
$ if spreads then
$ include "mpi/own.c"

$ elseif r.wide then
$ include "cpu/wide.c"

$ end
$ end
$ if has_outputs then
$ include "cpu/outputs.c"

$ end
$ if spreads then
$ for v in levels do
$ include "mpi/level.c"

$ end
$ include "mpi/row.c"

$ include "mpi/call.c"

$ include "mpi/spread.c"
$ else
$ include "cpu/row.c"

$ include "cpu/kernel.c"

$ include "mpi/whole.c"
$ end

$ include "mpi/main.c"
#ifdef __clang__
#pragma clang attribute pop
#endif
