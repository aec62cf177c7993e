/* shadow.c: a cell per word of every buffer and of the shared memory.
 *
 * A cell keeps the last write and three reads: of two lanes of one warp and of some other warp or block. A
 * later write by any thread then finds one of them that is not its own and not ordered with it, if there is
 * one: of its own warp one of the two lanes, else the other. (Partial masks can hide a third lane's read;
 * values under other orders are there for that.)
 *
 * Cells come zeroed from mmap and are made only where a kernel touches its buffer. A launch starts with none;
 * cells of shared memory carry their block's number, so nothing is cleared between blocks. */
#include "simt/shadow.h"

#include "simt/engine.h"

#include <string.h>
#include <sys/mman.h>

enum { WORD = 4, READS = 3, REGIONS = SIMT_ARGUMENTS + 4, SPACES = 2 };
enum { SPACE_SHARED, SPACE_GLOBAL };

typedef struct Record {
    const void *where;
    uint32_t block, interval, clock;
    uint16_t thread;
    uint8_t bytes; /* of the word, a bit each */
    bool valid : 1, atomic : 1, is_site : 1;
} Record;

typedef struct Cell {
    Record write, read[READS];
    uint32_t block;  /* shared: which block `written` is about, plus 1 */
    uint8_t written; /* bytes that somebody wrote */
} Cell;

typedef enum RegionKind { REGION_SHARED, REGION_INPUT, REGION_OUTPUT, REGION_CONSTANT } RegionKind;
typedef struct Region {
    uintptr_t begin, end;
    RegionKind kind;
    Cell *cell;
    size_t cell_bytes;
} Region;

/* What each lane of a warp knows of the others' clocks; its own entry is its own clock. */
typedef struct Clocks {
    uint32_t lane[SPACES][SIMT_WARP][SIMT_WARP];
} Clocks;

struct Shadow {
    Engine *engine;
    Region region[REGIONS];
    int regions;
    const Region *last; /* where the previous access was found */
    uint32_t interval[SPACES];
    Clocks warp[SIMT_WARPS];
};

/* ---- regions ---- */

static bool add_region(Shadow *shadow, const void *begin, const void *end, RegionKind kind)
{
    Region *region = &shadow->region[shadow->regions];
    *region = (Region){(uintptr_t)begin, (uintptr_t)end, kind, NULL, 0};
    if (region->begin >= region->end) {
        return true;
    }
    shadow->regions++;
    if (kind == REGION_CONSTANT) {
        return true;
    }
    region->cell_bytes = ((region->end - 1) / WORD - region->begin / WORD + 1) * sizeof(Cell);
    region->cell = mmap(NULL, region->cell_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region->cell == MAP_FAILED) {
        region->cell = NULL;
        return false;
    }
    return true;
}

Shadow *shadow_create(Engine *engine, SimtSpan shared, SimtSpan image, const SimtArgument *arguments,
                      int count)
{
    Shadow *shadow = mmap(NULL, sizeof *shadow, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (shadow == MAP_FAILED) {
        return NULL;
    }
    shadow->engine = engine;
    bool fine = add_region(shadow, shared.begin, shared.end, REGION_SHARED);
    for (int i = 0; i < count && fine; i++) {
        if (arguments[i].kind == SIMT_INPUT || arguments[i].kind == SIMT_OUTPUT) {
            const unsigned char *data = arguments[i].pointer;
            fine = add_region(shadow, data, data + arguments[i].bytes,
                              arguments[i].kind == SIMT_INPUT ? REGION_INPUT : REGION_OUTPUT);
        }
    }
    fine = fine && add_region(shadow, engine->fiber, engine->fiber + SIMT_THREADS, REGION_CONSTANT) &&
           add_region(shadow, image.begin, image.end, REGION_CONSTANT);
    if (!fine) {
        shadow_destroy(shadow);
        return NULL;
    }
    return shadow;
}

void shadow_destroy(Shadow *shadow)
{
    if (!shadow) {
        return;
    }
    for (int i = 0; i < shadow->regions; i++) {
        if (shadow->region[i].cell) {
            munmap(shadow->region[i].cell, shadow->region[i].cell_bytes);
        }
    }
    munmap(shadow, sizeof *shadow);
}

/* The shared memory and the buffers come first: the module's image has the shared memory inside it. */
static const Region *find_region(Shadow *shadow, uintptr_t address, uint64_t bytes)
{
    if (shadow->last && address >= shadow->last->begin && address + bytes <= shadow->last->end) {
        return shadow->last;
    }
    for (int i = 0; i < shadow->regions; i++) {
        const Region *region = &shadow->region[i];
        if (address >= region->begin && address + bytes <= region->end) {
            if (region->kind != REGION_CONSTANT) {
                shadow->last = region;
            }
            return region;
        }
    }
    return NULL;
}

/* ---- time ---- */

void shadow_begin_block(Shadow *shadow)
{
    for (int space = 0; space < SPACES; space++) {
        shadow->interval[space]++;
    }
    for (int warp = 0; warp < shadow->engine->warps; warp++) {
        memset(&shadow->warp[warp], 0, sizeof shadow->warp[warp]);
        for (unsigned lane = 0; lane < SIMT_WARP; lane++) {
            shadow->warp[warp].lane[SPACE_SHARED][lane][lane] = 1;
            shadow->warp[warp].lane[SPACE_GLOBAL][lane][lane] = 1;
        }
    }
}

void shadow_pass_barrier(Shadow *shadow, unsigned orders)
{
    shadow->interval[SPACE_SHARED] += (orders & SIMT_ORDERS_SHARED) != 0;
    shadow->interval[SPACE_GLOBAL] += (orders & SIMT_ORDERS_GLOBAL) != 0;
}

/* Each lane learns what any of them knows, and starts a new time of its own. */
static void join_clocks(uint32_t clock[SIMT_WARP][SIMT_WARP], uint32_t lanes)
{
    uint32_t known[SIMT_WARP] = {0};
    for (uint32_t left = lanes; left; left &= left - 1) {
        const uint32_t *one = clock[__builtin_ctz(left)];
        for (unsigned i = 0; i < SIMT_WARP; i++) {
            known[i] = one[i] > known[i] ? one[i] : known[i];
        }
    }
    for (uint32_t left = lanes; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        memcpy(clock[lane], known, sizeof known);
        clock[lane][lane]++;
    }
}

void shadow_sync_lanes(Shadow *shadow, int warp, uint32_t lanes, unsigned orders)
{
    if (orders & SIMT_ORDERS_SHARED) {
        join_clocks(shadow->warp[warp].lane[SPACE_SHARED], lanes);
    }
    if (orders & SIMT_ORDERS_GLOBAL) {
        join_clocks(shadow->warp[warp].lane[SPACE_GLOBAL], lanes);
    }
}

/* ---- one word ---- */

static bool ordered(const Shadow *shadow, const Record *before, const Record *now, int space)
{
    if (before->block != now->block) {
        return false;
    }
    if (before->thread == now->thread || before->interval < shadow->interval[space]) {
        return true;
    }
    if (before->thread / SIMT_WARP != now->thread / SIMT_WARP) {
        return false;
    }
    const Clocks *clocks = &shadow->warp[now->thread / SIMT_WARP];
    return clocks->lane[space][now->thread % SIMT_WARP][before->thread % SIMT_WARP] >= before->clock;
}

static bool races(const Shadow *shadow, const Record *before, const Record *now, int space)
{
    if (!before->valid || !(before->bytes & now->bytes) || (before->atomic && now->atomic)) {
        return false;
    }
    if (space == SPACE_SHARED && before->block != now->block) {
        return false; /* what another block left there is gone */
    }
    return !ordered(shadow, before, now, space);
}

/* Places 0 and 1 are for two lanes of one warp, place 2 for a thread outside that warp. */
static void remember_read(const Shadow *shadow, Cell *cell, const Record *now, int space)
{
    Record *read = cell->read;
    const bool same_warp = read[0].valid && read[0].block == now->block &&
                           read[0].interval == now->interval &&
                           read[0].thread / SIMT_WARP == now->thread / SIMT_WARP;
    if (!same_warp) {
        if (read[0].valid && !ordered(shadow, &read[0], now, space)) {
            read[2] = read[0];
        }
        read[0] = *now;
        read[1].valid = false;
    } else if (read[0].thread == now->thread) {
        read[0] = *now;
    } else {
        read[1] = *now;
    }
}

static ShadowFinding race_finding(const Record *before, unsigned kind)
{
    return (ShadowFinding){"race", before->where, before->is_site, before->thread, before->block, kind};
}

static ShadowFinding touch_word(Shadow *shadow, const Region *region, Cell *cell, Record *now, unsigned kind)
{
    const int space = region->kind == REGION_SHARED ? SPACE_SHARED : SPACE_GLOBAL;
    now->interval = shadow->interval[space];
    now->clock =
        shadow->warp[now->thread / SIMT_WARP].lane[space][now->thread % SIMT_WARP][now->thread % SIMT_WARP];
    if (races(shadow, &cell->write, now, space)) {
        return race_finding(&cell->write, cell->write.atomic ? SIMT_ATOMIC : SIMT_WRITES);
    }
    if (space == SPACE_SHARED && cell->block != now->block + 1) {
        cell->block = now->block + 1;
        cell->written = 0;
    }
    if (kind != SIMT_WRITES && space == SPACE_SHARED && (cell->written & now->bytes) != now->bytes) {
        return (ShadowFinding){.text = "reads shared memory that no thread of the block wrote"};
    }
    if (kind == SIMT_READS) {
        remember_read(shadow, cell, now, space);
        return (ShadowFinding){0};
    }
    for (int i = 0; i < READS; i++) {
        if (races(shadow, &cell->read[i], now, space)) {
            return race_finding(&cell->read[i], SIMT_READS);
        }
    }
    cell->written |= now->bytes;
    cell->write = *now;
    return (ShadowFinding){0};
}

static ShadowFinding refuse(const Region *region, const ShadowAccess *access)
{
    if (access->kind == SIMT_READS || region->kind == REGION_OUTPUT || region->kind == REGION_SHARED) {
        return (ShadowFinding){0};
    }
    return (ShadowFinding){.text = region->kind == REGION_INPUT ? "writes to an input"
                                                                : "writes to a constant of the module"};
}

ShadowFinding shadow_access(Shadow *shadow, const ShadowAccess *access)
{
    Engine *engine = shadow->engine;
    const uintptr_t begin = (uintptr_t)access->address, end = begin + access->bytes;
    const int thread = (int)engine->current->place.linear;
    const int stack = engine_stack_of(engine, begin);
    if (stack >= 0) {
        return stack == thread ? (ShadowFinding){0}
                               : (ShadowFinding){.text = "touches a local variable of another thread"};
    }
    const Region *region = find_region(shadow, begin, access->bytes);
    if (!region) {
        return (ShadowFinding){.text = access->kind == SIMT_READS ? "reads outside every buffer"
                                                                  : "writes outside every buffer"};
    }
    ShadowFinding finding = refuse(region, access);
    if (!region->cell) {
        return finding;
    }
    for (uintptr_t word = begin / WORD * WORD; word < end && !finding.text; word += WORD) {
        const unsigned from = word < begin ? (unsigned)(begin - word) : 0;
        const unsigned to = end - word < WORD ? (unsigned)(end - word) : WORD;
        Record now = {.where = access->where,
                      .block = (uint32_t)engine->block_number,
                      .thread = (uint16_t)thread,
                      .bytes = (uint8_t)(((1u << to) - 1) & ~((1u << from) - 1)),
                      .valid = true,
                      .atomic = access->kind == SIMT_ATOMIC,
                      .is_site = access->is_site};
        finding =
            touch_word(shadow, region, &region->cell[word / WORD - region->begin / WORD], &now, access->kind);
    }
    return finding;
}
