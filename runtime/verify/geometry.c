/* geometry.c: THREADS of an emulated GPU kernel: blocks of 32 to 1024 threads, fewer and more blocks than
 * there are rows, a block per row and a warp per row, each under the orders in which threads may run.
 *
 * The expected words are those of one block of 32 threads. */
#include "verify/check.h"

static const unsigned block_sizes[] = {32, 64, 96, 128, 256, 512, 1024};
enum { BLOCK_SIZES = sizeof block_sizes / sizeof *block_sizes, LAUNCHES = 3, MORE_BLOCKS = 3 };

static void geometry_try(Check *check, const Case *what, const Trial *trial, unsigned block, unsigned grid)
{
    Arena *arena = arena_create();
    float *output[OPERATOR_OUTPUTS];
    trial_fresh_outputs(arena, check->variant->op, &what->shape, output);
    kernel_set_geometry(check->kernel, block, grid);
    for (int launch = 0; launch < LAUNCHES && !check_settled(check); launch++) {
        check_doing(check, what, "%u blocks of %u threads", grid, block);
        check_call(check, trial, output);
        check_equal(check, what, trial, &what->shape, trial->output, output,
                    "another geometry than one block of 32 threads");
    }
    arena_destroy(arena);
}

static void geometry_case(Check *check, const Case *what, unsigned rows)
{
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, check->variant, what);
    const unsigned grids[] = {1, 2, 5, rows + MORE_BLOCKS};
    check_doing(check, what, "one block of 32 threads");
    kernel_set_geometry(check->kernel, 32, 1);
    check_call(check, &trial, trial.output);
    for (int b = 0; b < BLOCK_SIZES; b++)
        for (int g = 0; g < (int)(sizeof grids / sizeof *grids); g++)
            if ((b + g) % 2 == 0 || b == BLOCK_SIZES - 1) /* every size, every number; the largest with all */
                geometry_try(check, what, &trial, block_sizes[b], grids[g]);
    arena_destroy(arena);
}

void check_geometry(Check *check)
{
    const Variant *variant = check->variant;
    Case wide = case_wide(variant->op, variant->tree), typical = case_typical(variant->op, variant->tree, 5);
    check_make_telling(check, &typical);
    wide.fill = typical.fill;
    geometry_case(check, &typical, 5);
    geometry_case(check, &wide, 1);
    kernel_set_geometry(check->kernel, 0, 0);
}
