/* write.c: making a bundle. SHA256SUMS is removed first and written last: what was not finished has none and
 * is refused. */
#include "bundle/bundle.h"

#include "bundle/job.h"
#include "bundle/sums.h"
#include "platform/platform.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 256 << 20, LARGE_SECONDS = 300 };

struct Bundle {
    Arena *arena;
    const char *folder;
    BundleOptions options;
    Sums sums;
    json_t *kernels;
    LargeCase large[64]; /* already made, one per contract */
    const char *large_contract[64];
    int larges;
};

static const char *below(const Bundle *bundle, const char *path)
{
    return arena_printf(bundle->arena, "%s/%s", bundle->folder, path);
}

/* ---- the folder ---- */

static bool is_empty(const char *folder)
{
    DIR *directory = opendir(folder);
    bool empty = directory != NULL;
    for (struct dirent *item; empty && (item = readdir(directory)) != NULL;)
        empty = !strcmp(item->d_name, ".") || !strcmp(item->d_name, "..");
    if (directory)
        closedir(directory);
    return empty;
}

/* An earlier bundle: only the files that its list names are removed, never what somebody else put there. */
static const char *clear_earlier(Arena *arena, const char *folder)
{
    Sums *earlier = ARENA_NEW(arena, Sums);
    const char *why = sums_read(arena, folder, earlier);
    if (why)
        return arena_printf(arena, "%s is not empty and is no bundle; name a new folder", folder);
    unlink(arena_printf(arena, "%s/SHA256SUMS", folder));
    for (int i = 0; i < earlier->count; i++)
        unlink(arena_printf(arena, "%s/%s", folder, earlier->path[i]));
    unlink(arena_printf(arena, "%s/report.json", folder));
    return NULL;
}

static const char *prepare_folder(Arena *arena, const char *folder)
{
    static const char *const below_it[] = {"ptx", "metal", "objects", "certificates", "inputs"};
    if (mkdir(folder, 0777) && errno != EEXIST)
        return arena_printf(arena, "%s: %s", folder, strerror(errno));
    const char *why = is_empty(folder) ? NULL : clear_earlier(arena, folder);
    for (size_t i = 0; i < sizeof below_it / sizeof *below_it && !why; i++)
        if (mkdir(arena_printf(arena, "%s/%s", folder, below_it[i]), 0777) && errno != EEXIST)
            why = arena_printf(arena, "%s/%s: %s", folder, below_it[i], strerror(errno));
    return why;
}

Bundle *bundle_open(Arena *arena, const char *folder, BundleOptions options, const char **why)
{
    *why = prepare_folder(arena, folder);
    if (*why)
        return NULL;
    Bundle *bundle = ARENA_NEW(arena, Bundle);
    bundle->arena = arena;
    bundle->folder = folder;
    bundle->options = options;
    bundle->sums.folder = folder;
    bundle->kernels = json_array();
    return bundle;
}

void bundle_close(Bundle *bundle)
{
    if (bundle)
        json_decref(bundle->kernels);
}

/* ---- files ---- */

static const char *copy_file(Bundle *bundle, const char *from, const char *path)
{
    Buffer content = {0};
    if (sums_has(&bundle->sums, path))
        return NULL;
    const char *to = below(bundle, path);
    const char *why = buffer_read_file(&content, from, FILE_LIMIT);
    if (why)
        why = arena_printf(bundle->arena, "%s: %s", from, why);
    else if ((why = buffer_write_file(&content, to)) != NULL)
        why = arena_printf(bundle->arena, "%s: %s", to, why);
    buffer_destroy(&content);
    return why ? why : sums_add(bundle->arena, &bundle->sums, path);
}

static const char *write_text(Bundle *bundle, const char *text, const char *path)
{
    Buffer content = {0};
    buffer_append_string(&content, text);
    const char *why = buffer_write_file(&content, below(bundle, path));
    buffer_destroy(&content);
    return why ? arena_printf(bundle->arena, "%s: %s", below(bundle, path), why)
               : sums_add(bundle->arena, &bundle->sums, path);
}

static const char *add_inputs(Bundle *bundle, const Certificate *certificate, const Variant *variant)
{
    const json_t *record;
    size_t c;
    const char *why = certificate_write_inputs(bundle->arena, certificate, variant, below(bundle, "inputs"));
    json_array_foreach(json_object_get(certificate->json, "canonical"), c, record)
    {
        for (int i = 0; i < variant->op->inputs && !why; i++) {
            const char *name = certificate_inputs_name(bundle->arena, variant, record, i);
            const char *path = name ? arena_printf(bundle->arena, "inputs/%s", name) : NULL;
            if (path && !sums_has(&bundle->sums, path))
                why = sums_add(bundle->arena, &bundle->sums, path);
        }
    }
    return why;
}

static const char *add_certificate(Bundle *bundle, const Variant *variant, const char *from,
                                   const char **path)
{
    Certificate certificate;
    const char *why = certificate_read(bundle->arena, from, &certificate);
    if (why)
        return why;
    why = certificate_refuses(bundle->arena, &certificate, variant->digest);
    *path = arena_printf(bundle->arena, "certificates/%.16s.json", variant->digest);
    if (!why)
        why = copy_file(bundle, from, *path);
    if (!why)
        why = add_inputs(bundle, &certificate, variant);
    certificate_close(&certificate);
    return why;
}

/* ---- kernels ---- */

/* A tree without rows of a second dim has one large shape that means something. */
static bool has_large_case(const Bundle *bundle, const Operator *op, uint32_t parallel)
{
    return bundle->options.rows > 0 && bundle->options.columns > 0 && op->dims == 2 &&
           __builtin_popcount(parallel) == 1;
}

static LargeCase *known_large(Bundle *bundle, const Variant *variant)
{
    for (int i = 0; i < bundle->larges; i++)
        if (!strcmp(bundle->large_contract[i], variant->digest))
            return &bundle->large[i];
    return NULL;
}

/* The shape of the large case, and its digest where a kernel of this contract on this processor made one. */
static void set_large(Bundle *bundle, Bundled *entry)
{
    const Operator *op = entry->variant.op;
    if (!has_large_case(bundle, op, entry->parallel_dims))
        return;
    const LargeCase *known = known_large(bundle, &entry->variant);
    for (int d = 0; d < op->dims; d++)
        entry->large.shape.size[d] =
            (entry->parallel_dims >> d & 1) ? bundle->options.rows : bundle->options.columns;
    if (known)
        entry->large = *known;
}

static void make_large(Bundle *bundle, const Variant *variant, const char *file)
{
    const uint32_t parallel = operator_parallel_dims(variant->op);
    if (!has_large_case(bundle, variant->op, parallel) || known_large(bundle, variant) ||
        bundle->larges == 64)
        return;
    static const bool no_gpu[BUNDLED_KINDS] = {true, false, false};
    Host host = host_examine(bundle->arena, no_gpu);
    Bundled entry = {.kind = BUNDLED_CPU, .variant = *variant, .parallel_dims = parallel};
    set_large(bundle, &entry);
    const Job job = {.entry = &entry, .host = &host, .file = file, .seconds = LARGE_SECONDS};
    LargeCase large = entry.large;
    if (bundle->options.progress)
        fprintf(stderr, "large case of %s\n", variant->id);
    if (!job_large_digest(bundle->arena, &job, &large)) {
        bundle->large[bundle->larges] = large;
        bundle->large_contract[bundle->larges++] = arena_copy(bundle->arena, variant->digest);
    }
    host_close(&host);
}

/* Two specs may have a kernel in common; two kernels of one name and different contracts are a mistake. */
static const json_t *kernel_named(const Bundle *bundle, const char *id)
{
    const json_t *record;
    size_t i;
    json_array_foreach(bundle->kernels, i, record)
    {
        if (!strcmp(json_string_value(json_object_get(record, "id")), id))
            return record;
    }
    return NULL;
}

const char *bundle_add(Bundle *bundle, const Variant *variant, const char *file, const json_t *launch,
                       const char *certificate)
{
    static const struct {
        const char *folder, *extension;
    } places[BUNDLED_KINDS] = {[BUNDLED_CPU] = {"objects", "so"},
                               [BUNDLED_CUDA] = {"ptx", "ptx"},
                               [BUNDLED_METAL] = {"metal", "metal"}};
    Arena *arena = bundle->arena;
    Bundled entry = {.kind = bundled_kind_of_file(file),
                     .variant = *variant,
                     .parallel_dims = operator_parallel_dims(variant->op)};
    entry.file =
        arena_printf(arena, "%s/%s.%s", places[entry.kind].folder, variant->id, places[entry.kind].extension);
    const json_t *earlier = kernel_named(bundle, variant->id);
    if (earlier)
        return strcmp(json_string_value(json_object_get(earlier, "contract")), variant->digest)
                   ? arena_printf(arena, "two specs have a kernel %s, with different contracts", variant->id)
                   : NULL;
    const char *why = launch_read(arena, launch, variant->symbol, &entry.launch);
    if (!why && certificate)
        why = add_certificate(bundle, variant, certificate, &entry.certificate);
    if (!why)
        why = copy_file(bundle, file, entry.file);
    if (why)
        return why;
    if (entry.kind == BUNDLED_CPU)
        make_large(bundle, variant, file);
    set_large(bundle, &entry);
    json_array_append_new(bundle->kernels, bundled_to_json(arena, &entry, launch));
    if (bundle->options.progress)
        fprintf(stderr, "bundled %s\n", variant->id);
    return NULL;
}

/* ---- the end ---- */

static const char readme[] =
    "Kernels whose bits are their contract, to be checked on this machine.\n"
    "\n"
    "  ./run               checks every file's digest, then every kernel that this machine can run\n"
    "  ./run --time        and times the large case on the GPU, beside its copy bandwidth\n"
    "  ./run --help        the rest\n"
    "\n"
    "It needs Linux on x86-64 or aarch64 as it was built for, a C library as new as the one it was built "
    "with, and for\n"
    "the kernels in ptx/ NVIDIA's driver (libcuda.so.1). Kernels in objects/ need the processor they are for "
    "and LLVM's\n"
    "OpenMP runtime (libomp.so.5, Debian: libomp5); what is missing is skipped, with the reason.\n"
    "\n"
    "A certificate holds what another machine's kernel of the same contract returned on inputs that follow "
    "from\n"
    "integers. `kept`: this machine's kernel returned the same bits. report.json has every figure, the "
    "device and its\n"
    "driver. SHA256SUMS is the list of all files (sha256sum --check SHA256SUMS); its own digest names the "
    "bundle, and\n"
    "`run` prints it: compare it with the one that was printed when the bundle was made.\n";

static const char *write_manifest(Bundle *bundle)
{
    json_t *manifest = json_pack("{s:i, s:O}", "version", 1, "kernels", bundle->kernels);
    char *text = json_dumps(manifest, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    const char *why = write_text(bundle, arena_printf(bundle->arena, "%s\n", text), "bundle.json");
    free(text);
    json_decref(manifest);
    return why;
}

const char *bundle_runner(Arena *arena, const char **why)
{
    const char *set = getenv("SAMEBITS_RUNNER");
    const char *folder = platform_program_folder(arena);
    const char *path = set && *set ? set
                       : folder    ? arena_printf(arena, "%s/samebits-runner", folder)
                                   : "samebits-runner";
    if (access(path, X_OK) == 0)
        return path;
    *why = arena_printf(arena, "%s: %s; build samebits with ./build.sh, or set SAMEBITS_RUNNER", path,
                        strerror(errno));
    return NULL;
}

const char *bundle_finish(Bundle *bundle, char digest[65])
{
    const char *why = NULL, *runner = bundle_runner(bundle->arena, &why);
    if (json_array_size(bundle->kernels) == 0)
        return "nothing to bundle: no variant has a compiled kernel and a certificate; run `samebits verify` "
               "first";
    if (!why)
        why = copy_file(bundle, runner, "run");
    if (!why && chmod(below(bundle, "run"), 0755))
        why = arena_printf(bundle->arena, "%s: %s", below(bundle, "run"), strerror(errno));
    if (!why)
        why = write_text(bundle, readme, "README.txt");
    if (!why)
        why = write_manifest(bundle);
    if (!why)
        why = sums_write(bundle->arena, &bundle->sums);
    if (!why)
        memcpy(digest, bundle->sums.own, 65);
    return why;
}
