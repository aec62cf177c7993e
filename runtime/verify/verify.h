/* verify.h: checks every promise of every variant of a family (docs/contract.md, "Promises"). */
#ifndef SAMEBITS_VERIFY_H
#define SAMEBITS_VERIFY_H

#include "family/family.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct VerifyOptions {
    bool progress;  /* a progress bar on stderr */
    double seconds; /* limit per variant, wall clock; 0: $SAMEBITS_VERIFY_SECONDS, else 120 */
} VerifyOptions;

/* Every variant and the negative controls, each in a child process with limits; writes verify.json and
 * certificates below out_dir/<family>/. The result is the content of verify.json (docs/architecture.md). NULL
 * only when nothing could be tried (reported). "ok" is false when a promise is broken or a control got
 * through. */
json_t *verify_family(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
                      VerifyOptions options);

#endif
