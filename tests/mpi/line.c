/* line.c: variants that ranks run, through the line: compiled by mpicc, verified against every promise beside
 * `c` and `avx2`, with the control that MPI_Allreduce is; kernels with one mistake each; and a machine
 * without MPI. */
#include "../driver/folder.h"

#include "driver/build.h"
#include "driver/kernel.h"
#include "emit/emit.h"
#include "mpi/model.h"
#include "plan/distribute.h"
#include "verify/cases.h"
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

static void skip_without_mpi(void)
{
    Arena *arena = arena_create();
    const char *why = kernel_why_not_here(arena, target_named("mpi"));
    const bool no_clang = system("${SAMEBITS_CLANG:-clang} --version >/dev/null 2>&1") != 0;
    if (why || no_clang) {
        printf("# skipped: %s\n", why ? why : "no clang here, so no kernel can be compiled");
    }
    arena_destroy(arena);
    if (why || no_clang) {
        skip();
    }
}

static void line_open(Line *line, const char *spec, const AxisOverride *override, int overrides)
{
    memset(line, 0, sizeof *line);
    line->arena = arena_create();
    diagnostics_init(&line->diagnostics, line->arena);
    line->folder = folder_create(line->arena);
    line->family = (Family *)family_read(line->arena, &line->diagnostics,
                                         arena_printf(line->arena, "%s/%s.lua", specs_folder, spec), override,
                                         overrides);
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
                                   (VerifyOptions){false, 200});
    fail_on_mistakes(line);
    assert_non_null(result);
    return result;
}

static void line_close(Line *line)
{
    folder_remove(line->folder);
    arena_destroy(line->arena);
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

static const json_t *control_named(const json_t *result, const char *name)
{
    size_t index;
    json_t *control;
    json_array_foreach(json_object_get(result, "controls"), index, control)
    {
        if (strcmp(text_of(control, "control"), name) == 0) {
            return control;
        }
    }
    return NULL;
}

/* ---- right kernels ---- */

enum { C, AVX2, MPI };
static const char *const promises[] = {"RUN", "BATCH", "THREADS", "LAYOUT", "BUILD", "TARGET", "TREE"};

static void same_bits_on_c_avx2_and_ranks(void **state)
{
    const AxisOverride override[] = {{"target", "c, avx2, mpi"}, {"tree", "chunk(64, lanes(8), pairwise)"}};
    Line line;
    (void)state;
    skip_without_mpi();
    line_open(&line, "sum", override, 2);
    line_build(&line, true);
    json_t *result = line_verify(&line);
    for (size_t p = 0; p < sizeof promises / sizeof *promises; p++) {
        expect_status(result, MPI, promises[p], "kept");
    }
    expect_status(result, MPI, "RANKS", "kept");
    expect_status(result, C, "RANKS", "not promised");
    expect_status(result, AVX2, "RANKS", "not promised");
    expect_text(text_of(promise_of(result, MPI, "RANKS"), "detail"), "as the model says");
    assert_in_range(json_integer_value(json_object_get(promise_of(result, MPI, "RANKS"), "cases")), 80,
                    10000);
    assert_string_equal(text_of(variant_at(result, C), "output_digest"),
                        text_of(variant_at(result, MPI), "output_digest"));
    expect_text(text_of(variant_at(result, MPI), "trust"), "ranks");
    assert_string_equal(text_of(control_named(result, "allreduce"), "on"), "RANKS");
    assert_true(json_is_true(json_object_get(control_named(result, "allreduce"), "caught")));
    assert_true(json_is_true(json_object_get(result, "ok")));
    json_decref(result);
    line_close(&line);
}

/* Parts so large that a case of many outputs is too much for the reference: fewer outputs are tried then. */
static void large_parts_are_told_apart(void **state)
{
    const AxisOverride override[] = {{"target", "mpi"}, {"tree", "chunk(1024, lanes(32), pairwise)"}};
    Line line;
    (void)state;
    skip_without_mpi();
    line_open(&line, "linear", override, 2);
    line.family->controls = 0;
    line_build(&line, false);
    json_t *result = line_verify(&line);
    expect_status(result, 0, "RANKS", "kept");
    json_decref(result);
    line_close(&line);
}

/* One exact change of a generated source, as in the controls. */
static void edit_source(Line *line, int variant, TextEdit edit)
{
    Buffer buffer = {0};
    const char *path = arena_printf(line->arena, "%s/%s/%s", line->folder, line->family->name,
                                    line->family->variant[variant].source);
    const char *why = buffer_read_file(&buffer, path, 1 << 20);
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

/* An odd last node that is not moved up, and messages that hold another number of values than they should. */
static void mistakes_are_caught(void **state)
{
    const AxisOverride override[] = {
        {"target", "mpi"}, {"tree", "chunk(64, lanes(8), pairwise)"}, {"exchange", "gather, tree"}};
    Line line;
    (void)state;
    skip_without_mpi();
    line_open(&line, "sum", override, 3);
    edit_source(&line, 0,
                (TextEdit){"next = node_risen((Node){next.x >> 1, next.y + 1}, parts);",
                           "next = (Node){next.x >> 1, next.y + 1};"});
    edit_source(&line, 1, (TextEdit){"    header.all = values;\n", "    header.all = values + 1;\n"});
    line.family->controls = 0;
    line_build(&line, false);
    json_t *result = line_verify(&line);
    expect_status(result, 0, "RANKS", "broken");
    expect_status(result, 1, "RANKS", "broken");
    expect_status(result, 1, "TREE", "kept");
    expect_text(text_of(promise_of(result, 1, "RANKS"), "detail"), "the model says");
    json_decref(result);
    line_close(&line);
}

static void no_control_without_ranks(void **state)
{
    const AxisOverride override[] = {{"target", "c"}, {"tree", "seq"}};
    Line line;
    (void)state;
    line_open(&line, "sum", override, 2);
    for (int c = 0; c < line.family->controls; c++) {
        assert_string_not_equal(line.family->control[c].control, "allreduce");
    }
    line_close(&line);
}

/* ---- without MPI ---- */

static void not_tried_without_mpirun(void **state)
{
    const AxisOverride override[] = {{"target", "c, mpi"}, {"tree", "chunk(64, lanes(8), pairwise)"}};
    Line line;
    (void)state;
    skip_without_mpi();
    line_open(&line, "sum", override, 2);
    line_build(&line, false);
    setenv("SAMEBITS_MPIRUN", "no-such-launcher", 1);
    json_t *result = line_verify(&line);
    unsetenv("SAMEBITS_MPIRUN");
    expect_status(result, 0, "RUN", "kept");
    expect_status(result, 1, "RUN", "not tried");
    expect_status(result, 1, "RANKS", "not tried");
    expect_text(text_of(promise_of(result, 1, "RANKS"), "status"), "no-such-launcher");
    assert_null(json_object_get(variant_at(result, 1), "failure"));
    expect_text(text_of(control_named(result, "allreduce"), "not_tried"), "no-such-launcher");
    assert_true(json_is_true(json_object_get(result, "ok")));
    json_decref(result);
    line_close(&line);
}

/* ---- counted is modelled ---- */

enum { CUTS = 12 };

static uint32_t random_below(uint32_t *state, uint32_t limit)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (uint32_t)((uint64_t)*state * limit >> 32);
}

static int compare_sizes(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static RankCut random_cut(const Distribution *spread, size_t size, int ranks, uint32_t *seed)
{
    const size_t part = distribution_part(spread, size), parts = distribution_parts(spread, size);
    RankCut cut = {.ranks = ranks};
    for (int r = 1; r < ranks; r++) {
        cut.first[r] = random_below(seed, (uint32_t)parts + 1);
    }
    cut.first[ranks] = parts;
    qsort(cut.first, (size_t)ranks + 1, sizeof *cut.first, compare_sizes);
    for (int r = 0; r <= ranks; r++) {
        cut.first[r] = cut.first[r] >= parts ? size : cut.first[r] * part;
    }
    return cut;
}

static void expect_counts(const Line *line, const Variant *variant, Ranked *ranked, const Shape *shape,
                          const RankCut *cut)
{
    const char *why = NULL;
    const Traffic *model = traffic_model(line->arena, variant, shape, cut, &why);
    const RankCounts *counts = ranked_counts(ranked);
    char text[200];
    if (!model) {
        fail_msg("%s has no model: %s", variant->id, why);
    }
    assert_int_equal(model->ranks, cut->ranks);
    assert_in_range(model->most_values_up, 0, model->bound_up);
    for (int r = 0; r < cut->ranks; r++) {
        const RankTraffic *said = &model->rank[r];
        if (counts[r].messages != said->messages || counts[r].values != said->values ||
            counts[r].bytes != said->bytes || counts[r].collectives != 0) {
            fail_msg("%s, rank %d of %s: %ld messages, %ld values, %ld bytes, %ld collectives; the model "
                     "says %ld, "
                     "%ld, %ld, 0",
                     variant->id, r, ranked_text(ranked, text, sizeof text), counts[r].messages,
                     counts[r].values, counts[r].bytes, counts[r].collectives, said->messages, said->values,
                     said->bytes);
        }
    }
}

/* Twice on each cut: the first call on some ranks makes a communicator. */
static void count_variant(Line *line, const Variant *variant, const Shape *shape, uint32_t *seed)
{
    const char *why = NULL;
    const char *object = build_object_path(line->arena, line->family, variant, line->folder, 0);
    const Distribution spread = plan_distribution(variant);
    Ranked *ranked = ranked_open(line->arena, object, variant, &why);
    if (!ranked) {
        fail_msg("%s: %s", variant->id, why);
    }
    ranked_set_threads(ranked, 1);
    for (int i = 0; i < CUTS; i++) {
        const RankCut cut = random_cut(&spread, shape->size[spread.dim], i == 0 ? 8 : 1 + i % 8, seed);
        const Case what = {*shape, INPUT_CANCEL, 5};
        Trial trial = trial_create(line->arena, variant, &what);
        memcpy(trial.call.output, trial.output, sizeof trial.output);
        ranked_set_cut(ranked, &cut);
        for (int again = 0; again < 2; again++) {
            if (!ranked_call(ranked, &trial.call)) {
                const char *failure = ranked_failure(ranked);
                ranked_close(ranked);
                fail_msg("%s: %s", variant->id, failure);
            }
        }
        expect_counts(line, variant, ranked, shape, &cut);
    }
    ranked_close(ranked);
}

static void count_spec(const char *spec, const char *trees, const char *accumulators, const char *overlaps,
                       size_t rows, size_t cols)
{
    const AxisOverride override[] = {{"target", "mpi"},
                                     {"tree", trees},
                                     {"accumulator", accumulators},
                                     {"exchange", "gather, scatter, tree"},
                                     {"overlap", overlaps}};
    Line line;
    uint32_t seed = (uint32_t)(rows + cols);
    skip_without_mpi();
    line_open(&line, spec, override, 5);
    line.family->controls = 0;
    line_build(&line, false);
    assert_in_range(line.family->variants, 3, 100);
    const Shape shape = {{rows, cols}};
    for (int v = 0; v < line.family->variants; v++) {
        count_variant(&line, &line.family->variant[v], &shape, &seed);
    }
    line_close(&line);
}

static void counts_of_a_sum(void **state)
{
    (void)state;
    count_spec("sum", "chunk(8, seq, pairwise), chunk(8, seq, seq), split(5, seq, halving)", "f32", "off", 3,
               301);
    count_spec("sum", "chunk(8, seq, pairwise)", "f64", "on", 3, 301);
}

static void counts_of_many_rows(void **state)
{
    (void)state;
    count_spec("sum", "chunk(4, seq, pairwise)", "f32", "off, on", 20000, 37);
}

static void counts_of_dependent_reductions(void **state)
{
    (void)state;
    count_spec("layernorm", "chunk(16, lanes(8), pairwise)", "f64", "off, on", 7, 1000);
}

static void counts_of_a_maximum_and_a_sum(void **state)
{
    (void)state;
    count_spec("softmax", "chunk(16, lanes(8), pairwise), chunk(16, lanes(8), halving)", "f32", "off", 7,
               1000);
}

static void counts_of_rows(void **state)
{
    (void)state;
    count_spec("sum", "seq", "f32", "off", 50, 30);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_on_c_avx2_and_ranks), cmocka_unit_test(large_parts_are_told_apart),
        cmocka_unit_test(mistakes_are_caught),           cmocka_unit_test(no_control_without_ranks),
        cmocka_unit_test(not_tried_without_mpirun),      cmocka_unit_test(counts_of_a_sum),
        cmocka_unit_test(counts_of_many_rows),           cmocka_unit_test(counts_of_dependent_reductions),
        cmocka_unit_test(counts_of_a_maximum_and_a_sum), cmocka_unit_test(counts_of_rows),
    };
    if (argc < 3) {
        fprintf(stderr, "usage: %s SPECS TEMPLATES\n", argv[0]);
        return 2;
    }
    specs_folder = argv[1];
    setenv("SAMEBITS_TEMPLATES", argv[2], 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
