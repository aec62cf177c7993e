/* gpu_controls.h: GPU kernels with one mistake each, which verification must catch. */
#ifndef SAMEBITS_GPU_CONTROLS_H
#define SAMEBITS_GPU_CONTROLS_H

#include "verify/variant.h"

/* How many a family has: none without a variant for a GPU. */
int gpu_controls_count(const Family *family);
/* {"control", "expected": [..], "caught", "on", "level", "cases", "detail"}; index 0 to count - 1. */
json_t *gpu_control_verify(const Verification *verification, int index);

/* ---- for tests ---- */

typedef struct TextEdit {
    const char *find, *replace; /* `find` must be there exactly once */
} TextEdit;
/* All edits are of the text as it was. NULL and *why when one does not fit. */
const char *text_edit(Arena *arena, const char *text, const TextEdit *edit, int edits, const char **why);

#endif
