/* target.c: TARGET: every other kernel of the same contract, on whatever target and schedule, returned the
 * same words. */
#include "verify/variant.h"

#include <string.h>

static void target_try(const Verification *verification, Verified *mine, const Verified *other,
                       Finding *finding)
{
    const char *id = other->variant->id;
    if (other->not_here != NULL || other->canonical == NULL) {
        finding_note(mine->arena, finding,
                     arena_printf(mine->arena, "%s: not tried: %s", id,
                                  other->not_here != NULL ? other->not_here : "it gave no digests"));
        return;
    }
    finding->tried = true;
    const char *first =
        digests_differ(mine->arena, mine->canonical, other->canonical, &finding->cases, &finding->broken);
    if (first == NULL)
        return;
    const char *element =
        verified_find_difference(verification, mine, other->object, other->variant, "TARGET");
    finding_note(mine->arena, finding,
                 arena_printf(mine->arena, "%s: %s", id, element != NULL ? element : first));
}

static void variant_verify_target(const Verification *verification, Verified *verified, int count,
                                  Verified *mine)
{
    Finding finding = {0};
    for (int i = 0; i < count; i++)
        if (&verified[i] != mine && strcmp(verified[i].variant->digest, mine->variant->digest) == 0)
            target_try(verification, mine, &verified[i], &finding);
    const char *why = finding.detail != NULL ? finding.detail : "no other kernel has this contract";
    verified_set(mine, PROMISE_TARGET,
                 finding.tried ? promise_json(mine->arena, mine->variant, PROMISE_TARGET, &finding)
                               : promise_untried_json(mine->arena, mine->variant, PROMISE_TARGET, why));
}

void variants_verify_target(const Verification *verification, Verified *verified, int count)
{
    for (int i = 0; i < count; i++)
        if (verified[i].canonical != NULL)
            variant_verify_target(verification, verified, count, &verified[i]);
        else if (verified[i].not_here == NULL)
            verified_set(&verified[i], PROMISE_TARGET,
                         promise_untried_json(verified[i].arena, verified[i].variant, PROMISE_TARGET,
                                              "this kernel gave no digests"));
}
