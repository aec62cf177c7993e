/* build.c: BUILD: the objects that other compilers and optimisation levels made return the words of the
 * default build. For CUDA: the PTX that clang and nvcc made, executed, returns the words of the source.
 *
 * Each object runs the canonical cases in a process of its own and is compared by digests; only where they
 * differ are both loaded into one process, to find the first element. */
#include "verify/variant.h"

#include "driver/build.h"
#include "driver/modules.h"

#include <string.h>

static void build_try(const Verification *verification, Verified *verified, int build, Finding *finding)
{
    Arena *arena = verified->arena;
    const char *name = build_row_name(verified->variant->target, build);
    const char *object =
        build_object_path(arena, verification->family, verified->variant, verification->out_dir, build);
    const char *missing = object_why_not(arena, verification, verified->variant, build);
    if (missing == NULL && verified_time_left(verification, verified) == 0)
        missing = "no time was left";
    if (missing != NULL && module_reason_is_forbidden(missing)) {
        finding->tried = true;
        finding->cases++;
        finding->broken++;
        finding_note(arena, finding, arena_printf(arena, "%s: %s", name, missing));
        return;
    }
    if (missing != NULL) {
        finding_note(arena, finding, arena_printf(arena, "%s: not tried: %s", name, missing));
        return;
    }
    const char *first = verified_compare_digests(verification, verified, object, "BUILD", finding);
    if (first == NULL) {
        verified->builds_equal |= 1u << build;
        return;
    }
    const char *element =
        verified_find_difference(verification, verified, object, verified->variant, "BUILD");
    finding_note(arena, finding, arena_printf(arena, "%s: %s", name, element != NULL ? element : first));
}

/* A GPU's: what a compiler made of the source; emulating the source itself is row 0. */
static int first_other_build(const Target *target)
{
    return target->gpu ? MODULE_PTX : 1;
}

static const char *nothing_tried(const Verified *verified, const Finding *finding)
{
    const Target *target = verified->variant->target;
    if (strcmp(target->name, "metal") == 0)
        return "Metal's compiler runs on macOS only, and no other makes code for its GPUs that could be run "
               "here";
    return finding->detail != NULL ? finding->detail : "there is one build only";
}

void variant_verify_build(const Verification *verification, Verified *verified)
{
    Arena *arena = verified->arena;
    Finding finding = {0};
    for (int build = first_other_build(verified->variant->target);
         build < build_count && verified->canonical != NULL; build++)
        build_try(verification, verified, build, &finding);
    json_t *status;
    if (verified->canonical == NULL)
        status = promise_untried_json(arena, verified->variant, PROMISE_BUILD,
                                      "the default build gave no digests");
    else if (!finding.tried)
        status =
            promise_untried_json(arena, verified->variant, PROMISE_BUILD, nothing_tried(verified, &finding));
    else
        status = promise_json(arena, verified->variant, PROMISE_BUILD, &finding);
    if (finding.failed != NULL && verified->failure == NULL)
        verified->failure = finding.failed;
    verified_set(verified, PROMISE_BUILD, status);
}
