/* batch.c: BATCH: a row alone, in batches of every size, in a permuted batch, at every position.
 *
 * A row is one position of a parallel dim; every parallel dim is tried. The batch of everything is computed
 * first; each other call takes some of its rows and must return exactly those rows' words. */
#include "verify/check.h"

#include "verify/slice.h"

enum {
    BATCH_ROWS = 9,
    BATCH_MANY =
        193, /* rows enough that a tree chosen from rows and workers changes: more than 16 per worker */
    BATCH_THREADS = 2
};

typedef struct Batch {
    Check *check;
    Case what;   /* of the whole batch */
    Trial trial; /* its inputs; trial.output: what the kernel gave */
    int dim;
} Batch;

/* Calls the kernel on the rows position[0..count) alone. */
static void batch_try(const Batch *batch, const size_t *position, size_t count, const char *how)
{
    Arena *arena = arena_create();
    Check *check = batch->check;
    const Operator *op = check->variant->op;
    const Shape *whole = &batch->what.shape;
    Trial part = {.call = batch->trial.call};
    float *expected[OPERATOR_OUTPUTS];
    part.call.shape.size[batch->dim] = count;
    for (int i = 0; i < op->inputs; i++)
        part.call.input[i] =
            slice_take(arena, &op->input[i], whole, batch->dim, position, count, batch->trial.call.input[i]);
    for (int o = 0; o < op->outputs; o++)
        expected[o] =
            slice_take(arena, &op->output[o], whole, batch->dim, position, count, batch->trial.output[o]);
    trial_fresh_outputs(arena, op, &part.call.shape, part.output);
    check_doing(check, &batch->what, "%s along %s", how, op->dim[batch->dim]);
    check_call(check, &part, part.output);
    check_equal(check, &batch->what, &batch->trial, &part.call.shape, expected, part.output,
                arena_printf(check->arena, "%s along %s, first row %zu of the batch", how,
                             op->dim[batch->dim], count > 0 ? position[0] : 0));
    arena_destroy(arena);
}

static void batch_try_alone(const Batch *batch, size_t rows, size_t step)
{
    for (size_t row = 0; row < rows && !check_settled(batch->check); row += step)
        batch_try(batch, &row, 1, "a row alone");
}

static void batch_try_prefixes(const Batch *batch, const size_t *position, size_t rows)
{
    for (size_t count = 0; count < rows && !check_settled(batch->check); count++)
        batch_try(batch, position, count, "the first rows of a batch");
}

/* Each rotation moves each row by one: all of them bring every row to every position. */
static void batch_try_rotations(const Batch *batch, size_t rows)
{
    size_t position[BATCH_ROWS];
    for (size_t shift = 1; shift < rows && !check_settled(batch->check); shift++) {
        for (size_t i = 0; i < rows; i++)
            position[i] = (i + shift) % rows;
        batch_try(batch, position, rows, "a permuted batch");
    }
}

static void batch_open(Batch *batch, Arena *arena, size_t rows)
{
    Check *check = batch->check;
    batch->what.shape.size[batch->dim] = rows;
    batch->trial = trial_create(arena, check->variant, &batch->what);
    check_doing(check, &batch->what, "a whole batch");
    check_call(check, &batch->trial, batch->trial.output);
}

static void batch_small(Batch *batch)
{
    Arena *arena = arena_create();
    size_t reversed[BATCH_ROWS], ordered[BATCH_ROWS];
    for (size_t i = 0; i < BATCH_ROWS; i++) {
        ordered[i] = i;
        reversed[i] = BATCH_ROWS - 1 - i;
    }
    batch_open(batch, arena, BATCH_ROWS);
    batch_try_alone(batch, BATCH_ROWS, 1);
    batch_try_prefixes(batch, ordered, BATCH_ROWS);
    batch_try_rotations(batch, BATCH_ROWS);
    batch_try(batch, reversed, BATCH_ROWS, "a reversed batch");
    arena_destroy(arena);
}

static void batch_large(Batch *batch)
{
    Arena *arena = arena_create();
    size_t permuted[BATCH_MANY];
    for (size_t i = 0; i < BATCH_MANY; i++)
        permuted[i] = (i * 71 + 5) % BATCH_MANY; /* 71 and 193 have no common factor */
    batch_open(batch, arena, BATCH_MANY);
    batch_try_alone(batch, BATCH_MANY, 7);
    batch_try(batch, permuted, BATCH_MANY, "a permuted batch");
    batch_try(batch, permuted, BATCH_MANY / 2, "half of a permuted batch");
    batch_try(batch, permuted, 17, "some rows of a permuted batch");
    arena_destroy(arena);
}

/* A batch so large that its outputs are stored around the cache, against some of its rows in batches that are
 * not. */
static void batch_streamed(Batch *batch)
{
    enum { ROWS = 24, BLOCKS = 4 };
    Arena *arena = arena_create();
    size_t rows = batch->what.shape.size[batch->dim], position[ROWS];
    batch_open(batch, arena, rows);
    for (size_t block = 0; block < BLOCKS && rows >= ROWS; block++) {
        for (size_t i = 0; i < ROWS; i++)
            position[i] = (rows - ROWS) * block / (BLOCKS - 1) + i;
        batch_try(batch, position, ROWS, "some rows of a batch that is stored around the cache");
    }
    arena_destroy(arena);
}

/* Rows so long that alone each is shared by the threads, and in a batch each has a thread to itself. */
static void batch_wide(Batch *batch)
{
    enum { ROWS = 3 };
    Arena *arena = arena_create();
    batch_open(batch, arena, ROWS);
    batch_try_alone(batch, ROWS, 1);
    arena_destroy(arena);
}

static int largest_parallel_dim(const Operator *op, const Shape *shape)
{
    uint32_t parallel = operator_parallel_dims(op);
    int largest = __builtin_ctz(parallel);
    for (int d = 0; d < op->dims; d++)
        if ((parallel >> d & 1) != 0 && shape->size[d] > shape->size[largest])
            largest = d;
    return largest;
}

void check_batch(Check *check)
{
    const Variant *variant = check->variant;
    uint32_t parallel = operator_parallel_dims(variant->op);
    Case typical = case_typical(variant->op, variant->tree, 3), many = case_many(variant->op, variant->tree),
         wide = case_wide(variant->op, variant->tree);
    if (parallel == 0) {
        check->vacuous = "the operator has no dim that is not reduced: there is only one row";
        return;
    }
    Batch streamed = {.check = check};
    check_make_telling(check, &typical);
    many.fill = wide.fill = typical.fill;
    kernel_set_threads(BATCH_THREADS);
    for (int d = 0; d < variant->op->dims; d++)
        if (parallel >> d & 1) {
            Batch small = {.check = check, .what = typical, .dim = d},
                  large = {.check = check, .what = many, .dim = d},
                  few = {.check = check, .what = wide, .dim = d};
            for (int other = 0; other < variant->op->dims; other++)
                if ((parallel >> other & 1) != 0 && other != d)
                    large.what.shape.size[other] = 2;
            batch_small(&small);
            batch_large(&large);
            batch_wide(&few);
        }
    if (case_streamed(variant, &streamed.what)) {
        streamed.dim = largest_parallel_dim(variant->op, &streamed.what.shape);
        batch_streamed(&streamed);
    }
}
