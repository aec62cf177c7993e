/* plan.c: replay accepts what lowering makes and rejects a plan with one thing changed.
 *
 * Whether a change matters is decided here by walking both terms (term_walk) into hashes of their orders: a
 * plan that means another order for some number of leaves must be rejected, however small the difference. */
#include "plan/plan.h"

#include "operator/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

enum { TERMS = 2000, DEPTH = 4, ORDERS = 1 << 17, REPLAY_BUDGET = 200000 };

static const Location nowhere = {0};

typedef struct Fixture {
    Arena *arena;
    Diagnostics diagnostics;
    const Operator *sum, *chain, *down;
} Fixture;

/* ---- operators ---- */

static const Expr *op_of(OperatorBuilder *builder, OpCode op, const Expr *a, const Expr *b)
{
    const Expr *arg[3] = {a, b, NULL};
    return operator_build_op(builder, nowhere, op, arg);
}

typedef enum Shape3 { PLAIN_SUM, THREE_REDUCTIONS, SUM_DOWN } Shape3;

/* sum(cols, x); max(cols, x), a sum that needs it and a sum that needs both; sum(rows, x), whose leaves are
 * apart. */
static const Expr *value_of(OperatorBuilder *builder, Shape3 shape, const Expr *x, const int *dim)
{
    if (shape == PLAIN_SUM) {
        return operator_build_reduce(builder, nowhere, REDUCE_SUM, dim[1], x);
    }
    if (shape == SUM_DOWN) {
        return operator_build_reduce(builder, nowhere, REDUCE_SUM, dim[0], x);
    }
    const Expr *most = operator_build_reduce(builder, nowhere, REDUCE_MAX, dim[1], x);
    const Expr *below = op_of(builder, OP_SUB, x, most);
    const Expr *mean = operator_build_reduce(builder, nowhere, REDUCE_SUM, dim[1], below);
    const Expr *around = op_of(builder, OP_SUB, below, mean);
    return operator_build_reduce(builder, nowhere, REDUCE_SUM, dim[1],
                                 op_of(builder, OP_MUL, around, around));
}

static const Operator *operator_of(Fixture *fixture, Shape3 shape)
{
    OperatorBuilder *builder = operator_build_start(fixture->arena, &fixture->diagnostics);
    const int dim[] = {operator_build_dim(builder, nowhere, "rows"),
                       operator_build_dim(builder, nowhere, "cols")};
    const Expr *x = operator_build_input(builder, nowhere, "x", 2, dim);
    operator_build_output(builder, nowhere, "y", value_of(builder, shape, x, dim));
    const Operator *op = operator_build_finish(builder, nowhere, "probe");
    diagnostics_print(&fixture->diagnostics, stderr);
    assert_non_null(op);
    return op;
}

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->arena = arena_create();
    diagnostics_init(&fixture->diagnostics, fixture->arena);
    fixture->sum = operator_of(fixture, PLAIN_SUM);
    fixture->chain = operator_of(fixture, THREE_REDUCTIONS);
    fixture->down = operator_of(fixture, SUM_DOWN);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

/* ---- random terms: a counter generator, the same on every machine ---- */

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 (Steele, Lea, Flood 2014) */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % bound;
}

static const Term *term_of(Fixture *fixture, TermKind kind, uint64_t size, const Term *inner,
                           const Term *outer)
{
    if (!term_rows[kind].has_parts) {
        return term_leafless(fixture->arena, kind);
    }
    const Term *term =
        term_with_parts(fixture->arena, &fixture->diagnostics, nowhere, kind, size, size == 0, inner, outer);
    assert_non_null(term);
    return term;
}

/* Small, and often what a vector register is full of. */
static uint64_t random_size(uint64_t *state, TermKind kind)
{
    static const uint64_t lanes[] = {8, 16, 24, 32, 64};
    if (kind == TERM_LANES && random_below(state, 2)) {
        return lanes[random_below(state, sizeof lanes / sizeof lanes[0])];
    }
    return kind == TERM_SPLIT && random_below(state, 8) == 0 ? 0 : 1 + random_below(state, 13);
}

static const Term *random_term(Fixture *fixture, uint64_t *state, int depth, bool outer)
{
    TermKind kind = (TermKind)random_below(state, TERM_KINDS);
    while ((term_rows[kind].outer_only && !outer) || (term_rows[kind].has_parts && depth <= 1)) {
        kind = (TermKind)random_below(state, TERM_KINDS);
    }
    if (!term_rows[kind].has_parts) {
        return term_leafless(fixture->arena, kind);
    }
    const bool is_vector = kind == TERM_LANES && random_below(state, 2);
    const Term *inner =
        is_vector ? term_leafless(fixture->arena, TERM_SEQ) : random_term(fixture, state, depth - 1, false);
    return term_of(fixture, kind, random_size(state, kind), inner,
                   random_term(fixture, state, depth - 1, true));
}

/* ---- lowering ---- */

static Plan *lower(Fixture *fixture, const Operator *op, const Term *term, const char *target)
{
    const Variant variant = {
        .id = "probe", .op = op, .tree = term, .target = target_named(target), .schedule = {.unroll = 4}};
    const char *why = NULL;
    const Plan *plan = plan_lower(fixture->arena, &variant, &why);
    if (!plan) {
        fail_msg("%s on %s has no plan: %s", term_text(fixture->arena, term), target, why);
    }
    Plan *copy = ARENA_NEW(fixture->arena, Plan);
    *copy = *plan;
    return copy;
}

static const char *target_at(int number)
{
    return number % 2 ? "avx2" : "c";
}

static const Operator *operator_at(const Fixture *fixture, int number)
{
    return number % 7 == 6 ? fixture->down : number % 7 == 5 ? fixture->chain : fixture->sum;
}

static void replay_accepts_what_lowering_makes(void **state)
{
    Fixture *fixture = *state;
    uint64_t random = 1;
    for (int i = 0; i < TERMS; i++) {
        const Term *term = random_term(fixture, &random, 1 + i % DEPTH, false);
        const Plan *plan = lower(fixture, operator_at(fixture, i), term, target_at(i));
        const char *why = plan_replay(fixture->arena, plan, REPLAY_BUDGET);
        if (why) {
            fail_msg("%s on %s: %s", term_text(fixture->arena, term), target_at(i), why);
        }
    }
}

/* ---- what a term means, as a hash per number of leaves ---- */

typedef struct Order {
    uint64_t value[ORDERS];
    int count;
} Order;

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t hash = (a ^ 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 29) ^ b) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 32);
}

static int order_keep(Order *order, uint64_t value)
{
    assert_true(order->count < ORDERS);
    order->value[order->count] = value;
    return order->count++;
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

/* Two starts join to a start. */
static int order_join(void *context, int left, int right)
{
    Order *order = context;
    const uint64_t a = order->value[left], b = order->value[right];
    return order_keep(order, a == 0 && b == 0 ? 0 : mix(a + 3, ~b));
}

static uint64_t order_of(const Term *term, uint64_t leaves)
{
    static const uint64_t auto_parts = 4; /* as replay walks split(auto) */
    Order *order = malloc(sizeof *order);
    assert_non_null(order);
    order->count = 0;
    const TermWalk walk = {order, order_start, order_step, order_join};
    const uint64_t value = order->value[term_walk(term, leaves, auto_parts, &walk)];
    free(order);
    return value;
}

/* The least number of leaves for which two terms mean different orders; -1: none up to MOST. */
static int first_difference(const Term *a, const Term *b)
{
    enum { MOST = 150 };
    for (int leaves = 0; leaves <= MOST; leaves++) {
        if (order_of(a, (uint64_t)leaves) != order_of(b, (uint64_t)leaves)) {
            return leaves;
        }
    }
    return -1;
}

/* ---- plans of terms that differ in one place ---- */

static const Term *change_here(Fixture *fixture, uint64_t *random, const Term *term, bool outer)
{
    static const TermKind folds[] = {TERM_HALVING, TERM_PAIRWISE, TERM_SEQ};
    if (!term->inner) {
        return term_leafless(fixture->arena, folds[random_below(random, 3)]);
    }
    switch (random_below(random, 5)) {
    case 0: /* another size */
        return term_of(fixture, term->kind, term->size + 1, term->inner, term->outer);
    case 1:
        return term->size > 1 ? term_of(fixture, term->kind, term->size - 1, term->inner, term->outer)
                              : term->inner;
    case 2: /* parts exchanged */
        return term_rows[term->outer->kind].outer_only
                   ? term->inner
                   : term_of(fixture, term->kind, term->size, term->outer, term->inner);
    case 3: /* a level left out */
        return outer || !term_rows[term->outer->kind].outer_only ? term->outer : term->inner;
    default: /* another way to cut */
        return term_of(fixture, term->kind == TERM_LANES ? TERM_CHUNK : TERM_LANES,
                       term->size ? term->size : 4, term->inner, term->outer);
    }
}

static const Term *change(Fixture *fixture, uint64_t *random, const Term *term, bool outer)
{
    if (!term->inner || random_below(random, 3) == 0) {
        return change_here(fixture, random, term, outer);
    }
    const bool in_outer = random_below(random, 2);
    const Term *part = change(fixture, random, in_outer ? term->outer : term->inner, in_outer);
    return term_of(fixture, term->kind, term->size, in_outer ? term->inner : part,
                   in_outer ? part : term->outer);
}

/* The plan of `changed` that claims to be the plan of `term`; sums only, since maxima have a tree of their
 * own. */
static Plan *claim(Fixture *fixture, const Operator *op, const Term *term, const Term *changed,
                   const char *target)
{
    Plan *plan = lower(fixture, op, changed, target);
    for (int r = 0; r < plan->reductions; r++) {
        if (plan->reduction[r].reduce->reduce == REDUCE_SUM) {
            plan->reduction[r].tree = term;
        }
    }
    return plan;
}

static void replay_rejects_plans_of_other_terms(void **state)
{
    Fixture *fixture = *state;
    uint64_t random = 2;
    int different = 0, missed = 0;
    for (int i = 0; i < TERMS; i++) {
        const Term *term = random_term(fixture, &random, 1 + i % DEPTH, false);
        const Term *changed = change(fixture, &random, term, false);
        const int leaves = first_difference(term, changed);
        if (leaves < 0) {
            continue;
        }
        different++;
        if (!plan_replay(fixture->arena, claim(fixture, operator_at(fixture, i), term, changed, target_at(i)),
                         REPLAY_BUDGET)) {
            missed++;
            fprintf(stderr, "accepted as the plan of %s: that of %s, which differs from %d leaves on\n",
                    term_text(fixture->arena, term), term_text(fixture->arena, changed), leaves);
        }
    }
    assert_true(different > TERMS / 2);
    assert_int_equal(missed, 0);
}

/* ---- plans with one field of one node changed ---- */

/* A copy whose nodes may be changed: mutable_node[i] is node i. */
static Plan *copy_nodes(Fixture *fixture, const Plan *plan, int r, PlanNode *mutable_node[PLAN_NODES])
{
    Plan *copy = ARENA_NEW(fixture->arena, Plan);
    *copy = *plan;
    PlanReduction *reduction = &copy->reduction[r];
    for (int n = 0; n < reduction->nodes; n++) {
        mutable_node[n] = ARENA_NEW(fixture->arena, PlanNode);
        *mutable_node[n] = *reduction->node[n];
    }
    for (int n = 0; n < reduction->nodes; n++) {
        PlanNode *node = mutable_node[n];
        node->cut = node->cut ? mutable_node[node->cut->id] : NULL;
        node->inner = node->inner ? mutable_node[node->inner->id] : NULL;
        node->outer = node->outer ? mutable_node[node->outer->id] : NULL;
        reduction->node[n] = node;
    }
    reduction->root = mutable_node[reduction->root->id];
    return copy;
}

typedef void Change(Fixture *fixture, PlanNode *node);

static void lose_a_lane(Fixture *fixture, PlanNode *node)
{
    (void)fixture;
    node->left--;
}

static void lose_a_vector(Fixture *fixture, PlanNode *node)
{
    (void)fixture;
    node->vectors--;
}

static void add_a_vector(Fixture *fixture, PlanNode *node)
{
    (void)fixture;
    node->vectors++;
}

static void narrow_vectors(Fixture *fixture, PlanNode *node)
{
    (void)fixture;
    node->width--;
}

static void grow_the_cut(Fixture *fixture, PlanNode *node)
{
    node->term =
        term_of(fixture, node->term->kind, node->term->size + 1, node->term->inner, node->term->outer);
}

static void fold_in_sequence(Fixture *fixture, PlanNode *node)
{
    node->term = term_leafless(fixture->arena, TERM_SEQ);
}

static void fold_pairwise(Fixture *fixture, PlanNode *node)
{
    node->term = term_leafless(fixture->arena, TERM_PAIRWISE);
}

static void take_parts_for_leaves(Fixture *fixture, PlanNode *node)
{
    (void)fixture;
    node->items = ITEMS_LEAVES;
}

static void reduce_the_span_around(Fixture *fixture, PlanNode *node)
{
    (void)fixture;
    node->depth--;
}

/* Terms all of whose nodes matter, and which node of each is changed: the first of that kind and term. */
typedef struct Mutation {
    const char *term, *target;
    PlanKind kind;
    const char *word; /* kind of the node's term */
    Change *change;
} Mutation;

static const Mutation mutations[] = {
    {"lanes(32)", "avx2", PLAN_VECTOR, "lanes", lose_a_vector},
    {"lanes(32)", "avx2", PLAN_VECTOR, "lanes", add_a_vector},
    {"lanes(32)", "avx2", PLAN_VECTOR, "lanes", narrow_vectors},
    {"lanes(32)", "avx2", PLAN_VECTOR, "lanes", grow_the_cut},
    {"lanes(12, seq, pairwise)", "avx2", PLAN_VECTOR, "lanes", lose_a_lane},
    {"lanes(12, seq, pairwise)", "avx2", PLAN_VECTOR, "lanes", lose_a_vector},
    {"lanes(12, seq, pairwise)", "avx2", PLAN_VECTOR, "lanes", narrow_vectors},
    {"lanes(12, seq, pairwise)", "avx2", PLAN_FOLD, "pairwise", fold_in_sequence},
    {"lanes(12, seq, pairwise)", "c", PLAN_VECTOR, "lanes", lose_a_lane},
    {"lanes(12, seq, pairwise)", "c", PLAN_VECTOR, "lanes", narrow_vectors},
    {"lanes(12, seq, pairwise)", "c", PLAN_VECTOR, "lanes", lose_a_vector},
    {"chunk(9, lanes(8), pairwise)", "avx2", PLAN_CUT, "chunk", grow_the_cut},
    {"chunk(9, lanes(8), pairwise)", "avx2", PLAN_VECTOR, "lanes", grow_the_cut},
    {"chunk(9, lanes(8), pairwise)", "avx2", PLAN_FOLD, "pairwise", fold_in_sequence},
    {"chunk(9, lanes(8), pairwise)", "avx2", PLAN_FOLD, "pairwise", take_parts_for_leaves},
    {"chunk(9, lanes(8), pairwise)", "avx2", PLAN_FOLD, "pairwise", reduce_the_span_around},
    {"chunk(9, halving, seq)", "c", PLAN_FOLD, "halving", fold_pairwise},
    {"chunk(9, halving, seq)", "c", PLAN_FOLD, "halving", fold_in_sequence},
    {"chunk(9, halving, seq)", "c", PLAN_FOLD, "seq", fold_pairwise},
    {"split(3, seq, chunk(2, seq, pairwise))", "c", PLAN_CUT, "split", grow_the_cut},
    {"split(7, seq, chunk(2, seq, pairwise))", "c", PLAN_CUT, "chunk", grow_the_cut},
    {"lanes(16, pairwise, lanes(4))", "c", PLAN_CUT, "lanes", grow_the_cut},
    {"lanes(16, pairwise, lanes(4))", "c", PLAN_FOLD, "pairwise", fold_in_sequence},
};

static PlanNode *find_node(const PlanReduction *reduction, const Mutation *mutation,
                           PlanNode *const *mutable_node)
{
    for (int n = 0; n < reduction->nodes; n++) {
        const PlanNode *node = reduction->node[n];
        if (node->kind == mutation->kind && strcmp(term_rows[node->term->kind].name, mutation->word) == 0) {
            return mutable_node[n];
        }
    }
    fail_msg("the plan of %s on %s has no such node", mutation->term, mutation->target);
    return NULL;
}

/* In every reduction of an operator with three; the maximum has a tree of its own and is left alone. */
static int count_accepted(Fixture *fixture, const Mutation *mutation)
{
    const Term *term = term_parse(fixture->arena, &fixture->diagnostics, nowhere, mutation->term);
    assert_non_null(term);
    const Plan *plan = lower(fixture, fixture->chain, term, mutation->target);
    int tried = 0, accepted = 0;
    assert_null(plan_replay(fixture->arena, plan, REPLAY_BUDGET));
    for (int r = 0; r < plan->reductions; r++) {
        PlanNode *mutable_node[PLAN_NODES];
        if (plan->reduction[r].reduce->reduce != REDUCE_SUM) {
            continue;
        }
        const Plan *changed = copy_nodes(fixture, plan, r, mutable_node);
        assert_null(plan_replay(fixture->arena, changed, REPLAY_BUDGET));
        mutation->change(fixture, find_node(&changed->reduction[r], mutation, mutable_node));
        tried++;
        accepted += plan_replay(fixture->arena, changed, REPLAY_BUDGET) == NULL;
    }
    assert_int_equal(tried, 2);
    return accepted;
}

static void replay_rejects_a_changed_node(void **state)
{
    Fixture *fixture = *state;
    int accepted = 0;
    for (size_t m = 0; m < sizeof mutations / sizeof mutations[0]; m++) {
        const int of_this = count_accepted(fixture, &mutations[m]);
        if (of_this) {
            fprintf(stderr, "accepted although a node was changed: mutation %zu, %s on %s\n", m,
                    mutations[m].term, mutations[m].target);
        }
        accepted += of_this;
    }
    assert_int_equal(accepted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replay_accepts_what_lowering_makes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replay_rejects_plans_of_other_terms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replay_rejects_a_changed_node, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
