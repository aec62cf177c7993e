/* axes.c: values of axes, from a spec or from the command line. */
#include "family/axes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct AxisRow {
    const char *name;
    bool takes_text;
} AxisRow;

static const AxisRow axis_rows[AXES] = {
    [AXIS_TREE] = {"tree", false},      [AXIS_ACCUMULATOR] = {"accumulator", true},
    [AXIS_DTYPE] = {"dtype", true},     [AXIS_UNROLL] = {"unroll", false},
    [AXIS_STREAM] = {"stream", false},  [AXIS_EXCHANGE] = {"exchange", true},
    [AXIS_OVERLAP] = {"overlap", true}, [AXIS_TARGET] = {"target", true},
};

const char *const exchange_names[] = {"gather", "scatter", "tree", NULL};

const char *const family_axes[] = {"accumulator", "dtype", "exchange", "overlap", "stream",
                                   "target",      "tree",  "unroll",   NULL};

const char *schedule_exchange_text(const Schedule *schedule)
{
    static const char *const overlapped[] = {
        [EXCHANGE_GATHER] = "gather, overlapped",
        [EXCHANGE_SCATTER] = "scatter, overlapped",
        [EXCHANGE_TREE] = "tree, overlapped",
    };
    return schedule->overlap ? overlapped[schedule->exchange] : exchange_names[schedule->exchange];
}

bool axis_takes_text(Axis axis)
{
    return axis_rows[axis].takes_text;
}

const char *axis_name(Axis axis)
{
    return axis_rows[axis].name;
}

bool axis_named(const char *name, Axis *axis)
{
    for (int i = 0; i < AXES; i++) {
        if (strcmp(axis_rows[i].name, name) == 0) {
            *axis = (Axis)i;
            return true;
        }
    }
    return false;
}

/* ---- One value ---- */

const char *axes_choices(const Diagnostics *diagnostics, const char *name, const char *const *candidates)
{
    const char *near = diagnostics_nearest(name, candidates);
    const char *start =
        near ? arena_printf(diagnostics->arena, "; did you mean '%s'? There are: ", near) : "; there are: ";
    Buffer text = {0};
    buffer_append_string(&text, start);
    for (int i = 0; candidates[i]; i++) {
        buffer_printf(&text, "%s%s", i > 0 ? ", " : "", candidates[i]);
    }
    const char *copy = arena_copy(diagnostics->arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

static bool report_unknown(Diagnostics *diagnostics, Location where, Axis axis, const char *text,
                           const char *const *candidates)
{
    diagnostics_error(diagnostics, where, "unknown %s '%.40s'%s", axis_rows[axis].name, text,
                      axes_choices(diagnostics, text, candidates));
    return false;
}

/* Is there room for one more value? */
static bool has_room(const AxisValues *values, Diagnostics *diagnostics, Location where, Axis axis)
{
    if (values->count[axis] < AXIS_VALUES_LIMIT) {
        return true;
    }
    if (values->count[axis] == AXIS_VALUES_LIMIT) {
        diagnostics_error(diagnostics, where, "more than %d values of %s; use fewer", AXIS_VALUES_LIMIT,
                          axis_rows[axis].name);
    }
    return false;
}

static bool add_accumulator(AxisValues *values, Diagnostics *diagnostics, Location where, const char *text)
{
    static const char *const names[] = {"f32", "f64", NULL};
    for (int a = 0; names[a]; a++) {
        if (strcmp(text, names[a]) == 0) {
            values->accumulator[values->count[AXIS_ACCUMULATOR]++] = (Accumulator)a;
            return true;
        }
    }
    return report_unknown(diagnostics, where, AXIS_ACCUMULATOR, text, names);
}

static bool add_dtype(AxisValues *values, Diagnostics *diagnostics, Location where, const char *text)
{
    static const char *const names[] = {"f32", NULL}; /* f16 and bf16 are for later versions */
    if (strcmp(text, "f32") == 0) {
        values->dtype[values->count[AXIS_DTYPE]++] = "f32";
        return true;
    }
    return report_unknown(diagnostics, where, AXIS_DTYPE, text, names);
}

static bool report_unknown_target(Diagnostics *diagnostics, Location where, const char *text)
{
    const char **names = ARENA_ARRAY(diagnostics->arena, const char *, (size_t)target_count + 1);
    for (int i = 0; i < target_count; i++)
        names[i] = target_rows[i].name;
    return report_unknown(diagnostics, where, AXIS_TARGET, text, names);
}

static bool add_exchange(AxisValues *values, Diagnostics *diagnostics, Location where, const char *text)
{
    for (int e = 0; exchange_names[e]; e++) {
        if (strcmp(text, exchange_names[e]) == 0) {
            values->exchange[values->count[AXIS_EXCHANGE]++] = (Exchange)e;
            return true;
        }
    }
    return report_unknown(diagnostics, where, AXIS_EXCHANGE, text, exchange_names);
}

static bool add_overlap(AxisValues *values, Diagnostics *diagnostics, Location where, const char *text)
{
    static const char *const names[] = {"off", "on", NULL};
    if (strcmp(text, "off") != 0 && strcmp(text, "on") != 0)
        return report_unknown(diagnostics, where, AXIS_OVERLAP, text, names);
    values->overlap[values->count[AXIS_OVERLAP]++] = strcmp(text, "on") == 0;
    return true;
}

static bool add_target(AxisValues *values, Diagnostics *diagnostics, Location where, const char *text)
{
    const Target *target = target_named(text);
    const char *name = target ? target->name : target_planned(text);
    if (!name) {
        return report_unknown_target(diagnostics, where, text);
    }
    values->target[values->count[AXIS_TARGET]++] = (TargetChoice){name, target};
    return true;
}

bool axes_add_text(AxisValues *values, Diagnostics *diagnostics, Location where, Axis axis, const char *text)
{
    if (!has_room(values, diagnostics, where, axis)) {
        return false;
    }
    switch (axis) {
    case AXIS_ACCUMULATOR:
        return add_accumulator(values, diagnostics, where, text);
    case AXIS_DTYPE:
        return add_dtype(values, diagnostics, where, text);
    case AXIS_EXCHANGE:
        return add_exchange(values, diagnostics, where, text);
    case AXIS_OVERLAP:
        return add_overlap(values, diagnostics, where, text);
    default:
        return add_target(values, diagnostics, where, text);
    }
}

bool axes_add_integer(AxisValues *values, Diagnostics *diagnostics, Location where, Axis axis,
                      long long integer)
{
    if (!has_room(values, diagnostics, where, axis)) {
        return false;
    }
    if (axis == AXIS_UNROLL) {
        if (integer != 1 && integer != 2 && integer != 4 && integer != 8) {
            diagnostics_error(diagnostics, where, "unroll is %lld; it can be 1, 2, 4 or 8", integer);
            return false;
        }
        values->unroll[values->count[axis]++] = (int)integer;
        return true;
    }
    if (integer < 0 || integer > 1LL << 50) {
        diagnostics_error(diagnostics, where, "stream is %lld; it is a number of bytes: 0 (never) to 2^50",
                          integer);
        return false;
    }
    values->stream[values->count[axis]++] = (size_t)integer;
    return true;
}

/* Labels name methods in reports: no two trees may share one. */
static bool check_label(const AxisValues *values, Diagnostics *diagnostics, Location where, const char *label)
{
    for (int i = 0; label && i < values->count[AXIS_TREE]; i++) {
        if (values->tree[i].label && strcmp(values->tree[i].label, label) == 0) {
            diagnostics_error(diagnostics, where, "two trees are named '%s'; give each a name of its own",
                              label);
            return false;
        }
    }
    return true;
}

bool axes_add_tree(AxisValues *values, Arena *arena, Diagnostics *diagnostics, Location where,
                   TreeChoice choice)
{
    int count = values->count[AXIS_TREE];
    if (term_rows[choice.term->kind].outer_only) {
        diagnostics_error(diagnostics, where,
                          "%s cannot reduce leaves, it only joins partial results; write chunk(256, seq, %s)",
                          term_rows[choice.term->kind].name, term_rows[choice.term->kind].name);
        return false;
    }
    if (count == AXIS_TREES_LIMIT) {
        diagnostics_error(diagnostics, where, "more than %d trees; use fewer", AXIS_TREES_LIMIT);
        return false;
    }
    if (!check_label(values, diagnostics, where, choice.label)) {
        return false;
    }
    if (count == values->tree_capacity) {
        int capacity = count ? 2 * count : 16;
        TreeChoice *tree = ARENA_ARRAY(arena, TreeChoice, (size_t)capacity);
        if (count) {
            memcpy(tree, values->tree, (size_t)count * sizeof *tree);
        }
        values->tree = tree;
        values->tree_capacity = capacity;
    }
    values->tree[values->count[AXIS_TREE]++] = choice;
    return true;
}

/* ---- Defaults ---- */

void axes_fill_defaults(AxisValues *values, Arena *arena, bool needs_tree)
{
    int *count = values->count;
    if (!needs_tree && count[AXIS_TREE] == 0) { /* nothing is reduced: any tree means the same */
        values->tree = ARENA_NEW(arena, TreeChoice);
        values->tree->term = term_leafless(arena, TERM_SEQ);
        count[AXIS_TREE] = values->tree_capacity = 1;
    }
    if (count[AXIS_ACCUMULATOR] == 0) {
        values->accumulator[count[AXIS_ACCUMULATOR]++] = ACCUMULATOR_F32;
    }
    if (count[AXIS_DTYPE] == 0) {
        values->dtype[count[AXIS_DTYPE]++] = "f32";
    }
    if (count[AXIS_UNROLL] == 0) {
        values->unroll[count[AXIS_UNROLL]++] = SCHEDULE_UNROLL;
    }
    if (count[AXIS_STREAM] == 0) {
        values->stream[count[AXIS_STREAM]++] = SCHEDULE_STREAM_BYTES;
    }
    if (count[AXIS_EXCHANGE] == 0) {
        values->exchange[count[AXIS_EXCHANGE]++] = EXCHANGE_GATHER;
    }
    if (count[AXIS_OVERLAP] == 0) {
        values->overlap[count[AXIS_OVERLAP]++] = false;
    }
    if (count[AXIS_TARGET] == 0) {
        values->target[count[AXIS_TARGET]++] = (TargetChoice){"c", target_named("c")};
        values->target[count[AXIS_TARGET]++] = (TargetChoice){"avx2", target_named("avx2")};
    }
}

/* ---- The command line: -a axis=value,value ---- */

/* One value of an override, blanks trimmed. */
static bool add_value(AxisValues *values, Arena *arena, Diagnostics *diagnostics, Axis axis, const char *text)
{
    Location where = {.file = arena_printf(arena, "-a %s", axis_name(axis))};
    if (axis == AXIS_TREE) {
        const Term *term = term_parse(arena, diagnostics, where, text);
        return term && axes_add_tree(values, arena, diagnostics, where, (TreeChoice){term, NULL});
    }
    if (axis_takes_text(axis)) {
        return axes_add_text(values, diagnostics, where, axis, text);
    }
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (*end || end == text || errno) {
        diagnostics_error(diagnostics, where, "'%.40s' is no whole number; write -a %s=4", text,
                          axis_name(axis));
        return false;
    }
    return axes_add_integer(values, diagnostics, where, axis, integer);
}

/* End of the value that starts at `text`: a comma inside parentheses does not separate. */
static const char *value_end(const char *text)
{
    int depth = 0;
    for (; *text && (*text != ',' || depth > 0); text++) {
        depth += *text == '(' ? 1 : *text == ')' ? -1 : 0;
    }
    return text;
}

static const char *trimmed(Arena *arena, const char *text, const char *end)
{
    while (text < end && isspace((unsigned char)*text)) {
        text++;
    }
    while (end > text && isspace((unsigned char)end[-1])) {
        end--;
    }
    return arena_copy_bytes(arena, text, (size_t)(end - text));
}

bool axes_override(AxisValues *values, Arena *arena, Diagnostics *diagnostics, const AxisOverride *override)
{
    Axis axis;
    bool ok = true;
    if (!axis_named(override->axis, &axis)) {
        diagnostics_error(diagnostics, (Location){0}, "-a %s=...: unknown axis '%.40s'%s", override->axis,
                          override->axis, axes_choices(diagnostics, override->axis, family_axes));
        return false;
    }
    values->count[axis] = 0;
    for (const char *text = override->values;; text++) {
        const char *end = value_end(text), *value = trimmed(arena, text, end);
        if (*value) {
            ok = add_value(values, arena, diagnostics, axis, value) && ok;
        } else {
            diagnostics_error(diagnostics, (Location){0},
                              "-a %s=%s: a value is empty; write -a axis=value,value", override->axis,
                              override->values);
            ok = false;
        }
        text = end;
        if (!*text) {
            return ok;
        }
    }
}
