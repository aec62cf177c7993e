/* emit.c: what generated files promise as files: the same bytes each time, touched only when they change,
 * standing alone. */
#include "emit/emit.h"
#include "platform/platform.h"

#include "driver/child.h"

#include "../driver/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <regex.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

enum { FILES_MOST = 4096, FILE_LIMIT = 1 << 22, PATH_SIZE = 4096 };

static const char *specs_folder;

typedef struct Fixture {
    Arena *arena;
    Diagnostics diagnostics;
    const char *folder;   /* relative */
    const char *absolute; /* the same */
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    char here[PATH_SIZE];
    assert_non_null(fixture);
    fixture->arena = arena_create();
    diagnostics_init(&fixture->diagnostics, fixture->arena);
    fixture->folder = folder_create(fixture->arena);
    assert_non_null(getcwd(here, sizeof here));
    fixture->absolute = arena_printf(fixture->arena, "%s/%s", here, fixture->folder);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

/* ---- families ---- */

/* The folder with the family's files. */
static const char *emit(Fixture *fixture, const char *spec, const char *out, const AxisOverride *overrides,
                        int count, Family *family)
{
    const Family *read = family_read(fixture->arena, &fixture->diagnostics, spec, overrides, count);
    diagnostics_print(&fixture->diagnostics, stderr);
    assert_non_null(read);
    *family = *read;
    const bool done = emit_family(fixture->arena, &fixture->diagnostics, family, out);
    diagnostics_print(&fixture->diagnostics, stderr);
    assert_true(done);
    return arena_printf(fixture->arena, "%s/%s", out, family->name);
}

static const char *shipped(Fixture *fixture, const char *name)
{
    return arena_printf(fixture->arena, "%s/%s.lua", specs_folder, name);
}

static const char *text_of(Fixture *fixture, const char *path)
{
    Buffer buffer = {0};
    const char *why = buffer_read_file(&buffer, path, FILE_LIMIT);
    if (why) {
        fail_msg("%s: %s", path, why);
    }
    const char *text = arena_copy(fixture->arena, buffer_string(&buffer));
    buffer_destroy(&buffer);
    return text;
}

/* ---- lists of files ---- */

typedef struct Listing {
    const char *name[FILES_MOST];
    ino_t node[FILES_MOST];
    int64_t changed[FILES_MOST];
    int count;
} Listing;

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_files(Fixture *fixture, const char *folder, Listing *list)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    list->count = 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        struct stat about;
        assert_int_equal(stat(arena_printf(fixture->arena, "%s/%s", folder, entry->d_name), &about), 0);
        if (S_ISREG(about.st_mode)) {
            assert_true(list->count < FILES_MOST);
            list->name[list->count++] = arena_copy(fixture->arena, entry->d_name);
        }
    }
    closedir(directory);
    qsort(list->name, (size_t)list->count, sizeof list->name[0], by_name);
    for (int i = 0; i < list->count; i++) {
        const char *path = arena_printf(fixture->arena, "%s/%s", folder, list->name[i]);
        struct stat about;
        assert_int_equal(stat(path, &about), 0);
        list->node[i] = about.st_ino;
        list->changed[i] = platform_changed_at(path);
    }
}

static Listing *listing_of(Fixture *fixture, const char *folder)
{
    Listing *list = ARENA_NEW(fixture->arena, Listing);
    list_files(fixture, folder, list);
    assert_true(list->count > 0);
    return list;
}

/* ---- the same bytes ---- */

/* In another folder, by a path of another form. */
static void the_same_spec_gives_the_same_bytes(void **state)
{
    Fixture *fixture = *state;
    static const char *const names[] = {"rmsnorm", "softmax", "rmsnorm_methods", "linear"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        Family first, second;
        const char *one = arena_printf(fixture->arena, "%s/one", fixture->absolute);
        const char *other = arena_printf(fixture->arena, "%s/a longer name", fixture->folder);
        const char *a = emit(fixture, shipped(fixture, names[n]), one, NULL, 0, &first);
        const char *b = emit(fixture, shipped(fixture, names[n]), other, NULL, 0, &second);
        const Listing *in_a = listing_of(fixture, a), *in_b = listing_of(fixture, b);
        assert_int_equal(in_a->count, in_b->count);
        assert_true(in_a->count > first.variants);
        for (int i = 0; i < in_a->count; i++) {
            assert_string_equal(in_a->name[i], in_b->name[i]);
            assert_string_equal(text_of(fixture, arena_printf(fixture->arena, "%s/%s", a, in_a->name[i])),
                                text_of(fixture, arena_printf(fixture->arena, "%s/%s", b, in_b->name[i])));
        }
    }
}

static bool is_untouched(const Listing *before, const Listing *after, int i)
{
    return before->node[i] == after->node[i] && before->changed[i] == after->changed[i];
}

/* A rename gives a file another inode, so a file that was written again shows even within one tick of the
 * clock. */
static void unchanged_files_are_not_touched(void **state)
{
    Fixture *fixture = *state;
    Family family;
    const char *spec = shipped(fixture, "rmsnorm");
    const char *folder = emit(fixture, spec, fixture->folder, NULL, 0, &family);
    const Listing *before = listing_of(fixture, folder);
    emit(fixture, spec, fixture->folder, NULL, 0, &family);
    const Listing *after = listing_of(fixture, folder);
    assert_int_equal(before->count, after->count);
    for (int i = 0; i < before->count; i++) {
        if (!is_untouched(before, after, i)) {
            fail_msg("%s was written again although nothing changed", before->name[i]);
        }
    }
}

/* One file that someone damaged is made whole; its neighbours stay. */
static void only_what_changed_is_written(void **state)
{
    Fixture *fixture = *state;
    Family family;
    const char *spec = shipped(fixture, "rmsnorm");
    const char *folder = emit(fixture, spec, fixture->folder, NULL, 0, &family);
    const char *victim = arena_printf(fixture->arena, "%s/%s", folder, family.variant[1].source);
    const char *text = text_of(fixture, victim);
    folder_write(fixture->arena, folder, family.variant[1].source, "damaged\n");
    const Listing *before = listing_of(fixture, folder);
    emit(fixture, spec, fixture->folder, NULL, 0, &family);
    const Listing *after = listing_of(fixture, folder);
    int written = 0;
    for (int i = 0; i < before->count; i++) {
        written += !is_untouched(before, after, i);
    }
    assert_int_equal(written, 1);
    assert_string_equal(text_of(fixture, victim), text);
}

/* ---- nothing of this machine or moment ---- */

static void expect_absent(const char *name, const char *text, const char *what)
{
    const char *found = strstr(text, what);
    if (found) {
        fail_msg("%s holds \"%s\": ...%.100s", name, what, found);
    }
}

static void expect_no_date(const char *name, const char *text)
{
    regex_t date;
    regmatch_t match;
    assert_int_equal(regcomp(&date, "(19|20)[0-9][0-9]-[01][0-9]-[0-3][0-9]|[0-2][0-9]:[0-5][0-9]:[0-5][0-9]",
                             REG_EXTENDED),
                     0);
    const bool found = regexec(&date, text, 1, &match, 0) == 0;
    regfree(&date);
    if (found) {
        fail_msg("%s holds a date or a time: %.40s", name, text + match.rm_so);
    }
}

static void files_hold_no_dates_and_no_places(void **state)
{
    Fixture *fixture = *state;
    Family family;
    char here[PATH_SIZE], host[256] = "";
    assert_non_null(getcwd(here, sizeof here));
    gethostname(host, sizeof host - 1);
    const char *folder =
        emit(fixture, shipped(fixture, "rmsnorm_methods"), fixture->absolute, NULL, 0, &family);
    const Listing *list = listing_of(fixture, folder);
    for (int i = 0; i < list->count; i++) {
        const char *text = text_of(fixture, arena_printf(fixture->arena, "%s/%s", folder, list->name[i]));
        expect_absent(list->name[i], text, here);
        expect_absent(list->name[i], text, specs_folder);
        expect_absent(list->name[i], text, emit_template_folder(fixture->arena));
        expect_no_date(list->name[i], text);
        if (strlen(host) > 3) {
            expect_absent(list->name[i], text, host);
        }
    }
}

/* ---- sources stand alone ---- */

static void need_compiler(const char *compiler)
{
    char command[64];
    snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", compiler);
    if (system(command) != 0) {
        printf("# skipped: no %s here\n", compiler);
        fflush(stdout);
        skip();
    }
}

/* The command in the head comment, its lines joined. */
static const char *quoted_command(Fixture *fixture, const char *name, const char *text)
{
    static const char label[] = " * Compile   ", more[] = "\n *           ";
    const char *at = strstr(text, label), *command = "";
    if (!at) {
        fail_msg("%s quotes no compile command in its head comment", name);
    }
    at += strlen(label);
    for (;;) {
        const int size = (int)strcspn(at, "\n");
        command = arena_printf(fixture->arena, "%s%.*s ", command, size, at);
        if (strncmp(at + size, more, strlen(more)) != 0) {
            return command;
        }
        at += (size_t)size + strlen(more);
    }
}

/* Runs the command, perhaps with another compiler and one more flag, in a folder that holds nothing but the
 * source. NULL, or what it said. */
static const char *run_alone(Fixture *fixture, const char *name, const char *text, const char *compiler,
                             const char *flag)
{
    static const char clang[] = "clang ";
    const char *folder = arena_printf(fixture->arena, "%s/alone", fixture->folder);
    const char *command = quoted_command(fixture, name, text);
    Buffer output = {0};
    mkdir(folder, 0777);
    folder_write(fixture->arena, folder, name, text);
    if (strncmp(command, clang, strlen(clang)) != 0) {
        fail_msg("%s: the command does not begin with clang: %s", name, command);
    }
    assert_non_null(strstr(command, "-Wall -Wextra -Werror"));
    command = arena_printf(fixture->arena, "%s %s %s", compiler, command + strlen(clang), flag);
    const char *const argv[] = {"sh", "-c", command, NULL};
    const char *why = child_exec(fixture->arena, (ChildLimits){120, 0}, argv, folder, &output);
    if (why) {
        why = arena_printf(fixture->arena, "%s\n%s\n%s", command, why, buffer_string(&output));
    }
    buffer_destroy(&output);
    folder_remove(folder);
    return why;
}

typedef void Visit(Fixture *fixture, const Variant *variant, const char *name, const char *text);

/* The first tree of some shipped operators on both targets, with either accumulator. */
static void visit_sources(Fixture *fixture, Visit *visit)
{
    static const char *const names[] = {"rmsnorm", "softmax", "linear"};
    const AxisOverride overrides[] = {{"tree", "chunk(100, lanes(12, seq, pairwise), pairwise)"},
                                      {"accumulator", "f32, f64"}};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        Family family;
        const char *folder =
            emit(fixture, shipped(fixture, names[n]), fixture->folder, overrides, 2, &family);
        assert_int_equal(family.variants, 4);
        for (int v = 0; v < family.variants; v++) {
            const char *name = family.variant[v].source;
            visit(fixture, &family.variant[v], name,
                  text_of(fixture, arena_printf(fixture->arena, "%s/%s", folder, name)));
        }
    }
}

static void expect_compiles(Fixture *fixture, const char *name, const char *text, const char *compiler)
{
    const char *why = run_alone(fixture, name, text, compiler, "");
    if (why) {
        fail_msg("%s does not compile alone: %s", name, why);
    }
}

static void visit_clang(Fixture *fixture, const Variant *variant, const char *name, const char *text)
{
    (void)variant;
    expect_compiles(fixture, name, text, "clang");
}

static void visit_gcc(Fixture *fixture, const Variant *variant, const char *name, const char *text)
{
    (void)variant;
    expect_compiles(fixture, name, text, "gcc");
}

static void sources_compile_alone_with_clang(void **state)
{
    need_compiler("clang");
    visit_sources(*state, visit_clang);
}

static void sources_compile_alone_with_gcc(void **state)
{
    need_compiler("gcc");
    visit_sources(*state, visit_gcc);
}

static void visit_fast_math(Fixture *fixture, const Variant *variant, const char *name, const char *text)
{
    if (strcmp(variant->op->name, "rmsnorm") != 0 || variant->accumulator != ACCUMULATOR_F32) {
        return;
    }
    static const char *const compilers[] = {"clang", "gcc"};
    for (int c = 0; c < 2; c++) {
        const char *why = run_alone(fixture, name, text, compilers[c], "-ffast-math");
        if (!why || !strstr(why, "would not keep its contract")) {
            fail_msg("%s compiles with %s -ffast-math: %s", name, compilers[c], why ? why : "no error");
        }
    }
}

static void fast_math_is_refused(void **state)
{
    need_compiler("clang");
    need_compiler("gcc");
    visit_sources(*state, visit_fast_math);
}

/* ---- what a reader finds ---- */

enum { LINES_MOST = 560 };

static int count_lines(const char *text)
{
    int lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* Headers of the language and of the vendor only. */
static void expect_known_includes(const char *name, const char *text)
{
    static const char *const known[] = {"<immintrin.h>", "<math.h>",   "<omp.h>", "<stddef.h>",
                                        "<stdint.h>",    "<string.h>", NULL};
    for (const char *at = strstr(text, "#include "); at; at = strstr(at + 1, "#include ")) {
        bool is_known = false;
        for (int i = 0; known[i]; i++) {
            is_known |= strncmp(at + 9, known[i], strlen(known[i])) == 0;
        }
        if (!is_known) {
            fail_msg("%s includes %.20s", name, at + 9);
        }
    }
}

static void visit_text(Fixture *fixture, const Variant *variant, const char *name, const char *text)
{
    (void)fixture;
    expect_absent(name, text, "#define");
    expect_absent(name, text, "__DATE__");
    expect_absent(name, text, "${");
    expect_absent(name, text, "\t");
    expect_absent(name, text, " \n");
    expect_known_includes(name, text);
    assert_non_null(strstr(text, variant->digest));
    assert_non_null(strstr(text, variant->symbol));
    assert_non_null(strstr(text, term_text(fixture->arena, variant->tree)));
    if (strcmp(variant->target->name, "c") == 0) {
        expect_absent(name, text, "_mm256"); /* no code for another target */
        expect_absent(name, text, "immintrin");
    }
    if (count_lines(text) > LINES_MOST) {
        fail_msg("%s has %d lines", name, count_lines(text));
    }
}

static void sources_say_what_they_are(void **state)
{
    visit_sources(*state, visit_text);
}

/* Every line of a source has a line in its map, and the printed source is the written one. */
static void maps_and_printed_sources_agree(void **state)
{
    Fixture *fixture = *state;
    Family family;
    const char *folder = emit(fixture, shipped(fixture, "rmsnorm"), fixture->folder, NULL, 0, &family);
    for (int v = 0; v < family.variants; v++) {
        const Variant *variant = &family.variant[v];
        const char *path = arena_printf(fixture->arena, "%s/%s", folder, variant->source);
        const char *text = text_of(fixture, path);
        json_t *map = json_load_file(arena_printf(fixture->arena, "%s.map.json", path), 0, NULL);
        assert_int_equal(json_array_size(map), count_lines(text));
        json_decref(map);
        assert_string_equal(emit_source_text(fixture->arena, &fixture->diagnostics, &family, variant), text);
    }
}

/* ---- a thousand variants ---- */

static const char thousand[] =
    "local rows, cols = dim 'rows', dim 'cols'\n"
    "local x = input('x', rows, cols)\n"
    "local s = sum(cols, x * x)\n"
    "local sizes = {}\n"
    "for i = 1, 25 do sizes[i] = 64 * i end\n"
    "return kernel 'many' { output = { y = x * (1 / sqrt(s / cols)) },\n"
    "  tree = chunk(sizes, lanes({ 8, 16, 32, 40, 64 }), { seq, pairwise, halving, lanes(4) }) }\n";

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void work_thousand(void *context, FILE *out)
{
    Fixture *fixture = context;
    Family family;
    struct rusage usage;
    const char *spec = folder_write(fixture->arena, fixture->folder, "many.lua", thousand);
    const double begin = now();
    emit(fixture, spec, fixture->folder, NULL, 0, &family);
    const double seconds = now() - begin;
    getrusage(RUSAGE_SELF, &usage);
    const double processor = (double)usage.ru_utime.tv_sec + 1e-6 * (double)usage.ru_utime.tv_usec +
                             (double)usage.ru_stime.tv_sec + 1e-6 * (double)usage.ru_stime.tv_usec;
    fprintf(out, "%d %f %f %ld", family.variants, seconds, processor, usage.ru_maxrss / 1024);
}

/* Reported, and only held to limits that a slow machine under a sanitizer keeps too. */
static void a_thousand_variants(void **state)
{
    Fixture *fixture = *state;
    Buffer text = {0};
    int variants = 0;
    double seconds = 0, processor = 0;
    long megabytes = 0;
    const char *why = child_run(fixture->arena, (ChildLimits){200, 0}, work_thousand, fixture, &text);
    if (why ||
        sscanf(buffer_string(&text), "%d %lf %lf %ld", &variants, &seconds, &processor, &megabytes) != 4) {
        fail_msg("generating failed: %s", why ? why : buffer_string(&text));
    }
    buffer_destroy(&text);
    printf("# %d variants generated in %.2f s (%.2f s of processor time), at most %ld MB\n", variants,
           seconds, processor, megabytes);
    fflush(stdout);
    assert_int_equal(variants, 1000);
    assert_true(processor < 60);
    assert_true(megabytes < 2000);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s SPECS TEMPLATES\n", argv[0]);
        return 2;
    }
    specs_folder = argv[1];
    setenv("SAMEBITS_TEMPLATES", argv[2], 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_spec_gives_the_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unchanged_files_are_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_changed_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_hold_no_dates_and_no_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sources_say_what_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(maps_and_printed_sources_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sources_compile_alone_with_clang, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sources_compile_alone_with_gcc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fast_math_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_variants, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("emit", tests, NULL, NULL);
}
