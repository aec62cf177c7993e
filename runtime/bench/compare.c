/* compare.c: running the methods of a spec against each other, bit for bit (see compare.h).
 *
 * Every method runs in a child process; the reference values are computed once, before, in the parent.
 * Differences are absolute: an output near zero would make any relative figure meaningless; the largest
 * magnitude of the output stands beside them. */
#include "bench/compare.h"
#include "array/inputs.h"
#include "bench/clock.h"
#include "driver/child.h"
#include "driver/kernel.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RUNS = 200, /* half of them with more threads than processors: order then depends on the scheduler */
    CROWD = 4,  /* times as many threads */
    ELEMENTS_LIMIT =
        1 << 18, /* of the first output; above, rows are left out: MPFR takes about 10 us per element */
    METHOD_LIMIT_S = 60
};
static const int64_t runs_limit_ns = 10000000000;

typedef struct Comparison {
    const Family *family;
    const LineUp *line_up;
    int *entry; /* one per contract */
    int entries;
    int threads;
    Shape shape; /* of one item */
    InputKind data;
    double *exact[OPERATOR_OUTPUTS];
} Comparison;

/* ---- which methods ------------------------------------------------------------------------------------- */

static int find_same_contract(const Comparison *comparison, const Variant *variant)
{
    for (int i = 0; i < comparison->entries; i++)
        if (strcmp(comparison->line_up->variant[comparison->entry[i]]->digest, variant->digest) == 0)
            return i;
    return -1;
}

/* Two methods of a spec may have one contract and two labels; then both rows are wanted. */
static bool has_same_label(const Variant *a, const Variant *b)
{
    return (a->label == NULL && b->label == NULL) ||
           (a->label != NULL && b->label != NULL && strcmp(a->label, b->label) == 0);
}

static void choose_entries(Arena *arena, Comparison *comparison)
{
    const LineUp *line_up = comparison->line_up;
    comparison->entry = ARENA_ARRAY(arena, int, (size_t)line_up->entries);
    for (int e = 0; e < line_up->entries; e++) {
        const Variant *variant = line_up->variant[e];
        if (variant == NULL)
            continue;
        int known = find_same_contract(comparison, variant);
        const Variant *other = known < 0 ? NULL : line_up->variant[comparison->entry[known]];
        if (other == NULL || !has_same_label(variant, other))
            comparison->entry[comparison->entries++] = e;
        else if (variant->target->width > other->target->width)
            comparison->entry[known] = e;
    }
}

/* ---- data ------------------------------------------------------------------------------------------------
 */

static const Operator *operator_of(const Comparison *comparison)
{
    return comparison->family->op;
}

static const char *describe_data(Arena *arena, const Comparison *comparison)
{
    const Operator *op = operator_of(comparison);
    const char *sizes = "";
    for (int d = 0; d < op->dims; d++)
        sizes = arena_printf(arena, "%s%s%s = %zu", sizes, d > 0 ? ", " : "", op->dim[d],
                             comparison->shape.size[d]);
    return arena_printf(arena, "%s; %s.", sizes,
                        comparison->data == INPUT_MIXED
                            ? "values of mixed magnitude: a quarter times 10, half as they are, a quarter "
                              "times 0.1"
                            : "normally distributed values");
}

static CallData create_call(Arena *arena, const Operator *op, Shape shape, InputKind data)
{
    CallData call = {.shape = shape};
    for (int i = 0; i < op->inputs; i++) {
        const Tensor *tensor = &op->input[i];
        size_t elements = tensor_elements(tensor, &shape);
        float *values = ARENA_ARRAY(arena, float, elements + 1);
        size_t columns = tensor->rank > 0 ? shape.size[tensor->dim[tensor->rank - 1]] : 1;
        inputs_fill(values, elements, columns, i == 0 ? data : INPUT_NORMAL, (uint64_t)i + 1);
        call.input[i] = values;
    }
    for (int o = 0; o < op->outputs; o++)
        call.output[o] = ARENA_ARRAY(arena, float, tensor_elements(&op->output[o], &shape) + 1);
    for (int p = 0; p < op->params; p++)
        call.param[p] = op->param[p].value;
    return call;
}

typedef struct Difference {
    double most;     /* absolute */
    size_t elements; /* that differ */
} Difference;

static bool is_same_value(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static Difference compare_values(const float *a, const float *b, size_t elements)
{
    Difference difference = {0};
    for (size_t i = 0; i < elements; i++) {
        if (is_same_value(a[i], b[i]))
            continue;
        double distance = fabs((double)a[i] - (double)b[i]);
        difference.most = fmax(difference.most, isfinite(distance) ? distance : (double)FLT_MAX);
        difference.elements++;
    }
    return difference;
}

static Difference compare_outputs(const Operator *op, const CallData *a, const CallData *b)
{
    Difference all = {0};
    for (int o = 0; o < op->outputs; o++) {
        Difference one =
            compare_values(a->output[o], b->output[o], tensor_elements(&op->output[o], &a->shape));
        all.most = fmax(all.most, one.most);
        all.elements += one.elements;
    }
    return all;
}

/* ---- methods: in the child
 * --------------------------------------------------------------------------------- */

typedef struct Job {
    const Comparison *comparison;
    int method;
} Job;

static Kernel *open_method(Arena *arena, const Comparison *comparison, int method, FILE *out)
{
    const BenchEntry *entry = &comparison->line_up->entry[comparison->entry[method]];
    const char *why = NULL;
    Kernel *kernel = kernel_open(arena, entry->path, entry->symbol, operator_of(comparison), &why);
    if (kernel == NULL)
        fprintf(out, "why %s\n", why);
    return kernel;
}

static double largest_error(const Operator *op, const CallData *call, double *const exact[])
{
    double most = 0.0;
    for (int o = 0; o < op->outputs; o++)
        for (size_t i = 0; i < tensor_elements(&op->output[o], &call->shape); i++)
            most = fmax(most, error_in_ulps(call->output[o][i], exact[o][i]));
    return fmin(most, DBL_MAX);
}

static double largest_magnitude(const Operator *op, const CallData *call)
{
    double most = 0.0;
    for (int o = 0; o < op->outputs; o++)
        for (size_t i = 0; i < tensor_elements(&op->output[o], &call->shape); i++)
            most = fmax(most, fmin(fabs((double)call->output[o][i]), (double)FLT_MAX));
    return most;
}

static void repeat_calls(const Comparison *comparison, const Kernel *kernel, const CallData *first,
                         CallData *again, FILE *out)
{
    int runs = 0, differing = 0;
    double most = 0.0;
    int64_t begin = clock_nanoseconds();
    for (; runs < RUNS && clock_nanoseconds() - begin < runs_limit_ns; runs++) {
        kernel_set_threads(runs % 2 ? comparison->threads * CROWD : comparison->threads);
        kernel_call(kernel, again);
        Difference difference = compare_outputs(operator_of(comparison), first, again);
        most = fmax(most, difference.most);
        differing += difference.elements > 0;
    }
    fprintf(out, "runs %d %d %.9g\n", runs, differing, most);
}

static void run_method(void *context, FILE *out)
{
    const Job *job = context;
    const Comparison *comparison = job->comparison;
    const Operator *op = operator_of(comparison);
    Arena *arena = arena_create();
    kernel_prepare_thread();
    setenv("KMP_BLOCKTIME", "1",
           0); /* with more threads than processors, spinning ones only stand in the way */
    Kernel *kernel = open_method(arena, comparison, job->method, out);
    Kernel *standard = open_method(arena, comparison, 0, out);
    if (kernel == NULL || standard == NULL)
        return;
    CallData first = create_call(arena, op, comparison->shape, comparison->data);
    CallData again = create_call(arena, op, comparison->shape, comparison->data);
    kernel_set_threads(comparison->threads);
    kernel_call(standard, &again);
    kernel_call(kernel, &first);
    fprintf(out, "standard %.9g\n", compare_outputs(op, &first, &again).most);
    fprintf(out, "ulps %.9g\n", largest_error(op, &first, comparison->exact));
    fprintf(out, "magnitude %.9g\n", largest_magnitude(op, &first));
    repeat_calls(comparison, kernel, &first, &again, out);
}

/* ---- methods: in the parent
 * ---------------------------------------------------------------------------------- */

typedef struct MethodRun {
    double standard, ulps, magnitude, run_to_run;
    int runs, differing;
    const char *why;
} MethodRun;

static MethodRun run_in_child(Arena *arena, const Comparison *comparison, int method)
{
    Job job = {comparison, method};
    Buffer text = {0};
    MethodRun run = {0};
    run.why = child_run(arena, (ChildLimits){.seconds = METHOD_LIMIT_S}, run_method, &job, &text);
    char *rest = NULL;
    for (char *line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        sscanf(line, "standard %lf", &run.standard);
        sscanf(line, "ulps %lf", &run.ulps);
        sscanf(line, "magnitude %lf", &run.magnitude);
        sscanf(line, "runs %d %d %lf", &run.runs, &run.differing, &run.run_to_run);
        if (strncmp(line, "why ", 4) == 0)
            run.why = arena_copy(arena, line + 4);
    }
    if (run.why == NULL && run.runs == 0)
        run.why = "it said nothing";
    buffer_destroy(&text);
    return run;
}

static void evaluate_exactly(Arena *arena, Comparison *comparison)
{
    const Operator *op = operator_of(comparison);
    CallData call = create_call(arena, op, comparison->shape, comparison->data);
    for (int o = 0; o < op->outputs; o++)
        comparison->exact[o] =
            ARENA_ARRAY(arena, double, tensor_elements(&op->output[o], &comparison->shape) + 1);
    mpfr_evaluate(op, &call, comparison->exact);
}

/* The spec's name for it, else its tree: what rows differ in. */
static const char *method_label(Arena *arena, const Comparison *comparison, int method)
{
    const Variant *variant = comparison->line_up->variant[comparison->entry[method]];
    if (variant->label != NULL)
        return variant->label;
    const char *tree = term_short_text(arena, variant->tree);
    return variant->accumulator == ACCUMULATOR_F32
               ? tree
               : arena_printf(arena, "%s in %s", tree, accumulator_name(variant->accumulator));
}

static double method_time(Arena *arena, const Comparison *comparison, const Pass *pass, int method)
{
    int entry = comparison->entry[method];
    return pass != NULL && times_has(&pass->times, entry) ? times_median(arena, &pass->times, entry) : NAN;
}

static json_t *method_to_json(Arena *arena, const Comparison *comparison, int method, const MethodRun *run,
                              const MethodFact *fact)
{
    const Variant *variant = comparison->line_up->variant[comparison->entry[method]];
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s}", "label", method_label(arena, comparison, method), "id", variant->id,
                  "tree", term_short_text(arena, variant->tree), "target", variant->target->name);
    if (!isnan(fact->time_ns))
        json_object_set_new(row, "time_ns", json_real(fact->time_ns));
    if (run->why != NULL) {
        json_object_set_new(row, "failure", json_string(run->why));
        return row;
    }
    json_object_set_new(row, "run_to_run_max", json_real(run->run_to_run));
    json_object_set_new(row, "runs", json_integer(run->runs));
    json_object_set_new(row, "runs_differing", json_integer(run->differing));
    json_object_set_new(row, "from_standard_max", json_real(run->standard));
    json_object_set_new(row, "output_max", json_real(run->magnitude));
    json_object_set_new(row, "deterministic", json_boolean(fact->deterministic));
    json_object_set_new(row, "max_ulps", json_real(run->ulps));
    return row;
}

/* How many times as fast as the chosen method each other one is, as an interval over processes. */
static void set_gains(Arena *arena, const Comparison *comparison, const Pass *pass, MethodFact *fact,
                      int facts)
{
    int chosen = compare_choose_method(fact, facts);
    for (int i = 0; i < facts && chosen >= 0; i++) {
        if (i == chosen || isnan(fact[i].time_ns) || isnan(fact[chosen].time_ns))
            continue;
        Ratio ratio = times_ratio(arena, &pass->times, comparison->entry[chosen], -1, comparison->entry[i],
                                  pass->comparisons);
        fact[i].gain_low = exp(ratio.interval.low);
        fact[i].gain_high = exp(ratio.interval.high);
    }
}

static json_t *compare_methods(Arena *arena, Comparison *comparison, const Pass *pass)
{
    evaluate_exactly(arena, comparison);
    int methods = comparison->entries;
    MethodFact *fact = ARENA_ARRAY(arena, MethodFact, (size_t)methods);
    json_t *rows = json_array();
    int facts = 0;
    for (int m = 0; m < methods; m++) {
        MethodRun run = run_in_child(arena, comparison, m);
        const Term *tree = comparison->line_up->variant[comparison->entry[m]]->tree;
        fact[m] = (MethodFact){.label = method_label(arena, comparison, m),
                               .time_ns = method_time(arena, comparison, pass, m),
                               .run_to_run = run.run_to_run,
                               .from_standard = run.standard,
                               .max_ulps = run.why ? INFINITY : run.ulps,
                               .deterministic = run.why == NULL && run.differing == 0 && term_is_fixed(tree)};
        json_array_append_new(rows, method_to_json(arena, comparison, m, &run, &fact[m]));
        facts++;
    }
    if (pass != NULL)
        set_gains(arena, comparison, pass, fact, facts);
    const char *note = arena_printf(
        arena,
        "%s Differences are absolute. Run to run: the largest over %d more calls, half of "
        "them with %d threads, half with %d. Ulps: of these data, against the correctly "
        "rounded result.",
        describe_data(arena, comparison), RUNS, comparison->threads, comparison->threads * CROWD);
    return json_pack("{s:s, s:s, s:o, s:s}", "kind", "methods", "difference", note, "rows", rows,
                     "recommendation", compare_recommend(arena, fact, facts));
}

/* ---- the recommendation
 * ------------------------------------------------------------------------------------------ */

static bool is_candidate(const MethodFact *fact, const MethodFact *standard)
{
    return fact->deterministic && !isnan(fact->time_ns) && fact->max_ulps <= standard->max_ulps + 0.5;
}

/* -1: no candidate. */
static int find_fastest_candidate(const MethodFact *fact, int facts)
{
    int fastest = -1;
    for (int i = 0; i < facts; i++)
        if (is_candidate(&fact[i], &fact[0]) && (fastest < 0 || fact[i].time_ns < fact[fastest].time_ns))
            fastest = i;
    return fastest;
}

static bool is_better(const MethodFact *a, const MethodFact *b)
{
    return a->max_ulps < b->max_ulps || (a->max_ulps == b->max_ulps && a->time_ns < b->time_ns);
}

/* Two times within one per cent are the same time; then the smaller error decides. */
int compare_choose_method(const MethodFact *fact, int facts)
{
    int fastest = find_fastest_candidate(fact, facts), chosen = -1;
    for (int i = 0; i < facts && fastest >= 0; i++)
        if (is_candidate(&fact[i], &fact[0]) &&
            fact[i].time_ns <= (1.0 + VERDICT_SAME_WITHIN) * fact[fastest].time_ns &&
            (chosen < 0 || is_better(&fact[i], &fact[chosen])))
            chosen = i;
    return chosen;
}

static const char *describe_gain(Arena *arena, const MethodFact *fact)
{
    if (fact->gain_high <= 0.0)
        return "was not timed";
    const char *interval =
        arena_printf(arena, "(%.3f to %.3f times its speed)", fact->gain_low, fact->gain_high);
    if (fact->gain_high < 1.0)
        return arena_printf(arena, "is slower %s", interval);
    if (fact->gain_low <= 1.0)
        return arena_printf(arena, "is not measurably faster %s", interval);
    return arena_printf(arena, "is faster %s", interval);
}

static const char *describe_price(Arena *arena, const MethodFact *fact)
{
    if (fact->run_to_run > 0.0)
        return arena_printf(arena, "its results change by up to %.2g from run to run", fact->run_to_run);
    return "its order is not fixed, although no run of this comparison differed";
}

const char *compare_recommend(Arena *arena, const MethodFact *fact, int facts)
{
    int chosen = compare_choose_method(fact, facts);
    if (chosen < 0)
        return "No recommendation: no method is deterministic, timed, and as accurate as the first one.";
    const MethodFact *best = &fact[chosen], *fastest = &fact[find_fastest_candidate(fact, facts)];
    const char *rank = "it is the fastest";
    if (best != fastest)
        rank =
            arena_printf(arena,
                         "it is as fast as the fastest ('%s', %.1f µs; less than 1 %% apart) and nearer to "
                         "the exact result (%.2f against %.2f ulps)",
                         fastest->label, fastest->time_ns / 1e3, best->max_ulps, fastest->max_ulps);
    const char *text =
        arena_printf(arena,
                     "Use '%s': among the methods that give the same bits on every run and lose no more than "
                     "half an ulp to '%s' (%.2f ulps) %s: %.1f µs, %.2f ulps at most.",
                     best->label, fact[0].label, fact[0].max_ulps, rank, best->time_ns / 1e3, best->max_ulps);
    if (chosen != 0 && !isnan(fact[0].time_ns))
        text = arena_printf(arena, "%s '%s' takes %.2f times as long.", text, fact[0].label,
                            fact[0].time_ns / best->time_ns);
    for (int i = 0; i < facts; i++)
        if (!fact[i].deterministic && !isinf(fact[i].max_ulps))
            text = arena_printf(arena, "%s '%s' %s, and %s: %s.", text, fact[i].label,
                                describe_gain(arena, &fact[i]), describe_price(arena, &fact[i]),
                                fact[i].gain_low > 1.0 ? "speed is bought with reproducibility"
                                                       : "nothing is gained by it");
    return text;
}

/* ---- batches
 * ----------------------------------------------------------------------------------------------------- */

/* Item 0 is the first part of a stacked tensor only where the first dim is outermost. */
static bool stacks(const Operator *op)
{
    for (int t = 0; t < op->inputs + op->outputs; t++) {
        const Tensor *tensor = t < op->inputs ? &op->input[t] : &op->output[t - op->inputs];
        for (int r = 1; r < tensor->rank; r++)
            if (tensor->dim[r] == 0)
                return false;
    }
    return op->outputs > 0 && op->output[0].rank > 0 && op->output[0].dim[0] == 0;
}

static size_t count_differing_rows(const float *a, const float *b, size_t rows, size_t length)
{
    size_t differing = 0;
    for (size_t r = 0; r < rows; r++)
        differing += compare_values(a + r * length, b + r * length, length).elements > 0;
    return differing;
}

static void run_batches(void *context, FILE *out)
{
    const Job *job = context;
    const Comparison *comparison = job->comparison;
    const Operator *op = operator_of(comparison);
    const BenchPlan *plan = &comparison->family->bench;
    Arena *arena = arena_create();
    kernel_prepare_thread();
    Kernel *kernel = open_method(arena, comparison, job->method, out);
    if (kernel == NULL)
        return;
    kernel_set_threads(comparison->threads);
    CallData alone = create_call(arena, op, comparison->shape, comparison->data);
    kernel_call(kernel, &alone);
    size_t rows = comparison->shape.size[0], elements = tensor_elements(&op->output[0], &comparison->shape);
    for (int b = 0; b < plan->batches; b++) {
        Shape stacked = comparison->shape;
        stacked.size[0] *= (size_t)plan->batch[b];
        CallData call = create_call(arena, op, stacked, comparison->data);
        kernel_call(kernel, &call);
        Difference difference = compare_values(alone.output[0], call.output[0], elements);
        size_t differing =
            count_differing_rows(alone.output[0], call.output[0], rows, rows ? elements / rows : 0);
        fprintf(out, "batch %d %zu %zu %.9g\n", plan->batch[b], rows, differing, difference.most);
    }
}

static const char *read_batches(Arena *arena, const Comparison *comparison, int method, BatchFact *fact,
                                int *facts)
{
    Job job = {comparison, method};
    Buffer text = {0};
    const char *why = child_run(arena, (ChildLimits){.seconds = METHOD_LIMIT_S}, run_batches, &job, &text);
    char *rest = NULL;
    for (char *line = text.data ? strtok_r(text.data, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        BatchFact one = {.label = method_label(arena, comparison, method)};
        if (sscanf(line, "batch %d %zu %zu %lf", &one.batch, &one.rows, &one.differing, &one.difference) == 4)
            fact[(*facts)++] = one;
        else if (strncmp(line, "why ", 4) == 0)
            why = arena_copy(arena, line + 4);
    }
    buffer_destroy(&text);
    return why;
}

static json_t *batch_to_json(Arena *arena, const Comparison *comparison, int method, const BatchFact *fact)
{
    const Variant *variant = comparison->line_up->variant[comparison->entry[method]];
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:I, s:I, s:b}", "label", fact->label, "id", variant->id,
                     "tree", term_short_text(arena, variant->tree), "target", variant->target->name, "batch",
                     fact->batch, "max_difference", fact->difference, "rows_differing",
                     (json_int_t)fact->differing, "rows", (json_int_t)fact->rows, "invariant",
                     fact->differing == 0);
}

static json_t *compare_batches(Arena *arena, const Comparison *comparison)
{
    size_t room = (size_t)comparison->entries * sizeof comparison->family->bench.batch / sizeof(int);
    BatchFact *fact = ARENA_ARRAY(arena, BatchFact, room + 1);
    json_t *rows = json_array(), *failures = json_array();
    int facts = 0;
    for (int m = 0; m < comparison->entries; m++) {
        int from = facts;
        const char *why = read_batches(arena, comparison, m, fact, &facts);
        for (int i = from; i < facts; i++)
            json_array_append_new(rows, batch_to_json(arena, comparison, m, &fact[i]));
        if (why != NULL)
            json_array_append_new(
                failures, json_pack("{s:s, s:s}", "what", method_label(arena, comparison, m), "why", why));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:s}", "kind", "batch", "difference",
                     arena_printf(arena,
                                  "%s The first item's rows alone against the same rows inside a batch of "
                                  "so many; differences are absolute.",
                                  describe_data(arena, comparison)),
                     "rows", rows, "failures", failures, "finding", compare_find_batch(arena, fact, facts));
}

static bool is_first_of_label(const BatchFact *fact, int i)
{
    return i == 0 || strcmp(fact[i - 1].label, fact[i].label) != 0;
}

/* The row of fact[from]'s method at which most rows differ; -1 when none does. */
static int find_worst(const BatchFact *fact, int facts, int from)
{
    int worst = -1;
    for (int i = from; i < facts && strcmp(fact[i].label, fact[from].label) == 0; i++)
        if (fact[i].differing > (worst < 0 ? 0 : fact[worst].differing))
            worst = i;
    return worst;
}

const char *compare_find_batch(Arena *arena, const BatchFact *fact, int facts)
{
    if (facts == 0)
        return "Nothing could be compared.";
    int methods = 0, invariant = 0;
    const char *broken = "";
    for (int i = 0; i < facts; i++) {
        if (!is_first_of_label(fact, i))
            continue;
        int worst = find_worst(fact, facts, i);
        methods++;
        invariant += worst < 0;
        if (worst >= 0)
            broken = arena_printf(
                arena,
                "%s '%s' does not: in a batch of %d, %zu of the first item's %zu rows differ from "
                "the same rows alone, by up to %.2g.",
                broken, fact[worst].label, fact[worst].batch, fact[worst].differing, fact[worst].rows,
                fact[worst].difference);
    }
    if (invariant == methods)
        return arena_printf(arena, "All %d methods give a row the same bits alone and in every batch tried.",
                            methods);
    return arena_printf(arena, "%d of %d methods give a row the same bits alone and in every batch tried.%s",
                        invariant, methods, broken);
}

/* ---- entry point
 * ------------------------------------------------------------------------------------------------- */

static Shape limited_shape(const Operator *op, Shape shape)
{
    while (op->outputs > 0 && tensor_elements(&op->output[0], &shape) > ELEMENTS_LIMIT && shape.size[0] > 1)
        shape.size[0] /= 2;
    return shape;
}

json_t *compare_to_json(Arena *arena, const Family *family, const LineUp *line_up, const Pass *pass,
                        int threads)
{
    const BenchPlan *plan = &family->bench;
    if (plan->compare == COMPARE_NONE || plan->shapes == 0)
        return NULL;
    Comparison comparison = {.family = family,
                             .line_up = line_up,
                             .threads = threads,
                             .shape = limited_shape(family->op, plan->shape[0]),
                             .data = strcmp(plan->data, "mixed") == 0 ? INPUT_MIXED : INPUT_NORMAL};
    choose_entries(arena, &comparison);
    if (comparison.entries == 0)
        return NULL;
    if (plan->compare == COMPARE_METHODS)
        return compare_methods(arena, &comparison, pass);
    if (stacks(family->op))
        return compare_batches(arena, &comparison);
    return json_pack(
        "{s:s, s:[], s:s}", "kind", "batch", "rows", "finding",
        "Nothing was compared: the operator's first dim is not the outermost of every tensor that has it.");
}
