/* child.c: children that answer, crash, hang, flood, fork, and are interrupted. */
#include "driver/child.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define ADDRESS_SANITIZER 1
#endif

static const ChildLimits generous = {30, 0};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void nap(void)
{
    const struct timespec time = {0, 5000000};
    nanosleep(&time, NULL);
}

/* Runs `work`, expects `reason` (NULL: success) and `text`. */
static void expect_run(ChildLimits limits, ChildWork *work, void *context, const char *reason,
                       const char *text)
{
    Arena *arena = arena_create();
    Buffer result = {0};
    const char *why = child_run(arena, limits, work, context, &result);
    if (reason) {
        assert_non_null(why);
        assert_string_equal(why, reason);
    } else if (why) {
        fail_msg("%s", why);
    }
    assert_string_equal(buffer_string(&result), text);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, alive or as a zombie */
    assert_int_equal(errno, ECHILD);
    buffer_destroy(&result);
    arena_destroy(arena);
}

static void work_answer(void *context, FILE *out)
{
    fprintf(out, "{\"answer\": %d}", *(int *)context);
}

static void test_answer(void **state)
{
    (void)state;
    int answer = 42;
    expect_run(generous, work_answer, &answer, NULL, "{\"answer\": 42}");
}

static void test_appends_to_result(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Buffer result = {0};
    int answer = 1;
    buffer_append_string(&result, "before ");
    assert_null(child_run(arena, generous, work_answer, &answer, &result));
    assert_string_equal(buffer_string(&result), "before {\"answer\": 1}");
    buffer_destroy(&result);
    arena_destroy(arena);
}

static void work_crash(void *context, FILE *out)
{
    fputs("before", out);
    fflush(out);
    raise(*(int *)context);
}

static void test_crash_names_the_signal(void **state)
{
    (void)state;
    int number = SIGSEGV;
    expect_run(generous, work_crash, &number, "killed by SIGSEGV", "before");
    number = SIGABRT;
    expect_run(generous, work_crash, &number, "killed by SIGABRT", "before");
    number = SIGFPE;
    expect_run(generous, work_crash, &number, "killed by SIGFPE", "before");
    number = SIGKILL;
    expect_run(generous, work_crash, &number, "killed by SIGKILL (out of memory?)", "before");
}

static void work_bad_pointer(void *context, FILE *out)
{
    (void)out;
    *(volatile int *)context = 1;
}

static void test_real_segmentation_fault(void **state)
{
    (void)state;
    expect_run(generous, work_bad_pointer, (void *)8, "killed by SIGSEGV", "");
}

static void work_exit(void *context, FILE *out)
{
    (void)out;
    _exit(*(int *)context);
}

static void test_exit_status(void **state)
{
    (void)state;
    int status = 3;
    expect_run(generous, work_exit, &status, "exit status 3", "");
}

static void work_hang(void *context, FILE *out)
{
    (void)context;
    fputs("half", out);
    fflush(out);
    for (;;) {
        pause();
    }
}

static void test_hang_ends_in_time(void **state)
{
    (void)state;
    const double started = seconds_now();
    expect_run((ChildLimits){0.2, 0}, work_hang, NULL, "no answer within 0.2 s", "half");
    const double seconds = seconds_now() - started;
    assert_true(seconds >= 0.2 && seconds < 5);
}

/* A child that closes its end and goes on must not be waited for without a limit. */
static void work_close_and_hang(void *context, FILE *out)
{
    (void)context;
    close(fileno(out));
    for (;;) {
        pause();
    }
}

static void test_hang_after_end_of_output(void **state)
{
    (void)state;
    expect_run((ChildLimits){0.2, 0}, work_close_and_hang, NULL, "no answer within 0.2 s", "");
}

static void work_refuses_to_end(void *context, FILE *out)
{
    signal(SIGTERM, SIG_IGN);
    work_hang(context, out);
}

static void test_ignored_sigterm_does_not_help(void **state)
{
    (void)state;
    expect_run((ChildLimits){0.1, 0}, work_refuses_to_end, NULL, "no answer within 0.1 s", "half");
}

/* The grandchild keeps the pipe open after its parent ended, and writes its number. */
static void work_grandchild(void *context, FILE *out)
{
    (void)context;
    const pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    fprintf(out, "%ld", (long)pid);
}

static bool is_alive(pid_t pid)
{
    /* An orphan that was killed stays a zombie until init reaps it, and some containers' init never does. */
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file) {
        return kill(pid, 0) == 0;
    }
    const size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    const char *after_name = size > 0 ? strrchr(text, ')') : NULL;
    return after_name && after_name[1] && after_name[2] != 'Z' && after_name[2] != 'X';
}

static void wait_until_dead(pid_t pid)
{
    for (int i = 0; i < 1000 && is_alive(pid); i++) {
        nap();
    }
    assert_false(is_alive(pid));
}

static void test_group_dies_with_its_leader(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Buffer result = {0};
    const double started = seconds_now();
    assert_null(child_run(arena, generous, work_grandchild, NULL, &result));
    assert_true(seconds_now() - started < 10); /* not the 30 s for which the pipe is open */
    const pid_t grandchild = (pid_t)atol(buffer_string(&result));
    assert_true(grandchild > 1);
    wait_until_dead(grandchild);
    buffer_destroy(&result);
    arena_destroy(arena);
}

enum { LARGE = 24 << 20 };

static void work_large(void *context, FILE *out)
{
    (void)context;
    for (int i = 0; i < LARGE / 8; i++) {
        fprintf(out, "%07d\n", i);
    }
}

static void test_large_output_is_whole(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Buffer result = {0};
    assert_null(child_run(arena, generous, work_large, NULL, &result));
    assert_int_equal(result.size, LARGE);
    for (int i = 0; i < LARGE / 8; i += 4099) {
        assert_int_equal(atoi(result.data + 8 * (size_t)i), i);
    }
    assert_int_equal(atoi(result.data + LARGE - 8), LARGE / 8 - 1);
    buffer_destroy(&result);
    arena_destroy(arena);
}

#ifndef ADDRESS_SANITIZER
static void work_memory(void *context, FILE *out)
{
    (void)context;
    /* Not malloc: with MALLOC_PERTURB_, which meson sets, it would touch all of it. */
    const size_t size = (size_t)1 << 32;
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fputs(memory != MAP_FAILED ? "got it" : "refused", out);
}
#endif

static void test_memory_limit(void **state)
{
    (void)state;
#ifdef ADDRESS_SANITIZER
    skip(); /* the sanitizer's shadow alone is larger than any limit */
#else
    expect_run((ChildLimits){30, (size_t)1 << 30}, work_memory, NULL, NULL, "refused");
    expect_run(generous, work_memory, NULL, NULL, "got it");
#endif
}

static void work_surroundings(void *context, FILE *out)
{
    (void)context;
    char byte;
    struct rlimit core;
    sigset_t mask;
    getrlimit(RLIMIT_CORE, &core);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    fprintf(out, "stdin %zd, core %d, leader %d, SIGINT blocked %d", read(STDIN_FILENO, &byte, 1),
            (int)core.rlim_cur, getpgrp() == getpid(), sigismember(&mask, SIGINT));
}

static void test_surroundings(void **state)
{
    (void)state;
    expect_run(generous, work_surroundings, NULL, NULL, "stdin 0, core 0, leader 1, SIGINT blocked 0");
}

static void work_nested(void *context, FILE *out)
{
    Arena *arena = arena_create();
    Buffer inner = {0};
    int number = SIGBUS;
    const char *why = child_run(arena, generous, work_crash, &number, &inner);
    fprintf(out, "%s, %s, %d", buffer_string(&inner), why, *(int *)context);
    buffer_destroy(&inner);
    arena_destroy(arena);
}

static void test_children_of_children(void **state)
{
    (void)state;
    int number = 7;
    expect_run(generous, work_nested, &number, NULL, "before, killed by SIGBUS, 7");
}

/* The handler of a signal that comes while children run is called after they are gone; calls go on. */
static volatile sig_atomic_t alarms;
static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static void test_system_calls_cut_short(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = count_alarm}, before; /* no SA_RESTART: EINTR everywhere */
    sigaction(SIGALRM, &action, &before);
    ualarm(1000, 1000);
    Arena *arena = arena_create();
    Buffer result = {0};
    const char *why = child_run(arena, generous, work_large, NULL, &result);
    ualarm(0, 0);
    sigaction(SIGALRM, &before, NULL);
    assert_null(why);
    assert_int_equal(result.size, LARGE);
    assert_true(alarms > 0);
    buffer_destroy(&result);
    arena_destroy(arena);
}

/* A parent that runs a hanging child; its process id is what the outer test reads from the pipe. */
static void work_announce_and_hang(void *context, FILE *out)
{
    (void)out;
    const long number = (long)getpid();
    const ssize_t written = write(*(int *)context, &number, sizeof number);
    while (written > 0) {
        pause();
    }
}

static pid_t start_parent(long *child, bool with_program)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t parent = fork();
    if (parent == 0) {
        Arena *arena = arena_create();
        Buffer result = {0};
        if (with_program) {
            char command[64];
            snprintf(command, sizeof command, "sleep 1000 & echo $! >&%d; wait", ends[1]);
            const char *const argv[] = {"sh", "-c", command, NULL};
            child_exec(arena, (ChildLimits){0, 0}, argv, NULL, &result);
        } else {
            child_run(arena, (ChildLimits){0, 0}, work_announce_and_hang, &ends[1], &result);
        }
        _exit(99); /* not reached: the signal comes first */
    }
    close(ends[1]);
    if (with_program) {
        char text[32] = "";
        assert_true(read(ends[0], text, sizeof text - 1) > 0);
        *child = atol(text);
    } else {
        assert_int_equal(read(ends[0], child, sizeof *child), sizeof *child);
    }
    close(ends[0]);
    assert_true(is_alive((pid_t)*child));
    return parent;
}

static void expect_child_dies(int number, bool with_program)
{
    long child = 0;
    const pid_t parent = start_parent(&child, with_program);
    kill(parent, number);
    int status = 0;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFSIGNALED(status)); /* by the signal as usual, not swallowed */
    assert_int_equal(WTERMSIG(status), number);
    wait_until_dead((pid_t)child);
}

static void test_children_die_with_the_parent(void **state)
{
    (void)state;
    expect_child_dies(SIGINT, false);
    expect_child_dies(SIGTERM, false);
    expect_child_dies(SIGTERM, true); /* a grandchild, through the group */
#ifdef __linux__
    expect_child_dies(SIGKILL, false);
#endif
}

/* Programs. */

static void expect_exec(const char *const argv[], const char *directory, const char *reason, const char *text)
{
    Arena *arena = arena_create();
    Buffer result = {0};
    const char *why = child_exec(arena, generous, argv, directory, &result);
    if (reason) {
        assert_non_null(why);
        assert_string_equal(why, reason);
    } else if (why) {
        fail_msg("%s", why);
    }
    assert_string_equal(buffer_string(&result), text);
    buffer_destroy(&result);
    arena_destroy(arena);
}

static void test_programs(void **state)
{
    (void)state;
    expect_exec((const char *const[]){"sh", "-c", "echo out; echo err >&2; cat", NULL}, NULL, NULL,
                "out\nerr\n");
    expect_exec((const char *const[]){"sh", "-c", "pwd", NULL}, "/", NULL, "/\n");
    expect_exec((const char *const[]){"sh", "-c", "exit 7", NULL}, NULL, "exit status 7", "");
    expect_exec((const char *const[]){"sh", "-c", "kill -SEGV $$", NULL}, NULL, "killed by SIGSEGV", "");
    expect_exec((const char *const[]){"no-such-program-here", NULL}, NULL,
                "cannot run 'no-such-program-here': no such program", "");
    expect_exec((const char *const[]){"/dev/null", NULL}, NULL, "cannot run '/dev/null': Permission denied",
                "");
    expect_exec((const char *const[]){"true", NULL}, "/no/such/folder",
                "cannot run 'true' in /no/such/folder: No such file or directory", "");
}

static void note_line(void *context, const char *line)
{
    buffer_printf(context, "[%s]", line);
}

static void test_lines_and_environment(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Buffer result = {0}, lines = {0};
    const char *const argv[] = {"sh", "-c", "printf 'a\\n\\n%s\\nlast' \"$WORD\"", NULL};
    const char *const environment[] = {"WORD=two words", NULL};
    assert_null(child_exec_lines(arena, generous, argv, NULL, environment, note_line, &lines, &result));
    assert_string_equal(buffer_string(&lines), "[a][][two words][last]");
    assert_string_equal(buffer_string(&result), "a\n\ntwo words\nlast");
    assert_null(getenv("WORD"));
    buffer_destroy(&result);
    buffer_destroy(&lines);
    arena_destroy(arena);
}

static void test_program_that_hangs(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Buffer result = {0};
    const char *const argv[] = {"sh", "-c", "echo half; sleep 1000", NULL};
    const double started = seconds_now();
    assert_string_equal(child_exec(arena, (ChildLimits){0.2, 0}, argv, NULL, &result),
                        "no answer within 0.2 s");
    assert_true(seconds_now() - started < 10);
    assert_string_equal(buffer_string(&result), "half\n");
    buffer_destroy(&result);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_appends_to_result),
        cmocka_unit_test(test_crash_names_the_signal),
        cmocka_unit_test(test_real_segmentation_fault),
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_hang_ends_in_time),
        cmocka_unit_test(test_hang_after_end_of_output),
        cmocka_unit_test(test_ignored_sigterm_does_not_help),
        cmocka_unit_test(test_group_dies_with_its_leader),
        cmocka_unit_test(test_large_output_is_whole),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_children_of_children),
        cmocka_unit_test(test_system_calls_cut_short),
        cmocka_unit_test(test_children_die_with_the_parent),
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_lines_and_environment),
        cmocka_unit_test(test_program_that_hangs),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
