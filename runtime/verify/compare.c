/* compare.c: word by word. */
#include "verify/compare.h"

#include <math.h>
#include <string.h>

static uint32_t word_of(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

bool words_differ(float a, float b)
{
    return word_of(a) != word_of(b) && !(isnan(a) && isnan(b));
}

bool outputs_differ(const Operator *op, const Shape *shape, float *const expected[], float *const got[],
                    Difference *difference)
{
    for (int o = 0; o < op->outputs; o++) {
        size_t elements = tensor_elements(&op->output[o], shape);
        for (size_t i = 0; i < elements; i++)
            if (words_differ(expected[o][i], got[o][i])) {
                *difference = (Difference){o, i, expected[o][i], got[o][i]};
                return true;
            }
    }
    return false;
}

static const char *index_text(Arena *arena, const Tensor *tensor, const Shape *shape, size_t index)
{
    const char *text = "";
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        size_t size = shape->size[tensor->dim[axis]];
        text = arena_printf(arena, axis == tensor->rank - 1 ? "%zu%s" : "%zu,%s", index % size, text);
        index /= size;
    }
    return tensor->rank == 0 ? "" : arena_printf(arena, "[%s]", text);
}

const char *difference_text(Arena *arena, const Operator *op, const Shape *shape,
                            const Difference *difference)
{
    const Tensor *tensor = &op->output[difference->output];
    return arena_printf(arena, "%s%s is %08x (%.9g) where %08x (%.9g) was expected", tensor->name,
                        index_text(arena, tensor, shape, difference->index), word_of(difference->got),
                        (double)difference->got, word_of(difference->expected), (double)difference->expected);
}
