/* launch.h: which entry points a device kernel has, and in which geometry they are launched.
 *
 * Geometry is schedule: every choice gives the same bits. Three paths: one block per row, one warp per row,
 * or one row over many blocks (parts of each reduction into a workspace, joined in the term's order by one
 * block, then the outputs). */
#ifndef SAMEBITS_LAUNCH_H
#define SAMEBITS_LAUNCH_H

#include "family/family.h"

#include <jansson.h>
#include <stdbool.h>

typedef enum LaunchRole { LAUNCH_ROWS, LAUNCH_WARPS, LAUNCH_PART, LAUNCH_JOIN, LAUNCH_OUTPUT } LaunchRole;

typedef struct LaunchEntry {
    const char *name;
    LaunchRole role;
    int reduction; /* part, join: which; else 0 */
} LaunchEntry;

enum {
    LAUNCH_REDUCTIONS = 16,
    LAUNCH_CUTS = 64,
    LAUNCH_ENTRIES = 2 * LAUNCH_REDUCTIONS + 3,
    LAUNCH_BLOCK_LIMIT = 1024,
    LAUNCH_WARP = 32
};

/* How a row becomes partials: cut by cut, each taking the number of items and giving that of parts. */
typedef enum LaunchCutKind { CUT_CHUNK, CUT_LANES, CUT_SPLIT, CUT_KINDS } LaunchCutKind;
typedef struct LaunchCut {
    LaunchCutKind kind;
    size_t size; /* chunk: items of a part; lanes, split: parts */
} LaunchCut;

typedef struct Launch {
    LaunchEntry entry[LAUNCH_ENTRIES]; /* those of one long row in launch order */
    int entries;
    /* The workspace: places for the reductions' values, then the partials of one reduction at a time. */
    size_t value_bytes, values;
    LaunchCut cut[LAUNCH_REDUCTIONS][LAUNCH_CUTS];
    int cuts[LAUNCH_REDUCTIONS], reductions;
} Launch;

/* From a variant's manifest entry, `launch`: docs/devices.md, "Entry points". Without "kernels": one entry
 * `symbol` of role rows. NULL when done, else what is wrong. */
const char *launch_read(Arena *arena, const json_t *launch, const char *symbol, Launch *result);
/* The same of a variant of this program's (of_variant.c). */
const char *launch_of_variant(Arena *arena, const Variant *variant, Launch *result);
const LaunchEntry *launch_entry(const Launch *launch, LaunchRole role);
/* Of a row of `columns` leaves. */
size_t launch_partials(const Launch *launch, int reduction, size_t columns);

typedef enum LaunchPath { PATH_ROWS, PATH_WARPS, PATH_LONG, PATHS } LaunchPath;
extern const char *const launch_path_name[PATHS];

typedef struct Geometry {
    LaunchPath path;
    unsigned block; /* threads, a multiple of 32 up to 1024 */
    unsigned grid;  /* most blocks of a launch; 0: as many as there is work for */
} Geometry;

/* What the rows of a call are: the product of the parallel dims, and of the reduced ones. */
typedef struct LaunchWork {
    size_t rows, columns;
} LaunchWork;
LaunchWork launch_work(const Operator *op, uint32_t parallel_dims, const Shape *shape);

bool launch_has_path(const Launch *launch, LaunchPath path);
/* The geometry that should be fastest on a device of `processors` multiprocessors, where a block has at most
 * `block_limit` threads. */
Geometry launch_choose(const Launch *launch, LaunchWork work, int processors, unsigned block_limit);
/* NULL, or why the geometry cannot be launched. */
const char *launch_refuses(Arena *arena, const Launch *launch, Geometry geometry, unsigned block_limit);

/* Geometries worth timing: every path that the kernel has, several block sizes up to `block_limit`. Returns
 * how many; at most LAUNCH_CANDIDATES. */
enum { LAUNCH_CANDIDATES = 16 };
int launch_candidates(const Launch *launch, LaunchWork work, unsigned block_limit,
                      Geometry list[LAUNCH_CANDIDATES]);

/* One kernel launch of a call. */
typedef struct LaunchStep {
    const LaunchEntry *entry;
    unsigned grid, block;
    bool extra; /* takes the row and the workspace as its last arguments */
    unsigned long long row;
} LaunchStep;

/* Seconds that one wait for a device may take before its kernel is taken to hang: $SAMEBITS_DEVICE_SECONDS,
 * else 10. */
double launch_patience(void);

/* The launches of a call in order: step number `index`, false after the last. With no rows there is none. */
bool launch_step(const Launch *launch, LaunchWork work, Geometry geometry, size_t index, LaunchStep *step);
size_t launch_workspace(const Launch *launch, LaunchWork work, Geometry geometry); /* bytes */

#endif
