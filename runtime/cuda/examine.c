/* examine.c: what the parent may ask: children that use CUDA, and what this machine's device is. */
#include "cuda/device.h"

#include <stdlib.h>
#include <string.h>

static const double examine_seconds = 60; /* a driver that has to wake a device takes some seconds */

const char *cuda_run(Arena *arena, double seconds, ChildWork *work, void *context, Buffer *result)
{
    return child_run(arena, (ChildLimits){seconds, 0}, work, context, result);
}

/* ---- in the child ---- */

static void examine(void *context, FILE *out)
{
    const char *why = NULL;
    Arena *arena = arena_create();
    CudaDevice *device = cuda_open(arena, &why);
    (void)context;
    if (device)
        why = cuda_probe(arena, device);
    json_t *answer = why ? json_pack("{s:s}", "why", why) : cuda_info_to_json(cuda_info(device));
    json_dumpf(answer, out, JSON_REAL_PRECISION(9));
    json_decref(answer);
    cuda_close(device);
    arena_destroy(arena);
}

/* ---- in the parent ---- */

static void copy_text(char *to, const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    snprintf(to, CUDA_NAME, "%s", text ? text : "");
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
    copy_text(info->name, answer, "name");
    copy_text(info->driver, answer, "driver");
}

json_t *cuda_info_to_json(const CudaInfo *info)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:f}", "name", info->name, "driver",
                     info->driver, "cuda", info->cuda, "major", info->major, "minor", info->minor,
                     "processors", info->processors, "warp", info->warp, "memory_bytes",
                     (json_int_t)info->memory_bytes, "cache_bytes", (json_int_t)info->cache_bytes, "peak_gbs",
                     info->peak_gbs);
}

const char *cuda_info_text(Arena *arena, const CudaInfo *info)
{
    return arena_printf(arena, "%s with driver %s (CUDA %d.%d)", info->name,
                        *info->driver ? info->driver : "of unknown version", info->cuda / 1000,
                        info->cuda % 1000 / 10);
}

const char *cuda_examine(Arena *arena, CudaInfo *info)
{
    Buffer text = {0};
    const char *why = cuda_run(arena, examine_seconds, examine, NULL, &text);
    json_t *answer = why ? NULL : json_loads(buffer_string(&text), 0, NULL);
    const char *found = json_string_value(json_object_get(answer, "why"));
    if (why)
        why = arena_printf(arena, "refused: the CUDA driver or its device fails when it is asked: %s", why);
    else if (!answer)
        why = "refused: the CUDA driver or its device gave no answer";
    else if (found)
        why = arena_copy(arena, found);
    else
        info_from_json(answer, info);
    json_decref(answer);
    buffer_destroy(&text);
    return why;
}
