/* examine.c: see examine.h. */
#include "device/examine.h"

static const double seconds = 60; /* a driver that has to wake a device takes some */

void device_tell(FILE *out, const char *why, json_t *info)
{
    json_t *answer = why ? json_pack("{s:s}", "why", why) : info;
    json_dumpf(answer, out, JSON_REAL_PRECISION(9));
    json_decref(answer);
}

static const char *why_not(Arena *arena, const char *who, const char *failed, const json_t *answer)
{
    const char *told = json_string_value(json_object_get(answer, "why"));
    if (failed)
        return arena_printf(arena, "refused: %s or its device fails when it is asked: %s", who, failed);
    if (!answer)
        return arena_printf(arena, "refused: %s or its device gave no answer", who);
    return told ? arena_copy(arena, told) : NULL;
}

json_t *device_ask(Arena *arena, const char *who, ChildWork *examine, const char **why)
{
    Buffer text = {0};
    const char *failed = child_run(arena, (ChildLimits){seconds, 0}, examine, NULL, &text);
    json_t *answer = failed ? NULL : json_loads(buffer_string(&text), 0, NULL);
    buffer_destroy(&text);
    *why = why_not(arena, who, failed, answer);
    if (!*why)
        return answer;
    json_decref(answer);
    return NULL;
}
