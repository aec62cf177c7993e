/* model.c: see model.h. Written from docs/mpi.md, "Messages", and shares no code with templates/mpi: the
 * tests hold what it says against what is counted.
 *
 * One thing is of both: how many rows go in one block. It follows from sizes and the number of ranks alone,
 * and decides how many messages there are. */
#include "mpi/model.h"

#include "mpi/dual_tree.h"
#include "plan/distribute.h"
#include "plan/plan.h"

enum {
    HEADER = 72,               /* bytes in front of every payload */
    BLOCK_PARTIALS = 32 << 20, /* bytes of everyone's partials of all blocks of rows under way */
    BLOCK_CACHE = 512 << 10,   /* bytes of these blocks that a later pass reads again */
    BLOCKS_LEAST = 8 /* as far as there are rows, where one block is computed while another travels */
};

typedef struct Model {
    const Plan *plan;
    const Shape *shape;
    int ranks;
    size_t first[RANKED_LIMIT + 1]; /* of the parts of each rank; first[ranks]: all parts */
    size_t parts, value_bytes;      /* bytes of one partial */
    Traffic *traffic;
} Model;

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- how many values ---- */

static size_t values_of_reduction(const Model *model, const PlanReduction *reduction, size_t first,
                                  size_t end)
{
    switch (reduction->share) {
    case SHARE_NODES:
        return (size_t)dual_tree_nodes(model->parts, first, end);
    case SHARE_ALL:
        return end - first;
    case SHARE_ONE:
        return end > first;
    }
    return 0;
}

/* Per row, of parts first .. end - 1, in all reductions of a level. */
static size_t values_of(const Model *model, int level, size_t first, size_t end)
{
    size_t values = 0;
    for (int r = 0; r < model->plan->reductions; r++)
        if (model->plan->reduction[r].level == level)
            values += values_of_reduction(model, &model->plan->reduction[r], first, end);
    return values;
}

static size_t values_of_rank(const Model *model, int level, int rank)
{
    return values_of(model, level, model->first[rank], model->first[rank + 1]);
}

static size_t reductions_of(const Model *model, int level)
{
    size_t count = 0;
    for (int r = 0; r < model->plan->reductions; r++)
        count += model->plan->reduction[r].level == level;
    return count;
}

/* ---- messages ---- */

/* `headers` of them are in it: its own, and one for each further block that is passed on. */
static void send_message(const Model *model, int rank, size_t headers, size_t values, size_t value_bytes)
{
    RankTraffic *sent = &model->traffic->rank[rank];
    const size_t bytes = headers * HEADER + values * value_bytes;
    sent->messages++;
    sent->values += (long)values;
    sent->bytes += (long)bytes;
}

/* In each round a rank passes on its own block and those of the ranks before it. */
static void gather(const Model *model, int level, size_t rows)
{
    for (int known = 1; known < model->ranks; known *= 2) {
        const int wanted = known < model->ranks - known ? known : model->ranks - known;
        for (int r = 0; r < model->ranks; r++) {
            size_t values = 0;
            for (int i = 0; i < wanted && level >= 0; i++)
                values += values_of_rank(model, level, (r - i + model->ranks) % model->ranks) * rows;
            send_message(model, r, (size_t)wanted, values, model->value_bytes);
        }
    }
}

static void note_up(const Model *model, int level, size_t first, size_t end)
{
    Traffic *traffic = model->traffic;
    for (int r = 0; r < model->plan->reductions; r++) {
        const PlanReduction *reduction = &model->plan->reduction[r];
        const long values = (long)values_of_reduction(model, reduction, first, end);
        const long bound = reduction->share == SHARE_NODES ? dual_tree_bound(model->parts)
                           : reduction->share == SHARE_ALL ? (long)model->parts
                                                           : 1;
        if (reduction->level != level)
            continue;
        traffic->most_values_up = values > traffic->most_values_up ? values : traffic->most_values_up;
        traffic->bound_up = bound > traffic->bound_up ? bound : traffic->bound_up;
    }
}

/* Rank r sends up, over its lowest bit, what it and those below it have; results come down the same way. */
static void tree(const Model *model, int level, size_t rows)
{
    const size_t results = reductions_of(model, level) * rows;
    for (int r = 1; r < model->ranks; r++) {
        const int bit = r & -r, end = r + bit < model->ranks ? r + bit : model->ranks;
        send_message(model, r, 1, values_of(model, level, model->first[r], model->first[end]) * rows,
                     model->value_bytes);
        send_message(model, r - bit, 1, results, sizeof(float));
        note_up(model, level, model->first[r], model->first[end]);
    }
}

/* Rank r finishes rows share(r) .. share(r + 1) - 1. */
static size_t share_of_rows(const Model *model, size_t rows, int rank)
{
    return rows * ((size_t)rank + 1) / (size_t)model->ranks - rows * (size_t)rank / (size_t)model->ranks;
}

static void scatter(const Model *model, int level, size_t rows)
{
    for (int r = 0; r < model->ranks; r++)
        for (int to = 0; to < model->ranks; to++) {
            if (to == r)
                continue;
            send_message(model, r, 1, values_of_rank(model, level, r) * share_of_rows(model, rows, to),
                         model->value_bytes);
            send_message(model, r, 1, reductions_of(model, level) * share_of_rows(model, rows, r),
                         sizeof(float));
        }
}

static void exchange(const Model *model, int level, size_t rows)
{
    switch (model->plan->schedule.exchange) {
    case EXCHANGE_GATHER:
        gather(model, level, rows);
        break;
    case EXCHANGE_SCATTER:
        scatter(model, level, rows);
        break;
    case EXCHANGE_TREE:
        tree(model, level, rows);
        break;
    case EXCHANGES:
        break;
    }
    for (int r = 0; r < model->ranks; r++)
        note_up(model, level, model->first[r], model->first[r + 1]);
}

/* ---- blocks of rows ---- */

static size_t rows_of(const Model *model)
{
    size_t rows = 1;
    for (int d = 0; d < model->plan->row_dims; d++)
        rows *= model->shape->size[model->plan->row_dim[d]];
    return rows;
}

/* At most so many values of one row and level, whatever the cut. */
static size_t values_at_most(const Model *model)
{
    const size_t ranks = (size_t)model->ranks, bound = (size_t)dual_tree_bound(model->parts);
    const size_t nodes = bound < model->parts / ranks ? bound * ranks : model->parts;
    size_t most = 0;
    for (int level = 0; level < model->plan->levels; level++) {
        size_t values = 0;
        for (int r = 0; r < model->plan->reductions; r++) {
            const PlanReduction *reduction = &model->plan->reduction[r];
            if (reduction->level == level)
                values += reduction->share == SHARE_NODES ? nodes
                          : reduction->share == SHARE_ALL ? model->parts
                                                          : ranks;
        }
        most = values > most ? values : most;
    }
    return most;
}

static bool has_axis(const Tensor *tensor, int axis)
{
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dim[i] == axis)
            return true;
    return false;
}

/* Bytes of one row and index that a later pass reads again; 0: there is none. */
static size_t bytes_read_again(const Plan *plan)
{
    const Operator *op = plan->op;
    size_t inputs = 0, outputs = 0;
    for (int i = 0; i < op->inputs; i++)
        inputs += op->input[i].rank > 1 && has_axis(&op->input[i], plan->axis[0]);
    for (int o = 0; o < op->outputs; o++)
        outputs += (op->output[o].value->axes >> plan->axis[0] & 1) != 0;
    if (outputs == 0 && plan->levels <= 1)
        return 0;
    return sizeof(float) * (inputs + outputs > 0 ? inputs + outputs : 1);
}

static size_t rows_of_block(const Model *model, size_t rows_in_all)
{
    const Plan *plan = model->plan;
    const size_t size = model->shape->size[plan->axis[0]], again = bytes_read_again(plan);
    const bool overlap = plan->schedule.overlap;
    const size_t blocks = overlap ? 2 : 1; /* under way at a time */
    size_t rows = BLOCK_PARTIALS / blocks /
                  (values_at_most(model) * model->value_bytes + (size_t)plan->reductions * sizeof(float));
    if (again > 0)
        rows = lesser(rows, BLOCK_CACHE / blocks / ((size / (size_t)model->ranks + 1) * again));
    rows = lesser(rows, overlap ? rows_in_all / BLOCKS_LEAST : rows_in_all);
    return rows > 0 ? rows : 1;
}

static void exchange_blocks(const Model *model)
{
    const size_t rows = rows_of(model), most = rows_of_block(model, rows);
    for (size_t at = 0; at == 0 || at < rows; at += most)
        for (int level = 0; level < model->plan->levels; level++)
            exchange(model, level, lesser(most, rows - at));
}

/* ---- all of it ---- */

static bool has_wide_partials(const Plan *plan)
{
    bool sums = false;
    for (int r = 0; r < plan->reductions; r++)
        sums = sums || plan->reduction[r].reduce->reduce == REDUCE_SUM;
    return sums && plan->accumulator == ACCUMULATOR_F64;
}

static Model model_of(const Plan *plan, const Shape *shape, const RankCut *cut, Traffic *traffic)
{
    Model model = {.plan = plan,
                   .shape = shape,
                   .ranks = cut->ranks,
                   .value_bytes = has_wide_partials(plan) ? sizeof(double) : sizeof(float),
                   .traffic = traffic};
    const size_t size = shape->size[plan->distribution.dim],
                 part = distribution_part(&plan->distribution, size);
    model.parts = distribution_parts(&plan->distribution, size);
    for (int r = 0; r <= cut->ranks; r++)
        model.first[r] = cut->first[r] >= size ? model.parts : cut->first[r] / part;
    model.first[0] = 0;
    return model;
}

const Traffic *traffic_model(Arena *arena, const Variant *variant, const Shape *shape, const RankCut *cut,
                             const char **why)
{
    const Plan *plan = plan_lower(arena, variant, why);
    Traffic *traffic = ARENA_NEW(arena, Traffic);
    if (plan == NULL)
        return NULL;
    if (plan->distribution.dim < 0 || variant->control != NULL) {
        *why = variant->control != NULL ? "a control is no kernel of this model"
                                        : "nothing of it is spread over ranks";
        return NULL;
    }
    const Model model = model_of(plan, shape, cut, traffic);
    traffic->ranks = cut->ranks;
    traffic->levels = plan->distribution.reduced ? plan->levels : 1;
    if (plan->distribution.reduced)
        exchange_blocks(&model);
    else
        gather(&model, -1, 0); /* nothing but headers: whether all mean the same call */
    for (int r = 0; r < cut->ranks; r++) {
        traffic->messages += traffic->rank[r].messages;
        traffic->values += traffic->rank[r].values;
        traffic->bytes += traffic->rank[r].bytes;
    }
    return traffic;
}
