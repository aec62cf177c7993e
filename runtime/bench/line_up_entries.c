/* line_up_entries.c: a line-up as a list, whatever its entries are and wherever they come from. */
#include "bench/line_up.h"

#include <string.h>

void line_up_skip(LineUp *line_up, const char *what, const char *why)
{
    json_array_append_new(line_up->skipped, json_pack("{s:s, s:s}", "what", what, "why", why));
}

int line_up_add(LineUp *line_up, BenchEntry entry, const Variant *variant)
{
    line_up->entry[line_up->entries] = entry;
    line_up->variant[line_up->entries] = variant;
    return line_up->entries++;
}

int line_up_add_second_copy(Arena *arena, LineUp *line_up, int twin)
{
    BenchEntry entry = line_up->entry[twin];
    entry.kind = ENTRY_CONTROL;
    entry.twin = twin;
    entry.label = arena_printf(arena, "%s, entered again", entry.label ? entry.label : entry.id);
    entry.id = arena_printf(arena, "%s-again", entry.id);
    return line_up_add(line_up, entry, NULL);
}

void line_up_destroy(LineUp *line_up)
{
    json_decref(line_up->skipped);
    line_up->skipped = NULL;
}

int line_up_comparisons(const LineUp *line_up)
{
    int comparisons = 0;
    for (int e = 0; e < line_up->entries; e++)
        comparisons +=
            line_up->entry[e].kind != ENTRY_MEMORY && e != line_up->baseline && e != line_up->baseline_again;
    return comparisons > 0 ? comparisons : 1;
}

int line_up_find(const LineUp *line_up, const char *id)
{
    for (int e = 0; e < line_up->entries; e++)
        if (strcmp(line_up->entry[e].id, id) == 0)
            return e;
    return -1;
}
