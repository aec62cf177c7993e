/* ranks.c: see ranks.h.
 *
 * Ranks of an entry stay from the first round to the last and sleep while others are timed. More ranks than
 * processors take turns on them: such a time says what the exchange costs there, not how the kernel scales,
 * and is marked. */
#include "bench/ranks.h"

#include "driver/build.h"
#include "driver/kernel.h"
#include "mpi/model.h"
#include "mpi/ranked.h"
#include "plan/distribute.h"

#include <math.h>
#include <string.h>

enum { CALLS_MOST = 100000 };
static const int rank_counts[] = {1, 2, 4};
enum { RANK_COUNTS = sizeof rank_counts / sizeof *rank_counts, TABLE_ROUNDS = 5 };
static const double table_seconds = 1.0; /* for one variant and shape, all numbers of ranks */

/* ---- timing in rounds ---- */

typedef struct Timing {
    const RankEntry *entry;
    Ranked *ranked;
    int calls; /* of one round */
} Timing;

static double slowest_of(const RankEntry *entry, const RankTimes *times)
{
    double slowest = 0;
    for (int r = 0; r < entry->ranks; r++)
        slowest = times->seconds[r] > slowest ? times->seconds[r] : slowest;
    return slowest;
}

static bool time_once(const Timing *timing, int calls, RankTimes *times, RankTimed *timed)
{
    if (ranked_time(timing->ranked, &timing->entry->shape, timing->entry->data, calls, times))
        return true;
    timed->why = ranked_failure(timing->ranked);
    return false;
}

/* Opens it and finds out how many calls a round takes. */
static void timing_start(Arena *arena, Timing *timing, const RankEntry *entry, RankTimed *timed,
                         double seconds)
{
    RankTimes times;
    *timing = (Timing){.entry = entry};
    *timed = (RankTimed){0};
    timing->ranked = ranked_open(arena, entry->object, entry->variant, &timed->why);
    if (timing->ranked == NULL)
        return;
    timed->why = NULL;
    ranked_set_ranks(timing->ranked, entry->ranks);
    ranked_set_threads(timing->ranked, entry->threads);
    if (!time_once(timing, 2, &times, timed))
        return;
    timed->first_call = times.first_call;
    const double each = slowest_of(entry, &times), calls = each > 0 ? seconds / each : CALLS_MOST;
    timing->calls = calls < 1 ? 1 : calls > CALLS_MOST ? CALLS_MOST : (int)calls;
}

static void timing_round(const Timing *timing, RankTimed *timed)
{
    RankTimes times;
    const int round = timed->rounds;
    double least = INFINITY;
    if (timed->why != NULL || !time_once(timing, timing->calls, &times, timed))
        return;
    for (int r = 0; r < timing->entry->ranks; r++) {
        timed->mean[round] += times.seconds[r] / timing->entry->ranks;
        least = times.waited[r] < least ? times.waited[r] : least;
        if (times.seconds[r] > timed->slowest[round]) {
            timed->slowest[round] = times.seconds[r];
            timed->waited[round] = times.waited[r];
        }
    }
    timed->least_waited[round] = least;
    timed->rounds++;
}

void ranks_time(Arena *arena, const RankEntry *entry, RankTimed *timed, int entries, int rounds,
                double seconds)
{
    Timing *timing = ARENA_ARRAY(arena, Timing, (size_t)entries + 1);
    rounds = rounds > RANK_ROUNDS ? RANK_ROUNDS : rounds;
    for (int e = 0; e < entries; e++)
        timing_start(arena, &timing[e], &entry[e], &timed[e], seconds / (rounds * entries));
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < entries; i++) {
            const int e = round % 2 ? entries - 1 - i : i; /* nobody always follows the same one */
            timing_round(&timing[e], &timed[e]);
        }
    for (int e = 0; e < entries; e++)
        if (timing[e].ranked != NULL)
            ranked_close(timing[e].ranked);
}

double ranks_median(const double *value, int rounds)
{
    double copy[RANK_ROUNDS];
    memcpy(copy, value, (size_t)rounds * sizeof *copy);
    return statistics_median(copy, (size_t)rounds);
}

/* ---- the table ---- */

static RankCut even_cut(const Variant *variant, const Shape *shape, int ranks)
{
    const Distribution spread = plan_distribution(variant);
    const size_t size = shape->size[spread.dim], part = distribution_part(&spread, size),
                 parts = distribution_parts(&spread, size);
    RankCut cut = {.ranks = ranks};
    for (int r = 0; r <= ranks; r++) {
        const size_t at = parts * (size_t)r / (size_t)ranks;
        cut.first[r] = at == parts ? size : at * part;
    }
    return cut;
}

static void put_traffic(Arena *arena, json_t *row, const RankEntry *entry)
{
    const char *why = NULL;
    const RankCut cut = even_cut(entry->variant, &entry->shape, entry->ranks);
    const Traffic *traffic = traffic_model(arena, entry->variant, &entry->shape, &cut, &why);
    if (traffic == NULL) {
        json_object_set_new(row, "no_model", json_string(why));
        return;
    }
    json_object_set_new(row, "messages", json_integer(traffic->messages));
    json_object_set_new(row, "values", json_integer(traffic->values));
    json_object_set_new(row, "bytes", json_integer(traffic->bytes));
}

static json_t *shape_json(const Operator *op, const Shape *shape)
{
    json_t *json = json_object();
    for (int d = 0; d < op->dims; d++)
        json_object_set_new(json, op->dim[d], json_integer((json_int_t)shape->size[d]));
    return json;
}

static json_t *row_json(Arena *arena, const RankEntry *entry, const RankTimed *timed, bool oversubscribed)
{
    const Variant *variant = entry->variant;
    json_t *row = json_pack("{s:s, s:s, s:s, s:b, s:o, s:i, s:i, s:b}", "id", variant->id, "tree",
                            term_short_text(arena, variant->tree), "exchange",
                            exchange_names[variant->schedule.exchange], "overlap", variant->schedule.overlap,
                            "shape", shape_json(variant->op, &entry->shape), "ranks", entry->ranks, "threads",
                            entry->threads, "oversubscribed", oversubscribed);
    put_traffic(arena, row, entry);
    if (timed->why != NULL || timed->rounds == 0) {
        json_object_set_new(row, "failure",
                            json_string(timed->why != NULL ? timed->why : "no round was timed"));
        return row;
    }
    const double time = ranks_median(timed->slowest, timed->rounds),
                 mean = ranks_median(timed->mean, timed->rounds);
    json_object_set_new(row, "time_ns", json_real(1e9 * time));
    json_object_set_new(row, "first_call_ns", json_real(1e9 * timed->first_call));
    json_object_set_new(row, "imbalance", json_real(mean > 0 ? time / mean : 1.0));
    json_object_set_new(row, "waiting_share",
                        json_real(time > 0 ? ranks_median(timed->waited, timed->rounds) / time : 0.0));
    return row;
}

static void time_variant(Arena *arena, const Family *family, const Variant *variant, const char *out_dir,
                         const Mpi *mpi, const Shape *shape, json_t *rows)
{
    RankEntry entry[RANK_COUNTS];
    RankTimed timed[RANK_COUNTS];
    for (int i = 0; i < RANK_COUNTS; i++)
        entry[i] = (RankEntry){.variant = variant,
                               .object = build_object_path(arena, family, variant, out_dir, 0),
                               .ranks = rank_counts[i],
                               .threads = 1,
                               .shape = *shape,
                               .data = family->bench.data};
    ranks_time(arena, entry, timed, RANK_COUNTS, TABLE_ROUNDS, table_seconds);
    for (int i = 0; i < RANK_COUNTS; i++)
        json_array_append_new(rows,
                              row_json(arena, &entry[i], &timed[i], mpi_oversubscribed(mpi, rank_counts[i])));
}

static void skip(json_t *skipped, const char *what, const char *why)
{
    json_array_append_new(skipped, json_pack("{s:s, s:s}", "what", what, "why", why));
}

json_t *ranks_to_json(Arena *arena, const Family *family, const char *out_dir, RankWhyNot *why_not,
                      const void *context, json_t *skipped)
{
    const char *no_mpi = NULL;
    const Mpi *mpi = NULL;
    json_t *rows = json_array();
    bool any = false;
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        if (!variant->target->ranks)
            continue;
        if (!any)
            mpi = mpi_find(arena, &no_mpi);
        any = true;
        const char *why = mpi == NULL ? no_mpi : why_not(context, variant);
        for (int s = 0; s < family->bench.shapes && why == NULL; s++)
            time_variant(arena, family, variant, out_dir, mpi, &family->bench.shape[s], rows);
        if (why != NULL)
            skip(skipped, variant->id, why);
    }
    if (mpi != NULL)
        return json_pack("{s:s, s:i, s:o}", "library", mpi->library_version, "processors", mpi->processors,
                         "rows", rows);
    json_decref(rows);
    return NULL;
}
