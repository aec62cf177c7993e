/* threads.c: THREADS: 1, 2, 3, 5, 8 threads, more threads than rows, nested in another parallel region.
 *
 * A nested region is made without a compiler: GOMP_parallel, the entry point that gcc's code calls, is
 * exported by libgomp and by LLVM's libomp alike, and is found through the kernel's own shared object.
 * Besides, several plain threads call the kernel at the same time. How many threads really ran is read from
 * the operating system, not from the OpenMP runtime: with one, nothing was proved. */
#include "platform/platform.h"
#include "verify/check.h"

#include <dlfcn.h>
#include <pthread.h>

enum { THREADS_CALLERS = 3, THREADS_SPARE = 3 };

/* ---- several callers ---- */

typedef struct Caller {
    const Check *check;
    const Trial *trial;
    float *output[OPERATOR_OUTPUTS];
    int threads; /* for this caller's own regions */
    bool called; /* a region may get fewer threads than it asks for */
} Caller;

typedef struct Callers {
    Caller caller[THREADS_CALLERS];
    int (*thread_number)(void);
} Callers;

static void callers_create(Callers *callers, Arena *arena, const Check *check, const Trial *trial)
{
    for (int i = 0; i < THREADS_CALLERS; i++) {
        callers->caller[i] = (Caller){.check = check, .trial = trial, .threads = 2 + i};
        trial_fresh_outputs(arena, check->variant->op, &trial->call.shape, callers->caller[i].output);
    }
}

static void *caller_call(void *context)
{
    Caller *caller = context;
    kernel_prepare_thread();
    kernel_set_threads(caller->threads);
    check_call(caller->check, caller->trial, caller->output);
    caller->called = true;
    return NULL;
}

static void callers_compare(const Callers *callers, Check *check, const Case *what, float *const expected[],
                            const char *how)
{
    for (int i = 0; i < THREADS_CALLERS; i++)
        if (callers->caller[i].called)
            check_equal(check, what, callers->caller[i].trial, &what->shape, expected,
                        callers->caller[i].output, how);
}

static void threads_try_concurrent(Check *check, const Case *what, const Trial *trial)
{
    Arena *arena = arena_create();
    Callers callers;
    pthread_t thread[THREADS_CALLERS];
    int started = 0;
    callers_create(&callers, arena, check, trial);
    check_doing(check, what, "called by %d threads at the same time", THREADS_CALLERS);
    while (started < THREADS_CALLERS &&
           pthread_create(&thread[started], NULL, caller_call, &callers.caller[started]) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    callers_compare(&callers, check, what, trial->output, "called by several threads at the same time");
    arena_destroy(arena);
}

/* ---- nested in a parallel region ---- */

typedef struct OpenMp { /* of the runtime that the kernel is linked with */
    void (*parallel)(void (*body)(void *), void *data, unsigned threads, unsigned flags);
    void (*set_max_active_levels)(int levels);
    int (*get_thread_num)(void);
} OpenMp;

static bool openmp_find(const Check *check, OpenMp *openmp)
{
    void *handle = dlopen(check->object, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == NULL)
        return false;
    *(void **)&openmp->parallel = dlsym(handle, "GOMP_parallel");
    *(void **)&openmp->set_max_active_levels = dlsym(handle, "omp_set_max_active_levels");
    *(void **)&openmp->get_thread_num = dlsym(handle, "omp_get_thread_num");
    dlclose(handle); /* the kernel keeps it loaded */
    return openmp->parallel != NULL && openmp->set_max_active_levels != NULL &&
           openmp->get_thread_num != NULL;
}

static void nested_body(void *context)
{
    Callers *callers = context;
    int number = callers->thread_number();
    if (number >= THREADS_CALLERS)
        return;
    Caller *caller = &callers->caller[number];
    check_call(caller->check, caller->trial, caller->output);
    caller->called = true;
}

static void threads_try_nested(Check *check, const Case *what, const Trial *trial, const OpenMp *openmp,
                               int levels)
{
    Arena *arena = arena_create();
    Callers callers = {.thread_number = openmp->get_thread_num};
    callers_create(&callers, arena, check, trial);
    check_doing(check, what, "nested in a parallel region, %d active levels", levels);
    kernel_set_threads(THREADS_CALLERS);
    openmp->set_max_active_levels(levels);
    openmp->parallel(nested_body, &callers, THREADS_CALLERS, 0);
    callers_compare(&callers, check, what, trial->output, "nested in a parallel region");
    arena_destroy(arena);
}

/* ---- the promise ---- */

static void threads_try_counts(Check *check, const Case *what, const Trial *trial, int rows)
{
    const int counts[] = {2, 3, 5, 8, rows + THREADS_SPARE};
    Arena *arena = arena_create();
    float *output[OPERATOR_OUTPUTS];
    for (int i = 0; i < (int)(sizeof counts / sizeof *counts) && !check_settled(check); i++) {
        trial_fresh_outputs(arena, check->variant->op, &what->shape, output);
        check_doing(check, what, "%d threads", counts[i]);
        kernel_set_threads(counts[i]);
        check_call(check, trial, output);
        check_equal(check, what, trial, &what->shape, trial->output, output,
                    arena_printf(check->arena, "%d threads against one", counts[i]));
    }
    arena_destroy(arena);
}

/* *most: the largest number of threads that were alive. */
static void threads_case(Check *check, Case what, int rows, int *most)
{
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, check->variant, &what);
    OpenMp openmp;
    check_doing(check, &what, "one thread");
    kernel_set_threads(1);
    check_call(check, &trial, trial.output);
    threads_try_counts(check, &what, &trial, rows);
    int alive = platform_threads_alive();
    *most = alive > *most ? alive : *most;
    threads_try_concurrent(check, &what, &trial);
    if (openmp_find(check, &openmp)) {
        threads_try_nested(check, &what, &trial, &openmp, 1);
        threads_try_nested(check, &what, &trial, &openmp, 2);
        openmp.set_max_active_levels(1);
    }
    arena_destroy(arena);
}

void check_threads(Check *check)
{
    const Variant *variant = check->variant;
    Case wide = case_wide(variant->op, variant->tree), many = case_many(variant->op, variant->tree);
    Case typical = case_typical(variant->op, variant->tree, 5);
    OpenMp openmp;
    if (kernel_is_emulated(check->kernel)) {
        check_geometry(check);
        return;
    }
    if (kernel_ranks(check->kernel) != NULL) {
        check_rank_threads(check);
        return;
    }
    int before = platform_threads_alive(), most = before;
    check_make_telling(check, &typical);
    wide.fill = many.fill = typical.fill;
    threads_case(check, many, 40, &most); /* more threads than rows: the cases of 1 and 5 rows */
    threads_case(check, typical, 5, &most);
    threads_case(check, wide, 1, &most);
    if (!openmp_find(check, &openmp))
        check_note(check, "nested: not tried: the kernel's OpenMP runtime was not found");
    if (before > 0 && most <= 1)
        check->vacuous = "only one thread ran";
}
