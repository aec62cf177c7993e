/* ranked.c: kernels written by hand, run by every MPI that is here: right results in all slicings, and every
 * way to fail. After each case no process of it may be left. */
#include "mpi/ranked.h"

#include "driver/child.h"
#include "mpi/slices.h"

#include "../driver/folder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum {
    BEHAVE,
    EXIT,
    LEAVE,
    CRASH,
    LOOP,
    WAIT,
    DIFFER,
    REFUSE,
    ABORT,
    PARTIAL,
    DISAGREE,
    DEADLOCK
}; /* probe.c */

typedef struct Library {
    const char *name, *mpirun, *mpicc;
} Library;

static const Library libraries[] = {{"openmpi", "mpirun.openmpi", "mpicc.openmpi"},
                                    {"mpich", "mpirun.mpich", "mpicc.mpich"},
                                    {"mpi", "mpirun", "mpicc"}};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

typedef struct Fixture {
    const Library *library;
    Arena *arena;
    const char *folder, *object, *why_not; /* why_not: this library cannot be tried */
    Variant variant;
    Ranked *ranked;
} Fixture;

static const char spec[] =
    "local a, k, b = dim 'a', dim 'k', dim 'b'\n"
    "local u, v, t = input('u', k), input('v', k, b), input('t', a, k)\n"
    "local x, w = input('x', a, k, b), input('w', a, b)\n"
    "local how, whom = param('how', 0), param('whom', 0)\n"
    "local y = sum(k, ((x * u) * v) * t) + w * how * whom\n"
    "return kernel 'probe' { output = { y = y, z = x * y }, tree = seq, target = 'c' }\n";

/* ---- processes ---- */

static const char mark_name[] = "SAMEBITS_TEST_MARK";

static bool file_has(const char *path, const char *wanted)
{
    static char text[1 << 16];
    const int file = open(path, O_RDONLY);
    const ssize_t size = file >= 0 ? read(file, text, sizeof text) : 0;
    if (file >= 0) {
        close(file);
    }
    return size > 0 && memmem(text, (size_t)size, wanted, strlen(wanted)) != NULL;
}

/* Processes that have this test's mark in their environment; this one got it after it was started. */
static int count_strays(void)
{
    char mark[64], path[300];
    int found = 0;
    snprintf(mark, sizeof mark, "%s=%s", mark_name, getenv(mark_name));
    DIR *folder = opendir("/proc");
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
        found += isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != getpid() &&
                 file_has(path, mark);
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

static void nap_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Some time, because a process that was killed by others' ends is gone a moment later. */
static void expect_no_strays(double seconds)
{
    int left = count_strays();
    for (int tries = 0; left > 0 && tries < seconds * 50; tries++) {
        nap_ms(20);
        left = count_strays();
    }
    assert_int_equal(left, 0);
}

/* ---- fixtures ---- */

static const char *in_path(Arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        const char *found = arena_printf(arena, "%.*s/%s", (int)strcspn(at, ":"), at, name);
        if (access(found, X_OK) == 0) {
            return found;
        }
    }
    return NULL;
}

/* The plain names stand for one of the others where those are here. */
static const char *why_no_library(Arena *arena, const Library *library)
{
    const bool plain = strcmp(library->name, "mpi") == 0;
    if (plain && (in_path(arena, libraries[0].mpirun) || in_path(arena, libraries[1].mpirun))) {
        return "it is one of the two above";
    }
    if (!in_path(arena, library->mpirun) || !in_path(arena, library->mpicc)) {
        return arena_printf(arena, "no %s or no %s in PATH", library->mpirun, library->mpicc);
    }
    return NULL;
}

static const char *compile_probe(const Fixture *fixture, const char *mpicc, const char *name)
{
    const char *object = arena_printf(fixture->arena, "%s/%s", fixture->folder, name);
    const char *const argv[] = {mpicc,   "-std=gnu17", "-O1", "-w",   "-shared",
                                "-fPIC", PROBE,        "-o",  object, NULL};
    Buffer said = {0};
    const char *why = child_exec(fixture->arena, (ChildLimits){60, 0}, argv, NULL, &said);
    if (why) {
        fail_msg("%s: %s", why, buffer_string(&said));
    }
    buffer_destroy(&said);
    return object;
}

static void read_operator(Fixture *fixture)
{
    Diagnostics diagnostics;
    Arena *arena = fixture->arena;
    const char *path = folder_write(arena, fixture->folder, "probe.lua", spec);
    diagnostics_init(&diagnostics, arena);
    const Family *family = family_read(arena, &diagnostics, path, NULL, 0);
    if (!family) {
        diagnostics_print(&diagnostics, stderr);
        exit(1);
    }
    fixture->variant = (Variant){.op = family->op,
                                 .tree = term_parse(arena, &diagnostics, (Location){0}, "chunk(4, seq, seq)"),
                                 .symbol = "samebits_probe"};
}

static int set_up(void **state)
{
    Fixture *fixture = *state;
    fixture->arena = arena_create();
    fixture->folder = folder_create(fixture->arena);
    fixture->why_not = why_no_library(fixture->arena, fixture->library);
    fixture->ranked = NULL;
    if (fixture->why_not) {
        return 0;
    }
    setenv("SAMEBITS_MPIRUN", fixture->library->mpirun, 1);
    setenv("SAMEBITS_MPICC", fixture->library->mpicc, 1);
    setenv(mark_name, arena_printf(fixture->arena, "%ld", (long)getpid()), 1);
    fixture->object = compile_probe(fixture, fixture->library->mpicc, "probe.so");
    read_operator(fixture);
    const char *why;
    fixture->ranked = ranked_open(fixture->arena, fixture->object, &fixture->variant, &why);
    if (!fixture->ranked) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    if (fixture->ranked) {
        ranked_close(fixture->ranked);
    }
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static Fixture *begin(void **state)
{
    Fixture *fixture = *state;
    if (fixture->why_not) {
        print_message("# skipped: %s\n", fixture->why_not);
        skip();
    }
    return fixture;
}

/* ---- data: small integers, so that every sum is exact ---- */

enum { TENSORS = 5, ELEMENTS = 4096 };
typedef struct Data {
    float input[TENSORS][ELEMENTS], z[ELEMENTS], y[ELEMENTS];
    CallData call;
} Data;

static Data data;

static void make_data(const Fixture *fixture, size_t a, size_t k, size_t b, int how, int whom)
{
    data.call =
        (CallData){.shape = {{a, k, b}}, .output = {data.y, data.z}, .param = {(float)how, (float)whom}};
    for (int t = 0; t < TENSORS; t++) {
        data.call.input[t] = data.input[t];
        for (size_t i = 0; i < tensor_elements(&fixture->variant.op->input[t], &data.call.shape); i++) {
            data.input[t][i] = (float)((i * 7 + (size_t)t * 13) % 31);
        }
    }
    memset(data.z, 0, sizeof data.z);
    memset(data.y, 0, sizeof data.y);
}

static void expect_results(size_t a, size_t k, size_t b)
{
    const float *u = data.input[0], *v = data.input[1], *t = data.input[2], *x = data.input[3],
                *w = data.input[4];
    for (size_t i = 0; i < a; i++) {
        for (size_t c = 0; c < b; c++) {
            float sum = 0;
            for (size_t j = 0; j < k; j++) {
                const float value = x[(i * k + j) * b + c] + 2 * u[j] + 3 * v[j * b + c] + 5 * t[i * k + j] +
                                    7 * w[i * b + c];
                sum += value;
                assert_true(data.z[(i * k + j) * b + c] == value + (float)j);
            }
            assert_true(data.y[i * b + c] == sum);
        }
    }
}

static void expect_call(const Fixture *fixture, size_t a, size_t k, size_t b)
{
    make_data(fixture, a, k, b, BEHAVE, 0);
    if (!ranked_call(fixture->ranked, &data.call)) {
        fail_msg("%s", ranked_failure(fixture->ranked));
    }
    expect_results(a, k, b);
}

static void end(Fixture *fixture)
{
    ranked_close(fixture->ranked);
    fixture->ranked = NULL;
    expect_no_strays(2);
}

/* ---- right ones ---- */

static void test_slicings(void **state)
{
    Fixture *fixture = begin(state);
    for (int call = 0; call < 12; call++) {
        char text[200];
        expect_call(fixture, 3, 1 + (size_t)call * 5 % 23, 4);
        print_message("# %s\n", ranked_text(fixture->ranked, text, sizeof text));
    }
    end(fixture);
}

/* ---- main ---- */

typedef struct Case {
    const char *name;
    CMUnitTestFunction function;
} Case;

#define CASE(function)                                                                                       \
    {                                                                                                        \
#function, function                                                                                  \
    }
static const Case cases[] = {CASE(test_slicings)};
enum { CASES = sizeof cases / sizeof *cases };

int main(void)
{
    static Fixture fixtures[LIBRARIES];
    static struct CMUnitTest tests[LIBRARIES * CASES];
    static char names[LIBRARIES * CASES][80];
    for (int l = 0; l < LIBRARIES; l++) {
        fixtures[l].library = &libraries[l];
        for (int c = 0; c < CASES; c++) {
            const int at = l * CASES + c;
            snprintf(names[at], sizeof names[at], "%s: %s", libraries[l].name, cases[c].name);
            tests[at] = (struct CMUnitTest){names[at], cases[c].function, set_up, tear_down, &fixtures[l]};
        }
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
