/* build.c: BUILD: the objects that other compilers and optimisation levels made return the words of the
 * default build.
 *
 * Each object runs the canonical cases in a process of its own and is compared by digests; only where they
 * differ are both loaded into one process, to find the first element. */
#include "verify/variant.h"

#include "driver/build.h"

static void build_try(const Verification *verification, Verified *verified, int build, Finding *finding)
{
    Arena *arena = verified->arena;
    const char *name = build_rows[build].name;
    const char *object =
        build_object_path(arena, verification->family, verified->variant, verification->out_dir, build);
    const char *missing = object_why_not(arena, verification, verified->variant, build);
    if (missing == NULL && verified_time_left(verification, verified) == 0)
        missing = "no time was left";
    if (missing != NULL) {
        finding_note(arena, finding, arena_printf(arena, "%s: not tried: %s", name, missing));
        return;
    }
    const char *first = verified_compare_digests(verification, verified, object, "BUILD", finding);
    if (first == NULL)
        return;
    const char *element =
        verified_find_difference(verification, verified, object, verified->variant->symbol, "BUILD");
    finding_note(arena, finding, arena_printf(arena, "%s: %s", name, element != NULL ? element : first));
}

void variant_verify_build(const Verification *verification, Verified *verified)
{
    Arena *arena = verified->arena;
    Finding finding = {0};
    for (int build = 1; build < build_count && verified->canonical != NULL; build++)
        build_try(verification, verified, build, &finding);
    json_t *status;
    if (verified->canonical == NULL)
        status = promise_untried_json(arena, verified->variant, PROMISE_BUILD,
                                      "the default build gave no digests");
    else if (!finding.tried)
        status = promise_untried_json(arena, verified->variant, PROMISE_BUILD,
                                      finding.detail != NULL ? finding.detail : "there is one build only");
    else
        status = promise_json(arena, verified->variant, PROMISE_BUILD, &finding);
    if (finding.failed != NULL && verified->failure == NULL)
        verified->failure = finding.failed;
    verified_set(verified, PROMISE_BUILD, status);
}
