/* layout.c: LAYOUT: every alignment 0..63 bytes, every tail length 0..2L, guard pages at both ends, in place.
 *
 * The expected words come from the same kernel on plain buffers; the buffers of the other calls lie between
 * guard pages (a read or write out of bounds ends the child, which the parent reports) and canaries. In
 * place: every kernel whose output has the shape of its first input allows output == input. */
#include "verify/check.h"

#include "driver/guard.h"

#include <assert.h>
#include <string.h>

enum {
    LAYOUT_OFFSETS = 64,
    LAYOUT_OFFSET_STEP = sizeof(float),
    LAYOUT_TENSORS = OPERATOR_INPUTS + OPERATOR_OUTPUTS
};

typedef struct Placement {
    GuardPlacement guard;
    size_t input_offset, output_offset; /* bytes, for GUARD_OFFSET */
    bool in_place;                      /* output 0 is input 0 */
} Placement;

typedef struct Guarded {
    GuardedBuffer buffer[LAYOUT_TENSORS];
    int buffers;
    float *input[OPERATOR_INPUTS], *output[OPERATOR_OUTPUTS];
} Guarded;

static float *guarded_add(Guarded *guarded, size_t elements, GuardPlacement guard, size_t offset,
                          const char **why)
{
    GuardedBuffer *buffer = &guarded->buffer[guarded->buffers];
    *why = guarded_buffer_create(buffer, elements, guard, offset);
    if (*why != NULL)
        return NULL;
    guarded->buffers++;
    return buffer->data;
}

static const char *guarded_create(Guarded *guarded, const Operator *op, const Trial *trial, Placement place)
{
    const Shape *shape = &trial->call.shape;
    const char *why = NULL;
    guarded->buffers = 0;
    for (int i = 0; i < op->inputs && why == NULL; i++) {
        size_t elements = tensor_elements(&op->input[i], shape);
        guarded->input[i] = guarded_add(guarded, elements, place.guard, place.input_offset, &why);
        if (why == NULL && elements > 0)
            memcpy(guarded->input[i], trial->call.input[i], elements * sizeof(float));
    }
    for (int o = 0; o < op->outputs && why == NULL; o++) {
        size_t elements = tensor_elements(&op->output[o], shape);
        if (place.in_place && o == 0) {
            assert(op->inputs > 0); /* in place of the first input */
            guarded->output[0] = guarded->input[0];
            continue;
        }
        guarded->output[o] = guarded_add(guarded, elements, place.guard, place.output_offset, &why);
        for (size_t e = 0; why == NULL && e < elements; e++)
            guarded->output[o][e] = 0x1p90f; /* no result has it: what is not written shows */
    }
    return why;
}

static void guarded_destroy(Guarded *guarded)
{
    for (int i = 0; i < guarded->buffers; i++)
        guarded_buffer_destroy(&guarded->buffer[i]);
}

static const char *guarded_wrong(const Guarded *guarded, const Operator *op, const Trial *trial,
                                 bool in_place)
{
    for (int i = 0; i < guarded->buffers; i++) {
        const char *why = guarded_buffer_check(&guarded->buffer[i]);
        if (why != NULL)
            return why;
    }
    for (int i = in_place ? 1 : 0; i < op->inputs; i++)
        for (size_t e = 0; e < tensor_elements(&op->input[i], &trial->call.shape); e++)
            if (memcmp(&guarded->input[i][e], &trial->call.input[i][e], sizeof(float)) != 0)
                return "the kernel changed its input";
    return NULL;
}

static void layout_try(Check *check, const Case *what, const Trial *trial, Placement place, const char *how)
{
    const Operator *op = check->variant->op;
    Guarded guarded;
    Trial placed = *trial;
    const char *why = guarded_create(&guarded, op, trial, place);
    if (why == NULL) {
        for (int i = 0; i < op->inputs; i++)
            placed.call.input[i] = guarded.input[i];
        check_doing(check, what, "%s", how);
        check_call(check, &placed, guarded.output);
        why = guarded_wrong(&guarded, op, trial, place.in_place);
        if (why == NULL)
            check_equal(check, what, trial, &what->shape, trial->output, guarded.output, how);
        else
            check_break(check, what, trial, arena_printf(check->arena, "%s: %s", how, why));
    } else {
        check_note(check, why);
    }
    guarded_destroy(&guarded);
}

/* ---- what is tried ---- */

static void layout_alignments(Check *check, Case what)
{
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, check->variant, &what);
    check_doing(check, &what, "plain buffers");
    check_call(check, &trial, trial.output);
    for (size_t offset = 0; offset < LAYOUT_OFFSETS && !check_settled(check); offset += LAYOUT_OFFSET_STEP) {
        Placement together = {GUARD_OFFSET, offset, offset, false};
        Placement apart = {GUARD_OFFSET, offset, LAYOUT_OFFSETS - LAYOUT_OFFSET_STEP - offset, false};
        const char *how = arena_printf(check->arena, "inputs %zu bytes after a 64-byte boundary", offset);
        layout_try(check, &what, &trial, together, how);
        layout_try(check, &what, &trial, apart, how);
    }
    arena_destroy(arena);
}

static bool operator_may_run_in_place(const Operator *op)
{
    const Tensor *x = &op->input[0], *y = &op->output[0];
    if (x->rank != y->rank)
        return false;
    for (int axis = 0; axis < x->rank; axis++)
        if (x->dim[axis] != y->dim[axis])
            return false;
    return true;
}

static void layout_ends(Check *check, Case what)
{
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, check->variant, &what);
    check_doing(check, &what, "plain buffers");
    check_call(check, &trial, trial.output);
    layout_try(check, &what, &trial, (Placement){GUARD_END, 0, 0, false},
               "a guard page right behind every buffer");
    layout_try(check, &what, &trial, (Placement){GUARD_START, 0, 0, false},
               "a guard page right before every buffer");
    if (operator_may_run_in_place(check->variant->op))
        layout_try(check, &what, &trial, (Placement){GUARD_END, 0, 0, true}, "in place");
    arena_destroy(arena);
}

static void layout_tails(Check *check, const Case *typical)
{
    const Operator *op = check->variant->op;
    TreeSizes sizes = tree_sizes(check->variant->tree);
    size_t base = sizes.chunk > 0 ? sizes.chunk : 2 * sizes.lanes;
    for (size_t tail = 0; tail <= 2 * sizes.lanes && !check_settled(check); tail++) {
        Case what = *typical;
        what.shape = case_shape(op, 2, base + tail, what.seed);
        what.fill =
            what.fill == FILL_TIE ? INPUT_CANCEL : what.fill; /* a search for each tail would take minutes */
        layout_ends(check, what);
    }
}

static void layout_small(Check *check, const Case *typical)
{
    for (size_t columns = 0; columns < 5; columns++)
        for (size_t rows = 0; rows < 3; rows++) {
            Case what = *typical;
            what.shape = case_shape(check->variant->op, rows, columns, what.seed);
            what.fill = INPUT_CANCEL;
            layout_ends(check, what);
        }
}

void check_layout(Check *check)
{
    const Variant *variant = check->variant;
    Case typical = case_typical(variant->op, variant->tree, 3), wide = case_wide(variant->op, variant->tree);
    check_make_telling(check, &typical);
    kernel_set_threads(2);
    layout_alignments(check, typical);
    layout_small(check, &typical);
    layout_ends(check, wide);
    kernel_set_threads(1); /* the tails of one row's columns: threads add nothing but time */
    layout_tails(check, &typical);
}
