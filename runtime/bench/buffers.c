/* buffers.c: inputs shared by all processes, and each process's own rotating copies (see buffers.h). */
#include "bench/buffers.h"
#include "bench/work.h"

#include <string.h>
#include <sys/mman.h>

enum { DISTINCT_ELEMENTS = 1 << 22, LINE = 64, PAGE = 4096 };
static const size_t ROTATION_LIMIT = (size_t)2 << 30; /* bytes of all sets together */

const char *entry_kind_name(EntryKind kind)
{
    static const char *const names[] = {"variant", "fastmath", "control", "peer", "memory"};
    return names[kind];
}

static size_t row_length(const Tensor *tensor, const Shape *shape)
{
    return tensor->rank > 0 ? shape->size[tensor->dim[tensor->rank - 1]] : 1;
}

static size_t tensor_bytes(const Tensor *tensor, const Shape *shape)
{
    return tensor_elements(tensor, shape) * sizeof(float);
}

static void fill_repeating(float *data, size_t elements, size_t columns, InputKind kind, uint64_t seed)
{
    size_t distinct = elements < DISTINCT_ELEMENTS ? elements : DISTINCT_ELEMENTS;
    inputs_fill(data, distinct, columns, kind, seed);
    for (size_t done = distinct; done < elements; done += distinct) {
        size_t rest = elements - done < distinct ? elements - done : distinct;
        memcpy(data + done, data, rest * sizeof *data);
    }
}

const char *shared_inputs_create(SharedInputs *shared, const Operator *op, const Shape *shape, InputKind data)
{
    *shared = (SharedInputs){0};
    for (int i = 0; i < op->inputs; i++) {
        size_t elements = tensor_elements(&op->input[i], shape);
        shared->bytes[i] = elements * sizeof(float) + 1; /* mmap refuses nothing at all */
        void *mapping =
            mmap(NULL, shared->bytes[i], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) {
            shared_inputs_destroy(shared);
            return "not enough memory for the inputs";
        }
        shared->input[i] = mapping;
        fill_repeating(mapping, elements, row_length(&op->input[i], shape), i == 0 ? data : INPUT_NORMAL,
                       (uint64_t)i + 1);
    }
    return NULL;
}

void shared_inputs_destroy(SharedInputs *shared)
{
    for (int i = 0; i < OPERATOR_INPUTS; i++)
        if (shared->input[i] != NULL)
            munmap((void *)shared->input[i], shared->bytes[i]);
    *shared = (SharedInputs){0};
}

bool task_is_copy_like(const Operator *op, const Shape *shape)
{
    Work work = work_count(op, shape);
    return op->inputs > 0 && op->outputs > 0 && 2.0 * work.bytes_out >= work.bytes_in;
}

/* A device copies the first input whatever the operator writes: its bandwidth is what times are held against.
 */
static size_t copied_bytes(const BenchTask *task)
{
    if (task->device != NULL)
        return tensor_bytes(&task->op->input[0], &task->shape);
    size_t from = tensor_bytes(&task->op->input[0], &task->shape),
           to = tensor_bytes(&task->op->output[0], &task->shape);
    return from < to ? from : to;
}

double task_memory_bytes(const BenchTask *task, MemoryKind kind)
{
    return memory_kind_reads(kind) ? work_count(task->op, &task->shape).bytes_in
                                   : 2.0 * (double)copied_bytes(task);
}

int buffer_sets_wanted(const BenchTask *task)
{
    Work work = work_count(task->op, &task->shape);
    double each = work.bytes_in + work.bytes_out;
    if (!task->cold || each <= 0.0)
        return 1;
    double wanted = 2.0 * (double)task->cache_bytes / each + 2.0, fits = (double)ROTATION_LIMIT / each;
    double sets = wanted < fits ? wanted : fits;
    return sets < 1.0 ? 1 : sets > BUFFER_SETS_LIMIT ? BUFFER_SETS_LIMIT : (int)sets;
}

/* Fresh pages, and a place in them that is the process's own: 61 is prime, so neighbours in any of the three
 * counts land on different cache lines of the page. */
static float *place_buffer(size_t bytes, int process, int tensor, int set)
{
    char *mapping = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    return (float *)(mapping + (size_t)LINE * (size_t)((process * 23 + tensor * 17 + set * 7) % 61));
}

static const char *create_set(CallData *call, const BenchTask *task, const SharedInputs *shared, int process,
                              int set)
{
    const Operator *op = task->op;
    call->shape = task->shape;
    for (int i = 0; i < op->inputs; i++) {
        size_t bytes = tensor_bytes(&op->input[i], &task->shape);
        float *data = place_buffer(bytes, process, i, set);
        if (data == NULL)
            return "not enough memory for the buffers";
        memcpy(data, shared->input[i], bytes);
        call->input[i] = data;
    }
    for (int o = 0; o < op->outputs; o++) {
        call->output[o] =
            place_buffer(tensor_bytes(&op->output[o], &task->shape), process, op->inputs + o, set);
        if (call->output[o] == NULL)
            return "not enough memory for the buffers";
    }
    for (int p = 0; p < op->params; p++)
        call->param[p] = op->param[p].value;
    return NULL;
}

const char *buffer_sets_create(Arena *arena, BufferSets *buffers, const BenchTask *task,
                               const SharedInputs *shared, int sets, int process)
{
    *buffers = (BufferSets){.set = ARENA_ARRAY(arena, CallData, (size_t)sets), .sets = sets};
    for (int s = 0; s < sets; s++) {
        const char *why = create_set(&buffers->set[s], task, shared, process, s);
        if (why != NULL)
            return why;
    }
    return NULL;
}
