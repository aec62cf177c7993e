/* certificate.c: contract, target, compiler, promises, digests. No date, host or path: the same kernel gives
 * the same bytes. How many cases a check of a tree without promises took is chance, so such a check is not in
 * it. */
#include "verify/certificate.h"

#include "driver/build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *promises_of(const Verified *verified)
{
    json_t *promises = json_object();
    const char *name;
    json_t *found;
    json_object_foreach(verified->promises, name, found)
    {
        const char *status = json_string_value(json_object_get(found, "status"));
        json_t *kept = json_pack("{s:s}", "status", status);
        if (strcmp(status, "not promised") != 0)
            json_object_set(kept, "cases", json_object_get(found, "cases"));
        json_object_set_new(promises, name, kept);
    }
    return promises;
}

static json_t *certificate_json(Arena *arena, const Verification *verification, const Verified *verified)
{
    const Variant *variant = verified->variant;
    const char *version =
        build_compiler_version(arena, verification->family, verification->out_dir, build_rows[0].compiler);
    const char *flags = variant->target->compile != NULL ? variant->target->compile : "";
    json_t *certificate = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:o, s:O, s:O}", "version", 1, "id",
        variant->id, "operator", variant->op->name, "tree", term_text(arena, variant->tree), "accumulator",
        accumulator_name(variant->accumulator), "target", variant->target->name, "contract", variant->digest,
        "contract_text", variant->contract, "compiler", "version", version, "flags",
        arena_printf(arena, "%s%s%s", build_rows[0].flags, flags[0] ? " " : "", flags), "promises",
        promises_of(verified), "canonical", json_object_get(verified->canonical, "canonical"),
        "output_digest", json_object_get(verified->canonical, "output_digest"));
    json_object_set_new(certificate, "trust", json_string(verified_trust(verified)));
    json_t *error = json_object_get(verified->canonical, "error");
    if (error != NULL)
        json_object_set(certificate, "error", error);
    if (verified->failure != NULL)
        json_object_set_new(certificate, "failure", json_string(verified->failure));
    return certificate;
}

const char *certificate_write(const Verification *verification, const Verified *verified)
{
    Arena *arena = verified->arena;
    const char *folder =
        arena_printf(arena, "%s/%s/certificates", verification->out_dir, verification->family->name);
    const char *path = arena_printf(arena, "%s/%s.json", folder, verified->variant->id);
    if (verified->canonical == NULL) {
        unlink(path); /* of an earlier kernel */
        return NULL;
    }
    mkdir(folder, 0777);
    json_t *certificate = certificate_json(arena, verification, verified);
    char *text = json_dumps(certificate, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    buffer_append_string(&buffer, "\n");
    const char *why = buffer_write_file(&buffer, path);
    buffer_destroy(&buffer);
    free(text);
    json_decref(certificate);
    return why == NULL ? NULL : arena_printf(arena, "%s: %s", path, why);
}
