/* controls.c: kernels that the verifier must catch, in every family.
 *
 * The operator is the plain row sum, whatever the family's own is: a sum can always tell trees apart, and
 * what is tested is the verifier. Each control carries the contract of the tree it names; "swapped pair" is
 * generated from that tree with two leaves exchanged, which is what must be found out. "allreduce" leaves the
 * joins between ranks to MPI, which may make them in any order. */
#include "family/controls.h"

#include "family/identity.h"
#include "operator/build.h"

#include <assert.h>

static const Operator *row_sum(Arena *arena)
{
    Diagnostics none;
    Location nowhere = {0};
    diagnostics_init(&none, arena);
    OperatorBuilder *builder = operator_build_start(arena, &none);
    int dim[] = {operator_build_dim(builder, nowhere, "rows"), operator_build_dim(builder, nowhere, "cols")};
    const Expr *x = operator_build_input(builder, nowhere, "x", 2, dim);
    const Expr *sum = operator_build_reduce(builder, nowhere, REDUCE_SUM, dim[1], x);
    operator_build_output(builder, nowhere, "y", sum);
    const Operator *op = operator_build_finish(builder, nowhere, "sum");
    assert(op);
    return op;
}

static const Term *leafless(TermKind kind)
{
    return term_leafless(NULL, kind);
}

/* A term whose sizes are known to be right. */
static const Term *with_parts(Arena *arena, TermKind kind, uint64_t size, const Term *inner,
                              const Term *outer)
{
    Diagnostics none;
    diagnostics_init(&none, arena);
    const Term *term = term_with_parts(arena, &none, (Location){0}, kind, size, size == 0, inner, outer);
    assert(term);
    return term;
}

/* The tree whose leaves are swapped: the family's own first one, where its order is fixed. */
static const Term *honest_tree(Arena *arena, const Family *family)
{
    if (family->variants > 0 && term_is_fixed(family->variant[0].tree)) {
        return family->variant[0].tree;
    }
    const Term *lanes = with_parts(arena, TERM_LANES, 8, leafless(TERM_SEQ), leafless(TERM_HALVING));
    return with_parts(arena, TERM_CHUNK, 64, lanes, leafless(TERM_PAIRWISE));
}

/* The first variant's target where one process of a CPU runs it. */
static const Target *control_target(const Family *family)
{
    const bool on_cpu = family->variants > 0 && !family->variant[0].target->gpu;
    if (on_cpu && family->variant[0].target->ranks)
        return target_named("avx2");
    return on_cpu ? family->variant[0].target : target_named("c");
}

static Variant *add(Arena *arena, Family *family, const Operator *op, const char *id, const char *control,
                    const Term *tree)
{
    Variant *variant = &family->control[family->controls++];
    *variant = (Variant){.id = id,
                         .op = op,
                         .tree = tree,
                         .accumulator = ACCUMULATOR_F32,
                         .dtype = "f32",
                         .target = control_target(family),
                         .schedule = {.unroll = 4, .stream_bytes = 32 << 20},
                         .control = control};
    variant_fill_identity(arena, variant, (IdentityParts){0});
    return variant;
}

static bool has_ranks(const Family *family)
{
    for (int v = 0; v < family->variants; v++)
        if (family->variant[v].target->ranks)
            return true;
    return false;
}

/* The one variant tree that ranks run, where it is made of parts joined pairwise; else NULL. */
static const Variant *only_shared(const Family *family)
{
    const Variant *only = NULL;
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        if (!variant->target->ranks)
            continue;
        if (only && !term_equal(only->tree, variant->tree))
            return NULL;
        only = only ? only : variant;
    }
    return only && only->tree->kind == TERM_CHUNK && only->tree->outer->kind == TERM_PAIRWISE ? only : NULL;
}

/* The tree is one that the ranks' own joins would keep; only the last step, from rank to rank, is MPI's. A
 * family of one tree is timed against it, so that its local work has to be the same. */
static void add_allreduce(Arena *arena, Family *family, const Operator *op)
{
    const Term *lanes = with_parts(arena, TERM_LANES, 8, leafless(TERM_SEQ), leafless(TERM_HALVING));
    const Variant *shared = only_shared(family);
    const Term *tree =
        shared ? shared->tree : with_parts(arena, TERM_CHUNK, 64, lanes, leafless(TERM_PAIRWISE));
    Variant *variant = add(arena, family, op, "control_allreduce", "allreduce", tree);
    variant->target = target_named("mpi");
    if (shared)
        variant->schedule = shared->schedule;
    variant->schedule.exchange = EXCHANGE_GATHER;
    variant->schedule.overlap = false;
}

void family_add_controls(Arena *arena, Family *family)
{
    const Operator *op = row_sum(arena);
    const Term *seq = leafless(TERM_SEQ);
    add(arena, family, op, "control_completion", "completion",
        with_parts(arena, TERM_CHUNK, 16, seq, leafless(TERM_COMPLETION)));
    add(arena, family, op, "control_split_auto", "split(auto)", with_parts(arena, TERM_SPLIT, 0, seq, seq));
    add(arena, family, op, "control_swapped_pair", "swapped pair", honest_tree(arena, family));
    if (has_ranks(family))
        add_allreduce(arena, family, op);
}
