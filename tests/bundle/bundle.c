/* bundle.c: a bundle is made here and run as a program of its own, on the fake CUDA driver of tests/cuda.
 *
 * usage: test-bundle FAKE_CUDA RUNNER SUM_PTX WRONG_PTX. Kernels are written by hand; generated.c has
 * generated ones. */
#include "bundle/bundle.h"

#include "bundle/sums.h"
#include "driver/child.h"
#include "text/buffer.h"
#include "verify/cases.h"

#include "../driver/folder.h"
#include "certify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

enum { LARGE_ROWS = 3, LARGE_COLUMNS = 300 };

typedef struct Fixture {
    Arena *arena;
    const char *folder, *certificate[2], *object;
    const Family *family[2];
    Variant cuda[2], cpu, metal;
    const char *metal_file;
} Fixture;

static const char *fake_path, *runner_path, *sum_path, *wrong_path;

/* ---- what is bundled ---- */

static const char spec_text[] =
    "local rows, cols = dim \"rows\", dim \"cols\"\n"
    "local x = input(\"x\", rows, cols)\n"
    "return kernel \"sum\" { output = { y = sum(cols, x) }, tree = { %s }, accumulator = { "
    "\"%s\" }, target = { \"c\" } }\n";

static const Family *read_family(Arena *arena, const char *folder, const char *name, const char *tree,
                                 const char *accumulator)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const char *path = folder_write(arena, folder, name, arena_printf(arena, spec_text, tree, accumulator));
    const Family *family = family_read(arena, &diagnostics, path, NULL, 0);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(family);
    return family;
}

static Variant twin_of(Arena *arena, const Variant *variant, const Target *target, const char *symbol)
{
    Variant twin = *variant;
    twin.id = arena_printf(arena, "%s_%s", target->name, variant->id);
    twin.target = target;
    twin.symbol = symbol;
    return twin;
}

/* The c variant, compiled from two lines. */
static const char *compile_object(Arena *arena, const char *folder, const Variant *variant)
{
    static const char text[] = "#include <stddef.h>\n"
                               "void %s(const float *x, float *y, size_t rows, size_t cols)\n{\n"
                               "    for (size_t r = 0; r < rows; r++) {\n"
                               "        double acc = 0.0;\n"
                               "        for (size_t i = 0; i < cols; i++)\n"
                               "            acc += (double)x[r * cols + i];\n"
                               "        y[r] = (float)acc;\n"
                               "    }\n}\n";
    const char *source = folder_write(arena, folder, "wide.c", arena_printf(arena, text, variant->symbol));
    const char *object = arena_printf(arena, "%s/wide.so", folder);
    const char *argv[] = {"clang", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-o", object,
                          source,  NULL};
    Buffer said = {0};
    const char *why = child_exec(arena, (ChildLimits){60, 0}, argv, NULL, &said);
    if (why)
        fail_msg("%s: %s", why, buffer_string(&said));
    buffer_destroy(&said);
    return object;
}

static int set_up(void **state)
{
    static const Target cuda = {.name = "cuda"}, metal = {.name = "metal"};
    static Fixture fixture;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena);
    fixture = (Fixture){.arena = arena, .folder = folder};
    fixture.family[0] = read_family(arena, folder, "chunked.lua", "chunk(64, lanes(32), seq)", "f32");
    fixture.family[1] = read_family(arena, folder, "wide.lua", "seq", "f64");
    for (int i = 0; i < 2; i++) {
        const Variant *variant = &fixture.family[i]->variant[0];
        fixture.certificate[i] = arena_printf(arena, "%s/certificate-%s.json", folder, variant->id);
        certify_variant(arena, variant, "avx2", fixture.certificate[i]);
        fixture.cuda[i] = twin_of(arena, variant, &cuda, i ? "wide" : "chunked");
    }
    fixture.metal = twin_of(arena, &fixture.family[0]->variant[0], &metal, "chunked");
    fixture.metal_file = folder_write(arena, folder, "chunked.metal", "kernel void chunked() {}\n");
    fixture.cpu = fixture.family[1]->variant[0];
    fixture.object = compile_object(arena, folder, &fixture.cpu);
    setenv("SAMEBITS_RUNNER", runner_path, 1);
    setenv("SAMEBITS_LIBCUDA", fake_path, 1);
    setenv("SAMEBITS_LIBNVML", "/nowhere/libnvml.so", 1);
    *state = &fixture;
    return 0;
}

/* Before each test: a sound device, no bundle. */
static int start_anew(void **state)
{
    const Fixture *fixture = *state;
    setenv("FAKE_CUDA", "", 1);
    unsetenv("FAKE_CUDA_STEPS");
    folder_remove(arena_printf(fixture->arena, "%s/bundle", fixture->folder));
    return 0;
}

static int tear_down(void **state)
{
    const Fixture *fixture = *state;
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static void assert_says(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' does not say '%s'", text ? text : "(nothing)", part);
}

static const char *in_folder(const Fixture *fixture, const char *name)
{
    return arena_printf(fixture->arena, "%s/%s", fixture->folder, name);
}

/* Four kernels: two for CUDA from `ptx`, one for the processor, one for Metal. */
static const char *make_bundle(const Fixture *fixture, const char *ptx)
{
    const char *folder = in_folder(fixture, "bundle"), *why = NULL;
    char digest[65];
    const BundleOptions options = {.rows = LARGE_ROWS, .columns = LARGE_COLUMNS};
    Bundle *bundle = bundle_open(fixture->arena, folder, options, &why);
    json_t *launch = json_object();
    assert_null(why);
    assert_null(bundle_add(bundle, &fixture->cpu, fixture->object, launch, fixture->certificate[1]));
    for (int i = 0; i < 2; i++)
        assert_null(bundle_add(bundle, &fixture->cuda[i], ptx, launch, fixture->certificate[i]));
    assert_null(
        bundle_add(bundle, &fixture->cuda[0], ptx, launch, fixture->certificate[0])); /* there already */
    assert_null(bundle_add(bundle, &fixture->metal, fixture->metal_file, launch, fixture->certificate[0]));
    assert_null(bundle_finish(bundle, digest));
    bundle_close(bundle);
    json_decref(launch);
    return folder;
}

/* ---- running it ---- */

typedef struct Ran {
    const char *said, *why;
    json_t *report;
} Ran;

static Ran run_bundle(const Fixture *fixture, const char *folder, const char *option, const char *value)
{
    const char *report = in_folder(fixture, "report.json");
    const char *program = arena_printf(fixture->arena, "%s/run", folder);
    const char *argv[] = {program, "--json", report, option, value, NULL};
    Buffer text = {0};
    unlink(report);
    Ran ran = {.why = child_exec(fixture->arena, (ChildLimits){120, 0}, argv, NULL, &text)};
    ran.said = arena_copy(fixture->arena, buffer_string(&text));
    ran.report = json_load_file(report, 0, NULL);
    buffer_destroy(&text);
    return ran;
}

static const json_t *check_of(const Ran *ran, const char *list, const char *id)
{
    const json_t *result;
    size_t i;
    json_array_foreach(json_object_get(ran->report, list), i, result)
    {
        if (!strcmp(json_string_value(json_object_get(result, "id")), id))
            return result;
    }
    fail_msg("%s has no %s: %s", list, id, ran->said);
    return NULL;
}

static const char *text_in(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static void assert_status(const Ran *ran, const char *id, const char *status)
{
    const char *is = text_in(check_of(ran, "checks", id), "status");
    if (strncmp(is, status, strlen(status)))
        fail_msg("%s: '%s' is not '%s'\n%s", id, is, status, ran->said);
}

static void edit(const Fixture *fixture, const char *path, const char *from, const char *to)
{
    Buffer text = {0}, changed = {0};
    assert_null(buffer_read_file(&text, path, 1 << 24));
    const char *at = strstr(buffer_string(&text), from);
    if (!at)
        fail_msg("%s does not contain '%s'", path, from);
    buffer_append(&changed, text.data, (size_t)(at - text.data));
    buffer_append_string(&changed, to);
    buffer_append_string(&changed, at + strlen(from));
    assert_null(buffer_write_file(&changed, path));
    buffer_destroy(&text);
    buffer_destroy(&changed);
    (void)fixture;
}

/* Somebody who changes a file and makes the list anew. */
static void list_anew(const Fixture *fixture, const char *folder)
{
    Sums *old = ARENA_NEW(fixture->arena, Sums), *sums = ARENA_NEW(fixture->arena, Sums);
    assert_null(sums_read(fixture->arena, folder, old));
    sums->folder = folder;
    for (int i = 0; i < old->count; i++)
        assert_null(sums_add(fixture->arena, sums, old->path[i]));
    assert_null(sums_write(fixture->arena, sums));
}

/* ---- a bundle that is right ---- */

static void test_kept(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_null(ran.why);
    assert_true(json_is_true(json_object_get(ran.report, "ok")));
    assert_status(&ran, fixture->cuda[0].id, "kept");
    assert_status(&ran, fixture->cuda[1].id, "kept");
    assert_status(&ran, fixture->cpu.id, "kept");
#ifndef __APPLE__
    assert_status(&ran, fixture->metal.id, "skipped: Metal needs macOS");
#endif
    const json_t *first = check_of(&ran, "checks", fixture->cuda[0].id);
    assert_says(text_in(first, "where"), "run on Fake GPU 0 with driver");
    assert_string_equal(text_in(first, "output_digest"), text_in(first, "expected_digest"));
    assert_true(json_integer_value(json_object_get(first, "cases")) >= 18);
    assert_string_equal(text_in(json_object_get(json_object_get(ran.report, "devices"), "cuda"), "name"),
                        "Fake GPU 0");
    json_decref(ran.report);
}

/* Both kernels are timed together, beside the first one entered again. */
static void check_second_copy(const Ran *ran)
{
    const json_t *shape = json_array_get(json_object_get(ran->report, "shapes"), 0);
    const json_t *entries = json_object_get(shape, "entries"), *again = json_array_get(entries, 2);
    assert_int_equal(json_array_size(json_object_get(ran->report, "shapes")), 1);
    assert_int_equal(json_array_size(entries), 3);
    assert_string_equal(text_in(again, "kind"), "control");
    assert_string_equal(text_in(again, "verdict"), "SAME");
    assert_says(text_in(shape, "device"), "Fake GPU 0");
    assert_true(json_integer_value(json_object_get(json_object_get(shape, "run"), "processes")) >= 5);
}

/* The large case: its digest by the processor's kernel when the bundle was made, and the device's. */
static void test_times(void **state)
{
    const Fixture *fixture = *state;
    Ran ran = run_bundle(fixture, make_bundle(fixture, sum_path), "--time", "--no-cpu");
    assert_null(ran.why);
    const json_t *compared = check_of(&ran, "times", fixture->cuda[1].id),
                 *alone = check_of(&ran, "times", fixture->cuda[0].id);
    assert_string_equal(text_in(compared, "status"), "kept");
    assert_string_equal(text_in(compared, "digest"), text_in(compared, "expected"));
    assert_int_equal(strlen(text_in(compared, "digest")), 64);
    assert_string_equal(text_in(alone, "status"),
                        "not compared"); /* no processor's kernel of that contract */
    assert_int_equal((int)json_number_value(json_object_get(alone, "bytes")),
                     4 * (LARGE_ROWS * LARGE_COLUMNS + LARGE_ROWS));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(alone, "shape"), "cols")),
                     LARGE_COLUMNS);
    const json_t *device = json_object_get(alone, "device");
    const double ns = json_number_value(json_object_get(alone, "median_ns")),
                 gbs = json_number_value(json_object_get(alone, "gbs")),
                 copy = json_number_value(json_object_get(alone, "copy_gbs")),
                 share = json_number_value(json_object_get(alone, "share_of_copy"));
    assert_true(ns > 400000); /* one launch on the fake's clock */
    assert_int_equal(json_integer_value(json_object_get(device, "tried")), 5); /* blocks of 64 to 1024 */
    assert_string_equal(text_in(json_object_get(device, "geometry"), "path"), "rows");
    assert_true(gbs * ns > 3611 && gbs * ns < 3613);
    assert_true(copy > 50 && copy < 200); /* the fake's is 100 */
    assert_true(share * copy > 0.999 * gbs && share * copy < 1.001 * gbs);
    assert_true(json_number_value(json_object_get(alone, "first_call_ns")) > 0);
    assert_true(json_number_value(json_object_get(device, "load_ns")) > 0);
    assert_says(ran.said, "device copy 100 GB/s, noise floor 0.00 %");
    assert_says(ran.said, "of copy; rows of ");
    check_second_copy(&ran);
    json_decref(ran.report);
}

static void test_no_gpu(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    setenv("FAKE_CUDA", "no-gpu", 1);
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_null(ran.why); /* what is not here is no failure */
    assert_status(&ran, fixture->cuda[0].id, "skipped: the CUDA driver finds no GPU");
    assert_status(&ran, fixture->cpu.id, "kept");
    assert_says(text_in(json_object_get(ran.report, "not_here"), "cuda"),
                "skipped: the CUDA driver finds no GPU");
    json_decref(ran.report);
    ran = run_bundle(fixture, folder, "--no-cpu", NULL);
    assert_string_equal(ran.why, "exit status 3"); /* but nothing at all is no success */
    assert_says(ran.said, "nothing could be run on this machine");
    json_decref(ran.report);
    setenv("FAKE_CUDA", "flush", 1);
    ran = run_bundle(fixture, folder, NULL, NULL);
    assert_string_equal(ran.why, "exit status 1");
    assert_status(&ran, fixture->cuda[0].id, "refused: Fake GPU 0 flushes subnormals");
    json_decref(ran.report);
}

/* ---- kernels that are wrong ---- */

static void test_broken(void **state)
{
    const Fixture *fixture = *state;
    Ran ran = run_bundle(fixture, make_bundle(fixture, wrong_path), NULL, NULL);
    assert_string_equal(ran.why, "exit status 1");
    assert_status(&ran, fixture->cuda[0].id, "broken");
    assert_status(&ran, fixture->cuda[1].id, "kept"); /* -DWRONG leaves it as it is */
    const json_t *check = check_of(&ran, "checks", fixture->cuda[0].id);
    assert_true(json_array_size(json_object_get(check, "differs")) > 0);
    assert_true(json_integer_value(json_object_get(check, "equal")) > 0); /* a row of no columns, say */
    assert_says(json_string_value(json_array_get(json_object_get(check, "differs"), 0)), "rows=");
    json_decref(ran.report);
}

static void test_hangs(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    setenv("FAKE_CUDA_STEPS", "20000", 1); /* the probe ends, the larger cases never */
    Ran ran = run_bundle(fixture, folder, "--seconds", "1");
    assert_string_equal(ran.why, "exit status 1");
    assert_status(&ran, fixture->cuda[0].id, "failed: no answer within 1 s");
    assert_status(&ran, fixture->cpu.id, "kept"); /* the others go on */
    json_decref(ran.report);
}

/* What holds in every check can still hang when it is timed: the others go on, and the reason is told. */
static void test_hangs_when_timed(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    setenv("FAKE_CUDA_LAUNCHES", "60", 1);
    setenv("SAMEBITS_DEVICE_SECONDS", "0.2", 1);
    Ran ran = run_bundle(fixture, folder, "--time", NULL);
    unsetenv("FAKE_CUDA_LAUNCHES");
    unsetenv("SAMEBITS_DEVICE_SECONDS");
    assert_string_equal(ran.why, "exit status 1");
    assert_status(&ran, fixture->cuda[0].id, "kept");
    const char *status = text_in(check_of(&ran, "times", fixture->cuda[0].id), "status");
    assert_says(status, "failed: not timed: ");
    assert_says(status, "no answer within 0.2 s");
    json_decref(ran.report);
}

static void test_old_driver(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    setenv("FAKE_CUDA", "old", 1);
    Ran ran = run_bundle(fixture, folder, "--time", NULL);
    assert_null(ran.why);
    assert_status(
        &ran, fixture->cuda[0].id,
        "skipped: the driver is too old: it knows CUDA 10.1, PTX 7.5 needs 11.5; update the driver");
    assert_status(&ran, fixture->cpu.id, "kept");
    assert_int_equal(json_array_size(json_object_get(ran.report, "times")), 0);
    json_decref(ran.report);
    setenv("FAKE_CUDA", "contract", 1);
    ran = run_bundle(fixture, folder, NULL, NULL);
    assert_string_equal(ran.why, "exit status 1");
    assert_status(&ran, fixture->cuda[0].id, "refused: Fake GPU 0 contracts a product and a sum");
    json_decref(ran.report);
}

/* ---- files that were changed ---- */

static void test_changed_file(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    edit(fixture, arena_printf(fixture->arena, "%s/ptx/%s.ptx", folder, fixture->cuda[0].id), "add.rn.f32",
         "sub.rn.f32");
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_string_equal(ran.why, "exit status 1");
    assert_says(text_in(ran.report, "refused"), "refused: ptx/cuda_sum");
    assert_says(text_in(ran.report, "refused"), "was changed: its SHA-256 is");
    assert_int_equal(json_array_size(json_object_get(ran.report, "checks")), 0); /* nothing was run */
    json_decref(ran.report);
    list_anew(fixture, folder); /* the digests are right again, the bits are not */
    ran = run_bundle(fixture, folder, NULL, NULL);
    assert_status(&ran, fixture->cuda[0].id, "broken");
    json_decref(ran.report);
}

static const char *first_certificate(const Fixture *fixture, const char *folder, int which)
{
    return arena_printf(fixture->arena, "%s/certificates/%.16s.json", folder, fixture->cuda[which].digest);
}

static void test_changed_certificate(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    edit(fixture, first_certificate(fixture, folder, 0), "start +0.0", "start -0.0");
    list_anew(fixture, folder);
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_string_equal(ran.why, "exit status 1");
    assert_says(text_in(ran.report, "refused"), "was changed: the SHA-256 of its contract's text is");
    json_decref(ran.report);
    folder = make_bundle(fixture, sum_path);
    const char *digest = arena_printf(fixture->arena, "\"rows\": 131,\n    \"cols\": ");
    edit(fixture, first_certificate(fixture, folder, 0), digest, "\"rows\": 130,\n    \"cols\": ");
    list_anew(fixture, folder);
    ran = run_bundle(fixture, folder, NULL, NULL);
    assert_status(&ran, fixture->cuda[0].id, "broken"); /* another case than the digest's */
    assert_status(&ran, fixture->cuda[1].id, "kept");
    json_decref(ran.report);
}

static void test_other_contract(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path), *why = NULL;
    Buffer other = {0};
    assert_null(buffer_read_file(&other, first_certificate(fixture, folder, 1), 1 << 20));
    assert_null(buffer_write_file(&other, first_certificate(fixture, folder, 0)));
    buffer_destroy(&other);
    list_anew(fixture, folder);
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_string_equal(ran.why, "exit status 1");
    assert_says(text_in(ran.report, "refused"),
                arena_printf(fixture->arena, "certifies contract %.16s..., this kernel obeys %.16s...",
                             fixture->cuda[1].digest, fixture->cuda[0].digest));
    json_decref(ran.report);
    Bundle *bundle = bundle_open(fixture->arena, in_folder(fixture, "second"), (BundleOptions){0}, &why);
    json_t *launch = json_object();
    assert_says(bundle_add(bundle, &fixture->cuda[0], sum_path, launch, fixture->certificate[1]),
                "refused: ");
    char digest[65];
    assert_says(bundle_finish(bundle, digest), "nothing to bundle");
    json_decref(launch);
    bundle_close(bundle);
}

static void test_lists(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../outside\n",
         "outside the bundle: ../outside"},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a/../../b\n",
         "outside the bundle"},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /etc/passwd\n",
         "outside the bundle"},
        {"not a digest  run\n", "not a digest and a path"},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  gone\n",
         "refused: gone: No such file"},
        {"", "bundle.json, which SHA256SUMS does not list"},
    };
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        folder_write(fixture->arena, folder, "SHA256SUMS", rows[i].text);
        Ran ran = run_bundle(fixture, folder, NULL, NULL);
        assert_string_equal(ran.why, "exit status 1");
        assert_says(text_in(ran.report, "refused"), rows[i].says);
        json_decref(ran.report);
    }
    unlink(arena_printf(fixture->arena, "%s/SHA256SUMS", folder));
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_says(text_in(ran.report, "refused"), "a bundle that was not finished has none");
    json_decref(ran.report);
}

/* ---- folders ---- */

static void test_folder_of_somebody_else(void **state)
{
    const Fixture *fixture = *state;
    const char *why = NULL, *folder = in_folder(fixture, "theirs");
    mkdir(folder, 0777);
    const char *file = folder_write(fixture->arena, folder, "thesis.txt", "years of work");
    assert_null(bundle_open(fixture->arena, folder, (BundleOptions){0}, &why));
    assert_says(why, "is not empty and is no bundle");
    assert_int_equal(access(file, R_OK), 0);
}

static void test_made_again(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, wrong_path);
    Sums *first = ARENA_NEW(fixture->arena, Sums), *second = ARENA_NEW(fixture->arena, Sums),
         *third = ARENA_NEW(fixture->arena, Sums);
    assert_null(sums_read(fixture->arena, folder, first));
    make_bundle(fixture, sum_path);
    assert_null(sums_read(fixture->arena, folder, second));
    make_bundle(fixture, sum_path);
    assert_null(sums_read(fixture->arena, folder, third));
    assert_string_not_equal(first->own, second->own);
    assert_string_equal(second->own, third->own); /* the same files, the same name: no dates, no paths */
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_null(ran.why);
    assert_string_equal(text_in(ran.report, "bundle"), third->own);
    json_decref(ran.report);
}

/* Ties are searched for with the reference evaluator, which needs the operator's expressions: a bundle
 * carries their data instead. */
static void test_inputs_that_were_searched_for(void **state)
{
    const Fixture *fixture = *state;
    const char *folder = make_bundle(fixture, sum_path);
    const char *file = arena_printf(fixture->arena, "%s/inputs/%.16s-tie-rows4-cols301-seed120-x.npy", folder,
                                    fixture->cuda[1].digest);
    assert_int_equal(access(file, R_OK), 0);
    Buffer content = {0};
    assert_null(buffer_read_file(&content, file, 1 << 20));
    content.data[content.size - 1] ^= 0x40; /* one element becomes another number */
    assert_null(buffer_write_file(&content, file));
    buffer_destroy(&content);
    list_anew(fixture, folder);
    Ran ran = run_bundle(fixture, folder, NULL, NULL);
    assert_status(&ran, fixture->cuda[1].id, "broken");
    assert_status(&ran, fixture->cuda[0].id, "kept");
    json_decref(ran.report);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    fake_path = argv[1];
    runner_path = argv[2];
    sum_path = argv[3];
    wrong_path = argv[4];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_kept, start_anew),
        cmocka_unit_test_setup(test_times, start_anew),
        cmocka_unit_test_setup(test_no_gpu, start_anew),
        cmocka_unit_test_setup(test_broken, start_anew),
        cmocka_unit_test_setup(test_hangs, start_anew),
        cmocka_unit_test_setup(test_hangs_when_timed, start_anew),
        cmocka_unit_test_setup(test_old_driver, start_anew),
        cmocka_unit_test_setup(test_changed_file, start_anew),
        cmocka_unit_test_setup(test_changed_certificate, start_anew),
        cmocka_unit_test_setup(test_other_contract, start_anew),
        cmocka_unit_test_setup(test_lists, start_anew),
        cmocka_unit_test_setup(test_folder_of_somebody_else, start_anew),
        cmocka_unit_test_setup(test_made_again, start_anew),
        cmocka_unit_test_setup(test_inputs_that_were_searched_for, start_anew),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
