/* compare.c: the comparison a spec asks for: methods side by side, or rows alone against rows in a batch. */
#include "report/format.h"
#include "report/markup.h"
#include "report/page.h"

#include <string.h>

static void write_name(const Page *page, const json_t *row)
{
    buffer_append_string(page->out, "<th scope=\"row\" class=\"name\">");
    const char *label = facts_text(row, "label"), *tree = facts_text(row, "tree");
    if (strcmp(label, tree) != 0) /* methods without a name are called by their trees */
        markup_element(page->out, "span", "class=\"label\"", label);
    markup_element(page->out, "code", "", tree);
    buffer_append_string(page->out, "</th>");
}

static void write_methods(const Page *page, const json_t *rows)
{
    Arena *arena = page->arena;
    buffer_append_string(page->out,
                         "<table class=\"cards\"><thead><tr><th>method</th><th class=\"number\">time</th>"
                         "<th class=\"number\">largest run-to-run difference</th>"
                         "<th class=\"number\">largest difference from the first</th>"
                         "<th>deterministic</th><th class=\"number\">max ulps</th></tr></thead><tbody>");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        bool fixed = facts_true(row, "deterministic");
        buffer_append_string(page->out, "<tr>");
        write_name(page, row);
        page_cell(page, "number", "time", format_duration(arena, facts_number(row, "time_ns")));
        page_cell(page, "number", "run to run", format_small(arena, facts_number(row, "run_to_run_max")));
        page_cell(page, "number", "from the first",
                  format_small(arena, facts_number(row, "from_standard_max")));
        buffer_printf(page->out, "<td data-name=\"deterministic\"><span class=\"chip %s\">%s</span></td>",
                      fixed ? "good" : "bad", fixed ? "yes" : "no");
        page_cell(page, "number", "max ulps", format_ulps(arena, json_object_get(row, "max_ulps")));
        buffer_append_string(page->out, "</tr>");
    }
    buffer_append_string(page->out, "</tbody></table>");
}

static void write_batch_cell(const Page *page, const json_t *row, int batch)
{
    const char *name = arena_printf(page->arena, "batch %d:", batch);
    if (!row) {
        page_cell(page, "", name, "–");
        return;
    }
    bool same = facts_true(row, "invariant");
    const char *text = same ? "same bits"
                            : arena_printf(page->arena, "%.0f of %.0f rows differ",
                                           facts_number(row, "rows_differing"), facts_number(row, "rows"));
    buffer_printf(page->out, "<td data-name=\"%s\"><span class=\"chip %s\">%s</span>", name,
                  same ? "good" : "bad", text);
    if (!same) {
        const char *most = format_small(page->arena, facts_number(row, "max_difference"));
        markup_element(page->out, "small", "class=\"soft\"", arena_printf(page->arena, " by up to %s", most));
    }
    buffer_append_string(page->out, "</td>");
}

static void write_batches(const Page *page, const json_t *rows)
{
    BatchMatrix matrix;
    facts_batch_matrix(rows, &matrix);
    buffer_append_string(page->out, "<table class=\"cards\"><thead><tr><th>method</th>");
    for (int b = 0; b < matrix.batches; b++)
        buffer_printf(page->out, "<th>batch %d</th>", matrix.batch[b]);
    buffer_append_string(page->out, "</tr></thead><tbody>");
    for (int m = 0; m < matrix.methods; m++) {
        buffer_append_string(page->out, "<tr>");
        write_name(page, matrix.method[m]);
        for (int b = 0; b < matrix.batches; b++)
            write_batch_cell(page, facts_batch_row(rows, matrix.method[m], matrix.batch[b]), matrix.batch[b]);
        buffer_append_string(page->out, "</tr>");
    }
    buffer_append_string(page->out, "</tbody></table>");
    if (matrix.left_out)
        buffer_printf(page->out, "<p>%d more rows are in bench.json.</p>", matrix.left_out);
}

void page_write_compare(const Page *page)
{
    const json_t *compare = json_object_get(page->facts.bench, "compare");
    const json_t *rows = json_object_get(compare, "rows");
    if (json_array_size(rows) == 0)
        return;
    bool methods = strcmp(facts_text(compare, "kind"), "methods") == 0;
    const char *verdict = facts_text(compare, methods ? "recommendation" : "finding");
    page_section_start(page, methods ? "Methods compared" : "Rows alone against rows in a batch",
                       facts_text(compare, "difference"));
    if (*verdict)
        markup_element(page->out, "p", "class=\"verdict\"", verdict);
    buffer_append_string(page->out, "<div class=\"card wide\">");
    if (methods)
        write_methods(page, rows);
    else
        write_batches(page, rows);
    buffer_append_string(page->out, "</div>");
    page_section_end(page);
}
