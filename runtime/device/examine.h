/* examine.h: asking what a device is, in a child: a driver may crash or hang as soon as it is asked. */
#ifndef SAMEBITS_DEVICE_EXAMINE_H
#define SAMEBITS_DEVICE_EXAMINE_H

#include "driver/child.h"

#include <jansson.h>

/* In the child: why the device cannot be used, or with why NULL what it is (taken over; else NULL). */
void device_tell(FILE *out, const char *why, json_t *info);

/* In the parent: runs `examine`, which calls device_tell. What it told; NULL and *why ("skipped: ...",
 * "refused: ..."). `who` is named where there is no answer: "the CUDA driver". */
json_t *device_ask(Arena *arena, const char *who, ChildWork *examine, const char **why);

#endif
