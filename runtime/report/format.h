/* format.h: numbers as people read them, and how wide text is on a terminal. Every result lives in the arena.
 */
#ifndef SAMEBITS_FORMAT_H
#define SAMEBITS_FORMAT_H

#include "text/arena.h"

#include <jansson.h>

/* A value that is not there (NAN) is "–" everywhere. */
const char *format_duration(Arena *arena, double nanoseconds);      /* "24.1 µs" */
const char *format_tick_duration(Arena *arena, double nanoseconds); /* of a scale: "10 µs", "0.5 ms" */
const char *format_bytes(Arena *arena, double bytes);               /* "4.19 MB", decimal units */
const char *format_significant(Arena *arena, double value);         /* three digits: "0.83", "1.04", "1260" */
const char *format_plain(Arena *arena, double value); /* as short as it can be: "0.5", "1", "20" */
const char *format_ratio(Arena *arena, double value); /* "1.04×" */
const char *format_interval(Arena *arena, double low, double high);
const char *format_percent(Arena *arena, double share);      /* 0.94 -> "94 %", 0.0003 -> "0.03 %" */
const char *format_ulps(Arena *arena, const json_t *value);  /* a number, or what verify says instead */
const char *format_small(Arena *arena, double value);        /* "0" or "1.19e-07" */
const char *format_shape(Arena *arena, const json_t *sizes); /* {"rows":512,"cols":1024} -> "512 × 1024" */
/* Of one shape of bench.json: "512 × 1024", "8192 × 8192 on NVIDIA H200" where it was timed on a device. */
const char *format_shape_place(Arena *arena, const json_t *shape);
const char *format_shape_names(Arena *arena, const json_t *sizes); /* "rows × cols" */

/* Columns that valid UTF-8 takes on a terminal: combining marks 0, East Asian wide and emoji 2, else 1. */
int format_columns(const char *text);
/* Control bytes become blanks, so that text from a file cannot steer the terminal. */
const char *format_printable(Arena *arena, const char *text);
/* At most `columns` wide; what is too long loses its middle: both ends of a tree say what it is. */
const char *format_elided(Arena *arena, const char *text, int columns);

#endif
