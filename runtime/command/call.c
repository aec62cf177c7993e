/* call.c: samebits call: one variant on the user's own NumPy files.
 *
 * Sizes come from the inputs' shapes; every shape is checked against the operator before anything runs. The
 * kernel runs in a child, which writes the outputs. */
#include "command/stages.h"

#include "array/npy.h"
#include "driver/build.h"
#include "driver/child.h"
#include "driver/kernel.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_SECONDS = 600 };

typedef struct Call {
    Stages *stages;
    const Variant *variant;
    CallData data;
    bool known[OPERATOR_DIMS];
    bool given[OPERATOR_INPUTS];
    const char *path[OPERATOR_OUTPUTS];
} Call;

static bool wrong(Call *call, const char *what)
{
    fprintf(stderr, "samebits: error: %s\n", what);
    call->stages->status = EXIT_USAGE;
    return false;
}

static const char *split_name(Arena *arena, const char *text, const char **value)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return NULL;
    *value = equals + 1;
    return arena_copy_bytes(arena, text, (size_t)(equals - text));
}

static int tensor_named(const Tensor *tensor, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(tensor[i].name, name))
            return i;
    return -1;
}

static const char *wanted_shape(Arena *arena, const Operator *op, const Tensor *tensor)
{
    const char *text = "";
    for (int i = 0; i < tensor->rank; i++)
        text = arena_printf(arena, "%s%s%s", text, i ? ", " : "", op->dim[tensor->dim[i]]);
    return arena_printf(arena, "[%s]", text);
}

static bool take_shape(Call *call, const Tensor *tensor, const NpyArray *array, const char *path)
{
    const Operator *op = call->variant->op;
    Arena *arena = call->stages->arena;
    if (array->rank != tensor->rank)
        return wrong(call,
                     arena_printf(arena, "%s: %s has %d dims, %s%s has %d; reshape it", path, tensor->name,
                                  array->rank, tensor->name, wanted_shape(arena, op, tensor), tensor->rank));
    for (int i = 0; i < tensor->rank; i++) {
        int dim = tensor->dim[i];
        if (call->known[dim] && call->data.shape.size[dim] != array->shape[i])
            return wrong(
                call,
                arena_printf(arena, "%s: %s is %zu in %s but was %zu in an input before; shapes must agree",
                             path, op->dim[dim], array->shape[i], tensor->name, call->data.shape.size[dim]));
        call->known[dim] = true;
        call->data.shape.size[dim] = array->shape[i];
    }
    return true;
}

static bool take_input(Call *call, int input, const char *path)
{
    NpyArray array;
    const char *why = npy_read(call->stages->arena, path, &array);
    if (why)
        return wrong(call, arena_printf(call->stages->arena, "%s: %s", path, why));
    call->data.input[input] = array.data;
    call->given[input] = true;
    return take_shape(call, &call->variant->op->input[input], &array, path);
}

static bool take_param(Call *call, int param, const char *text)
{
    char *end = NULL;
    errno = 0;
    float value = strtof(text, &end);
    if (end == text || *end || errno || !isfinite(value))
        return wrong(call, arena_printf(call->stages->arena, "param %s wants a finite number, not '%s'",
                                        call->variant->op->param[param].name, text));
    call->data.param[param] = value;
    return true;
}

static int param_named(const Operator *op, const char *name)
{
    for (int p = 0; p < op->params; p++)
        if (!strcmp(op->param[p].name, name))
            return p;
    return -1;
}

static bool take_argument(Call *call, const char *text)
{
    const Operator *op = call->variant->op;
    const char *value = NULL, *name = split_name(call->stages->arena, text, &value);
    if (!name)
        return wrong(call, arena_printf(call->stages->arena, "call wants NAME=FILE.npy, not '%s'", text));
    int input = tensor_named(op->input, op->inputs, name), param = param_named(op, name);
    if (input >= 0)
        return take_input(call, input, value);
    if (param >= 0)
        return take_param(call, param, value);
    const char *names = "";
    for (int i = 0; i < op->inputs; i++)
        names = arena_printf(call->stages->arena, "%s %s", names, op->input[i].name);
    return wrong(call, arena_printf(call->stages->arena, "%s has no input or param '%s'; its inputs are:%s",
                                    op->name, name, names));
}

static bool take_outputs(Call *call)
{
    const Operator *op = call->variant->op;
    const Options *options = call->stages->options;
    for (int i = 0; i < options->outputs; i++) {
        const char *path = NULL, *name = split_name(call->stages->arena, options->output[i], &path);
        int output = name ? tensor_named(op->output, op->outputs, name) : -1;
        if (output < 0)
            return wrong(call, arena_printf(call->stages->arena,
                                            "-o %s names no output of %s; write -o %s=FILE.npy",
                                            options->output[i], op->name, op->output[0].name));
        call->path[output] = path;
    }
    for (int o = 0; o < op->outputs; o++)
        if (!call->path[o])
            return wrong(call,
                         arena_printf(call->stages->arena, "output %s has no place to go; add -o %s=%s.npy",
                                      op->output[o].name, op->output[o].name, op->output[o].name));
    return true;
}

static bool is_complete(Call *call)
{
    const Operator *op = call->variant->op;
    for (int i = 0; i < op->inputs; i++)
        if (!call->given[i])
            return wrong(call,
                         arena_printf(call->stages->arena, "input %s%s is missing; add %s=FILE.npy",
                                      op->input[i].name, wanted_shape(call->stages->arena, op, &op->input[i]),
                                      op->input[i].name));
    for (int d = 0; d < op->dims; d++)
        if (!call->known[d])
            return wrong(call,
                         arena_printf(call->stages->arena, "no input tells the size of %s", op->dim[d]));
    return true;
}

/* ---- the child ---- */

static const char *write_outputs(Call *call)
{
    const Operator *op = call->variant->op;
    for (int o = 0; o < op->outputs; o++) {
        NpyArray array = {call->data.output[o], op->output[o].rank, {0}};
        for (int i = 0; i < array.rank; i++)
            array.shape[i] = call->data.shape.size[op->output[o].dim[i]];
        const char *why = npy_write(call->path[o], &array);
        if (why)
            return arena_printf(call->stages->arena, "%s cannot be written: %s", call->path[o], why);
    }
    return NULL;
}

static void run_kernel(void *context, FILE *out)
{
    Call *call = context;
    const Options *options = call->stages->options;
    const Operator *op = call->variant->op;
    Arena *arena = call->stages->arena;
    const char *why = NULL;
    const char *path = build_object_path(arena, call->stages->family, call->variant, options->out, 0);
    Kernel *kernel = kernel_open_variant(arena, path, call->variant, &why);
    if (!kernel) {
        fprintf(out, "%s", why);
        return;
    }
    for (int o = 0; o < op->outputs; o++)
        call->data.output[o] =
            ARENA_ARRAY(arena, float, tensor_elements(&op->output[o], &call->data.shape) + 1);
    kernel_prepare_thread();
    if (options->threads)
        kernel_set_threads(options->threads);
    kernel_call(kernel, &call->data);
    why = kernel_failure(kernel);
    why = why ? why : write_outputs(call);
    fprintf(out, "%s", why ? why : "");
}

static void say_done(const Call *call)
{
    const Operator *op = call->variant->op;
    if (call->stages->options->quiet)
        return;
    const bool gpu = call->variant->target->gpu;
    if (call->stages->options->json) {
        printf("{\"id\": \"%s\", \"contract\": \"%s\", \"trust\": \"%s\"}\n", call->variant->id,
               call->variant->digest, gpu ? "source emulated" : "run on this CPU");
        return;
    }
    printf("%s\ncontract %s\n", call->variant->id, call->variant->digest);
    if (gpu)
        printf("emulated: the kernel's source ran on this CPU, not on a GPU\n");
    for (int o = 0; o < op->outputs; o++)
        printf("%s -> %s\n", op->output[o].name, call->path[o]);
}

static void execute(Call *call)
{
    Buffer answer = {0};
    const char *why =
        child_run(call->stages->arena, (ChildLimits){CALL_SECONDS, 0}, run_kernel, call, &answer);
    const char *said = buffer_string(&answer);
    if (why || *said) {
        fprintf(stderr, "samebits: error: %s: %s\n", call->variant->id, why ? why : said);
        call->stages->status = EXIT_BROKEN;
    } else {
        say_done(call);
    }
    buffer_destroy(&answer);
}

/* ---- one variant ---- */

static const Variant *only_variant(Stages *stages)
{
    const Family *family = stages->family;
    if (family->variants == 1)
        return &family->variant[0];
    fprintf(stderr, "samebits: error: %d variants fit; narrow down to one with -a AXIS=VALUE:\n",
            family->variants);
    bool unroll = false, stream = false;
    for (int v = 1; v < family->variants; v++) {
        unroll |= family->variant[v].schedule.unroll != family->variant[0].schedule.unroll;
        stream |= family->variant[v].schedule.stream_bytes != family->variant[0].schedule.stream_bytes;
    }
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        fprintf(stderr, "  -a target=%s -a tree='%s' -a accumulator=%s", variant->target->name,
                term_short_text(stages->arena, variant->tree), accumulator_name(variant->accumulator));
        if (unroll)
            fprintf(stderr, " -a unroll=%d", variant->schedule.unroll);
        if (stream)
            fprintf(stderr, " -a stream=%llu", (unsigned long long)variant->schedule.stream_bytes);
        fputc('\n', stderr);
    }
    stages->status = EXIT_USAGE;
    return NULL;
}

/* The stages before say nothing, the call does. */
static bool silently(bool stage(Stages *stages), Stages *stages)
{
    const Options *options = stages->options;
    Options silent = *options;
    silent.quiet = true;
    stages->options = &silent;
    bool done = stage(stages);
    stages->options = options;
    return done;
}

static bool compile_kernel(Stages *stages)
{
    stages->family->controls = 0; /* they are for verification */
    return stages_compile(stages, false) && !stages->status;
}

static void call_variant(Stages *stages)
{
    Call call = {.stages = stages, .variant = only_variant(stages)};
    if (!call.variant)
        return;
    for (int p = 0; p < call.variant->op->params; p++)
        call.data.param[p] = call.variant->op->param[p].value;
    for (int i = 1; i < stages->options->arguments; i++)
        if (!take_argument(&call, stages->options->argument[i]))
            return;
    if (!is_complete(&call) || !take_outputs(&call))
        return;
    const char *here = kernel_why_not_here(stages->arena, call.variant->target);
    if (here) {
        fprintf(stderr, "skipped: %s: %s\n", call.variant->id, here);
        stages->status = EXIT_BROKEN;
        return;
    }
    if (silently(compile_kernel, stages))
        execute(&call);
}

int command_call(const Options *options, Arena *arena)
{
    Stages stages;
    if (!options->arguments) {
        fprintf(stderr, "samebits: error: call wants a spec: samebits call specs/rmsnorm.lua x=x.npy "
                        "weight=w.npy -o y=y.npy\n");
        return EXIT_USAGE;
    }
    stages_open(&stages, options, arena);
    if (stages_read(&stages, options->argument[0]) && silently(stages_generate, &stages))
        call_variant(&stages);
    stages_close(&stages);
    return stages.status;
}
