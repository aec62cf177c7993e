/* promise.c: kept, broken, vacuous, not promised, not tried. */
#include "verify/promise.h"

#include <string.h>

const PromiseRow promise_rows[PROMISES] = {
    {PROMISE_RUN, "RUN", "the same call, repeated, under load, from a fresh process", check_run},
    {PROMISE_BATCH, "BATCH", "a row alone, in a batch, in a permuted batch, at every position", check_batch},
    {PROMISE_THREADS, "THREADS", "1, 2, 3, 5, 8 threads, more than rows, nested in a parallel region",
     check_threads},
    {PROMISE_RANKS, "RANKS", "1, 2, 3, 4, 5, 8 ranks, uneven and empty shares", check_ranks},
    {PROMISE_LAYOUT, "LAYOUT", "every alignment, every tail, guard pages at both ends, in place",
     check_layout},
    {PROMISE_BUILD, "BUILD", "clang and gcc, -O0 and -O3", NULL},
    {PROMISE_TARGET, "TARGET", "every other kernel of the same contract", NULL},
    {PROMISE_TREE, "TREE", "the reference evaluator, and the order recovered by probing", check_tree},
};

bool promise_is_made(const Variant *variant, Promise promise)
{
    const Term *tree = variant->tree;
    if (promise == PROMISE_RANKS && !variant->target->ranks)
        return false; /* it runs in one process */
    return term_is_fixed(tree) || (promise == PROMISE_RUN && !term_has(tree, TERM_COMPLETION, false));
}

static const char *observed(Arena *arena, const Finding *finding)
{
    if (finding->failed != NULL)
        return arena_printf(arena, "seen: %s", finding->failed);
    if (finding->broken > 0)
        return arena_printf(arena, "seen: %ld of %ld differ: %s", finding->broken, finding->cases,
                            finding->detail);
    return arena_printf(arena, "seen: %ld equal", finding->cases);
}

static const char *detail_of(Arena *arena, const Finding *finding)
{
    if (finding->failed != NULL)
        return finding->failed;
    if (finding->broken > 0)
        return arena_printf(arena, "%ld of %ld differ: %s", finding->broken, finding->cases, finding->detail);
    if (finding->vacuous == NULL)
        return finding->detail;
    return finding->detail == NULL ? finding->vacuous
                                   : arena_printf(arena, "%s; %s", finding->vacuous, finding->detail);
}

static const char *status_of(const Finding *finding)
{
    if (finding->failed != NULL || finding->broken > 0)
        return "broken";
    return finding->vacuous != NULL ? "vacuous" : "kept";
}

json_t *promise_json(Arena *arena, const Variant *variant, Promise promise, const Finding *finding)
{
    bool made = promise_is_made(variant, promise);
    const char *status = made ? status_of(finding) : "not promised";
    const char *detail = made ? detail_of(arena, finding) : observed(arena, finding);
    return json_pack("{s:s, s:I, s:s*}", "status", status, "cases", (json_int_t)finding->cases, "detail",
                     detail);
}

json_t *promise_untried_json(Arena *arena, const Variant *variant, Promise promise, const char *why)
{
    const char *status =
        promise_is_made(variant, promise) ? arena_printf(arena, "not tried: %s", why) : "not promised";
    return json_pack("{s:s, s:i}", "status", status, "cases", 0);
}

bool promise_json_broken(const json_t *promise)
{
    const char *status = json_string_value(json_object_get(promise, "status"));
    return status != NULL && strcmp(status, "broken") == 0;
}
