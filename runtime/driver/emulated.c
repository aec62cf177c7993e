/* emulated.c: see emulated.h.
 *
 * Call number n takes its row of each cycle: ways to share a row (as many as the source has), orders 3,
 * poisons 2, blocks 7, grids 5. As many calls as the first three lengths multiply to meet all of their
 * combinations; the last two have no factor in common with them or each other. The first call is what a GPU
 * would most likely run: a block per row, 128 threads, ascending. */
#include "driver/emulated.h"

#include "simt/simt.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum Way { WAY_BLOCK, WAY_WARP, WAY_BLOCKS, WAYS } Way;

enum {
    ARGUMENTS = OPERATOR_INPUTS + OPERATOR_OUTPUTS + OPERATOR_DIMS + OPERATOR_PARAMS + 2,
    STEPS = 64,           /* kernels of one row that is shared by many blocks */
    ROWS_LIMIT = 48,      /* more rows than this are not made one by one */
    WORKSPACE_VALUES = 16 /* in front of the partials: what the manifest's launch.workspace says */
};
static const double launch_seconds = 60; /* a kernel that does not end is named with its line */

static const unsigned blocks[] = {128, 32, 256, 64, 96, 512, 1024};
static const unsigned grids[] = {4, 1, 3, 2, 7};
enum { BLOCKS = sizeof blocks / sizeof *blocks, GRIDS = sizeof grids / sizeof *grids };

struct Emulated {
    SimtModule *module;
    const Operator *op;
    const char *block_kernel, *warp_kernel; /* the second may be NULL */
    const char *step[STEPS];                /* part0, join0, part1, ... output */
    int steps;                              /* 0: there are none */
    Way way[WAYS];
    int ways;
    unsigned block, grid; /* 0: another one for each call */
    uint64_t calls;
    Way last_way;
    const char *failure;
};

/* ---- what the module has ---- */

bool emulated_is_module(void *handle)
{
    return dlsym(handle, "samebits_simt_entries") != NULL;
}

static const char *kernel_named(Arena *arena, const SimtModule *module, const char *symbol,
                                const char *suffix)
{
    const char *wanted = arena_printf(arena, "%s%s", symbol, suffix), *found;
    for (int i = 0; (found = simt_kernel_name(module, i)) != NULL; i++) {
        if (strcmp(found, wanted) == 0) {
            return wanted;
        }
    }
    return NULL;
}

static void find_steps(Arena *arena, Emulated *emulated, const char *symbol)
{
    const SimtModule *module = emulated->module;
    const char *output = kernel_named(arena, module, symbol, "_output");
    for (int q = 0; output && 2 * q + 2 < STEPS; q++) {
        const char *part = kernel_named(arena, module, symbol, arena_printf(arena, "_part%d", q));
        const char *join = kernel_named(arena, module, symbol, arena_printf(arena, "_join%d", q));
        if (!part || !join) {
            break;
        }
        emulated->step[emulated->steps++] = part;
        emulated->step[emulated->steps++] = join;
    }
    if (emulated->steps > 0) {
        emulated->step[emulated->steps++] = output;
    }
}

static void find_ways(Emulated *emulated)
{
    emulated->way[emulated->ways++] = WAY_BLOCK;
    if (emulated->warp_kernel) {
        emulated->way[emulated->ways++] = WAY_WARP;
    }
    if (emulated->steps > 0) {
        emulated->way[emulated->ways++] = WAY_BLOCKS;
    }
}

Emulated *emulated_open(Arena *arena, const char *path, const char *symbol, const Operator *op,
                        const char **why)
{
    SimtModule *module = simt_open(arena, path, why);
    if (!module) {
        return NULL;
    }
    Emulated *emulated = ARENA_NEW(arena, Emulated);
    emulated->module = module;
    emulated->op = op;
    emulated->block_kernel = kernel_named(arena, module, symbol, "");
    emulated->warp_kernel = kernel_named(arena, module, symbol, "_warp");
    if (!emulated->block_kernel) {
        *why = arena_printf(arena, "%s has no kernel '%s'; compile it again", path, symbol);
        simt_close(module);
        return NULL;
    }
    find_steps(arena, emulated, symbol);
    find_ways(emulated);
    return emulated;
}

void emulated_close(Emulated *emulated)
{
    simt_close(emulated->module);
    emulated->module = NULL;
}

/* ---- arguments ---- */

typedef struct Arguments {
    SimtArgument item[ARGUMENTS];
    int count; /* without the last two: a row's number and the workspace */
    size_t rows, leaves;
} Arguments;

static void bind_sizes(const Operator *op, const CallData *call, Arguments *arguments)
{
    uint32_t reduced = 0;
    arguments->rows = 1;
    for (int i = 0; i < op->nodes; i++) {
        if (op->node[i]->kind == EXPR_REDUCE) {
            reduced |= expr_reduced_dims(op->node[i]);
        }
    }
    arguments->leaves = reduced ? 1 : 0;
    for (int d = 0; d < op->dims; d++) {
        const size_t size = call->shape.size[d];
        const bool is_reduced = reduced >> d & 1;
        arguments->leaves *= is_reduced ? size : 1;
        arguments->rows *= is_reduced ? 1 : size;
        arguments->item[arguments->count++] = (SimtArgument){.kind = SIMT_SIZE, .size = size};
    }
}

static void bind_arguments(const Operator *op, const CallData *call, Arguments *arguments)
{
    arguments->count = 0;
    arguments->leaves = 0;
    for (int i = 0; i < op->inputs; i++) {
        const size_t bytes = tensor_elements(&op->input[i], &call->shape) * sizeof(float);
        arguments->item[arguments->count++] =
            (SimtArgument){.kind = SIMT_INPUT, .pointer = (void *)call->input[i], .bytes = bytes};
    }
    for (int o = 0; o < op->outputs; o++) {
        const size_t bytes = tensor_elements(&op->output[o], &call->shape) * sizeof(float);
        arguments->item[arguments->count++] =
            (SimtArgument){.kind = SIMT_OUTPUT, .pointer = call->output[o], .bytes = bytes};
    }
    bind_sizes(op, call, arguments);
    for (int p = 0; p < op->params; p++) {
        arguments->item[arguments->count++] = (SimtArgument){.kind = SIMT_FLOAT, .value = call->param[p]};
    }
}

/* ---- launches ---- */

static Way way_of(const Emulated *emulated, uint64_t call, size_t rows)
{
    const Way way = emulated->way[call % (uint64_t)emulated->ways];
    return way == WAY_BLOCKS && rows > ROWS_LIMIT ? WAY_BLOCK : way;
}

static SimtLaunch launch_of(const Emulated *emulated, uint64_t call)
{
    const uint64_t ways = (uint64_t)emulated->ways;
    const unsigned block = emulated->block ? emulated->block : blocks[call % BLOCKS];
    const unsigned grid = emulated->grid ? emulated->grid : grids[call % GRIDS];
    return (SimtLaunch){.grid = {grid, 1, 1},
                        .block = {block, 1, 1},
                        .order = (SimtOrder)(call / ways % 3),
                        .seed = call,
                        .poison = (SimtPoison)(call / ways / 3 % 2),
                        .seconds = launch_seconds};
}

static bool launch(Emulated *emulated, const char *kernel, const SimtLaunch *how, const SimtArgument *item,
                   int count)
{
    SimtError error = {0};
    const bool fine = simt_launch(emulated->module, kernel, how, item, count, &error);
    if (!fine && !emulated->failure) {
        emulated->failure = error.text;
    }
    return fine;
}

/* One row by kernels in turn. What the workspace held before must not matter. */
static bool make_row(Emulated *emulated, const SimtLaunch *how, Arguments *arguments, size_t row)
{
    SimtArgument *last = &arguments->item[arguments->count];
    bool fine = true;
    last[0] = (SimtArgument){.kind = SIMT_SIZE, .size = row};
    memset(last[1].pointer, how->poison == SIMT_POISON_NAN ? 0xff : 0x5a, last[1].bytes);
    for (int s = 0; s < emulated->steps && fine; s++) {
        SimtLaunch one = *how;
        one.seed += (uint64_t)s;
        one.grid[0] = s % 2 == 1 ? 1 : how->grid[0]; /* a join has one block */
        fine = launch(emulated, emulated->step[s], &one, arguments->item, arguments->count + 2);
    }
    return fine;
}

/* A partial per leaf, or per lane, is the most that any tree has; values may be binary64. */
static bool make_rows(Emulated *emulated, const SimtLaunch *how, Arguments *arguments)
{
    enum { MOST_LANES = 1024 };
    const size_t partials = arguments->leaves < MOST_LANES ? MOST_LANES : arguments->leaves;
    const size_t bytes = (WORKSPACE_VALUES + partials) * sizeof(double);
    void *workspace = aligned_alloc(64, (bytes + 63) / 64 * 64);
    bool fine = true;
    if (!workspace) {
        arena_out_of_memory();
    }
    arguments->item[arguments->count + 1] =
        (SimtArgument){.kind = SIMT_OUTPUT, .pointer = workspace, .bytes = bytes};
    for (size_t row = 0; row < arguments->rows && fine; row++) {
        fine = make_row(emulated, how, arguments, row);
    }
    free(workspace);
    return fine;
}

bool emulated_call(Emulated *emulated, const CallData *call)
{
    Arguments arguments;
    bind_arguments(emulated->op, call, &arguments);
    const SimtLaunch how = launch_of(emulated, emulated->calls);
    emulated->last_way = way_of(emulated, emulated->calls++, arguments.rows);
    if (emulated->last_way == WAY_BLOCKS) {
        return make_rows(emulated, &how, &arguments);
    }
    const char *kernel = emulated->last_way == WAY_WARP ? emulated->warp_kernel : emulated->block_kernel;
    return launch(emulated, kernel, &how, arguments.item, arguments.count);
}

const char *emulated_failure(const Emulated *emulated)
{
    return emulated->failure;
}

void emulated_set_geometry(Emulated *emulated, unsigned block, unsigned grid)
{
    emulated->block = block;
    emulated->grid = grid;
}

const char *emulated_launch_text(const Emulated *emulated, char *text, size_t size)
{
    static const char *const ways[] = {"a block per row", "a warp per row", "many blocks per row"};
    static const char *const orders[] = {"ascending", "descending", "random"};
    static const char *const poisons[] = {"NaN", "5a"};
    if (emulated->calls == 0) {
        return "";
    }
    const SimtLaunch how = launch_of(emulated, emulated->calls - 1);
    snprintf(text, size, "%s, %u block%s of %u threads, %s, poison %s", ways[emulated->last_way], how.grid[0],
             how.grid[0] == 1 ? "" : "s", how.block[0], orders[how.order], poisons[how.poison]);
    return text;
}
