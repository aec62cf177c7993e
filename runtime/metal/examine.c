/* examine.c: what the parent may ask: what this machine's device is. */
#include "metal/device.h"

#include <stdio.h>

static const double examine_seconds = 60;

static void examine(void *context, FILE *out)
{
    const char *why = NULL;
    Arena *arena = arena_create();
    MetalDevice *device = metal_open(arena, &why);
    (void)context;
    if (device)
        why = metal_probe(arena, device);
    json_t *answer = why ? json_pack("{s:s}", "why", why) : metal_info_to_json(metal_info(device));
    json_dumpf(answer, out, 0);
    json_decref(answer);
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
    Buffer text = {0};
    const char *why = child_run(arena, (ChildLimits){examine_seconds, 0}, examine, NULL, &text);
    json_t *answer = why ? NULL : json_loads(buffer_string(&text), 0, NULL);
    const char *found = json_string_value(json_object_get(answer, "why"));
    if (why)
        why = arena_printf(arena, "refused: Metal or its device fails when it is asked: %s", why);
    else if (!answer)
        why = "refused: Metal or its device gave no answer";
    else if (found)
        why = arena_copy(arena, found);
    else
        info_from_json(answer, info);
    json_decref(answer);
    buffer_destroy(&text);
    return why;
}
