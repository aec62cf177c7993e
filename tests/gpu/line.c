/* line.c: GPU variants through the line on a machine without a GPU: compiled to modules, verified against
 * every promise, with a trust boundary and controls; and kernels with one mistake, each of which must end as
 * the failure that says where it is. */
#include "../driver/folder.h"

#include "driver/build.h"
#include "driver/kernel.h"
#include "driver/modules.h"
#include "emit/emit.h"
#include "verify/gpu_controls.h"
#include "verify/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const char *specs_folder;

/* ---- a family in a folder of its own ---- */

typedef struct Line {
    Arena *arena;
    Diagnostics diagnostics;
    const char *folder;
    Family *family;
    BuildResult built;
} Line;

static void fail_on_mistakes(const Line *line)
{
    if (line->diagnostics.count > 0) {
        diagnostics_print(&line->diagnostics, stderr);
        folder_remove(line->folder);
        fail_msg("see above");
    }
}

static void line_open(Line *line, const char *targets, const char *tree)
{
    if (system("${SAMEBITS_CLANG:-clang} --version >/dev/null 2>&1") != 0) {
        printf("# skipped: no clang here, so no kernel can be compiled\n");
        skip();
    }
    memset(line, 0, sizeof *line);
    line->arena = arena_create();
    diagnostics_init(&line->diagnostics, line->arena);
    line->folder = folder_create(line->arena);
    const AxisOverride overrides[] = {{"target", targets}, {"tree", tree}};
    line->family = (Family *)family_read(line->arena, &line->diagnostics,
                                         arena_printf(line->arena, "%s/sum.lua", specs_folder), overrides, 2);
    fail_on_mistakes(line);
    emit_family(line->arena, &line->diagnostics, line->family, line->folder);
    fail_on_mistakes(line);
}

static void line_build(Line *line, bool all_rows)
{
    assert_true(build_run(line->arena, &line->diagnostics, line->family, line->folder, all_rows, false,
                          &line->built));
    for (int v = 0; v < line->family->variants; v++) {
        if (line->built.why[v * build_count]) {
            fail_msg("%s: %s", line->family->variant[v].id, line->built.why[v * build_count]);
        }
    }
}

static json_t *line_verify(Line *line)
{
    json_t *result = verify_family(line->arena, &line->diagnostics, line->family, line->folder,
                                   (VerifyOptions){false, 100});
    fail_on_mistakes(line);
    assert_non_null(result);
    return result;
}

static void line_close(Line *line)
{
    folder_remove(line->folder);
    arena_destroy(line->arena);
}

static const char *source_path(const Line *line, int variant)
{
    return arena_printf(line->arena, "%s/%s/%s", line->folder, line->family->name,
                        line->family->variant[variant].source);
}

/* One exact change of a generated source, as in the controls. */
static void edit_source(Line *line, int variant, TextEdit edit)
{
    Buffer buffer = {0};
    const char *path = source_path(line, variant), *why = buffer_read_file(&buffer, path, 1 << 20);
    assert_null(why);
    const char *text = text_edit(line->arena, buffer_string(&buffer), &edit, 1, &why);
    if (!text) {
        fail_msg("%s", why);
    }
    buffer_destroy(&buffer);
    buffer = (Buffer){0};
    buffer_append_string(&buffer, text);
    assert_null(buffer_write_file(&buffer, path));
    buffer_destroy(&buffer);
}

/* ---- reading results ---- */

static const json_t *variant_at(const json_t *result, int variant)
{
    return json_array_get(json_object_get(result, "variants"), (size_t)variant);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static const json_t *promise_of(const json_t *result, int variant, const char *promise)
{
    return json_object_get(json_object_get(variant_at(result, variant), "promises"), promise);
}

static void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("\"%s\" has no \"%s\"", text, part);
    }
}

static void expect_status(const json_t *result, int variant, const char *promise, const char *status)
{
    const json_t *found = promise_of(result, variant, promise);
    if (strncmp(text_of(found, "status"), status, strlen(status)) != 0) {
        char *all = json_dumps(variant_at(result, variant), JSON_INDENT(1));
        fprintf(stderr, "%s\n", all);
        free(all);
        fail_msg("%s is %s, not %s", promise, text_of(found, "status"), status);
    }
}

/* ---- right kernels ---- */

static const char right_tree[] = "chunk(256, lanes(32), seq)";
enum { C, CUDA, METAL };

static void expect_kept(const json_t *result, int variant)
{
    static const char *const promises[] = {"RUN", "BATCH", "THREADS", "LAYOUT", "TARGET", "TREE"};
    for (int p = 0; p < 6; p++) {
        expect_status(result, variant, promises[p], "kept");
    }
    assert_string_equal(text_of(variant_at(result, variant), "failure"), "");
    assert_string_equal(text_of(variant_at(result, variant), "output_digest"),
                        text_of(variant_at(result, C), "output_digest"));
    assert_string_equal(text_of(variant_at(result, variant), "contract"),
                        text_of(variant_at(result, C), "contract"));
}

static void expect_controls(const json_t *result)
{
    static const char *const names[] = {"completion",
                                        "split(auto)",
                                        "swapped pair",
                                        "barrier removed (cuda)",
                                        "barrier removed (metal)",
                                        "atomicAdd (cuda)",
                                        "contraction (cuda)",
                                        "another fold (cuda)",
                                        "another fold (metal)"};
    enum { CONTROLS = sizeof names / sizeof names[0] };
    const json_t *controls = json_object_get(result, "controls");
    assert_int_equal(json_array_size(controls), CONTROLS);
    for (size_t i = 0; i < CONTROLS; i++) {
        const json_t *control = json_array_get(controls, i);
        assert_string_equal(text_of(control, "control"), names[i]);
        if (!json_is_true(json_object_get(control, "caught"))) {
            fail_msg("%s was not caught: %s", names[i], text_of(control, "detail"));
        }
    }
    assert_string_equal(text_of(json_array_get(controls, 6), "level"), "PTX executed");
}

static void expect_certificate(const Line *line, int variant, const char *trust)
{
    const char *path = arena_printf(line->arena, "%s/%s/certificates/%s.json", line->folder,
                                    line->family->name, line->family->variant[variant].id);
    json_t *certificate = json_load_file(path, 0, NULL);
    assert_non_null(certificate);
    expect_text(text_of(certificate, "trust"), trust);
    json_decref(certificate);
}

static void one_contract_on_three_targets(void **state)
{
    (void)state;
    Line line;
    line_open(&line, "c, cuda, metal", right_tree);
    line_build(&line, true);
    json_t *result = line_verify(&line);
    for (int v = C; v <= METAL; v++) {
        expect_kept(result, v);
    }
    expect_status(result, CUDA, "BUILD", "kept");
    expect_status(result, METAL, "BUILD", "not tried: Metal's compiler");
    assert_string_equal(text_of(variant_at(result, C), "trust"), "run on this CPU");
    expect_text(text_of(variant_at(result, CUDA), "trust"), "source emulated, PTX executed (clang ");
    assert_string_equal(text_of(variant_at(result, METAL), "trust"), "source emulated");
    expect_text(text_of(promise_of(result, CUDA, "THREADS"), "detail"), "every access watched: no race");
    expect_controls(result);
    assert_true(json_is_true(json_object_get(result, "ok")));
    expect_certificate(&line, CUDA, "PTX executed");
    expect_certificate(&line, METAL, "source emulated");
    json_decref(result);
    line_close(&line);
}

/* ---- kernels with one mistake ---- */

static json_t *verify_edited(Line *line, const char *target, TextEdit edit, bool watched)
{
    line_open(line, target, right_tree);
    line->family->controls = 0;
    edit_source(line, 0, edit);
    line_build(line, watched);
    json_t *result = line_verify(line);
    assert_false(json_is_true(json_object_get(result, "ok")));
    return result;
}

static void expect_failure(const char *target, TextEdit edit, const char *place, const char *part)
{
    Line line;
    json_t *result = verify_edited(&line, target, edit, false);
    const char *failure = text_of(variant_at(result, 0), "failure");
    expect_text(failure, place);
    expect_text(failure, part);
    json_decref(result);
    line_close(&line);
}

static void out_of_bounds_is_named(void **state)
{
    (void)state;
    expect_failure(
        "cuda", (TextEdit){"    const float at_x = x[i];\n", "    const float at_x = x[i + (1ull << 36)];\n"},
        "_f32.cu:", "outside every buffer");
}

static void divergent_barrier_is_named(void **state)
{
    (void)state;
    expect_failure("metal",
                   (TextEdit){"                part[i] = p;\n        }\n        threadgroup_barrier",
                              "                part[i] = p;\n        }\n        if (row->lane != 3)\n"
                              "        threadgroup_barrier"},
                   "_f32.metal:", "threadgroup_barrier");
}

static void wrong_lane_breaks_tree(void **state)
{
    (void)state;
    Line line;
    json_t *result = verify_edited(
        &line, "cuda",
        (TextEdit){"__shfl_xor_sync(0xffffffffu, acc0, 2)", "__shfl_xor_sync(0xffffffffu, acc0, 3)"}, false);
    expect_status(result, 0, "TREE", "broken");
    expect_text(text_of(promise_of(result, 0, "TREE"), "detail"), "a warp per row");
    json_decref(result);
    line_close(&line);
}

/* Every thread writes the same partial: no value shows it. */
static void race_that_no_value_shows(void **state)
{
    (void)state;
    Line line;
    json_t *result =
        verify_edited(&line, "cuda",
                      (TextEdit){"            if (row->lane == 0)\n                part[i] = p;\n",
                                 "            part[i] = p;\n"},
                      true);
    expect_status(result, 0, "TREE", "kept");
    expect_status(result, 0, "THREADS", "broken");
    expect_text(text_of(variant_at(result, 0), "failure"), "race: thread");
    json_decref(result);
    line_close(&line);
}

/* ---- modules ---- */

static void modules_are_made_when_texts_change(void **state)
{
    (void)state;
    Line line;
    line_open(&line, "cuda", right_tree);
    line.family->controls = 0;
    line_build(&line, false);
    assert_int_equal(line.built.compiled, 1);
    line_build(&line, false);
    assert_int_equal(line.built.compiled, 0);
    edit_source(&line, 0,
                (TextEdit){"    const float at_x = x[i];\n", "    const float at_x = x[i]; /* */\n"});
    line_build(&line, false);
    assert_int_equal(line.built.compiled, 1);
    edit_source(&line, 0,
                (TextEdit){"    const float at_x = x[i]; /* */\n", "    const float at_x = y[i];\n"});
    assert_true(
        build_run(line.arena, &line.diagnostics, line.family, line.folder, false, false, &line.built));
    expect_text(line.built.why[0], "_f32.cu:");
    expect_text(line.built.why[0], "'y'");
    expect_text(line.built.why[0], "rows/step.c"); /* the template that the line came from */
    expect_text(line.built.why[MODULE_PTX], "not asked for");
    const char *object = build_object_path(line.arena, line.family, &line.family->variant[0], line.folder, 0);
    assert_int_not_equal(access(object, F_OK), 0); /* no module of an older text is left */
    expect_text(module_noted_reason(line.arena, object), "'y'");
    line_close(&line);
}

static void edits_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *why = NULL;
    const TextEdit swap[] = {{"a", "b"}, {"b", "a"}};
    assert_string_equal(text_edit(arena, "a then b", swap, 2, &why), "b then a");
    assert_null(text_edit(arena, "b", swap, 2, &why));
    expect_text(why, "exactly one \"a\"");
    assert_null(text_edit(arena, "a b a", swap, 2, &why));
    expect_text(why, "exactly one \"a\"");
    arena_destroy(arena);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s SPECS TEMPLATES\n", argv[0]);
        return 2;
    }
    specs_folder = argv[1];
    setenv("SAMEBITS_TEMPLATES", argv[2], 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_contract_on_three_targets),
                                       cmocka_unit_test(out_of_bounds_is_named),
                                       cmocka_unit_test(divergent_barrier_is_named),
                                       cmocka_unit_test(wrong_lane_breaks_tree),
                                       cmocka_unit_test(race_that_no_value_shows),
                                       cmocka_unit_test(modules_are_made_when_texts_change),
                                       cmocka_unit_test(edits_that_do_not_fit_are_refused)};
    return cmocka_run_group_tests_name("gpu-line", tests, NULL, NULL);
}
