/* axes.h: the axes of a family and the values each one takes.
 *
 * A spec and the command line give values here; both are checked by the same rows. Values keep the order
 * in which they were given. */
#ifndef SAMEBITS_FAMILY_AXES_H
#define SAMEBITS_FAMILY_AXES_H

#include "family/family.h"

enum {
    AXIS_VALUES_LIMIT = 64, /* of one axis other than tree */
    AXIS_TREES_LIMIT = 10000,
    FAMILY_VARIANTS_LIMIT = 10000,
    SCHEDULE_UNROLL = 4,
    SCHEDULE_STREAM_BYTES = 32 << 20
};

/* In the order in which they vary, slowest first. dtype has one value so far. */
typedef enum Axis {
    AXIS_TREE,
    AXIS_ACCUMULATOR,
    AXIS_DTYPE,
    AXIS_UNROLL,
    AXIS_STREAM,
    AXIS_EXCHANGE,
    AXIS_OVERLAP,
    AXIS_TARGET,
    AXES
} Axis;

typedef struct TreeChoice {
    const Term *term;
    const char *label; /* or NULL */
} TreeChoice;

typedef struct TargetChoice {
    const char *name;
    const Target *target; /* NULL: known, not in this version */
} TargetChoice;

typedef struct AxisValues {
    TreeChoice *tree;
    int count[AXES];
    int tree_capacity;
    Accumulator accumulator[AXIS_VALUES_LIMIT];
    const char *dtype[AXIS_VALUES_LIMIT];
    int unroll[AXIS_VALUES_LIMIT];
    size_t stream[AXIS_VALUES_LIMIT];
    Exchange exchange[AXIS_VALUES_LIMIT];
    bool overlap[AXIS_VALUES_LIMIT];
    TargetChoice target[AXIS_VALUES_LIMIT];
} AxisValues;

/* Each adds one value; false after reporting what is wrong with it. */
bool axes_add_text(AxisValues *values, Diagnostics *diagnostics, Location where, Axis axis, const char *text);
bool axes_add_integer(AxisValues *values, Diagnostics *diagnostics, Location where, Axis axis,
                      long long integer);
bool axes_add_tree(AxisValues *values, Arena *arena, Diagnostics *diagnostics, Location where,
                   TreeChoice choice);

/* "; did you mean 'tree'? There are: a, b" or "; there are: a, b"; in the diagnostics' arena. */
const char *axes_choices(const Diagnostics *diagnostics, const char *name, const char *const *candidates);

bool axis_takes_text(Axis axis);
const char *axis_name(Axis axis);
bool axis_named(const char *name, Axis *axis);

/* Axes that nobody gave a value get their defaults. */
void axes_fill_defaults(AxisValues *values, Arena *arena, bool needs_tree);

/* Replaces the values of the axis that `override` names. */
bool axes_override(AxisValues *values, Arena *arena, Diagnostics *diagnostics, const AxisOverride *override);

#endif
