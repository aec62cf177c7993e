/* device_family.c: the entries of a generated family. The runner of bundles has none of this. */
#include "bench/device.h"

#include "driver/build.h"

#include <string.h>
#include <unistd.h>

static bool is_for(const Variant *variant, GpuKind kind)
{
    GpuKind own;
    return gpu_kind_of_target(variant->target, &own) && own == kind;
}

bool device_has_variants(const Family *family, GpuKind kind)
{
    for (int v = 0; v < family->variants; v++)
        if (is_for(&family->variant[v], kind))
            return true;
    return false;
}

/* Only what the device itself was seen to do right is timed on it. */
static const char *why_not_timed(Arena *arena, const GpuInfo *gpu, const Variant *variant, const char *path,
                                 const json_t *verify)
{
    if (gpu->why_not)
        return arena_printf(arena, "%s; emulated times mean nothing", gpu->why_not);
    const char *why = line_up_why_not_verified(arena, verify, variant->id);
    const json_t *device = json_object_get(line_up_find_verified(verify, variant->id), "device");
    const char *status = json_string_value(json_object_get(device, "status"));
    if (!why && verify && (!status || strcmp(status, "kept") != 0))
        why = arena_printf(arena, "not timed: on the device: %s",
                           status ? status : "not tried; `samebits verify` does");
    if (!why && access(path, R_OK) != 0)
        why = arena_printf(arena, "%s was not made; `samebits compile` says why", path);
    return why;
}

LineUp device_line_up_of_family(Arena *arena, const Family *family, const char *out_dir, const GpuInfo *gpu,
                                const json_t *verify)
{
    LineUp line_up = device_line_up_create(arena, family->variants);
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        Launch launch;
        if (!is_for(variant, gpu->kind))
            continue;
        const char *path = build_device_path(arena, family, variant, out_dir);
        const char *why = why_not_timed(arena, gpu, variant, path, verify);
        if (!why)
            why = launch_of_variant(arena, variant, &launch);
        if (why)
            line_up_skip(&line_up, variant->id, why);
        else
            device_line_up_add(arena, &line_up, variant, path, &launch);
    }
    device_line_up_finish(arena, &line_up);
    return line_up;
}
