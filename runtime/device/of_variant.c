/* of_variant.c: the launch description of a variant that this program generates: the manifest's, and no
 * other. The runner of bundles has no generator and none of this. */
#include "device/launch.h"

#include "emit/emit.h"

const char *launch_of_variant(Arena *arena, const Variant *variant, Launch *result)
{
    json_t *record = emit_manifest_variant(arena, variant);
    const char *why = launch_read(arena, json_object_get(record, "launch"), variant->symbol, result);
    json_decref(record);
    return why;
}
