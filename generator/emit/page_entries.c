/* page_entries.c: the entry points of a GPU source: which threads share a row, and how each target declares
 * them. */
#include "emit/page_data.h"

#include <string.h>

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

typedef struct Head {
    Speller *speller;
    const char *text, *arguments;
    int buffers;
} Head;

static void add(Head *head, const char *type, const char *reference, const char *name)
{
    Arena *arena = head->speller->arena;
    bool metal = !strcmp(head->speller->plan->target->name, "metal");
    name = spell_name(head->speller, name);
    const char *place = metal ? arena_printf(arena, " [[buffer(%d)]]", head->buffers) : "";
    const char *comma = head->buffers ? ", " : "";
    head->text = arena_printf(arena, "%s%s%s%s%s", head->text, comma, metal ? reference : type, name, place);
    head->arguments = arena_printf(arena, "%s%s%s", head->arguments, comma, name);
    head->buffers++;
}

static Head head_of(Speller *speller)
{
    const Operator *op = speller->plan->op;
    Head head = {speller, "", "", 0};
    for (int i = 0; i < op->inputs; i++)
        add(&head, "const float *", "device const float *", op->input[i].name);
    for (int o = 0; o < op->outputs; o++)
        add(&head, "float *", "device float *", op->output[o].name);
    for (int d = 0; d < op->dims; d++)
        add(&head, "size_t ", "constant ulong &", op->dim[d]);
    for (int p = 0; p < op->params; p++)
        add(&head, "float ", "constant float &", op->param[p].name);
    return head;
}

static const char *declaration(Speller *speller, const char *name, Head head)
{
    if (strcmp(speller->plan->target->name, "metal"))
        return arena_printf(speller->arena, "extern \"C\" __global__ void %s(%s)", name, head.text);
    return arena_printf(
        speller->arena,
        "kernel void %s(%s, uint at_thread [[thread_position_in_threadgroup]],\n"
        "    uint at_group [[threadgroup_position_in_grid]], uint at_threads [[threads_per_threadgroup]],\n"
        "    uint at_groups [[threadgroups_per_grid]])",
        name, head.text);
}

static json_t *entry_lines(Speller *speller, bool shares)
{
    json_t *lines = json_array();
    Arena *arena = speller->arena;
    if (shares)
        spell_line(lines,
                   words_spell(arena, speller->scalar, "shared_array", page_part_type(speller),
                               arena_printf(arena, "%d", PAGE_BLOCK_PANEL), NULL),
                   0);
    if (strcmp(speller->plan->target->name, "cuda"))
        return lines;
    spell_line(lines, "const size_t at_thread = threadIdx.x, at_threads = blockDim.x;", 0);
    spell_line(lines, "const size_t at_group = blockIdx.x, at_groups = gridDim.x;", 0);
    return lines;
}

/* What row_values() gets for shared memory: where it uses none, any pointer does. */
static const char *part_argument(Speller *speller, bool shares)
{
    if (shares)
        return "part";
    return strcmp(speller->plan->target->name, "metal")
               ? "0"
               : spell_name(speller, speller->plan->op->output[0].name);
}

static json_t *entry(Speller *speller, const char *name, bool wide, const char *comment)
{
    Head head = head_of(speller);
    bool shares = wide && speller->plan->reductions > 0;
    json_t *record = json_object();
    set(record, "comment", comment);
    set(record, "head", declaration(speller, name, head));
    set(record, "arguments", head.arguments);
    set(record, "part", part_argument(speller, shares));
    json_object_set_new(record, "wide", json_boolean(wide));
    json_object_set_new(record, "lines", entry_lines(speller, shares));
    return record;
}

json_t *page_entries(Speller *speller, const char *symbol)
{
    json_t *entries = json_array();
    json_array_append_new(
        entries,
        entry(speller, symbol, true,
              "A block per row, its warps share the parts; any number of blocks, 32 to 1024 threads each."));
    json_array_append_new(
        entries, entry(speller, arena_printf(speller->arena, "%s_warp", symbol), false,
                       "A warp per row, for short rows; any number of blocks, 32 to 1024 threads each."));
    return entries;
}
