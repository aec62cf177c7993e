/* child.c: children with limits.
 *
 * A child leads a process group of its own; whatever ends it, the whole group is killed before its leader is
 * reaped (so that the group's number cannot have been given to somebody else), and no zombie is left.
 *
 * Children die with the parent in two ways. While a child runs, SIGINT, SIGTERM, SIGHUP and SIGQUIT are
 * blocked in the calling thread and asked for with sigpending; when one has come, the group is ended first
 * and the signal is then delivered as usual, so no handler and no global is needed. When the parent is killed
 * outright, Linux signals the child (PR_SET_PDEATHSIG; it is sent when the *thread* that forked ends, so the
 * caller must be a thread that stays). An external program gets SIGTERM first and SIGKILL two seconds later:
 * Ninja then ends its own subprocesses, which it keeps in groups of their own, and removes half-written
 * outputs. */
#include "driver/child.h"
#include "platform/platform.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SLICE_MS = 100,           /* how long a signal to the parent waits at most */
    READ_BYTES = 64 * 1024,   /* a pipe's usual capacity */
    OUTPUT_LIMIT = 256 << 20, /* a child that never stops writing must not use up the parent's memory */
    EXIT_UNWRITTEN = 120,     /* the child could not write its result */
};
static const double patience = 2.0; /* seconds between SIGTERM and SIGKILL for an external program */

typedef enum Ending { ENDING_OWN, ENDING_TIMEOUT, ENDING_INTERRUPT, ENDING_FLOOD } Ending;

typedef struct Child {
    pid_t pid;
    int output;   /* read end, non-blocking; -1 after its end */
    double limit; /* seconds; 0: none */
    double started;
    bool gentle; /* SIGTERM before SIGKILL */
    Buffer *result;
    size_t from;   /* where this child's text starts in *result */
    size_t handed; /* up to where lines were handed over */
    ChildLine *line;
    void *context;
    sigset_t before, blocked; /* the caller's mask; what was added to it */
} Child;

/* What the child process does once it is set up. */
typedef struct Task {
    ChildWork *work; /* or NULL and: */
    void *context;
    const char *const *argv;
    const char *directory;
    const char *const *environment;
    int trouble; /* write end of a pipe that exec closes: where a program could not be started, errno */
} Task;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void pause_ms(double milliseconds)
{
    const struct timespec time = {0, (long)(milliseconds * 1e6)};
    nanosleep(&time, NULL); /* cut short by a signal: the callers look again anyway */
}

/* Signals. */

static void block_signals(Child *child)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t wanted;
    sigemptyset(&wanted);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
        struct sigaction action;
        /* An ignored signal would stay pending while it is blocked, and would look like one that counts. */
        if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(&wanted, ending[i]);
        }
    }
    pthread_sigmask(SIG_BLOCK, &wanted, &child->before);
    child->blocked = wanted;
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&child->before, number) == 1) {
            sigdelset(&child->blocked, number); /* the caller's own business */
        }
    }
}

static bool signal_came(const Child *child)
{
    sigset_t pending;
    sigpending(&pending);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&child->blocked, number) == 1 && sigismember(&pending, number) == 1) {
            return true;
        }
    }
    return false;
}

const char *child_signal_name(Arena *arena, int number)
{
    static const struct {
        int number;
        const char *name;
    } rows[] = {
        {SIGABRT, "SIGABRT"}, {SIGALRM, "SIGALRM"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
        {SIGHUP, "SIGHUP"},   {SIGILL, "SIGILL"},   {SIGINT, "SIGINT"},   {SIGKILL, "SIGKILL"},
        {SIGPIPE, "SIGPIPE"}, {SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"}, {SIGSYS, "SIGSYS"},
        {SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"},
        {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number == number) {
            return rows[i].name;
        }
    }
    return arena_printf(arena, "signal %d", number);
}

/* In the child. */

/* Its shadow memory alone is far larger than any limit on addresses. */
#if defined(__SANITIZE_ADDRESS__)
static const bool built_with_address_sanitizer = true;
#elif defined(__has_feature)
static const bool built_with_address_sanitizer = __has_feature(address_sanitizer);
#else
static const bool built_with_address_sanitizer = false;
#endif

static void limit_resource(int resource, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0 && (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)) {
        limit.rlim_max = most;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
}

/* Handlers of the parent (a sanitizer's included) go, so that a crash ends the child by its signal; what the
 * user ignores (nohup) stays ignored. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            signal(number, SIG_DFL);
        }
    }
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTTOU, SIG_IGN); /* not the terminal's foreground group, but its messages may be shown */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_up_process(ChildLimits limits, pid_t parent, bool gentle)
{
    setpgid(0, 0);
    reset_signals();
    platform_die_with_parent(parent, gentle ? SIGTERM : SIGKILL);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && nothing != STDIN_FILENO) {
        dup2(nothing, STDIN_FILENO);
        close(nothing);
    }
    limit_resource(RLIMIT_CORE, 0);
    if (limits.memory_bytes > 0 && !built_with_address_sanitizer) {
        limit_resource(RLIMIT_AS, limits.memory_bytes);
    }
}

static _Noreturn void do_work(const Task *task, int output)
{
    FILE *out = fdopen(output, "w");
    if (!out) {
        _exit(EXIT_UNWRITTEN);
    }
    task->work(task->context, out);
    if (fclose(out) != 0) {
        _exit(EXIT_UNWRITTEN);
    }
    fflush(stdout);
    fflush(stderr);
    _exit(EXIT_SUCCESS); /* nothing of the parent's is flushed or cleaned up a second time */
}

static _Noreturn void become_program(const Task *task, int output)
{
    assert(task->argv != NULL); /* else there was work to do */
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    for (int i = 0; task->environment && task->environment[i]; i++) {
        putenv((char *)task->environment[i]);
    }
    if (!task->directory || chdir(task->directory) == 0) {
        execvp(task->argv[0], (char *const *)task->argv);
    }
    const int error = errno;
    const ssize_t written = write(task->trouble, &error, sizeof error);
    _exit(written == sizeof error ? EXIT_FAILURE : EXIT_UNWRITTEN);
}

/* In the parent. */

/* Both ends above stderr (a parent may run with its standard streams closed) and closed by exec. */
static bool open_pipe(int ends[2])
{
    int low[2];
    if (pipe(low) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
    close(low[0]);
    close(low[1]);
    if (ends[0] >= 0 && ends[1] >= 0) {
        return true;
    }
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return false;
}

static bool start(Child *child, ChildLimits limits, const Task *task, int unused)
{
    int ends[2];
    if (!open_pipe(ends)) {
        return false;
    }
    fflush(stdout); /* else the child would hold, and might write, a copy of what is waiting */
    fflush(stderr);
    const pid_t parent = getpid();
    child->started = seconds_now();
    child->pid = fork();
    if (child->pid == 0) {
        close(ends[0]);
        if (unused >= 0) {
            close(unused);
        }
        set_up_process(limits, parent, child->gentle);
        task->work ? do_work(task, ends[1]) : become_program(task, ends[1]);
    }
    const int error = errno;
    close(ends[1]);
    if (child->pid < 0) {
        close(ends[0]);
        errno = error;
        return false;
    }
    setpgid(child->pid, child->pid); /* here and in the child: whoever comes first */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->output = ends[0];
    return true;
}

static void hand_over_lines(Child *child, bool ended)
{
    if (!child->line) {
        return;
    }
    while (child->handed < child->result->size) {
        char *line = child->result->data + child->handed;
        const size_t rest = child->result->size - child->handed;
        char *newline = memchr(line, '\n', rest);
        if (!newline && !ended) {
            return;
        }
        if (newline) {
            *newline = '\0';
        }
        child->line(child->context, line);
        if (newline) {
            *newline = '\n';
        }
        child->handed += newline ? (size_t)(newline - line) + 1 : rest;
    }
}

/* Reads what is there now. False when there is nothing (yet, or ever). */
static bool read_some(Child *child)
{
    char bytes[READ_BYTES];
    if (child->output < 0) {
        return false;
    }
    ssize_t size;
    do {
        size = read(child->output, bytes, sizeof bytes);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        buffer_append(child->result, bytes, (size_t)size);
        hand_over_lines(child, false);
        return true;
    }
    if (size == 0 || errno != EAGAIN) {
        close(child->output);
        child->output = -1;
    }
    return false;
}

static bool flooded(const Child *child)
{
    return child->result->size - child->from > OUTPUT_LIMIT;
}

static bool has_ended(const Child *child)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        if (errno != EINTR) {
            return true; /* somebody else reaped it */
        }
    }
    return info.si_pid == child->pid;
}

/* Until there is output, the child's end, or a reason to look round. After the end of its output a child
 * is about to exit: short naps, growing. */
static void wait_a_little(Child *child, double *nap)
{
    if (child->output < 0) {
        pause_ms(*nap);
        *nap = *nap * 2 < SLICE_MS ? *nap * 2 : SLICE_MS;
        return;
    }
    double slice = SLICE_MS;
    if (child->limit > 0) {
        const double left = 1e3 * (child->started + child->limit - seconds_now());
        slice = left < 0 ? 0 : left < slice ? left : slice;
    }
    struct pollfd wanted = {child->output, POLLIN, 0};
    poll(&wanted, 1, (int)slice + 1);
}

static Ending watch(Child *child)
{
    double nap = 0.05;
    while (!has_ended(child)) {
        if (signal_came(child)) {
            return ENDING_INTERRUPT;
        }
        if (child->limit > 0 && seconds_now() - child->started > child->limit) {
            return ENDING_TIMEOUT;
        }
        wait_a_little(child, &nap);
        read_some(child);
        if (flooded(child)) {
            return ENDING_FLOOD;
        }
    }
    return ENDING_OWN;
}

static void ask_to_end(Child *child)
{
    const double until = seconds_now() + patience;
    kill(-child->pid, SIGTERM);
    while (!has_ended(child) && seconds_now() < until) {
        while (read_some(child) && !flooded(child)) { /* a full pipe would keep it from ending */
        }
        pause_ms(5);
    }
}

/* LLVM's OpenMP runtime notes itself in /dev/shm under the process's number and takes the note back when the
 * process exits; one that is killed, or leaves by _exit, leaves it there for good. */
static void remove_openmp_note(pid_t process)
{
    char name[64];
    snprintf(name, sizeof name, "/__KMP_REGISTERED_LIB_%ld_%ld", (long)process, (long)getuid());
    shm_unlink(name);
}

/* Ends what is left of the group, reads what is left in the pipe, and reaps. */
static int finish(Child *child, Ending ending)
{
    if (ending != ENDING_OWN && child->gentle) {
        ask_to_end(child);
    }
    kill(-child->pid, SIGKILL);
    int status = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    remove_openmp_note(child->pid);
    while (ending != ENDING_FLOOD && read_some(child) && !flooded(child)) {
    }
    if (child->output >= 0) {
        close(child->output);
    }
    hand_over_lines(child, true);
    return status;
}

static const char *exit_reason(Arena *arena, int status)
{
    if (WIFSIGNALED(status)) {
        const char *name = child_signal_name(arena, WTERMSIG(status));
        return WTERMSIG(status) == SIGKILL ? arena_printf(arena, "killed by %s (out of memory?)", name)
                                           : arena_printf(arena, "killed by %s", name);
    }
    if (WEXITSTATUS(status) == EXIT_UNWRITTEN) {
        return "its result could not be written";
    }
    return WEXITSTATUS(status) == 0 ? NULL : arena_printf(arena, "exit status %d", WEXITSTATUS(status));
}

static const char *reason(Arena *arena, const Child *child, Ending ending, int status)
{
    switch (ending) {
    case ENDING_TIMEOUT:
        return arena_printf(arena, "no answer within %.3g s", child->limit);
    case ENDING_INTERRUPT:
        return "interrupted";
    case ENDING_FLOOD:
        return arena_printf(arena, "wrote more than %d MiB", OUTPUT_LIMIT >> 20);
    case ENDING_OWN:
        break;
    }
    return exit_reason(arena, status);
}

/* Watches a started child to its end. The caller's signal mask is back when this returns: a signal that came
 * is delivered here. */
static const char *see_through(Arena *arena, Child *child)
{
    const Ending ending = watch(child);
    const int status = finish(child, ending);
    const char *why = reason(arena, child, ending, status);
    pthread_sigmask(SIG_SETMASK, &child->before, NULL);
    return why;
}

static const char *not_started(Arena *arena, const Child *child)
{
    const char *why = arena_printf(arena, "cannot start a process: %s", strerror(errno));
    pthread_sigmask(SIG_SETMASK, &child->before, NULL);
    return why;
}

const char *child_run(Arena *arena, ChildLimits limits, ChildWork *work, void *context, Buffer *result)
{
    Child child = {.limit = limits.seconds, .result = result, .from = result->size, .handed = result->size};
    const Task task = {.work = work, .context = context, .trouble = -1};
    block_signals(&child);
    return start(&child, limits, &task, -1) ? see_through(arena, &child) : not_started(arena, &child);
}

/* errno of a program that could not be started; 0 when it was. */
static int read_trouble(int trouble)
{
    int error = 0;
    ssize_t size;
    do {
        size = read(trouble, &error, sizeof error);
    } while (size < 0 && errno == EINTR);
    return size == sizeof error ? error : 0;
}

static const char *why_no_program(Arena *arena, const Task *task, int error)
{
    if (task->directory && access(task->directory, X_OK) != 0) {
        return arena_printf(arena, "cannot run '%s' in %s: %s", task->argv[0], task->directory,
                            strerror(error));
    }
    return error == ENOENT ? arena_printf(arena, "cannot run '%s': no such program", task->argv[0])
                           : arena_printf(arena, "cannot run '%s': %s", task->argv[0], strerror(error));
}

const char *child_exec_lines(Arena *arena, ChildLimits limits, const char *const argv[],
                             const char *directory, const char *const environment[], ChildLine *line,
                             void *context, Buffer *result)
{
    Child child = {.limit = limits.seconds,
                   .gentle = true,
                   .result = result,
                   .from = result->size,
                   .handed = result->size,
                   .line = line,
                   .context = context};
    block_signals(&child);
    int trouble[2];
    if (!open_pipe(trouble)) {
        return not_started(arena, &child);
    }
    const Task task = {
        .argv = argv, .directory = directory, .environment = environment, .trouble = trouble[1]};
    const bool started = start(&child, limits, &task, trouble[0]);
    const int fork_error = errno;
    close(trouble[1]);
    const int error = started ? read_trouble(trouble[0]) : 0;
    close(trouble[0]);
    errno = fork_error;
    if (!started) {
        return not_started(arena, &child);
    }
    const char *why = see_through(arena, &child);
    return error ? why_no_program(arena, &task, error) : why;
}

const char *child_exec(Arena *arena, ChildLimits limits, const char *const argv[], const char *directory,
                       Buffer *result)
{
    return child_exec_lines(arena, limits, argv, directory, NULL, NULL, NULL, result);
}
