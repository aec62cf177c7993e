/* family.c: what one spec means: every combination of its axes, as variants.
 *
 * The order is the spec's: tree slowest, then accumulator, dtype, unroll, stream, and target fastest, so that
 * kernels of one contract stand side by side. Exchanges and overlap are values of targets with ranks alone.
 * What is asked for and not possible is a Skip, never lost. */
#include "family/family.h"

#include "family/axes.h"
#include "family/controls.h"
#include "family/identity.h"
#include "lua/spec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A variant that cannot be made has a reason here. The plan, which knows, defines the strong one. */
__attribute__((weak)) const char *variant_why_not(const Variant *variant)
{
    (void)variant;
    return NULL;
}

/* ---- Name ---- */

/* The spec's file name without folder and ".lua"; NULL after reporting. It names a folder and stands in
 * build files, so it is plain. */
static const char *family_name(Arena *arena, Diagnostics *diagnostics, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t size = strlen(base);
    if (size > 4 && strcmp(base + size - 4, ".lua") == 0) {
        size -= 4;
    }
    bool plain = size > 0 && size <= 100 && isalnum((unsigned char)base[0]);
    for (size_t i = 0; i < size && plain; i++) {
        plain = isalnum((unsigned char)base[i]) || strchr("_-.", base[i]);
    }
    if (!plain) {
        diagnostics_error(diagnostics, (Location){.file = path},
                          "the file name '%s' cannot name a folder below out/; use letters, digits, _ - and "
                          ". (100 at most)",
                          base);
        return NULL;
    }
    return arena_copy_bytes(arena, base, size);
}

/* ---- Unfolding ---- */

typedef struct Unfolding {
    Arena *arena;
    Family *family;
    const AxisValues *axes;
    IdentityParts parts;
    int *by_id; /* open addressing: variant index + 1 */
    size_t slots;
} Unfolding;

static void add_skip(Unfolding *unfolding, const char *what, const char *why)
{
    unfolding->family->skip[unfolding->family->skips++] = (Skip){what, why};
}

/* The earlier variant of this id, or NULL; then it is entered as number `index`. */
static const Variant *find_or_enter(Unfolding *unfolding, const char *id, int index)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = id; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    size_t slot = hash % unfolding->slots;
    for (; unfolding->by_id[slot]; slot = (slot + 1) % unfolding->slots) {
        const Variant *earlier = &unfolding->family->variant[unfolding->by_id[slot] - 1];
        if (strcmp(earlier->id, id) == 0) {
            return earlier;
        }
    }
    unfolding->by_id[slot] = index + 1;
    return NULL;
}

static void add_variant(Unfolding *unfolding, Variant variant)
{
    Family *family = unfolding->family;
    variant_fill_identity(unfolding->arena, &variant, unfolding->parts);
    const char *why = variant_why_not(&variant);
    if (why) {
        add_skip(unfolding, variant.id, why);
        return;
    }
    family->variant[family->variants] = variant; /* find_or_enter compares with what is entered */
    const Variant *earlier = find_or_enter(unfolding, variant.id, family->variants);
    if (earlier) {
        const char *name = variant.label
                               ? arena_printf(unfolding->arena, "%s (\"%s\")", variant.id, variant.label)
                               : variant.id;
        add_skip(unfolding, name,
                 earlier->label
                     ? arena_printf(unfolding->arena, "the same as \"%s\" before it", earlier->label)
                     : "the same as one before it");
        return;
    }
    family->variants++;
}

/* All targets of one combination of the other axes. A target without ranks exchanges nothing: it stands once,
 * beside the first exchange and overlap. */
static void add_targets(Unfolding *unfolding, Variant variant, int exchange, int overlap)
{
    for (int t = 0; t < unfolding->axes->count[AXIS_TARGET]; t++) {
        variant.target = unfolding->axes->target[t].target;
        if (!variant.target || (!variant.target->ranks && exchange + overlap > 0)) {
            continue;
        }
        variant.schedule.exchange =
            variant.target->ranks ? unfolding->axes->exchange[exchange] : EXCHANGE_GATHER;
        variant.schedule.overlap = variant.target->ranks && unfolding->axes->overlap[overlap];
        add_variant(unfolding, variant);
    }
}

static void add_schedules(Unfolding *unfolding, Variant variant)
{
    const AxisValues *axes = unfolding->axes;
    for (int u = 0; u < axes->count[AXIS_UNROLL]; u++) {
        for (int s = 0; s < axes->count[AXIS_STREAM]; s++) {
            variant.schedule = (Schedule){.unroll = axes->unroll[u], .stream_bytes = axes->stream[s]};
            for (int e = 0; e < axes->count[AXIS_EXCHANGE]; e++) {
                for (int o = 0; o < axes->count[AXIS_OVERLAP]; o++) {
                    add_targets(unfolding, variant, e, o);
                }
            }
        }
    }
}

static void add_trees(Unfolding *unfolding)
{
    const AxisValues *axes = unfolding->axes;
    for (int t = 0; t < axes->count[AXIS_TREE]; t++) {
        for (int a = 0; a < axes->count[AXIS_ACCUMULATOR]; a++) {
            for (int d = 0; d < axes->count[AXIS_DTYPE]; d++) {
                add_schedules(unfolding, (Variant){.label = axes->tree[t].label,
                                                   .op = unfolding->family->op,
                                                   .tree = axes->tree[t].term,
                                                   .accumulator = axes->accumulator[a],
                                                   .dtype = axes->dtype[d]});
            }
        }
    }
}

/* How many variants the axes ask for; -1 after reporting that it is too many. */
static int count_variants(Diagnostics *diagnostics, Location where, const AxisValues *axes)
{
    double count = 1;
    for (int axis = 0; axis < AXES; axis++) {
        count *= axes->count[axis];
    }
    if (count > FAMILY_VARIANTS_LIMIT) {
        diagnostics_error(diagnostics, where,
                          "the axes ask for %.0f variants; at most %d are possible, use fewer values", count,
                          FAMILY_VARIANTS_LIMIT);
        return -1;
    }
    return (int)count;
}

static void expand(Arena *arena, Family *family, const AxisValues *axes, int wanted)
{
    const IdentityParts parts = {.unroll = axes->count[AXIS_UNROLL] > 1,
                                 .stream = axes->count[AXIS_STREAM] > 1,
                                 .exchange = axes->count[AXIS_EXCHANGE] > 1,
                                 .overlap = axes->count[AXIS_OVERLAP] > 1};
    Unfolding unfolding = {.arena = arena, .family = family, .axes = axes, .parts = parts};
    unfolding.slots = 2 * (size_t)wanted + 1;
    unfolding.by_id = ARENA_ARRAY(arena, int, unfolding.slots);
    family->variant = ARENA_ARRAY(arena, Variant, (size_t)wanted + 1);
    family->skip = ARENA_ARRAY(arena, Skip, (size_t)(wanted + AXIS_VALUES_LIMIT));
    for (int t = 0; t < axes->count[AXIS_TARGET]; t++) {
        if (!axes->target[t].target) {
            add_skip(&unfolding, arena_printf(arena, "target %s", axes->target[t].name),
                     "not in this version");
        }
    }
    add_trees(&unfolding);
}

/* ---- Bench ---- */

/* Without a shape of the spec's own: 1024 leaves or so, the other dims alike, about a million elements in
 * all. */
static Shape default_shape(const Operator *op)
{
    Shape shape = {{0}};
    uint32_t reduced = 0;
    double elements = 1;
    for (int n = 0; n < op->nodes; n++) {
        reduced |= op->node[n]->kind == EXPR_REDUCE ? expr_reduced_dims(op->node[n]) : 0;
    }
    const int together = __builtin_popcount(reduced); /* dims that share the 1024 leaves */
    for (int d = 0; d < op->dims; d++) {
        shape.size[d] = !(reduced >> d & 1) || together == 1 ? 1024 : together == 2 ? 32 : 8;
        elements *= (double)shape.size[d];
    }
    for (bool halved = true; elements > 1 << 20 && halved;) {
        halved = false;
        for (int d = 0; d < op->dims && elements > 1 << 20; d++) {
            if (shape.size[d] > 1 && (!(reduced >> d & 1) || elements > 1e9)) {
                shape.size[d] /= 2;
                elements /= 2;
                halved = true;
            }
        }
    }
    return shape;
}

static void fill_bench(Arena *arena, Family *family)
{
    BenchPlan *bench = &family->bench;
    if (!bench->data) {
        bench->data = "normal";
    }
    if (bench->shapes == 0) {
        bench->shape = ARENA_NEW(arena, Shape);
        bench->shape[0] = default_shape(family->op);
        bench->shapes = 1;
    }
}

/* ---- All ---- */

static bool reduces(const Operator *op)
{
    for (int n = 0; n < op->nodes; n++) {
        if (op->node[n]->kind == EXPR_REDUCE) {
            return true;
        }
    }
    return false;
}

static bool apply_overrides(AxisValues *axes, Arena *arena, Diagnostics *diagnostics,
                            const AxisOverride *overrides, int override_count)
{
    bool ok = true;
    for (int i = 0; i < override_count; i++) {
        ok = axes_override(axes, arena, diagnostics, &overrides[i]) && ok;
    }
    return ok;
}

/* Overrides, defaults, and what only the whole can tell. */
static bool settle_axes(Arena *arena, Diagnostics *diagnostics, const Spec *spec, AxisValues *axes,
                        const AxisOverride *overrides, int override_count)
{
    if (!apply_overrides(axes, arena, diagnostics, overrides, override_count)) {
        return false;
    }
    axes_fill_defaults(axes, arena, reduces(spec->op));
    if (axes->count[AXIS_TREE] == 0) {
        diagnostics_error(diagnostics, spec->op->where,
                          "the operator reduces and no tree says in which order; add tree = { lanes(32) }");
        return false;
    }
    return true;
}

const Family *family_read(Arena *arena, Diagnostics *diagnostics, const char *path,
                          const AxisOverride *overrides, int override_count)
{
    const char *name = family_name(arena, diagnostics, path);
    const Spec *spec = name ? spec_read(arena, diagnostics, path) : NULL;
    if (!spec) {
        return NULL;
    }
    AxisValues axes = spec->axes;
    if (!settle_axes(arena, diagnostics, spec, &axes, overrides, override_count)) {
        return NULL;
    }
    int wanted = count_variants(diagnostics, spec->op->where, &axes);
    if (wanted < 0) {
        return NULL;
    }
    Family *family = ARENA_NEW(arena, Family);
    *family = (Family){.name = name, .spec = arena_copy(arena, path), .op = spec->op, .bench = spec->bench};
    expand(arena, family, &axes, wanted);
    fill_bench(arena, family);
    family_add_controls(arena, family);
    return family;
}
