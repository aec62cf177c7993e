/* canonical.c: what a certificate holds: digests of the canonical cases, error figures, and what
 * flush-to-zero changes. */
#include "verify/check.h"

#include "driver/kernel.h"
#include "verify/rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- digests ---- */

typedef struct Outputs { /* of all cases, one after the other */
    float *data;
    size_t count, capacity;
} Outputs;

static void outputs_append(Outputs *all, const float *data, size_t elements)
{
    if (all->count + elements > all->capacity) {
        all->capacity = 2 * (all->count + elements);
        all->data = realloc(all->data, all->capacity * sizeof *all->data);
        if (all->data == NULL)
            arena_out_of_memory();
    }
    if (elements > 0)
        memcpy(all->data + all->count, data, elements * sizeof *data);
    all->count += elements;
}

static void digest_case(Check *check, const Case *what, Outputs *all, json_t *list)
{
    Arena *arena = arena_create();
    const Operator *op = check->variant->op;
    Trial trial = trial_create(arena, check->variant, what);
    size_t before = all->count;
    char digest[65];
    check_doing(check, what, "a canonical case");
    check_call(check, &trial, trial.output);
    for (int o = 0; o < op->outputs; o++)
        outputs_append(all, trial.output[o], tensor_elements(&op->output[o], &what->shape));
    inputs_digest(all->data + before, all->count - before, digest);
    json_t *shape = json_object();
    for (int d = 0; d < op->dims; d++)
        json_object_set_new(shape, op->dim[d], json_integer((json_int_t)what->shape.size[d]));
    json_array_append_new(list, json_pack("{s:s, s:I, s:o, s:s}", "data", fill_name(what->fill), "seed",
                                          (json_int_t)what->seed, "shape", shape, "outputs", digest));
    check->cases++;
    arena_destroy(arena);
}

void check_digests(Check *check)
{
    CaseList list = cases_canonical(check->arena, check->variant);
    Outputs all = {.data = malloc(sizeof(float)), .capacity = 1};
    char digest[65];
    json_t *cases = json_array();
    if (all.data == NULL)
        arena_out_of_memory();
    kernel_set_threads(kernel_default_threads());
    for (int i = 0; i < list.count; i++)
        digest_case(check, &list.item[i], &all, cases);
    inputs_digest(all.data, all.count, digest);
    free(all.data);
    check->data = json_pack("{s:o, s:s}", "canonical", cases, "output_digest", digest);
}

/* ---- error against the real-number result ---- */

static json_t *error_figures(Check *check)
{
    Arena *arena = arena_create();
    const Operator *op = check->variant->op;
    Case what = case_for_error(op);
    Trial trial = trial_create(arena, check->variant, &what);
    double most = 0, sum = 0;
    size_t measured = 0, exactly = 0, apart = 0;
    check_doing(check, &what, "error figures");
    check_call(check, &trial, trial.output);
    for (int o = 0; o < op->outputs; o++)
        for (size_t i = 0; i < tensor_elements(&op->output[o], &what.shape); i++) {
            double exact = check->exact[o][i], error = error_in_ulps(trial.output[o][i], exact);
            if (!isfinite(error)) { /* one is finite, the other not */
                apart++;
                continue;
            }
            most = error > most ? error : most;
            sum += error;
            measured++;
            exactly += !words_differ(trial.output[o][i], (float)exact);
        }
    json_t *figures =
        json_pack("{s:f, s:f, s:f, s:s}", "max_ulps", most, "mean_ulps",
                  measured ? sum / (double)measured : 0.0, "exact_share",
                  measured ? (double)exactly / (double)measured : 0.0, "inputs", case_text(arena, op, &what));
    if (apart > 0)
        json_object_set_new(figures, "not_finite", json_integer((json_int_t)apart));
    arena_destroy(arena);
    return figures;
}

/* ---- flush to zero ---- */

#if defined __x86_64__ || defined __i386__
enum { MXCSR_FTZ = 1 << 15, MXCSR_DAZ = 1 << 6 }; /* Intel SDM vol. 1, 10.2.3 */

static const char *flush_trial(Check *check)
{
    Arena *arena = arena_create();
    const Operator *op = check->variant->op;
    Case what = case_typical(op, check->variant->tree, 5);
    what.fill = INPUT_SUBNORMAL;
    Trial trial = trial_create(arena, check->variant, &what);
    for (int i = 1; i < op->inputs; i++) /* products of two subnormals would all be zero anyway */
        inputs_fill(trial.input[i], tensor_elements(&op->input[i], &what.shape), 1, INPUT_NORMAL, what.seed);
    float *flushed[OPERATOR_OUTPUTS];
    Difference difference;
    trial_fresh_outputs(arena, op, &what.shape, flushed);
    check_doing(check, &what, "with flush-to-zero set by the host");
    check_call(check, &trial, trial.output);
    unsigned state = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(state | MXCSR_FTZ | MXCSR_DAZ);
    check_call(check, &trial, flushed);
    __builtin_ia32_ldmxcsr(state);
    bool changed = outputs_differ(op, &what.shape, trial.output, flushed, &difference);
    arena_destroy(arena);
    return changed ? "changes bits" : "no change";
}
#else
static const char *flush_trial(Check *check)
{
    (void)check;
    return "not tried: this processor's control register is not known here";
}
#endif

void check_canonical(Check *check)
{
    check_digests(check);
    if (check->exact != NULL)
        json_object_set_new(check->data, "error", error_figures(check));
    if (!check->variant->target->gpu && !check->variant->target->ranks) /* this host's state is not theirs */
        json_object_set_new(check->data, "ftz", json_string(flush_trial(check)));
}

/* ---- against another kernel ---- */

void check_against(Check *check)
{
    const char *why = NULL;
    const Operator *op = check->variant->op;
    Kernel *other = kernel_open_variant(check->arena, check->other, check->other_variant, &why);
    CaseList list = cases_canonical(check->arena, check->variant);
    if (other == NULL) {
        check_note(check, why);
        return;
    }
    for (int i = 0; i < list.count && check->broken == 0; i++) {
        Arena *arena = arena_create();
        Trial trial = trial_create(arena, check->variant, &list.item[i]);
        CallData call = trial.call;
        float *output[OPERATOR_OUTPUTS];
        trial_fresh_outputs(arena, op, &list.item[i].shape, output);
        memcpy(call.output, output, sizeof output);
        check_doing(check, &list.item[i], "against another kernel");
        check_call(check, &trial, trial.output);
        kernel_call(other, &call);
        check_launched(check, other);
        check_equal(check, &list.item[i], &trial, &list.item[i].shape, trial.output, output,
                    "against another kernel");
        arena_destroy(arena);
    }
}
