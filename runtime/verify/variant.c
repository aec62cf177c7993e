/* variant.c: one variant: a child process per promise, so that what one of them does to the kernel (or the
 * kernel to its process) touches no other. */
#include "verify/variant.h"

#include "driver/build.h"
#include "driver/modules.h"
#include "platform/platform.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double verified_time_left(const Verification *verification, const Verified *verified)
{
    double left = verification->seconds - (seconds_now() - verified->started);
    return left > 0.05 ? left : 0;
}

void verified_set(Verified *verified, Promise promise, json_t *status)
{
    json_object_set_new(verified->promises, promise_rows[promise].name, status);
}

/* ---- objects ---- */

/* A compiler is there when the shell would find it. */
static bool program_exists(Arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0;
    for (const char *at = path == NULL ? "" : path; *at != '\0';) {
        size_t size = strcspn(at, ":");
        if (access(arena_printf(arena, "%.*s/%s", (int)size, at, name), X_OK) == 0)
            return true;
        at += size + (at[size] == ':');
    }
    return false;
}

static const char *compiler_named(const Build *build)
{
    const char *named = getenv(strcmp(build->compiler, "gcc") == 0 ? "SAMEBITS_GCC" : "SAMEBITS_CLANG");
    return named != NULL && named[0] != '\0' ? named : build->compiler;
}

const char *object_why_not(Arena *arena, const Verification *verification, const Variant *variant, int build)
{
    const char *object =
        build_object_path(arena, verification->family, variant, verification->out_dir, build);
    const char *source =
        arena_printf(arena, "%s/%s/%s", verification->out_dir, verification->family->name, variant->source);
    const char *compiler = compiler_named(&build_rows[build]);
    const int64_t made = platform_changed_at(object);
    if (variant->target->gpu && module_row_why_not(variant->target, (ModuleRow)build) != NULL)
        return module_row_why_not(variant->target, (ModuleRow)build);
    if (made < 0 && variant->target->gpu) {
        const char *noted = module_noted_reason(arena, object);
        return noted != NULL ? noted : "it was not compiled (`samebits compile` does)";
    }
    if (made < 0) {
        if (!program_exists(arena, arena_copy_bytes(arena, compiler, strcspn(compiler, " "))))
            return arena_printf(arena, "%s is not installed", compiler);
        return arena_printf(arena, "%s made no object of it (`samebits compile` says why)",
                            build_rows[build].name);
    }
    if (platform_changed_at(source) > made)
        return "its object is older than its source: compile it again";
    return NULL;
}

/* ---- digests ---- */

const char *digests_differ(Arena *arena, const json_t *mine, const json_t *others, long *cases, long *broken)
{
    const json_t *a = json_object_get(mine, "canonical"), *b = json_object_get(others, "canonical");
    const char *first = NULL;
    if (a == NULL || json_array_size(a) != json_array_size(b)) {
        ++*cases, ++*broken;
        return "the lists of canonical cases differ";
    }
    for (size_t i = 0; i < json_array_size(a); i++) {
        ++*cases;
        if (json_equal(json_array_get(a, i), json_array_get(b, i)))
            continue;
        ++*broken;
        json_t *one = json_array_get(a, i);
        char *shape = json_dumps(json_object_get(one, "shape"), JSON_COMPACT);
        if (first == NULL)
            first = arena_printf(arena, "canonical case %zu: %s %s", i,
                                 json_string_value(json_object_get(one, "data")), shape);
        free(shape);
    }
    return first;
}

static Attempt attempt_of(const Verification *verification, const Verified *verified, const char *promise,
                          CheckWork *work)
{
    return (Attempt){.variant = verified->variant,
                     .object = verified->object,
                     .promise = promise,
                     .folder = verified->folder,
                     .work = work,
                     .seconds = verified_time_left(verification, verified)};
}

const char *verified_compare_digests(const Verification *verification, Verified *verified, const char *object,
                                     const char *what, Finding *finding)
{
    Arena *arena = verified->arena;
    Attempt attempt = attempt_of(verification, verified, what, check_digests);
    attempt.object = object;
    Finding other = attempt_run(arena, &attempt);
    const char *first = other.failed;
    finding->tried = true;
    if (other.failed != NULL)
        finding->failed = finding->failed != NULL ? finding->failed : other.failed;
    else
        first = digests_differ(arena, verified->canonical, other.data, &finding->cases, &finding->broken);
    json_decref(other.data);
    return first;
}

const char *verified_find_difference(const Verification *verification, const Verified *verified,
                                     const char *other, const Variant *other_variant, const char *promise)
{
    Attempt attempt = attempt_of(verification, verified, promise, check_against);
    attempt.other = other;
    attempt.other_variant = other_variant;
    if (attempt.seconds == 0)
        return NULL;
    Finding finding = attempt_run(verified->arena, &attempt);
    json_decref(finding.data);
    return finding.detail;
}

/* ---- one variant ---- */

static void failure_note(Verified *verified, const char *failure)
{
    if (verified->failure == NULL)
        verified->failure = failure;
}

static void variant_untried(Verified *verified, const char *why)
{
    for (int p = 0; p < PROMISES; p++)
        verified_set(verified, (Promise)p,
                     promise_untried_json(verified->arena, verified->variant, (Promise)p, why));
}

static void variant_verify_canonical(const Verification *verification, Verified *verified)
{
    Attempt attempt = attempt_of(verification, verified, "canonical", check_canonical);
    attempt.exact = verification->exact;
    Finding finding = attempt_run(verified->arena, &attempt);
    verified->canonical = finding.data;
    if (finding.failed != NULL)
        failure_note(verified, finding.failed);
}

/* RUN's last part: two processes that share nothing but the object. */
static void variant_verify_fresh(const Verification *verification, Verified *verified, Finding *run)
{
    if (verified->canonical == NULL || run->failed != NULL || verified_time_left(verification, verified) == 0)
        return;
    const char *first = verified_compare_digests(verification, verified, verified->object, "RUN", run);
    if (first != NULL && run->failed == NULL && run->detail == NULL)
        run->detail = arena_printf(verified->arena, "a fresh process: %s", first);
}

/* THREADS of a GPU's kernel: the canonical cases once more, every access watched. A race or a read of shared
 * memory that nobody wrote need not show in the words; here it ends the run. */
static void variant_verify_watched(const Verification *verification, Verified *verified, Finding *threads)
{
    Arena *arena = verified->arena;
    const char *object = build_object_path(arena, verification->family, verified->variant,
                                           verification->out_dir, MODULE_WATCHED);
    const char *missing = object_why_not(arena, verification, verified->variant, MODULE_WATCHED);
    if (verified->canonical == NULL || threads->failed != NULL)
        return;
    if (missing == NULL && verified_time_left(verification, verified) == 0)
        missing = "no time was left";
    if (missing != NULL) {
        finding_note(arena, threads, arena_printf(arena, "every access watched: not tried: %s", missing));
        return;
    }
    const char *first = verified_compare_digests(verification, verified, object, "THREADS", threads);
    finding_note(arena, threads,
                 first != NULL ? arena_printf(arena, "every access watched: %s", first)
                               : "every access watched: no race, nothing read that nobody wrote");
}

static void variant_verify_promise(const Verification *verification, Verified *verified,
                                   const PromiseRow *row)
{
    if (row->promise == PROMISE_RANKS && !verified->variant->target->ranks) {
        verified_set(verified, row->promise,
                     promise_untried_json(verified->arena, verified->variant, row->promise, ""));
        return;
    }
    if (verified_time_left(verification, verified) == 0) {
        verified_set(
            verified, row->promise,
            promise_untried_json(verified->arena, verified->variant, row->promise, "no time was left"));
        return;
    }
    Attempt attempt = attempt_of(verification, verified, row->name, row->work);
    Finding finding = attempt_run(verified->arena, &attempt);
    if (row->promise == PROMISE_RUN) {
        variant_verify_fresh(verification, verified, &finding);
        verified->repeats = finding.failed == NULL && finding.broken == 0;
    }
    if (row->promise == PROMISE_THREADS && verified->variant->target->gpu)
        variant_verify_watched(verification, verified, &finding);
    if (finding.failed != NULL)
        failure_note(verified, finding.failed);
    verified_set(verified, row->promise,
                 promise_json(verified->arena, verified->variant, row->promise, &finding));
    json_decref(finding.data);
}

void variant_verify(const Verification *verification, Verified *verified, const Variant *variant)
{
    Arena *arena = arena_create();
    *verified =
        (Verified){.arena = arena, .variant = variant, .started = seconds_now(), .promises = json_object()};
    verified->object = build_object_path(arena, verification->family, variant, verification->out_dir, 0);
    verified->folder = arena_printf(arena, "%s/%s/failures/%s", verification->out_dir,
                                    verification->family->name, variant->id);
    verified->not_here = kernel_why_not_here(arena, variant->target);
    const char *missing = object_why_not(arena, verification, variant, 0);
    if (verified->not_here != NULL || missing != NULL) {
        variant_untried(verified, verified->not_here != NULL ? verified->not_here : missing);
        verified->failure =
            verified->not_here != NULL ? NULL : arena_printf(arena, "not compiled: %s", missing);
        return;
    }
    variant_verify_canonical(verification, verified);
    for (int p = 0; p < PROMISES; p++)
        if (promise_rows[p].work != NULL)
            variant_verify_promise(verification, verified, &promise_rows[p]);
    variant_verify_build(verification, verified);
}

void verified_destroy(Verified *verified)
{
    json_decref(verified->promises);
    json_decref(verified->canonical);
    arena_destroy(verified->arena);
}
