/* matrix.c: promises down the variants, as a matrix. Each cell says its state in words too: colour and shape
 * are help, not the message. */
#include "report/charts.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/page.h"

#include <math.h>

static void write_legend(const Page *page)
{
    static const PromiseState order[] = {PROMISE_KEPT, PROMISE_BROKEN, PROMISE_VACUOUS, PROMISE_NOT_TRIED,
                                         PROMISE_NOT_PROMISED};
    buffer_append_string(page->out, "<ul class=\"legend\">");
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const PromiseStateRow *row = &promise_state_rows[order[i]];
        buffer_append_string(page->out, "<li>");
        chart_promise(page->out, row->state, row->name);
        markup_element(page->out, "span", "", arena_printf(page->arena, "%s: %s", row->name, row->meaning));
        buffer_append_string(page->out, "</li>");
    }
    buffer_append_string(page->out, "</ul>");
}

static void write_head(const Page *page)
{
    buffer_append_string(page->out, "<thead><tr><th class=\"no\">#</th><th>variant</th>");
    for (int p = 0; p < PROMISES; p++) {
        buffer_append_string(page->out, "<th title=\"");
        markup_text(page->out, promise_labels[p].meaning);
        buffer_printf(page->out, "\">%s</th>", promise_labels[p].name);
    }
    buffer_append_string(page->out, "<th class=\"number\">max ulps</th></tr></thead>");
}

static void write_promise(const Page *page, const json_t *verified, const PromiseLabel *promise)
{
    Arena *arena = page->arena;
    PromiseState state = facts_promise(verified, promise->name);
    const json_t *object = facts_promise_detail(verified, promise->name);
    const char *reason = state == PROMISE_NOT_TRIED ? facts_promise_reason(verified, promise->name) : "";
    const char *detail = facts_text(object, "detail");
    double cases = facts_number(object, "cases");
    const char *name = promise_state_rows[state].name;
    const char *title = arena_printf(arena, "%s: %s%s%s%s%s", promise->name, name, *reason ? ": " : "",
                                     reason, *detail ? ": " : "", detail);
    buffer_printf(page->out, "<td data-name=\"%s\"><span class=\"promise\">", promise->name);
    chart_promise(page->out, state, title);
    bool counted =
        (state == PROMISE_KEPT || state == PROMISE_BROKEN || state == PROMISE_VACUOUS) && isfinite(cases);
    markup_element(page->out, "small", "", counted ? arena_printf(arena, "%.0f", cases) : name);
    buffer_append_string(page->out, "</span></td>");
}

static void write_row(const Page *page, const json_t *variant, size_t number)
{
    const json_t *verified = facts_verified(&page->facts, variant);
    const char *failure = facts_text(verified, "failure");
    buffer_printf(page->out, "<tr><td class=\"no\">%zu</td><th scope=\"row\" class=\"name\">", number);
    if (*facts_text(variant, "label"))
        markup_element(page->out, "span", "class=\"label\"", facts_text(variant, "label"));
    markup_element(page->out, "code", "", page_variant_name(page, variant));
    if (*failure)
        markup_element(page->out, "span", "class=\"chip bad\"",
                       arena_printf(page->arena, "failed: %s", failure));
    buffer_append_string(page->out, "</th>");
    for (int p = 0; p < PROMISES; p++)
        write_promise(page, verified, &promise_labels[p]);
    const json_t *ulps = json_object_get(json_object_get(verified, "error"), "max_ulps");
    page_cell(page, "number", "max ulps", format_ulps(page->arena, ulps));
    buffer_append_string(page->out, "</tr>");
}

/* Reasons in the open: a mark alone hides what a reader needs to know. */
static void write_reasons(const Page *page)
{
    const json_t *variants = facts_variants(&page->facts);
    bool open = false;
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *verified = facts_verified(&page->facts, json_array_get(variants, i));
        for (int p = 0; verified && p < PROMISES; p++) {
            const char *name = promise_labels[p].name;
            PromiseState state = facts_promise(verified, name);
            const char *detail = facts_text(facts_promise_detail(verified, name), "detail");
            const char *reason = state == PROMISE_NOT_TRIED ? facts_promise_reason(verified, name) : detail;
            if (!*reason || state == PROMISE_KEPT || state == PROMISE_NOT_PROMISED)
                continue;
            if (*facts_text(verified, "failure") && state == PROMISE_NOT_TRIED)
                continue;
            size_t alike = facts_promise_alike(&page->facts, i, name);
            if (alike == 0)
                continue; /* said */
            if (!open)
                buffer_append_string(page->out, "<ul class=\"plain\">");
            open = true;
            const char *more = alike > 1 ? arena_printf(page->arena, " and %zu more", alike - 1) : "";
            const char *text = arena_printf(page->arena, "%zu (%s)%s, %s %s: %s", i + 1,
                                            page_variant_name(page, json_array_get(variants, i)), more, name,
                                            promise_state_rows[state].name, reason);
            markup_element(page->out, "li", "", text);
        }
    }
    if (open)
        buffer_append_string(page->out, "</ul>");
}

void page_write_promises(const Page *page)
{
    const json_t *variants = facts_variants(&page->facts);
    if (!page->facts.verify || json_array_size(variants) == 0)
        return;
    page_section_start(page, "Promises",
                       "Two runs that must be equal, compared bit for bit (a NaN equals any NaN). The number "
                       "is how many cases "
                       "were compared.");
    buffer_append_string(page->out, "<div class=\"card\"><div class=\"wide\"><table class=\"cards matrix\">");
    write_head(page);
    buffer_append_string(page->out, "<tbody>");
    for (size_t i = 0; i < json_array_size(variants); i++)
        write_row(page, json_array_get(variants, i), i + 1);
    buffer_append_string(page->out, "</tbody></table></div>");
    write_reasons(page);
    write_legend(page);
    buffer_append_string(page->out, "</div>");
    page_section_end(page);
}
