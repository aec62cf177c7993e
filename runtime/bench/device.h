/* device.h: which entries a family is timed with on a device: its kernels for that kind, the first of them
 * entered twice, and a copy of the first input on the device.
 *
 * There is no -Ofast baseline on a device: times are held against the device's copy bandwidth, and against
 * the first kernel, whose second copy gives the noise floor. */
#ifndef SAMEBITS_BENCH_DEVICE_H
#define SAMEBITS_BENCH_DEVICE_H

#include "bench/line_up.h"
#include "bench/machine.h"

/* Entries are added one by one; device_line_up_finish adds the second copy and the memory entry. */
LineUp device_line_up_create(Arena *arena, int kernels);
void device_line_up_add(Arena *arena, LineUp *line_up, const Variant *variant, const char *path,
                        const Launch *launch);
void device_line_up_finish(Arena *arena, LineUp *line_up);

/* Every variant of a family for that kind of device, with what is left out and why; `verify` is the content
 * of verify.json, or NULL. */
LineUp device_line_up_of_family(Arena *arena, const Family *family, const char *out_dir, const GpuInfo *gpu,
                                const json_t *verify);
bool device_has_variants(const Family *family, GpuKind kind);

/* What outcomes are judged against: the device's memory clock, where it is known. */
Machine device_machine(const GpuInfo *gpu);

#endif
