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
    int reduction;       /* part, join: which; else 0 */
    size_t part, floats; /* part: leaves of one part; workspace floats per part */
} LaunchEntry;

enum { LAUNCH_ENTRIES = 32, LAUNCH_BLOCK_LIMIT = 1024, LAUNCH_WARP = 32 };

typedef struct Launch {
    LaunchEntry entry[LAUNCH_ENTRIES]; /* in launch order */
    int entries;
    size_t workspace_floats; /* besides those per part: values of the row */
} Launch;

/* From a variant's manifest entry: "launch": {"kernels": [{"name", "role", "reduction"?, "part"?,
 * "floats"?}], "workspace_floats"?}. Without "kernels": one entry `symbol` of role rows. NULL when done, else
 * what is wrong. */
const char *launch_read(Arena *arena, const json_t *launch, const char *symbol, Launch *result);
const LaunchEntry *launch_entry(const Launch *launch, LaunchRole role);

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
/* The geometry that should be fastest on a device of `processors` multiprocessors. */
Geometry launch_choose(const Launch *launch, LaunchWork work, int processors);

/* Geometries worth timing: every path that the kernel has, several block sizes up to `block_limit`. Returns
 * how many; at most LAUNCH_CANDIDATES. */
enum { LAUNCH_CANDIDATES = 16 };
int launch_candidates(const Launch *launch, LaunchWork work, unsigned block_limit,
                      Geometry list[LAUNCH_CANDIDATES]);

/* One kernel launch of a call. */
typedef struct LaunchStep {
    const LaunchEntry *entry;
    unsigned grid, block;
    bool extra; /* takes the workspace and the row as its last arguments */
    unsigned long long row;
} LaunchStep;

/* The launches of a call in order: step number `index`, false after the last. With no rows there is none. */
bool launch_step(const Launch *launch, LaunchWork work, Geometry geometry, size_t index, LaunchStep *step);
size_t launch_workspace(const Launch *launch, LaunchWork work, Geometry geometry); /* floats */

#endif
