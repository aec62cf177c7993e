/* charts.c: small inline SVG charts.
 *
 * Invariant: labels of a scatter do not overlap at any width from NARROWEST up: two labels are accepted only
 * when they are apart vertically (heights are fixed) or apart horizontally in the order of their points
 * (widening moves them further apart). */
#include "report/charts.h"

#include "report/format.h"
#include "report/markup.h"

#include <math.h>
#include <string.h>

enum { STRIP_HEIGHT = 22, AXIS_HEIGHT = 22, LEFT_PERCENT = 3, SPAN_PERCENT = 94 };
static const double column_percent = 3.3; /* of a strip of 200 CSS pixels, the narrowest that has a scale */

Scale scale_empty(bool logarithmic)
{
    return (Scale){INFINITY, -INFINITY, logarithmic};
}

void scale_add(Scale *scale, double value)
{
    if (!isfinite(value) || (scale->logarithmic && value <= 0))
        return;
    scale->low = fmin(scale->low, value);
    scale->high = fmax(scale->high, value);
}

void scale_finish(Scale *scale)
{
    if (!(scale->low <= scale->high)) {
        *scale = (Scale){scale->logarithmic ? 0.5 : 0, scale->logarithmic ? 2 : 1, scale->logarithmic};
        return;
    }
    if (scale->logarithmic) {
        double room = fmax(pow(scale->high / scale->low, 0.04), 1.01);
        scale->low /= room;
        scale->high *= room;
    } else {
        double room = fmax((scale->high - scale->low) * 0.05, fabs(scale->high) * 1e-3 + 1e-12);
        scale->low = scale->low == 0 ? 0 : scale->low - room;
        scale->high += room;
    }
}

double scale_share(const Scale *scale, double value)
{
    double share = scale->logarithmic ? log(value / scale->low) / log(scale->high / scale->low)
                                      : (value - scale->low) / (scale->high - scale->low);
    return share >= 0 ? fmin(share, 1) : 0; /* a NaN is drawn at the low end; callers do not draw one */
}

static double percent(const Scale *scale, double value)
{
    return LEFT_PERCENT + SPAN_PERCENT * scale_share(scale, value);
}

/* 1, 2 or 5 times a power of ten, not below `step`. */
static double nice_step(double step)
{
    double power = pow(10, floor(log10(step)));
    double digit = step / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static int even_ticks(const Scale *scale, double tick[SCALE_TICKS])
{
    double step = nice_step((scale->high - scale->low) / 4);
    int ticks = 0;
    for (double k = ceil(scale->low / step); ticks < SCALE_TICKS && k * step <= scale->high; k++)
        tick[ticks++] = k * step;
    return ticks;
}

/* Ticks at `digits` times powers of ten; 0 when they do not fit in half of the limit (labels need room). */
static int decade_ticks(const Scale *scale, const double *digit, int digits, double tick[SCALE_TICKS])
{
    int ticks = 0;
    int first = (int)floor(log10(scale->low)), last = (int)ceil(log10(scale->high));
    for (int exponent = first; exponent <= last; exponent++) {
        for (int d = 0; d < digits; d++) {
            double value = pow(10, exponent) * digit[d];
            if (value < scale->low || value > scale->high)
                continue;
            if (ticks == 5)
                return 0;
            tick[ticks++] = value;
        }
    }
    return ticks;
}

int scale_ticks(const Scale *scale, double tick[SCALE_TICKS])
{
    static const double digit[] = {1, 2, 5}, half[] = {1, 3}, whole[] = {1};
    if (!scale->logarithmic || scale->high / scale->low < 4)
        return even_ticks(scale, tick);
    int ticks = decade_ticks(scale, digit, 3, tick);
    if (!ticks)
        ticks = decade_ticks(scale, half, 2, tick);
    if (!ticks)
        ticks = decade_ticks(scale, whole, 1, tick);
    if (ticks)
        return ticks;
    tick[0] = scale->low;
    tick[1] = scale->high;
    return 2;
}

static void open_chart(Buffer *out, const char *class, int height, const char *title)
{
    buffer_printf(out, "<svg class=\"%s\" width=\"100%%\" height=\"%d\" role=\"img\"><title>", class, height);
    markup_text(out, title);
    buffer_append_string(out, "</title>");
}

static void vertical(Buffer *out, const char *class, double x, int top, int bottom)
{
    buffer_printf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%d\" y2=\"%d\"/>", class, x, x,
                  top, bottom);
}

static void horizontal(Buffer *out, const char *class, double left, double right, double y)
{
    buffer_printf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%.1f\" y2=\"%.1f\"/>", class,
                  left, right, y, y);
}

/* Text at the edge leans inward. */
static void tick_label(Buffer *out, double x, double y, const char *text)
{
    const char *anchor = x < 12 ? "start" : x > 88 ? "end" : "middle";
    buffer_printf(out, "<text class=\"tick\" x=\"%.2f%%\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    markup_text(out, text);
    buffer_append_string(out, "</text>");
}

/* Where the text of a tick lies, with a column of room behind it. */
static void tick_span(double x, const char *text, double span[2])
{
    double width = (format_columns(text) + 1) * column_percent;
    span[0] = x < 12 ? x : x > 88 ? x - width : x - width / 2;
    span[1] = span[0] + width;
}

/* Texts that would touch one before them, or the marked one, are left out; their ticks stay. */
static bool has_room(const Scale *scale, const double *tick, int i, TickText *text, Arena *arena, double mark,
                     double *taken)
{
    double mine[2], marked[2];
    tick_span(percent(scale, tick[i]), text(arena, tick[i]), mine);
    tick_span(percent(scale, mark), isfinite(mark) ? text(arena, mark) : "", marked);
    bool is_marked = tick[i] == mark;
    if (!is_marked && isfinite(mark) && mine[0] < marked[1] && marked[0] < mine[1])
        return false;
    if (!is_marked && mine[0] < *taken)
        return false;
    *taken = mine[1];
    return true;
}

void chart_axis(Buffer *out, Arena *arena, const Scale *scale, TickText *text, double mark)
{
    double tick[SCALE_TICKS], taken = -1;
    int ticks = scale_ticks(scale, tick);
    buffer_printf(out, "<svg class=\"axis\" width=\"100%%\" height=\"%d\" aria-hidden=\"true\">",
                  AXIS_HEIGHT);
    for (int i = 0; i < ticks; i++) {
        double x = percent(scale, tick[i]);
        vertical(out, tick[i] == mark ? "one" : "grid", x, AXIS_HEIGHT - 5, AXIS_HEIGHT);
        if (has_room(scale, tick, i, text, arena, mark, &taken))
            tick_label(out, x, AXIS_HEIGHT - 8, text(arena, tick[i]));
    }
    buffer_append_string(out, "</svg>");
}

static void strip_grid(Buffer *out, const Scale *scale, double mark)
{
    double tick[SCALE_TICKS];
    int ticks = scale_ticks(scale, tick);
    for (int i = 0; i < ticks; i++)
        vertical(out, "grid", percent(scale, tick[i]), 0, STRIP_HEIGHT);
    if (isfinite(mark))
        vertical(out, "one", percent(scale, mark), 0, STRIP_HEIGHT);
}

void chart_ratio(Buffer *out, const Scale *scale, double low, double value, double high, double noise,
                 const char *title)
{
    open_chart(out, "strip", STRIP_HEIGHT, title);
    if (isfinite(noise) && noise > 0) {
        double left = percent(scale, 1 / (1 + noise)), right = percent(scale, 1 + noise);
        buffer_printf(out, "<rect class=\"noise\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"0\" height=\"%d\"/>",
                      left, right - left, STRIP_HEIGHT);
    }
    strip_grid(out, scale, 1);
    const char *class = value > 1 ? "good" : "bad";
    if (isfinite(noise) && fabs(value - 1) <= noise)
        class = "even";
    double y = STRIP_HEIGHT / 2.0;
    buffer_printf(out, "<g class=\"%s\">", class);
    if (isfinite(low) && isfinite(high)) {
        horizontal(out, "range", percent(scale, low), percent(scale, high), y);
        vertical(out, "range", percent(scale, low), STRIP_HEIGHT / 2 - 4, STRIP_HEIGHT / 2 + 4);
        vertical(out, "range", percent(scale, high), STRIP_HEIGHT / 2 - 4, STRIP_HEIGHT / 2 + 4);
    }
    if (isfinite(value))
        buffer_printf(out, "<circle cx=\"%.2f%%\" cy=\"%.1f\" r=\"4\"/>", percent(scale, value), y);
    buffer_append_string(out, "</g></svg>");
}

void chart_warmup(Buffer *out, const Scale *scale, double first, double settled, const char *title)
{
    double y = STRIP_HEIGHT / 2.0;
    open_chart(out, "strip", STRIP_HEIGHT, title);
    strip_grid(out, scale, NAN);
    if (isfinite(first) && isfinite(settled))
        horizontal(out, "warm", percent(scale, settled), percent(scale, first), y);
    if (isfinite(first))
        buffer_printf(out, "<circle class=\"first\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"4\"/>",
                      percent(scale, first), y);
    if (isfinite(settled))
        buffer_printf(out, "<circle class=\"settled\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"4\"/>",
                      percent(scale, settled), y);
    buffer_append_string(out, "</svg>");
}

void chart_share(Buffer *out, const Scale *scale, double share, const char *title)
{
    open_chart(out, "strip", STRIP_HEIGHT, title);
    double left = percent(scale, scale->low);
    if (isfinite(share))
        buffer_printf(out, "<rect class=\"bar\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"5\" height=\"%d\"/>", left,
                      percent(scale, share) - left, STRIP_HEIGHT - 10);
    strip_grid(out, scale, 1);
    buffer_append_string(out, "</svg>");
}

void chart_promise(Buffer *out, PromiseState state, const char *title)
{
    static const struct {
        const char *class, *path;
    } drawing[PROMISE_STATES] = {
        [PROMISE_BROKEN] = {"broken", "M5.5 5.5 12.5 12.5M12.5 5.5 5.5 12.5"},
        [PROMISE_KEPT] = {"kept", "M4.5 9.5 7.8 12.6 13.5 5.8"},
        [PROMISE_NOT_PROMISED] = {"none", "M6 9H12"},
        [PROMISE_NOT_TRIED] = {"untried", "M6.6 7.2A2.4 2.4 0 1 1 9.6 9.4Q9 9.8 9 10.8M9 13.2V13.4"},
        [PROMISE_VACUOUS] = {"vacuous", "M6 9H12"},
    };
    buffer_printf(
        out, "<svg class=\"mark %s\" width=\"18\" height=\"18\" viewBox=\"0 0 18 18\" role=\"img\"><title>",
        drawing[state].class);
    markup_text(out, title);
    buffer_printf(out, "</title><circle cx=\"9\" cy=\"9\" r=\"8\"/><path d=\"%s\"/></svg>",
                  drawing[state].path);
}

/* ---- scatter ---- */

enum {
    SCATTER_HEIGHT = 300,
    SCATTER_TOP = 24,
    SCATTER_BOTTOM = 254,
    SCATTER_LEFT_PERCENT = 13,
    SCATTER_SPAN_PERCENT = 83,
    NARROWEST = 300, /* CSS pixels: the width that labels are placed for */
    LABEL_HEIGHT = 12,
    DIGIT_WIDTH = 7,
    MARK_RADIUS = 6
};

typedef struct Box {
    double anchor;      /* x of the point, in pixels at NARROWEST */
    double left, right; /* in pixels at NARROWEST */
    double top, bottom;
} Box;

/* Apart at NARROWEST and at every greater width: see the head of this file. */
static bool boxes_apart(const Box *a, const Box *b)
{
    if (a->bottom <= b->top || b->bottom <= a->top)
        return true;
    if (a->right <= b->left)
        return a->anchor <= b->anchor;
    if (b->right <= a->left)
        return b->anchor <= a->anchor;
    return false;
}

static double scatter_x(const Scale *time, double value)
{
    return SCATTER_LEFT_PERCENT + SCATTER_SPAN_PERCENT * scale_share(time, value);
}

static double scatter_y(const Scale *error, double value)
{
    return SCATTER_BOTTOM - (SCATTER_BOTTOM - SCATTER_TOP) * scale_share(error, value);
}

typedef struct Label {
    double dx, dy; /* centre of the text, from the point */
    bool placed;
} Label;

static Box label_box(double x, double y, double dx, double dy, double width)
{
    return (Box){x, x + dx - width / 2, x + dx + width / 2, y + dy - LABEL_HEIGHT / 2.0,
                 y + dy + LABEL_HEIGHT / 2.0};
}

/* Nearby places first, in rings; beside the point, then above and below, then diagonals. */
static bool try_places(const Box *taken, int count, double x, double y, double width, Label *label, Box *box)
{
    static const double direction[][2] = {{1, 0},  {-1, 0}, {0, -1},  {0, 1},
                                          {1, -1}, {1, 1},  {-1, -1}, {-1, 1}};
    for (int ring = 0; ring < 12; ring++) {
        double away_x = MARK_RADIUS + 2 + width / 2 + ring * 6,
               away_y = MARK_RADIUS + LABEL_HEIGHT / 2.0 + ring * 9;
        for (size_t d = 0; d < sizeof direction / sizeof *direction; d++) {
            double dx = direction[d][0] * away_x, dy = direction[d][1] * away_y;
            *box = label_box(x, y, dx, dy, width);
            bool apart = box->left >= NARROWEST * 0.12 && box->right <= NARROWEST && box->top >= 0 &&
                         box->bottom <= SCATTER_BOTTOM;
            for (int i = 0; i < count && apart; i++)
                apart = boxes_apart(box, &taken[i]);
            if (!apart)
                continue;
            *label = (Label){dx, dy, true};
            return true;
        }
    }
    return false;
}

static int number_width(size_t number)
{
    return number < 10 ? DIGIT_WIDTH : number < 100 ? 2 * DIGIT_WIDTH : 3 * DIGIT_WIDTH;
}

/* Labels that find no place are left out of the drawing: the list below the chart names every point. */
static void place_labels(Arena *arena, const Point *point, int points, const Scale *time, const Scale *error,
                         Label *label)
{
    Box *taken = ARENA_ARRAY(arena, Box, (size_t)points * 2 + 1);
    int count = 0;
    for (int i = 0; i < points; i++) {
        double x = scatter_x(time, point[i].time) * NARROWEST / 100, y = scatter_y(error, point[i].error);
        taken[count++] = (Box){x, x - MARK_RADIUS, x + MARK_RADIUS, y - MARK_RADIUS, y + MARK_RADIUS};
    }
    for (int i = 0; i < points; i++) {
        double x = scatter_x(time, point[i].time) * NARROWEST / 100, y = scatter_y(error, point[i].error);
        if (try_places(taken, count, x, y, number_width(point[i].number), &label[i], &taken[count]))
            count++;
    }
}

static void draw_mark(Buffer *out, int shape)
{
    static const char *const form[] = {
        "<circle r=\"5\"/>",
        "<rect x=\"-4.5\" y=\"-4.5\" width=\"9\" height=\"9\"/>",
        "<path d=\"M0-6 6 5H-6Z\"/>",
        "<path d=\"M0-6 6 0 0 6-6 0Z\"/>",
    };
    int kinds = (int)(sizeof form / sizeof *form);
    buffer_printf(out, "<g class=\"point p%d\">%s</g>", shape % kinds, form[shape % kinds]);
}

void chart_point_mark(Buffer *out, int shape)
{
    buffer_append_string(
        out,
        "<svg class=\"key-mark\" width=\"14\" height=\"14\" viewBox=\"-7 -7 14 14\" aria-hidden=\"true\">");
    draw_mark(out, shape);
    buffer_append_string(out, "</svg>");
}

static void draw_point(Buffer *out, const Point *point, const Label *label, double x, double y)
{
    /* A nested picture with its origin at the point: percentages outside, pixels inside. */
    buffer_printf(out, "<svg x=\"%.2f%%\" y=\"%.1f\" overflow=\"visible\"><title>", x, y);
    markup_text(out, point->text);
    buffer_append_string(out, "</title>");
    if (label->placed && (fabs(label->dx) > 22 || fabs(label->dy) > 16))
        buffer_printf(out, "<line class=\"leader\" x1=\"0\" y1=\"0\" x2=\"%.1f\" y2=\"%.1f\"/>", label->dx,
                      label->dy);
    draw_mark(out, point->shape);
    if (label->placed)
        buffer_printf(out, "<text class=\"number\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%zu</text>",
                      label->dx, label->dy + 4, point->number);
    buffer_append_string(out, "</svg>");
}

static void draw_frame(Buffer *out, Arena *arena, const Scale *time, const Scale *error)
{
    double tick[SCALE_TICKS];
    int ticks = scale_ticks(time, tick);
    double left = SCATTER_LEFT_PERCENT, right = SCATTER_LEFT_PERCENT + SCATTER_SPAN_PERCENT;
    for (int i = 0; i < ticks; i++) {
        vertical(out, "grid", scatter_x(time, tick[i]), SCATTER_TOP, SCATTER_BOTTOM);
        tick_label(out, scatter_x(time, tick[i]), SCATTER_BOTTOM + 16, format_tick_duration(arena, tick[i]));
    }
    ticks = scale_ticks(error, tick);
    for (int i = 0; i < ticks; i++) {
        horizontal(out, "grid", left, right, scatter_y(error, tick[i]));
        buffer_printf(out, "<text class=\"tick\" x=\"%.2f%%\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                      left - 1.5, scatter_y(error, tick[i]) + 4, format_plain(arena, tick[i]));
    }
    horizontal(out, "edge", left, right, SCATTER_BOTTOM);
    buffer_printf(
        out,
        "<text class=\"tick\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"end\">time per call; left is faster</text>",
        right, SCATTER_HEIGHT - 12);
    buffer_printf(out,
                  "<text class=\"tick\" x=\"%.2f%%\" y=\"%d\">largest error in ulps; down is better</text>",
                  left + 1, SCATTER_TOP - 10);
}

/* Errors up to 6 ulps are shown from 0, evenly; greater spans need a logarithm, from a quarter of an ulp. */
static Scale error_scale(const Point *point, int points)
{
    double most = 0;
    for (int i = 0; i < points; i++)
        most = fmax(most, point[i].error);
    if (most <= 6)
        return (Scale){0, fmax(most * 1.15, 1), false};
    return (Scale){0.25, most * 2, true};
}

static Scale time_scale(const Point *point, int points, double baseline)
{
    Scale scale = scale_empty(true);
    for (int i = 0; i < points; i++)
        scale_add(&scale, point[i].time);
    scale_add(&scale, baseline);
    scale_finish(&scale);
    return scale;
}

void chart_scatter(Buffer *out, Arena *arena, const Point *point, int points, double baseline,
                   const char *title)
{
    Scale time = time_scale(point, points, baseline), error = error_scale(point, points);
    Label *label = ARENA_ARRAY(arena, Label, (size_t)points + 1);
    place_labels(arena, point, points, &time, &error, label);
    open_chart(out, "scatter", SCATTER_HEIGHT, title);
    draw_frame(out, arena, &time, &error);
    horizontal(out, "half", SCATTER_LEFT_PERCENT, SCATTER_LEFT_PERCENT + SCATTER_SPAN_PERCENT,
               scatter_y(&error, 0.5));
    if (isfinite(baseline) && baseline > 0)
        vertical(out, "baseline", scatter_x(&time, baseline), SCATTER_TOP, SCATTER_BOTTOM);
    for (int i = 0; i < points; i++)
        draw_point(out, &point[i], &label[i], scatter_x(&time, point[i].time),
                   scatter_y(&error, point[i].error));
    buffer_append_string(out, "</svg>");
}
