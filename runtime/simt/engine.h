/* engine.h: the threads of one block as fibers, and where they meet. Internal to runtime/simt. */
#ifndef SAMEBITS_SIMT_ENGINE_H
#define SAMEBITS_SIMT_ENGINE_H

#include "simt/abi.h"
#include "simt/shadow.h"
#include "simt/simt.h"

enum { SIMT_THREADS = 1024, SIMT_WARPS = SIMT_THREADS / SIMT_WARP, SIMT_ARGUMENTS = 64 };

typedef enum FiberState { FIBER_RUNNABLE, FIBER_AT_BARRIER, FIBER_AT_EXCHANGE, FIBER_RETURNED } FiberState;

typedef struct Fiber {
    SimtPlace place;
    FiberState state;
    const SimtSite *site; /* where it waits */
    uint32_t lanes;       /* of its warp, that it waits for */
    void *stack;          /* position, while it does not run */
    void *fake;           /* AddressSanitizer's */
} Fiber;

/* What the lanes of a warp have brought. The last one to come reads all of it and leaves each lane its
 * result, so a lane that is fast may bring its next value while slow ones have not yet looked: no second
 * buffer is needed, and disjoint groups of one warp exchange independently of each other. */
typedef struct Warp {
    uint32_t exist, waiting;
    bool uniform; /* all that wait do so at one site and for the same lanes */
    uint64_t value[SIMT_WARP], result[SIMT_WARP];
    uint8_t from[SIMT_WARP];
} Warp;

typedef struct Stacks {
    unsigned char *mapping;
    size_t size; /* of the mapping */
    int count;
} Stacks;

/* A signal that came while a kernel ran. */
typedef struct Fault {
    int number; /* 0: none */
    uintptr_t address, pc;
} Fault;

typedef struct Engine {
    SimtHost *host;    /* the module's */
    SimtModule *owner; /* what host->access needs to know lines and buffers */
    Arena *arena;
    /* The kernel. */
    void (*call)(void *const *argument);
    void *argument[SIMT_ARGUMENTS];
    SimtLaunch launch;
    SimtSpan shared;
    /* The block that runs. */
    int threads, warps;
    uint64_t runnable[SIMT_THREADS / 64];
    int at_barrier, returned;
    const SimtSite *barrier_site;
    uint64_t block_number;
    uint64_t random;
    Fiber *current;               /* NULL: the engine itself */
    volatile bool switching;      /* between two stacks: leaving now would leave from neither */
    void *main_stack, *abandoned; /* the second is where a position goes that nobody returns to */
    const void *main_bottom;      /* AddressSanitizer's */
    size_t main_size;
    void *main_fake;
    Fiber fiber[SIMT_THREADS];
    Warp warp[SIMT_WARPS];
    Stacks stacks;
    Shadow *shadow; /* NULL: the module is not a checked one */
    /* How it ended. */
    bool failed, expired;
    Fault fault;
    unsigned fault_thread;
    const SimtSite *fault_site; /* the engine touches what the kernel pointed at here */
    const void *fault_pc;       /* the last access of a checked module */
    SimtError error;
} Engine;

/* NULL: done, else why. Stacks for `threads` threads. */
const char *engine_prepare(Engine *engine, int threads);
void engine_release(Engine *engine);

/* Runs every block of engine->launch. False when one failed: engine->error says why, unless
 * engine->fault.number. */
bool engine_run(Engine *engine);

/* Ends the launch from within a kernel: with a text, or after engine->fault was filled in. */
_Noreturn void engine_fail(Engine *engine, const char *file, unsigned line, const char *text);
_Noreturn void engine_leave(Engine *engine);

/* Where a module's errors are kept. */
Arena *simt_arena(const SimtModule *module);

/* Fills in what a module calls when its threads meet. */
void engine_attach(Engine *engine, SimtHost *host);

/* "thread (3,0,0)", "block (0,1,0)". */
const char *engine_thread_text(const Engine *engine, unsigned linear);
const char *engine_block_text(const Engine *engine, uint64_t number);
/* In which thread's stack an address is; -1: in none. Its guard lies in front of it. */
int engine_stack_of(const Engine *engine, uintptr_t address);
bool engine_stack_guard(const Engine *engine, uintptr_t address);

#endif
