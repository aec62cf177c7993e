/* lower.c: operator + tree + target -> plan.
 *
 * Invariant: lowering may choose how a term is walked (vectors, loops, recursion), never which values meet;
 * replay.c checks that for each plan. */
#include "plan/plan.h"

#include <string.h>

typedef struct Lowering {
    Arena *arena;
    const Plan *plan;
    PlanReduction *reduction;
    const char *why;
} Lowering;

static PlanNode *node_new(Lowering *lowering, PlanKind kind, const Term *term)
{
    PlanNode *node = ARENA_NEW(lowering->arena, PlanNode);
    node->kind = kind;
    node->term = term;
    return node;
}

static const PlanNode *node_add(Lowering *lowering, PlanNode *node)
{
    PlanReduction *reduction = lowering->reduction;
    if (reduction->nodes == PLAN_NODES) {
        lowering->why = "the tree has more than 64 parts";
        return node;
    }
    node->id = reduction->nodes;
    reduction->node[reduction->nodes++] = node;
    return node;
}

/* Where a node's items come from. */
typedef struct Source {
    PlanItems items;
    const PlanNode *cut;
    int depth;
    bool in_array;
    bool strided; /* leaves may be apart: a lane of an enclosing cut */
    bool whole;   /* all accumulators of a VECTOR, not a part of them */
} Source;

static const PlanNode *lower_term(Lowering *lowering, const Term *term, Source source);

static PlanNode *node_at(Lowering *lowering, PlanKind kind, const Term *term, Source source)
{
    PlanNode *node = node_new(lowering, kind, term);
    node->items = source.items;
    node->cut = source.cut;
    node->depth = source.depth;
    node->in_array = source.in_array;
    node->whole_array = source.whole;
    return node;
}

static const PlanNode *lower_cut(Lowering *lowering, const Term *term, Source source)
{
    PlanNode *cut = node_at(lowering, PLAN_CUT, term, source);
    Source part = source;
    part.strided = source.strided || term->kind == TERM_LANES;
    part.whole = false;
    cut->inner = lower_term(lowering, term->inner, part);
    cut->outer = lower_term(lowering, term->outer,
                            (Source){ITEMS_PARTS, cut, source.depth + 1, source.in_array, true, false});
    return node_add(lowering, cut);
}

/* Halving stays in registers when the number of lanes is a power of two of at least one vector: item i meets
 * item i + h, which lie in vectors h / width apart, and from h < width on in one vector. */
static bool folds_in_registers(const Term *term, const Target *target)
{
    uint64_t lanes = term->size;
    bool power_of_two = (lanes & (lanes - 1)) == 0, whole = lanes % (uint64_t)target->width == 0;
    return target->width > 1 && term->outer->kind == TERM_HALVING && power_of_two && (whole || target->gpu);
}

static const PlanNode *lower_vector(Lowering *lowering, const Term *term, Source source)
{
    PlanNode *node = node_at(lowering, PLAN_VECTOR, term, source);
    int lanes = (int)term->size, width = lowering->plan->target->width;
    node->width = width > 1 ? width : lanes;
    node->vectors = (lanes + node->width - 1) / node->width;
    node->left = folds_in_registers(term, lowering->plan->target) ? 1 : lanes;
    if (width == 1 || lowering->plan->target->gpu) /* a thread steps one leaf at a time */
        lowering->reduction->scalar_leaves = true;
    node->outer = lower_term(lowering, term->outer, (Source){ITEMS_ACCUMULATORS, NULL, 0, true, false, true});
    return node_add(lowering, node);
}

static bool can_be_vector(const Lowering *lowering, const Term *term, Source source)
{
    return term->kind == TERM_LANES && term->inner->kind == TERM_SEQ && source.items == ITEMS_LEAVES &&
           !source.strided && lowering->plan->unit_stride && !lowering->plan->swapped;
}

static const PlanNode *lower_term(Lowering *lowering, const Term *term, Source source)
{
    if (lowering->why)
        return NULL;
    if (can_be_vector(lowering, term, source))
        return lower_vector(lowering, term, source);
    if (term_rows[term->kind].has_parts)
        return lower_cut(lowering, term, source);
    if (source.items == ITEMS_LEAVES)
        lowering->reduction->scalar_leaves = true;
    return node_add(lowering, node_at(lowering, PLAN_FOLD, term, source));
}

/* ---- what the outputs need ---- */

static void reach(Plan *plan, const Expr *expr)
{
    if (plan->reached[expr->id])
        return;
    plan->reached[expr->id] = true;
    int arity = expr->kind == EXPR_OP ? op_rows[expr->op].arity : expr->kind == EXPR_REDUCE;
    for (int i = 0; i < arity; i++)
        reach(plan, expr->arg[i]);
}

static void mark_reached(Arena *arena, Plan *plan)
{
    plan->reached = ARENA_ARRAY(arena, bool, (size_t)plan->op->nodes);
    for (int o = 0; o < plan->op->outputs; o++)
        reach(plan, plan->op->output[o].value);
}

/* ---- which dims the passes run over, and which are rows ---- */

static uint32_t used_dims(const Plan *plan)
{
    uint32_t dims = 0;
    for (int i = 0; i < plan->op->nodes; i++)
        if (plan->reached[i])
            dims |= plan->op->node[i]->axes;
    return dims;
}

static const Expr *first_reduction(const Plan *plan)
{
    for (int i = 0; i < plan->op->nodes; i++)
        if (plan->reached[i] && plan->op->node[i]->kind == EXPR_REDUCE)
            return plan->op->node[i];
    return NULL;
}

/* The dims of both, those of `first` first. */
static const char *over_both_text(Arena *arena, const Operator *op, const Expr *first, const Expr *other)
{
    const char *text = expr_over_text(arena, op, first);
    for (int i = 0; i < other->overs; i++)
        if (!(expr_reduced_dims(first) >> other->over[i] & 1))
            text = arena_printf(arena, "%s, %s", text, op->dim[other->over[i]]);
    return text;
}

/* Every pass of a row runs over the same dims in the same order. */
static const char *refuse_other_axes(Arena *arena, const Plan *plan, const Expr *first)
{
    const Operator *op = plan->op;
    for (int i = 0; i < op->nodes; i++) {
        const Expr *other = op->node[i];
        if (!plan->reached[i] || other->kind != EXPR_REDUCE || expr_over_same(first, other))
            continue;
        return arena_printf(
            arena,
            "it reduces over %s and elsewhere over %s, and all reductions of a kernel run over "
            "the same dims in the same order; reduce over all of them at once, %s(%s, ...), or "
            "make it two kernels",
            expr_over_text(arena, op, first), expr_over_text(arena, op, other),
            reduce_rows[first->reduce].name, over_both_text(arena, op, first, other));
    }
    return NULL;
}

static void add_axis(Plan *plan, int dim)
{
    plan->axis[plan->axes++] = dim;
    plan->along |= UINT32_C(1) << dim;
}

/* Without a reduction the outputs' last dim is the one a pass runs over. */
static const char *choose_axes(Arena *arena, Plan *plan)
{
    const Operator *op = plan->op;
    const Expr *first = first_reduction(plan);
    const Tensor *output = &op->output[0];
    for (int i = 0; first && i < first->overs; i++)
        add_axis(plan, first->over[i]);
    if (!first && output->rank)
        add_axis(plan, output->dim[output->rank - 1]);
    uint32_t rows = used_dims(plan) & ~plan->along;
    for (int d = 0; d < op->dims; d++)
        if (rows >> d & 1)
            plan->row_dim[plan->row_dims++] = d;
    return first ? refuse_other_axes(arena, plan, first) : NULL;
}

bool plan_dims(const Operator *op, int *axis, int *row)
{
    Arena *arena = arena_create();
    Plan plan = {.op = op};
    mark_reached(arena, &plan);
    const bool known = !choose_axes(arena, &plan);
    const bool reduces = known && first_reduction(&plan) != NULL;
    *axis = known && plan.axes ? plan.axis[0] : -1;
    *row = known && plan.row_dims ? plan.row_dim[0] : -1;
    arena_destroy(arena);
    return reduces;
}

static uint32_t tensor_dims(const Tensor *tensor)
{
    uint32_t dims = 0;
    for (int i = 0; i < tensor->rank; i++)
        dims |= UINT32_C(1) << tensor->dim[i];
    return dims;
}

/* With a parallel dim of size 0 that an output lacks it would still have elements, and no row to write them;
 * one that has only some of the axis's dims would be written again and again. */
static const char *refuse_partial_outputs(Arena *arena, const Plan *plan)
{
    const Operator *op = plan->op;
    for (int o = 0; o < op->outputs; o++) {
        const Tensor *output = &op->output[o];
        uint32_t has = tensor_dims(output);
        for (int d = 0; d < plan->row_dims; d++)
            if (!(has >> plan->row_dim[d] & 1))
                return arena_printf(
                    arena,
                    "output %s lacks the parallel dim %s, and all outputs of a kernel vary along the same "
                    "parallel dims; write it as a kernel of its own",
                    output->name, op->dim[plan->row_dim[d]]);
        for (int a = 0; a < plan->axes; a++)
            if ((has & plan->along) && !(has >> plan->axis[a] & 1))
                return arena_printf(
                    arena,
                    "output %s lacks the dim %s and has another one that is reduced together with it; an "
                    "output has all reduced dims or none: write it as a kernel of its own",
                    output->name, op->dim[plan->axis[a]]);
    }
    return NULL;
}

PlanLie plan_lie(const Plan *plan, const Tensor *tensor)
{
    int first = 0;
    while (first < tensor->rank && !(plan->along >> tensor->dim[first] & 1))
        first++;
    if (first == tensor->rank)
        return LIE_CONSECUTIVE; /* it does not vary along the axis */
    for (int a = 0; a < plan->axes; a++)
        if (first + a >= tensor->rank || tensor->dim[first + a] != plan->axis[a])
            return LIE_SCATTERED;
    return first + plan->axes == tensor->rank ? LIE_CONSECUTIVE : LIE_STEPPED;
}

static bool all_consecutive(const Plan *plan)
{
    const Operator *op = plan->op;
    for (int i = 0; i < op->inputs; i++)
        if (plan_lie(plan, &op->input[i]) != LIE_CONSECUTIVE)
            return false;
    for (int i = 0; i < op->outputs; i++)
        if (plan_lie(plan, &op->output[i]) != LIE_CONSECUTIVE)
            return false;
    return true;
}

/* ---- values worth keeping between passes ---- */

static bool varies(const Plan *plan, const Expr *expr)
{
    return expr->axes & plan->along;
}

static bool is_elementary(const Expr *expr)
{
    return expr->kind == EXPR_OP && op_rows[expr->op].elementary;
}

/* Does computing `expr` in one pass need `part`? A reduction inside is an earlier pass. */
static bool pass_needs(const Expr *expr, const Expr *part)
{
    if (expr == part)
        return true;
    if (expr->kind != EXPR_OP)
        return false;
    for (int i = 0; i < op_rows[expr->op].arity; i++)
        if (pass_needs(expr->arg[i], part))
            return true;
    return false;
}

static bool later_needs(const Plan *plan, int reduction, const Expr *part)
{
    for (int r = reduction + 1; r < plan->reductions; r++)
        if (pass_needs(plan->reduction[r].reduce->arg[0], part))
            return true;
    for (int o = 0; o < plan->op->outputs; o++)
        if (pass_needs(plan->op->output[o].value, part))
            return true;
    return false;
}

/* Inputs along the axis that a later pass would still read, other than through `kept`: then a kept value in
 * the output's place could overwrite an input that shares its memory. */
static bool reads_input_besides(const Plan *plan, const Expr *expr, const Expr *kept)
{
    if (expr == kept)
        return false;
    if (expr->kind == EXPR_INPUT)
        return varies(plan, expr);
    if (expr->kind != EXPR_OP)
        return false;
    for (int i = 0; i < op_rows[expr->op].arity; i++)
        if (reads_input_besides(plan, expr->arg[i], kept))
            return true;
    return false;
}

static bool later_reads_input(const Plan *plan, int reduction, const Expr *kept)
{
    for (int r = reduction + 1; r < plan->reductions; r++)
        if (reads_input_besides(plan, plan->reduction[r].reduce->arg[0], kept))
            return true;
    for (int o = 0; o < plan->op->outputs; o++)
        if (reads_input_besides(plan, plan->op->output[o].value, kept))
            return true;
    return false;
}

static bool has_output_along_axis(const Plan *plan)
{
    return plan->op->outputs == 1 && varies(plan, plan->op->output[0].value);
}

/* An elementary function of each element that a reduction has computed anyway is stored, not computed again:
 * the same binary32 value either way, so this is schedule. */
static void choose_kept(Plan *plan)
{
    if (!has_output_along_axis(plan) || !plan->unit_stride)
        return;
    for (int r = 0; r < plan->reductions; r++) {
        const Expr *body = plan->reduction[r].reduce->arg[0];
        for (int i = 0; i < plan->op->nodes; i++) {
            const Expr *expr = plan->op->node[i];
            if (!is_elementary(expr) || !varies(plan, expr) || !pass_needs(body, expr))
                continue;
            if (expr->axes == plan->op->output[0].value->axes && later_needs(plan, r, expr) &&
                !later_reads_input(plan, r, expr)) {
                plan->reduction[r].kept = expr;
                return;
            }
        }
    }
}

static const char *collect_reductions(Plan *plan)
{
    for (int i = 0; i < plan->op->nodes; i++) {
        if (plan->op->node[i]->kind != EXPR_REDUCE || !plan->reached[i])
            continue;
        if (plan->reductions == PLAN_REDUCTIONS)
            return "it has more than 16 reductions";
        plan->reduction[plan->reductions++].reduce = plan->op->node[i];
    }
    return NULL;
}

/* A maximum or minimum has the same bits in every order (IEEE 754-2019 maximum is associative and
 * commutative), so which one is schedule: the kernel's fastest. */
static const Term *free_order(Arena *arena, const Target *target)
{
    enum { LANES = 32 };
    const uint64_t chunk = target->gpu ? 512 : 65536; /* what a thread, or a warp, takes at a time */
    Diagnostics unused;
    Location nowhere = {0};
    diagnostics_init(&unused, arena);
    const Term *lanes = term_with_parts(arena, &unused, nowhere, TERM_LANES, LANES, false, NULL, NULL);
    return term_with_parts(arena, &unused, nowhere, TERM_CHUNK, chunk, false, lanes,
                           term_leafless(arena, TERM_SEQ));
}

/* ---- ranks ---- */

static int level_needed(const Plan *plan, const Expr *expr)
{
    int level = 0;
    if (expr->kind == EXPR_REDUCE)
        for (int r = 0; r < plan->reductions; r++)
            if (plan->reduction[r].reduce == expr)
                return plan->reduction[r].level + 1;
    for (int i = 0; expr->kind == EXPR_OP && i < op_rows[expr->op].arity; i++) {
        const int own = level_needed(plan, expr->arg[i]);
        level = own > level ? own : level;
    }
    return level;
}

static void choose_levels(Plan *plan)
{
    for (int r = 0; r < plan->reductions; r++) {
        PlanReduction *reduction = &plan->reduction[r];
        reduction->level = level_needed(plan, reduction->reduce->arg[0]);
        plan->levels = reduction->level >= plan->levels ? reduction->level + 1 : plan->levels;
    }
}

static bool spreads_reductions(const Plan *plan)
{
    return plan->target->ranks && plan->distribution.reduced;
}

/* The parts of the tree's outermost cut are what ranks own; what is above it runs over their partials. */
static void lower_share(Lowering *lowering)
{
    PlanReduction *reduction = lowering->reduction;
    if (reduction->reduce->reduce != REDUCE_SUM) {
        reduction->share = SHARE_ONE;
        return;
    }
    const Term *outer = reduction->tree->outer;
    reduction->share = outer->kind == TERM_PAIRWISE ? SHARE_NODES : SHARE_ALL;
    if (reduction->share == SHARE_ALL)
        reduction->over =
            lower_term(lowering, outer, (Source){ITEMS_ACCUMULATORS, NULL, 0, true, false, false});
}

static const char *lower_reductions(Arena *arena, Plan *plan)
{
    const Term *free = free_order(arena, plan->target);
    for (int r = 0; r < plan->reductions; r++) {
        Lowering lowering = {arena, plan, &plan->reduction[r], NULL};
        PlanReduction *reduction = &plan->reduction[r];
        reduction->tree = reduction->reduce->reduce == REDUCE_SUM ? plan->tree : free;
        reduction->root =
            lower_term(&lowering, reduction->tree, (Source){ITEMS_LEAVES, NULL, 0, false, false, false});
        if (spreads_reductions(plan) && !lowering.why)
            lower_share(&lowering);
        if (lowering.why)
            return lowering.why;
    }
    return NULL;
}

static const char *refuse_target(const Plan *plan)
{
    if (plan->target->ranks && plan->axes > 1)
        return "several dims are reduced together, and this target spreads one dim over ranks";
    if (plan->target->ranks && plan->distribution.dim < 0)
        return "its tree begins with no cut into consecutive parts, and it has no parallel dim: there is "
               "nothing "
               "to spread over ranks";
    if (!plan->target->gpu && !plan->target->ranks)
        return NULL;
    if (!term_is_fixed(plan->tree))
        return "completion and split(auto) are negative controls of targets c and avx2";
    if (plan->accumulator == ACCUMULATOR_F64 && !strcmp(plan->target->name, "metal"))
        return "Metal has no binary64";
    return NULL;
}

const Plan *plan_lower(Arena *arena, const Variant *variant, const char **why)
{
    Plan *plan = ARENA_NEW(arena, Plan);
    plan->op = variant->op;
    plan->tree = variant->tree;
    plan->accumulator = variant->accumulator;
    plan->target = variant->target;
    plan->schedule = variant->schedule;
    plan->swapped = variant->control && !strcmp(variant->control, "swapped pair");
    plan->allreduce = variant->control && !strcmp(variant->control, "allreduce");
    mark_reached(arena, plan);
    plan->distribution = plan_distribution(variant);
    *why = choose_axes(arena, plan);
    if (!*why)
        *why = refuse_target(plan);
    if (!*why)
        *why = refuse_partial_outputs(arena, plan);
    if (!*why)
        *why = collect_reductions(plan);
    if (*why)
        return NULL;
    plan->unit_stride = plan->axes > 0 && all_consecutive(plan);
    choose_levels(plan);
    choose_kept(plan);
    *why = lower_reductions(arena, plan);
    return *why ? NULL : plan;
}
