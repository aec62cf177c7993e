/* examine.c: what the parent may ask: what this machine's device is. */
#include "metal/device.h"

#include "device/examine.h"

#include <stdio.h>

static void examine(void *context, FILE *out)
{
    const char *why = NULL;
    Arena *arena = arena_create();
    MetalDevice *device = metal_open(arena, &why);
    (void)context;
    if (device)
        why = metal_probe(arena, device);
    device_tell(out, why, why ? NULL : metal_info_to_json(metal_info(device)));
    metal_close(device);
    arena_destroy(arena);
}

json_t *metal_info_to_json(const MetalInfo *info)
{
    return json_pack("{s:s, s:i, s:b}", "name", info->name, "simd_width", info->width, "flushes_subnormals",
                     info->flushes);
}

const char *metal_info_text(Arena *arena, const MetalInfo *info)
{
    return arena_printf(arena, "%s%s", info->name,
                        info->flushes ? ", which flushes subnormals: equal wherever no subnormal occurs"
                                      : "");
}

static void info_from_json(const json_t *answer, MetalInfo *info)
{
    const char *name = json_string_value(json_object_get(answer, "name"));
    *info = (MetalInfo){.width = (int)json_integer_value(json_object_get(answer, "simd_width")),
                        .flushes = json_is_true(json_object_get(answer, "flushes_subnormals"))};
    snprintf(info->name, sizeof info->name, "%s", name ? name : "");
}

const char *metal_examine(Arena *arena, MetalInfo *info)
{
    const char *why = NULL;
    json_t *answer = device_ask(arena, "Metal", examine, &why);
    if (answer)
        info_from_json(answer, info);
    json_decref(answer);
    return why;
}
