/* data.c: the data of a case, a function of (kind, seed, place) alone. */
#include "verify/cases.h"

#include "verify/ties.h"

#include <string.h>

enum { POISON = 0x5a5a5a5a }; /* not a NaN: an element that was never written cannot pass for one */

static const char *const probe_name[] = {"probe-signed", "probe-square", "underflow", "exponents", "tie"};

const char *fill_name(int fill)
{
    return fill < INPUT_KINDS ? input_kind_name((InputKind)fill) : probe_name[fill - INPUT_KINDS];
}

/* splitmix64 (Steele, Lea, Flood 2014) on a counter: any element by itself, no state. */
static uint64_t random_word(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed * UINT64_C(0xd1342543de82ef95) + (counter + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* M absorbs what it meets in binary32 and in binary64 (2^100 against at most 2^6), until -M takes it away:
 * the row's sum is the sum of the integers that met neither before. */
static void fill_signed(float *row, size_t columns, uint64_t seed)
{
    for (size_t i = 0; i < columns; i++)
        row[i] = (float)(1 + random_word(seed, i) % 63);
    if (columns < 2)
        return;
    size_t up = random_word(seed, columns) % columns;
    size_t down = (up + 1 + random_word(seed, columns + 1) % (columns - 1)) % columns;
    row[up] = 0x1p100f;
    row[down] = -0x1p100f;
}

/* A is odd with 2^24 <= A*A < 2^25: A*A has 25 bits, a midpoint of binary32. A speck squared, 2^-30, is a
 * quarter of binary64's ulp there: one or two lost on A leave the midpoint, three that met before push it
 * off. */
static void fill_square(float *row, size_t columns, uint64_t seed)
{
    for (size_t i = 0; i < columns; i++)
        row[i] = random_word(seed, i) % 4 == 0 ? 0.0f : 0x1p-15f;
    if (columns > 0)
        row[random_word(seed, columns) % columns] =
            (float)(4097 + 2 * (random_word(seed, columns + 1) % 847));
}

/* Significands vary so that another leaf is another product; 2^-160 is far below 2^-149. */
static void fill_underflow(float *data, size_t elements, float unit, uint64_t seed)
{
    for (size_t i = 0; i < elements; i++)
        data[i] = unit * (1.0f + (float)(random_word(seed, i) % 1024) / 1024.0f);
}

static void fill_exponents(float *row, size_t columns, uint64_t seed)
{
    for (size_t i = 0; i < columns; i++)
        row[i] = -2.0f - 6.0f * ((float)(random_word(seed, i) >> 40) * 0x1p-24f);
    if (columns > 0)
        row[random_word(seed, columns) % columns] = 0.0f;
}

static void fill_rows(float *data, size_t elements, size_t columns, int fill, uint64_t seed)
{
    for (size_t row = 0; columns > 0 && row < elements / columns; row++) {
        uint64_t own = random_word(seed, row ^ UINT64_C(0x5eed0000));
        if (fill == FILL_PROBE_SIGNED)
            fill_signed(data + row * columns, columns, own);
        else if (fill == FILL_EXPONENTS)
            fill_exponents(data + row * columns, columns, own);
        else
            fill_square(data + row * columns, columns, own);
    }
}

static void fill_constant(float *data, size_t elements, float value)
{
    for (size_t i = 0; i < elements; i++)
        data[i] = value;
}

/* The case's kind of data is for inputs as large as the first (a dot has two); weights of a row are normal,
 * and ones where a probe must come through unscaled. */
void case_fill(const Variant *variant, const Case *what, float *const input[])
{
    const Operator *op = variant->op;
    for (int i = 0; i < op->inputs; i++) {
        const Tensor *tensor = &op->input[i];
        size_t elements = tensor_elements(tensor, &what->shape);
        size_t columns = tensor->rank > 0 ? what->shape.size[tensor->dim[tensor->rank - 1]] : 1;
        bool data = i == 0 || tensor->rank == op->input[0].rank;
        uint64_t seed = what->seed * 16 + (uint64_t)i;
        if (what->fill < INPUT_KINDS)
            inputs_fill(input[i], elements, columns, data ? (InputKind)what->fill : INPUT_NORMAL, seed);
        else if (what->fill == FILL_UNDERFLOW)
            fill_underflow(input[i], elements, i == 0 ? 0x1p-80f : -0x1p-80f, seed);
        else if (i == 0 && what->fill != FILL_TIE)
            fill_rows(input[i], elements, columns, what->fill, seed);
        else
            fill_constant(input[i], elements, 1.0f);
    }
    if (what->fill == FILL_TIE)
        ties_search(variant, what, input);
}

static float *output_create(Arena *arena, size_t elements)
{
    float *data = ARENA_ARRAY(arena, float, elements + 1);
    uint32_t word = POISON;
    float poison;
    memcpy(&poison, &word, sizeof poison);
    fill_constant(data, elements, poison);
    return data;
}

void trial_fresh_outputs(Arena *arena, const Operator *op, const Shape *shape, float **output)
{
    for (int o = 0; o < op->outputs; o++)
        output[o] = output_create(arena, tensor_elements(&op->output[o], shape));
}

Trial trial_create(Arena *arena, const Variant *variant, const Case *what)
{
    const Operator *op = variant->op;
    Trial trial = {.call.shape = what->shape};
    for (int i = 0; i < op->inputs; i++) {
        trial.input[i] = ARENA_ARRAY(arena, float, tensor_elements(&op->input[i], &what->shape) + 1);
        trial.call.input[i] = trial.input[i];
    }
    for (int p = 0; p < op->params; p++)
        trial.call.param[p] = op->param[p].value;
    trial_fresh_outputs(arena, op, &what->shape, trial.output);
    for (int o = 0; o < op->outputs; o++)
        trial.call.output[o] = trial.output[o];
    case_fill(variant, what, trial.input);
    return trial;
}
