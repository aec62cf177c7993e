/* figures.h: the figures this project asks of itself, measured in one run: `samebits bench --figures`. */
#ifndef SAMEBITS_FIGURES_H
#define SAMEBITS_FIGURES_H

#include "text/diagnostics.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Generates, compiles and times what the figures need, from the specs in `spec_dir`, below out_dir/figures;
 * about two minutes.
 * {"version", "machine", "figures": [{"work", "asked", "value", "low", "high", "unit", "reached":
 * true|false|null, "note"}]}; null: not measured, the note says why. Writes out_dir/figures/figures.json.
 * NULL after reporting. */
json_t *figures_measure(Arena *arena, Diagnostics *diagnostics, const char *spec_dir, const char *out_dir,
                        bool progress);

/* The table, and a last line that counts. Returns how many figures were not reached. */
int figures_print(FILE *stream, const json_t *figures);

#endif
