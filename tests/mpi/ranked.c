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

/* As in probe.c. */
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
    DISAGREE,
    DEADLOCK,
    ECHO,
    HEADER,
    KNOWN,
    THREADS,
    POLL
};

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
    const char *root, *folder, *object, *why_not; /* why_not: this library cannot be tried */
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

static const char *why_no_library(Arena *arena, const Library *library)
{
    return in_path(arena, library->mpirun) && in_path(arena, library->mpicc)
               ? NULL
               : arena_printf(arena, "no %s or no %s in PATH", library->mpirun, library->mpicc);
}

static const char *compile_probe(const Fixture *fixture, const char *mpicc, const char *name)
{
    const char *object = arena_printf(fixture->arena, "%s/%s", fixture->folder, name);
    const char *const argv[] = {mpicc,        "-std=gnu17", "-O1",   "-w",  "-fopenmp", "-D_GNU_SOURCE",
                                "-I" RUNTIME, "-shared",    "-fPIC", PROBE, "-o",       object,
                                NULL};
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
    fixture->folder = arena_printf(fixture->arena, "%s/%s", fixture->root, fixture->library->name);
    mkdir(fixture->folder, 0777); /* one for all cases: the rank program is compiled once */
    fixture->why_not = why_no_library(fixture->arena, fixture->library);
    fixture->ranked = NULL;
    if (fixture->why_not) {
        return 0;
    }
    unsetenv("SAMEBITS_MPIRUN_FLAGS");
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

/* Four ranks, the third of which does `how`; the reason must have every one of `wanted` (ends with NULL). */
static void expect_failure(Fixture *fixture, int how, const char *const wanted[])
{
    ranked_set_ranks(fixture->ranked, 4);
    ranked_set_threads(fixture->ranked, 1);
    make_data(fixture, 2, 16, 3, how, 2);
    assert_false(ranked_call(fixture->ranked, &data.call));
    const char *why = ranked_failure(fixture->ranked);
    print_message("# %s\n", why);
    for (int i = 0; wanted[i]; i++) {
        if (!strstr(why, wanted[i])) {
            fail_msg("'%s' is not in: %s", wanted[i], why);
        }
    }
    assert_false(ranked_call(fixture->ranked, &data.call)); /* a failure stays */
    assert_ptr_equal(ranked_failure(fixture->ranked), why);
    expect_no_strays(2); /* at once, not only when it is closed */
    end(fixture);
}
#define EXPECT_FAILURE(fixture, how, ...)                                                                    \
    expect_failure(fixture, how, (const char *const[]){__VA_ARGS__, NULL})

/* ---- right ones ---- */

static void test_slicings(void **state)
{
    Fixture *fixture = begin(state);
    for (int call = 0; call < 35; call++) {
        expect_call(fixture, (size_t)call % 4, (size_t)call * 5 % 37, 1 + (size_t)call % 5);
    }
    end(fixture);
}

static void test_calls_differ(void **state)
{
    Fixture *fixture = begin(state);
    char text[2][200] = {"", ""};
    unsigned ranks = 0;
    for (int call = 0; call < 7; call++) {
        expect_call(fixture, 2, 29, 1);
        ranked_text(fixture->ranked, text[call % 2], sizeof text[0]);
        assert_string_not_equal(text[0], text[1]);
        ranks |= 1u << ranked_last_cut(fixture->ranked)->ranks;
    }
    assert_int_equal(ranks, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8);
    end(fixture);
}

static void test_chosen_cut(void **state)
{
    Fixture *fixture = begin(state);
    const RankCut cut = {.ranks = 3, .first = {0, 8, 8, 18}};
    char text[200];
    ranked_set_ranks(fixture->ranked, 3);
    ranked_set_cut(fixture->ranked, &cut);
    ranked_set_threads(fixture->ranked, 2);
    for (int call = 0; call < 3; call++) {
        expect_call(fixture, 2, 18, 3);
        assert_memory_equal(ranked_last_cut(fixture->ranked), &cut, sizeof cut);
    }
    assert_string_equal(ranked_text(fixture->ranked, text, sizeof text),
                        "3 ranks (2, 0, 3 parts), 2 threads each, exchange gather");
    assert_int_equal(ranked_code(fixture->ranked), 0);
    end(fixture);
}

/* Messages of MPI_FLOAT, then with a header: rank 0 sends the sums back to each of the others. */
static void test_counts(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_ranks(fixture->ranked, 4);
    expect_call(fixture, 2, 16, 3);
    for (int r = 0; r < 4; r++) {
        const RankCounts *counts = &ranked_counts(fixture->ranked)[r];
        const long messages = r == 0 ? 3 : 1;
        assert_int_equal(counts->messages, messages);
        assert_int_equal(counts->values, 6 * messages);
        assert_int_equal(counts->bytes, 24 * messages);
        assert_int_equal(counts->collectives, 0);
        assert_true(counts->seconds > 0 && counts->waited > 0 && counts->waited <= counts->seconds);
    }
    make_data(fixture, 0, 16, 1, HEADER, 0);
    assert_true(ranked_call(fixture->ranked, &data.call));
    for (int r = 0; r < 4; r++) {
        assert_int_equal(ranked_counts(fixture->ranked)[r].messages, 2);
        assert_int_equal(ranked_counts(fixture->ranked)[r].values, 5);
        assert_int_equal(ranked_counts(fixture->ranked)[r].bytes, 120);
    }
    end(fixture);
}

/* A look between pieces of work is no waiting; looking again and again is. */
static void test_waiting(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_ranks(fixture->ranked, 2);
    make_data(fixture, 0, 16, 1, POLL, 0);
    assert_true(ranked_call(fixture->ranked, &data.call));
    const RankCounts *counts = ranked_counts(fixture->ranked);
    assert_true(counts[0].waited > 0.5 * counts[0].seconds && counts[1].waited < 0.5 * counts[1].seconds);
    end(fixture);
}

static float echoed(Fixture *fixture, int rank, WireMistake mistake)
{
    ranked_set_mistake(fixture->ranked, rank, mistake);
    make_data(fixture, 1, 16, 1, ECHO, 0);
    if (!ranked_call(fixture->ranked, &data.call)) {
        fail_msg("%s", ranked_failure(fixture->ranked));
    }
    return data.z[ranked_last_cut(fixture->ranked)->first[1]]; /* what rank 1 said */
}

static void test_mistakes(void **state)
{
    Fixture *fixture = begin(state);
    const RankCut even = {.ranks = 2, .first = {0, 8, 16}};
    ranked_set_ranks(fixture->ranked, 2);
    ranked_set_cut(fixture->ranked, &even);
    assert_true(echoed(fixture, 1, WIRE_RIGHT) == 10808);
    assert_true(echoed(fixture, 0, WIRE_WRONG_FIRST) == 10808);
    assert_true(echoed(fixture, 1, WIRE_WRONG_FIRST) == 10908);
    assert_true(echoed(fixture, 1, WIRE_WRONG_COUNT) == 10807);
    ranked_expect_code(fixture->ranked, true);
    for (WireMistake mistake = WIRE_NULL_COMM; mistake <= WIRE_INTERCOMM; mistake++) {
        ranked_set_mistake(fixture->ranked, 1, mistake);
        assert_true(ranked_call(fixture->ranked, &data.call));
        assert_int_equal(ranked_code(fixture->ranked), 6);
    }
    end(fixture);
}

static void test_codes(void **state)
{
    Fixture *fixture = begin(state);
    ranked_expect_code(fixture->ranked, true);
    make_data(fixture, 2, 16, 3, REFUSE, 2);
    assert_true(ranked_call(fixture->ranked, &data.call));
    assert_int_equal(ranked_code(fixture->ranked), 1);
    expect_call(fixture, 2, 16, 3); /* it stays usable */
    assert_int_equal(ranked_code(fixture->ranked), 0);
    ranked_expect_code(fixture->ranked, false);
    EXPECT_FAILURE(fixture, REFUSE, "returned 1 on every rank: CUT");
}

static void test_threads(void **state)
{
    Fixture *fixture = begin(state);
    ranked_expect_code(fixture->ranked, true);
    ranked_set_ranks(fixture->ranked, 2);
    make_data(fixture, 2, 16, 3, THREADS, 0);
    for (int threads = 1; threads <= 5; threads += 2) {
        ranked_set_threads(fixture->ranked, threads);
        assert_true(ranked_call(fixture->ranked, &data.call));
        assert_int_equal(ranked_code(fixture->ranked), threads);
    }
    end(fixture);
}

static void test_many_ranks(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_ranks(fixture->ranked, 17);
    expect_call(fixture, 2, 68, 1);
    ranked_set_ranks(fixture->ranked, 2); /* the first two of them */
    expect_call(fixture, 2, 68, 1);
    end(fixture);
}

static void test_time(void **state)
{
    Fixture *fixture = begin(state);
    RankTimes times;
    const Shape shape = {{3, 64, 5}};
    ranked_set_ranks(fixture->ranked, 2);
    if (!ranked_time(fixture->ranked, &shape, "mixed", 20, &times)) {
        fail_msg("%s", ranked_failure(fixture->ranked));
    }
    assert_true(times.first_call > 0);
    for (int r = 0; r < 2; r++) {
        assert_true(times.seconds[r] > 0 && times.waited[r] > 0 && times.waited[r] < times.seconds[r]);
        assert_int_equal(ranked_counts(fixture->ranked)[r].messages, 1); /* of one call */
    }
    expect_call(fixture, 3, 64, 5);
    end(fixture);
}

/* Each rank makes its own part of what a benchmark of one process has, of tensors that repeat themselves too.
 */
static void test_timed_data(void **state)
{
    Fixture *fixture = begin(state);
    static Operator op;
    op = *fixture->variant.op;
    op.param[0].value = KNOWN;
    fixture->variant.op = &op;
    static const Shape shapes[] = {{{3, 30, 5}}, {{1, 2200000, 2}}, {{2, 0, 3}}};
    static const RankCut cuts[] = {{.ranks = 3, .first = {0, 4, 20, 30}},
                                   {.ranks = 2, .first = {0, 1000, 2200000}},
                                   {.ranks = 2, .first = {0, 0, 0}}};
    for (int s = 0; s < 3; s++) {
        RankTimes times;
        ranked_set_cut(fixture->ranked, &cuts[s]);
        if (!ranked_time(fixture->ranked, &shapes[s], "mixed", 1, &times)) {
            fail_msg("%s", ranked_failure(fixture->ranked));
        }
    }
    end(fixture);
}

/* A process made by fork has ranks of its own, and leaves its parent's alone. */
static void call_in_child(void *context, FILE *out)
{
    Fixture *fixture = context;
    expect_call(fixture, 2, 16, 3);
    ranked_close(fixture->ranked);
    fputs("called", out);
}

static void test_fork(void **state)
{
    Fixture *fixture = begin(state);
    Buffer said = {0};
    expect_call(fixture, 2, 16, 3);
    const char *why = child_run(fixture->arena, (ChildLimits){60, 0}, call_in_child, fixture, &said);
    assert_null(why);
    assert_string_equal(buffer_string(&said), "called");
    buffer_destroy(&said);
    expect_call(fixture, 2, 16, 3);
    end(fixture);
}

/* hosts.sh alone starts this one: with a hostfile of two hosts, each with room for two ranks. */
static void test_two_hosts(void **state)
{
    Fixture *fixture = begin(state);
    char text[200];
    ranked_set_ranks(fixture->ranked, 4);
    expect_call(fixture, 2, 16, 3);
    int on_first = 0;
    for (int r = 0; r < 4; r++) {
        on_first += strcmp(ranked_host(fixture->ranked, r), ranked_host(fixture->ranked, 0)) == 0;
    }
    assert_int_equal(on_first, 2);
    assert_non_null(strstr(ranked_text(fixture->ranked, text, sizeof text), " on 2 hosts"));
    for (int call = 0; call < 20; call++) {
        expect_call(fixture, 4, 200, 5);
    }
    end(fixture);
}

/* ---- ranks that fail ---- */

static void test_exit(void **state)
{
    EXPECT_FAILURE(begin(state), EXIT, "rank 2 (process ", "called exit(7)");
}

static void test_leave(void **state)
{
    /* The launcher's last words, or its status. Others that it killed at once may be named beside rank 2. */
    EXPECT_FAILURE(begin(state), LEAVE, "rank 2 (process ", "without a word: mpi", "9");
}

static void test_crash(void **state)
{
    EXPECT_FAILURE(begin(state), CRASH, "rank 2 (process ", "was killed by SIGSEGV");
}

static void test_abort(void **state)
{
    EXPECT_FAILURE(begin(state), ABORT, "rank 2 (process ", "called MPI_Abort with code 5");
}

static void test_differ(void **state)
{
    EXPECT_FAILURE(begin(state), DIFFER, "different codes: rank 0: 0, rank 1: 0, rank 2: 2, rank 3: 0");
}

static void test_disagree(void **state)
{
    EXPECT_FAILURE(begin(state), DISAGREE, "return different values of y");
}

static void test_loop(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_limit(fixture->ranked, 1);
    expect_call(fixture, 2, 16, 3);
    EXPECT_FAILURE(fixture, LOOP, "rank 2 did not return from the kernel within 1 s",
                   "rank 0 waits in MPI_Recv for it", "ranks 1, 3 wait in MPI_Recv for rank 0");
}

static void test_wait(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_limit(fixture->ranked, 1);
    expect_call(fixture, 2, 16, 3);
    EXPECT_FAILURE(fixture, WAIT, "a deadlock", "ranks 0, 2 wait in MPI_Recv for rank 2",
                   "ranks 1, 3 wait in MPI_Recv for rank 0");
}

static void test_deadlock(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_limit(fixture->ranked, 1);
    expect_call(fixture, 2, 16, 3);
    EXPECT_FAILURE(fixture, DEADLOCK, "a deadlock", "rank 0 waits in MPI_Recv for rank 1",
                   "rank 3 waits in MPI_Recv for rank 0");
}

/* A rank that is stopped answers nothing. */
static void stop_one_rank(const Fixture *fixture)
{
    char path[300], text[4096];
    DIR *folder = opendir("/proc");
    int stopped = 0;
    for (const struct dirent *entry; folder && !stopped && (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        const int file = isdigit((unsigned char)entry->d_name[0]) ? open(path, O_RDONLY) : -1;
        const ssize_t size = file >= 0 ? read(file, text, sizeof text - 1) : 0;
        text[size > 0 ? size : 0] = 0;
        if (file >= 0) {
            close(file);
        }
        if (strstr(text, fixture->folder)) { /* the program itself is its first word */
            stopped = kill(atoi(entry->d_name), SIGSTOP) == 0;
        }
    }
    closedir(folder);
    assert_true(stopped);
}

static void test_stopped(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_ranks(fixture->ranked, 4);
    expect_call(fixture, 2, 16, 3);
    stop_one_rank(fixture);
    ranked_set_limit(fixture->ranked, 1);
    EXPECT_FAILURE(fixture, BEHAVE, "did not answer within 1 s, stopped or cut off");
}

/* ---- this process ends ---- */

/* Ends a process in the middle of a call by `number`; its ranks must end too. */
static void end_in_call(Fixture *fixture, int number)
{
    const pid_t child = fork();
    if (child == 0) {
        make_data(fixture, 2, 16, 3, LOOP, 2);
        ranked_set_ranks(fixture->ranked, 4);
        ranked_call(fixture->ranked, &data.call);
        _exit(0);
    }
    int ranks = 0;
    for (int tries = 0; tries < 500 && ranks < 5; tries++) {
        nap_ms(20);
        ranks = count_strays(); /* ranks and the launcher */
    }
    assert_true(ranks >= 5);
    nap_ms(300); /* into the kernel */
    kill(child, number);
    assert_int_equal(waitpid(child, NULL, 0), child);
    expect_no_strays(10);
}

static void test_interrupted(void **state)
{
    end_in_call(begin(state), SIGINT);
}

static void test_killed(void **state)
{
    end_in_call(begin(state), SIGKILL);
}

/* ---- launchers that fail ---- */

static void test_no_launcher(void **state)
{
    Fixture *fixture = begin(state);
    setenv("SAMEBITS_MPIRUN", "/nonexistent", 1);
    EXPECT_FAILURE(fixture, BEHAVE, "SAMEBITS_MPIRUN names '/nonexistent', which is no program here");
}

static void test_bad_flag(void **state)
{
    Fixture *fixture = begin(state);
    setenv("SAMEBITS_MPIRUN_FLAGS", "--no-such-flag", 1);
    make_data(fixture, 2, 16, 3, BEHAVE, 0);
    ranked_set_ranks(fixture->ranked, 4);
    assert_false(ranked_call(fixture->ranked, &data.call));
    unsetenv("SAMEBITS_MPIRUN_FLAGS");
    const char *why = ranked_failure(fixture->ranked);
    print_message("# %s\n", why);
    assert_non_null(strstr(why, "0 of 4 ranks connected before the launcher ended"));
    assert_non_null(strstr(why, "no-such-flag")); /* its own words */
    end(fixture);
}

static const Library *other_library(const Fixture *fixture)
{
    const Library *other = &libraries[fixture->library == &libraries[0]];
    if (why_no_library(fixture->arena, other)) {
        print_message("# skipped: %s\n", why_no_library(fixture->arena, other));
        skip();
    }
    return other;
}

static void test_mixture(void **state)
{
    Fixture *fixture = begin(state);
    setenv("SAMEBITS_MPIRUN", other_library(fixture)->mpirun, 1);
    EXPECT_FAILURE(fixture, BEHAVE, "a mixture of MPI libraries", "Open MPI ", "MPICH ");
}

static void test_kernel_of_other_library(void **state)
{
    Fixture *fixture = begin(state);
    const char *other = compile_probe(fixture, other_library(fixture)->mpicc, "other.so");
    ranked_set_other_kernel(fixture->ranked, 1, other, "samebits_probe_call");
    EXPECT_FAILURE(fixture, BEHAVE, "rank 1 cannot load the kernel: a mixture of MPI libraries", "libmpi");
}

static void test_no_symbol(void **state)
{
    Fixture *fixture = begin(state);
    ranked_set_other_kernel(fixture->ranked, 3, fixture->object, "nothing");
    EXPECT_FAILURE(fixture, BEHAVE, "rank 3 cannot load the kernel", "nothing");
}

/* A launcher of one's own, around the real one, which is known by what it says of itself. */
static void wrap_launcher(const Fixture *fixture, const char *lines)
{
    const char *real = in_path(fixture->arena, fixture->library->mpirun);
    const char *text = arena_printf(
        fixture->arena, "#!/bin/sh\n[ \"$1\" = --version ] && exec %s --version\n%s\nexec %s \"$@\"\n", real,
        lines, real);
    const char *path = folder_write(fixture->arena, fixture->folder, "launch", text);
    chmod(path, 0700);
    char *whole = realpath(path, NULL);
    setenv("SAMEBITS_MPIRUN", whole, 1);
    free(whole);
}

static void test_wrong_token(void **state)
{
    Fixture *fixture = begin(state);
    wrap_launcher(fixture,
                  "SAMEBITS_RANK_TOKEN=00000000000000000000000000000000; export SAMEBITS_RANK_TOKEN");
    /* Not how many: a launcher may end the others when the first one has been refused. */
    EXPECT_FAILURE(fixture, BEHAVE, "0 of 4 ranks connected", " refused for a wrong token");
}

/* Somebody else who talks to the port: is turned away, and the call succeeds. */
static void test_stranger(void **state)
{
    Fixture *fixture = begin(state);
    wrap_launcher(fixture, "python3 -c 'import os, socket\n"
                           "host, port = os.environ[\"SAMEBITS_RANK_ADDRESS\"].split(\":\")\n"
                           "s = socket.create_connection((host, int(port)))\n"
                           "s.sendall(b\"GET / HTTP/1.0\\r\\n\\r\\n\" * 10)'");
    expect_call(fixture, 2, 16, 3);
    end(fixture);
}

/* A launcher of another library makes worlds of one rank each. */
static void test_worlds_of_one(void **state)
{
    Fixture *fixture = begin(state);
    wrap_launcher(fixture,
                  "for word; do last=$word; done\nfor i in 1 2 3 4; do \"$last\" & done\nwait\nexit");
    EXPECT_FAILURE(fixture, BEHAVE, "4 ranks were started", "every process thinks it is rank 0 of 1");
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
static const Case cases[] = {CASE(test_slicings),    CASE(test_calls_differ),
                             CASE(test_chosen_cut),  CASE(test_counts),
                             CASE(test_waiting),     CASE(test_mistakes),
                             CASE(test_codes),       CASE(test_threads),
                             CASE(test_many_ranks),  CASE(test_time),
                             CASE(test_timed_data),  CASE(test_fork),
                             CASE(test_exit),        CASE(test_leave),
                             CASE(test_crash),       CASE(test_abort),
                             CASE(test_differ),      CASE(test_disagree),
                             CASE(test_loop),        CASE(test_wait),
                             CASE(test_deadlock),    CASE(test_stopped),
                             CASE(test_interrupted), CASE(test_killed),
                             CASE(test_no_launcher), CASE(test_bad_flag),
                             CASE(test_mixture),     CASE(test_kernel_of_other_library),
                             CASE(test_no_symbol),   CASE(test_wrong_token),
                             CASE(test_stranger),    CASE(test_worlds_of_one)};
static const Case on_hosts = CASE(test_two_hosts);
enum { CASES = sizeof cases / sizeof *cases };

/* Names on the command line choose; without any it is all that needs no second host. */
static bool is_chosen(const Case *which, char **names)
{
    bool chosen = !*names && which != &on_hosts;
    for (; *names; names++) {
        chosen |= strcmp(*names, which->name) == 0;
    }
    return chosen;
}

/* Stands for all cases of a library that is not here. */
static void test_all(void **state)
{
    begin(state);
}

static void add_case(struct CMUnitTest *tests, int *count, Fixture *fixture, const Case *which)
{
    static char names[LIBRARIES * (CASES + 2)][80];
    snprintf(names[*count], sizeof names[0], "%s: %s", fixture->library->name, which->name);
    tests[*count] = (struct CMUnitTest){names[*count], which->function, set_up, tear_down, fixture};
    ++*count;
}

/* The plain names are tried where neither of the others is here. */
static int add_libraries(Arena *arena, const char *root, struct CMUnitTest *tests, char **names)
{
    static Fixture fixtures[LIBRARIES];
    static const Case all = CASE(test_all);
    const char *only = getenv("SAMEBITS_TEST_MPI");
    int count = 0, found = 0;
    for (int l = 0; l < LIBRARIES && (l < LIBRARIES - 1 || found == 0); l++) {
        if (only && strcmp(only, libraries[l].name) != 0) {
            continue;
        }
        const bool here = !why_no_library(arena, &libraries[l]);
        fixtures[l] = (Fixture){.library = &libraries[l], .root = root};
        for (int c = 0; here && c <= CASES; c++) {
            const Case *which = c < CASES ? &cases[c] : &on_hosts;
            if (is_chosen(which, names)) {
                add_case(tests, &count, &fixtures[l], which);
            }
        }
        if (!here) {
            add_case(tests, &count, &fixtures[l], &all);
        }
        found += here;
    }
    return count;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[LIBRARIES * (CASES + 2)];
    Arena *arena = arena_create();
    const char *root = folder_create(arena);
    const int count = add_libraries(arena, root, tests, argc > 0 ? argv + 1 : argv);
    const int failed = _cmocka_run_group_tests("ranked", tests, (size_t)count, NULL, NULL);
    folder_remove(root);
    arena_destroy(arena);
    return failed;
}
