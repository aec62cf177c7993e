/* slices.c: see slices.h. */
#include "mpi/slices.h"

#include <string.h>

WireTensor slice_view(const Tensor *tensor, const Shape *shape, int dim)
{
    WireTensor view = {1, 1, 1, 1, false, 0};
    for (int d = 0; d < tensor->rank; d++) {
        const size_t size = shape->size[tensor->dim[d]];
        if (tensor->dim[d] == dim && !view.distributed) {
            view.distributed = true;
            view.size = size;
        } else if (view.distributed) {
            view.after *= size;
        } else {
            view.before *= size;
        }
        view.columns = size;
    }
    return view;
}

size_t slice_elements(const WireTensor *view, size_t count)
{
    return view->before * (view->distributed ? count : view->size) * view->after;
}

static void whole_unless_distributed(const WireTensor *view, size_t *first, size_t *count)
{
    if (!view->distributed) {
        *first = 0;
        *count = view->size;
    }
}

void slice_cut(float *part, const float *whole, const WireTensor *view, size_t first, size_t count)
{
    whole_unless_distributed(view, &first, &count);
    for (size_t b = 0; b < view->before && count * view->after > 0; b++) {
        memcpy(part + b * count * view->after, whole + (b * view->size + first) * view->after,
               count * view->after * sizeof *part);
    }
}

void slice_put(float *whole, const float *part, const WireTensor *view, size_t first, size_t count)
{
    whole_unless_distributed(view, &first, &count);
    for (size_t b = 0; b < view->before && count * view->after > 0; b++) {
        memcpy(whole + (b * view->size + first) * view->after, part + b * count * view->after,
               count * view->after * sizeof *part);
    }
}
