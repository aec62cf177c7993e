/* spec.h: reads one spec: the operator it states, the values of its axes, and what it wants measured. */
#ifndef SAMEBITS_LUA_SPEC_H
#define SAMEBITS_LUA_SPEC_H

#include "family/axes.h"
#include "operator/operator.h"

typedef struct Spec {
    const Operator *op;
    AxisValues axes; /* as given; defaults are not filled in */
    BenchPlan bench; /* shape NULL when the spec gives none */
} Spec;

/* Runs the spec in the sandbox. NULL after reporting every mistake that was found. */
const Spec *spec_read(Arena *arena, Diagnostics *diagnostics, const char *path);

#endif
