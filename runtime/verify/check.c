/* check.c: calls, comparisons, and what is kept when one fails. */
#include "verify/check.h"

#include "array/npy.h"
#include "verify/rivals.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BROKEN_ENOUGH = 20 }; /* the first difference tells; hundreds more cost time */

void check_doing(Check *check, const Case *what, const char *format, ...)
{
    va_list arguments;
    check->trace->has_case = what != NULL;
    if (what != NULL)
        check->trace->at = *what;
    va_start(arguments, format);
    vsnprintf(check->trace->doing, sizeof check->trace->doing, format, arguments);
    va_end(arguments);
}

void check_call(const Check *check, const Trial *trial, float *const output[])
{
    CallData call = trial->call;
    for (int o = 0; o < check->variant->op->outputs; o++)
        call.output[o] = output[o];
    kernel_call(check->kernel, &call);
    check_launched(check, check->kernel);
}

void check_launched(const Check *check, const Kernel *kernel)
{
    enum { LAUNCH_TEXT = 200 };
    const char *why = kernel_failure(kernel);
    char launch[LAUNCH_TEXT];
    if (why == NULL)
        return;
    snprintf(check->trace->failure, sizeof check->trace->failure, "%s (%s)", why,
             kernel_launch_text(kernel, launch, sizeof launch));
    _exit(EXIT_FAILURE);
}

void check_note(Check *check, const char *note)
{
    check->detail = check->detail == NULL ? note : arena_printf(check->arena, "%s; %s", check->detail, note);
}

void check_break(Check *check, const Case *what, const Trial *trial, const char *why)
{
    check->cases++;
    if (check->broken++ > 0)
        return;
    check_note(check,
               arena_printf(check->arena, "%s: %s", case_text(check->arena, check->variant->op, what), why));
    if (check->folder != NULL)
        failure_keep(check->folder, check->promise, check->variant, what, trial);
}

bool check_equal(Check *check, const Case *what, const Trial *trial, const Shape *shape,
                 float *const expected[], float *const got[], const char *how)
{
    Difference difference;
    if (!outputs_differ(check->variant->op, shape, expected, got, &difference)) {
        check->cases++;
        return true;
    }
    const char *text = difference_text(check->arena, check->variant->op, shape, &difference);
    char buffer[TRACE_TEXT];
    const char *launch = kernel_launch_text(check->kernel, buffer, sizeof buffer);
    check_break(check, what, trial,
                arena_printf(check->arena, "%s%s%s%s: %s", how, *launch ? " (" : "", launch,
                             *launch ? ")" : "", text));
    return false;
}

bool check_settled(const Check *check)
{
    return check->broken >= (check->patient ? 1 : BROKEN_ENOUGH);
}

void check_make_telling(Check *check, Case *what)
{
    if (!case_make_telling(check->variant, what) && operator_has_sum(check->variant->op))
        check->vacuous = "no input was found on which another order gives other bits";
}

static void tensor_keep(const char *path, const Tensor *tensor, const Shape *shape, const float *data)
{
    NpyArray array = {.data = (float *)data, .rank = tensor->rank};
    for (int axis = 0; axis < tensor->rank; axis++)
        array.shape[axis] = shape->size[tensor->dim[axis]];
    const char *why = npy_write(path, &array);
    if (why != NULL)
        fprintf(stderr, "samebits: %s: %s\n", path, why);
}

/* The folder and the one above it; whoever creates them first. */
static void folder_create(Arena *arena, const char *folder)
{
    const char *slash = strrchr(folder, '/');
    if (slash != NULL)
        mkdir(arena_copy_bytes(arena, folder, (size_t)(slash - folder)), 0777);
    mkdir(folder, 0777);
}

void failure_keep(const char *folder, const char *promise, const Variant *variant, const Case *what,
                  const Trial *trial)
{
    Arena *arena = arena_create();
    const Operator *op = variant->op;
    folder_create(arena, folder);
    for (int i = 0; i < op->inputs; i++)
        tensor_keep(arena_printf(arena, "%s/%s-%s-%s.npy", folder, promise, case_stem(arena, op, what),
                                 op->input[i].name),
                    &op->input[i], &what->shape, trial->call.input[i]);
    arena_destroy(arena);
}
