/* test_report.c: the table in the terminal and the HTML file, on samples that hold every kind of outcome, on
 * hostile texts, and on missing parts. Numbers are compared with the samples; the HTML is parsed as XML by
 * Python (check_html.py), which shares nothing with its writer.
 *
 * Arguments: this folder, a folder to write to, python3 (or "": those tests are skipped). */
#include "report/facts.h"
#include "report/format.h"
#include "report/progress.h"
#include "report/report.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *source_folder, *scratch_folder, *python;

typedef struct Sample {
    json_t *manifest, *verify, *bench;
} Sample;

static json_t *load(const char *name, const char *part)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/samples/%s.%s.json", source_folder, name, part);
    return json_load_file(path, 0, NULL);
}

static Sample sample_load(const char *name)
{
    Sample sample = {load(name, "manifest"), load(name, "verify"), load(name, "bench")};
    assert_non_null(sample.manifest);
    return sample;
}

static void sample_free(Sample *sample)
{
    json_decref(sample->manifest);
    json_decref(sample->verify);
    json_decref(sample->bench);
}

static char *table_of(const Sample *sample, bool color)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    report_print_table(stream, sample->manifest, sample->verify, sample->bench, color);
    fclose(stream);
    return text;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is missing in:\n%s", part, text);
}

static void assert_silent(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("'%s' must not be in:\n%s", part, text);
}

/* ---- format ---- */

static void durations_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    static const struct {
        double nanoseconds;
        const char *text;
    } row[] = {
        {0, "0.00 ns"},       {812.4, "812 ns"}, {999.4, "999 ns"}, {999.6, "1.00 µs"}, {24123, "24.1 µs"},
        {1.734e6, "1.73 ms"}, {2.1e9, "2.10 s"}, {NAN, "–"},        {INFINITY, "–"},    {-1, "–"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_string_equal(format_duration(arena, row[i].nanoseconds), row[i].text);
    assert_string_equal(format_bytes(arena, 4194304), "4.19 MB");
    assert_string_equal(format_percent(arena, 0.94), "94 %");
    assert_string_equal(format_percent(arena, 0.004), "0.4 %");
    assert_string_equal(format_percent(arena, 0.0003), "0.03 %");
    assert_string_equal(format_percent(arena, 0), "0 %");
    assert_string_equal(format_tick_duration(arena, 10e3), "10 µs");
    assert_string_equal(format_tick_duration(arena, 0.5e6), "500 µs");
    assert_string_equal(format_tick_duration(arena, 3e9), "3 s");
    assert_string_equal(format_ratio(arena, 1.0444), "1.04×");
    assert_string_equal(format_small(arena, 0), "0");
    arena_destroy(arena);
}

static void columns_are_counted_as_a_terminal_does(void **state)
{
    (void)state;
    assert_int_equal(format_columns("abc"), 3);
    assert_int_equal(format_columns("✓–×µ"), 4);
    assert_int_equal(format_columns("標準"), 4);
    assert_int_equal(format_columns("e\xCC\x81"), 1); /* combining acute accent */
    assert_int_equal(format_columns("🚀"), 2);
    assert_int_equal(format_columns("\xE6\xA8"), 1); /* cut short: no read past the end */
}

static void text_cannot_steer_the_terminal(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    assert_string_equal(format_printable(arena, "a\033[31mb\r\n\a"), "a [31mb   ");
    assert_string_equal(format_printable(arena, "a\xC2\x9B"
                                                "2J"),
                        "a 2J"); /* C1: an 8-bit CSI */
    assert_string_equal(format_printable(arena, "a\xE2\x80\xAE"
                                                "b"),
                        "a b"); /* right-to-left override */
    arena_destroy(arena);
}

static void long_text_loses_its_middle(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    for (int columns = 3; columns < 40; columns++) {
        assert_true(format_columns(format_elided(arena, "chunk(1024, lanes(32), pairwise)", columns)) <=
                    columns);
        assert_true(format_columns(format_elided(arena, "標準標準標準標準標準標準標準標準標準標準標準",
                                                 columns)) <= columns);
    }
    assert_string_equal(format_elided(arena, "abcdefghij", 10), "abcdefghij");
    assert_string_equal(format_elided(arena, "abcdefghijk", 10), "abcdef…ijk");
    arena_destroy(arena);
}

/* ---- table ---- */

static void table_shows_what_the_files_say(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    char *text = table_of(&sample, false);
    assert_says(text, "chunk(1024, lanes(32), pairwise)");
    assert_says(text, "28.7 µs   1.05× UNRESOLVED");
    assert_says(text, "±0.4 %");
    assert_says(text, "343 µs    57.2 µs"); /* first call, settled */
    assert_says(text, "oneDNN, AVX2");
    assert_says(text, "fastmath entered twice");
    assert_says(text, "rmsnorm_c_pairwise_f32  broken: row 3 of 5 at offset 4: 3f8ccccd, was 3f8cccce");
    assert_says(text, "not tried: gcc is not installed (apt-get install gcc)");
    assert_says(text, "killed by SIGSEGV in LAYOUT");
    assert_says(text, "swapped pair  caught on TREE");
    assert_says(text, "target avx512: this machine's processor has no avx512f");
    assert_says(
        text,
        "8 variants: 46 promises kept, 1 broken, 1 vacuous, 8 not tried; 1 variant failed; 3 of 3 controls");
    assert_says(text, "not timed");
    assert_silent(text, "\033");
    free(text);
    text = table_of(&sample, true);
    assert_says(text, "\033[31m✗\033[0m");
    assert_says(text, "\033[32mFASTER\033[0m");
    free(text);
    sample_free(&sample);
}

static void table_of_clocks(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    json_t *shape = json_array_get(json_object_get(sample.bench, "shapes"), 0),
           *entry = json_array_get(json_object_get(shape, "entries"), 0);
    json_object_set_new(entry, "device",
                        json_pack("{s:i, s:i}", "clock_low_mhz", 1900, "clock_high_mhz", 1980));
    char *text = table_of(&sample, false);
    assert_silent(text, "clocks that fell"); /* within a twentieth */
    free(text);
    json_object_set_new(json_object_get(entry, "device"), "clock_low_mhz", json_integer(1200));
    text = table_of(&sample, false);
    assert_says(text, "clocks that fell");
    assert_says(text, "its clock went from 1980 to 1200 MHz: lock it, or cool it");
    free(text);
    sample_free(&sample);
}

static void table_of_ranks(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    char *text = table_of(&sample, false);
    assert_says(text, "exchange  ranks");
    assert_says(text, "27.4 µs   1.90×       1.04    2.0 %         2     256  1.28 kB");
    assert_says(text, "4 o  61.0 µs   0.85×");
    assert_says(text, "4 o        –       –          –        –         6     448  2.56 kB");
    assert_says(text,
                "not timed: rmsnorm_mpi_chunk1024_lanes32_pairwise_f32_tree, 4 ranks: rank 2 was killed by");
    assert_says(text, "Open MPI 4.1.4");
    assert_silent(text, "RNK"); /* no variant of this family has ranks */
    json_t *first = json_array_get(json_object_get(sample.manifest, "variants"), 0),
           *rows = json_object_get(json_object_get(sample.bench, "ranks"), "rows");
    assert_silent(text, "overlapped");
    json_object_set_new(json_array_get(rows, 0), "overlap", json_true());
    free(text);
    json_object_set_new(first, "target", json_string("mpi"));
    text = table_of(&sample, false);
    assert_says(text, "RUN BAT THR RNK LAY BLD TGT TRE");
    assert_says(text, "gather, overlapped");
    assert_says(text, "RNK any number of ranks, any cut");
    free(text);
    sample_free(&sample);
}

/* A control that could not be tried is no control that got through, and none that was caught. */
static void untried_control_is_said(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    json_array_append_new(json_object_get(sample.verify, "controls"),
                          json_pack("{s:s, s:[s], s:b, s:s, s:i, s:s}", "control", "allreduce", "expected",
                                    "RANKS", "caught", 0, "on", "", "cases", 0, "not_tried",
                                    "no mpirun in PATH"));
    char *text = table_of(&sample, false);
    assert_says(text, "? allreduce  not tried: no mpirun in PATH");
    assert_says(text, "3 of 3 controls");
    assert_silent(text, "NOT CAUGHT");
    free(text);
    sample_free(&sample);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

static void one_reason_of_many_variants_is_said_once(void **state)
{
    (void)state;
    Sample sample = sample_load("methods");
    json_t *variants = json_object_get(sample.verify, "variants");
    for (size_t i = 0; i < json_array_size(variants); i++) {
        json_t *target = json_object_get(json_object_get(json_array_get(variants, i), "promises"), "TARGET");
        if (strcmp(json_string_value(json_object_get(target, "status")), "kept") == 0)
            json_object_set_new(target, "status", json_string("not tried: nobody to compare with"));
    }
    json_t *last = json_object_get(json_array_get(variants, json_array_size(variants) - 1), "promises");
    json_object_set_new(json_object_get(last, "BUILD"), "status",
                        json_string("not tried: nobody to compare with"));
    char *text = table_of(&sample, false);
    assert_says(text,
                "TARGET  rmsnorm_methods_avx2_lanes_32_f32 and 4 more  not tried: nobody to compare with");
    assert_says(text, "BUILD  rmsnorm_methods_avx2_seq_f32  not tried: nobody to compare with");
    assert_int_equal(count_of(text, "nobody to compare with"), 2);
    free(text);
    sample_free(&sample);
}

/* The first line that holds `part`, and where in columns (not bytes) the last `mark` on it starts. */
static int column_of(const char *text, const char *part, const char *mark)
{
    const char *at = strstr(text, part);
    assert_non_null(at);
    while (at > text && at[-1] != '\n')
        at--;
    char line[1024];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    char *found = strstr(line, mark);
    assert_non_null(found);
    *found = '\0';
    return format_columns(line);
}

static void columns_line_up_under_wide_characters(void **state)
{
    (void)state;
    Sample sample = sample_load("hostile");
    char *text = table_of(&sample, false);
    int first = column_of(text, "</td><script>", "f32"), second = column_of(text, "標準", "f64");
    assert_int_equal(first, second);
    assert_int_equal(column_of(text, " acc   RUN", "acc"), first);
    free(text);
    sample_free(&sample);
}

static void hostile_text_stays_text(void **state)
{
    (void)state;
    Sample sample = sample_load("hostile");
    char *text = table_of(&sample, false);
    assert_silent(text, "\033");
    assert_silent(text, "\a");
    assert_silent(text, "\xC2\x9B");
    assert_says(text, "NOT CAUGHT: this verification shows nothing");
    assert_says(text, "0 of 1 controls caught");
    free(text);
    sample_free(&sample);
}

static void no_line_ends_in_blanks(void **state)
{
    (void)state;
    static const char *const name[] = {"batch", "hostile", "methods", "rmsnorm"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        Sample sample = sample_load(name[i]);
        char *text = table_of(&sample, false);
        assert_silent(text, " \n");
        free(text);
        sample_free(&sample);
    }
}

static void comparisons_are_shown_with_their_verdict(void **state)
{
    (void)state;
    Sample sample = sample_load("methods");
    char *text = table_of(&sample, false);
    assert_says(text, "18.2 µs    2.38e-07       4.80e-07  no");
    assert_says(text, "recommendation: standard (lanes(32)): the fastest of the deterministic methods");
    free(text);
    sample_free(&sample);
    sample = sample_load("batch");
    text = table_of(&sample, false);
    assert_says(text, "✗ 104 of 2048 rows");
    assert_says(text, "finding: chunk and split with a fixed number of parts are batch invariant");
    assert_says(text, "not verified: nothing here says that a promise is kept");
    free(text);
    sample_free(&sample);
}

static void missing_parts_are_said_not_invented(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    json_t *verify = sample.verify, *bench = sample.bench;
    sample.verify = NULL;
    char *text = table_of(&sample, false);
    assert_says(text, "not verified");
    assert_silent(text, "✓");
    free(text);
    sample.verify = verify;
    sample.bench = NULL;
    text = table_of(&sample, false);
    assert_silent(text, "fastmath");
    assert_says(text, "46 promises kept");
    free(text);
    sample.bench = bench;
    sample_free(&sample);
    sample = (Sample){0};
    text = table_of(&sample, false);
    assert_says(text, "no variants");
    free(text);
}

static void an_unknown_status_is_not_kept(void **state)
{
    (void)state;
    json_t *verified = json_pack("{s:{s:{s:s}, s:{s:s}, s:{s:s}}}", "promises", "RUN", "status", "kept",
                                 "BATCH", "status", "keptish", "TREE", "status", "not tried: no gcc");
    assert_int_equal(facts_promise(verified, "RUN"), PROMISE_KEPT);
    assert_int_equal(facts_promise(verified, "BATCH"), PROMISE_NOT_TRIED);
    assert_int_equal(facts_promise(verified, "THREADS"), PROMISE_NOT_TRIED);
    assert_int_equal(facts_promise(NULL, "RUN"), PROMISE_NOT_TRIED);
    assert_string_equal(facts_promise_reason(verified, "TREE"), "no gcc");
    json_decref(verified);
}

/* ---- HTML ---- */

/* Runs check_html.py on the page and its samples; the script prints what is wrong. */
static void check_page(const char *name, const Sample *sample, const char *mode)
{
    if (!*python) {
        print_message(
            "skipped: python3 is missing, which parses the page as XML (apt-get install python3)\n");
        skip();
    }
    char page[4096], script[4096], samples[4096];
    snprintf(page, sizeof page, "%s/%s-%s.html", scratch_folder, name, mode);
    snprintf(script, sizeof script, "%s/check_html.py", source_folder);
    snprintf(samples, sizeof samples, "%s/samples/%s", source_folder, name);
    assert_null(report_write_html(page, sample->manifest, sample->verify, sample->bench));
    pid_t child = fork();
    if (child == 0) {
        execl(python, python, script, page, samples, mode, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_sample(const char *name)
{
    Sample sample = sample_load(name);
    check_page(name, &sample, "all");
    sample_free(&sample);
}

static void page_of_rmsnorm(void **state)
{
    (void)state;
    check_sample("rmsnorm");
}

static void page_of_methods(void **state)
{
    (void)state;
    check_sample("methods");
}

static void page_of_batch(void **state)
{
    (void)state;
    check_sample("batch");
}

static void page_of_hostile_texts(void **state)
{
    (void)state;
    check_sample("hostile");
}

static void page_without_verify(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm"), part = {sample.manifest, NULL, sample.bench};
    check_page("rmsnorm", &part, "no-verify");
    sample_free(&sample);
}

static void page_without_bench(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm"), part = {sample.manifest, sample.verify, NULL};
    check_page("rmsnorm", &part, "no-bench");
    sample_free(&sample);
}

static void page_of_one_variant(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    json_t *variants = json_object_get(sample.manifest, "variants");
    while (json_array_size(variants) > 1)
        json_array_remove(variants, 1);
    check_page("rmsnorm", &sample, "one");
    sample_free(&sample);
}

static void page_of_nothing(void **state)
{
    (void)state;
    Sample sample = {0};
    check_page("rmsnorm", &sample, "nothing");
}

static void page_of_many_variants(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    json_t *variants = json_object_get(sample.manifest, "variants");
    json_t *verified = json_object_get(sample.verify, "variants");
    json_t *entries = json_object_get(json_array_get(json_object_get(sample.bench, "shapes"), 0), "entries");
    for (int i = 0; i < 60; i++) { /* a crowd with nearly one time and one error */
        json_t *variant = json_deep_copy(json_array_get(variants, 5)),
               *check = json_deep_copy(json_array_get(verified, 5));
        json_t *id = json_sprintf("crowd_%d", i);
        json_object_set(variant, "id", id);
        json_object_set(check, "id", id);
        json_object_set_new(json_object_get(check, "error"), "max_ulps", json_real(1.2 + 0.001 * i));
        json_array_append_new(variants, variant);
        json_array_append_new(verified, check);
        json_array_append_new(entries, json_pack("{s:O, s:s, s:s, s:f}", "id", id, "kind", "variant", "label",
                                                 "", "median_ns", 28700.0 + i));
        json_decref(id);
    }
    check_page("rmsnorm", &sample, "crowd");
    sample_free(&sample);
}

static void a_page_that_cannot_be_written_says_why(void **state)
{
    (void)state;
    Sample sample = sample_load("rmsnorm");
    assert_non_null(report_write_html("/dev/null/report.html", sample.manifest, NULL, NULL));
    sample_free(&sample);
}

/* ---- progress ---- */

static void progress_is_silent_without_a_terminal(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    Progress progress;
    progress_start(&progress, "verify", 3, true);
    for (int i = 0; i < 3; i++)
        progress_step(&progress, "one");
    progress_end(&progress);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(lseek(fileno(file), 0, SEEK_END), 0);
    assert_int_equal(progress.done, 3);
    fclose(file);
}

int main(int count, char **argument)
{
    if (count < 4) {
        fprintf(stderr, "usage: test-report SOURCE-FOLDER SCRATCH-FOLDER PYTHON\n");
        return 2;
    }
    source_folder = argument[1];
    scratch_folder = argument[2];
    python = argument[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_three_digits_and_a_unit),
        cmocka_unit_test(columns_are_counted_as_a_terminal_does),
        cmocka_unit_test(text_cannot_steer_the_terminal),
        cmocka_unit_test(long_text_loses_its_middle),
        cmocka_unit_test(table_shows_what_the_files_say),
        cmocka_unit_test(table_of_clocks),
        cmocka_unit_test(table_of_ranks),
        cmocka_unit_test(untried_control_is_said),
        cmocka_unit_test(one_reason_of_many_variants_is_said_once),
        cmocka_unit_test(columns_line_up_under_wide_characters),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(no_line_ends_in_blanks),
        cmocka_unit_test(comparisons_are_shown_with_their_verdict),
        cmocka_unit_test(missing_parts_are_said_not_invented),
        cmocka_unit_test(an_unknown_status_is_not_kept),
        cmocka_unit_test(page_of_rmsnorm),
        cmocka_unit_test(page_of_methods),
        cmocka_unit_test(page_of_batch),
        cmocka_unit_test(page_of_hostile_texts),
        cmocka_unit_test(page_without_verify),
        cmocka_unit_test(page_without_bench),
        cmocka_unit_test(page_of_one_variant),
        cmocka_unit_test(page_of_nothing),
        cmocka_unit_test(page_of_many_variants),
        cmocka_unit_test(a_page_that_cannot_be_written_says_why),
        cmocka_unit_test(progress_is_silent_without_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
