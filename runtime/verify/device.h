/* device.h: verification on a device, where this machine has one: the last of the trust boundaries. */
#ifndef SAMEBITS_VERIFY_DEVICE_H
#define SAMEBITS_VERIFY_DEVICE_H

#include "family/family.h"

#include <jansson.h>

/* Every GPU variant repeats the canonical cases of its own certificate, which must have been written, on the
 * device it is for: `"device"` of its entry in verify.json. A device's outputs that differ are a failure, and
 * "ok" becomes false; no device is said with its reason. */
void verify_on_devices(Arena *arena, const Family *family, const char *out_dir, double seconds,
                       json_t *result);

#endif
