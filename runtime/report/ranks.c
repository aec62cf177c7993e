/* ranks.c: see ranks.h; and the section of report.html that shows it. */
#include "report/ranks.h"

#include "report/facts.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/page.h"

#include <math.h>
#include <string.h>

const char *const rank_titles[RANK_CELLS] = {"shape",     "tree",    "exchange", "ranks",  "time", "vs one",
                                             "imbalance", "waiting", "messages", "values", "bytes"};

/* The row of the same kernel and shape on one rank, or NULL. */
static const json_t *row_of_one(const json_t *rows, const json_t *row)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *one = json_array_get(rows, i);
        if (facts_number(one, "ranks") == 1 && strcmp(facts_text(one, "id"), facts_text(row, "id")) == 0 &&
            json_equal(json_object_get(one, "shape"), json_object_get(row, "shape")))
            return one;
    }
    return NULL;
}

static const char *count_text(Arena *arena, const json_t *row, const char *name)
{
    const double value = facts_number(row, name);
    return isfinite(value) ? arena_printf(arena, "%.0f", value) : "–";
}

RankRow rank_row(Arena *arena, const json_t *ranks, size_t index)
{
    const json_t *rows = json_object_get(ranks, "rows"), *row = json_array_get(rows, index);
    const double one = facts_number(row_of_one(rows, row), "time_ns"), time = facts_number(row, "time_ns");
    const bool over = facts_true(row, "oversubscribed");
    RankRow made = {.oversubscribed = over};
    made.cell[RANK_SHAPE] = format_shape(arena, json_object_get(row, "shape"));
    made.cell[RANK_TREE] = facts_text(row, "tree");
    made.cell[RANK_EXCHANGE] = facts_exchange(arena, row);
    made.cell[RANK_RANKS] = arena_printf(arena, "%.0f%s", facts_number(row, "ranks"), over ? " o" : "");
    made.cell[RANK_TIME] = format_duration(arena, time);
    made.cell[RANK_AGAINST_ONE] = format_ratio(arena, one / time);
    made.cell[RANK_IMBALANCE] = format_significant(arena, facts_number(row, "imbalance"));
    made.cell[RANK_WAITING] = format_percent(arena, facts_number(row, "waiting_share"));
    made.cell[RANK_MESSAGES] = count_text(arena, row, "messages");
    made.cell[RANK_VALUES] = count_text(arena, row, "values");
    made.cell[RANK_BYTES] = format_bytes(arena, facts_number(row, "bytes"));
    made.failure = *facts_text(row, "failure") ? facts_text(row, "failure") : NULL;
    return made;
}

const char *rank_note(Arena *arena, const json_t *ranks)
{
    return arena_printf(
        arena,
        "time: of the slowest rank; vs one: one rank's time over it; imbalance: over the mean of "
        "the ranks; waiting: share inside MPI; messages, values, bytes: sent by all ranks in one "
        "call, as the model says and verification counted; o: more ranks than the %.0f processors, "
        "which take turns; %s",
        facts_number(ranks, "processors"), facts_text(ranks, "library"));
}

/* ---- report.html ---- */

static void write_row(const Page *page, const RankRow *row)
{
    buffer_append_string(page->out, "<tr><th scope=\"row\" class=\"name\">");
    markup_element(page->out, "span", "class=\"label\"", row->cell[RANK_SHAPE]);
    markup_element(page->out, "code", "", row->cell[RANK_TREE]);
    buffer_append_string(page->out, "</th>");
    for (int c = RANK_EXCHANGE; c < RANK_CELLS; c++)
        page_cell(page, c > RANK_EXCHANGE ? "number" : "", rank_titles[c],
                  row->failure != NULL && c == RANK_TIME ? row->failure : row->cell[c]);
    buffer_append_string(page->out, "</tr>");
}

void page_write_ranks(const Page *page)
{
    const json_t *ranks = json_object_get(page->facts.bench, "ranks"), *rows = json_object_get(ranks, "rows");
    if (json_array_size(rows) == 0)
        return;
    page_section_start(page, "Ranks", rank_note(page->arena, ranks));
    buffer_append_string(
        page->out,
        "<div class=\"card\"><div class=\"wide\"><table class=\"cards\"><thead><tr><th>kernel</th>");
    for (int c = RANK_EXCHANGE; c < RANK_CELLS; c++)
        markup_element(page->out, "th", c > RANK_EXCHANGE ? "class=\"number\"" : "", rank_titles[c]);
    buffer_append_string(page->out, "</tr></thead><tbody>");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const RankRow row = rank_row(page->arena, ranks, i);
        write_row(page, &row);
    }
    buffer_append_string(page->out, "</tbody></table></div></div>");
    page_section_end(page);
}
