/* emulation.c: samebits emulation SPEC: what it costs to emulate a GPU's kernels on this machine.
 *
 * Two figures, each the least of many calls, taken in turns in one process: a barrier with its switch of
 * fibers, and the spec's GPU kernels on 64 rows of 4096 with 128 threads to a block, against scalar C: the
 * target c on the tree `seq`, one thread. (A GPU's kernel on `seq` is one thread at work and 127 that wait:
 * not timed.) */
#include "command/stages.h"

#include "driver/build.h"
#include "driver/child.h"
#include "driver/kernel.h"
#include "simt/simt.h"
#include "verify/cases.h"

#include <string.h>
#include <time.h>

enum { ROWS = 64, COLUMNS = 4096, BLOCK = 128, BARRIERS = 500, ROUNDS = 40, WAYS = 4 };
static const double child_seconds = 300;

static const char barriers_text[] =
    "extern \"C\" __global__ void barriers(float *y, unsigned long long count)\n"
    "{\n"
    "    for (unsigned long long i = 0; i < count; i++)\n"
    "        __syncthreads();\n"
    "    y[threadIdx.x] = 1.0f;\n"
    "}\n";

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* ---- a switch ---- */

/* NULL and the least time of one thread at one barrier, or why there is none. */
static const char *measure_switch(Arena *arena, const char *module_path, double *least_ns)
{
    const char *why = NULL;
    float y[BLOCK];
    SimtError error = {0};
    SimtModule *module = simt_open(arena, module_path, &why);
    const SimtArgument argument[] = {{.kind = SIMT_OUTPUT, .pointer = y, .bytes = sizeof y},
                                     {.kind = SIMT_SIZE, .size = BARRIERS}};
    const SimtLaunch launch = {.grid = {1, 1, 1}, .block = {BLOCK, 1, 1}};
    for (int i = 0; i < ROUNDS && !why; i++) {
        const double start = now_ns();
        if (!simt_launch(module, "barriers", &launch, argument, 2, &error))
            why = error.text;
        const double each = (now_ns() - start) / (BARRIERS * BLOCK);
        *least_ns = i == 0 || each < *least_ns ? each : *least_ns;
    }
    simt_close(module);
    return why;
}

static const char *compile_barriers(Stages *stages, const char **module_path)
{
    Arena *arena = stages->arena;
    Buffer text = {0};
    const char *source = arena_printf(arena, "%s/barriers.cu", stages_folder(stages));
    *module_path = arena_printf(arena, "%s/obj/simt/barriers.so", stages_folder(stages));
    buffer_append_string(&text, barriers_text);
    const char *why = buffer_write_file(&text, source);
    buffer_destroy(&text);
    return why ? arena_printf(arena, "%s: %s", source, why)
               : simt_compile(arena, source, *module_path, SIMT_PLAIN);
}

/* ---- kernels ---- */

typedef struct Timed {
    const Kernel *scalar, *emulated;
    CallData call;
    double scalar_ns, way_ns[WAYS];
    char way[WAYS][32];
    int ways;
} Timed;

static double time_call(const Kernel *kernel, const CallData *call)
{
    const double start = now_ns();
    kernel_call(kernel, call);
    return now_ns() - start;
}

/* "a block per row": the calls of an emulated kernel share rows among threads in turn. */
static void keep_least(Timed *timed, double took)
{
    char text[160], *end = NULL;
    kernel_launch_text(timed->emulated, text, sizeof text);
    if ((end = strchr(text, ',')) != NULL)
        *end = '\0';
    int way = 0;
    while (way < timed->ways && strcmp(timed->way[way], text) != 0)
        way++;
    if (way == WAYS)
        return;
    if (way == timed->ways) {
        snprintf(timed->way[timed->ways++], sizeof timed->way[0], "%.31s", text);
        timed->way_ns[way] = took;
    }
    timed->way_ns[way] = took < timed->way_ns[way] ? took : timed->way_ns[way];
}

static const char *time_in_turns(Timed *timed)
{
    kernel_set_geometry(timed->emulated, BLOCK, ROWS);
    for (int i = 0; i < ROUNDS; i++) {
        const double scalar = time_call(timed->scalar, &timed->call);
        timed->scalar_ns = i == 0 || scalar < timed->scalar_ns ? scalar : timed->scalar_ns;
        keep_least(timed, time_call(timed->emulated, &timed->call));
    }
    return kernel_failure(timed->emulated);
}

static json_t *timed_to_json(const Variant *variant, const Timed *timed)
{
    json_t *ways = json_array();
    for (int w = 0; w < timed->ways; w++)
        json_array_append_new(ways,
                              json_pack("{s:s, s:f, s:f}", "threads", timed->way[w], "ns", timed->way_ns[w],
                                        "times_scalar", timed->way_ns[w] / timed->scalar_ns));
    return json_pack("{s:s, s:s, s:f, s:o}", "id", variant->id, "target", variant->target->name, "scalar_ns",
                     timed->scalar_ns, "emulated", ways);
}

static const Kernel *open_kernel(Stages *stages, const Variant *variant, const char **why)
{
    const char *path = build_object_path(stages->arena, stages->family, variant, stages->options->out, 0);
    return kernel_open(stages->arena, path, variant->symbol, variant->op, why);
}

static const Variant *scalar_variant(const Family *family)
{
    for (int v = 0; v < family->variants; v++)
        if (!strcmp(family->variant[v].target->name, "c") && family->variant[v].tree->kind == TERM_SEQ)
            return &family->variant[v];
    return NULL;
}

static const char *time_variant(Stages *stages, const Variant *variant, const Variant *scalar, json_t *rows)
{
    const Case what = {.shape = case_shape(variant->op, ROWS, COLUMNS, 0), .fill = INPUT_NORMAL, .seed = 1};
    const Trial trial = trial_create(stages->arena, variant, &what);
    const char *why = NULL;
    Timed timed = {.call = trial.call};
    timed.scalar = open_kernel(stages, scalar, &why);
    if (timed.scalar)
        timed.emulated = open_kernel(stages, variant, &why);
    if (timed.emulated) {
        kernel_set_threads(1);
        why = time_in_turns(&timed);
        json_array_append_new(rows, timed_to_json(variant, &timed));
    }
    return why;
}

/* ---- the command ---- */

typedef struct Job {
    Stages *stages;
    const char *barriers;
} Job;

/* In a child: kernels are loaded. */
static void measure(void *context, FILE *out)
{
    const Job *job = context;
    const Family *family = job->stages->family;
    const Variant *scalar = scalar_variant(family);
    json_t *rows = json_array();
    double switch_ns = 0;
    const char *why = scalar ? measure_switch(job->stages->arena, job->barriers, &switch_ns)
                             : "the spec has no variant of target c on the tree seq to compare with";
    kernel_prepare_thread();
    for (int v = 0; v < family->variants && !why; v++)
        if (family->variant[v].target->gpu && family->variant[v].tree->kind != TERM_SEQ)
            why = time_variant(job->stages, &family->variant[v], scalar, rows);
    json_t *answer = why ? json_pack("{s:s}", "why", why)
                         : json_pack("{s:i, s:f, s:i, s:i, s:i, s:O}", "version", 1, "switch_ns", switch_ns,
                                     "rows", ROWS, "columns", COLUMNS, "threads", BLOCK, "kernels", rows);
    json_dumpf(answer, out, JSON_REAL_PRECISION(9));
    json_decref(answer);
    json_decref(rows);
}

static void print_kernel(const json_t *kernel)
{
    const json_t *way;
    size_t i;
    json_array_foreach(json_object_get(kernel, "emulated"), i, way)
    {
        printf("%-52s %-20s %8.2f ms, %5.1f times scalar C (%.2f ms)\n",
               json_string_value(json_object_get(kernel, "id")),
               json_string_value(json_object_get(way, "threads")),
               1e-6 * json_number_value(json_object_get(way, "ns")),
               json_number_value(json_object_get(way, "times_scalar")),
               1e-6 * json_number_value(json_object_get(kernel, "scalar_ns")));
    }
}

static void print_result(const json_t *result)
{
    const json_t *kernel;
    size_t i;
    printf("a barrier with its switch: %.1f ns a thread\n",
           json_number_value(json_object_get(result, "switch_ns")));
    printf("%d rows of %d, blocks of %d threads, the least of each:\n", ROWS, COLUMNS, BLOCK);
    json_array_foreach(json_object_get(result, "kernels"), i, kernel) print_kernel(kernel);
}

static void work(Stages *stages, const char *spec, json_t *results)
{
    Job job = {.stages = stages};
    Buffer text = {0};
    if (!stages_read(stages, spec) || !stages_generate(stages) || !stages_compile(stages, false))
        return;
    const char *why = compile_barriers(stages, &job.barriers);
    if (!why)
        why = child_run(stages->arena, (ChildLimits){child_seconds, 0}, measure, &job, &text);
    json_t *result = why ? NULL : json_loads(buffer_string(&text), 0, NULL);
    const char *said = json_string_value(json_object_get(result, "why"));
    buffer_destroy(&text);
    if (why || !result || said) {
        fprintf(stderr, "samebits: error: emulation: %s\n", why ? why : said ? said : "it gave no answer");
        stages->status = EXIT_BROKEN;
    } else if (stages->options->json) {
        json_array_append(results, result);
    } else {
        print_result(result);
    }
    json_decref(result);
}

static bool has_override(const Options *options, const char *axis)
{
    for (int i = 0; i < options->overrides; i++)
        if (!strcmp(options->override[i].axis, axis))
            return true;
    return false;
}

static void add_override(Options *options, const char *axis, const char *value)
{
    if (!has_override(options, axis) && options->overrides < OPTIONS_OVERRIDES)
        options->override[options->overrides++] = (AxisOverride){axis, value};
}

int command_emulation(const Options *options, Arena *arena)
{
    Options wanted = *options;
    add_override(&wanted, "target", "c, cuda, metal");
    add_override(&wanted, "tree", "seq, chunk(1024, lanes(32), seq)");
    return stages_for_each_spec(&wanted, arena, work);
}
