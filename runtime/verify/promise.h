/* promise.h: names of promises, and how a finding becomes a status. */
#ifndef SAMEBITS_PROMISE_H
#define SAMEBITS_PROMISE_H

#include "verify/attempt.h"

typedef struct PromiseRow {
    Promise promise;
    const char *name;
    const char *meaning; /* which two runs must be equal */
    CheckWork *work;     /* NULL: judged in the parent from digests (build.c, target.c) */
} PromiseRow;
extern const PromiseRow promise_rows[PROMISES];

/* Whether a variant promises it at all: completion promises nothing, split(auto) RUN only; RANKS is promised
 * by targets with ranks. */
bool promise_is_made(const Variant *variant, Promise promise);

/* {"status", "cases", "detail"?}. A promise that is not made is never broken: what was seen is in the detail.
 */
json_t *promise_json(Arena *arena, const Variant *variant, Promise promise, const Finding *finding);
json_t *promise_untried_json(Arena *arena, const Variant *variant, Promise promise, const char *why);
bool promise_json_broken(const json_t *promise);

#endif
