/* generated.c: a family from its spec to a bundle that runs: what the manifest says of entry points,
 * arguments and workspace must be what the kernels have and the drivers do.
 *
 * usage: test-bundle-generated FAKE_CUDA FAKE_METAL RUNNER SPECS TEMPLATES. The fake drivers are strict: a
 * workspace that is a byte too small, or an argument in a wrong place, ends the process. CUDA's kernels are
 * interpreted from the PTX that clang made of them, Metal's are run by the SIMT engine. */
#include "bundle/bundle.h"

#include "bench/bench.h"
#include "cuda/cuda.h"
#include "driver/build.h"
#include "driver/child.h"
#include "emit/emit.h"
#include "metal/metal.h"
#include "ptx/ptx.h"
#include "text/buffer.h"
#include "verify/cases.h"
#include "verify/device.h"

#include "../driver/folder.h"
#include "certify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two reductions, the second over what the first made, and an output along the row. */
static const char spec_name[] = "layernorm", tree_text[] = "chunk(64, lanes(32), pairwise)";
enum { LARGE_ROWS = 2, LARGE_COLUMNS = 700, FROM_LONG = 1 << 18 };

typedef struct Fixture {
    Arena *arena;
    const char *folder, *out, *log;
    const Family *family;
    const Variant *c, *cuda, *metal;
} Fixture;

static const char *fake_cuda, *fake_metal, *fake_nvml, *runner_path, *specs_folder;

/* ---- the family ---- */

static const Variant *variant_for(const Family *family, const char *target)
{
    for (int v = 0; v < family->variants; v++)
        if (!strcmp(family->variant[v].target->name, target))
            return &family->variant[v];
    fail_msg("no variant for %s", target);
    return NULL;
}

static void make_family(Fixture *fixture)
{
    Arena *arena = fixture->arena;
    Diagnostics diagnostics;
    BuildResult built;
    const AxisOverride overrides[] = {{"target", "c, cuda, metal"}, {"tree", tree_text}};
    diagnostics_init(&diagnostics, arena);
    Family *family = (Family *)family_read(
        arena, &diagnostics, arena_printf(arena, "%s/%s.lua", specs_folder, spec_name), overrides, 2);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(family);
    family->controls = 0;
    assert_true(emit_family(arena, &diagnostics, family, fixture->out));
    assert_true(build_run(arena, &diagnostics, family, fixture->out, false, false, &built));
    for (int v = 0; v < family->variants; v++)
        if (built.why[v * build_count])
            fail_msg("%s: %s", family->variant[v].id, built.why[v * build_count]);
    fixture->family = family;
    fixture->c = variant_for(family, "c");
    fixture->cuda = variant_for(family, "cuda");
    fixture->metal = variant_for(family, "metal");
}

static const char *below_family(const Fixture *fixture, const char *path)
{
    return arena_printf(fixture->arena, "%s/%s/%s", fixture->out, fixture->family->name, path);
}

static const char *ptx_path(const Fixture *fixture)
{
    return below_family(fixture, arena_printf(fixture->arena, "obj/ptx/%s.ptx", fixture->cuda->id));
}

static int set_up(void **state)
{
    static Fixture fixture;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena);
    fixture = (Fixture){.arena = arena, .folder = folder, .out = arena_printf(arena, "%s/out", folder)};
    *state = &fixture;
    if (ptx_compiler_missing(arena, PTX_CLANG))
        return 0; /* each test skips itself */
    make_family(&fixture);
    char *whole = realpath(folder, NULL); /* a bundle's program runs where it lies */
    fixture.log = arena_printf(arena, "%s/log", whole);
    mkdir(below_family(&fixture, "obj/ptx"), 0777);
    const char *why =
        ptx_compile(arena, below_family(&fixture, fixture.cuda->source), ptx_path(&fixture), PTX_CLANG);
    if (why)
        fail_msg("%s", why);
    mkdir(below_family(&fixture, "certificates"), 0777);
    certify_variant(arena, fixture.c, "c",
                    below_family(&fixture, arena_printf(arena, "certificates/%s.json", fixture.c->id)));
    setenv("FAKE_METAL_MODULES", arena_printf(arena, "%s/out/%s/obj/simt", whole, fixture.family->name), 1);
    free(whole);
    return 0;
}

static int tear_down(void **state)
{
    const Fixture *fixture = *state;
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static int start_anew(void **state)
{
    const Fixture *fixture = *state;
    setenv("SAMEBITS_RUNNER", runner_path, 1);
    setenv("SAMEBITS_LIBCUDA", fake_cuda, 1);
    setenv("SAMEBITS_LIBNVML", "/nowhere/libnvml.so", 1);
    setenv("SAMEBITS_LIBMETAL", fake_metal, 1);
    setenv("FAKE_CUDA", "", 1);
    setenv("FAKE_METAL", "", 1);
    if (fixture->log) {
        unlink(fixture->log);
        setenv("FAKE_CUDA_LOG", fixture->log, 1);
        setenv("FAKE_METAL_LOG", fixture->log, 1);
    }
    return 0;
}

static void need_family(const Fixture *fixture)
{
    if (!fixture->family) {
        printf("# %s\n", ptx_compiler_missing(fixture->arena, PTX_CLANG));
        skip();
    }
}

/* ---- what was launched ---- */

static const char *launches(const Fixture *fixture)
{
    Buffer text = {0};
    buffer_read_file(&text, fixture->log, 1 << 26);
    const char *copy = arena_copy(fixture->arena, buffer_string(&text));
    buffer_destroy(&text);
    unlink(fixture->log);
    return copy;
}

/* "symbol_part0 " with a blank behind it: no other name that begins so. */
static void expect_launched(const Fixture *fixture, const char *log, const Variant *variant,
                            const char *suffix, bool expected)
{
    const char *name = arena_printf(fixture->arena, "%s%s ", variant->symbol, suffix);
    if ((strstr(log, name) != NULL) != expected)
        fail_msg("%sis launched: %s, expected: %s", name, expected ? "no" : "yes", expected ? "yes" : "no");
}

static void expect_long_row_launched(const Fixture *fixture, const char *log, const Variant *variant)
{
    static const char *const steps[] = {"_part0", "_join0", "_part1", "_join1", "_output"};
    const char *at = log;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        at = strstr(at, arena_printf(fixture->arena, "%s%s ", variant->symbol, steps[i]));
        if (!at)
            fail_msg("%s%s is not launched in its turn", variant->symbol, steps[i]);
    }
}

/* ---- one call by a driver ---- */

typedef struct Job {
    const Fixture *fixture;
    const Variant *variant;
    size_t rows, columns;
    const Geometry *geometry; /* NULL: the driver's own choice */
} Job;

static Launch launch_of(Arena *arena, const Variant *variant)
{
    Launch launch;
    json_t *record = emit_manifest_variant(arena, variant);
    const char *why = launch_read(arena, json_object_get(record, "launch"), variant->symbol, &launch);
    json_decref(record);
    if (why)
        fail_msg("%s", why);
    return launch;
}

static const char *text_of_file(Arena *arena, const char *path)
{
    Buffer text = {0};
    const char *why = buffer_read_file(&text, path, 1 << 24), *copy = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    return why ? "" : copy;
}

static const char *call_cuda(const Job *job, const Launch *launch, const CallData *call)
{
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    CudaDevice *device = cuda_open(arena, &why);
    CudaKernel *kernel =
        device ? cuda_kernel_open(arena, device, text_of_file(arena, ptx_path(job->fixture)), launch,
                                  job->variant->op, operator_parallel_dims(job->variant->op), &why)
               : NULL;
    if (kernel)
        why = cuda_kernel_call(arena, kernel, call, job->geometry, NULL);
    cuda_kernel_close(kernel);
    cuda_close(device);
    return why;
}

static const char *call_metal(const Job *job, const Launch *launch, const CallData *call)
{
    Arena *arena = job->fixture->arena;
    const char *why = NULL;
    MetalDevice *device = metal_open(arena, &why);
    MetalKernel *kernel =
        device ? metal_kernel_open(arena, device,
                                   text_of_file(arena, below_family(job->fixture, job->variant->source)),
                                   launch, job->variant->op, operator_parallel_dims(job->variant->op), &why)
               : NULL;
    if (kernel)
        why = metal_kernel_call(arena, kernel, call, job->geometry, NULL);
    metal_kernel_close(kernel);
    metal_close(device);
    return why;
}

static void call_kernel_once(void *context, FILE *out)
{
    const Job *job = context;
    const Variant *variant = job->variant;
    Arena *arena = job->fixture->arena;
    const Case what = {
        .shape = case_shape(variant->op, job->rows, job->columns, 0), .fill = INPUT_CANCEL, .seed = 9};
    const Launch launch = launch_of(arena, variant);
    Trial got = trial_create(arena, variant, &what), right = trial_create(arena, variant, &what);
    const char *why = (variant == job->fixture->cuda ? call_cuda : call_metal)(job, &launch, &got.call);
    const size_t elements = tensor_elements(&variant->op->output[0], &what.shape);
    reference_evaluate(variant->op, variant->tree, variant->accumulator, &right.call, 1);
    fputs(why                                                                     ? why
          : memcmp(got.output[0], right.output[0], elements * sizeof(float)) == 0 ? "equal"
                                                                                  : "differs",
          out);
}

static const char *outcome(const Job *job)
{
    Buffer text = {0};
    const char *why =
        child_run(job->fixture->arena, (ChildLimits){120, 0}, call_kernel_once, (void *)job, &text);
    const char *said = why ? why : arena_copy(job->fixture->arena, buffer_string(&text));
    buffer_destroy(&text);
    return said;
}

static void expect_equal(const Job *job)
{
    const char *said = outcome(job);
    if (strcmp(said, "equal"))
        fail_msg("%s, %zu x %zu, %s, %u threads, grid %u: %s", job->variant->target->name, job->rows,
                 job->columns, job->geometry ? launch_path_name[job->geometry->path] : "own choice",
                 job->geometry ? job->geometry->block : 0, job->geometry ? job->geometry->grid : 0, said);
}

static void every_path_on_every_length(void **state)
{
    static const size_t columns[] = {0, 1, 31, 33, 64, 65, 1000};
    static const unsigned blocks[] = {32, 96, 416}, grids[] = {0, 1, 3};
    const Fixture *fixture = *state;
    need_family(fixture);
    const Variant *const variants[] = {fixture->cuda, fixture->metal};
    for (int v = 0; v < 2; v++)
        for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
            for (int path = 0; path < PATHS; path++) {
                const Geometry geometry = {(LaunchPath)path, blocks[(c + (size_t)path) % 3], grids[c % 3]};
                expect_equal(&(Job){fixture, variants[v], 3, columns[c], &geometry});
            }
}

/* The plan itself: rows shorter than a warp get a warp each, one long row many blocks. */
static void paths_are_chosen(void **state)
{
    const Fixture *fixture = *state;
    need_family(fixture);
    const Variant *const variants[] = {fixture->cuda, fixture->metal};
    for (int v = 0; v < 2; v++) {
        const Variant *variant = variants[v];
        expect_equal(&(Job){fixture, variant, 40, 7, NULL});
        const char *log = launches(fixture);
        expect_launched(fixture, log, variant, "_warp", true);
        expect_launched(fixture, log, variant, "", false);
        expect_equal(&(Job){fixture, variant, 1, FROM_LONG + 37, NULL});
        log = launches(fixture);
        expect_long_row_launched(fixture, log, variant);
        expect_launched(fixture, log, variant, "_warp", false);
        /* 4097 chunks, a warp each, 8 warps to a block (Metal: the fake takes at most 448 threads, 256 are
         * chosen) */
        if (!strstr(log, arena_printf(fixture->arena, "%s_part0 513 256\n", variant->symbol)))
            fail_msg("%s", log);
        expect_equal(&(Job){fixture, variant, 3, 3000, NULL});
        expect_launched(fixture, launches(fixture), variant, "", true);
    }
}

/* ---- the workspace ---- */

static void workspaces_are_counted(void **state)
{
    static const struct {
        const char *partials;
        size_t columns, count;
    } rows[] = {
        {"[{\"cut\": \"chunk\", \"size\": 64}]", 0, 0},
        {"[{\"cut\": \"chunk\", \"size\": 64}]", 64, 1},
        {"[{\"cut\": \"chunk\", \"size\": 64}]", 65, 2},
        {"[{\"cut\": \"split\", \"size\": 4}]", 10, 4},
        {"[{\"cut\": \"split\", \"size\": 4}]", 5, 3}, /* parts of 2 */
        {"[{\"cut\": \"split\", \"size\": 4}]", 2, 2},
        {"[{\"cut\": \"lanes\", \"size\": 12}]", 3, 12},
        {"[{\"cut\": \"chunk\", \"size\": 10}, {\"cut\": \"chunk\", \"size\": 4}]", 95, 3},
        {"[{\"cut\": \"lanes\", \"size\": 12}, {\"cut\": \"split\", \"size\": 5}]", 1000, 4},
    };
    static const char format[] =
        "{\"kernels\": [{\"name\": \"p\", \"role\": \"part\", \"reduction\": 0, \"extra\": [\"row\", "
        "\"workspace\"]},"
        "{\"name\": \"j\", \"role\": \"join\", \"reduction\": 0, \"extra\": [\"row\", \"workspace\"]},"
        "{\"name\": \"o\", \"role\": \"output\", \"extra\": [\"row\", \"workspace\"]}],"
        "\"workspace\": {\"type\": \"double\", \"values\": 16, \"partials\": [%s]}}";
    const Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Launch launch;
        json_t *json = json_loads(arena_printf(fixture->arena, format, rows[i].partials), 0, NULL);
        const Geometry geometry = {PATH_LONG, 64, 0};
        assert_null(launch_read(fixture->arena, json, "k", &launch));
        assert_int_equal(launch_partials(&launch, 0, rows[i].columns), rows[i].count);
        assert_int_equal(launch_workspace(&launch, (LaunchWork){1, rows[i].columns}, geometry),
                         8 * (16 + rows[i].count));
        json_decref(json);
    }
}

static void other_descriptions_are_refused(void **state)
{
#define EXTRA "\"extra\": [\"row\", \"workspace\"]"
#define SPACE                                                                                                \
    "\"workspace\": {\"type\": \"float\", \"values\": 16, \"partials\": [[{\"cut\": \"chunk\", \"size\": "   \
    "4}]]}"
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{\"kernels\": [{\"name\": \"k\", \"role\": \"blocks\"}]}", "the role 'blocks', which is none of"},
        {"{\"kernels\": [{\"role\": \"rows\"}]}", "has no name"},
        {"{\"kernels\": [{\"name\": \"p\", \"role\": \"part\", \"reduction\": 0, \"part\": 64}]}",
         "kernel p does not say that it takes \"row\" and \"workspace\""},
        {"{\"kernels\": [{\"name\": \"p\", \"role\": \"part\", \"extra\": [\"workspace\", \"row\"]}], " SPACE
         "}",
         "kernel p does not say"},
        {"{\"kernels\": [{\"name\": \"p\", \"role\": \"part\", " EXTRA "}]}",
         "are not part and join of each"},
        {"{\"kernels\": [{\"name\": \"j\", \"role\": \"join\", " EXTRA
         "}, {\"name\": \"p\", \"role\": \"part\", " EXTRA "}, {\"name\": \"o\", \"role\": \"output\", " EXTRA
         "}], " SPACE "}",
         "are not part and join of each"},
        {"{\"kernels\": [{\"name\": \"k\", \"role\": \"rows\"}], \"workspace\": {\"type\": \"half\", "
         "\"values\": 16}}",
         "has no type float or double"},
        {"{\"kernels\": [{\"name\": \"k\", \"role\": \"rows\"}], \"workspace\": {\"type\": \"float\", "
         "\"values\": 16, "
         "\"partials\": [[{\"cut\": \"slice\", \"size\": 4}]]}}",
         "none of chunk, lanes, split"},
    };
    const Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Launch launch;
        json_error_t error;
        json_t *json = json_loads(rows[i].text, 0, &error);
        if (!json)
            fail_msg("row %zu: %s", i, error.text);
        const char *why = launch_read(fixture->arena, json, "k", &launch);
        if (!why || !strstr(why, rows[i].says))
            fail_msg("row %zu: '%s' does not say '%s'", i, why ? why : "(nothing)", rows[i].says);
        json_decref(json);
    }
}

/* ---- the bundle ---- */

static const char *make_bundle(const Fixture *fixture)
{
    const char *folder = arena_printf(fixture->arena, "%s/bundle", fixture->folder), *why = NULL;
    char digest[65];
    folder_remove(folder);
    Bundle *bundle =
        bundle_open(fixture->arena, folder, (BundleOptions){LARGE_ROWS, LARGE_COLUMNS, false}, &why);
    json_t *left_out = json_array();
    assert_null(why);
    why = bundle_add_family(fixture->arena, bundle, fixture->family, fixture->out, left_out);
    if (why || json_array_size(left_out) > 0)
        fail_msg("%s, %zu left out", why ? why : "", json_array_size(left_out));
    assert_null(bundle_finish(bundle, digest));
    bundle_close(bundle);
    json_decref(left_out);
    return folder;
}

static const json_t *result_of(const json_t *report, const char *list, const Variant *variant)
{
    const json_t *result;
    size_t i;
    json_array_foreach(json_object_get(report, list), i, result)
    {
        if (!strcmp(json_string_value(json_object_get(result, "id")), variant->id))
            return result;
    }
    fail_msg("%s has no %s", list, variant->id);
    return NULL;
}

static json_t *run_bundle(const Fixture *fixture, const char *folder, const char *option, const char **said)
{
    const char *report = arena_printf(fixture->arena, "%s/report.json", fixture->folder);
    const char *program = arena_printf(fixture->arena, "%s/run", folder);
    const char *argv[] = {program, "--json", report, option, NULL};
    Buffer text = {0};
    const char *why = child_exec(fixture->arena, (ChildLimits){200, 0}, argv, NULL, &text);
    *said = arena_copy(fixture->arena, buffer_string(&text));
    buffer_destroy(&text);
    if (why)
        fail_msg("%s: %s", why, *said);
    return json_load_file(report, 0, NULL);
}

static void bundle_keeps_every_case(void **state)
{
    const Fixture *fixture = *state;
    const char *said;
    need_family(fixture);
    json_t *report = run_bundle(fixture, make_bundle(fixture), NULL, &said);
    const Variant *const variants[] = {fixture->c, fixture->cuda, fixture->metal};
    assert_true(json_is_true(json_object_get(report, "ok")));
    for (int v = 0; v < 3; v++) {
        const json_t *check = result_of(report, "checks", variants[v]);
        assert_string_equal(json_string_value(json_object_get(check, "status")), "kept");
        assert_string_equal(json_string_value(json_object_get(check, "output_digest")),
                            json_string_value(json_object_get(check, "expected_digest")));
        assert_true(json_integer_value(json_object_get(check, "cases")) >= 18);
    }
    json_decref(report);
    const char *log = launches(fixture);
    for (int v = 1; v < 3; v++) {
        expect_launched(fixture, log, variants[v], "", true);
        expect_launched(fixture, log, variants[v], "_warp", true);
    }
}

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)))
        fail_msg("'%s' does not start with '%s'", text, start);
}

/* ---- one certificate against a family: `samebits verify SPEC --against FILE` ---- */

static const char *certificate_of(const Fixture *fixture, const Variant *variant)
{
    return below_family(fixture, arena_printf(fixture->arena, "certificates/%s.json", variant->id));
}

static void certificates_cross_targets(void **state)
{
    const Fixture *fixture = *state;
    const char *why = NULL;
    need_family(fixture);
    json_t *result = bundle_check_against(fixture->arena, fixture->family, fixture->out,
                                          certificate_of(fixture, fixture->c), 100, &why);
    assert_null(why);
    assert_true(json_is_true(json_object_get(result, "ok")));
    assert_string_equal(json_string_value(json_object_get(result, "made_by")), "c");
    const Variant *const variants[] = {fixture->c, fixture->cuda, fixture->metal};
    for (int v = 0; v < 3; v++)
        assert_string_equal(
            json_string_value(json_object_get(result_of(result, "checks", variants[v]), "status")), "kept");
    json_decref(result);
}

/* Another contract, whole; and one whose text no longer has its digest. */
static void certificates_are_refused(void **state)
{
    const Fixture *fixture = *state;
    Arena *arena = fixture->arena;
    const char *why = NULL, *path = arena_printf(arena, "%s/other.json", fixture->folder);
    need_family(fixture);
    Variant other = *fixture->c;
    other.contract = "another contract\n";
    other.digest = contract_digest(arena, other.contract);
    certify_variant(arena, &other, "avx2", path);
    assert_null(bundle_check_against(arena, fixture->family, fixture->out, path, 100, &why));
    starts_with(why, "refused: ");
    if (!strstr(why, arena_printf(arena, "certifies contract %.16s..., which no variant of", other.digest)))
        fail_msg("%s", why);
    other.contract = "another contract, changed\n";
    certify_variant(arena, &other, "avx2", path);
    assert_null(bundle_check_against(arena, fixture->family, fixture->out, path, 100, &why));
    starts_with(why, "refused: ");
    if (!strstr(why, "was changed: the SHA-256 of its contract's text is"))
        fail_msg("%s", why);
}

/* ---- times ---- */

static double number_in(const json_t *json, const char *name)
{
    return json_number_value(json_object_get(json, name));
}

static void expect_timed(const json_t *row)
{
    const json_t *device = json_object_get(row, "device");
    assert_non_null(device);
    assert_true(number_in(row, "median_ns") > 0 && number_in(row, "first_call_ns") > 0);
    assert_true(number_in(row, "share_of_copy") > 0 && number_in(row, "share_of_copy") < 1);
    assert_true(number_in(device, "load_ns") > 0 && number_in(device, "launch_ns") > 0);
}

/* NVML's clocks fall while this device is timed; Metal tells none: not known, and not made up. */
static void expect_clocks(const json_t *row, bool has_nvml)
{
    const json_t *device = json_object_get(row, "device");
    const double low = number_in(device, "clock_low_mhz"), high = number_in(device, "clock_high_mhz");
    const bool fell = low >= 1260 && low < 0.95 * high && high <= 1980, unknown = low == 0 && high == 0;
    if (has_nvml ? !fell : !unknown)
        fail_msg("from %g to %g MHz", high, low);
}

/* Each kernel: digest, time, share of the device's copy bandwidth; all geometries were tried. */
static void bundle_times_every_kernel(void **state)
{
    const Fixture *fixture = *state;
    const char *said;
    need_family(fixture);
    setenv("SAMEBITS_LIBNVML", fake_nvml, 1);
    json_t *report = run_bundle(fixture, make_bundle(fixture), "--time", &said);
    const Variant *const variants[] = {fixture->cuda, fixture->metal};
    for (int v = 0; v < 2; v++) {
        const json_t *row = result_of(report, "times", variants[v]);
        assert_string_equal(json_string_value(json_object_get(row, "status")), "kept");
        assert_string_equal(json_string_value(json_object_get(row, "digest")),
                            json_string_value(json_object_get(row, "expected")));
        expect_timed(row);
        expect_clocks(row, v == 0);
        /* rows, warps and one long row; blocks of 64 to 1024 threads, on the fake Mac up to 448 */
        assert_int_equal((int)number_in(json_object_get(row, "device"), "tried"), v == 0 ? 15 : 9);
    }
    json_decref(report);
    for (int v = 0; v < 2; v++)
        if (!strstr(said, arena_printf(fixture->arena, "%-58s kept: ", variants[v]->id)) ||
            !strstr(said, " of copy; "))
            fail_msg("%s", said);
    if (!strstr(said, " MHz: lock it, or cool it"))
        fail_msg("%s", said);
}

/* What verification writes, as far as devices and the bench read it. */
static json_t *verified_result(const Fixture *fixture)
{
    json_t *variants = json_array();
    for (int v = 0; v < fixture->family->variants; v++)
        json_array_append_new(variants, json_pack("{s:s, s:s, s:{}}", "id", fixture->family->variant[v].id,
                                                  "trust", "source emulated", "promises"));
    return json_pack("{s:o, s:b}", "variants", variants, "ok", 1);
}

static const json_t *entry_of(const Fixture *fixture, const json_t *result, const Variant *variant)
{
    const json_t *entry =
        json_array_get(json_object_get(result, "variants"), (size_t)(variant - fixture->family->variant));
    assert_string_equal(json_string_value(json_object_get(entry, "id")), variant->id);
    return entry;
}

static const char *device_status(const Fixture *fixture, const json_t *result, const Variant *variant)
{
    const json_t *device = json_object_get(entry_of(fixture, result, variant), "device");
    const char *status = json_string_value(json_object_get(device, "status"));
    return status ? status : "";
}

static void certify_all(const Fixture *fixture)
{
    const Variant *const variants[] = {fixture->cuda, fixture->metal};
    for (int v = 0; v < 2; v++)
        certify_variant(
            fixture->arena, variants[v], variants[v]->target->name,
            below_family(fixture, arena_printf(fixture->arena, "certificates/%s.json", variants[v]->id)));
}

/* `samebits verify` where there are devices, and where one is not there, refused, or wrong. */
static void verification_reaches_devices(void **state)
{
    const Fixture *fixture = *state;
    need_family(fixture);
    certify_all(fixture);
    json_t *result = verified_result(fixture);
    verify_on_devices(fixture->arena, fixture->family, fixture->out, 100, result);
    assert_true(json_is_true(json_object_get(result, "ok")));
    assert_string_equal(device_status(fixture, result, fixture->cuda), "kept");
    assert_string_equal(device_status(fixture, result, fixture->metal), "kept");
    assert_null(json_object_get(entry_of(fixture, result, fixture->c), "device"));
    starts_with(json_string_value(json_object_get(entry_of(fixture, result, fixture->cuda), "trust")),
                "source emulated, run on Fake GPU 0 with driver ");
    json_decref(result);
    result = verified_result(fixture);
    setenv("FAKE_CUDA", "contract", 1);
    setenv("FAKE_METAL", "no-gpu", 1);
    verify_on_devices(fixture->arena, fixture->family, fixture->out, 100, result);
    starts_with(device_status(fixture, result, fixture->cuda),
                "refused: Fake GPU 0 contracts a product and a sum");
    starts_with(device_status(fixture, result, fixture->metal), "skipped: Metal finds no GPU");
    assert_string_equal(json_string_value(json_object_get(entry_of(fixture, result, fixture->cuda), "trust")),
                        "source emulated");
    assert_true(json_is_true(json_object_get(result, "ok"))); /* what was not run there broke no promise */
    json_decref(result);
}

static void a_wrong_device_is_a_failure(void **state)
{
    const Fixture *fixture = *state;
    need_family(fixture);
    certify_all(fixture);
    const char *path = ptx_path(fixture), *right = text_of_file(fixture->arena, path);
    char *wrong = arena_copy(fixture->arena, right), *at = strstr(wrong, "add.rn.f32");
    assert_non_null(at);
    memcpy(at, "sub", 3);
    folder_write(fixture->arena, below_family(fixture, "obj/ptx"),
                 arena_printf(fixture->arena, "%s.ptx", fixture->cuda->id), wrong);
    json_t *result = verified_result(fixture);
    verify_on_devices(fixture->arena, fixture->family, fixture->out, 100, result);
    folder_write(fixture->arena, below_family(fixture, "obj/ptx"),
                 arena_printf(fixture->arena, "%s.ptx", fixture->cuda->id), right);
    assert_string_equal(device_status(fixture, result, fixture->cuda), "broken");
    assert_false(json_is_true(json_object_get(result, "ok")));
    starts_with(json_string_value(json_object_get(entry_of(fixture, result, fixture->cuda), "failure")),
                "run on Fake GPU 0");
    json_decref(result);
}

/* A family whose shape an interpreter can time, its kernels for devices alone. */
static Family small_family(const Fixture *fixture)
{
    Family family = *fixture->family;
    Shape *shape = ARENA_NEW(fixture->arena, Shape);
    *shape = (Shape){{3, 200}};
    family.bench = (BenchPlan){.data = "normal", .shape = shape, .shapes = 1};
    return family;
}

static json_t *bench(const Fixture *fixture, const json_t *verify)
{
    Diagnostics diagnostics;
    const Family family = small_family(fixture);
    diagnostics_init(&diagnostics, fixture->arena);
    json_t *bench = bench_family(fixture->arena, &diagnostics, &family, fixture->out,
                                 (BenchOptions){.processes = 6, .seconds = 0.2, .verify = verify});
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(bench);
    return bench;
}

static const json_t *shape_on(const json_t *bench, const char *device)
{
    const json_t *shape;
    size_t i;
    json_array_foreach(json_object_get(bench, "shapes"), i, shape)
    {
        const char *name = json_string_value(json_object_get(shape, "device"));
        if (name && strstr(name, device))
            return shape;
    }
    fail_msg("no shape was timed on %s", device);
    return NULL;
}

/* On a busy machine the processor's own entries may have some. */
static void expect_no_error_on_devices(const Fixture *fixture, const json_t *bench)
{
    const json_t *error;
    size_t i;
    json_array_foreach(json_object_get(bench, "errors"), i, error)
    {
        const char *text = json_string_value(error);
        if (strstr(text, fixture->cuda->id) || strstr(text, fixture->metal->id) || strstr(text, "Fake"))
            fail_msg("%s", text);
    }
}

static void bench_times_devices(void **state)
{
    const Fixture *fixture = *state;
    need_family(fixture);
    certify_all(fixture);
    json_t *verify = verified_result(fixture);
    verify_on_devices(fixture->arena, fixture->family, fixture->out, 100, verify);
    json_t *result = bench(fixture, verify);
    static const char *const devices[] = {"Fake GPU 0", "Fake M1"};
    for (int d = 0; d < 2; d++) {
        const json_t *shape = shape_on(result, devices[d]), *entries = json_object_get(shape, "entries");
        assert_int_equal(json_array_size(entries), 2); /* the kernel, and it again */
        assert_string_equal(json_string_value(json_object_get(json_array_get(entries, 0), "id")),
                            (d ? fixture->metal : fixture->cuda)->id);
        assert_string_equal(json_string_value(json_object_get(json_array_get(entries, 1), "verdict")),
                            "SAME");
        assert_true(number_in(shape, "noise_floor") <
                    0.01); /* the fakes' clocks count instructions, launches */
        expect_timed(json_array_get(entries, 0));
        assert_true(number_in(json_object_get(json_object_get(shape, "run"), "memory"), "copy_gbs") > 20);
    }
    assert_non_null(json_object_get(json_object_get(result, "devices"), "cuda"));
    expect_no_error_on_devices(fixture, result);
    json_decref(result);
    json_decref(verify);
}

static const char *skip_reason(const json_t *bench, const Variant *variant)
{
    const json_t *skip;
    size_t i;
    json_array_foreach(json_object_get(bench, "skipped"), i, skip)
    {
        if (!strcmp(json_string_value(json_object_get(skip, "what")), variant->id))
            return json_string_value(json_object_get(skip, "why"));
    }
    return "";
}

/* Nothing is timed that the device was not seen to do right, and the reason is in sight. */
static void what_is_not_timed_says_why(void **state)
{
    const Fixture *fixture = *state;
    need_family(fixture);
    json_t *verify = verified_result(fixture);
    setenv("FAKE_CUDA", "no-gpu", 1);
    json_t *result = bench(fixture, verify);
    starts_with(skip_reason(result, fixture->cuda),
                "skipped: the CUDA driver finds no GPU"); /* ... emulated times mean nothing */
    starts_with(skip_reason(result, fixture->metal),
                "not timed: on the device: not tried; `samebits verify`");
    assert_int_equal(json_array_size(json_object_get(result, "shapes")), 1); /* this processor's */
    json_decref(result);
    json_decref(verify);
}

int main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    fake_cuda = argv[1];
    fake_metal = argv[2];
    runner_path = argv[3];
    specs_folder = argv[4];
    setenv("SAMEBITS_TEMPLATES", argv[5], 1);
    fake_nvml = argv[6];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(workspaces_are_counted, start_anew),
        cmocka_unit_test_setup(other_descriptions_are_refused, start_anew),
        cmocka_unit_test_setup(every_path_on_every_length, start_anew),
        cmocka_unit_test_setup(paths_are_chosen, start_anew),
        cmocka_unit_test_setup(bundle_keeps_every_case, start_anew),
        cmocka_unit_test_setup(certificates_cross_targets, start_anew),
        cmocka_unit_test_setup(certificates_are_refused, start_anew),
        cmocka_unit_test_setup(bundle_times_every_kernel, start_anew),
        cmocka_unit_test_setup(verification_reaches_devices, start_anew),
        cmocka_unit_test_setup(a_wrong_device_is_a_failure, start_anew),
        cmocka_unit_test_setup(bench_times_devices, start_anew),
        cmocka_unit_test_setup(what_is_not_timed_says_why, start_anew),
    };
    return cmocka_run_group_tests_name("bundle-generated", tests, set_up, tear_down);
}
