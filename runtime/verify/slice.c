/* slice.c: a tensor is outer blocks x positions x inner runs. */
#include "verify/slice.h"

#include <string.h>

typedef struct Layout {
    size_t outer, positions, inner;
} Layout;

/* False when the tensor does not vary along `dim`. */
static bool layout_of(const Tensor *tensor, const Shape *shape, int dim, Layout *layout)
{
    bool found = false;
    *layout = (Layout){1, 1, 1};
    for (int axis = 0; axis < tensor->rank; axis++) {
        size_t size = shape->size[tensor->dim[axis]];
        if (!found && tensor->dim[axis] == dim) {
            found = true;
            layout->positions = size;
        } else if (found) {
            layout->inner *= size;
        } else {
            layout->outer *= size;
        }
    }
    return found;
}

float *slice_take(Arena *arena, const Tensor *tensor, const Shape *shape, int dim, const size_t *position,
                  size_t count, const float *data)
{
    Layout layout;
    if (!layout_of(tensor, shape, dim, &layout))
        return (float *)data;
    float *taken = ARENA_ARRAY(arena, float, layout.outer *count *layout.inner + 1);
    for (size_t o = 0; o < layout.outer; o++)
        for (size_t i = 0; i < count; i++)
            memcpy(taken + (o * count + i) * layout.inner,
                   data + (o * layout.positions + position[i]) * layout.inner, layout.inner * sizeof *taken);
    return taken;
}

float *slice_put_back(Arena *arena, const Tensor *tensor, const Shape *shape, int dim, const size_t *position,
                      const float *data)
{
    Layout layout;
    if (!layout_of(tensor, shape, dim, &layout))
        return (float *)data;
    float *put = ARENA_ARRAY(arena, float, layout.outer *layout.positions *layout.inner + 1);
    for (size_t o = 0; o < layout.outer; o++)
        for (size_t i = 0; i < layout.positions; i++)
            memcpy(put + (o * layout.positions + position[i]) * layout.inner,
                   data + (o * layout.positions + i) * layout.inner, layout.inner * sizeof *put);
    return put;
}
