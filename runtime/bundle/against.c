/* against.c: reading a certificate, and repeating its cases on another kernel. */
#include "bundle/against.h"

#include "array/npy.h"
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

static const double volume_limit = 1u << 28; /* elements of a case: 1 GiB */

/* ---- reading ---- */

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static const char *check_content(Arena *arena, const Certificate *certificate)
{
    const json_t *json = certificate->json;
    const char *text = text_of(json, "contract_text");
    if (json_integer_value(json_object_get(json, "version")) != 1)
        return arena_printf(arena, "refused: %s is no certificate of version 1", certificate->path);
    if (!json_is_array(json_object_get(json, "canonical")) || !*certificate->contract || !*text)
        return arena_printf(arena, "refused: %s is no certificate: it has no contract or no canonical cases",
                            certificate->path);
    if (strcmp(contract_digest(arena, text), certificate->contract))
        return arena_printf(
            arena,
            "refused: %s was changed: the SHA-256 of its contract's text is %.16s..., it says "
            "%.16s...",
            certificate->path, contract_digest(arena, text), certificate->contract);
    return NULL;
}

const char *certificate_read(Arena *arena, const char *path, Certificate *certificate)
{
    json_error_t error;
    *certificate = (Certificate){.path = arena_copy(arena, path)};
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        return arena_printf(arena, "refused: %s: %s", path, error.text);
    certificate->json = json;
    certificate->id = text_of(json, "id");
    certificate->target = text_of(json, "target");
    certificate->contract = text_of(json, "contract");
    certificate->output_digest = text_of(json, "output_digest");
    const char *why = check_content(arena, certificate);
    if (why)
        certificate_close(certificate);
    return why;
}

void certificate_close(Certificate *certificate)
{
    json_decref(certificate->json);
    certificate->json = NULL;
}

const char *certificate_refuses(Arena *arena, const Certificate *certificate, const char *contract)
{
    if (!strcmp(certificate->contract, contract))
        return NULL;
    return arena_printf(arena, "refused: %s certifies contract %.16s..., this kernel obeys %.16s...",
                        certificate->path, certificate->contract, contract);
}

/* ---- cases ---- */

static int fill_named(const char *name)
{
    for (int fill = 0; fill < FILL_KINDS; fill++)
        if (!strcmp(fill_name(fill), name))
            return fill;
    return -1;
}

static const char *read_case(Arena *arena, const Operator *op, const json_t *record, Case *what)
{
    const json_t *shape = json_object_get(record, "shape");
    *what = (Case){.fill = fill_named(text_of(record, "data")),
                   .seed = (uint64_t)json_integer_value(json_object_get(record, "seed"))};
    if (what->fill < 0)
        return arena_printf(arena, "unknown data '%s': the certificate is newer than this program",
                            text_of(record, "data"));
    for (int d = 0; d < op->dims; d++) {
        const json_t *size = json_object_get(shape, op->dim[d]);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return arena_printf(arena, "a case has no size of %s", op->dim[d]);
        what->shape.size[d] = (size_t)json_integer_value(size);
    }
    if (case_volume(op, &what->shape) > volume_limit)
        return arena_printf(arena, "case %s is too large", case_text(arena, op, what));
    return NULL;
}

/* ---- inputs that are searched for ---- */

const char *certificate_inputs_name(Arena *arena, const Variant *variant, const json_t *record, int input)
{
    Case what;
    if (read_case(arena, variant->op, record, &what) || what.fill != FILL_TIE)
        return NULL;
    return arena_printf(arena, "%.16s-%s-%s.npy", variant->digest, case_stem(arena, variant->op, &what),
                        variant->op->input[input].name);
}

static NpyArray array_of(const Tensor *tensor, const Shape *shape, float *data)
{
    NpyArray array = {.data = data, .rank = tensor->rank};
    for (int i = 0; i < tensor->rank; i++)
        array.shape[i] = shape->size[tensor->dim[i]];
    return array;
}

const char *certificate_write_inputs(Arena *arena, const Certificate *certificate, const Variant *variant,
                                     const char *folder)
{
    const Operator *op = variant->op;
    const json_t *record;
    size_t c;
    json_array_foreach(json_object_get(certificate->json, "canonical"), c, record)
    {
        Case what;
        if (!certificate_inputs_name(arena, variant, record, 0) || read_case(arena, op, record, &what))
            continue;
        const Trial trial = trial_create(arena, variant, &what);
        for (int i = 0; i < op->inputs; i++) {
            const NpyArray array = array_of(&op->input[i], &what.shape, trial.input[i]);
            const char *path =
                arena_printf(arena, "%s/%s", folder, certificate_inputs_name(arena, variant, record, i));
            const char *why = npy_write(path, &array);
            if (why)
                return arena_printf(arena, "%s: %s", path, why);
        }
    }
    return NULL;
}

static const char *read_input(Arena *arena, const Checked *checked, const json_t *record, const Case *what,
                              int i, Trial *trial)
{
    NpyArray array;
    const Tensor *tensor = &checked->variant->op->input[i];
    const char *path = arena_printf(arena, "%s/%s", checked->inputs,
                                    certificate_inputs_name(arena, checked->variant, record, i));
    const char *why = npy_read(arena, path, &array);
    if (why)
        return arena_printf(arena, "%s: %s", path, why);
    const NpyArray wanted = array_of(tensor, &what->shape, NULL);
    if (array.rank != wanted.rank ||
        memcmp(array.shape, wanted.shape, (size_t)wanted.rank * sizeof *wanted.shape))
        return arena_printf(arena, "%s has another shape than its case", path);
    memcpy(trial->input[i], array.data, tensor_elements(tensor, &what->shape) * sizeof(float));
    return NULL;
}

/* With a folder, data that is searched for comes from it: its maker may know more of the operator. */
static const char *make_trial(Arena *arena, const Checked *checked, const json_t *record, const Case *what,
                              Trial *trial)
{
    const bool from_files = what->fill == FILL_TIE && checked->inputs;
    Case plain = *what;
    plain.fill = from_files ? INPUT_NORMAL : what->fill;
    *trial = trial_create(arena, checked->variant, &plain);
    const char *why = NULL;
    for (int i = 0; from_files && i < checked->variant->op->inputs && !why; i++)
        why = read_input(arena, checked, record, what, i, trial);
    return why;
}

/* ---- the check ---- */

typedef struct Check {
    Arena *arena;
    const Checked *checked;
    float *all; /* outputs of all cases, one after the other */
    size_t count, capacity;
    long cases, equal, flushed;
    json_t *differs;
} Check;

static const float *keep_outputs(Check *check, const Trial *trial, const Shape *shape, size_t *elements)
{
    const Operator *op = check->checked->variant->op;
    const size_t before = check->count;
    for (int o = 0; o < op->outputs; o++) {
        const size_t more = tensor_elements(&op->output[o], shape);
        if (check->count + more > check->capacity) {
            check->capacity = 2 * (check->count + more);
            check->all = realloc(check->all, check->capacity * sizeof *check->all);
            if (!check->all)
                arena_out_of_memory();
        }
        if (more > 0)
            memcpy(check->all + check->count, trial->output[o], more * sizeof(float));
        check->count += more;
    }
    *elements = check->count - before;
    return check->all + before;
}

/* Kinds of data whose results depend on subnormal numbers: where those are flushed, nothing is promised. */
static bool is_subnormal(int fill)
{
    return fill == INPUT_SUBNORMAL || fill == FILL_UNDERFLOW;
}

static void note_difference(Check *check, const Case *what)
{
    if (check->checked->flushes && is_subnormal(what->fill))
        check->flushed++;
    else
        json_array_append_new(check->differs,
                              json_string(case_text(check->arena, check->checked->variant->op, what)));
}

static const char *check_case(Check *check, const json_t *record)
{
    char digest[65];
    size_t elements = 0;
    Case what;
    Trial trial;
    Arena *arena = arena_create();
    const Operator *op = check->checked->variant->op;
    const char *why = read_case(arena, op, record, &what);
    if (!why)
        why = make_trial(arena, check->checked, record, &what, &trial);
    if (!why)
        why = check->checked->call(check->checked->kernel, arena, &trial.call);
    if (why) {
        why = arena_copy(check->arena, why);
    } else {
        const float *outputs = keep_outputs(check, &trial, &what.shape, &elements);
        inputs_digest(outputs, elements, digest);
        check->cases++;
        if (!strcmp(digest, text_of(record, "outputs")))
            check->equal++;
        else
            note_difference(check, &what);
    }
    arena_destroy(arena);
    return why;
}

static json_t *outcome(Check *check, const Certificate *certificate, const char *why)
{
    char digest[65] = "";
    const bool kept = check->equal + check->flushed == check->cases && check->cases > 0;
    if (!why)
        inputs_digest(check->all, check->count, digest);
    json_t *result = json_pack("{s:s, s:I, s:I, s:s, s:s}", "status",
                               why    ? arena_printf(check->arena, "failed: %s", why)
                               : kept ? "kept"
                                      : "broken",
                               "cases", (json_int_t)check->cases, "equal", (json_int_t)check->equal,
                               "output_digest", digest, "expected_digest", certificate->output_digest);
    if (json_array_size(check->differs) > 0)
        json_object_set(result, "differs", check->differs);
    if (check->flushed > 0)
        json_object_set_new(result, "flushed", json_integer((json_int_t)check->flushed));
    return result;
}

json_t *certificate_check(Arena *arena, const Certificate *certificate, const Checked *checked)
{
    Check check = {.arena = arena,
                   .checked = checked,
                   .all = malloc(sizeof(float)),
                   .capacity = 1,
                   .differs = json_array()};
    const char *why = certificate_refuses(arena, certificate, checked->variant->digest);
    const json_t *record;
    size_t c;
    if (!check.all)
        arena_out_of_memory();
    json_array_foreach(json_object_get(certificate->json, "canonical"), c, record)
    {
        if (!why)
            why = check_case(&check, record);
    }
    json_t *result = outcome(&check, certificate, why);
    json_decref(check.differs);
    free(check.all);
    return result;
}

/* ---- one large case ---- */

const char *certificate_large_digest(Arena *arena, const Checked *checked, LargeCase *large)
{
    const Operator *op = checked->variant->op;
    const Case what = {.shape = large->shape, .fill = INPUT_NORMAL, .seed = 1};
    if (case_volume(op, &what.shape) > volume_limit)
        return arena_printf(arena, "case %s is too large", case_text(arena, op, &what));
    Arena *own = arena_create();
    const Trial trial = trial_create(own, checked->variant, &what);
    const char *why = checked->call(checked->kernel, own, &trial.call);
    if (why)
        why = arena_copy(arena, why);
    else
        inputs_digest(trial.output[0], tensor_elements(&op->output[0], &what.shape), large->digest);
    arena_destroy(own);
    return why;
}
