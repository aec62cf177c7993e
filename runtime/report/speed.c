/* speed.c: time against error, and per shape: ratio to fastmath with its interval, warm-up, share of the copy
 * bandwidth. */
#include "report/charts.h"
#include "report/format.h"
#include "report/markup.h"
#include "report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_LIMIT = 14 }; /* longer lists are folded away */

/* Which mark a target has: its place among the targets, in order of first appearance. */
static int target_shape(const Page *page, const json_t *variant)
{
    const json_t *variants = facts_variants(&page->facts);
    int shape = 0;
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const char *target = facts_text(json_array_get(variants, i), "target");
        if (strcmp(target, facts_text(variant, "target")) == 0)
            return shape;
        bool first = true;
        for (size_t j = 0; j < i && first; j++)
            first = strcmp(facts_text(json_array_get(variants, j), "target"), target) != 0;
        shape += first;
    }
    return shape;
}

static int collect_points(const Page *page, const json_t *shape, Point *point)
{
    const json_t *variants = facts_variants(&page->facts);
    int points = 0;
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *variant = json_array_get(variants, i);
        double time = facts_number(facts_entry(shape, variant), "median_ns");
        double error =
            facts_number(json_object_get(facts_verified(&page->facts, variant), "error"), "max_ulps");
        if (!(time > 0) || !isfinite(time) || !(error >= 0) || !isfinite(error))
            continue;
        const char *text =
            arena_printf(page->arena, "%s: %s, %s ulps", page_variant_name(page, variant),
                         format_duration(page->arena, time), format_significant(page->arena, error));
        point[points++] = (Point){time, error, i + 1, target_shape(page, variant), text};
    }
    return points;
}

static void write_key(const Page *page, const Point *point, int points)
{
    const json_t *variants = facts_variants(&page->facts);
    if (points > KEY_LIMIT)
        buffer_printf(page->out, "<details><summary>%d points</summary>", points);
    buffer_append_string(page->out, "<ol class=\"key\">");
    for (int i = 0; i < points; i++) {
        const json_t *variant = json_array_get(variants, point[i].number - 1);
        buffer_printf(page->out, "<li><b>%zu</b>", point[i].number);
        chart_point_mark(page->out, point[i].shape);
        const char *label = facts_text(variant, "label");
        markup_element(page->out, "span", "", *label ? label : page_variant_name(page, variant));
        const char *figures =
            arena_printf(page->arena, "%s, %s ulps", format_duration(page->arena, point[i].time),
                         format_significant(page->arena, point[i].error));
        markup_element(page->out, "span", "", figures);
        buffer_append_string(page->out, "</li>");
    }
    buffer_append_string(page->out, points > KEY_LIMIT ? "</ol></details>" : "</ol>");
}

static int by_time(const void *left, const void *right)
{
    double a = ((const Point *)left)->time, b = ((const Point *)right)->time;
    return (a > b) - (a < b);
}

static void write_one_scatter(const Page *page, const json_t *shape)
{
    Arena *arena = page->arena;
    size_t limit = json_array_size(facts_variants(&page->facts));
    Point *point = ARENA_ARRAY(arena, Point, limit + 1);
    int points = collect_points(page, shape, point);
    if (points == 0)
        return;
    qsort(point, (size_t)points, sizeof *point, by_time);
    const char *sizes = format_shape_place(arena, shape);
    double baseline = facts_number(facts_entry_of_kind(shape, "fastmath"), "median_ns");
    buffer_append_string(page->out, "<figure class=\"card\"><figcaption>");
    markup_text(page->out, sizes);
    buffer_append_string(page->out, "</figcaption>");
    chart_scatter(page->out, arena, point, points, baseline,
                  arena_printf(arena, "Time against largest error at %s, %d variants", sizes, points));
    write_key(page, point, points);
    if ((size_t)points < limit) {
        const char *text =
            arena_printf(arena, "%zu of %zu variants have no time or no error figure and are not drawn.",
                         limit - (size_t)points, limit);
        markup_element(page->out, "p", "class=\"soft\"", text);
    }
    buffer_append_string(page->out, "</figure>");
}

static bool any_points(const Page *page)
{
    const json_t *shapes = facts_shapes(&page->facts);
    Point *point = ARENA_ARRAY(page->arena, Point, json_array_size(facts_variants(&page->facts)) + 1);
    for (size_t s = 0; s < json_array_size(shapes); s++)
        if (collect_points(page, json_array_get(shapes, s), point) > 0)
            return true;
    return false;
}

void page_write_scatter(const Page *page)
{
    const json_t *shapes = facts_shapes(&page->facts);
    if (!any_points(page))
        return;
    page_section_start(page, "Time against error",
                       "Error is the largest distance from the correctly rounded result over the inputs of "
                       "verification; the green "
                       "line is half an ulp, which is as good as rounding can be. The red line is the time "
                       "of the plain loop at "
                       "-Ofast (fastmath). Numbers name variants.");
    buffer_append_string(page->out, "<div class=\"charts\">");
    for (size_t s = 0; s < json_array_size(shapes); s++)
        write_one_scatter(page, json_array_get(shapes, s));
    buffer_append_string(page->out, "</div>");
    page_section_end(page);
}

/* ---- one table per shape ---- */

typedef struct Scales {
    Scale ratio, time, share;
} Scales;

static Scales measure_scales(const json_t *entries)
{
    Scales scales = {scale_empty(true), scale_empty(true), scale_empty(false)};
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i), *ratio = json_object_get(entry, "ratio");
        scale_add(&scales.ratio, facts_number(ratio, "value"));
        scale_add(&scales.ratio, facts_number(ratio, "low"));
        scale_add(&scales.ratio, facts_number(ratio, "high"));
        scale_add(&scales.time, facts_number(entry, "first_call_ns"));
        scale_add(&scales.time, facts_number(entry, "settled_ns"));
        scale_add(&scales.share, facts_number(entry, "share_of_copy"));
    }
    scale_add(&scales.ratio, 0.95);
    scale_add(&scales.ratio, 1.05);
    scale_add(&scales.share, 0);
    scale_add(&scales.share, 1);
    scale_finish(&scales.ratio);
    scale_finish(&scales.time);
    scale_finish(&scales.share);
    return scales;
}

/* What a shape's times are held against: a device has no plain loop. */
static const char *baseline_name(const json_t *shape)
{
    return json_is_string(json_object_get(shape, "device")) ? "the first kernel" : "fastmath";
}

static void write_speed_head(const Page *page, const Scales *scales, const char *baseline)
{
    buffer_printf(page->out,
                  "<thead><tr><th class=\"no\">#</th><th>variant</th><th class=\"number\">time</th>"
                  "<th>ratio to %s; right is faster",
                  baseline);
    chart_axis(page->out, page->arena, &scales->ratio, format_plain, 1);
    buffer_append_string(page->out, "</th><th>first call (ring) to settled (dot)");
    chart_axis(page->out, page->arena, &scales->time, format_tick_duration, NAN);
    buffer_append_string(page->out, "</th><th>share of copy bandwidth");
    chart_axis(page->out, page->arena, &scales->share, format_percent, 1);
    buffer_append_string(page->out, "</th></tr></thead>");
}

static const char *verdict_class(const char *verdict)
{
    if (strcmp(verdict, "FASTER") == 0)
        return "chip good";
    if (strcmp(verdict, "SLOWER") == 0)
        return "chip bad";
    return strcmp(verdict, "UNRESOLVED") == 0 ? "chip warn" : "chip";
}

static void write_ratio_cell(const Page *page, const Scales *scales, const json_t *entry, double noise,
                             const char *baseline)
{
    Arena *arena = page->arena;
    const json_t *ratio = json_object_get(entry, "ratio");
    double value = facts_number(ratio, "value"), low = facts_number(ratio, "low"),
           high = facts_number(ratio, "high");
    buffer_printf(page->out, "<td class=\"chart\" data-name=\"ratio to %s\">", baseline);
    if (isfinite(value)) {
        const char *text = arena_printf(arena, "%s, interval %s ", format_ratio(arena, value),
                                        format_interval(arena, low, high));
        chart_ratio(page->out, &scales->ratio, low, value, high, noise, text);
        markup_element(page->out, "span", "class=\"figure\"", text);
        const char *verdict = facts_text(entry, "verdict"), *hint = facts_text(entry, "hint");
        if (*verdict) {
            buffer_printf(page->out, "<span class=\"%s\">", verdict_class(verdict));
            markup_text(page->out, verdict);
            buffer_append_string(page->out, "</span>");
        }
        if (*hint)
            markup_element(page->out, "small", "class=\"soft\"", arena_printf(arena, " %s", hint));
    } else {
        markup_element(page->out, "span", "class=\"soft\"",
                       facts_entry_is(entry, "fastmath") ? "the baseline" : "–");
    }
    buffer_append_string(page->out, "</td>");
}

static void write_warmup_cell(const Page *page, const Scales *scales, const json_t *entry)
{
    Arena *arena = page->arena;
    double first = facts_number(entry, "first_call_ns"), settled = facts_number(entry, "settled_ns");
    double calls = facts_number(entry, "warmup_calls");
    buffer_append_string(page->out, "<td class=\"chart\" data-name=\"first call to settled\">");
    const char *text =
        arena_printf(arena, "%s, then %s", format_duration(arena, first), format_duration(arena, settled));
    if (isfinite(first) && isfinite(settled) && settled > 0)
        text = arena_printf(arena, "%s (%s)", text, format_ratio(arena, first / settled));
    if (isfinite(calls))
        text = arena_printf(arena, "%s after %.0f call%s", text, calls, calls == 1 ? "" : "s");
    if (first > 0 && settled > 0)
        chart_warmup(page->out, &scales->time, first, settled, text);
    markup_element(page->out, "span", "class=\"figure\"", text);
    buffer_append_string(page->out, "</td>");
}

static void write_share_cell(const Page *page, const Scales *scales, const json_t *entry)
{
    Arena *arena = page->arena;
    double share = facts_number(entry, "share_of_copy");
    const char *text = arena_printf(arena, "%s; %s GB/s", format_percent(arena, share),
                                    format_significant(arena, facts_number(entry, "gbs")));
    double flops = facts_number(entry, "gflops");
    if (isfinite(flops))
        text = arena_printf(arena, "%s, %s GFLOP/s", text, format_significant(arena, flops));
    buffer_append_string(page->out, "<td class=\"chart\" data-name=\"share of copy bandwidth\">");
    if (isfinite(share))
        chart_share(page->out, &scales->share, share, text);
    markup_element(page->out, "span", "class=\"figure\"", text);
    buffer_append_string(page->out, "</td>");
}

static void write_entry_name(const Page *page, const json_t *entry, const json_t *variant)
{
    const char *label = facts_text(variant ? variant : entry, "label");
    if (*label)
        markup_element(page->out, "span", "class=\"label\"", label);
    if (variant)
        markup_element(page->out, "code", "", page_variant_name(page, variant));
    else
        markup_element(page->out, "small", "", facts_text(entry, "kind"));
}

static void write_speed_row(const Page *page, const Scales *scales, const json_t *entry, double noise,
                            const char *baseline)
{
    Arena *arena = page->arena;
    size_t number = 0;
    const json_t *variant =
        facts_entry_is(entry, "variant") ? facts_variant_of(&page->facts, entry, &number) : NULL;
    buffer_printf(page->out, "<tr><td class=\"no\">%s</td><th scope=\"row\" class=\"name\">",
                  variant ? arena_printf(arena, "%zu", number + 1) : "");
    write_entry_name(page, entry, variant);
    buffer_append_string(page->out, "</th>");
    double least = facts_number(entry, "min_ns"), outliers = facts_number(entry, "outliers");
    buffer_append_string(page->out, "<td class=\"number\" data-name=\"time\">");
    markup_element(page->out, "b", "", format_duration(arena, facts_number(entry, "median_ns")));
    if (isfinite(least))
        markup_element(page->out, "small", "class=\"soft\"",
                       arena_printf(arena, "min %s", format_duration(arena, least)));
    if (outliers > 0)
        markup_element(page->out, "small", "class=\"soft\"", arena_printf(arena, "%.0f outliers", outliers));
    buffer_append_string(page->out, "</td>");
    write_ratio_cell(page, scales, entry, noise, baseline);
    write_warmup_cell(page, scales, entry);
    write_share_cell(page, scales, entry);
    buffer_append_string(page->out, "</tr>");
}

static int by_median(const void *left, const void *right)
{
    double a = facts_number(*(const json_t *const *)left, "median_ns"),
           b = facts_number(*(const json_t *const *)right, "median_ns");
    if (!isfinite(a) || !isfinite(b))
        return !isfinite(a) - !isfinite(b);
    return (a > b) - (a < b);
}

static void write_shape(const Page *page, const json_t *shape)
{
    Arena *arena = page->arena;
    const json_t *entries = json_object_get(shape, "entries"), *sizes = json_object_get(shape, "shape");
    size_t count = json_array_size(entries);
    if (count == 0)
        return;
    const json_t **order = ARENA_ARRAY(arena, const json_t *, count);
    for (size_t i = 0; i < count; i++)
        order[i] = json_array_get(entries, i);
    qsort(order, count, sizeof *order, by_median);
    double noise = facts_number(shape, "noise_floor");
    Scales scales = measure_scales(entries);
    const char *text = arena_printf(
        arena, "%s (%s): %s and %s operations per call; noise floor ±%s", format_shape_place(arena, shape),
        format_shape_names(arena, sizes), format_bytes(arena, facts_number(shape, "bytes")),
        format_significant(arena, facts_number(shape, "flops")), format_percent(arena, noise));
    markup_element(page->out, "h3", "", text);
    buffer_append_string(page->out, "<div class=\"card\"><table class=\"cards speed\">");
    write_speed_head(page, &scales, baseline_name(shape));
    buffer_append_string(page->out, "<tbody>");
    for (size_t i = 0; i < count; i++)
        write_speed_row(page, &scales, order[i], noise, baseline_name(shape));
    buffer_append_string(page->out, "</tbody></table></div>");
}

void page_write_speed(const Page *page)
{
    const json_t *shapes = facts_shapes(&page->facts);
    if (json_array_size(shapes) == 0)
        return;
    page_section_start(
        page, "Speed",
        "Fastest first. The bar with ends is the interval of the ratio; the band round 1 is "
        "the noise floor of the run: no "
        "difference inside it is claimed. The first call is one in a fresh process, warm-up and all. "
        "The share is of what a copy of the same bytes reaches in the same run: one from cache where "
        "they fit in it.");
    for (size_t s = 0; s < json_array_size(shapes); s++)
        write_shape(page, json_array_get(shapes, s));
    page_section_end(page);
}
