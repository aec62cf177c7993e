/* ranks.c: RANKS: 1, 2, 3, 4, 5, 8 ranks, every kind of cut, against the reference evaluator; and THREADS of
 * a kernel that ranks run.
 *
 * What a check could not have found is reported, not counted: for a sum, that ranks which reduce their own
 * shares first and join the results would have given other bits; for a maximum, that leaving out any rank's
 * share would. Besides words, what each rank sent is compared with the model (mpi/model.h). */
#include "verify/check.h"

#include "mpi/model.h"
#include "plan/distribute.h"
#include "verify/rivals.h"
#include "verify/slice.h"

#include <stdlib.h>
#include <string.h>

enum {
    VOLUME = 40000,  /* elements of a case: rivals are evaluated by the reference */
    PARTS_MOST = 37, /* of a case: no power of two, so an odd node moves up on most levels */
    PARTS_LEAST = 5,
    CHUNK_MOST = 20000, /* a case of PARTS_LEAST such chunks is what memory and time allow */
    ROWS = 3,
    ATTEMPTS = 24,
    ROW_COLUMNS = 301 /* where rows are spread */
};
static const int rank_counts[] = {1, 2, 3, 4, 5, 8};
enum { RANK_COUNTS = sizeof rank_counts / sizeof *rank_counts };

typedef struct RankCheck {
    Check *check;
    Ranked *ranked;
    Distribution spread;
    long counted;         /* calls whose messages were compared with the model */
    const char *no_model; /* why none were */
    bool told[RANK_COUNTS];
    bool settled[RANK_COUNTS]; /* the first call on some ranks makes a communicator, too */
} RankCheck;

/* ---- cuts ---- */

typedef enum CutKind {
    CUT_EVEN,
    CUT_UNEVEN, /* at random places: empty shares among them */
    CUT_UNEVEN_AGAIN,
    CUT_FIRST, /* everything on the first rank */
    CUT_LAST,
    CUT_ENDS, /* a half on the first, a half on the last */
    CUT_KINDS
} CutKind;
static const char *const cut_names[CUT_KINDS] = {"even cut",     "uneven cut",  "another uneven cut",
                                                 "all on first", "all on last", "only first and last"};

static size_t random_below(uint64_t *state, size_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)((*state >> 33) % limit);
}

static int size_compare(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static size_t cut_place(CutKind kind, size_t parts, int rank, int ranks, uint64_t *seed)
{
    switch (kind) {
    case CUT_EVEN:
        return parts * (size_t)rank / (size_t)ranks;
    case CUT_FIRST:
        return parts;
    case CUT_LAST:
        return 0;
    case CUT_ENDS:
        return (parts + 1) / 2;
    default:
        return random_below(seed, parts + 1);
    }
}

/* Between whole parts of a dim of `size` indices. */
static RankCut cut_make(const Distribution *spread, size_t size, int ranks, CutKind kind, uint64_t seed)
{
    const size_t part = distribution_part(spread, size), parts = distribution_parts(spread, size);
    RankCut cut = {.ranks = ranks};
    seed += (uint64_t)kind * 977 + (uint64_t)ranks;
    for (int r = 1; r < ranks; r++)
        cut.first[r] = cut_place(kind, parts, r, ranks, &seed);
    cut.first[ranks] = parts;
    qsort(cut.first, (size_t)ranks + 1, sizeof *cut.first, size_compare);
    for (int r = 0; r <= ranks; r++) /* the last part may be short */
        cut.first[r] = cut.first[r] >= parts ? size : cut.first[r] * part;
    return cut;
}

/* ---- what each rank sent ---- */

static void count_compare(RankCheck *ranks, const Case *what, const Trial *trial)
{
    Check *check = ranks->check;
    const char *why = NULL;
    const Traffic *model =
        traffic_model(check->arena, check->variant, &what->shape, ranked_last_cut(ranks->ranked), &why);
    const RankCounts *counts = ranked_counts(ranks->ranked);
    if (model == NULL) {
        ranks->no_model = why;
        return;
    }
    ranks->counted++;
    for (int r = 0; r < model->ranks; r++) {
        const RankTraffic *said = &model->rank[r];
        const RankCounts *sent = &counts[r];
        if (sent->messages == said->messages && sent->values == said->values && sent->bytes == said->bytes &&
            sent->collectives == 0)
            continue;
        char text[TRACE_TEXT];
        check_break(
            check, what, trial,
            arena_printf(check->arena,
                         "rank %d sent %ld messages, %ld values, %ld bytes in %ld collective calls; the "
                         "model says %ld, %ld, %ld, 0 (%s)",
                         r, sent->messages, sent->values, sent->bytes, sent->collectives, said->messages,
                         said->values, said->bytes, ranked_text(ranks->ranked, text, sizeof text)));
        return;
    }
}

/* ---- what could have failed ---- */

/* Each rank reduces its share by the kernel's own tree, and the results join in rank order. */
static const Term *rank_rival(RankCheck *ranks, size_t share)
{
    Arena *arena = ranks->check->arena;
    Diagnostics none;
    diagnostics_init(&none, arena);
    if (share == 0 || share > TERM_SIZE_LIMIT)
        return NULL;
    return term_with_parts(arena, &none, (Location){0}, TERM_CHUNK, share, false, ranks->check->variant->tree,
                           term_leafless(arena, TERM_SEQ)); /* NULL: it would be too deep */
}

static bool tells_shares_joined(RankCheck *ranks, const Case *what, const Trial *trial,
                                float *const expected[], int count)
{
    const size_t size = what->shape.size[ranks->spread.dim], part = distribution_part(&ranks->spread, size),
                 parts = distribution_parts(&ranks->spread, size), n = (size_t)count;
    const Term *tree = rank_rival(ranks, (parts + n - 1) / n * part);
    if (tree == NULL)
        return false;
    Rival rival = {.name = "shares joined in rank order", .tree = tree};
    Rivals rivals = {&rival, 1};
    return rivals_try(&rivals, ranks->check->variant, what, trial, expected) == 1;
}

/* A call without the indices first .. end - 1 of the dim that is reduced. */
static bool tells_share_missing(RankCheck *ranks, const Case *what, const Trial *trial,
                                float *const expected[], size_t first, size_t end)
{
    const Variant *variant = ranks->check->variant;
    const int dim = ranks->spread.dim;
    Arena *arena = arena_create();
    CallData call = trial->call;
    float *output[OPERATOR_OUTPUTS] = {0};
    Difference difference;
    const size_t size = what->shape.size[dim], left = size - (end - first);
    size_t *place = ARENA_ARRAY(arena, size_t, left + 1);
    for (size_t i = 0; i < left; i++)
        place[i] = i < first ? i : i + (end - first);
    for (int i = 0; i < variant->op->inputs; i++)
        call.input[i] =
            slice_take(arena, &variant->op->input[i], &what->shape, dim, place, left, trial->call.input[i]);
    call.shape.size[dim] = left;
    trial_fresh_outputs(arena, variant->op, &call.shape, output);
    memcpy(call.output, output, sizeof call.output);
    reference_evaluate(variant->op, variant->tree, variant->accumulator, &call, 1);
    bool differs = outputs_differ(variant->op, &call.shape, expected, output, &difference);
    arena_destroy(arena);
    return differs;
}

static bool outputs_lack_dim(const Operator *op, int dim)
{
    for (int o = 0; o < op->outputs; o++)
        for (int axis = 0; axis < op->output[o].rank; axis++)
            if (op->output[o].dim[axis] == dim)
                return false;
    return true;
}

static bool tells_every_share(RankCheck *ranks, const Case *what, const Trial *trial, float *const expected[],
                              const RankCut *cut)
{
    if (!outputs_lack_dim(ranks->check->variant->op, ranks->spread.dim))
        return true; /* a share that is not there leaves its outputs unwritten */
    for (int r = 0; r < cut->ranks; r++)
        if (cut->first[r] < cut->first[r + 1] &&
            !tells_share_missing(ranks, what, trial, expected, cut->first[r], cut->first[r + 1]))
            return false;
    return true;
}

static bool tells(RankCheck *ranks, const Case *what, const Trial *trial, float *const expected[],
                  const RankCut *cut)
{
    if (ranks->spread.reduced && operator_has_sum(ranks->check->variant->op))
        return cut->ranks == 1 || tells_shares_joined(ranks, what, trial, expected, cut->ranks);
    return tells_every_share(ranks, what, trial, expected, cut);
}

/* ---- the promise ---- */

static void ranks_try(RankCheck *ranks, const Case *what, Trial *trial, float *const expected[], int which,
                      CutKind kind)
{
    Check *check = ranks->check;
    const size_t size = what->shape.size[ranks->spread.dim];
    const int count = rank_counts[which];
    RankCut cut = cut_make(&ranks->spread, size, count, kind, what->seed);
    ranked_set_cut(ranks->ranked, &cut);
    check_doing(check, what, "%d ranks, %s", count, cut_names[kind]);
    check_call(check, trial, trial->output);
    check_equal(check, what, trial, &what->shape, expected, trial->output, cut_names[kind]);
    if (ranks->settled[which])
        count_compare(ranks, what, trial);
    ranks->settled[which] = true;
}

static void ranks_case(RankCheck *ranks, const Case *what, int which, CutKind from, CutKind end)
{
    Check *check = ranks->check;
    const Variant *variant = check->variant;
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, variant, what);
    CallData reference = trial.call;
    float *expected[OPERATOR_OUTPUTS];
    trial_fresh_outputs(arena, variant->op, &what->shape, expected);
    memcpy(reference.output, expected, sizeof reference.output);
    reference_evaluate(variant->op, variant->tree, variant->accumulator, &reference, 1);
    for (CutKind kind = from; kind < end && !check_settled(check); kind++)
        ranks_try(ranks, what, &trial, expected, which, kind);
    if (!ranks->told[which]) {
        RankCut even =
            cut_make(&ranks->spread, what->shape.size[ranks->spread.dim], rank_counts[which], CUT_EVEN, 0);
        ranks->told[which] = tells(ranks, what, &trial, expected, &even);
    }
    arena_destroy(arena);
}

/* `parts` parts, the last one short. */
static Case case_of_parts(const RankCheck *ranks, size_t rows, size_t parts, uint64_t seed)
{
    const Operator *op = ranks->check->variant->op;
    const Distribution *spread = &ranks->spread;
    if (!spread->reduced) {
        Case what = {case_shape(op, parts, ROW_COLUMNS, seed), INPUT_CANCEL, seed};
        what.shape.size[spread->dim] = parts;
        return what;
    }
    size_t size = spread->pieces ? parts * 7 + 3 : parts * (size_t)spread->chunk;
    size_t short_by = spread->pieces ? 0 : (size_t)spread->chunk / 3;
    Case what = {case_shape(op, rows, size - short_by, seed), INPUT_CANCEL, seed};
    what.shape.size[spread->dim] = size - short_by; /* of several reduced dims, or of rows, this one */
    return what;
}

static size_t parts_affordable(const RankCheck *ranks)
{
    const size_t chunk = ranks->spread.pieces || !ranks->spread.reduced ? 8 : (size_t)ranks->spread.chunk;
    const size_t parts = VOLUME / (ROWS * chunk);
    return parts > PARTS_MOST ? PARTS_MOST : parts < PARTS_LEAST ? PARTS_LEAST : parts;
}

/* All that is tried on one number of ranks: the first of 8 that were started once. */
static void ranks_number(RankCheck *ranks, int which, const Case *typical)
{
    ranks_case(ranks, typical, which, CUT_EVEN, CUT_KINDS);
    const size_t few[] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++) { /* fewer parts than ranks */
        Case what = case_of_parts(ranks, 2, few[i], 700 + (uint64_t)i);
        what.fill = typical->fill == FILL_TIE ? INPUT_CANCEL : typical->fill;
        ranks_case(ranks, &what, which, CUT_EVEN, CUT_FIRST);
    }
    Case empty = *typical, many = case_of_parts(ranks, 150, 6, 710);
    empty.shape.size[ranks->spread.dim] = 0;
    ranks_case(ranks, &empty, which, CUT_EVEN, CUT_UNEVEN);
    if (case_volume(ranks->check->variant->op, &many.shape) <= 32.0 * VOLUME)
        ranks_case(ranks, &many, which, CUT_EVEN, CUT_FIRST);
}

/* NaN, infinities, zeros of both signs and subnormals travel, too. */
static void ranks_kinds_of_data(RankCheck *ranks, const Case *typical)
{
    enum { FOUR = 3 };
    for (int fill = 0; fill < INPUT_KINDS && !check_settled(ranks->check); fill++) {
        Case what = *typical;
        what.fill = fill;
        what.seed += 1 + (uint64_t)fill;
        ranks_case(ranks, &what, FOUR, CUT_UNEVEN, CUT_FIRST);
    }
}

/* Fewer positions along the parallel dims, so that rivals are tried on the case at all. */
static void make_affordable(const RankCheck *ranks, Case *what)
{
    const Operator *op = ranks->check->variant->op;
    while (case_volume(op, &what->shape) > RIVAL_VOLUME_LIMIT) {
        size_t *largest = NULL;
        for (int d = 0; d < op->dims; d++)
            if (d != ranks->spread.dim && (largest == NULL || what->shape.size[d] > *largest))
                largest = &what->shape.size[d];
        if (largest == NULL || *largest < 2)
            return;
        *largest /= 2;
    }
}

/* Where nothing told so far: more rows and other data, as in tree.c. Shares of few parts join in few places,
 * so a rounding that differs in the end is rare. */
static void ranks_further(RankCheck *ranks, int which)
{
    const size_t chunk = ranks->spread.pieces ? 8 : (size_t)ranks->spread.chunk;
    for (int attempt = 0; attempt < ATTEMPTS && !ranks->told[which] && !check_settled(ranks->check);
         attempt++) {
        const size_t few = rank_counts[which] < 4 ? 2 * (size_t)rank_counts[which] + 1 : 9;
        const size_t columns = (few + (size_t)attempt % 3) * chunk - chunk / 3;
        Case what = case_further(ranks->check->variant, columns, attempt);
        what.shape.size[ranks->spread.dim] = columns;
        make_affordable(ranks, &what);
        ranks_case(ranks, &what, which, CUT_EVEN, CUT_UNEVEN_AGAIN);
    }
}

static void ranks_judge(RankCheck *ranks)
{
    Check *check = ranks->check;
    for (int w = 0; w < RANK_COUNTS && check->vacuous == NULL; w++)
        if (!ranks->told[w] && !check_settled(check))
            check->vacuous =
                arena_printf(check->arena, "%d ranks: no input tried tells it from %s", rank_counts[w],
                             ranks->spread.reduced && operator_has_sum(check->variant->op)
                                 ? "shares that are reduced first and joined in rank order"
                                 : "a rank's share left out");
    if (ranks->counted > 0 && check->broken == 0)
        check_note(check,
                   arena_printf(check->arena,
                                "messages, values and bytes of every rank as the model says, %ld calls",
                                ranks->counted));
    else if (ranks->no_model != NULL)
        check_note(check, arena_printf(check->arena, "messages not compared: %s", ranks->no_model));
}

void check_ranks(Check *check)
{
    RankCheck ranks = {
        .check = check, .ranked = kernel_ranks(check->kernel), .spread = plan_distribution(check->variant)};
    if (!ranks.spread.pieces && ranks.spread.chunk > CHUNK_MOST) {
        check->vacuous = "its parts are so large that a case of some parts is none of a check's";
        return;
    }
    Case typical = case_of_parts(&ranks, ROWS, parts_affordable(&ranks), 701);
    if (operator_has_sum(check->variant->op))
        check_make_telling(check, &typical);
    ranked_set_ranks(ranks.ranked, 0); /* as many as the cut has */
    ranked_set_threads(ranks.ranked, 1);
    for (int w = RANK_COUNTS - 1; w >= 0 && !check_settled(check); w--)
        ranks_number(&ranks, w, &typical);
    for (int w = 0; w < RANK_COUNTS && ranks.spread.reduced && operator_has_sum(check->variant->op); w++)
        ranks_further(&ranks, w);
    ranks_kinds_of_data(&ranks, &typical);
    ranks_judge(&ranks);
    ranked_set_cut(ranks.ranked, NULL);
}

/* ---- THREADS ---- */

static void rank_threads_case(Check *check, const Case *what)
{
    static const int counts[] = {2, 3, 5};
    Arena *arena = arena_create();
    Trial trial = trial_create(arena, check->variant, what);
    Ranked *ranked = kernel_ranks(check->kernel);
    float *output[OPERATOR_OUTPUTS];
    trial_fresh_outputs(arena, check->variant->op, &what->shape, output);
    check_doing(check, what, "one thread in each of 2 ranks");
    ranked_set_threads(ranked, 1);
    check_call(check, &trial, trial.output);
    for (size_t i = 0; i < sizeof counts / sizeof *counts && !check_settled(check); i++) {
        check_doing(check, what, "%d threads in each of 2 ranks", counts[i]);
        ranked_set_threads(ranked, counts[i]);
        check_call(check, &trial, output);
        check_equal(check, what, &trial, &what->shape, trial.output, output, "other threads in each rank");
    }
    arena_destroy(arena);
}

void check_rank_threads(Check *check)
{
    const Variant *variant = check->variant;
    Case wide = case_wide(variant->op, variant->tree), many = case_many(variant->op, variant->tree);
    Case typical = case_typical(variant->op, variant->tree, 5);
    check_make_telling(check, &typical);
    wide.fill = many.fill = typical.fill;
    ranked_set_ranks(kernel_ranks(check->kernel), 2);
    rank_threads_case(check, &typical);
    rank_threads_case(check, &many);
    rank_threads_case(check, &wide);
}
