/* ties.c: the search. Bisection needs no monotone function: it ends at two neighbours with different results.
 */
#include "verify/ties.h"

#include <string.h>

enum { TIE_LEVELS = 4 };

/* Each range is finer than what the one before could resolve. SIZES: the leaf grows with |x|, as in x, x*x,
 * (x - mean)^2; the first range is as large as the other leaves. EXPONENTIALS: the leaf is exp(x - max) with
 * a maximum of 0. */
static const float tie_range[2][TIE_LEVELS][2] = {
    {{1.0f, 2.0f}, {0x1p-10f, 0x1p-7f}, {0x1p-22f, 0x1p-17f}, {0x1p-36f, 0x1p-30f}},
    {{-2.0f, -0.5f}, {-20.0f, -12.0f}, {-36.0f, -24.0f}, {-60.0f, -40.0f}},
};

typedef struct TieRow {
    const Variant *variant;
    CallData call; /* one row */
    float *row;    /* its input 0 */
} TieRow;

static int32_t float_order(float value)
{
    int32_t word;
    memcpy(&word, &value, sizeof word);
    return word < 0 ? INT32_MIN - word : word;
}

static float float_at(int32_t order)
{
    int32_t word = order < 0 ? INT32_MIN - order : order;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* The result's first word: element 0 of the row is never moved, so y[0] changes with the reductions only. */
static uint32_t tie_result(const TieRow *tie, size_t element, float value)
{
    uint32_t word;
    tie->row[element] = value;
    reference_evaluate(tie->variant->op, tie->variant->tree, tie->variant->accumulator, &tie->call, 1);
    memcpy(&word, tie->call.output[0], sizeof word);
    return word;
}

static void tie_bisect(const TieRow *tie, size_t element, const float range[2])
{
    int32_t low = float_order(range[0]), high = float_order(range[1]);
    uint32_t below = tie_result(tie, element, range[0]);
    if (tie_result(tie, element, range[1]) != below)
        while (high - low > 1) {
            int32_t middle = low + (high - low) / 2;
            if (tie_result(tie, element, float_at(middle)) == below)
                low = middle;
            else
                high = middle;
        }
    tie->row[element] = float_at(low);
}

static void tie_search_row(const TieRow *tie, size_t columns, uint64_t seed)
{
    int style = (int)(seed % 2);
    size_t element[TIE_LEVELS];
    inputs_fill(tie->row, columns, columns, INPUT_NORMAL, seed);
    for (size_t i = 0; style == 1 && i < columns; i++)
        tie->row[i] = tie->row[i] > 0 ? -tie->row[i] : tie->row[i];
    if (style == 1)
        tie->row[0] = 0.0f;
    for (int level = 0; level < TIE_LEVELS; level++) {
        element[level] = 1 + ((size_t)seed * 7 + columns * (size_t)level / TIE_LEVELS) % (columns - 1);
        tie->row[element[level]] = tie_range[style][level][0];
    }
    for (int level = 0; level < TIE_LEVELS; level++)
        tie_bisect(tie, element[level], tie_range[style][level]);
}

void ties_search(const Variant *variant, const Case *what, float *const input[])
{
    const Operator *op = variant->op;
    const Tensor *first = &op->input[0];
    uint32_t parallel = operator_parallel_dims(op);
    size_t elements = tensor_elements(first, &what->shape);
    size_t columns = first->rank > 0 ? what->shape.size[first->dim[first->rank - 1]] : 0;
    TieRow tie = {.variant = variant, .call.shape = what->shape};
    for (int d = 0; d < op->dims; d++)
        if (parallel >> d & 1)
            tie.call.shape.size[d] = 1;
    if (columns < 2 * TIE_LEVELS || tensor_elements(first, &tie.call.shape) != columns) {
        inputs_fill(input[0], elements, columns, INPUT_NORMAL, what->seed);
        return;
    }
    Arena *arena = arena_create();
    for (int i = 0; i < op->inputs; i++)
        tie.call.input[i] = input[i];
    for (int p = 0; p < op->params; p++)
        tie.call.param[p] = op->param[p].value;
    trial_fresh_outputs(arena, op, &tie.call.shape, tie.call.output);
    for (size_t row = 0; row < elements / columns; row++) {
        tie.row = input[0] + row * columns;
        tie.call.input[0] = tie.row;
        tie_search_row(&tie, columns, what->seed * 64 + row);
    }
    arena_destroy(arena);
}
