/* workshop.c: see workshop.h. */
#include "workshop.h"

#include "../driver/folder.h"

#include "driver/child.h"
#include "driver/guard.h"
#include "driver/kernel.h"
#include "emit/emit.h"
#include "reference/evaluate.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const double seconds_per_kernel = 120;

void workshop_need_compiler(void)
{
    if (system("${SAMEBITS_CLANG:-clang} --version >/dev/null 2>&1") != 0) {
        printf("# skipped: no clang here, so no kernel can be compiled\n");
        fflush(stdout);
        skip();
    }
}

uint32_t workshop_word(float value)
{
    uint32_t word;
    if (value != value) {
        return 0x7fc00000u;
    }
    memcpy(&word, &value, sizeof word);
    return word;
}

/* ---- from text to kernels ---- */

static void fail_on_mistakes(const Workshop *shop, const char *what)
{
    diagnostics_print(&shop->diagnostics, stderr);
    folder_remove(shop->folder);
    fail_msg("%s: %s", shop->family.name, what);
}

void workshop_open(Workshop *shop, const char *name, const char *path, const char *text,
                   const AxisOverride *overrides, int override_count)
{
    memset(shop, 0, sizeof *shop);
    shop->arena = arena_create();
    diagnostics_init(&shop->diagnostics, shop->arena);
    shop->folder = folder_create(shop->arena);
    shop->out = arena_printf(shop->arena, "%s/out", shop->folder);
    shop->family.name = name;
    if (!path) {
        path = folder_write(shop->arena, shop->folder, arena_printf(shop->arena, "%s.lua", name), text);
    }
    const Family *read = family_read(shop->arena, &shop->diagnostics, path, overrides, override_count);
    if (!read) {
        fail_on_mistakes(shop, "the spec has mistakes");
    }
    shop->family = *read;
    shop->family.controls = 0;
}

void workshop_close(Workshop *shop)
{
    folder_remove(shop->folder);
    arena_destroy(shop->arena);
}

void workshop_keep(Workshop *shop, WorkshopWanted *wanted)
{
    Family *family = &shop->family;
    int kept = 0;
    for (int v = 0; v < family->variants; v++) {
        if (wanted(&family->variant[v])) {
            family->variant[kept++] = family->variant[v];
        }
    }
    family->variants = kept;
}

int workshop_build(Workshop *shop)
{
    int failures = 0;
    const int asked = shop->family.variants;
    if (!emit_family(shop->arena, &shop->diagnostics, &shop->family, shop->out)) {
        fail_on_mistakes(shop, "the sources cannot be written");
    }
    for (int s = 0; s < shop->family.skips; s++) {
        fprintf(stderr, "not made: %s: %s\n", shop->family.skip[s].what, shop->family.skip[s].why);
    }
    failures += asked - shop->family.variants;
    if (!build_run(shop->arena, &shop->diagnostics, &shop->family, shop->out, false, false, &shop->built)) {
        fail_on_mistakes(shop, "nothing can be compiled");
    }
    for (int v = 0; v < shop->family.variants; v++) {
        const char *why = shop->built.why[v * build_count];
        if (why) {
            fprintf(stderr, "does not compile: %s: %s\n", shop->family.variant[v].id, why);
            failures++;
        }
    }
    return failures;
}

/* ---- trying one kernel, in a child ---- */

typedef struct Attempt {
    Workshop *shop;
    const Variant *variant;
    const Trial *trial;
    int trials;
    Findings found;
} Attempt;

static void append_shape(char *text, size_t size, const Operator *op, const Trial *trial)
{
    size_t used = 0;
    for (int d = 0; d < op->dims; d++) {
        used += (size_t)snprintf(text + used, size - used, "%s=%zu ", op->dim[d], trial->shape.size[d]);
    }
    snprintf(text + used, size - used, "%s", input_kind_name(trial->kind));
}

static GuardedBuffer guarded(size_t elements, int number)
{
    GuardedBuffer buffer;
    const char *why = guarded_buffer_create(&buffer, elements, number % 2 ? GUARD_START : GUARD_END, 0);
    if (why) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
    return buffer;
}

typedef struct Buffers {
    GuardedBuffer input[OPERATOR_INPUTS], output[OPERATOR_OUTPUTS], right[OPERATOR_OUTPUTS];
} Buffers;

/* Input i has another seed than input i + 1; the kind changes with the input too, where it is one that would
 * make every result zero or NaN if all inputs had it. */
static void fill_input(GuardedBuffer *buffer, const Operator *op, const Trial *trial, int i, int number)
{
    const Tensor *tensor = &op->input[i];
    const size_t columns = tensor->rank ? trial->shape.size[tensor->dim[tensor->rank - 1]] : 1;
    const bool tame = i > 0 && (trial->kind == INPUT_LARGE || trial->kind == INPUT_SUBNORMAL ||
                                trial->kind == INPUT_NEGATIVE_ZERO);
    if (trial->input[i]) {
        memcpy(buffer->data, trial->input[i], buffer->elements * sizeof(float));
    } else {
        inputs_fill(buffer->data, buffer->elements, columns, tame ? INPUT_NORMAL : trial->kind,
                    (uint64_t)(number * OPERATOR_INPUTS + i));
    }
}

static void fill_call(CallData *call, Buffers *buffers, const Operator *op, const Trial *trial, int number)
{
    call->shape = trial->shape;
    for (int i = 0; i < op->inputs; i++) {
        buffers->input[i] = guarded(tensor_elements(&op->input[i], &trial->shape), number + i);
        fill_input(&buffers->input[i], op, trial, i, number);
        call->input[i] = buffers->input[i].data;
    }
    for (int o = 0; o < op->outputs; o++) {
        const size_t elements = tensor_elements(&op->output[o], &trial->shape);
        buffers->output[o] = guarded(elements, number + o);
        buffers->right[o] = guarded(elements, number + o);
        for (size_t e = 0; e < elements; e++) {
            buffers->output[o].data[e] = -12345.0f; /* what is not written shows */
        }
        call->output[o] = buffers->right[o].data;
    }
    for (int p = 0; p < op->params; p++) {
        call->param[p] = op->param[p].value;
    }
}

static void free_buffers(Buffers *buffers, const Operator *op)
{
    for (int i = 0; i < op->inputs; i++) {
        guarded_buffer_destroy(&buffers->input[i]);
    }
    for (int o = 0; o < op->outputs; o++) {
        guarded_buffer_destroy(&buffers->output[o]);
        guarded_buffer_destroy(&buffers->right[o]);
    }
}

static void note_wrong(Attempt *attempt, const Trial *trial, const char *what)
{
    Findings *found = &attempt->found;
    char shape[160];
    append_shape(shape, sizeof shape, attempt->variant->op, trial);
    if (!found->wrong++) {
        snprintf(found->first, sizeof found->first, "%s, %d threads: %s", shape,
                 trial->threads ? trial->threads : 2, what);
    }
}

/* One line about the outputs: what is wrong with them, or NULL. */
static const char *compare_outputs(Attempt *attempt, const Buffers *buffers, char *text, size_t size)
{
    const Operator *op = attempt->variant->op;
    const char *why = NULL;
    for (int o = 0; o < op->outputs; o++) {
        const float *got = buffers->output[o].data, *right = buffers->right[o].data;
        for (size_t e = 0; e < buffers->output[o].elements; e++) {
            const uint32_t a = workshop_word(right[e]), b = workshop_word(got[e]);
            attempt->found.digest = (attempt->found.digest ^ a) * 0x100000001b3u;
            if (a != b && !why) {
                snprintf(text, size, "%s[%zu] is %08x (%g), right is %08x (%g)", op->output[o].name, e, b,
                         (double)got[e], a, (double)right[e]);
                why = text;
            }
        }
        if (!why && guarded_buffer_check(&buffers->output[o])) {
            snprintf(text, size, "%s: %s", op->output[o].name, guarded_buffer_check(&buffers->output[o]));
            why = text;
        }
    }
    return why;
}

static void try_once(Attempt *attempt, const Kernel *kernel, int number)
{
    const Variant *variant = attempt->variant;
    const Trial *trial = &attempt->trial[number];
    Buffers buffers;
    CallData call = {0};
    char text[240];
    fill_call(&call, &buffers, variant->op, trial, number);
    if (trial->output) {
        memcpy(buffers.right[0].data, trial->output, buffers.right[0].elements * sizeof(float));
    } else {
        reference_evaluate(variant->op, variant->tree, variant->accumulator, &call, 1);
    }
    for (int o = 0; o < variant->op->outputs; o++) {
        call.output[o] = buffers.output[o].data;
    }
    if (trial->in_place) {
        assert(buffers.output[0].elements == buffers.input[0].elements);
        memcpy(call.output[0], buffers.input[0].data, buffers.input[0].elements * sizeof(float));
        call.input[0] = call.output[0];
    }
    kernel_set_threads(trial->threads ? trial->threads : 2);
    kernel_call(kernel, &call);
    const char *differs = compare_outputs(attempt, &buffers, text, sizeof text),
               *failed = kernel_failure(kernel), *wrong = failed ? failed : differs;
    attempt->found.cases++;
    if (wrong) {
        note_wrong(attempt, trial, wrong);
    }
    free_buffers(&buffers, variant->op);
}

static void work(void *context, FILE *out)
{
    Attempt *attempt = context;
    Workshop *shop = attempt->shop;
    const char *why = NULL;
    const char *path = build_object_path(shop->arena, &shop->family, attempt->variant, shop->out, 0);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    Kernel *kernel = kernel_open(shop->arena, path, attempt->variant->symbol, attempt->variant->op, &why);
    if (!kernel) {
        fprintf(out, "0 1 0 %s", why);
        return;
    }
    kernel_prepare_thread();
    for (int i = 0; i < attempt->trials; i++) {
        try_once(attempt, kernel, i);
    }
    fprintf(out, "%d %d %llu %s", attempt->found.cases, attempt->found.wrong,
            (unsigned long long)attempt->found.digest, attempt->found.first);
    kernel_close(kernel);
}

Findings workshop_try(Workshop *shop, const Variant *variant, const Trial *trial, int trials)
{
    Attempt attempt = {shop, variant, trial, trials, {0}};
    Findings found = {0};
    Buffer text = {0};
    int used = 0;
    unsigned long long digest = 0;
    const char *why = child_run(shop->arena, (ChildLimits){seconds_per_kernel, 0}, work, &attempt, &text);
    if (why ||
        sscanf(buffer_string(&text), "%d %d %llu %n", &found.cases, &found.wrong, &digest, &used) != 3) {
        found.wrong = 1;
        snprintf(found.first, sizeof found.first, "%s", why ? why : "the child said nothing");
    } else {
        snprintf(found.first, sizeof found.first, "%s", buffer_string(&text) + used);
    }
    found.digest = digest;
    buffer_destroy(&text);
    return found;
}

/* ---- all kernels of a family ---- */

/* A digest of the order that a term means on the trials' last dim. A start that is joined changes no bit but
 * a zero's sign, so it does not count. */
typedef struct Order {
    uint64_t *value;
    int count, capacity;
} Order;

static int order_keep(Order *order, uint64_t value)
{
    if (order->count == order->capacity) {
        order->capacity = order->capacity ? 2 * order->capacity : 1024;
        order->value = realloc(order->value, (size_t)order->capacity * sizeof *order->value);
        assert_non_null(order->value);
    }
    order->value[order->count] = value;
    return order->count++;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 29) ^ b) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 32);
}

static int order_start(void *order)
{
    return order_keep(order, 0);
}

static int order_step(void *context, int accumulator, uint64_t leaf)
{
    Order *order = context;
    return order_keep(order, mix(order->value[accumulator] + 1, leaf));
}

static int order_join(void *context, int left, int right)
{
    Order *order = context;
    const uint64_t a = order->value[left], b = order->value[right];
    return order_keep(order, a == 0 ? b : b == 0 ? a : mix(a, ~b));
}

static uint64_t order_digest(const Variant *variant, const Trial *trial, int trials)
{
    uint64_t digest = 0;
    Order order = {0};
    const TermWalk walk = {&order, order_start, order_step, order_join};
    for (int t = 0; t < trials; t++) {
        order.count = 0;
        const uint64_t leaves = trial[t].shape.size[variant->op->dims - 1];
        const int root = term_walk(variant->tree, leaves, 1, &walk);
        digest = mix(digest, order.value[root]); /* the walk may have moved the values */
    }
    free(order.value);
    return digest;
}

/* Two variants of one target and accumulator must give different bits where they mean different orders. */
static int compare_digests(const Workshop *shop, const Findings *found, const Trial *trial, int trials)
{
    const Family *family = &shop->family;
    uint64_t *order = ARENA_ARRAY(shop->arena, uint64_t, (size_t)family->variants);
    int failures = 0;
    for (int a = 0; a < family->variants; a++) {
        const Variant *one = &family->variant[a];
        order[a] = order_digest(one, trial, trials);
        for (int b = 0; b < a; b++) {
            const Variant *other = &family->variant[b];
            if (found[a].cases && found[b].cases && one->accumulator == other->accumulator &&
                one->target == other->target && order[a] != order[b] && found[a].digest == found[b].digest) {
                fprintf(stderr, "not told apart by these inputs: %s and %s\n", one->id, other->id);
                failures++;
            }
        }
    }
    return failures;
}

int workshop_check(Workshop *shop, const Trial *trial, int trials, bool told_apart)
{
    int failures = workshop_build(shop);
    const Family *family = &shop->family;
    Findings *found = ARENA_ARRAY(shop->arena, Findings, (size_t)family->variants);
    for (int v = 0; v < family->variants; v++) {
        if (shop->built.why[v * build_count]) {
            continue;
        }
        found[v] = workshop_try(shop, &family->variant[v], trial, trials);
        if (found[v].wrong || found[v].cases != trials) {
            fprintf(stderr, "wrong: %s: %d of %d calls: %s\n", family->variant[v].id, found[v].wrong, trials,
                    found[v].first);
            failures++;
        }
    }
    if (told_apart) {
        failures += compare_digests(shop, found, trial, trials);
    }
    return failures;
}
