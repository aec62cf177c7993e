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
    if (strcmp(name, "at_row"))
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

/* ---- long rows ---- */

_Static_assert((int)PAGE_LONG_VALUES >= (int)PLAN_REDUCTIONS, "each reduction has a place for its value");

bool page_has_long_rows(const Plan *plan)
{
    if (!plan->reductions || plan->axes == 0)
        return false;
    for (int r = 0; r < plan->reductions; r++)
        if (!page_wide_fold(&plan->reduction[r]))
            return false;
    return true;
}

static const char *long_head(Speller *speller, const char *name)
{
    const char *type = page_part_type(speller);
    Head head = head_of(speller);
    add(&head, "size_t ", "constant ulong &", "at_row");
    head.text = arena_printf(speller->arena, "%s", head.text);
    bool metal = !strcmp(speller->plan->target->name, "metal");
    head.text = metal ? arena_printf(speller->arena, "%s, device %s *workspace [[buffer(%d)]]", head.text,
                                     type, head.buffers)
                      : arena_printf(speller->arena, "%s, %s *workspace", head.text, type);
    return declaration(speller, name, head);
}

static void add_long_reduction(Speller *speller, const char *symbol, int index, json_t *record)
{
    Arena *arena = speller->arena;
    bool shares = strcmp(json_string_value(json_object_get(record, "wide_kind")), "seq") != 0;
    page_add_join(speller, &speller->plan->reduction[index], record);
    json_object_set_new(record, "index", json_integer(index));
    set(record, "part_head", long_head(speller, arena_printf(arena, "%s_part%d", symbol, index)));
    set(record, "join_head", long_head(speller, arena_printf(arena, "%s_join%d", symbol, index)));
    json_object_set_new(record, "part_lines", entry_lines(speller, false));
    json_object_set_new(record, "join_lines", entry_lines(speller, shares));
    const char *partials =
        words_spell(arena, speller->scalar, "partials_param", page_part_type(speller), NULL, NULL);
    set(record, "partials", arena_printf(arena, "%s = workspace + %d;", partials, PAGE_LONG_VALUES));
}

void page_add_long_rows(Speller *speller, const char *symbol, json_t *data)
{
    bool has = page_has_long_rows(speller->plan);
    json_object_set_new(data, "long_rows", json_boolean(has));
    if (!has)
        return;
    for (int r = 0; r < speller->plan->reductions; r++)
        add_long_reduction(speller, symbol, r,
                           json_array_get(json_object_get(data, "reductions"), (size_t)r));
    json_object_set_new(data, "values", json_integer(PAGE_LONG_VALUES));
    set(data, "long_arguments", head_of(speller).arguments);
    set(data, "no_part", part_argument(speller, false));
    set(data, "output_head", long_head(speller, arena_printf(speller->arena, "%s_output", symbol)));
    json_object_set_new(data, "output_lines", entry_lines(speller, false));
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
