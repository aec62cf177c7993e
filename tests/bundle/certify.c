/* certify.c: see certify.h. */
#include "certify.h"

#include "text/buffer.h"
#include "verify/cases.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Outputs { /* of all cases, one after the other */
    float *data;
    size_t count;
} Outputs;

/* There is memory even where no case has an element. */
static void reserve(Outputs *all, size_t elements)
{
    all->data = realloc(all->data, (all->count + elements + 1) * sizeof *all->data);
    if (!all->data)
        exit(1);
}

static void append(Outputs *all, const float *data, size_t elements)
{
    reserve(all, elements);
    memcpy(all->data + all->count, data, elements * sizeof *data);
    all->count += elements;
}

static json_t *case_to_json(Arena *arena, const Variant *variant, const Case *what, Outputs *all)
{
    const Operator *op = variant->op;
    const Trial trial = trial_create(arena, variant, what);
    const size_t before = all->count;
    char digest[65];
    json_t *shape = json_object();
    reference_evaluate(op, variant->tree, variant->accumulator, &trial.call, 1);
    for (int o = 0; o < op->outputs; o++)
        append(all, trial.output[o], tensor_elements(&op->output[o], &what->shape));
    inputs_digest(all->data + before, all->count - before, digest);
    for (int d = 0; d < op->dims; d++)
        json_object_set_new(shape, op->dim[d], json_integer((json_int_t)what->shape.size[d]));
    return json_pack("{s:s, s:I, s:o, s:s}", "data", fill_name(what->fill), "seed", (json_int_t)what->seed,
                     "shape", shape, "outputs", digest);
}

void certify_variant(Arena *arena, const Variant *variant, const char *target, const char *path)
{
    const CaseList list = cases_canonical(arena, variant);
    json_t *cases = json_array();
    Outputs all = {0};
    Buffer content = {0};
    char digest[65];
    reserve(&all, 0);
    for (int i = 0; i < list.count; i++)
        json_array_append_new(cases, case_to_json(arena, variant, &list.item[i], &all));
    inputs_digest(all.data, all.count, digest);
    json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:s}", "version", 1, "id", variant->id, "target",
                             target, "contract", variant->digest, "contract_text", variant->contract,
                             "canonical", cases, "output_digest", digest);
    char *text = json_dumps(json, JSON_INDENT(1));
    buffer_append_string(&content, text);
    const char *why = buffer_write_file(&content, path);
    if (why) {
        fprintf(stderr, "%s: %s\n", path, why);
        exit(1);
    }
    buffer_destroy(&content);
    free(text);
    free(all.data);
    json_decref(json);
}
