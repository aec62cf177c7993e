/* abi.h: what an emulated module and the engine know of each other.
 *
 * A module is a shared object made from a `.cu`, a `.metal` or a PTX file. It has no undefined symbol of the
 * engine: the engine fills in `samebits_simt_host` after loading, so the program that loads it need not
 * export anything and may hold many modules. This header is included by C and by C++ without any standard
 * header, so it uses only the language's own types.
 *
 * What a module exports, all with C linkage:
 *   const unsigned samebits_simt_abi            = SIMT_ABI
 *   SimtHost samebits_simt_host                   zero until the engine fills it in
 *   const SimtEntry samebits_simt_entries[]       its kernels; the last one has no name
 *   SimtSpan samebits_simt_shared(void)           where its shared arrays lie (they are poisoned before every
 * block) void samebits_simt_signal(int, siginfo, context)   calls host.fault: a handler of signals gets no
 * argument of ours, and the engine has no globals */
#ifndef SAMEBITS_SIMT_ABI_H
#define SAMEBITS_SIMT_ABI_H

#define SIMT_ABI       1u
#define SIMT_WARP      32u     /* lanes of a warp, on every target */
#define SIMT_ALL_LANES (~0ull) /* every lane that the warp has (Metal names none) */

typedef struct SimtIndex {
    unsigned x, y, z;
} SimtIndex;

/* A thread's place in its block. */
typedef struct SimtPlace {
    SimtIndex index;
    unsigned linear; /* x fastest; lane = linear % 32, warp = linear / 32 */
} SimtPlace;

/* Where in the kernel's source something is called: two threads meet when their sites are equal. */
typedef struct SimtSite {
    const char *file, *what; /* "k.cu", "__syncthreads" */
    unsigned line;
} SimtSite;

/* Which memory a barrier orders. */
enum { SIMT_ORDERS_NOTHING = 0, SIMT_ORDERS_SHARED = 1, SIMT_ORDERS_GLOBAL = 2, SIMT_ORDERS_ALL = 3 };
enum { SIMT_READS = 0, SIMT_WRITES = 1, SIMT_ATOMIC = 2 };

typedef struct SimtHost SimtHost;
struct SimtHost {
    const SimtPlace *place; /* of the thread that runs */
    SimtIndex block, block_size, grid;
    void *engine;
    /* Every thread of the block. */
    void (*barrier)(SimtHost *host, const SimtSite *site, unsigned orders);
    /* The lanes named (bit l: lane l). */
    void (*sync_lanes)(SimtHost *host, const SimtSite *site, unsigned long long lanes, unsigned orders);
    /* The same, and gives the value that lane `from` brought. */
    unsigned long long (*exchange)(SimtHost *host, const SimtSite *site, unsigned long long lanes,
                                   unsigned long long value, unsigned from);
    /* Checked modules: before each access. `pc` is in the module. */
    void (*access)(SimtHost *host, const void *address, unsigned long long bytes, unsigned kind,
                   const void *pc);
    void (*atomic)(SimtHost *host, const SimtSite *site, const void *address, unsigned long long bytes);
    /* Ends the launch with this text; does not return. */
    void (*mistake)(SimtHost *host, const SimtSite *site, const char *text);
    void (*fault)(SimtHost *host, int number, void *info, void *context);
};

typedef struct SimtSpan {
    void *begin, *end;
} SimtSpan;

/* One kernel. `call` runs it for the thread that host->place names; argument[i] points to the value of
 * argument i. kinds[i] is 'p' (a pointer), 'u' (an unsigned integer of 8 bytes), 'i' (of 4 bytes), 'f'
 * (binary32) or 'w' (8 bytes that may be a pointer or an integer: PTX does not tell them apart). */
typedef struct SimtEntry {
    const char *name;
    void (*call)(void *const *argument);
    const char *kinds;
} SimtEntry;

#endif
