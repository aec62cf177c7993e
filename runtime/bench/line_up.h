/* line_up.h: which entries a family is timed with: baseline twice, other baselines, variants, a control, a
 * peer, memory.
 * Kernels for devices are not among them: device.h. */
#ifndef SAMEBITS_LINE_UP_H
#define SAMEBITS_LINE_UP_H

#include "bench/entry.h"

#include <jansson.h>

typedef struct LineUp {
    BenchEntry *entry;
    const Variant **variant; /* parallel; NULL where the entry is none */
    int entries;
    int baseline, baseline_again; /* -1 when there is nothing to time */
    json_t *skipped;              /* [{"what", "why"}] */
} LineUp;

typedef struct LineUpChoice {
    const json_t *verify;                                       /* content of verify.json, or NULL */
    bool (*wants)(const void *context, const Variant *variant); /* NULL: every variant */
    const void *context;
    bool with_peers;
} LineUpChoice;

/* Objects must have been built. Whatever is left out is in `skipped` with its reason. */
LineUp line_up_create(Arena *arena, const Family *family, const char *out_dir, LineUpChoice choice);
/* NULL when verification (`verify`: content of verify.json) found nothing against it. */
const char *line_up_why_not(Arena *arena, const Variant *variant, const char *path, const json_t *verify);
void line_up_destroy(LineUp *line_up);
/* Entries that are compared with the baseline: all but the memory entries and the two baselines. */
int line_up_comparisons(const LineUp *line_up);
/* Both return the new entry's place; there must be room. The second enters entry `twin` once more. */
int line_up_add(LineUp *line_up, BenchEntry entry, const Variant *variant);
int line_up_add_second_copy(Arena *arena, LineUp *line_up, int twin);
void line_up_skip(LineUp *line_up, const char *what, const char *why);
/* NULL when verification found nothing against a variant (or there was none), else why it is not timed. */
const char *line_up_why_not_verified(Arena *arena, const json_t *verify, const char *id);
const json_t *line_up_find_verified(const json_t *verify, const char *id); /* its entry, or NULL */
int line_up_find(const LineUp *line_up, const char *id);                   /* -1 when there is none */

#endif
