/* faults.c: see faults.h. A signal that comes while no kernel runs is not ours: it gets its default action
 * back and happens again. */
#include "simt/faults.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

enum { STACK = 64 << 10 };
static const double RETRY = 1e-3; /* seconds */
static const int caught[FAULT_SIGNALS] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM};

static void set_timer(double seconds)
{
    const time_t whole = (time_t)seconds;
    const struct itimerval timer = {.it_value = {whole, (suseconds_t)((seconds - (double)whole) * 1e6)}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

const char *faults_catch(FaultGuard *guard, void (*handler)(int, siginfo_t *, void *), double seconds)
{
    *guard = (FaultGuard){.timed = seconds > 0};
    guard->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard->stack == MAP_FAILED) {
        return strerror(errno);
    }
    const stack_t stack = {.ss_sp = guard->stack, .ss_size = STACK};
    if (sigaltstack(&stack, &guard->stack_before) != 0) {
        const char *why = strerror(errno);
        munmap(guard->stack, STACK);
        return why;
    }
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < FAULT_SIGNALS; i++) {
        sigaction(caught[i], &action, &guard->before[i]);
    }
    if (guard->timed) {
        set_timer(seconds);
    }
    return NULL;
}

void faults_release(FaultGuard *guard)
{
    if (guard->timed) {
        set_timer(0);
    }
    for (int i = 0; i < FAULT_SIGNALS; i++) {
        sigaction(caught[i], &guard->before[i], NULL);
    }
    sigaltstack(&guard->stack_before, NULL);
    munmap(guard->stack, STACK);
}

static uintptr_t counter_of(const void *context)
{
    const ucontext_t *machine = context;
#if defined __APPLE__ && defined __x86_64__
    return (uintptr_t)machine->uc_mcontext->__ss.__rip;
#elif defined __APPLE__
    return (uintptr_t)machine->uc_mcontext->__ss.__pc;
#elif defined __x86_64__
    return (uintptr_t)machine->uc_mcontext.gregs[16]; /* REG_RIP */
#else
    return (uintptr_t)machine->uc_mcontext.pc;
#endif
}

void faults_note(SimtHost *host, int number, void *info, void *context)
{
    Engine *engine = host->engine;
    if (!engine->current) {
        if (number == SIGALRM) {
            engine->expired = true; /* between two blocks */
        } else {
            signal(number, SIG_DFL);
        }
        return;
    }
    if (number == SIGALRM && engine->switching) {
        set_timer(RETRY);
        return;
    }
    const siginfo_t *what = info;
    engine->fault_thread = engine->current->place.linear;
    engine->fault = (Fault){number, (uintptr_t)what->si_addr, counter_of(context)};
    engine_leave(engine);
}
