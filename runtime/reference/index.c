/* index.c: places in row-major tensors over named dims. */
#include "reference/index.h"

Dims dims_of_tensor(const Tensor *tensor)
{
    Dims dims = {.rank = tensor->rank};
    for (int r = 0; r < tensor->rank; r++) {
        dims.dim[r] = tensor->dim[r];
    }
    return dims;
}

Dims dims_of_reduction(const Expr *reduction)
{
    Dims dims = {.rank = reduction->overs};
    for (int i = 0; i < reduction->overs; i++) {
        dims.dim[i] = reduction->over[i];
    }
    return dims;
}

Dims dims_of_axes(uint32_t axes)
{
    Dims dims = {.rank = 0};
    for (int d = 0; d < OPERATOR_DIMS; d++) {
        if (axes >> d & 1) {
            dims.dim[dims.rank++] = d;
        }
    }
    return dims;
}

Dims dims_without(Dims dims, int removed)
{
    Dims left = {.rank = 0};
    for (int r = 0; r < dims.rank; r++) {
        if (dims.dim[r] != removed) {
            left.dim[left.rank++] = dims.dim[r];
        }
    }
    return left;
}

size_t dims_elements(Dims dims, const Shape *shape)
{
    size_t elements = 1;
    for (int r = 0; r < dims.rank; r++) {
        elements *= shape->size[dims.dim[r]];
    }
    return elements;
}

size_t dims_offset(Dims dims, const Shape *shape, const Index *index)
{
    size_t offset = 0;
    for (int r = 0; r < dims.rank; r++) {
        offset = offset * shape->size[dims.dim[r]] + index->at[dims.dim[r]];
    }
    return offset;
}

size_t dims_stride(Dims dims, const Shape *shape, int along)
{
    size_t stride = 1;
    for (int r = dims.rank - 1; r >= 0; r--) {
        if (dims.dim[r] == along) {
            return stride;
        }
        stride *= shape->size[dims.dim[r]];
    }
    return 0;
}

bool index_advance(Index *index, Dims dims, const Shape *shape)
{
    for (int r = dims.rank - 1; r >= 0; r--) {
        int d = dims.dim[r];
        if (++index->at[d] < shape->size[d]) {
            return true;
        }
        index->at[d] = 0;
    }
    return false;
}
