/* fprev.c: leaf i is M, leaf j is -M, every other leaf is 1. M = 2^127 absorbs all ones that it meets, in
 * binary32 and in binary64, until M and -M meet and leave nothing: the result counts the leaves that met
 * neither before, so l(i, j) = n - result. Seen from leaf i, the leaves with one value of l are one sibling
 * met on the way up; the recursion goes into each. A sibling is smaller than its recursion says only if the
 * machine joins many operands at once.
 *
 * Changed against the paper: orders are compared as text with the smallest leaf first, because the operands
 * of an addition may change places. */
#include "verify/fprev.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- recovery ---- */

typedef struct Recovery {
    Arena *arena;
    const FprevProbe *probe;
} Recovery;

typedef struct Met { /* a leaf, and where it meets the first one */
    size_t leaf, size;
} Met;

static int met_compare(const void *a, const void *b)
{
    const Met *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return (x->leaf > y->leaf) - (x->leaf < y->leaf);
}

/* leaf[0] is the smallest. *top: the size of the node that holds them all. */
static const char *recover(const Recovery *recovery, const size_t *leaf, size_t count, size_t *top)
{
    Arena *arena = recovery->arena;
    const char *text = arena_printf(arena, "%zu", leaf[0]);
    size_t done = 1;
    *top = 1;
    Met *met = ARENA_ARRAY(arena, Met, count);
    size_t *group = ARENA_ARRAY(arena, size_t, count);
    for (size_t i = 1; i < count; i++)
        met[i] = (Met){leaf[i], recovery->probe->meet(recovery->probe->context, leaf[0], leaf[i])};
    qsort(met + 1, count - 1, sizeof *met, met_compare);
    for (size_t first = 1, next; first < count; first = next) {
        size_t inside;
        for (next = first; next < count && met[next].size == met[first].size; next++)
            group[next - first] = met[next].leaf;
        const char *sibling = recover(recovery, group, next - first, &inside);
        done += next - first;
        bool many = inside > next - first || met[first].size != done;
        text = arena_printf(arena, many ? "[%s+%s]" : "(%s+%s)", text, sibling);
        *top = met[first].size;
    }
    return text;
}

const char *fprev_recover(Arena *arena, size_t leaves, const FprevProbe *probe)
{
    Recovery recovery = {arena, probe};
    size_t top, *leaf = ARENA_ARRAY(arena, size_t, leaves + 1);
    for (size_t i = 0; i < leaves; i++)
        leaf[i] = i;
    return leaves == 0 ? "" : recover(&recovery, leaf, leaves, &top);
}

/* ---- the term's order ---- */

enum { WALK_START = 0 };

typedef struct Part {
    const char *text;
    uint64_t smallest;
} Part;

typedef struct Spelling {
    Arena *arena;
    Part *part;
    int count;
} Spelling;

static int spell_start(void *context)
{
    (void)context;
    return WALK_START;
}

static int spell_join(void *context, int left, int right)
{
    Spelling *spelling = context;
    if (left == WALK_START || right == WALK_START)
        return left == WALK_START ? right : left;
    Part *p = &spelling->part[left], *q = &spelling->part[right];
    if (q->smallest < p->smallest) {
        Part *swap = p;
        p = q;
        q = swap;
    }
    spelling->part[spelling->count] =
        (Part){arena_printf(spelling->arena, "(%s+%s)", p->text, q->text), p->smallest};
    return spelling->count++;
}

static int spell_step(void *context, int accumulator, uint64_t leaf)
{
    Spelling *spelling = context;
    spelling->part[spelling->count] =
        (Part){arena_printf(spelling->arena, "%llu", (unsigned long long)leaf), leaf};
    return spell_join(context, accumulator, spelling->count++);
}

const char *fprev_expected(Arena *arena, const Term *tree, size_t leaves)
{
    Spelling spelling = {arena, ARENA_ARRAY(arena, Part, 2 * leaves + 2), 1};
    spelling.part[WALK_START].text = "";
    TermWalk walk = {&spelling, spell_start, spell_step, spell_join};
    return spelling.part[term_walk(tree, leaves, 1, &walk)].text;
}

/* ---- the kernel ---- */

/* A row's leaves lie side by side, in order. */
static bool leaves_are_last(const Tensor *input, const Expr *sum)
{
    bool last = input->rank >= sum->overs;
    for (int i = 0; last && i < sum->overs; i++)
        last = input->dim[input->rank - sum->overs + i] == sum->over[i];
    return last;
}

bool fprev_applies(const Operator *op)
{
    const Expr *value = op->output[0].value;
    if (op->outputs != 1 || value->kind != EXPR_REDUCE || value->reduce != REDUCE_SUM)
        return false;
    const Expr *leaf = value->arg[0];
    bool product = leaf->kind == EXPR_OP && leaf->op == OP_MUL && leaf->arg[0]->kind == EXPR_INPUT &&
                   leaf->arg[1]->kind == EXPR_INPUT && leaf->arg[0]->index != leaf->arg[1]->index;
    return (leaf->kind == EXPR_INPUT || product) && leaves_are_last(&op->input[0], value);
}

typedef struct ProbedKernel {
    const Check *check;
    Trial trial; /* ones; one row more than the one probed */
    float *row;  /* the probed row of input 0 */
    size_t leaves;
    float *output[OPERATOR_OUTPUTS];
    size_t result; /* index of the probed row's result */
    long probes;
} ProbedKernel;

static size_t kernel_meet(void *context, size_t i, size_t j)
{
    ProbedKernel *probed = context;
    probed->row[i] = 0x1p127f;
    probed->row[j] = -0x1p127f;
    check_call(probed->check, &probed->trial, probed->output);
    probed->row[i] = probed->row[j] = 1.0f;
    probed->probes++;
    float kept = probed->output[0][probed->result];
    bool counts = kept >= 0 && kept <= (float)(probed->leaves - 2);
    return counts ? probed->leaves - (size_t)kept : probed->leaves + 1; /* too large: written as [...] */
}

static void fill_with_ones(float *values, size_t elements)
{
    assert(values != NULL);
    for (size_t e = 0; e < elements; e++)
        values[e] = 1.0f;
}

/* The last of `rows` rows is probed, so that its neighbours are there, too. */
static void probed_open(ProbedKernel *probed, Arena *arena, Check *check, size_t rows, size_t leaves)
{
    const Operator *op = check->variant->op;
    Case what = {case_shape(op, rows, leaves, 0), INPUT_NORMAL, 1};
    *probed = (ProbedKernel){.check = check, .leaves = leaves};
    probed->trial = trial_create(arena, check->variant, &what);
    assert(op->inputs > 0); /* fprev_applies */
    for (int i = 0; i < op->inputs; i++)
        fill_with_ones(probed->trial.input[i], tensor_elements(&op->input[i], &what.shape));
    size_t elements = tensor_elements(&op->input[0], &what.shape);
    probed->row = probed->trial.input[0] + (elements - leaves);
    memcpy(probed->output, probed->trial.output, sizeof probed->output);
    probed->result = tensor_elements(&op->output[0], &what.shape) - 1;
    check_doing(check, &what, "recovering the order by probing");
}

/* At most `limit` characters of both, from shortly before where they part. */
static const char *orders_part(Arena *arena, const char *expected, const char *found)
{
    enum { LIMIT = 120, BEFORE = 20 };
    size_t at = 0;
    while (expected[at] != '\0' && expected[at] == found[at])
        at++;
    size_t from = strlen(expected) <= LIMIT && strlen(found) <= LIMIT ? 0 : at > BEFORE ? at - BEFORE : 0;
    return arena_printf(arena, "the order found is %s%.120s where the term means %s%.120s",
                        from > 0 ? "..." : "", found + from, from > 0 ? "..." : "", expected + from);
}

static void fprev_try(Check *check, size_t rows, size_t leaves, long *probes)
{
    Arena *arena = arena_create();
    ProbedKernel probed;
    probed_open(&probed, arena, check, rows, leaves);
    FprevProbe probe = {&probed, kernel_meet};
    const char *expected = fprev_expected(arena, check->variant->tree, leaves);
    const char *found = fprev_recover(arena, leaves, &probe);
    Case what = {probed.trial.call.shape, INPUT_NORMAL, 1};
    *probes += probed.probes;
    if (strcmp(expected, found) == 0)
        check->cases++;
    else
        check_break(check, &what, &probed.trial, orders_part(check->arena, expected, found));
    arena_destroy(arena);
}

void fprev_check(Check *check)
{
    if (!fprev_applies(check->variant->op))
        return;
    TreeSizes sizes = tree_sizes(check->variant->tree);
    size_t leaves[] = {2, 3, 8, 13, 40, 67, 128, 200, sizes.lanes + 3, 2 * sizes.lanes + 1, sizes.chunk + 3};
    long probes = 0;
    int orders = 0;
    kernel_set_threads(1);
    for (int i = 0; i < (int)(sizeof leaves / sizeof *leaves) && !check_settled(check); i++)
        if (leaves[i] >= 2 && leaves[i] <= 260) {
            fprev_try(check, 1 + (size_t)i % 3, leaves[i], &probes);
            orders++;
        }
    if (check->broken == 0)
        check_note(check, arena_printf(check->arena, "%d orders recovered by %ld probes", orders, probes));
}
