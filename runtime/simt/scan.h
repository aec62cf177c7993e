/* scan.h: the kernels of a .cu or .metal, found in its text. Internal to runtime/simt.
 *
 * Only names and what a parameter is bound to ([[buffer(2)]], [[thread_position_in_grid]]): types are the
 * compiler's business, see module_shim.h. Comments, strings and preprocessor lines are passed over. */
#ifndef SAMEBITS_SIMT_SCAN_H
#define SAMEBITS_SIMT_SCAN_H

#include "text/arena.h"

#include <stdbool.h>

enum { SCAN_PARAMETERS = 64, SCAN_KERNELS = 64 };

typedef struct ScanKernel {
    const char *name;
    const char *attribute[SCAN_PARAMETERS]; /* "buffer(2)"; NULL: none */
    int parameters;
} ScanKernel;

typedef struct Scan {
    ScanKernel kernel[SCAN_KERNELS];
    int kernels;
} Scan;

/* NULL: done, else why ("line 12: ..."). */
const char *scan_kernels(Arena *arena, const char *text, bool metal, Scan *scan);

#endif
