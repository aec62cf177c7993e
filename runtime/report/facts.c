/* facts.c: reads the JSON files of a family (docs/architecture.md) without trusting that any part is there.
 */
#include "report/facts.h"

#include <math.h>
#include <string.h>

const PromiseStateRow promise_state_rows[PROMISE_STATES] = {
    [PROMISE_BROKEN] = {PROMISE_BROKEN, "broken", "✗", "two runs that must be equal were not"},
    [PROMISE_KEPT] = {PROMISE_KEPT, "kept", "✓", "every case was equal, and the inputs could have told"},
    [PROMISE_NOT_PROMISED] = {PROMISE_NOT_PROMISED, "not promised", "–",
                              "the tree does not promise it, or a kernel of one process has no ranks"},
    [PROMISE_NOT_TRIED] = {PROMISE_NOT_TRIED, "not tried", "?", "could not be tried here"},
    [PROMISE_VACUOUS] = {PROMISE_VACUOUS, "vacuous", "–",
                         "the check could not have failed, so it shows nothing"},
};

const PromiseLabel promise_labels[PROMISES] = {
    {"RUN", "RUN", "the same call again, under load, from a fresh process"},
    {"BATCH", "BAT", "a row alone, in a batch, at any position"},
    {"THREADS", "THR", "any number of threads"},
    {"RANKS", "RNK", "any number of ranks, any cut"},
    {"LAYOUT", "LAY", "any alignment, any tail"},
    {"BUILD", "BLD", "-O0 and -O3, clang and gcc"},
    {"TARGET", "TGT", "every target of the family"},
    {"TREE", "TRE", "the kernel and the reference evaluator of its term"},
};

const json_t *facts_variants(const Facts *facts)
{
    const json_t *list = json_object_get(facts->manifest, "variants");
    return json_is_array(list) ? list : json_object_get(facts->verify, "variants");
}

const json_t *facts_shapes(const Facts *facts)
{
    return json_object_get(facts->bench, "shapes");
}

const json_t *facts_skipped(const Facts *facts)
{
    return json_object_get(facts->manifest, "skipped");
}

const json_t *facts_controls(const Facts *facts)
{
    return json_object_get(facts->verify, "controls");
}

const json_t *facts_machine(const Facts *facts)
{
    const json_t *machine = json_object_get(facts->bench, "machine");
    return json_is_object(machine) ? machine : json_object_get(facts->verify, "machine");
}

static const json_t *with_id(const json_t *list, const char *id)
{
    size_t index;
    json_t *item;
    json_array_foreach((json_t *)list, index, item)
    {
        if (strcmp(facts_text(item, "id"), id) == 0)
            return item;
    }
    return NULL;
}

const json_t *facts_verified(const Facts *facts, const json_t *variant)
{
    return with_id(json_object_get(facts->verify, "variants"), facts_text(variant, "id"));
}

bool facts_entry_is(const json_t *entry, const char *kind)
{
    return strcmp(facts_text(entry, "kind"), kind) == 0;
}

const json_t *facts_entry(const json_t *shape, const json_t *variant)
{
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(shape, "entries"), index, entry)
    {
        /* A control may carry a variant's id: it is the same kernel, entered twice. */
        if (!facts_entry_is(entry, "variant"))
            continue;
        if (strcmp(facts_text(entry, "id"), facts_text(variant, "id")) == 0)
            return entry;
    }
    return NULL;
}

const json_t *facts_entry_of_kind(const json_t *shape, const char *kind)
{
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(shape, "entries"), index, entry)
    {
        if (facts_entry_is(entry, kind))
            return entry;
    }
    return NULL;
}

const json_t *facts_entry_like(const json_t *shape, const json_t *entry)
{
    size_t index;
    json_t *other;
    json_array_foreach(json_object_get(shape, "entries"), index, other)
    {
        if (facts_entry_is(other, facts_text(entry, "kind")) &&
            strcmp(facts_text(other, "id"), facts_text(entry, "id")) == 0)
            return other;
    }
    return NULL;
}

const json_t *facts_fastest(const json_t *shape)
{
    const json_t *best = NULL;
    size_t index;
    json_t *entry;
    json_array_foreach(json_object_get(shape, "entries"), index, entry)
    {
        double time = facts_number(entry, "median_ns");
        if (!facts_entry_is(entry, "variant") || !(time > 0))
            continue;
        if (!best || time < facts_number(best, "median_ns"))
            best = entry;
    }
    return best;
}

const char *facts_exchange(Arena *arena, const json_t *object)
{
    const char *exchange = facts_text(object, "exchange");
    return facts_true(object, "overlap") ? arena_printf(arena, "%s, overlapped", exchange) : exchange;
}

const char *facts_target(Arena *arena, const json_t *variant)
{
    const char *target = facts_text(variant, "target"), *exchange = facts_exchange(arena, variant);
    return *exchange ? arena_printf(arena, "%s, %s", target, exchange) : target;
}

const json_t *facts_variant_of(const Facts *facts, const json_t *entry, size_t *index)
{
    const json_t *list = facts_variants(facts);
    for (*index = 0; *index < json_array_size(list); ++*index) {
        const json_t *variant = json_array_get(list, *index);
        if (strcmp(facts_text(variant, "id"), facts_text(entry, "id")) == 0)
            return variant;
    }
    return NULL;
}

bool facts_shows_promise(const Facts *facts, int promise)
{
    if (strcmp(promise_labels[promise].name, "RANKS") != 0)
        return true;
    const json_t *variants = facts_variants(facts);
    for (size_t i = 0; i < json_array_size(variants); i++)
        if (strcmp(facts_text(json_array_get(variants, i), "target"), "mpi") == 0)
            return true;
    return false;
}

const json_t *facts_promise_detail(const json_t *verified, const char *name)
{
    return json_object_get(json_object_get(verified, "promises"), name);
}

PromiseState facts_promise(const json_t *verified, const char *name)
{
    const char *status = facts_text(facts_promise_detail(verified, name), "status");
    for (int i = 0; i < PROMISE_STATES; i++) {
        const char *known = promise_state_rows[i].name;
        size_t size = strlen(known);
        if (strncmp(status, known, size) == 0 && (status[size] == '\0' || status[size] == ':'))
            return promise_state_rows[i].state;
    }
    return PROMISE_NOT_TRIED;
}

const char *facts_promise_reason(const json_t *verified, const char *name)
{
    const char *status = facts_text(facts_promise_detail(verified, name), "status");
    const char *colon = strchr(status, ':');
    if (colon)
        return colon[1] == ' ' ? colon + 2 : colon + 1;
    if (*status)
        return "";
    return *facts_text(verified, "failure") ? facts_text(verified, "failure")
                                            : "the variant was not verified";
}

/* What a variant's failure explains is not a reason of the promise's own. */
static bool says_same(const json_t *a, const json_t *b, const char *name)
{
    const json_t *mine = facts_promise_detail(a, name), *other = facts_promise_detail(b, name);
    return !*facts_text(b, "failure") &&
           strcmp(facts_text(mine, "status"), facts_text(other, "status")) == 0 &&
           strcmp(facts_text(mine, "detail"), facts_text(other, "detail")) == 0;
}

size_t facts_promise_alike(const Facts *facts, size_t index, const char *name)
{
    const json_t *variants = facts_variants(facts);
    const json_t *verified = facts_verified(facts, json_array_get(variants, index));
    if (facts_promise(verified, name) == PROMISE_BROKEN || *facts_text(verified, "failure"))
        return 1;
    size_t alike = 0;
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *other = facts_verified(facts, json_array_get(variants, i));
        if (other == NULL || !says_same(verified, other, name))
            continue;
        if (i < index)
            return 0;
        alike++;
    }
    return alike;
}

double facts_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *facts_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

bool facts_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static bool same_method(const json_t *a, const json_t *b)
{
    return strcmp(facts_text(a, "label"), facts_text(b, "label")) == 0 &&
           strcmp(facts_text(a, "tree"), facts_text(b, "tree")) == 0;
}

static bool place_method(BatchMatrix *matrix, const json_t *row)
{
    for (int i = 0; i < matrix->methods; i++)
        if (same_method(matrix->method[i], row))
            return true;
    if (matrix->methods == FACTS_METHODS)
        return false;
    matrix->method[matrix->methods++] = row;
    return true;
}

static bool place_batch(BatchMatrix *matrix, int batch)
{
    for (int i = 0; i < matrix->batches; i++)
        if (matrix->batch[i] == batch)
            return true;
    if (matrix->batches == FACTS_BATCHES)
        return false;
    matrix->batch[matrix->batches++] = batch;
    return true;
}

void facts_batch_matrix(const json_t *rows, BatchMatrix *matrix)
{
    *matrix = (BatchMatrix){0};
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        int batch = (int)json_integer_value(json_object_get(row, "batch"));
        if (!place_method(matrix, row) || !place_batch(matrix, batch))
            matrix->left_out++;
    }
}

const json_t *facts_batch_row(const json_t *rows, const json_t *method, int batch)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_integer_value(json_object_get(row, "batch")) == batch && same_method(row, method))
            return row;
    }
    return NULL;
}

Summary facts_summary(const Facts *facts)
{
    Summary summary = {0};
    const json_t *variants = facts_variants(facts), *controls = facts_controls(facts);
    summary.variants = json_array_size(variants);
    for (size_t i = 0; i < summary.variants; i++) {
        const json_t *verified = facts_verified(facts, json_array_get(variants, i));
        if (!verified)
            continue;
        summary.verified++;
        summary.failed += *facts_text(verified, "failure") != '\0';
        for (int p = 0; p < PROMISES; p++)
            summary.state[facts_promise(verified, promise_labels[p].name)] += facts_shows_promise(facts, p);
    }
    summary.controls = json_array_size(controls);
    for (size_t i = 0; i < json_array_size(controls); i++) {
        const json_t *control = json_array_get(controls, i);
        summary.caught += facts_true(control, "caught");
        summary.controls -= *facts_text(control, "not_tried") != '\0';
    }
    return summary;
}
