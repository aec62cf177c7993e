/* line_up.c: from a family to the entries of the timing protocol (see line_up.h). */
#include "bench/line_up.h"
#include "bench/peer.h"
#include "driver/build.h"
#include "driver/kernel.h"

#include <string.h>
#include <unistd.h>

enum { EXTRA_ENTRIES = 16 }; /* baselines, their second copies, the control, a peer, memory */

/* ---- baselines ------------------------------------------------------------------------------------- */

static bool uses_vector_functions(const Operator *op)
{
    for (int i = 0; i < op->nodes; i++)
        if (op->node[i]->kind == EXPR_OP && (op->node[i]->op == OP_EXP || op->node[i]->op == OP_LOG))
            return true;
    return false;
}

typedef struct BaselineRow {
    const char *build, *id, *label;
    bool needs_functions; /* tells nothing new about operators without exp and log */
} BaselineRow;
static const BaselineRow baseline_entries[] = {
    {"baseline-clang", "fastmath", "plain loop, clang -Ofast", false},
    {"baseline-libmvec", "fastmath-libmvec", "plain loop, clang -Ofast with libmvec", true},
    {"baseline-gcc", "fastmath-gcc", "plain loop, gcc -Ofast", false},
};

static int find_baseline_build(const char *name)
{
    for (int b = 0; b < baseline_count; b++)
        if (strcmp(baseline_rows[b].name, name) == 0)
            return b;
    return -1;
}

static int add_baseline(Arena *arena, LineUp *line_up, const Family *family, const char *out_dir,
                        const BaselineRow *row)
{
    int build = find_baseline_build(row->build);
    if (build < 0 || (row->needs_functions && !uses_vector_functions(family->op)))
        return -1;
    BenchEntry entry = {.kind = ENTRY_FASTMATH, .id = row->id, .label = row->label, .twin = -1};
    entry.path = build_baseline_path(arena, family, out_dir, build);
    entry.symbol = arena_printf(arena, "samebits_baseline_%s", family->op->name);
    if (access(entry.path, R_OK) != 0) {
        line_up_skip(line_up, row->id, arena_printf(arena, "%s was not built", entry.path));
        return -1;
    }
    return line_up_add(line_up, entry, NULL);
}

static void add_baselines(Arena *arena, LineUp *line_up, const Family *family, const char *out_dir)
{
    line_up->baseline = add_baseline(arena, line_up, family, out_dir, &baseline_entries[0]);
    if (line_up->baseline >= 0)
        line_up->baseline_again = line_up_add_second_copy(arena, line_up, line_up->baseline);
    for (size_t i = 1; i < sizeof baseline_entries / sizeof *baseline_entries; i++)
        add_baseline(arena, line_up, family, out_dir, &baseline_entries[i]);
}

/* ---- variants ---------------------------------------------------------------------------------------- */

const json_t *line_up_find_verified(const json_t *verify, const char *id)
{
    size_t index;
    const json_t *variant;
    json_array_foreach(json_object_get(verify, "variants"), index, variant)
    {
        const char *other = json_string_value(json_object_get(variant, "id"));
        if (other != NULL && strcmp(other, id) == 0)
            return variant;
    }
    return NULL;
}

/* NULL when verification found nothing against it. */
const char *line_up_why_not_verified(Arena *arena, const json_t *verify, const char *id)
{
    if (verify == NULL)
        return NULL;
    const json_t *found = line_up_find_verified(verify, id);
    if (found == NULL)
        return "not timed: it was not verified";
    const char *failure = json_string_value(json_object_get(found, "failure"));
    if (failure != NULL)
        return arena_printf(arena, "not timed: verification failed: %s", failure);
    const char *name;
    json_t *promise;
    json_object_foreach(json_object_get(found, "promises"), name, promise)
    {
        const char *status = json_string_value(json_object_get(promise, "status"));
        if (status != NULL && strcmp(status, "broken") == 0)
            return arena_printf(arena, "not timed: its promise %s is broken", name);
    }
    return NULL;
}

const char *line_up_why_not(Arena *arena, const Variant *variant, const char *path, const json_t *verify)
{
    const char *why = kernel_why_not_here(arena, variant->target);
    if (why == NULL)
        why = line_up_why_not_verified(arena, verify, variant->id);
    if (why == NULL && access(path, R_OK) != 0)
        why = arena_printf(arena, "%s was not built", path);
    return why;
}

static void add_variant(Arena *arena, LineUp *line_up, const Family *family, const Variant *variant,
                        const char *out_dir, const json_t *verify)
{
    BenchEntry entry = {.kind = ENTRY_VARIANT,
                        .id = variant->id,
                        .label = variant->label,
                        .path = build_object_path(arena, family, variant, out_dir, 0),
                        .symbol = variant->symbol,
                        .tree = variant->tree,
                        .twin = -1};
    if (variant->target->ranks)
        return; /* ranks are timed by themselves: ranks.c */
    const char *why = line_up_why_not(arena, variant, entry.path, verify);
    if (why != NULL)
        line_up_skip(line_up, variant->id, why);
    else
        line_up_add(line_up, entry, variant);
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

static void add_peer(Arena *arena, LineUp *line_up, const Family *family)
{
    const char *problem, *why = NULL, *path = peer_find(arena, family->op, &problem, &why);
    BenchEntry entry = {.kind = ENTRY_PEER,
                        .id = "onednn",
                        .label = "oneDNN held to AVX2",
                        .path = path,
                        .symbol = problem,
                        .twin = -1};
    if (path != NULL)
        line_up_add(line_up, entry, NULL);
    else if (problem != NULL)
        line_up_skip(line_up, "onednn", why);
}

static void add_memory(LineUp *line_up)
{
    for (MemoryKind kind = 0; kind < MEMORY_KINDS; kind++)
        if (memory_why_not(kind) == NULL)
            line_up_add(
                line_up,
                (BenchEntry){.kind = ENTRY_MEMORY, .id = memory_kind_name(kind), .memory = kind, .twin = -1},
                NULL);
}

static int find_first_of_widest_target(const LineUp *line_up)
{
    int widest = -1;
    for (int e = 0; e < line_up->entries; e++)
        if (line_up->variant[e] != NULL &&
            (widest < 0 || line_up->variant[e]->target->width > line_up->variant[widest]->target->width))
            widest = e;
    return widest;
}

/* The first variant of the widest target entered again: the control. Where no baseline was built the pair
 * serves as one. */
static void add_control(Arena *arena, LineUp *line_up)
{
    int variant = find_first_of_widest_target(line_up);
    if (variant < 0)
        return;
    int again = line_up_add_second_copy(arena, line_up, variant);
    if (line_up->baseline >= 0)
        return;
    line_up->baseline = variant;
    line_up->baseline_again = again;
}

LineUp line_up_create(Arena *arena, const Family *family, const char *out_dir, LineUpChoice choice)
{
    size_t room = (size_t)family->variants + EXTRA_ENTRIES;
    LineUp line_up = {.entry = ARENA_ARRAY(arena, BenchEntry, room),
                      .variant = ARENA_ARRAY(arena, const Variant *, room),
                      .baseline = -1,
                      .baseline_again = -1,
                      .skipped = json_array()};
    add_baselines(arena, &line_up, family, out_dir);
    for (int v = 0; v < family->variants; v++)
        if (!family->variant[v].target->gpu &&
            (choice.wants == NULL || choice.wants(choice.context, &family->variant[v])))
            add_variant(arena, &line_up, family, &family->variant[v], out_dir, choice.verify);
    add_control(arena, &line_up);
    if (choice.with_peers)
        add_peer(arena, &line_up, family);
    if (line_up.baseline >= 0)
        add_memory(&line_up);
    return line_up;
}
