/* examine.c: what the parent may ask: what this machine's device is. */
#include "cuda/device.h"

#include "device/examine.h"

#include <stdlib.h>
#include <string.h>

/* ---- in the child ---- */

static void examine(void *context, FILE *out)
{
    const char *why = NULL;
    Arena *arena = arena_create();
    CudaDevice *device = cuda_open(arena, &why);
    (void)context;
    if (device)
        why = cuda_probe(arena, device);
    device_tell(out, why, why ? NULL : cuda_info_to_json(cuda_info(device)));
    cuda_close(device);
    arena_destroy(arena);
}

/* ---- in the parent ---- */

static void copy_text(char *to, size_t size, const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    snprintf(to, size, "%s", text ? text : "");
}

static void info_from_json(const json_t *answer, CudaInfo *info)
{
    *info = (CudaInfo){
        .cuda = (int)json_integer_value(json_object_get(answer, "cuda")),
        .major = (int)json_integer_value(json_object_get(answer, "major")),
        .minor = (int)json_integer_value(json_object_get(answer, "minor")),
        .processors = (int)json_integer_value(json_object_get(answer, "processors")),
        .warp = (int)json_integer_value(json_object_get(answer, "warp")),
        .memory_bytes = (size_t)json_integer_value(json_object_get(answer, "memory_bytes")),
        .cache_bytes = (size_t)json_integer_value(json_object_get(answer, "cache_bytes")),
        .peak_gbs = json_number_value(json_object_get(answer, "peak_gbs")),
    };
    copy_text(info->name, sizeof info->name, answer, "name");
    copy_text(info->driver, sizeof info->driver, answer, "driver");
    copy_text(info->no_clocks, sizeof info->no_clocks, answer, "no_clocks");
}

json_t *cuda_info_to_json(const CudaInfo *info)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:f, s:s}", "name", info->name, "driver",
                     info->driver, "cuda", info->cuda, "major", info->major, "minor", info->minor,
                     "processors", info->processors, "warp", info->warp, "memory_bytes",
                     (json_int_t)info->memory_bytes, "cache_bytes", (json_int_t)info->cache_bytes, "peak_gbs",
                     info->peak_gbs, "no_clocks", info->no_clocks);
}

const char *cuda_info_text(Arena *arena, const CudaInfo *info)
{
    return arena_printf(arena, "%s with driver %s (CUDA %d.%d)", info->name,
                        *info->driver ? info->driver : "of unknown version", info->cuda / 1000,
                        info->cuda % 1000 / 10);
}

const char *cuda_examine(Arena *arena, CudaInfo *info)
{
    const char *why = NULL;
    json_t *answer = device_ask(arena, "the CUDA driver", examine, &why);
    if (answer)
        info_from_json(answer, info);
    json_decref(answer);
    return why;
}
