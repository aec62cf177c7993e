/* launch.c: entry points from the manifest, and the launches of one call. */
#include "device/launch.h"

#include <string.h>

enum {
    GRID_LIMIT = 2147483647, /* CUDA: blocks along x */
    SHORT_ROW = 1024,        /* up to here a warp does a row alone */
    BLOCK = 256,        /* threads: eight chunks at a time, and eight such blocks fill a multiprocessor */
    LONG_FROM = 1 << 18 /* few rows at least this long are spread over blocks */
};

static const char *const role_name[] = {
    [LAUNCH_ROWS] = "rows", [LAUNCH_WARPS] = "warps",   [LAUNCH_PART] = "part",
    [LAUNCH_JOIN] = "join", [LAUNCH_OUTPUT] = "output",
};
enum { ROLES = sizeof role_name / sizeof *role_name };

const char *const launch_path_name[PATHS] = {
    [PATH_ROWS] = "rows", [PATH_WARPS] = "warps", [PATH_LONG] = "long"};

/* ---- from the manifest ---- */

static bool read_role(const char *name, LaunchRole *role)
{
    for (int i = 0; i < ROLES; i++)
        if (name && !strcmp(name, role_name[i])) {
            *role = (LaunchRole)i;
            return true;
        }
    return false;
}

static size_t read_size(const json_t *object, const char *name)
{
    const json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (size_t)value : 0;
}

static const char *read_entry(Arena *arena, const json_t *kernel, LaunchEntry *entry)
{
    const char *name = json_string_value(json_object_get(kernel, "name"));
    const char *role = json_string_value(json_object_get(kernel, "role"));
    if (!name)
        return "an entry of launch.kernels has no name";
    if (!read_role(role, &entry->role))
        return arena_printf(arena,
                            "kernel %s has the role '%s', which is none of rows, warps, part, join, output",
                            name, role ? role : "");
    entry->name = arena_copy(arena, name);
    entry->reduction = (int)read_size(kernel, "reduction");
    entry->part = read_size(kernel, "part");
    entry->floats = read_size(kernel, "floats");
    return NULL;
}

const char *launch_read(Arena *arena, const json_t *launch, const char *symbol, Launch *result)
{
    *result = (Launch){.workspace_floats = read_size(launch, "workspace_floats")};
    const json_t *kernels = json_object_get(launch, "kernels"), *kernel;
    size_t i;
    if (json_array_size(kernels) > LAUNCH_ENTRIES)
        return arena_printf(arena, "launch.kernels has %zu entries; %d is the limit",
                            json_array_size(kernels), LAUNCH_ENTRIES);
    json_array_foreach(kernels, i, kernel)
    {
        const char *why = read_entry(arena, kernel, &result->entry[result->entries]);
        if (why)
            return why;
        result->entries++;
    }
    if (!result->entries)
        result->entry[result->entries++] =
            (LaunchEntry){.name = arena_copy(arena, symbol), .role = LAUNCH_ROWS};
    return NULL;
}

const LaunchEntry *launch_entry(const Launch *launch, LaunchRole role)
{
    for (int i = 0; i < launch->entries; i++)
        if (launch->entry[i].role == role)
            return &launch->entry[i];
    return NULL;
}

bool launch_has_path(const Launch *launch, LaunchPath path)
{
    switch (path) {
    case PATH_ROWS:
        return launch_entry(launch, LAUNCH_ROWS);
    case PATH_WARPS:
        return launch_entry(launch, LAUNCH_WARPS);
    case PATH_LONG:
        return launch_entry(launch, LAUNCH_PART) && launch_entry(launch, LAUNCH_JOIN);
    case PATHS:
        break;
    }
    return false;
}

/* ---- geometry ---- */

LaunchWork launch_work(const Operator *op, uint32_t parallel_dims, const Shape *shape)
{
    LaunchWork work = {1, 1};
    for (int d = 0; d < op->dims; d++)
        *((parallel_dims >> d & 1) ? &work.rows : &work.columns) *= shape->size[d];
    return work;
}

Geometry launch_choose(const Launch *launch, LaunchWork work, int processors)
{
    const bool few = work.rows < (size_t)processors;
    if (few && work.columns >= LONG_FROM && launch_has_path(launch, PATH_LONG))
        return (Geometry){PATH_LONG, BLOCK, 0};
    if (work.columns <= SHORT_ROW && !few && launch_has_path(launch, PATH_WARPS))
        return (Geometry){PATH_WARPS, BLOCK, 0};
    if (launch_has_path(launch, PATH_ROWS))
        return (Geometry){PATH_ROWS, BLOCK, 0};
    return (Geometry){launch_has_path(launch, PATH_WARPS) ? PATH_WARPS : PATH_LONG, BLOCK, 0};
}

/* The long path launches once per row and part: with many rows it is out of the question. */
int launch_candidates(const Launch *launch, LaunchWork work, unsigned block_limit,
                      Geometry list[LAUNCH_CANDIDATES])
{
    static const unsigned blocks[] = {64, 128, 256, 512, 1024};
    int count = 0;
    for (int path = 0; path < PATHS; path++) {
        if (!launch_has_path(launch, (LaunchPath)path) || (path == PATH_LONG && work.rows > 4))
            continue;
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
            if (blocks[b] <= block_limit && count < LAUNCH_CANDIDATES)
                list[count++] = (Geometry){(LaunchPath)path, blocks[b], 0};
    }
    return count;
}

static unsigned limit_grid(size_t wanted, Geometry geometry)
{
    const size_t most = geometry.grid ? geometry.grid : GRID_LIMIT;
    return (unsigned)(wanted > most ? most : wanted > 0 ? wanted : 1);
}

static size_t parts_of(const LaunchEntry *entry, LaunchWork work)
{
    const size_t part = entry->part ? entry->part : 1;
    return (work.columns + part - 1) / part;
}

static unsigned step_grid(const LaunchEntry *entry, LaunchWork work, Geometry geometry)
{
    switch (entry->role) {
    case LAUNCH_ROWS:
        return limit_grid(work.rows, geometry);
    case LAUNCH_WARPS: {
        const size_t warps = geometry.block / LAUNCH_WARP;
        return limit_grid((work.rows + warps - 1) / warps, geometry);
    }
    case LAUNCH_PART:
        return limit_grid(parts_of(entry, work), geometry);
    case LAUNCH_JOIN:
        return 1;
    case LAUNCH_OUTPUT:
        return limit_grid((work.columns + geometry.block - 1) / geometry.block, geometry);
    }
    return 1;
}

/* The entries of the long path keep their order in the manifest. */
static const LaunchEntry *long_entry(const Launch *launch, size_t index)
{
    for (int i = 0; i < launch->entries; i++)
        if (launch->entry[i].role >= LAUNCH_PART && index-- == 0)
            return &launch->entry[i];
    return NULL;
}

static size_t long_entries(const Launch *launch)
{
    size_t count = 0;
    for (int i = 0; i < launch->entries; i++)
        count += launch->entry[i].role >= LAUNCH_PART;
    return count;
}

bool launch_step(const Launch *launch, LaunchWork work, Geometry geometry, size_t index, LaunchStep *step)
{
    if (work.rows == 0 || !launch_has_path(launch, geometry.path))
        return false;
    *step = (LaunchStep){.block = geometry.block};
    if (geometry.path == PATH_LONG) {
        const size_t each = long_entries(launch);
        if (index >= each * work.rows)
            return false;
        step->entry = long_entry(launch, index % each);
        step->extra = true;
        step->row = index / each;
    } else {
        if (index > 0)
            return false;
        step->entry = launch_entry(launch, geometry.path == PATH_ROWS ? LAUNCH_ROWS : LAUNCH_WARPS);
    }
    step->grid = step_grid(step->entry, work, geometry);
    return true;
}

size_t launch_workspace(const Launch *launch, LaunchWork work, Geometry geometry)
{
    if (geometry.path != PATH_LONG)
        return 0;
    size_t floats = launch->workspace_floats;
    for (int i = 0; i < launch->entries; i++)
        if (launch->entry[i].role == LAUNCH_PART) {
            const size_t each = launch->entry[i].floats ? launch->entry[i].floats : 1;
            floats += each * parts_of(&launch->entry[i], work);
        }
    return floats;
}
