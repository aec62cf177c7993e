/* faults.h: signals that a kernel raises while it runs. Internal to runtime/simt.
 *
 * The handler is a function of the module, because a handler gets no argument of ours and the engine has no
 * globals. It runs on a stack of its own (a kernel may have run off the end of its stack), notes what
 * happened, and leaves the kernel for good by switching to the engine's stack. What was set before is set
 * again when the launch ends. */
#ifndef SAMEBITS_SIMT_FAULTS_H
#define SAMEBITS_SIMT_FAULTS_H

#include "simt/engine.h"

#include <signal.h>

enum { FAULT_SIGNALS = 5 };

typedef struct FaultGuard {
    struct sigaction before[FAULT_SIGNALS];
    stack_t stack_before;
    void *stack;
    bool timed;
} FaultGuard;

/* `handler` is the module's. NULL: done, else why. */
const char *faults_catch(FaultGuard *guard, void (*handler)(int, siginfo_t *, void *), double seconds);
void faults_release(FaultGuard *guard);

/* SimtHost.fault: what the module's handler calls. */
void faults_note(SimtHost *host, int number, void *info, void *context);

#endif
