/* bench.h: times the variants of a family fairly (docs/measuring.md). */
#ifndef SAMEBITS_BENCH_H
#define SAMEBITS_BENCH_H

#include "family/family.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct BenchOptions {
    bool progress;
    int processes;  /* worker processes; 0: the default */
    double seconds; /* aim for the whole family; 0: $SAMEBITS_BENCH_SECONDS, else 24 */
    const json_t
        *verify; /* content of verify.json; variants that are not verified are not timed. NULL: all are */
} BenchOptions;

/* Writes bench.json below out_dir/<family>/ and returns its content; NULL when nothing could be timed
 * (reported). */
json_t *bench_family(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
                     BenchOptions options);

#endif
