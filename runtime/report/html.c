/* html.c: report.html: one self-contained file, no scripts, nothing loaded from elsewhere.
 *
 * Invariant: the file is well-formed XML and valid HTML at once (HTML standard, "XML syntax" notes): tests
 * parse it as XML, browsers as HTML. Every text that comes from a spec, a compiler or the machine goes
 * through markup_text. */
#include "report/report.h"

#include "report/format.h"
#include "report/markup.h"
#include "report/notes.h"
#include "report/page.h"

#include <math.h>
#include <string.h>

void page_section_start(const Page *page, const char *title, const char *lead)
{
    buffer_append_string(page->out, "<section>");
    markup_element(page->out, "h2", "", title);
    if (*lead)
        markup_element(page->out, "p", "class=\"soft\"", lead);
}

void page_section_end(const Page *page)
{
    buffer_append_string(page->out, "</section>\n");
}

void page_cell(const Page *page, const char *class, const char *name, const char *text)
{
    buffer_printf(page->out, "<td class=\"%s\" data-name=\"%s\">", class, name);
    markup_text(page->out, text);
    buffer_append_string(page->out, "</td>");
}

const char *page_variant_name(const Page *page, const json_t *variant)
{
    const char *brief = facts_text(variant, "tree_short");
    const char *accumulator = facts_text(variant, "accumulator");
    const char *wide = *accumulator && accumulator[1] != '3' ? accumulator : "";
    return arena_printf(page->arena, "%s · %s%s%s", facts_target(page->arena, variant),
                        *brief ? brief : facts_text(variant, "tree"), *wide ? " · " : "", wide);
}

static void write_head(const Page *page, const char *family)
{
    buffer_append_string(page->out,
                         "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" "
                         "lang=\"en\"><head><meta charset=\"utf-8\"/>"
                         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
    markup_element(page->out, "title", "", arena_printf(page->arena, "%s · samebits", family));
    buffer_printf(page->out, "<style>%s</style></head>\n<body><main>", page_style);
}

static void write_tile(const Page *page, const char *name, const char *value, const char *remark)
{
    buffer_append_string(page->out, "<div>");
    markup_element(page->out, "dt", "", name);
    buffer_append_string(page->out, "<dd>");
    markup_text(page->out, value);
    if (*remark)
        markup_element(page->out, "small", "", remark);
    buffer_append_string(page->out, "</dd></div>");
}

/* A ratio that the run could not resolve is no headline. */
static const char *fastest_text(Arena *arena, const json_t *entry)
{
    const char *time = format_duration(arena, facts_number(entry, "median_ns"));
    double ratio = facts_number(json_object_get(entry, "ratio"), "value");
    if (json_is_object(json_object_get(entry, "device")))
        return arena_printf(arena, "%s, %s of copy", time,
                            format_percent(arena, facts_number(entry, "share_of_copy")));
    if (!isfinite(ratio))
        return time;
    if (!strcmp(facts_text(entry, "verdict"), "UNRESOLVED"))
        return arena_printf(arena, "%s, against fastmath unresolved", time);
    return arena_printf(arena, "%s, %s fastmath", time, format_ratio(arena, ratio));
}

static void write_fastest(const Page *page)
{
    Arena *arena = page->arena;
    const json_t *shapes = facts_shapes(&page->facts);
    for (size_t s = 0; s < json_array_size(shapes); s++) {
        const json_t *shape = json_array_get(shapes, s), *entry = facts_fastest(shape);
        size_t index;
        const json_t *variant = entry ? facts_variant_of(&page->facts, entry, &index) : NULL;
        if (!variant)
            continue;
        const char *name = arena_printf(arena, "fastest at %s", format_shape_place(arena, shape));
        const char *value = fastest_text(arena, entry);
        const char *label = facts_text(variant, "label");
        write_tile(page, name, value, *label ? label : page_variant_name(page, variant));
    }
}

static void write_promise_tile(const Page *page, const Summary *sum)
{
    Arena *arena = page->arena;
    if (!page->facts.verify) {
        write_tile(page, "promises", "not verified", "nothing here says that a promise is kept");
        return;
    }
    size_t tried = sum->state[PROMISE_KEPT] + sum->state[PROMISE_BROKEN];
    const char *rest = arena_printf(arena, "%zu broken, %zu vacuous, %zu not tried, %zu not promised",
                                    sum->state[PROMISE_BROKEN], sum->state[PROMISE_VACUOUS],
                                    sum->state[PROMISE_NOT_TRIED], sum->state[PROMISE_NOT_PROMISED]);
    write_tile(page, "promises kept",
               arena_printf(arena, "%zu of %zu tried", sum->state[PROMISE_KEPT], tried), rest);
    write_tile(page, "negative controls caught",
               arena_printf(arena, "%zu of %zu", sum->caught, sum->controls),
               sum->caught == sum->controls ? "verification can fail, and did where it must"
                                            : "verification itself failed: its results show nothing");
}

static void write_summary(const Page *page, const json_t *manifest, const char *family)
{
    Summary sum = facts_summary(&page->facts);
    const char *spec = facts_text(manifest, "spec");
    markup_element(page->out, "h1", "", family);
    buffer_append_string(page->out, "<p class=\"operator\">");
    markup_element(page->out, "code", "", facts_text(json_object_get(manifest, "operator"), "text"));
    if (*spec)
        markup_element(page->out, "span", "class=\"soft\"", arena_printf(page->arena, " from %s", spec));
    buffer_append_string(page->out, "</p><dl class=\"tiles\">");
    const char *failed = sum.failed ? arena_printf(page->arena, "%zu failed", sum.failed) : "";
    size_t skipped = json_array_size(facts_skipped(&page->facts));
    if (skipped)
        failed = arena_printf(page->arena, "%s%s%zu skipped", failed, *failed ? ", " : "", skipped);
    write_tile(page, "variants", arena_printf(page->arena, "%zu", sum.variants), failed);
    write_promise_tile(page, &sum);
    write_fastest(page);
    buffer_append_string(page->out, "</dl>\n");
}

static void write_fact(const Page *page, const char *name, const char *value)
{
    if (!*value)
        return;
    markup_element(page->out, "dt", "", name);
    markup_element(page->out, "dd", "", value);
}

static const char *rate(const Page *page, const json_t *machine, const char *name, const char *unit)
{
    double value = facts_number(machine, name);
    return isfinite(value) ? arena_printf(page->arena, "%s %s", format_significant(page->arena, value), unit)
                           : "";
}

static void write_machine(const Page *page)
{
    const json_t *machine = facts_machine(&page->facts), *advice = json_object_get(machine, "advice");
    if (!json_is_object(machine))
        return;
    page_section_start(page, "Machine and protocol", "");
    buffer_append_string(page->out, "<div class=\"card\"><dl class=\"facts\">");
    double protocol = facts_number(page->facts.bench, "protocol"), threads = facts_number(machine, "threads");
    write_fact(page, "processor", facts_text(machine, "cpu"));
    if (isfinite(threads))
        write_fact(page, "threads", arena_printf(page->arena, "%.0f", threads));
    write_fact(page, "compiler", facts_text(machine, "compiler"));
    write_fact(page, "load", rate(page, machine, "load", "before the run"));
    write_fact(page, "time stolen by the host", rate(page, machine, "steal", "%"));
    write_fact(page, "read bandwidth", rate(page, machine, "read_gbs", "GB/s"));
    write_fact(page, "copy bandwidth", rate(page, machine, "copy_gbs", "GB/s"));
    write_fact(page, "copy bandwidth, streaming stores", rate(page, machine, "copy_stream_gbs", "GB/s"));
    write_fact(page, "FMA peak, one thread", rate(page, machine, "fma_gflops_one", "GFLOP/s"));
    write_fact(page, "FMA peak, all threads", rate(page, machine, "fma_gflops_all", "GFLOP/s"));
    if (isfinite(protocol))
        write_fact(
            page, "timing protocol",
            arena_printf(page->arena,
                         "version %.0f: interleaved blocks in several processes, paired log ratios, "
                         "intervals from the sign test, the baseline entered twice for the noise floor",
                         protocol));
    buffer_append_string(page->out, "</dl>");
    if (json_array_size(advice))
        buffer_append_string(page->out, "<h3>Advice</h3><ul class=\"plain\">");
    for (size_t i = 0; i < json_array_size(advice); i++) {
        const char *line = json_string_value(json_array_get(advice, i));
        markup_element(page->out, "li", "", line ? line : "");
    }
    if (json_array_size(advice))
        buffer_append_string(page->out, "</ul>");
    buffer_append_string(page->out, "</div>");
    page_section_end(page);
}

static void write_controls(const Page *page)
{
    const json_t *controls = facts_controls(&page->facts);
    if (json_array_size(controls) == 0)
        return;
    page_section_start(
        page, "Negative controls",
        "Kernels that are wrong on purpose. A verification that lets one through shows nothing.");
    buffer_append_string(page->out,
                         "<div class=\"card\"><table class=\"cards\"><thead><tr><th>control</th><th>must be "
                         "caught on</th><th>outcome</th>"
                         "<th class=\"number\">cases</th></tr></thead><tbody>");
    for (size_t i = 0; i < json_array_size(controls); i++) {
        const json_t *control = json_array_get(controls, i), *expected = json_object_get(control, "expected");
        bool caught = facts_true(control, "caught");
        const char *on = facts_text(control, "on"), *wanted = "";
        for (size_t e = 0; e < json_array_size(expected); e++) {
            const char *promise = json_string_value(json_array_get(expected, e));
            wanted = arena_printf(page->arena, "%s%s%s", wanted, e ? ", " : "", promise ? promise : "");
        }
        buffer_append_string(page->out, "<tr>");
        markup_element(page->out, "th", "scope=\"row\"", facts_text(control, "control"));
        page_cell(page, "", "must be caught on", wanted);
        const char *untried = facts_text(control, "not_tried");
        buffer_printf(page->out, "<td data-name=\"outcome\"><span class=\"chip %s\">",
                      *untried ? "warn"
                      : caught ? "good"
                               : "bad");
        markup_text(page->out, *untried ? arena_printf(page->arena, "not tried: %s", untried)
                               : caught ? arena_printf(page->arena, "caught%s%s", *on ? " on " : "", on)
                                        : "not caught");
        buffer_append_string(page->out, "</span></td>");
        double cases = facts_number(control, "cases");
        page_cell(page, "number", "cases", isfinite(cases) ? arena_printf(page->arena, "%.0f", cases) : "–");
        buffer_append_string(page->out, "</tr>");
    }
    buffer_append_string(page->out, "</tbody></table></div>");
    page_section_end(page);
}

static void write_notes(const Page *page, const char *title, const char *lead, Notes notes)
{
    if (notes.count == 0)
        return;
    page_section_start(page, title, lead);
    buffer_append_string(page->out, "<div class=\"card\"><dl class=\"facts\">");
    for (int i = 0; i < notes.count; i++) {
        markup_element(page->out, "dt", "", notes.item[i].head);
        markup_element(page->out, "dd", notes.item[i].bad ? "class=\"bad\"" : "", notes.item[i].text);
    }
    buffer_append_string(page->out, "</dl></div>");
    page_section_end(page);
}

static void write_skipped(const Page *page)
{
    const json_t *skipped = facts_skipped(&page->facts);
    if (json_array_size(skipped) == 0)
        return;
    page_section_start(page, "Skipped", "Asked for, and not possible here.");
    buffer_append_string(page->out, "<div class=\"card\"><dl class=\"facts\">");
    for (size_t i = 0; i < json_array_size(skipped); i++) {
        const json_t *skip = json_array_get(skipped, i);
        markup_element(page->out, "dt", "", facts_text(skip, "what"));
        markup_element(page->out, "dd", "", facts_text(skip, "why"));
    }
    buffer_append_string(page->out, "</dl></div>");
    page_section_end(page);
}

static void write_code_fact(const Page *page, const char *name, const char *value)
{
    if (!*value)
        return;
    markup_element(page->out, "dt", "", name);
    buffer_append_string(page->out, "<dd>");
    markup_element(page->out, "code", "", value);
    buffer_append_string(page->out, "</dd>");
}

static void write_variant(const Page *page, const json_t *variant, size_t number)
{
    Arena *arena = page->arena;
    const json_t *verified = facts_verified(&page->facts, variant),
                 *error = json_object_get(verified, "error");
    buffer_append_string(page->out, "<details class=\"variant\">");
    const char *label = facts_text(variant, "label");
    const char *name = arena_printf(arena, "%zu · %s%s%s", number, label, *label ? " · " : "",
                                    page_variant_name(page, variant));
    markup_element(page->out, "summary", "", name);
    buffer_append_string(page->out, "<dl class=\"facts\">");
    write_code_fact(page, "id", facts_text(variant, "id"));
    write_code_fact(page, "tree", facts_text(variant, "tree"));
    write_code_fact(page, "contract (SHA-256)", facts_text(variant, "contract"));
    write_code_fact(page, "output digest", facts_text(verified, "output_digest"));
    if (*facts_text(verified, "trust"))
        write_fact(page, "what was run", facts_text(verified, "trust"));
    write_code_fact(page, "source", facts_text(variant, "source"));
    write_code_fact(page, "C function", facts_text(variant, "symbol"));
    write_code_fact(page, "compile command", facts_text(json_object_get(variant, "launch"), "compile"));
    if (error) {
        const char *text = arena_printf(arena, "largest %s ulps, mean %s ulps; %s correctly rounded",
                                        format_ulps(arena, json_object_get(error, "max_ulps")),
                                        format_significant(arena, facts_number(error, "mean_ulps")),
                                        format_percent(arena, facts_number(error, "exact_share")));
        write_fact(page, "error", text);
    }
    buffer_append_string(page->out, "</dl>");
    if (*facts_text(variant, "contract_text")) {
        buffer_append_string(page->out, "<pre>");
        markup_element(page->out, "code", "", facts_text(variant, "contract_text"));
        buffer_append_string(page->out, "</pre>");
    }
    buffer_append_string(page->out, "</details>");
}

static void write_variants(const Page *page)
{
    const json_t *variants = facts_variants(&page->facts);
    page_section_start(page, "Variants",
                       json_array_size(variants)
                           ? "Operator and tree are the contract; equal contracts give equal bits."
                           : "This spec gave no variants.");
    if (json_array_size(variants)) {
        buffer_append_string(page->out, "<div class=\"card\">");
        for (size_t i = 0; i < json_array_size(variants); i++)
            write_variant(page, json_array_get(variants, i), i + 1);
        buffer_append_string(page->out, "</div>");
    }
    page_section_end(page);
}

/* What a reader must trust for these results to hold. */
static void write_trust(const Page *page)
{
    static const char *const item[] = {
        ("Checks are runs, not proofs: a promise marked kept held in every case that was compared, on this "
         "machine, with inputs that "
         "can tell the trees apart."),
        ("The reference evaluator is written from the contract alone and shares no code with what made the "
         "kernels; the error figures "
         "rest on MPFR."),
        ("The compiler is trusted to keep IEEE 754 semantics under the flags shown; the BUILD and TREE "
         "promises test that, and a kernel "
         "refuses to be compiled under -ffast-math."),
        ("The processor is trusted to round as IEEE 754 says. NaN signs and payloads are not promised."),
        ("Times belong to this machine and this run. Bits do not: the same contract gives the same bits "
         "elsewhere."),
    };
    page_section_start(page, "What this rests on", "");
    buffer_append_string(page->out, "<div class=\"card\"><ul class=\"plain\">");
    for (size_t i = 0; i < sizeof item / sizeof *item; i++)
        markup_element(page->out, "li", "", item[i]);
    buffer_append_string(page->out, "</ul></div>");
    page_section_end(page);
}

const char *report_write_html(const char *path, const json_t *manifest, const json_t *verify,
                              const json_t *bench)
{
    Arena *arena = arena_create();
    Buffer out = {0};
    Page page = {&out, arena, {manifest, verify, bench}};
    const json_t *named = manifest ? manifest : verify ? verify : bench;
    const char *family = *facts_text(named, "family") ? facts_text(named, "family") : "(no family)";
    write_head(&page, family);
    write_summary(&page, named, family);
    page_write_compare(&page);
    page_write_scatter(&page);
    page_write_promises(&page);
    page_write_speed(&page);
    page_write_ranks(&page);
    write_controls(&page);
    write_notes(&page, "Same bits", "Outputs of the canonical cases, by contract.",
                notes_agreement(arena, &page.facts));
    write_notes(&page, "What was run", "A result says no more than what was executed to get it.",
                notes_trust(arena, &page.facts));
    write_skipped(&page);
    write_notes(&page, "Not timed", "", notes_not_timed(arena, &page.facts));
    write_notes(&page, "Clocks that fell", "While these were timed; other times of the run may be low, too.",
                notes_clocks(arena, &page.facts));
    write_machine(&page);
    write_trust(&page);
    write_variants(&page);
    buffer_append_string(
        &out,
        "<footer>Made by samebits. The same facts are in manifest.json, verify.json and bench.json beside "
        "this file.</footer></main></body></html>\n");
    const char *why = buffer_write_file(&out, path);
    buffer_destroy(&out);
    arena_destroy(arena);
    return why;
}
