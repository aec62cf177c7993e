/* device.c: see device.h. */
#include "bench/device.h"

#include <math.h>

enum { EXTRA_ENTRIES = 2 };              /* the second copy, memory */
static const double event_tick_ns = 500; /* CUDA Driver API, cuEventElapsedTime: around half a microsecond */

LineUp device_line_up_create(Arena *arena, int kernels)
{
    const size_t room = (size_t)kernels + EXTRA_ENTRIES;
    return (LineUp){.entry = ARENA_ARRAY(arena, BenchEntry, room),
                    .variant = ARENA_ARRAY(arena, const Variant *, room),
                    .baseline = -1,
                    .baseline_again = -1,
                    .skipped = json_array()};
}

void device_line_up_add(Arena *arena, LineUp *line_up, const Variant *variant, const char *path,
                        const Launch *launch)
{
    Launch *own = ARENA_NEW(arena, Launch);
    *own = *launch;
    const BenchEntry entry = {.kind = ENTRY_VARIANT,
                              .id = variant->id,
                              .label = variant->label,
                              .path = path,
                              .symbol = variant->symbol,
                              .tree = variant->tree,
                              .twin = -1,
                              .launch = own};
    line_up_add(line_up, entry, variant);
}

void device_line_up_finish(Arena *arena, LineUp *line_up)
{
    if (line_up->entries == 0)
        return;
    line_up->baseline = 0;
    line_up->baseline_again = line_up_add_second_copy(arena, line_up, 0);
    const BenchEntry copy = {
        .kind = ENTRY_MEMORY, .id = memory_kind_name(MEMORY_COPY), .memory = MEMORY_COPY, .twin = -1};
    line_up_add(line_up, copy, NULL);
}

/* Where the memory's clock is not known, nothing is too fast. */
Machine device_machine(const GpuInfo *gpu)
{
    return (Machine){.cpu = gpu->text,
                     .threads = 1,
                     .cache_bytes = gpu->cache_bytes,
                     .clock_tick_ns = event_tick_ns,
                     .read_gbs = gpu->peak_gbs > 0 ? gpu->peak_gbs : (double)INFINITY};
}
