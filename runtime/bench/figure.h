/* figure.h: one figure that this project asks of itself, and what measuring them shares. */
#ifndef SAMEBITS_FIGURE_H
#define SAMEBITS_FIGURE_H

#include "bench/machine.h"
#include "family/family.h"
#include "report/progress.h"

#include <jansson.h>

typedef struct Figures {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *spec_dir, *out_dir;
    Machine machine;
    json_t *rows;
    Progress progress;
} Figures;

typedef struct Figure {
    const char *work, *unit;
    double asked, value, low, high;
    bool at_most;  /* else at least */
    double leeway; /* a noise floor, where the figure asks for "as fast" */
    const char *note;
} Figure;

void figure_put(Figures *figures, Figure figure);
void figure_put_unmeasured(Figures *figures, const char *work, double asked, const char *unit,
                           const char *why);

/* Generated and compiled below out_dir; NULL after reporting. The family is the caller's own: emit_family may
 * turn variants into skips. */
Family *figure_build_spec(Figures *figures, const char *spec, const AxisOverride *overrides, int count);

void put_rank_figures(Figures *figures); /* rank_figures.c: kernels that ranks run */

#endif
