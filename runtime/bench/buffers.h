/* buffers.h: the inputs and outputs that a timed call works on. */
#ifndef SAMEBITS_BUFFERS_H
#define SAMEBITS_BUFFERS_H

#include "bench/entry.h"
#include "reference/evaluate.h"

/* Inputs made once, before any process starts, in memory that all of them see. */
typedef struct SharedInputs {
    const float *input[OPERATOR_INPUTS];
    size_t bytes[OPERATOR_INPUTS];
} SharedInputs;
/* NULL when done, else why not. Beyond 4 Mi elements the data repeat: times do not depend on values. */
const char *shared_inputs_create(SharedInputs *shared, const Operator *op, const Shape *shape,
                                 InputKind data);
void shared_inputs_destroy(SharedInputs *shared);

/* One process's own copies: `sets` sets of buffers, each 64-byte aligned and at an offset in its page that
 * differs from process to process. The outputs are not touched before the first call. */
typedef struct BufferSets {
    CallData *set;
    int sets;
    int next;
} BufferSets;
enum { BUFFER_SETS_LIMIT = 4096 };
int buffer_sets_wanted(const BenchTask *task);
const char *buffer_sets_create(Arena *arena, BufferSets *buffers, const BenchTask *task,
                               const SharedInputs *shared, int sets, int process);

#endif
