/* launch.c: entry points from the manifest, and the launches of one call. */
#include "device/launch.h"

#include <assert.h>
#include <stdlib.h>
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

static const char *const cut_name[CUT_KINDS] = {
    [CUT_CHUNK] = "chunk", [CUT_LANES] = "lanes", [CUT_SPLIT] = "split"};

const char *const launch_path_name[PATHS] = {
    [PATH_ROWS] = "rows", [PATH_WARPS] = "warps", [PATH_LONG] = "long"};

/* ---- from the manifest ---- */

/* The place of `name` in a list of names; -1: none. */
static int place_of(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count && name; i++)
        if (!strcmp(name, names[i]))
            return i;
    return -1;
}

/* What parts, joins and outputs take behind the operator's arguments: a driver copies what it is told to. */
static bool takes_row_and_workspace(const json_t *kernel)
{
    const json_t *extra = json_object_get(kernel, "extra");
    const char *row = json_string_value(json_array_get(extra, 0)),
               *workspace = json_string_value(json_array_get(extra, 1));
    return json_array_size(extra) == 2 && row && !strcmp(row, "row") && workspace &&
           !strcmp(workspace, "workspace");
}

static const char *read_entry(Arena *arena, const json_t *kernel, LaunchEntry *entry)
{
    const char *name = json_string_value(json_object_get(kernel, "name"));
    const char *role = json_string_value(json_object_get(kernel, "role"));
    const int place = place_of(role, role_name, ROLES);
    if (!name)
        return "an entry of launch.kernels has no name";
    if (place < 0)
        return arena_printf(arena,
                            "kernel %s has the role '%s', which is none of rows, warps, part, join, output",
                            name, role ? role : "");
    *entry = (LaunchEntry){.name = arena_copy(arena, name),
                           .role = (LaunchRole)place,
                           .reduction = (int)json_integer_value(json_object_get(kernel, "reduction"))};
    if (entry->role >= LAUNCH_PART && !takes_row_and_workspace(kernel))
        return arena_printf(arena, "kernel %s does not say that it takes \"row\" and \"workspace\"", name);
    return NULL;
}

static const char *read_kernels(Arena *arena, const json_t *kernels, Launch *result)
{
    const json_t *kernel;
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
    return NULL;
}

static const char *read_cuts(Arena *arena, const json_t *list, int reduction, Launch *result)
{
    const json_t *record;
    size_t i;
    if (json_array_size(list) == 0 || json_array_size(list) > LAUNCH_CUTS)
        return arena_printf(arena, "launch.workspace.partials[%d] has no cuts, or more than %d", reduction,
                            LAUNCH_CUTS);
    json_array_foreach(list, i, record)
    {
        const int kind = place_of(json_string_value(json_object_get(record, "cut")), cut_name, CUT_KINDS);
        const json_int_t size = json_integer_value(json_object_get(record, "size"));
        if (kind < 0 || size <= 0)
            return arena_printf(arena,
                                "launch.workspace.partials[%d] has a cut that is none of chunk, lanes, "
                                "split with a size",
                                reduction);
        result->cut[reduction][i] = (LaunchCut){(LaunchCutKind)kind, (size_t)size};
    }
    result->cuts[reduction] = (int)json_array_size(list);
    return NULL;
}

static const char *read_workspace(Arena *arena, const json_t *workspace, Launch *result)
{
    static const char *const types[] = {"float", "double"};
    const json_t *partials = json_object_get(workspace, "partials");
    const int type = place_of(json_string_value(json_object_get(workspace, "type")), types, 2);
    const json_int_t values = json_integer_value(json_object_get(workspace, "values"));
    const char *why = NULL;
    if (type < 0 || values <= 0 || json_array_size(partials) > LAUNCH_REDUCTIONS)
        return "launch.workspace has no type float or double, no number of values, or too many reductions";
    result->value_bytes = type == 0 ? sizeof(float) : sizeof(double);
    result->values = (size_t)values;
    result->reductions = (int)json_array_size(partials);
    for (int r = 0; r < result->reductions && !why; r++)
        why = read_cuts(arena, json_array_get(partials, (size_t)r), r, result);
    return why;
}

/* The entry points of one long row, from `first` on: part 0, join 0, part 1, ..., output, and nothing behind.
 */
static bool is_in_order(const Launch *launch, int first)
{
    for (int i = first; i < launch->entries; i++) {
        const LaunchEntry *entry = &launch->entry[i];
        const int step = i - first, reduction = step / 2;
        const LaunchRole role = reduction == launch->reductions ? LAUNCH_OUTPUT
                                : step % 2                      ? LAUNCH_JOIN
                                                                : LAUNCH_PART;
        if (entry->role != role || (role != LAUNCH_OUTPUT && entry->reduction != reduction))
            return false;
    }
    return launch->entries - first == 2 * launch->reductions + 1;
}

static const char *check_long_row(const Launch *launch)
{
    for (int i = 0; i < launch->entries; i++)
        if (launch->entry[i].role >= LAUNCH_PART)
            return launch->reductions > 0 && launch->reductions <= (int)launch->values &&
                           is_in_order(launch, i)
                       ? NULL
                       : "launch.kernels of one long row are not part and join of each reduction of "
                         "launch.workspace in turn, then output";
    return NULL;
}

const char *launch_read(Arena *arena, const json_t *launch, const char *symbol, Launch *result)
{
    const json_t *workspace = json_object_get(launch, "workspace");
    *result = (Launch){0};
    const char *why = read_kernels(arena, json_object_get(launch, "kernels"), result);
    if (!why && workspace)
        why = read_workspace(arena, workspace, result);
    if (!why)
        why = check_long_row(result);
    if (!why && !result->entries)
        result->entry[result->entries++] =
            (LaunchEntry){.name = arena_copy(arena, symbol), .role = LAUNCH_ROWS};
    return why;
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
        return launch_entry(launch, LAUNCH_PART);
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

static LaunchPath choose_path(const Launch *launch, LaunchWork work, int processors)
{
    const bool few = work.rows < (size_t)processors;
    if (few && work.columns >= LONG_FROM && launch_has_path(launch, PATH_LONG))
        return PATH_LONG;
    if (work.columns <= SHORT_ROW && !few && launch_has_path(launch, PATH_WARPS))
        return PATH_WARPS;
    if (launch_has_path(launch, PATH_ROWS))
        return PATH_ROWS;
    return launch_has_path(launch, PATH_WARPS) ? PATH_WARPS : PATH_LONG;
}

Geometry launch_choose(const Launch *launch, LaunchWork work, int processors, unsigned block_limit)
{
    return (Geometry){choose_path(launch, work, processors), BLOCK < block_limit ? BLOCK : block_limit, 0};
}

const char *launch_refuses(Arena *arena, const Launch *launch, Geometry geometry, unsigned block_limit)
{
    assert(geometry.path < PATHS);
    if (!launch_has_path(launch, geometry.path))
        return arena_printf(arena, "this kernel has no entry point for the path '%s'",
                            launch_path_name[geometry.path]);
    if (geometry.block == 0 || geometry.block % LAUNCH_WARP != 0)
        return arena_printf(arena, "a block of %u threads is not a whole number of warps", geometry.block);
    if (geometry.block > block_limit)
        return arena_printf(arena, "a block of %u threads is more than the %u that this kernel allows",
                            geometry.block, block_limit);
    return NULL;
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

static size_t parts_after(LaunchCut cut, size_t items)
{
    if (cut.kind == CUT_LANES)
        return cut.size; /* a lane without an item has a partial too */
    if (items == 0)
        return 0;
    const size_t part = cut.kind == CUT_CHUNK ? cut.size : (items - 1) / cut.size + 1;
    return (items - 1) / part + 1;
}

size_t launch_partials(const Launch *launch, int reduction, size_t columns)
{
    size_t items = columns;
    for (int c = 0; c < launch->cuts[reduction]; c++)
        items = parts_after(launch->cut[reduction][c], items);
    return items;
}

/* A warp each. */
static size_t blocks_for_warps(size_t warps, Geometry geometry)
{
    const size_t each = geometry.block / LAUNCH_WARP;
    return (warps + each - 1) / each;
}

static unsigned step_grid(const Launch *launch, const LaunchEntry *entry, LaunchWork work, Geometry geometry)
{
    switch (entry->role) {
    case LAUNCH_ROWS:
        return limit_grid(work.rows, geometry);
    case LAUNCH_WARPS:
        return limit_grid(blocks_for_warps(work.rows, geometry), geometry);
    case LAUNCH_PART:
        return limit_grid(blocks_for_warps(launch_partials(launch, entry->reduction, work.columns), geometry),
                          geometry);
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
    step->grid = step_grid(launch, step->entry, work, geometry);
    return true;
}

double launch_patience(void)
{
    const char *named = getenv("SAMEBITS_DEVICE_SECONDS");
    const double seconds = named ? strtod(named, NULL) : 0;
    return seconds > 0 && seconds < 1e6 ? seconds : 10;
}

size_t launch_workspace(const Launch *launch, LaunchWork work, Geometry geometry)
{
    if (geometry.path != PATH_LONG)
        return 0;
    size_t most = 0;
    for (int r = 0; r < launch->reductions; r++) {
        const size_t partials = launch_partials(launch, r, work.columns);
        most = partials > most ? partials : most;
    }
    return (launch->values + most) * launch->value_bytes;
}
