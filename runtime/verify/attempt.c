/* attempt.c: starts the child, hands it the work, and reads what it found or why it died.
 *
 * The child is forked before any kernel was loaded, so each has an OpenMP runtime of its own. Waiting OpenMP
 * threads sleep (the checks use more threads than processors, several children run at once, and a runtime
 * that spins would only heat the machine); that is schedule and cannot change a bit. */
#include "verify/attempt.h"

#include "driver/child.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Address space, not memory: every thread reserves a stack and a heap of its own. A sanitizer reserves far
 * more. */
#if defined __SANITIZE_ADDRESS__
static const size_t memory_limit = 0;
#elif defined __has_feature
#if __has_feature(address_sanitizer)
static const size_t memory_limit = 0;
#else
static const size_t memory_limit = (size_t)32 << 30;
#endif
#else
static const size_t memory_limit = (size_t)32 << 30;
#endif

enum { USUAL_RANKS = 4 };

typedef struct Task {
    const Attempt *attempt;
    Trace *trace;
} Task;

/* ---- in the child ---- */

static void outcome_write(const Check *check, FILE *out)
{
    json_t *outcome = json_pack("{s:I, s:I, s:s*, s:s*, s:o*}", "cases", (json_int_t)check->cases, "broken",
                                (json_int_t)check->broken, "detail", check->detail, "vacuous", check->vacuous,
                                "data", check->data);
    if (outcome == NULL)
        abort(); /* text that is no UTF-8: ours */
    json_dumpf(outcome, out, JSON_COMPACT);
    json_decref(outcome);
}

static void task_work(void *context, FILE *out)
{
    const Task *task = context;
    const Attempt *attempt = task->attempt;
    const char *why = NULL;
    Check check = {.arena = arena_create(),
                   .variant = attempt->variant,
                   .object = attempt->object,
                   .folder = attempt->folder,
                   .promise = attempt->promise,
                   .trace = task->trace,
                   .other = attempt->other,
                   .other_variant = attempt->other_variant,
                   .exact = attempt->exact,
                   .patient = attempt->patient};
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("KMP_BLOCKTIME", "0", 1);
    setenv("KMP_WARNINGS", "0", 1);
    kernel_prepare_thread();
    check_doing(&check, NULL, "loading %s", attempt->variant->id);
    check.kernel = kernel_open_variant(check.arena, attempt->object, attempt->variant, &why);
    if (check.kernel != NULL) {
        if (kernel_ranks(check.kernel) != NULL) /* cuts change from call to call; starting ranks takes time */
            ranked_set_ranks(kernel_ranks(check.kernel), USUAL_RANKS);
        attempt->work(&check);
        outcome_write(&check, out);
        if (kernel_ranks(check.kernel) != NULL)
            kernel_close((Kernel *)check
                             .kernel); /* ends its ranks; a function may have threads that still look at it */
    } else {
        json_t *failure = json_pack("{s:s}", "failed", why);
        json_dumpf(failure, out, JSON_COMPACT);
        json_decref(failure);
    }
}

/* ---- in the parent ---- */

static Trace *trace_create(void)
{
    void *page = mmap(NULL, sizeof(Trace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        arena_out_of_memory();
    return memset(page, 0, sizeof(Trace));
}

static void failure_describe(Arena *arena, const Attempt *attempt, const Trace *trace, const char *why,
                             Finding *finding)
{
    const Operator *op = attempt->variant->op;
    if (trace->failure[0] != '\0')
        why = trace->failure;
    finding->failed =
        arena_printf(arena, "%s: %s: %s%s%s", why, attempt->promise, trace->doing,
                     trace->has_case ? ", " : "", trace->has_case ? case_text(arena, op, &trace->at) : "");
    if (attempt->folder != NULL && trace->has_case) {
        Arena *own = arena_create();
        Trial trial = trial_create(own, attempt->variant, &trace->at);
        failure_keep(attempt->folder, attempt->promise, attempt->variant, &trace->at, &trial);
        arena_destroy(own);
    }
}

static const char *text_of(Arena *arena, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? NULL : arena_copy(arena, text);
}

static void outcome_read(Arena *arena, const json_t *outcome, Finding *finding)
{
    finding->cases = (long)json_integer_value(json_object_get(outcome, "cases"));
    finding->broken = (long)json_integer_value(json_object_get(outcome, "broken"));
    finding->detail = text_of(arena, outcome, "detail");
    finding->vacuous = text_of(arena, outcome, "vacuous");
    finding->failed = text_of(arena, outcome, "failed");
    finding->data = json_incref(json_object_get(outcome, "data"));
}

void finding_note(Arena *arena, Finding *finding, const char *text)
{
    finding->detail = finding->detail == NULL ? text : arena_printf(arena, "%s; %s", finding->detail, text);
}

Finding attempt_run(Arena *arena, const Attempt *attempt)
{
    Finding finding = {.tried = true};
    Task task = {attempt, trace_create()};
    Buffer text = {0};
    const char *why =
        child_run(arena, (ChildLimits){attempt->seconds, memory_limit}, task_work, &task, &text);
    json_t *outcome = why == NULL ? json_loads(buffer_string(&text), 0, NULL) : NULL;
    if (outcome != NULL) {
        outcome_read(arena, outcome, &finding);
        json_decref(outcome);
    } else {
        finding.stopped = task.trace->failure[0] != '\0';
        finding.out_of_time = why != NULL && strncmp(why, "no answer", 9) == 0;
        failure_describe(arena, attempt, task.trace, why != NULL ? why : "its result could not be read",
                         &finding);
    }
    buffer_destroy(&text);
    munmap(task.trace, sizeof *task.trace);
    return finding;
}
