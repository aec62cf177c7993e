/* family.c: bundles and certificates seen from a generated family: which file, launch and certificate belong
 * to a variant. The runner of bundles has none of this. */
#include "bundle/bundle.h"
#include "bundle/job.h"

#include "driver/build.h"
#include "emit/emit.h"
#include "verify/cases.h"

#include <string.h>
#include <unistd.h>

/* ---- what belongs to a variant ---- */

static const char *certificate_path(Arena *arena, const Family *family, const Variant *variant,
                                    const char *out_dir)
{
    return arena_printf(arena, "%s/%s/certificates/%s.json", out_dir, family->name, variant->id);
}

/* A certificate of the same contract, of a processor's kernel before a GPU's: what was found on the machine
 * that everybody has is what the others are held against. */
static const char *find_certificate(Arena *arena, const Family *family, const Variant *variant,
                                    const char *out_dir)
{
    static const char *const order[] = {"avx2", "c", NULL};
    for (int rank = 0; rank < 3; rank++)
        for (int v = 0; v < family->variants; v++) {
            const Variant *other = &family->variant[v];
            const char *path = certificate_path(arena, family, other, out_dir);
            if (!strcmp(other->digest, variant->digest) &&
                (!order[rank] || !strcmp(other->target->name, order[rank])) && access(path, R_OK) == 0)
                return path;
        }
    return NULL;
}

static void leave_out(json_t *left_out, const Variant *variant, const char *why)
{
    json_array_append_new(left_out, json_pack("{s:s, s:s}", "what", variant->id, "why", why));
}

static const char *add_variant(Bundle *bundle, Arena *arena, const Family *family, const Variant *variant,
                               const char *out_dir, json_t *left_out)
{
    const char *file = build_device_path(arena, family, variant, out_dir);
    const char *certificate = find_certificate(arena, family, variant, out_dir);
    if (access(file, R_OK)) {
        leave_out(left_out, variant, "skipped: it is not compiled");
        return NULL;
    }
    if (!certificate) {
        leave_out(left_out, variant,
                  "skipped: no kernel of its contract has a certificate; run `samebits verify`");
        return NULL;
    }
    json_t *record = emit_manifest_variant(arena, variant);
    const char *why = bundle_add(bundle, variant, file, json_object_get(record, "launch"), certificate);
    json_decref(record);
    return why;
}

/* Kernels of processors first: their digests of the large case are then there for the others. */
const char *bundle_add_family(Arena *arena, Bundle *bundle, const Family *family, const char *out_dir,
                              json_t *left_out)
{
    const char *why = NULL;
    for (int pass = 0; pass < 2; pass++)
        for (int v = 0; v < family->variants && !why; v++) {
            const Variant *variant = &family->variant[v];
            const char *file = build_device_path(arena, family, variant, out_dir);
            const bool gpu = bundled_kind_of_file(file) != BUNDLED_CPU;
            if (gpu == (pass == 1) && term_is_fixed(variant->tree) && !variant->target->ranks)
                why = add_variant(bundle, arena, family, variant, out_dir, left_out);
            else if (pass == 1 && variant->target->ranks)
                leave_out(left_out, variant,
                          "skipped: mpirun starts its ranks, which a bundle does not bring");
            else if (pass == 1 && !term_is_fixed(variant->tree))
                leave_out(left_out, variant, "skipped: its tree promises nothing across machines");
        }
    return why;
}

/* ---- one certificate against this machine's kernels ---- */

static const char *entry_of_variant(Arena *arena, const Variant *variant, const char *file, Bundled *entry)
{
    *entry = (Bundled){.kind = bundled_kind_of_file(file),
                       .variant = *variant,
                       .parallel_dims = operator_parallel_dims(variant->op),
                       .file = file};
    return launch_of_variant(arena, variant, &entry->launch);
}

static json_t *check_variant(Arena *arena, const Family *family, const Variant *variant, const Host *host,
                             const char *out_dir, const char *certificate, double seconds)
{
    Bundled entry;
    const char *file = build_device_path(arena, family, variant, out_dir);
    const char *why =
        access(file, R_OK) ? "skipped: it is not compiled" : entry_of_variant(arena, variant, file, &entry);
    if (why)
        return json_pack("{s:s, s:s, s:s, s:s}", "id", variant->id, "target", variant->target->name,
                         "contract", variant->digest, "status", why);
    const Job job = {
        .entry = &entry, .host = host, .file = file, .certificate = certificate, .seconds = seconds};
    return job_check(arena, &job);
}

static json_t *check_all(Arena *arena, const Family *family, const char *out_dir,
                         const Certificate *certificate, double seconds, bool *ok)
{
    json_t *checks = json_array();
    bool wanted[BUNDLED_KINDS] = {true};
    for (int v = 0; v < family->variants; v++)
        wanted[bundled_kind_of_file(build_device_path(arena, family, &family->variant[v], out_dir))] = true;
    Host host = host_examine(arena, wanted);
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        if (strcmp(variant->digest, certificate->contract))
            continue;
        json_t *result = check_variant(arena, family, variant, &host, out_dir, certificate->path, seconds);
        const char *status = json_string_value(json_object_get(result, "status"));
        *ok &= !strcmp(status, "kept") || !strncmp(status, "skipped: ", 9);
        json_array_append_new(checks, result);
    }
    host_close(&host);
    return checks;
}

json_t *bundle_check_against(Arena *arena, const Family *family, const char *out_dir, const char *certificate,
                             double seconds, const char **why)
{
    Certificate read;
    bool ok = true;
    *why = certificate_read(arena, certificate, &read);
    if (*why)
        return NULL;
    json_t *checks = check_all(arena, family, out_dir, &read, seconds > 0 ? seconds : 600, &ok);
    json_t *result = NULL;
    if (json_array_size(checks) == 0)
        *why = arena_printf(arena, "refused: %s certifies contract %.16s..., which no variant of %s has",
                            certificate, read.contract, family->spec);
    else
        result = json_pack("{s:s, s:s, s:s, s:O, s:b}", "certificate", read.id, "contract", read.contract,
                           "made_by", read.target, "checks", checks, "ok", ok);
    json_decref(checks);
    certificate_close(&read);
    return result;
}
