/* spec.c: specs: what they mean, and what is said about mistakes.
 *
 * Cases lie in text files, input and expected output together:
 *   === what the case shows
 *   the spec, read as case.lua          (language.txt, mistakes.txt)
 *   specs/<name>.lua                    (shipped.txt)
 *   -a axis=values, one per line        (overrides.txt, on a spec of one tree)
 *   ---
 *   the family, or every message
 * `test-spec FILES... SPECS --write` prints the files as they would be now. */
#include "lua/spec.h"
#include "family/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILE_LIMIT = 1 << 20, OVERRIDES = 8 };

typedef enum PathIndex { LANGUAGE, MISTAKES, OVERRIDE_CASES, SHIPPED, DOCUMENT, SPECS, PATHS } PathIndex;
static const char *path[PATHS];

/* ---- writing a family as text ---- */

static void write_variant(Buffer *out, const Variant *v)
{
    buffer_printf(out, "variant %s", v->id);
    if (v->label) {
        buffer_printf(out, " \"%s\"", v->label);
    }
    if (v->schedule.unroll != 4 || v->schedule.stream_bytes != 33554432) {
        buffer_printf(out, " unroll %d stream %zu", v->schedule.unroll, v->schedule.stream_bytes);
    }
    buffer_append_string(out, "\n");
}

static void write_bench(Buffer *out, const Family *family)
{
    static const char *const compare[] = {"none", "methods", "batch"};
    const BenchPlan *bench = &family->bench;
    buffer_printf(out, "bench %s compare %s", bench->data, compare[bench->compare]);
    for (int b = 0; b < bench->batches; b++) {
        buffer_printf(out, " %d", bench->batch[b]);
    }
    for (int s = 0; s < bench->shapes; s++) {
        for (int d = 0; d < family->op->dims; d++) {
            buffer_printf(out, "%s%s=%zu", d ? " " : "; ", family->op->dim[d], bench->shape[s].size[d]);
        }
    }
    buffer_append_string(out, "\n");
}

static void write_family(Buffer *out, const Family *family)
{
    for (int i = 0; i < family->variants; i++) {
        write_variant(out, &family->variant[i]);
    }
    for (int i = 0; i < family->skips; i++) {
        buffer_printf(out, "skipped %s: %s\n", family->skip[i].what, family->skip[i].why);
    }
    write_bench(out, family);
    if (family->variants > 0) {
        buffer_append_string(out, family->variant[0].contract);
        buffer_printf(out, "digest %s\n", family->variant[0].digest);
    }
}

/* Reads a spec and says what came of it: the family, or the messages. */
static void write_outcome(Buffer *out, const char *spec, const AxisOverride *overrides, int count)
{
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Family *family = family_read(arena, &diagnostics, spec, overrides, count);
    if (family) {
        write_family(out, family);
    }
    for (int i = 0; i < diagnostics.count && i < DIAGNOSTICS_LIMIT; i++) {
        buffer_printf(out, "%s\n", diagnostics.message[i]);
    }
    arena_destroy(arena);
}

static void write_file(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- case files ---- */

typedef void Produce(Buffer *out, char *input);

static void produce_from_text(Buffer *out, char *input)
{
    write_file("case.lua", input, strlen(input));
    write_outcome(out, "case.lua", NULL, 0);
}

static void produce_from_shipped(Buffer *out, char *input)
{
    char name[256];
    input[strcspn(input, "\n")] = '\0';
    snprintf(name, sizeof name, "%.200s", input);
    assert_int_equal(symlink(path[SPECS], "specs") == 0 || access("specs", R_OK) == 0, 1);
    write_outcome(out, name, NULL, 0);
}

static void produce_from_overrides(Buffer *out, char *input)
{
    static const char spec[] = "local rows, cols = dim 'rows', dim 'cols'\n"
                               "return kernel 'sum' { output = { y = sum(cols, input('x', rows, cols)) }, "
                               "tree = { named('first', seq) }, target = { 'c', 'avx512' } }\n";
    AxisOverride overrides[OVERRIDES];
    int count = 0;
    for (char *line = strtok(input, "\n"); line; line = strtok(NULL, "\n")) {
        char *equals = strchr(line, '=');
        assert_non_null(equals);
        *equals = '\0';
        assert_true(count < OVERRIDES && strncmp(line, "-a ", 3) == 0);
        overrides[count++] = (AxisOverride){line + 3, equals + 1};
    }
    write_file("case.lua", spec, sizeof spec - 1);
    write_outcome(out, "case.lua", overrides, count);
}

static const struct {
    PathIndex path;
    Produce *produce;
} case_files[] = {{LANGUAGE, produce_from_text},
                  {MISTAKES, produce_from_text},
                  {OVERRIDE_CASES, produce_from_overrides},
                  {SHIPPED, produce_from_shipped}};

/* The file's text with each expected part as it is now; *cases counts them. */
static void run_cases(Buffer *now, const char *text, Produce *produce, int *cases)
{
    const char *at = strstr(text, "=== ");
    buffer_append(now, text, at ? (size_t)(at - text) : 0);
    for (; at; (*cases)++) {
        const char *input = strchr(at, '\n') + 1, *end = strstr(input, "---\n");
        assert_non_null(end);
        const char *next = strstr(end, "\n=== ");
        buffer_append(now, at, (size_t)(end - at));
        buffer_append_string(now, "---\n");
        char *copy = strndup(input, (size_t)(end - input));
        produce(now, copy);
        free(copy);
        at = next ? next + 1 : NULL;
    }
}

static void read_text(Buffer *text, const char *file)
{
    const char *why = buffer_read_file(text, file, FILE_LIMIT);
    if (why) {
        fail_msg("%s: %s", file, why);
    }
}

/* Compares line by line, so that a failure names the line and not two pages. An expected line that ends in
 * "..." stands for every line that begins like it: for texts that other parts own. */
static void assert_same_text(const char *file, const char *expected, const char *now)
{
    for (int line = 1; *expected || *now; line++) {
        size_t a = strcspn(expected, "\n"), b = strcspn(now, "\n");
        bool open = a > 3 && memcmp(expected + a - 3, "...", 3) == 0 && b >= a - 3;
        if ((a != b && !open) || memcmp(expected, now, open ? a - 3 : a) != 0) {
            fail_msg("%s:%d:\n  expected %.*s\n  now      %.*s", file, line, (int)a, expected, (int)b, now);
        }
        expected += a + (expected[a] != '\0');
        now += b + (now[b] != '\0');
    }
}

static void check_case_file(int which, int at_least)
{
    Buffer text = {0}, now = {0};
    int cases = 0;
    read_text(&text, path[case_files[which].path]);
    run_cases(&now, buffer_string(&text), case_files[which].produce, &cases);
    assert_same_text(path[case_files[which].path], buffer_string(&text), buffer_string(&now));
    assert_true(cases >= at_least); /* an empty file must not pass */
    buffer_destroy(&text);
    buffer_destroy(&now);
}

static void the_language_means_what_it_says(void **state)
{
    (void)state;
    check_case_file(0, 10);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    check_case_file(1, 50);
}

static void axes_can_be_overridden(void **state)
{
    (void)state;
    check_case_file(2, 10);
}

static void shipped_specs_keep_their_contracts(void **state)
{
    (void)state;
    check_case_file(3, 12);
}

/* ---- from the tables ---- */

static const Spec *read_spec(Arena *arena, const char *text)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    write_file("case.lua", text, strlen(text));
    const Spec *spec = spec_read(arena, &diagnostics, "case.lua");
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(spec);
    return spec;
}

/* Every function row is a function of the language under its name, and gives its own node. */
static void every_row_has_a_constructor(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    static const char *const arguments[] = {"", "x", "x, x", "x, x, x"};
    for (int i = 0; i < OP_CODES; i++) {
        const OpRow *row = &op_rows[i];
        const char *value = row->symbol && row->arity == 1 ? arena_printf(arena, "%sx", row->symbol)
                            : row->symbol                  ? arena_printf(arena, "x %s x", row->symbol)
                                          : arena_printf(arena, "%s(%s)", row->name, arguments[row->arity]);
        const Spec *spec = read_spec(arena, arena_printf(arena,
                                                         "local x = input('x', dim 'n')\n"
                                                         "return kernel 'k' { output = { y = %s } }",
                                                         value));
        assert_int_equal(spec->op->output[0].value->kind, EXPR_OP);
        assert_int_equal(spec->op->output[0].value->op, row->op);
    }
    for (int i = 0; i < REDUCE_KINDS; i++) {
        const Spec *spec =
            read_spec(arena, arena_printf(arena,
                                          "local n = dim 'n'\n"
                                          "return kernel 'k' { output = { y = %s(n, input('x', n)) } }",
                                          reduce_rows[i].name));
        assert_int_equal(spec->op->output[0].value->reduce, reduce_rows[i].kind);
    }
    arena_destroy(arena);
}

/* docs/spec-language.md holds the tables of functions, reductions and targets row for row. */
static void the_document_holds_every_row(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Buffer text = {0};
    read_text(&text, path[DOCUMENT]);
    const char *line[OP_CODES + REDUCE_KINDS + 8];
    int lines = 0;
    for (int i = 0; i < OP_CODES; i++) {
        const char *name = op_rows[i].symbol ? op_rows[i].symbol : op_rows[i].name;
        line[lines++] =
            arena_printf(arena, "\n| `%s` | %d | %s |\n", name, op_rows[i].arity, op_rows[i].meaning);
    }
    for (int i = 0; i < REDUCE_KINDS; i++) {
        line[lines++] = arena_printf(arena, "\n| `%s(dim, value)` | %s | %s |\n", reduce_rows[i].name,
                                     reduce_rows[i].start, reduce_rows[i].meaning);
    }
    for (int i = 0; i < target_count; i++) {
        line[lines++] = arena_printf(arena, "\n| `%s` | %s |\n", target_rows[i].name, target_rows[i].meaning);
    }
    for (int i = 0; i < lines; i++) {
        if (!strstr(buffer_string(&text), line[i])) {
            fail_msg("%s lacks the row%s", path[DOCUMENT], line[i]);
        }
    }
    buffer_destroy(&text);
    arena_destroy(arena);
}

static void targets_are_alphabetical_and_found(void **state)
{
    (void)state;
    for (int i = 0; i < target_count; i++) {
        assert_ptr_equal(target_named(target_rows[i].name), &target_rows[i]);
        assert_true(i == 0 || strcmp(target_rows[i - 1].name, target_rows[i].name) < 0);
        assert_null(target_planned(target_rows[i].name));
    }
    assert_null(target_why_not_here(target_named("c")));
    assert_null(target_named("avx512"));
}

/* ---- whole families ---- */

static void write_1000_variants(void)
{
    static const char spec[] =
        "local rows, cols = dim 'rows', dim 'cols'\n"
        "local x, w = input('x', rows, cols), input('w', cols)\n"
        "local sizes = {}\n"
        "for i = 1, 250 do sizes[i] = 16 * i end\n"
        "return kernel 'k' { output = { y = x * sum(cols, x * w), z = max(cols, x) },\n"
        "  tree = chunk(sizes, lanes(32), { seq, pairwise }) }\n";
    write_file("case.lua", spec, sizeof spec - 1);
}

static void a_thousand_variants_are_read_fast_and_alike(void **state)
{
    (void)state;
    Buffer first = {0}, second = {0};
    write_1000_variants();
    clock_t start = clock();
    write_outcome(&first, "case.lua", NULL, 0);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    write_outcome(&second, "case.lua", NULL, 0);
    assert_string_equal(buffer_string(&first), buffer_string(&second));
    int variants = 0;
    for (const char *at = buffer_string(&first); (at = strstr(at, "variant ")); at++) {
        variants++;
    }
    assert_int_equal(variants, 1000);
    assert_true(seconds < 0.5);
    buffer_destroy(&first);
    buffer_destroy(&second);
}

static void ids_are_unique_and_fit_file_names(void **state)
{
    (void)state;
    static const char spec[] =
        "local n = dim 'n'\n"
        "local deep = seq\n"
        "for i = 1, 3 do deep = chunk(1000 + i, deep, lanes(8, pairwise, deep)) end\n"
        "return kernel 'k' { output = { y = sum(n, input('x', n)) }, tree = {\n"
        "  chunk(4, lanes(8), lanes(4, seq, seq)), chunk(4, lanes(8, lanes(4), seq), seq),\n"
        "  split(12, seq, seq), chunk(12, seq, seq), deep, chunk(2, deep, seq) } }\n";
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    write_file("case.lua", spec, sizeof spec - 1);
    const Family *family = family_read(arena, &diagnostics, "case.lua", NULL, 0);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(family);
    assert_int_equal(family->variants, 12);
    assert_int_equal(family->skips, 0);
    for (int i = 0; i < family->variants; i++) {
        assert_true(strlen(family->variant[i].source) < 200); /* NAME_MAX is 255 */
        assert_int_equal(strspn(family->variant[i].id, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(family->variant[i].id));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(family->variant[i].id, family->variant[j].id);
        }
    }
    arena_destroy(arena);
}

static void one_contract_has_one_digest_on_every_target(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    write_1000_variants();
    const Family *family = family_read(arena, &diagnostics, "case.lua", NULL, 0);
    assert_non_null(family);
    for (int i = 0; i < family->variants; i += 2) {
        assert_string_equal(family->variant[i].target->name, "c"); /* target varies fastest */
        assert_string_equal(family->variant[i + 1].target->name, "avx2");
        assert_string_equal(family->variant[i].digest, family->variant[i + 1].digest);
        assert_true(i == 0 || strcmp(family->variant[i].digest, family->variant[i - 1].digest) != 0);
    }
    arena_destroy(arena);
}

/* ---- controls ---- */

static void every_family_has_its_negative_controls(void **state)
{
    (void)state;
    static const struct {
        const char *spec_tree, *swapped;
    } cases[] = {{"pairwise", "pairwise"}, {"split(auto, seq, seq)", "chunk(64, lanes(8), pairwise)"}};
    Arena *arena = arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Diagnostics diagnostics;
        diagnostics_init(&diagnostics, arena);
        const char *spec =
            arena_printf(arena,
                         "local n = dim 'n'\nreturn kernel 'k' { output = { y = max(n, input('x', n)) }, "
                         "tree = %s, target = 'avx2' }",
                         cases[i].spec_tree);
        write_file("case.lua", spec, strlen(spec));
        const Family *family = family_read(arena, &diagnostics, "case.lua", NULL, 0);
        assert_non_null(family);
        const char *const expected[3][3] = {
            {"control_completion", "completion", "chunk(16, seq, completion)"},
            {"control_split_auto", "split(auto)", "split(auto, seq, seq)"},
            {"control_swapped_pair", "swapped pair", cases[i].swapped}};
        assert_int_equal(family->controls, 3);
        for (int c = 0; c < 3; c++) {
            const Variant *control = &family->control[c];
            assert_string_equal(control->id, expected[c][0]);
            assert_string_equal(control->control, expected[c][1]);
            assert_string_equal(term_short_text(arena, control->tree), expected[c][2]);
            assert_string_equal(control->op->name, "sum");
            assert_int_equal(control->op->dims, 2);
            assert_string_equal(control->target->name, "avx2");
            assert_string_equal(control->source, arena_printf(arena, "%s.c", expected[c][0]));
            assert_string_equal(control->symbol, arena_printf(arena, "samebits_%s", expected[c][0]));
            assert_string_equal(control->digest, contract_digest(arena, control->contract));
        }
    }
    arena_destroy(arena);
}

/* ---- files that are no specs ---- */

static void assert_refused(const char *file, const char *expected)
{
    Buffer out = {0};
    write_outcome(&out, file, NULL, 0);
    assert_string_equal(buffer_string(&out), expected);
    buffer_destroy(&out);
}

static void files_that_are_no_specs_are_refused(void **state)
{
    (void)state;
    assert_refused("missing.lua",
                   "missing.lua: error: the spec cannot be read: No such file or directory; a spec is a "
                   "Lua text file of at most 1 MiB\n");
    assert_refused(
        ".", ".: error: the file name '.' cannot name a folder below out/; use letters, digits, _ - and . "
             "(100 at most)\n");
    assert_refused("folder",
                   "folder: error: the spec cannot be read: it is a directory, not a file; a spec is a Lua "
                   "text file of at most 1 MiB\n");
    write_file("huge.lua", "", 0);
    assert_int_equal(truncate("huge.lua", 100 << 20), 0);
    assert_refused("huge.lua",
                   "huge.lua: error: the spec cannot be read: the file is too large; a spec is a Lua text "
                   "file of at most 1 MiB\n");
    write_file("code.lua", "\033Lua\x54\0\x19\x93", 8);
    assert_refused("code.lua",
                   "code.lua: error: this is Lua bytecode; only source text is read, give the .lua source\n");
    write_file("my spec.lua", "", 0);
    assert_refused("my spec.lua",
                   "my spec.lua: error: the file name 'my spec.lua' cannot name a folder below out/; use "
                   "letters, digits, _ - and . (100 at most)\n");
    write_file("nul.lua", "return \0 kernel", 15);
    Buffer out = {0};
    write_outcome(&out, "nul.lua", NULL, 0);
    assert_non_null(strstr(buffer_string(&out), "nul.lua:1: error: "));
    buffer_destroy(&out);
}

/* A mistake in one spec is not held against the next one read with the same diagnostics. */
static void specs_do_not_disturb_each_other(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    write_file("bad.lua", "return 5", 8);
    write_1000_variants();
    assert_null(family_read(arena, &diagnostics, "bad.lua", NULL, 0));
    assert_non_null(family_read(arena, &diagnostics, "case.lua", NULL, 0));
    assert_int_equal(diagnostics.count, 1);
    arena_destroy(arena);
}

/* ---- running ---- */

static int enter_folder(void **state)
{
    (void)state;
    char folder[] = "samebits-test-XXXXXX";
    for (int i = 0; i < PATHS; i++) {
        path[i] = realpath(path[i], NULL);
        if (!path[i]) {
            return 1;
        }
    }
    return !mkdtemp(folder) || chdir(folder) != 0 || mkdir("folder", 0777) != 0;
}

static int leave_folder(void **state)
{
    (void)state;
    char *folder = getcwd(NULL, 0);
    static const char *const made[] = {"bad.lua",     "case.lua", "code.lua", "huge.lua",
                                       "my spec.lua", "nul.lua",  "specs"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        unlink(made[i]);
    }
    rmdir("folder");
    int failed = !folder || chdir("..") != 0 || rmdir(folder);
    free(folder);
    for (int i = 0; i < PATHS; i++) {
        free((char *)path[i]);
    }
    return failed;
}

static int write_case_files(void)
{
    void *state = NULL;
    if (enter_folder(&state)) {
        return 1;
    }
    for (size_t i = 0; i < sizeof case_files / sizeof *case_files; i++) {
        Buffer text = {0}, now = {0};
        int cases = 0;
        read_text(&text, path[case_files[i].path]);
        run_cases(&now, buffer_string(&text), case_files[i].produce, &cases);
        printf("##### %s\n%s", path[case_files[i].path], buffer_string(&now));
        buffer_destroy(&text);
        buffer_destroy(&now);
    }
    return leave_folder(&state);
}

int main(int argc, char **argv)
{
    if (argc < PATHS + 1) {
        fprintf(
            stderr,
            "usage: test-spec language.txt mistakes.txt overrides.txt shipped.txt spec-language.md SPECS\n");
        return 2;
    }
    memcpy(path, argv + 1, sizeof path);
    if (argc > PATHS + 1 && strcmp(argv[PATHS + 1], "--write") == 0) {
        return write_case_files();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_language_means_what_it_says),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(axes_can_be_overridden),
        cmocka_unit_test(shipped_specs_keep_their_contracts),
        cmocka_unit_test(every_row_has_a_constructor),
        cmocka_unit_test(the_document_holds_every_row),
        cmocka_unit_test(targets_are_alphabetical_and_found),
        cmocka_unit_test(a_thousand_variants_are_read_fast_and_alike),
        cmocka_unit_test(ids_are_unique_and_fit_file_names),
        cmocka_unit_test(one_contract_has_one_digest_on_every_target),
        cmocka_unit_test(every_family_has_its_negative_controls),
        cmocka_unit_test(files_that_are_no_specs_are_refused),
        cmocka_unit_test(specs_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
