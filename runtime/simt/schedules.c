/* schedules.c: a launch under every order and poison; bits must not move. */
#include "simt/engine.h"

#include <stdlib.h>
#include <string.h>

typedef struct Schedule {
    SimtOrder order;
    SimtPoison poison;
    int seed; /* which random order */
} Schedule;

static const char *const order_names[] = {"ascending", "descending", "random"};
static const char *const poison_names[] = {"NaN", "5a"};

static const char *schedule_text(Arena *arena, const Schedule *schedule)
{
    const char *order = order_names[schedule->order];
    if (schedule->order == SIMT_RANDOM) {
        order = arena_printf(arena, "random (number %d)", schedule->seed);
    }
    return arena_printf(arena, "%s order with shared memory poisoned by %s", order,
                        poison_names[schedule->poison]);
}

/* ---- the outputs of all steps, each once ---- */

enum { OUTPUTS = 64 };

typedef struct Output {
    unsigned char *data, *before, *first; /* as given; as the first run left it */
    size_t bytes;
} Output;

typedef struct Outputs {
    Output output[OUTPUTS];
    int count;
} Outputs;

static void gather_output(Arena *arena, Outputs *outputs, const SimtArgument *argument)
{
    for (int i = 0; i < outputs->count; i++) {
        if (outputs->output[i].data == argument->pointer) {
            return;
        }
    }
    if (outputs->count == OUTPUTS || argument->bytes == 0) {
        return;
    }
    Output *output = &outputs->output[outputs->count++];
    *output = (Output){argument->pointer, arena_alloc(arena, argument->bytes, 1),
                       arena_alloc(arena, argument->bytes, 1), argument->bytes};
    memcpy(output->before, output->data, output->bytes);
}

static void gather(Arena *arena, Outputs *outputs, const SimtStep *steps, int count)
{
    for (int s = 0; s < count; s++) {
        for (int i = 0; i < steps[s].count; i++) {
            if (steps[s].arguments[i].kind == SIMT_OUTPUT) {
                gather_output(arena, outputs, &steps[s].arguments[i]);
            }
        }
    }
}

static uint32_t word_at(const unsigned char *data, size_t at)
{
    uint32_t word;
    memcpy(&word, data + at, sizeof word);
    return (word & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : word; /* a NaN is a NaN */
}

/* NULL, or which value moved. */
static const char *compare(Arena *arena, const Outputs *outputs)
{
    for (int i = 0; i < outputs->count; i++) {
        const Output *output = &outputs->output[i];
        if (memcmp(output->data, output->first, output->bytes) == 0) {
            continue;
        }
        for (size_t at = 0; at + 4 <= output->bytes; at += 4) {
            const uint32_t now = word_at(output->data, at), first = word_at(output->first, at);
            if (now != first) {
                float a, b;
                memcpy(&a, &first, sizeof a);
                memcpy(&b, &now, sizeof b);
                return arena_printf(arena, "element %zu of output %d was %a and is %a", at / 4, i, (double)a,
                                    (double)b);
            }
        }
    }
    return NULL;
}

/* ---- runs ---- */

typedef struct Series {
    SimtModule *module;
    const SimtStep *step;
    int steps;
    uint64_t seed;
    double seconds;
    Arena *arena;
} Series;

static bool run_steps(const Series *series, const Schedule *schedule, SimtError *error)
{
    for (int i = 0; i < series->steps; i++) {
        const SimtStep *step = &series->step[i];
        SimtLaunch launch = {.order = schedule->order,
                             .seed = series->seed + 0x9e3779b97f4a7c15u * (uint64_t)schedule->seed,
                             .poison = schedule->poison,
                             .seconds = series->seconds};
        memcpy(launch.grid, step->grid, sizeof launch.grid);
        memcpy(launch.block, step->block, sizeof launch.block);
        if (!simt_launch(series->module, step->kernel, &launch, step->arguments, step->count, error)) {
            return false;
        }
    }
    return true;
}

static bool run_schedule(const Series *series, const Schedule *schedule, Outputs *outputs, bool is_first,
                         SimtError *error)
{
    static const Schedule first = {SIMT_ASCENDING, SIMT_POISON_NAN, 0};
    for (int i = 0; i < outputs->count; i++) {
        memcpy(outputs->output[i].data, outputs->output[i].before, outputs->output[i].bytes);
    }
    if (!run_steps(series, schedule, error)) {
        return false;
    }
    if (is_first) {
        for (int i = 0; i < outputs->count; i++) {
            memcpy(outputs->output[i].first, outputs->output[i].data, outputs->output[i].bytes);
        }
        return true;
    }
    const char *moved = compare(series->arena, outputs);
    if (moved) {
        *error = (SimtError){NULL, 0,
                             arena_printf(series->arena, "bits depend on the schedule: %s, in %s, then in %s",
                                          moved, schedule_text(series->arena, &first),
                                          schedule_text(series->arena, schedule))};
    }
    return !moved;
}

bool simt_launch_schedules(SimtModule *module, const SimtStep *steps, int count, int seeds, uint64_t seed,
                           double seconds, SimtError *error)
{
    *error = (SimtError){0};
    Arena *scratch = arena_create();
    const Series series = {module, steps, count, seed, seconds, scratch};
    Outputs *outputs = ARENA_NEW(scratch, Outputs);
    gather(scratch, outputs, steps, count);
    bool fine = true, is_first = true;
    for (int poison = SIMT_POISON_NAN; fine && poison <= SIMT_POISON_5A; poison++) {
        for (int order = SIMT_ASCENDING; fine && order <= SIMT_RANDOM; order++) {
            for (int i = 0; fine && i < (order == SIMT_RANDOM ? seeds : 1); i++) {
                const Schedule schedule = {(SimtOrder)order, (SimtPoison)poison, i + seeds * poison};
                fine = run_schedule(&series, &schedule, outputs, is_first, error);
                is_first = false;
            }
        }
    }
    for (int i = 0; i < outputs->count && fine; i++) {
        memcpy(outputs->output[i].data, outputs->output[i].first, outputs->output[i].bytes);
    }
    if (!fine) {
        error->text = arena_copy(simt_arena(module), error->text);
    }
    arena_destroy(scratch);
    return fine;
}
