/* rank_figures.c: figures of kernels that ranks run, against the same local kernel with MPI_Allreduce (the
 * negative control "allreduce"), which may join as it likes.
 *
 * Which exchange is the fastest is chosen in one run and timed in another. A round times both sides in turn;
 * the figure is the median of the rounds' ratios. */
#include "bench/figure.h"

#include "bench/ranks.h"
#include "driver/build.h"
#include "driver/kernel.h"
#include "mpi/mpirun.h"

#include <math.h>
#include <string.h>

enum { ENTRIES = 8, SELECTION_ROUNDS = 5 };
static const double selection_time = 2.0, final_time = 6.0, error_wanted = 0.05;

typedef struct Bout { /* a kernel against another one */
    RankEntry entry[2];
    RankTimed timed[2];
} Bout;

/* ---- who against whom ---- */

static const Variant *allreduce_of(const Family *family)
{
    for (int c = 0; c < family->controls; c++)
        if (strcmp(family->control[c].control, "allreduce") == 0)
            return &family->control[c];
    return NULL;
}

static RankEntry entry_of(Figures *figures, const Family *family, const Variant *variant, int ranks,
                          Shape shape)
{
    return (RankEntry){.variant = variant,
                       .object = build_object_path(figures->arena, family, variant, figures->out_dir, 0),
                       .ranks = ranks,
                       .threads = 1,
                       .shape = shape,
                       .data = "normal"};
}

/* *best is the exchange with the least time. NULL, or why none was timed. */
static const char *find_fastest_exchange(Figures *figures, const Family *family, int ranks, Shape shape,
                                         const Variant **best)
{
    const char *why = "no variant of this spec has ranks";
    RankEntry entry[ENTRIES];
    RankTimed timed[ENTRIES];
    int entries = 0;
    double least = INFINITY;
    for (int v = 0; v < family->variants && entries < ENTRIES; v++)
        if (family->variant[v].target->ranks)
            entry[entries++] = entry_of(figures, family, &family->variant[v], ranks, shape);
    *best = NULL;
    ranks_time(figures->arena, entry, timed, entries, SELECTION_ROUNDS, selection_time);
    for (int e = 0; e < entries; e++) {
        const double time = timed[e].why == NULL ? ranks_median(timed[e].slowest, timed[e].rounds) : INFINITY;
        why = timed[e].why != NULL ? timed[e].why : why;
        if (time < least) {
            least = time;
            *best = entry[e].variant;
        }
    }
    return *best != NULL ? NULL : why;
}

/* NULL when both were timed, else why not. */
static const char *bout_time(Figures *figures, Bout *bout)
{
    ranks_time(figures->arena, bout->entry, bout->timed, 2, RANK_ROUNDS, final_time);
    for (int side = 0; side < 2; side++)
        if (bout->timed[side].why != NULL)
            return bout->timed[side].why;
    return NULL;
}

static const char *bout_against_allreduce(Figures *figures, const Family *family, int ranks, Shape shape,
                                          Bout *bout)
{
    if (family == NULL)
        return "the spec could not be generated and compiled";
    const Variant *control = allreduce_of(family), *best;
    if (control == NULL)
        return "the control \"allreduce\" was not generated";
    const char *why = find_fastest_exchange(figures, family, ranks, shape, &best);
    if (why != NULL)
        return why;
    bout->entry[0] = entry_of(figures, family, best, ranks, shape);
    bout->entry[1] = entry_of(figures, family, control, ranks, shape);
    return bout_time(figures, bout);
}

/* ---- one figure ---- */

typedef double RoundValue(const Bout *bout, int round);

static double value_speed(const Bout *bout, int round)
{
    return bout->timed[1].slowest[round] / bout->timed[0].slowest[round];
}

/* What the control spends outside MPI is the local work, which both sides share. */
static double value_exchange(const Bout *bout, int round)
{
    const RankTimed *mine = &bout->timed[0], *theirs = &bout->timed[1];
    const double local = theirs->slowest[round] - theirs->waited[round];
    return (mine->slowest[round] - local) / theirs->waited[round];
}

static void put_bout(Figures *figures, Figure figure, const Bout *bout, RoundValue *value, const char *who)
{
    double values[RANK_ROUNDS], copy[RANK_ROUNDS];
    for (int round = 0; round < RANK_ROUNDS; round++)
        values[round] = copy[round] = value(bout, round);
    const SignInterval interval = statistics_sign_interval(copy, RANK_ROUNDS, error_wanted, 1);
    const char *why = NULL;
    const Mpi *mpi = mpi_find(figures->arena, &why);
    const bool over = mpi != NULL && mpi_oversubscribed(mpi, bout->entry[0].ranks);
    const double mine = 1e6 * ranks_median(bout->timed[0].slowest, RANK_ROUNDS),
                 theirs = 1e6 * ranks_median(bout->timed[1].slowest, RANK_ROUNDS);
    figure.value = ranks_median(values, RANK_ROUNDS);
    figure.low = interval.low;
    figure.high = interval.high;
    figure.note = arena_printf(figures->arena, "%s: %.4g us against %.4g us%s", who, mine, theirs,
                               over ? "; oversubscribed" : "");
    figure_put(figures, figure);
}

static const char *exchange_of(const Bout *bout)
{
    return schedule_exchange_text(&bout->entry[0].variant->schedule);
}

static Shape shape_of(size_t rows, size_t cols)
{
    return (Shape){{rows, cols}};
}

static void put_sums(Figures *figures)
{
    static const AxisOverride axes[] = {{"tree", "chunk(1024, lanes(32), pairwise)"},
                                        {"target", "mpi"},
                                        {"exchange", "gather, scatter, tree"},
                                        {"overlap", "off, on"}};
    const char *work = "sum mpi, 256 x 1 Mi over 4 ranks, against MPI_Allreduce";
    Bout bout;
    const char *why = bout_against_allreduce(figures, figure_build_spec(figures, "sum", axes, 4), 4,
                                             shape_of(256, (size_t)1 << 20), &bout);
    if (why != NULL)
        figure_put_unmeasured(figures, work, 0.98, "times as fast", why);
    else
        put_bout(figures, (Figure){.work = work, .asked = 0.98, .unit = "times as fast"}, &bout, value_speed,
                 exchange_of(&bout));
}

/* One column for each rank: what is local is one value of each row. */
static void put_exchange(Figures *figures, const Family *family, size_t rows, int ranks)
{
    const double asked = rows >= (size_t)1 << 20 ? 1.5 : 2.0;
    const char *work = arena_printf(
        figures->arena, "the exchange alone, %zu rows, %d ranks, against MPI_Allreduce", rows, ranks);
    Bout bout;
    const char *why = bout_against_allreduce(figures, family, ranks, shape_of(rows, (size_t)ranks), &bout);
    if (why != NULL)
        figure_put(figures, (Figure){.work = work,
                                     .asked = asked,
                                     .at_most = true,
                                     .unit = "times its time",
                                     .value = NAN,
                                     .note = why});
    else
        put_bout(figures, (Figure){.work = work, .asked = asked, .at_most = true, .unit = "times its time"},
                 &bout, value_exchange, exchange_of(&bout));
}

static void put_exchanges(Figures *figures)
{
    static const AxisOverride axes[] = {
        {"tree", "chunk(1, seq, pairwise)"}, {"target", "mpi"}, {"exchange", "gather, scatter, tree"}};
    const Family *family = figure_build_spec(figures, "sum", axes, 3);
    for (int ranks = 2; ranks <= 4; ranks += 2)
        for (size_t rows = 1; rows <= (size_t)1 << 20; rows <<= 10)
            put_exchange(figures, family, rows, ranks);
}

static void put_softmax(Figures *figures)
{
    static const AxisOverride axes[] = {{"tree", "chunk(1024, lanes(32), pairwise)"}, {"target", "mpi"}};
    const char *work = "softmax mpi, 64 x 65536 columns over 2 ranks against 1", *why = NULL;
    const Family *family = figure_build_spec(figures, "softmax", axes, 2);
    Bout bout;
    if (family == NULL || family->variants == 0)
        why = "the spec could not be generated and compiled";
    for (int side = 0; side < 2 && why == NULL; side++)
        bout.entry[side] = entry_of(figures, family, &family->variant[0], 2 - side, shape_of(64, 65536));
    why = why != NULL ? why : bout_time(figures, &bout);
    if (why != NULL)
        figure_put_unmeasured(figures, work, 1.6, "times as fast", why);
    else
        put_bout(figures, (Figure){.work = work, .asked = 1.6, .unit = "times as fast"}, &bout, value_speed,
                 "one thread each");
}

void put_rank_figures(Figures *figures)
{
    const char *why = kernel_why_not_here(figures->arena, target_named("mpi"));
    if (why != NULL) {
        figure_put_unmeasured(figures, "kernels that ranks run", 1.0, "times as fast", why);
        return;
    }
    put_sums(figures);
    put_exchanges(figures);
    put_softmax(figures);
}
