/* bundled.c: a variant as JSON: contract, signature, launch, files. */
#include "bundle/bundled.h"

#include "verify/cases.h"

#include <string.h>

static const char *const kind_names[BUNDLED_KINDS] = {
    [BUNDLED_CPU] = "cpu", [BUNDLED_CUDA] = "cuda", [BUNDLED_METAL] = "metal"};

const char *bundled_kind_name(BundledKind kind)
{
    return kind_names[kind];
}

GpuKind bundled_gpu(BundledKind kind)
{
    return kind == BUNDLED_METAL ? GPU_METAL : GPU_CUDA;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

BundledKind bundled_kind_of_file(const char *file)
{
    return ends_with(file, ".ptx") ? BUNDLED_CUDA : ends_with(file, ".metal") ? BUNDLED_METAL : BUNDLED_CPU;
}

/* ---- writing ---- */

static json_t *names_of(const Operator *op, uint32_t dims)
{
    json_t *list = json_array();
    for (int d = 0; d < op->dims; d++)
        if (dims >> d & 1)
            json_array_append_new(list, json_string(op->dim[d]));
    return list;
}

static json_t *tensors_of(const Operator *op, const Tensor *tensor, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_t *shape = json_array();
        for (int axis = 0; axis < tensor[i].rank; axis++)
            json_array_append_new(shape, json_string(op->dim[tensor[i].dim[axis]]));
        json_array_append_new(list, json_pack("{s:s, s:o}", "name", tensor[i].name, "shape", shape));
    }
    return list;
}

static json_t *params_of(const Operator *op)
{
    json_t *list = json_array();
    for (int p = 0; p < op->params; p++)
        json_array_append_new(
            list, json_pack("{s:s, s:f}", "name", op->param[p].name, "default", (double)op->param[p].value));
    return list;
}

static json_t *large_to_json(const Operator *op, const LargeCase *large)
{
    json_t *shape = json_object();
    for (int d = 0; d < op->dims; d++)
        json_object_set_new(shape, op->dim[d], json_integer((json_int_t)large->shape.size[d]));
    json_t *json = json_pack("{s:s, s:i, s:o}", "data", "normal", "seed", 1, "shape", shape);
    if (*large->digest)
        json_object_set_new(json, "outputs", json_string(large->digest));
    return json;
}

json_t *bundled_to_json(Arena *arena, const Bundled *entry, const json_t *launch)
{
    const Variant *variant = &entry->variant;
    const Operator *op = variant->op;
    json_t *signature = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", op->name, "dims",
                                  names_of(op, UINT32_MAX), "parallel", names_of(op, entry->parallel_dims),
                                  "inputs", tensors_of(op, op->input, op->inputs), "outputs",
                                  tensors_of(op, op->output, op->outputs), "params", params_of(op));
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", variant->id, "runs",
                  kind_names[entry->kind], "target", variant->target->name, "tree",
                  term_text(arena, variant->tree), "accumulator", accumulator_name(variant->accumulator),
                  "dtype", variant->dtype, "contract", variant->digest, "contract_text", variant->contract,
                  "symbol", variant->symbol, "file", entry->file, "operator", signature);
    if (launch)
        json_object_set(json, "launch", (json_t *)launch);
    if (entry->certificate)
        json_object_set_new(json, "certificate", json_string(entry->certificate));
    if (case_volume(op, &entry->large.shape) > 0)
        json_object_set_new(json, "large", large_to_json(op, &entry->large));
    return json;
}

/* ---- reading ---- */

typedef struct Reading {
    Arena *arena;
    const char *why;
} Reading;

static const char *text_of(Reading *reading, const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (!text && !reading->why)
        reading->why = arena_printf(reading->arena, "refused: an entry of bundle.json has no %s", name);
    return text ? arena_copy(reading->arena, text) : "";
}

static int dim_named(Reading *reading, const Operator *op, const char *name)
{
    for (int d = 0; name && d < op->dims; d++)
        if (!strcmp(op->dim[d], name))
            return d;
    if (!reading->why)
        reading->why =
            arena_printf(reading->arena, "refused: bundle.json names an unknown dim '%s'", name ? name : "");
    return 0;
}

static void read_dims(Reading *reading, const json_t *signature, Operator *op)
{
    const json_t *list = json_object_get(signature, "dims");
    if (json_array_size(list) > OPERATOR_DIMS && !reading->why)
        reading->why = "refused: an operator of bundle.json has too many dims";
    for (size_t d = 0; d < json_array_size(list) && !reading->why; d++) {
        const char *name = json_string_value(json_array_get(list, d));
        op->dim[op->dims++] = arena_copy(reading->arena, name ? name : "");
    }
}

static int read_tensors(Reading *reading, const json_t *list, const Operator *op, Tensor *tensor,
                        size_t limit)
{
    if (json_array_size(list) > limit && !reading->why)
        reading->why = "refused: an operator of bundle.json has too many inputs or outputs";
    int count = 0;
    for (size_t i = 0; i < json_array_size(list) && !reading->why; i++) {
        const json_t *record = json_array_get(list, i), *shape = json_object_get(record, "shape");
        Tensor *one = &tensor[count++];
        *one = (Tensor){.name = text_of(reading, record, "name")};
        for (size_t axis = 0; axis < json_array_size(shape) && axis < OPERATOR_DIMS; axis++)
            one->dim[one->rank++] = dim_named(reading, op, json_string_value(json_array_get(shape, axis)));
    }
    return count;
}

static void read_params(Reading *reading, const json_t *list, Operator *op)
{
    for (size_t p = 0; p < json_array_size(list) && p < OPERATOR_PARAMS; p++) {
        const json_t *record = json_array_get(list, p);
        op->param[op->params++] = (Param){text_of(reading, record, "name"),
                                          (float)json_number_value(json_object_get(record, "default"))};
    }
}

static const Operator *read_operator(Reading *reading, const json_t *json, uint32_t *parallel)
{
    const json_t *signature = json_object_get(json, "operator"),
                 *rows = json_object_get(signature, "parallel");
    Operator *op = ARENA_NEW(reading->arena, Operator);
    op->name = text_of(reading, signature, "name");
    read_dims(reading, signature, op);
    op->inputs = read_tensors(reading, json_object_get(signature, "inputs"), op, op->input, OPERATOR_INPUTS);
    op->outputs =
        read_tensors(reading, json_object_get(signature, "outputs"), op, op->output, OPERATOR_OUTPUTS);
    read_params(reading, json_object_get(signature, "params"), op);
    *parallel = 0;
    for (size_t i = 0; i < json_array_size(rows) && !reading->why; i++)
        *parallel |= UINT32_C(1) << dim_named(reading, op, json_string_value(json_array_get(rows, i)));
    return op;
}

static const Term *read_tree(Reading *reading, const json_t *json)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, reading->arena);
    const Term *tree = term_parse(reading->arena, &diagnostics, (Location){"bundle.json", 0, 0},
                                  text_of(reading, json, "tree"));
    if (!tree && !reading->why)
        reading->why = arena_printf(reading->arena, "refused: bundle.json has a tree that is none: %s",
                                    diagnostics.count ? diagnostics.message[0] : "");
    return tree;
}

static const Target *read_target(Reading *reading, const json_t *json)
{
    Target *target = ARENA_NEW(reading->arena, Target);
    target->name = text_of(reading, json, "target");
    return target;
}

static void read_kind(Reading *reading, const json_t *json, Bundled *entry)
{
    const char *runs = text_of(reading, json, "runs");
    for (int kind = 0; kind < BUNDLED_KINDS; kind++)
        if (!strcmp(runs, kind_names[kind])) {
            entry->kind = (BundledKind)kind;
            return;
        }
    if (!reading->why)
        reading->why =
            arena_printf(reading->arena, "refused: bundle.json has a kernel that runs on '%s'", runs);
}

static void read_large(const json_t *json, const Operator *op, LargeCase *large)
{
    const json_t *record = json_object_get(json, "large"), *shape = json_object_get(record, "shape");
    const char *digest = json_string_value(json_object_get(record, "outputs"));
    *large = (LargeCase){0};
    for (int d = 0; d < op->dims; d++) {
        const json_int_t size = json_integer_value(json_object_get(shape, op->dim[d]));
        large->shape.size[d] = size > 0 ? (size_t)size : 0;
    }
    if (digest && strlen(digest) == 64)
        memcpy(large->digest, digest, 65);
}

const char *bundled_from_json(Arena *arena, const json_t *json, Bundled *entry)
{
    Reading reading = {.arena = arena};
    const char *certificate = json_string_value(json_object_get(json, "certificate"));
    *entry = (Bundled){.file = text_of(&reading, json, "file"),
                       .certificate = certificate ? arena_copy(arena, certificate) : NULL};
    read_kind(&reading, json, entry);
    Variant *variant = &entry->variant;
    variant->id = text_of(&reading, json, "id");
    variant->symbol = text_of(&reading, json, "symbol");
    variant->dtype = text_of(&reading, json, "dtype");
    variant->digest = text_of(&reading, json, "contract");
    variant->contract = text_of(&reading, json, "contract_text");
    variant->accumulator =
        !strcmp(text_of(&reading, json, "accumulator"), "f64") ? ACCUMULATOR_F64 : ACCUMULATOR_F32;
    variant->target = read_target(&reading, json);
    variant->tree = read_tree(&reading, json);
    variant->op = read_operator(&reading, json, &entry->parallel_dims);
    read_large(json, variant->op, &entry->large);
    if (!reading.why && strcmp(contract_digest(arena, variant->contract), variant->digest))
        reading.why = arena_printf(arena, "refused: the contract of %s was changed", variant->id);
    if (!reading.why)
        reading.why = launch_read(arena, json_object_get(json, "launch"), variant->symbol, &entry->launch);
    return reading.why;
}
