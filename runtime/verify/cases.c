/* cases.c: shapes and data of every check. */
#include "verify/cases.h"

#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS_LIMIT = 24000, /* columns of an ordinary case */
    WIDE_COLUMNS_LIMIT = 1 << 18,
    WIDE_COLUMNS_LEAST = 70001, /* above any threshold below which a kernel keeps one row to one thread */
    STREAM_COLUMNS = 1021,      /* odd: rows begin at every alignment */
    STREAM_LIMIT = 1 << 24,     /* elements */
    HUGE_CHUNK = 1024,          /* 4100 chunks of it are 16 MiB */
    FURTHER_VOLUME = 50000,     /* elements of a further case */
    TAILS = 130,                /* at most so many lengths of tail */
    TIE_COLUMNS_LIMIT = 4000,   /* a tie costs about eighty evaluations */
};

/* ---- what the operator and the tree say ---- */

uint32_t operator_reduced_dims(const Operator *op)
{
    uint32_t dims = 0;
    for (int i = 0; i < op->nodes; i++)
        if (op->node[i]->kind == EXPR_REDUCE)
            dims |= expr_reduced_dims(op->node[i]);
    return dims;
}

uint32_t operator_parallel_dims(const Operator *op)
{
    return ((UINT32_C(1) << op->dims) - 1) & ~operator_reduced_dims(op);
}

bool operator_has_sum(const Operator *op)
{
    for (int i = 0; i < op->nodes; i++)
        if (op->node[i]->kind == EXPR_REDUCE && op->node[i]->reduce == REDUCE_SUM)
            return true;
    return false;
}

static void sizes_collect(const Term *term, TreeSizes *sizes)
{
    if (term == NULL)
        return;
    if (term->kind == TERM_LANES && term->size > sizes->lanes)
        sizes->lanes = term->size;
    if (term->kind == TERM_CHUNK && term->size > sizes->chunk && term->size <= COLUMNS_LIMIT / 2)
        sizes->chunk = term->size;
    if (term->kind == TERM_SPLIT && term->size > sizes->split && term->size <= COLUMNS_LIMIT / 2)
        sizes->split = term->size;
    sizes_collect(term->inner, sizes);
    sizes_collect(term->outer, sizes);
}

TreeSizes tree_sizes(const Term *tree)
{
    TreeSizes sizes = {0};
    sizes_collect(tree, &sizes);
    if (sizes.lanes == 0)
        sizes.lanes = 8;
    return sizes;
}

/* ---- shapes ---- */

static int bit_count(uint32_t bits)
{
    return __builtin_popcount(bits);
}

static void shape_spread(Shape *shape, const Operator *op, uint32_t dims, size_t full, size_t rest,
                         uint64_t seed)
{
    int count = bit_count(dims), chosen = count == 0 ? 0 : (int)(seed % (uint64_t)count);
    for (int d = 0, at = 0; d < op->dims; d++) {
        if ((dims >> d & 1) == 0)
            continue;
        shape->size[d] = at == chosen ? full : rest < full ? rest : full;
        at++;
    }
}

/* Dims that are reduced together share the leaves: each but one takes a small divisor, the number itself
 * being exact. */
static void shape_share(Shape *shape, const Operator *op, uint32_t dims, size_t leaves, uint64_t seed)
{
    static const size_t divisors[] = {2, 3, 5, 7};
    int count = bit_count(dims), chosen = count == 0 ? 0 : (int)(seed % (uint64_t)count), last = -1;
    for (int d = 0, at = 0; d < op->dims; d++) {
        if ((dims >> d & 1) == 0)
            continue;
        shape->size[d] = 1;
        if (at++ == chosen) {
            last = d;
            continue;
        }
        for (size_t k = 0; k < 4 && shape->size[d] == 1; k++) {
            size_t divisor = divisors[(k + seed) % 4];
            shape->size[d] = leaves % divisor == 0 ? divisor : 1;
        }
        leaves /= shape->size[d];
    }
    if (last >= 0)
        shape->size[last] = leaves;
}

Shape case_shape(const Operator *op, size_t rows, size_t columns, uint64_t seed)
{
    Shape shape = {{0}};
    shape_share(&shape, op, operator_reduced_dims(op), columns, seed);
    shape_spread(&shape, op, operator_parallel_dims(op), rows, 3, seed);
    return shape;
}

double case_volume(const Operator *op, const Shape *shape)
{
    double volume = 1;
    for (int d = 0; d < op->dims; d++)
        volume *= (double)shape->size[d];
    return volume;
}

static int size_compare(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

int cases_columns(Arena *arena, TreeSizes sizes, size_t limit, size_t **columns)
{
    size_t L = sizes.lanes, C = sizes.chunk, S = sizes.split;
    size_t wanted[] = {0,
                       1,
                       2,
                       3,
                       5,
                       7,
                       17,
                       64,
                       100,
                       257,
                       1000,
                       L - 1,
                       L,
                       L + 1,
                       2 * L,
                       2 * L + 1,
                       3 * L + L / 2 + 1,
                       C ? C - 1 : 0,
                       C,
                       C + 1,
                       C + L + 1,
                       2 * C,
                       2 * C + 1,
                       3 * C + L / 2 + 1,
                       5 * C + 3,
                       S ? S - 1 : 0,
                       S,
                       S + 1,
                       3 * S + 1,
                       7 * S + 2};
    int count = sizeof wanted / sizeof *wanted, kept = 0;
    *columns = ARENA_ARRAY(arena, size_t, count);
    qsort(wanted, (size_t)count, sizeof *wanted, size_compare);
    for (int i = 0; i < count; i++)
        if (wanted[i] <= limit && (kept == 0 || wanted[i] != (*columns)[kept - 1]))
            (*columns)[kept++] = wanted[i];
    return kept;
}

static size_t columns_typical(const Term *tree)
{
    TreeSizes sizes = tree_sizes(tree);
    size_t columns = 2 * sizes.chunk + 3 * sizes.lanes + sizes.lanes / 2 + 1;
    return columns < 301 ? 301 : columns;
}

static Case case_of(const Operator *op, size_t rows, size_t columns, int fill, uint64_t seed)
{
    return (Case){case_shape(op, rows, columns, seed), fill, seed};
}

Case case_typical(const Operator *op, const Term *tree, size_t rows)
{
    return case_of(op, rows, columns_typical(tree), INPUT_CANCEL, 11);
}

Case case_wide(const Operator *op, const Term *tree)
{
    TreeSizes sizes = tree_sizes(tree);
    size_t columns = 17 * sizes.chunk + sizes.chunk / 3 + sizes.lanes + 5;
    if (columns < WIDE_COLUMNS_LEAST)
        columns = WIDE_COLUMNS_LEAST;
    if (columns > WIDE_COLUMNS_LIMIT)
        columns = WIDE_COLUMNS_LIMIT;
    return case_of(op, 1, columns, INPUT_CANCEL, 12);
}

Case case_many(const Operator *op, const Term *tree)
{
    size_t columns = columns_typical(tree);
    return case_of(op, 131, columns < 600 ? columns : 600, INPUT_CANCEL, 13);
}

/* Elements of output 0 from which it is stored around the cache; 0: never, or never within our means. */
static size_t stream_elements(const Variant *variant)
{
    size_t elements = variant->schedule.stream_bytes / sizeof(float);
    const bool streams = variant->target->width > 1 && !variant->target->gpu;
    return streams && elements <= STREAM_LIMIT ? elements : 0;
}

static bool output_has(const Operator *op, uint32_t dims)
{
    uint32_t own = 0;
    for (int axis = 0; axis < op->output[0].rank; axis++)
        own |= UINT32_C(1) << op->output[0].dim[axis];
    return (own & dims) != 0;
}

bool case_streamed(const Variant *variant, Case *what)
{
    const Operator *op = variant->op;
    size_t wanted = stream_elements(variant);
    *what = case_of(op, wanted / STREAM_COLUMNS + 2, STREAM_COLUMNS, INPUT_CANCEL, 14);
    return wanted > 0 && tensor_elements(&op->output[0], &what->shape) >= wanted &&
           case_volume(op, &what->shape) <= 2.0 * STREAM_LIMIT;
}

bool case_huge(const Variant *variant, Case *what)
{
    const Operator *op = variant->op;
    size_t chunk = tree_sizes(variant->tree).chunk, columns = 0, streamed = stream_elements(variant);
    if (chunk > 0 && chunk <= HUGE_CHUNK)
        columns = 4100 * chunk + chunk / 3 + 3;
    if (output_has(op, operator_reduced_dims(op)) && streamed + 1037 > columns && streamed > 0)
        columns = streamed + 1037;
    *what = case_of(op, 1, columns, INPUT_CANCEL, 15);
    return columns > 0;
}

Case case_for_error(const Operator *op)
{
    size_t rows = bit_count(operator_parallel_dims(op)) > 1 ? 21 : 64;
    return case_of(op, rows, 1000, INPUT_NORMAL, 1);
}

Case case_further(const Variant *variant, size_t columns, int attempt)
{
    static const int narrow[] = {INPUT_NORMAL, FILL_EXPONENTS, INPUT_MIXED},
                     wide[] = {FILL_TIE, FILL_PROBE_SIGNED, FILL_PROBE_SQUARE};
    int fill = (variant->accumulator == ACCUMULATOR_F64 ? wide : narrow)[attempt % 3];
    size_t volume = fill == FILL_TIE ? FURTHER_VOLUME / 4 : FURTHER_VOLUME;
    size_t rows = columns < volume / 32 ? 32 : volume / columns;
    return case_of(variant->op, rows > 0 ? rows : 1, columns, fill, 5000 + (uint64_t)attempt);
}

/* ---- lists ---- */

static void cases_add(CaseList *list, Case what)
{
    if (list->count == list->capacity) {
        Case *old = list->item;
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->item = ARENA_ARRAY(list->arena, Case, list->capacity);
        if (list->count > 0)
            memcpy(list->item, old, (size_t)list->count * sizeof *old);
    }
    list->item[list->count++] = what;
}

static void cases_add_special(CaseList *list, const Operator *op, size_t rows, size_t columns, uint64_t seed)
{
    for (int kind = 0; kind < INPUT_KINDS; kind++)
        cases_add(list, case_of(op, rows, columns, kind, seed + (uint64_t)kind));
}

CaseList cases_canonical(Arena *arena, const Variant *variant)
{
    const Operator *op = variant->op;
    const Term *tree = variant->tree;
    CaseList list = {.arena = arena};
    TreeSizes sizes = tree_sizes(tree);
    size_t columns = columns_typical(tree);
    cases_add(&list, case_of(op, 0, 5, INPUT_NORMAL, 101));
    cases_add(&list, case_of(op, 3, 0, INPUT_NORMAL, 102));
    cases_add(&list, case_of(op, 5, 1, INPUT_NORMAL, 103));
    cases_add(&list, case_of(op, 5, sizes.lanes + 1, INPUT_CANCEL, 104));
    cases_add(&list, case_of(op, 5, columns, INPUT_MIXED, 105));
    cases_add_special(&list, op, 4, columns < 2000 ? columns : 2000, 110);
    for (int fill = INPUT_KINDS; fill < FILL_KINDS; fill++)
        if (fill != FILL_TIE || variant->accumulator == ACCUMULATOR_F64)
            cases_add(&list, case_of(op, 4, columns < 2000 ? columns : 2000, fill, 120));
    cases_add(&list, case_many(op, tree));
    cases_add(&list, case_wide(op, tree));
    return list;
}

/* Where the accumulator is wider than the result, only ties show the order of positive leaves. */
static void cases_add_ties(CaseList *list, const Variant *variant)
{
    TreeSizes sizes = tree_sizes(variant->tree);
    size_t columns[] = {40, 2 * sizes.lanes + 3, sizes.chunk + sizes.lanes + 1,
                        3 * sizes.chunk + sizes.lanes / 2 + 1};
    for (int i = 0; i < (int)(sizeof columns / sizeof *columns); i++)
        if (columns[i] <= TIE_COLUMNS_LIMIT)
            cases_add(list, case_of(variant->op, 8, columns[i], FILL_TIE, 250 + (uint64_t)i));
}

/* Every tail 0..2L behind a whole chunk; of very many lanes some 128. The sign of zero shows a tail that was
 * padded. */
static void cases_add_tails(CaseList *list, const Variant *variant)
{
    TreeSizes sizes = tree_sizes(variant->tree);
    size_t base = sizes.chunk > 0 ? sizes.chunk : sizes.lanes, last = 2 * sizes.lanes,
           step = 1 + last / TAILS;
    for (size_t tail = 0; tail <= last; tail += step) {
        cases_add(list, case_of(variant->op, 2, base + tail, INPUT_CANCEL, 300 + tail));
        cases_add(list, case_of(variant->op, 1, base + tail, FILL_UNDERFLOW, 300 + tail));
    }
}

/* A sum of squares in one row shows another order by chance only, one time in two: the long row is tried on
 * all data. */
static void cases_add_wide(CaseList *list, const Variant *variant)
{
    static const int fills[] = {INPUT_NORMAL, INPUT_MIXED,       INPUT_CANCEL,      INPUT_WIDE,
                                INPUT_LARGE,  FILL_PROBE_SIGNED, FILL_PROBE_SQUARE, FILL_EXPONENTS};
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < (int)(sizeof fills / sizeof *fills); i++) {
            Case what = case_wide(variant->op, variant->tree);
            what.fill = fills[i];
            what.seed += 1000 * (uint64_t)again;
            cases_add(list, what);
        }
}

/* Columns ascending, and with them: normal data, cancelling data, and one of the other kinds in turn. */
CaseList cases_tree(Arena *arena, const Variant *variant)
{
    const Operator *op = variant->op;
    CaseList list = {.arena = arena};
    size_t *columns;
    int count = cases_columns(arena, tree_sizes(variant->tree), COLUMNS_LIMIT, &columns);
    cases_add(&list, case_of(op, 0, 5, INPUT_NORMAL, 200));
    for (int i = 0; i < count; i++) {
        uint64_t seed = 201 + 100 * (uint64_t)i;
        size_t rows = columns[i] > 4000 ? 2 : 5;
        cases_add(&list, case_of(op, rows, columns[i], INPUT_NORMAL, seed));
        cases_add(&list, case_of(op, rows, columns[i], INPUT_CANCEL, seed + 1));
        cases_add(&list, case_of(op, rows, columns[i], i % INPUT_KINDS, seed + 2));
        cases_add(&list, case_of(op, rows, columns[i], FILL_PROBE_SIGNED + i % 2, seed + 3));
        cases_add(&list, case_of(op, 2, columns[i], FILL_UNDERFLOW, seed + 4));
    }
    cases_add_tails(&list, variant);
    cases_add_special(&list, op, 4, 3 * tree_sizes(variant->tree).lanes + 2, 210);
    if (variant->accumulator == ACCUMULATOR_F64)
        cases_add_ties(&list, variant);
    cases_add(&list, case_many(op, variant->tree));
    cases_add_wide(&list, variant);
    Case huge;
    if (case_huge(variant, &huge))
        cases_add(&list, huge);
    return list;
}

/* ---- names ---- */

static const char *case_name(Arena *arena, const Operator *op, const Case *what, const char *between,
                             const char *equals)
{
    const char *text = fill_name(what->fill);
    for (int d = 0; d < op->dims; d++)
        text = arena_printf(arena, "%s%s%s%s%zu", text, between, op->dim[d], equals, what->shape.size[d]);
    return arena_printf(arena, "%s%sseed%s%llu", text, between, equals, (unsigned long long)what->seed);
}

const char *case_text(Arena *arena, const Operator *op, const Case *what)
{
    return case_name(arena, op, what, " ", "=");
}

const char *case_stem(Arena *arena, const Operator *op, const Case *what)
{
    char *stem = arena_copy(arena, case_name(arena, op, what, "-", ""));
    for (char *at = stem; (at = strchr(at, ' ')) != NULL;)
        *at = '_'; /* "signed zero" */
    return stem;
}
