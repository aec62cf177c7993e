/* rivals.c: the other orders, evaluated by the reference evaluator. */
#include "verify/rivals.h"

#include "verify/compare.h"
#include "verify/slice.h"

#include <stdlib.h>
#include <string.h>

enum { RIVALS_LIMIT = 64 };

/* ---- the list ---- */

static void rivals_add(Rivals *rivals, const char *name, const Term *tree, LeafOrder leaves, const Term *own)
{
    if (rivals->count == RIVALS_LIMIT || (leaves == LEAVES_IN_ORDER && term_equal(tree, own)))
        return;
    for (int i = 0; i < rivals->count; i++)
        if (rivals->item[i].leaves == leaves && term_equal(rivals->item[i].tree, tree))
            return;
    rivals->item[rivals->count++] = (Rival){.name = name, .tree = tree, .leaves = leaves};
}

static void rivals_add_text(Rivals *rivals, Arena *arena, const char *text, const Term *own)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Term *tree = term_parse(arena, &diagnostics, (Location){0}, text);
    if (tree != NULL)
        rivals_add(rivals, text, tree, LEAVES_IN_ORDER, own);
}

static Term *term_clone(Arena *arena, const Term *term)
{
    if (term == NULL)
        return NULL;
    Term *copy = ARENA_NEW(arena, Term);
    *copy = *term;
    copy->inner = term_clone(arena, term->inner);
    copy->outer = term_clone(arena, term->outer);
    return copy;
}

/* The place'th node in preorder; *place counts down. */
static Term *term_place(Term *term, int *place)
{
    if (term == NULL || (*place)-- == 0)
        return term;
    Term *found = term_place((Term *)term->inner, place);
    return found != NULL ? found : term_place((Term *)term->outer, place);
}

static int term_nodes(const Term *term)
{
    return term == NULL ? 0 : 1 + term_nodes(term->inner) + term_nodes(term->outer);
}

static void rivals_add_mutants_at(Rivals *rivals, Arena *arena, const Term *own, int place)
{
    static const TermKind leafless[] = {TERM_SEQ, TERM_PAIRWISE, TERM_HALVING};
    for (int change = 0; change < 3; change++) {
        int count = place;
        Term *top = term_clone(arena, own), *node = term_place(top, &count);
        if (node->kind == TERM_SEQ || node->kind == TERM_PAIRWISE || node->kind == TERM_HALVING)
            node->kind = leafless[change];
        else if (node->size > 0 && change == 0)
            node->size *= node->kind == TERM_LANES && node->size > TERM_LANES_LIMIT / 2 ? 1 : 2;
        else if (node->size > 1 && change == 1)
            node->size = (node->size + 1) / 2;
        else if (node->size > 1 && change == 2)
            node->size -= 1;
        rivals_add(rivals, term_short_text(arena, top), top, LEAVES_IN_ORDER, own);
    }
}

Rivals rivals_of(Arena *arena, const Term *tree)
{
    static const char *const common[] = {"seq",
                                         "pairwise",
                                         "halving",
                                         "lanes(4)",
                                         "lanes(8)",
                                         "lanes(16)",
                                         "lanes(32)",
                                         "chunk(64, seq, seq)",
                                         "split(2, seq, seq)",
                                         "split(3, lanes(8), seq)"};
    Rivals rivals = {.item = ARENA_ARRAY(arena, Rival, RIVALS_LIMIT)};
    rivals_add(&rivals, "this tree with neighbours exchanged", tree, LEAVES_EXCHANGED, tree);
    rivals_add(&rivals, "this tree with leaves reversed", tree, LEAVES_REVERSED, tree);
    for (int i = 0; i < (int)(sizeof common / sizeof *common); i++)
        rivals_add_text(&rivals, arena, common[i], tree);
    for (int place = 0; place < term_nodes(tree); place++)
        rivals_add_mutants_at(&rivals, arena, tree, place);
    return rivals;
}

/* ---- equal orders, equal numbers ---- */

enum { NODE_START = 0 }; /* handle of every start */

typedef struct OrderWalk {
    uint64_t *number; /* of the node with this handle */
    int count, capacity;
    uint64_t leaves;
    bool fused;
    LeafOrder order;
} OrderWalk;

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z =
        (a ^ (b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2))) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 29) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 32;
}

static uint64_t mix_joined(uint64_t a, uint64_t b)
{
    return a < b ? mix(a, b) : mix(b, a);
}

static int order_node(OrderWalk *walk, uint64_t number)
{
    if (walk->count == walk->capacity) {
        walk->capacity *= 2;
        walk->number = realloc(walk->number, (size_t)walk->capacity * sizeof *walk->number);
        if (walk->number == NULL)
            arena_out_of_memory();
    }
    walk->number[walk->count] = number;
    return walk->count++;
}

static size_t leaf_place(size_t leaf, size_t leaves, LeafOrder order)
{
    if (order == LEAVES_REVERSED)
        return leaves - 1 - leaf;
    if (order == LEAVES_EXCHANGED && leaf % 4 == 1)
        return leaf + 1 < leaves ? leaf + 1 : leaf;
    return order == LEAVES_EXCHANGED && leaf % 4 == 2 ? leaf - 1 : leaf;
}

static int order_start(void *context)
{
    (void)context;
    return NODE_START;
}

static int order_step(void *context, int accumulator, uint64_t leaf)
{
    OrderWalk *walk = context;
    uint64_t own = mix(UINT64_C(0x1eaf), leaf_place(leaf, walk->leaves, walk->order));
    if (accumulator == NODE_START)
        return order_node(walk, own);
    uint64_t before = walk->number[accumulator];
    return order_node(walk, walk->fused ? mix(mix(before, UINT64_C(0xf3a)), own) : mix_joined(before, own));
}

static int order_join(void *context, int left, int right)
{
    OrderWalk *walk = context;
    if (left == NODE_START || right == NODE_START)
        return left == NODE_START ? right : left;
    return order_node(walk, mix_joined(walk->number[left], walk->number[right]));
}

uint64_t order_number(const Term *tree, uint64_t leaves, bool fused, LeafOrder order)
{
    OrderWalk walk = {.capacity = 256, .leaves = leaves, .fused = fused, .order = order};
    walk.number = malloc((size_t)walk.capacity * sizeof *walk.number);
    if (walk.number == NULL)
        arena_out_of_memory();
    order_node(&walk, 0); /* NODE_START */
    TermWalk callbacks = {&walk, order_start, order_step, order_join};
    int result = term_walk(tree, leaves, 1, &callbacks); /* before `number` is read: it may have moved */
    uint64_t number = walk.number[result];
    free(walk.number);
    return number;
}

/* ---- whether data tells them apart ---- */

static bool operator_is_fused(const Operator *op)
{
    for (int i = 0; i < op->nodes; i++)
        if (op->node[i]->kind == EXPR_REDUCE && expr_is_fused_product(op->node[i]))
            return true;
    return false;
}

/* The leaves of one reduction: those of all reduced dims, which are reduced together. */
static size_t columns_of(const Operator *op, const Shape *shape)
{
    uint32_t reduced = operator_reduced_dims(op);
    size_t columns = reduced ? 1 : 0;
    for (int d = 0; d < op->dims; d++)
        if (reduced >> d & 1)
            columns *= shape->size[d];
    return columns;
}

static bool rival_differs(const Rival *rival, const Variant *variant, const Shape *shape)
{
    size_t leaves = columns_of(variant->op, shape);
    bool fused = operator_is_fused(variant->op);
    return leaves > 0 && order_number(variant->tree, leaves, fused, LEAVES_IN_ORDER) !=
                             order_number(rival->tree, leaves, fused, rival->leaves);
}

static size_t *leaf_places(Arena *arena, size_t leaves, LeafOrder order)
{
    size_t *place = ARENA_ARRAY(arena, size_t, leaves + 1);
    for (size_t i = 0; i < leaves; i++)
        place[i] = leaf_place(i, leaves, order);
    return place;
}

/* The rival's outputs: its tree on leaves in its order, outputs that vary along the leaves put back in place.
 */
static void rival_evaluate(Arena *arena, const Rival *rival, const Variant *variant, const Trial *trial,
                           float **output)
{
    const Operator *op = variant->op;
    const Shape *shape = &trial->call.shape;
    uint32_t reduced = operator_reduced_dims(op);
    CallData call = trial->call;
    trial_fresh_outputs(arena, op, shape, output);
    memcpy(call.output, output, sizeof call.output);
    for (int d = 0; d < op->dims && rival->leaves != LEAVES_IN_ORDER; d++)
        if (reduced >> d & 1)
            for (int i = 0; i < op->inputs; i++)
                call.input[i] = slice_take(arena, &op->input[i], shape, d,
                                           leaf_places(arena, shape->size[d], rival->leaves), shape->size[d],
                                           call.input[i]);
    reference_evaluate(op, rival->tree, variant->accumulator, &call, 1);
    for (int d = 0; d < op->dims && rival->leaves != LEAVES_IN_ORDER; d++)
        if (reduced >> d & 1)
            for (int o = 0; o < op->outputs; o++)
                output[o] = slice_put_back(arena, &op->output[o], shape, d,
                                           leaf_places(arena, shape->size[d], rival->leaves), output[o]);
}

static bool rival_told(const Rival *rival, const Variant *variant, const Trial *trial,
                       float *const expected[])
{
    Arena *arena = arena_create();
    float *output[OPERATOR_OUTPUTS] = {0};
    Difference difference;
    rival_evaluate(arena, rival, variant, trial, output);
    bool told = outputs_differ(variant->op, &trial->call.shape, expected, output, &difference);
    arena_destroy(arena);
    return told;
}

static size_t size_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int rivals_try(Rivals *rivals, const Variant *variant, const Case *what, const Trial *trial,
               float *const expected[])
{
    int told = 0;
    bool affordable = case_volume(variant->op, &what->shape) <= RIVAL_VOLUME_LIMIT;
    for (int i = 0; i < rivals->count; i++) {
        Rival *rival = &rivals->item[i];
        if (!rival->told && affordable && rival_differs(rival, variant, &what->shape)) {
            rival->columns = size_larger(rival->columns, columns_of(variant->op, &what->shape));
            rival->differs = true;
            rival->told = rival_told(rival, variant, trial, expected);
        }
        told += rival->told;
    }
    return told;
}

const Rival *rivals_missed(const Rivals *rivals)
{
    for (int i = 0; i < rivals->count; i++)
        if (rivals->item[i].differs && !rivals->item[i].told)
            return &rivals->item[i];
    return NULL;
}

int rivals_told(const Rivals *rivals)
{
    int told = 0;
    for (int i = 0; i < rivals->count; i++)
        told += rivals->item[i].told;
    return told;
}

const char *rivals_why_vacuous(Arena *arena, const Rivals *rivals)
{
    const Rival *missed = rivals_missed(rivals);
    if (missed != NULL)
        return arena_printf(arena, "no input tried tells it from %s", missed->name);
    return rivals_told(rivals) == 0 ? "no other order was told from it" : NULL;
}

static bool case_tells(const Variant *variant, const Case *what)
{
    Arena *arena = arena_create();
    Rivals rivals = rivals_of(arena, variant->tree);
    Trial trial = trial_create(arena, variant, what);
    reference_evaluate(variant->op, variant->tree, variant->accumulator, &trial.call, 1);
    int told = 0;
    for (int i = 0; i < rivals.count && told == 0; i++)
        told = rival_differs(&rivals.item[i], variant, &what->shape) &&
               rival_told(&rivals.item[i], variant, &trial, trial.output);
    arena_destroy(arena);
    return told > 0;
}

bool case_make_telling(const Variant *variant, Case *what)
{
    static const int fills[] = {INPUT_CANCEL, INPUT_NORMAL, FILL_PROBE_SIGNED, FILL_PROBE_SQUARE,
                                FILL_EXPONENTS};
    enum { FILLS = sizeof fills / sizeof *fills, SEARCHES = 6 };
    if (!operator_has_sum(variant->op))
        return false;
    Case tried = *what;
    for (int i = 0; i < FILLS + SEARCHES; i++) {
        tried.fill = i < FILLS ? fills[i] : FILL_TIE;
        tried.seed = i < FILLS ? what->seed : what->seed + (uint64_t)(i - FILLS);
        if (case_tells(variant, &tried)) {
            *what = tried;
            return true;
        }
    }
    return false;
}
