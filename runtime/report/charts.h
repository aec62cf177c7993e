/* charts.h: small inline SVG charts. Horizontal positions are percentages and text is never scaled, so that a
 * chart is as readable on a telephone as on a wide screen; each chart says in <title> what it shows. */
#ifndef SAMEBITS_CHARTS_H
#define SAMEBITS_CHARTS_H

#include "report/facts.h"
#include "text/arena.h"
#include "text/buffer.h"

#include <stdbool.h>

typedef struct Scale {
    double low, high; /* low < high; positive when logarithmic */
    bool logarithmic;
} Scale;
/* Covers the values given to scale_add (those that are finite and, on a logarithmic scale, positive). */
Scale scale_empty(bool logarithmic);
void scale_add(Scale *scale, double value);
void scale_finish(Scale *scale); /* some room at both ends; an empty scale becomes [0.5, 2] or [0, 1] */
double scale_share(const Scale *scale, double value); /* 0 at low, 1 at high, clamped */
enum { SCALE_TICKS = 8 };
int scale_ticks(const Scale *scale, double tick[SCALE_TICKS]);

typedef const char *TickText(Arena *arena, double value);

/* The head of a column of strips that share `scale`. `mark` (1 for ratios, say) is drawn strong; NAN: none.
 */
void chart_axis(Buffer *out, Arena *arena, const Scale *scale, TickText *text, double mark);
/* One strip each; `title` is what a screen reader says. */
void chart_ratio(Buffer *out, const Scale *scale, double low, double value, double high, double noise,
                 const char *title);
void chart_warmup(Buffer *out, const Scale *scale, double first, double settled, const char *title);
void chart_share(Buffer *out, const Scale *scale, double share, const char *title);
/* One cell of the promise matrix. */
void chart_promise(Buffer *out, PromiseState state, const char *title);

typedef struct Point {
    double time, error;
    size_t number;    /* shown beside the mark */
    int shape;        /* which mark: by target */
    const char *text; /* what the mark says when pointed at */
} Point;
/* Time (logarithmic when it spans much) against error; `baseline` is a dashed line at that time, NAN: none.
 */
void chart_scatter(Buffer *out, Arena *arena, const Point *point, int points, double baseline,
                   const char *title);
/* The mark alone, for legends. */
void chart_point_mark(Buffer *out, int shape);

#endif
