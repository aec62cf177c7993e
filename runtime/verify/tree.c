/* tree.c: TREE: the kernel equals the reference evaluator of its term, on inputs that tell trees apart, and
 * the order recovered by probing the compiled kernel is the term's. */
#include "verify/check.h"

#include "verify/fprev.h"
#include "verify/rivals.h"

enum { TREE_ATTEMPTS = 12 };

/* split(auto): the number of parts that the kernel chooses, docs/contract.md "Trees". */
static size_t auto_parts(const Operator *op, const Shape *shape, int workers)
{
    uint32_t parallel = operator_parallel_dims(op);
    double rows = 1;
    size_t parts = 64;
    for (int d = 0; d < op->dims; d++)
        if (parallel >> d & 1)
            rows *= (double)shape->size[d];
    while (parts > 1 && (double)parts * rows > 1024.0 * workers)
        parts /= 2;
    return parts;
}

static void tree_try(Check *check, const Case *what, Rivals *rivals, int threads)
{
    const Variant *variant = check->variant;
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, variant, what);
    CallData reference = trial.call;
    float *expected[OPERATOR_OUTPUTS];
    trial_fresh_outputs(arena, variant->op, &what->shape, expected);
    for (int o = 0; o < variant->op->outputs; o++)
        reference.output[o] = expected[o];
    reference_evaluate(variant->op, variant->tree, variant->accumulator, &reference,
                       auto_parts(variant->op, &what->shape, threads));
    check_doing(check, what, "against the reference evaluator");
    check_call(check, &trial, trial.output);
    check_equal(check, what, &trial, &what->shape, expected, trial.output, "against the reference evaluator");
    if (operator_has_sum(variant->op) && term_is_fixed(variant->tree))
        rivals_try(rivals, variant, what, &trial, expected);
    arena_destroy(arena);
}

/* Other orders that no case has told apart so far: more rows, of a length where they differ. */
static void tree_try_further(Check *check, Rivals *rivals, int threads)
{
    for (int attempt = 0; attempt < TREE_ATTEMPTS; attempt++) {
        const Rival *missed = rivals_missed(rivals);
        if (missed == NULL || check->broken > 0)
            return;
        Case what = case_further(check->variant, missed->columns, attempt);
        tree_try(check, &what, rivals, threads);
    }
}

static void tree_judge_rivals(Check *check, const Rivals *rivals)
{
    check->vacuous = operator_has_sum(check->variant->op) ? rivals_why_vacuous(check->arena, rivals)
                                                          : "no order can change a maximum or a minimum";
    if (check->vacuous == NULL)
        check_note(check, arena_printf(check->arena, "%d other orders told apart", rivals_told(rivals)));
}

void check_tree(Check *check)
{
    int threads = 2;
    CaseList list = cases_tree(check->arena, check->variant);
    Rivals rivals = rivals_of(check->arena, check->variant->tree);
    kernel_set_threads(threads);
    for (int i = 0; i < list.count && !check_settled(check); i++)
        tree_try(check, &list.item[i], &rivals, threads);
    if (check->broken == 0 && term_is_fixed(check->variant->tree)) {
        tree_try_further(check, &rivals, threads);
        tree_judge_rivals(check, &rivals);
        fprev_check(check);
    }
}
