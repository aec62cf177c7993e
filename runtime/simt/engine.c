/* engine.c: the scheduler of one block.
 *
 * A fiber gives way only where its thread waits, straight to the next one. Which is next is the order of the
 * launch, and it is greedy: ascending always runs the lowest thread that can run, so warp 0 goes as far ahead
 * of the others as barriers let it; descending is its mirror image, and random takes any. A round-robin would
 * keep the warps in step and hide every missing barrier.
 *
 * Nobody watches for divergence. A barrier at another place than the one where others wait, and a thread that
 * returns while others wait, are seen when they happen; everything else (half a warp at a shuffle, the other
 * half at a barrier) ends with no thread that can run, and then the engine says who waits where. */
#include "simt/engine.h"

#include "simt/switch.h"
#include "text/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(address_sanitizer) || defined __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define ADDRESS_SANITIZER 1
#endif

/* ---- stacks ---- */

enum {
    STACK = 128 << 10, /* bytes of one stack; pages are only made when they are touched */
    GUARD = 64 << 10,  /* in front of each: kernels are compiled with -fstack-clash-protection, so frames do
                          not jump it */
    COLOURS =
        32, /* stacks start at different cache sets: at one distance of 2^17 their tops would share 8 lines */
    COLOUR = 320,
};

static unsigned char *stack_base(const Engine *engine, int index)
{
    return engine->stacks.mapping + (size_t)index * (STACK + GUARD) + GUARD;
}

const char *engine_prepare(Engine *engine, int threads)
{
    if (engine->stacks.count >= threads) {
        return NULL;
    }
    engine_release(engine);
    const size_t size = (size_t)threads * (STACK + GUARD);
    void *mapping = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return strerror(errno);
    }
    engine->stacks = (Stacks){mapping, size, threads};
    for (int i = 0; i < threads; i++) {
        if (mprotect(stack_base(engine, i), STACK, PROT_READ | PROT_WRITE) != 0) {
            const char *why = strerror(errno);
            engine_release(engine);
            return why;
        }
    }
    return NULL;
}

void engine_release(Engine *engine)
{
    if (engine->stacks.mapping) {
        munmap(engine->stacks.mapping, engine->stacks.size);
    }
    engine->stacks = (Stacks){0};
}

int engine_stack_of(const Engine *engine, uintptr_t address)
{
    const uintptr_t base = (uintptr_t)engine->stacks.mapping;
    if (!base || address < base || address >= base + engine->stacks.size) {
        return -1;
    }
    return (int)((address - base) / (STACK + GUARD));
}

bool engine_stack_guard(const Engine *engine, uintptr_t address)
{
    return engine_stack_of(engine, address) >= 0 &&
           (address - (uintptr_t)engine->stacks.mapping) % (STACK + GUARD) < GUARD;
}

/* ---- switching ---- */

/* AddressSanitizer must know which stack it is on: one is left (`fake` NULL: for good) and one is reached. */
static void leaving_for(Engine *engine, void **fake, const void *bottom, size_t size)
{
    engine->switching = true;
#ifdef ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(fake, bottom, size);
#else
    (void)fake, (void)bottom, (void)size;
#endif
}

static void reached(Engine *engine, void *fake)
{
#ifdef ADDRESS_SANITIZER
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(fake, &bottom, &size);
    if (!engine->main_bottom) { /* the first fiber of a block is reached from the main stack */
        engine->main_bottom = bottom;
        engine->main_size = size;
    }
#else
    (void)fake;
#endif
    engine->switching = false;
}

_Noreturn void engine_leave(Engine *engine)
{
    engine->current = NULL;
    leaving_for(engine, NULL, engine->main_bottom, engine->main_size);
    simt_switch(&engine->abandoned, engine->main_stack);
    __builtin_unreachable();
}

/* ---- mistakes ---- */

static SimtIndex block_index(const Engine *engine, uint64_t number)
{
    const unsigned *grid = engine->launch.grid;
    return (SimtIndex){(unsigned)(number % grid[0]), (unsigned)(number / grid[0] % grid[1]),
                       (unsigned)(number / grid[0] / grid[1])};
}

const char *engine_block_text(const Engine *engine, uint64_t number)
{
    const SimtIndex b = block_index(engine, number);
    return arena_printf(engine->arena, "block (%u,%u,%u)", b.x, b.y, b.z);
}

const char *engine_thread_text(const Engine *engine, unsigned linear)
{
    const SimtIndex t = engine->fiber[linear].place.index;
    return arena_printf(engine->arena, "thread (%u,%u,%u)", t.x, t.y, t.z);
}

_Noreturn void engine_fail(Engine *engine, const char *file, unsigned line, const char *text)
{
    engine->failed = true;
    engine->error.file = file;
    engine->error.line = line;
    engine->error.text = file ? arena_printf(engine->arena, "%s:%u: %s", file, line, text) : text;
    engine_leave(engine);
}

_Noreturn static void fail(Engine *engine, const SimtSite *site, const char *text)
{
    engine_fail(engine, site->file, site->line, text);
}

static bool same_site(const SimtSite *a, const SimtSite *b)
{
    return a == b || (a && b && a->line == b->line && a->use == b->use && strcmp(a->what, b->what) == 0 &&
                      strcmp(a->file, b->file) == 0);
}

static bool wait_alike(const Fiber *a, const Fiber *b)
{
    return a->state == b->state &&
           (a->state == FIBER_RUNNABLE || (same_site(a->site, b->site) && a->lanes == b->lanes));
}

/* "threads 0-15, 32-47" of those that wait as fiber `first` does. */
static void list_threads(const Engine *engine, int first, Buffer *text)
{
    int ranges = 0;
    for (int i = first; i < engine->threads; i++) {
        if (!wait_alike(&engine->fiber[i], &engine->fiber[first])) {
            continue;
        }
        int last = i;
        while (last + 1 < engine->threads && wait_alike(&engine->fiber[last + 1], &engine->fiber[first])) {
            last++;
        }
        if (++ranges > 4) {
            buffer_append_string(text, " ...");
            return;
        }
        buffer_printf(text, ranges == 1 ? "thread%s %d" : ", %.0s%d", ranges == 1 && last > i ? "s" : "", i);
        if (last > i) {
            buffer_printf(text, "-%d", last);
        }
        i = last;
    }
}

static void describe_group(const Engine *engine, int first, Buffer *text)
{
    const Fiber *fiber = &engine->fiber[first];
    list_threads(engine, first, text);
    switch (fiber->state) {
    case FIBER_RUNNABLE:
        buffer_append_string(text, " did not get here yet");
        break;
    case FIBER_RETURNED:
        buffer_append_string(text, " returned");
        break;
    case FIBER_AT_BARRIER:
        buffer_printf(text, " at %s, %s:%u", fiber->site->what, fiber->site->file, fiber->site->line);
        break;
    case FIBER_AT_EXCHANGE:
        buffer_printf(text, " at %s for lanes %#x, %s:%u", fiber->site->what, fiber->lanes, fiber->site->file,
                      fiber->site->line);
        break;
    }
}

/* Who is where, a group of threads at a time, from thread `begin` to `end`. */
static const char *describe_threads(const Engine *engine, int begin, int end)
{
    enum { GROUPS = 6 };
    Buffer text = {0};
    int groups = 0;
    for (int i = begin; i < end; i++) {
        bool told = false;
        for (int j = begin; j < i && !told; j++) {
            told = wait_alike(&engine->fiber[i], &engine->fiber[j]);
        }
        if (told) {
            continue;
        }
        if (groups++ == GROUPS) {
            buffer_append_string(&text, "; ...");
            break;
        }
        buffer_append_string(&text, groups > 1 ? "; " : "");
        describe_group(engine, i, &text);
    }
    const char *copy = arena_copy(engine->arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

_Noreturn static void fail_meeting(Engine *engine, const SimtSite *site, const char *what)
{
    fail(engine, site,
         arena_printf(engine->arena, "%s in %s: %s", what, engine_block_text(engine, engine->block_number),
                      describe_threads(engine, 0, engine->threads)));
}

/* No thread can run, and not all have returned. */
_Noreturn static void fail_deadlock(Engine *engine)
{
    const Fiber *waiting = NULL;
    for (int i = 0; i < engine->threads && !(waiting && waiting->state == FIBER_AT_EXCHANGE); i++) {
        const Fiber *fiber = &engine->fiber[i];
        if (fiber->state == FIBER_AT_EXCHANGE || (!waiting && fiber->state == FIBER_AT_BARRIER)) {
            waiting = fiber;
        }
    }
    assert(waiting);
    fail_meeting(engine, waiting->site,
                 waiting->state == FIBER_AT_EXCHANGE ? "not all lanes that are named take part; deadlock"
                                                     : "not all threads reach this barrier; deadlock");
}

/* ---- who runs next ---- */

static void mark_runnable(Engine *engine, int thread)
{
    engine->runnable[thread / 64] |= 1ull << (thread % 64);
}

static void mark_waiting(Engine *engine, int thread)
{
    engine->runnable[thread / 64] &= ~(1ull << (thread % 64));
}

static uint64_t next_random(Engine *engine) /* xorshift64*, Vigna 2016 */
{
    uint64_t x = engine->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    engine->random = x;
    return (x * 0x2545f4914f6cdd1dull) >> 32;
}

static int lowest_from(const Engine *engine, int start)
{
    const int words = (engine->threads + 63) / 64;
    int word = start / 64;
    uint64_t bits = engine->runnable[word] & (~0ull << (start % 64));
    for (int i = 0; i <= words; i++) {
        if (bits) {
            return word * 64 + __builtin_ctzll(bits);
        }
        word = word + 1 == words ? 0 : word + 1;
        bits = engine->runnable[word];
    }
    return -1;
}

static int highest(const Engine *engine)
{
    for (int word = (engine->threads + 63) / 64 - 1; word >= 0; word--) {
        if (engine->runnable[word]) {
            return word * 64 + 63 - __builtin_clzll(engine->runnable[word]);
        }
    }
    return -1;
}

static Fiber *pick(Engine *engine)
{
    int index;
    switch (engine->launch.order) {
    case SIMT_DESCENDING:
        index = highest(engine);
        break;
    case SIMT_RANDOM:
        index = lowest_from(engine, (int)(next_random(engine) * (uint64_t)engine->threads >> 32));
        break;
    default:
        index = lowest_from(engine, 0);
        break;
    }
    return index < 0 ? NULL : &engine->fiber[index];
}

/* Gives way to whoever is next; `self` comes back when it is runnable and its turn. */
static void give_way(Engine *engine, Fiber *self)
{
    Fiber *next = pick(engine);
    if (!next) {
        fail_deadlock(engine);
    }
    if (next == self) {
        return;
    }
    leaving_for(engine, self->state == FIBER_RETURNED ? NULL : &self->fake,
                stack_base(engine, (int)(next - engine->fiber)), STACK);
    engine->current = next;
    engine->host->place = &next->place;
    simt_switch(&self->stack, next->stack);
    reached(engine, self->fake);
}

/* ---- barriers ---- */

static void release_barrier(Engine *engine, unsigned orders)
{
    engine->at_barrier = 0;
    for (int i = 0; i < engine->threads; i++) {
        engine->fiber[i].state = FIBER_RUNNABLE;
    }
    for (int i = 0; i < engine->threads; i += 64) {
        const int left = engine->threads - i;
        engine->runnable[i / 64] = left >= 64 ? ~0ull : (1ull << left) - 1;
    }
    if (engine->shadow) {
        shadow_pass_barrier(engine->shadow, orders);
    }
}

static void host_barrier(SimtHost *host, const SimtSite *site, unsigned orders)
{
    Engine *engine = host->engine;
    Fiber *self = engine->current;
    self->state = FIBER_AT_BARRIER;
    self->site = site;
    self->lanes = 0;
    if (engine->returned > 0) {
        fail_meeting(engine, site, "a barrier that threads wait at after others returned");
    }
    if (engine->at_barrier == 0) {
        engine->barrier_site = site;
    } else if (!same_site(engine->barrier_site, site)) {
        fail_meeting(engine, site, "divergent barriers");
    }
    mark_waiting(engine, (int)self->place.linear);
    if (++engine->at_barrier == engine->threads) {
        release_barrier(engine, orders);
    }
    give_way(engine, self);
}

/* ---- lanes ---- */

/* Every lane in `lanes` waits; they must wait for each other, at one place. */
static void check_group(Engine *engine, const Warp *warp, int first, uint32_t lanes, const SimtSite *site)
{
    if (warp->uniform) {
        return;
    }
    for (uint32_t left = lanes; left; left &= left - 1) {
        const Fiber *fiber = &engine->fiber[first + __builtin_ctz(left)];
        if (fiber->lanes != lanes || !same_site(fiber->site, site)) {
            fail_meeting(engine, site, "lanes of one warp meet at different places or name different lanes");
        }
    }
}

static void hand_over(Engine *engine, Warp *warp, int first, uint32_t lanes, const SimtSite *site)
{
    for (uint32_t left = lanes; left; left &= left - 1) {
        const int lane = __builtin_ctz(left), from = warp->from[lane];
        if (!(lanes >> from & 1)) {
            fail(engine, site,
                 arena_printf(engine->arena,
                              "lane %d of warp %d in %s reads lane %d, which takes no part (lanes %#x)", lane,
                              first / (int)SIMT_WARP, engine_block_text(engine, engine->block_number), from,
                              lanes));
        }
        warp->result[lane] = warp->value[from];
        engine->fiber[first + lane].state = FIBER_RUNNABLE;
    }
    warp->waiting &= ~lanes;
    engine->runnable[first / 64] |= (uint64_t)lanes << (first % 64);
}

static uint32_t named_lanes(Engine *engine, const Warp *warp, const SimtSite *site, unsigned long long lanes)
{
    if (lanes == SIMT_ALL_LANES) {
        return warp->exist;
    }
    const int lane = (int)(engine->current->place.linear % SIMT_WARP);
    if (!(lanes >> lane & 1)) {
        fail(engine, site,
             arena_printf(engine->arena,
                          "%s in %s is lane %d of its warp, which the mask %#llx does not name",
                          engine_thread_text(engine, engine->current->place.linear),
                          engine_block_text(engine, engine->block_number), lane, lanes));
    }
    if (lanes & ~(unsigned long long)warp->exist) {
        fail(engine, site,
             arena_printf(
                 engine->arena,
                 "the mask %#llx names lanes that the last warp of %s does not have (%d threads a block)",
                 lanes, engine_block_text(engine, engine->block_number), engine->threads));
    }
    return (uint32_t)lanes;
}

static uint64_t meet_lanes(Engine *engine, const SimtSite *site, unsigned long long lanes, uint64_t value,
                           unsigned from, unsigned orders)
{
    Fiber *self = engine->current;
    const int thread = (int)self->place.linear, lane = thread % (int)SIMT_WARP, first = thread - lane;
    Warp *warp = &engine->warp[first / (int)SIMT_WARP];
    const uint32_t named = named_lanes(engine, warp, site, lanes);
    if (from >= SIMT_WARP) {
        fail(engine, site, arena_printf(engine->arena, "lane %d reads lane %u of 32", lane, from));
    }
    if (warp->waiting == 0) {
        warp->uniform = true;
    } else if (warp->uniform) {
        const Fiber *other = &engine->fiber[first + __builtin_ctz(warp->waiting)];
        warp->uniform = other->lanes == named && same_site(other->site, site);
    }
    warp->value[lane] = value;
    warp->from[lane] = (uint8_t)from;
    self->state = FIBER_AT_EXCHANGE;
    self->site = site;
    self->lanes = named;
    warp->waiting |= 1u << lane;
    mark_waiting(engine, thread);
    if ((warp->waiting & named) == named) {
        check_group(engine, warp, first, named, site);
        hand_over(engine, warp, first, named, site);
        if (engine->shadow) {
            shadow_sync_lanes(engine->shadow, first / (int)SIMT_WARP, named, orders);
        }
    }
    give_way(engine, self);
    return warp->result[lane];
}

static unsigned long long host_exchange(SimtHost *host, const SimtSite *site, unsigned long long lanes,
                                        unsigned long long value, unsigned from)
{
    return meet_lanes(host->engine, site, lanes, value, from, SIMT_ORDERS_NOTHING);
}

static void host_sync_lanes(SimtHost *host, const SimtSite *site, unsigned long long lanes, unsigned orders)
{
    Engine *engine = host->engine;
    meet_lanes(engine, site, lanes, 0, engine->current->place.linear % SIMT_WARP, orders);
}

/* ---- what a checked module reports ---- */

static void host_mistake(SimtHost *host, const SimtSite *site, const char *text)
{
    Engine *engine = host->engine;
    fail(engine, site,
         arena_printf(engine->arena, "%s: %s in %s", text,
                      engine_thread_text(engine, engine->current->place.linear),
                      engine_block_text(engine, engine->block_number)));
}

/* ---- one block ---- */

static void fiber_main(void *argument)
{
    Engine *engine = argument;
    reached(engine, NULL);
    Fiber *self = engine->current;
    engine->call(engine->argument);
    self->state = FIBER_RETURNED;
    self->site = NULL;
    self->lanes = 0;
    mark_waiting(engine, (int)self->place.linear);
    engine->returned++;
    if (engine->at_barrier > 0) {
        fail_meeting(engine, engine->barrier_site, "a barrier that threads wait at while others returned");
    }
    if (engine->returned == engine->threads) {
        engine_leave(engine);
    }
    give_way(engine, self); /* does not come back: it is never runnable again */
    __builtin_unreachable();
}

static void poison_shared(Engine *engine)
{
    static const uint32_t pattern[] = {[SIMT_POISON_NAN] = 0x7fa5a5a5u, [SIMT_POISON_5A] = 0x5a5a5a5au};
    const uint32_t word = pattern[engine->launch.poison];
    unsigned char *at = engine->shared.begin, *end = engine->shared.end;
    for (; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(at, &word, sizeof word);
    }
    for (; at < end; at++) {
        *at = (unsigned char)word;
    }
}

/* What fibers that were left for good had on their stacks is forgotten. */
static void forget_stacks(Engine *engine)
{
#ifdef ADDRESS_SANITIZER
    for (int i = 0; i < engine->threads; i++) {
        __asan_unpoison_memory_region(stack_base(engine, i), STACK);
    }
#else
    (void)engine;
#endif
}

static void begin_block(Engine *engine)
{
    forget_stacks(engine);
    poison_shared(engine);
    engine->at_barrier = engine->returned = 0;
    memset(engine->runnable, 0, sizeof engine->runnable);
    for (int i = 0; i < engine->warps; i++) {
        engine->warp[i].waiting = 0;
    }
    for (int i = 0; i < engine->threads; i++) {
        engine->fiber[i].state = FIBER_RUNNABLE;
        engine->fiber[i].site = NULL;
        mark_runnable(engine, i);
        unsigned char *top = stack_base(engine, i) + STACK - (size_t)(i % COLOURS) * COLOUR;
        engine->fiber[i].stack = simt_switch_prepare(top, fiber_main, engine);
    }
    if (engine->shadow) {
        shadow_begin_block(engine->shadow);
    }
}

static bool run_block(Engine *engine)
{
    begin_block(engine);
    Fiber *first = pick(engine);
    engine->main_bottom = NULL;
    leaving_for(engine, &engine->main_fake, stack_base(engine, (int)(first - engine->fiber)), STACK);
    engine->current = first;
    engine->host->place = &first->place;
    simt_switch(&engine->main_stack, first->stack);
    reached(engine, engine->main_fake);
    return !engine->failed && !engine->fault.number;
}

/* ---- all blocks ---- */

static void place_threads(Engine *engine)
{
    const unsigned *block = engine->launch.block;
    unsigned linear = 0;
    for (unsigned z = 0; z < block[2]; z++) {
        for (unsigned y = 0; y < block[1]; y++) {
            for (unsigned x = 0; x < block[0]; x++, linear++) {
                engine->fiber[linear].place = (SimtPlace){{x, y, z}, linear};
            }
        }
    }
    engine->threads = (int)linear;
    engine->warps = (engine->threads + (int)SIMT_WARP - 1) / (int)SIMT_WARP;
    for (int i = 0; i < engine->warps; i++) {
        const int left = engine->threads - i * (int)SIMT_WARP;
        engine->warp[i] = (Warp){.exist = left >= (int)SIMT_WARP ? ~0u : (1u << left) - 1};
    }
}

/* The block to run as number `turn`. Random: w = (a w + c) mod 2^k walks through every number below 2^k once
 * when c is odd and a is 1 mod 4 (Hull and Dobell 1962); those that are no block are passed over. */
static uint64_t block_at(const Engine *engine, uint64_t turn, uint64_t blocks, uint64_t mask, uint64_t *walk)
{
    if (engine->launch.order == SIMT_ASCENDING) {
        return turn;
    }
    if (engine->launch.order == SIMT_DESCENDING) {
        return blocks - 1 - turn;
    }
    do {
        *walk = (*walk * 0x5851f42d4c957f2dull + (engine->launch.seed | 1)) & mask;
    } while (*walk >= blocks);
    return *walk;
}

bool engine_run(Engine *engine)
{
    place_threads(engine);
    const unsigned *grid = engine->launch.grid;
    const uint64_t blocks = (uint64_t)grid[0] * grid[1] * grid[2];
    uint64_t mask = 1, walk = engine->launch.seed;
    while (mask < blocks) {
        mask = mask * 2;
    }
    mask -= 1;
    walk &= mask;
    engine->random = engine->launch.seed * 2 + 1;
    engine->host->grid = (SimtIndex){grid[0], grid[1], grid[2]};
    engine->host->block_size =
        (SimtIndex){engine->launch.block[0], engine->launch.block[1], engine->launch.block[2]};
    for (uint64_t turn = 0; turn < blocks; turn++) {
        const uint64_t block = block_at(engine, turn, blocks, mask, &walk);
        engine->block_number = block;
        engine->host->block = block_index(engine, block);
        if (!run_block(engine)) {
            return false;
        }
        if (engine->expired) {
            engine->error.text = arena_printf(
                engine->arena, "no end within %g s: %llu of %llu blocks are done", engine->launch.seconds,
                (unsigned long long)turn + 1, (unsigned long long)blocks);
            return false;
        }
    }
    return true;
}

void engine_attach(Engine *engine, SimtHost *host)
{
    engine->host = host;
    host->engine = engine;
    host->barrier = host_barrier;
    host->sync_lanes = host_sync_lanes;
    host->exchange = host_exchange;
    host->mistake = host_mistake;
}
