/* run.c: RUN: the same call, repeated, under load. (From a fresh process: verify.c compares digests of two.)
 */
#include "verify/check.h"

#include "verify/load.h"

enum {
    RUN_QUIET = 20,
    RUN_LOADED = 60,      /* on one processor threads change places only when the load makes them */
    RUN_PATIENT = 4000,   /* a control that races must be caught, on one processor too */
    RUN_RANKS = 20,       /* run by ranks: other cuts each time, quiet and under load */
    RUN_LAUNCHES = 36,    /* emulated: every way to share a row with every order and poison, twice */
    RUN_LEAST_THREADS = 4 /* more than one thread wherever this runs; races need two */
};

static void run_repeat(Check *check, const Case *what, const Trial *trial, float *const first[], int repeats,
                       const char *how)
{
    Arena *arena = arena_create();
    float *again[OPERATOR_OUTPUTS];
    trial_fresh_outputs(arena, check->variant->op, &what->shape, again);
    for (int i = 0; i < repeats && !check_settled(check); i++) {
        check_call(check, trial, again);
        check_equal(check, what, trial, &what->shape, first, again, how);
    }
    arena_destroy(arena);
}

/* What chance decides on a GPU is decided by the engine here: in which order threads and blocks run, and what
 * shared memory holds before. */
static void run_emulated(Check *check, const Case *what, const Trial *trial)
{
    kernel_set_geometry(check->kernel, 128, 4);
    run_repeat(check, what, trial, trial->output, RUN_LAUNCHES, "launched again");
    kernel_set_geometry(check->kernel, 0, 0);
}

static void run_case(Check *check, Case what, const char *which)
{
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, check->variant, &what);
    check_doing(check, &what, "%s", which);
    check_call(check, &trial, trial.output);
    if (kernel_is_emulated(check->kernel)) {
        run_emulated(check, &what, &trial);
        arena_destroy(arena);
        return;
    }
    const bool ranks = kernel_ranks(check->kernel) != NULL;
    run_repeat(check, &what, &trial, trial.output, ranks ? RUN_RANKS : RUN_QUIET, "called again");
    Load load;
    load_start(&load);
    run_repeat(check, &what, &trial, trial.output,
               ranks            ? RUN_RANKS
               : check->patient ? RUN_PATIENT
                                : RUN_LOADED,
               "called again under load");
    load_stop(&load);
    arena_destroy(arena);
}

void check_run(Check *check)
{
    const Variant *variant = check->variant;
    Case wide = case_wide(variant->op, variant->tree), many = case_many(variant->op, variant->tree);
    Case typical = case_typical(variant->op, variant->tree, 5);
    int threads = kernel_default_threads();
    check_make_telling(check, &typical);
    wide.fill = many.fill = typical.fill;
    kernel_set_threads(threads < RUN_LEAST_THREADS ? RUN_LEAST_THREADS : threads);
    run_case(check, wide, "one row of many columns, repeated");
    run_case(check, many, "many rows, repeated");
    run_case(check, typical, "some rows, repeated");
}
