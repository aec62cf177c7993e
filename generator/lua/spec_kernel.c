/* spec_kernel.c: kernel "name" { ... }: the table that says what is wanted.
 *
 * Fields are read in one fixed order and named ones by sorted key, never in the order of Lua's hash. The
 * text of the table gives the columns of its fields; a table built by a program has only the kernel's place.
 */
#include "lua/reader.h"

#include <limits.h>
#include <string.h>

/* kernel "name" before its table is given. */
typedef struct KernelStart {
    const char *name; /* NULL after a mistake, which is reported */
    Location where;
    int table; /* token of the "{" that follows, or -1 */
    bool complete;
} KernelStart;

/* A table of the spec, on the stack and in the text. */
typedef struct Place {
    int index; /* absolute stack index */
    int token; /* of its "{", or -1 */
    Location where;
} Place;

static const char *const kernel_fields[] = {"accumulator", "bench",  "dtype", "exchange", "output", "overlap",
                                            "stream",      "target", "tree",  "unroll",   NULL};
static const char *const bench_fields[] = {"batch", "compare", "data", "shape", NULL};

static void check_fields(lua_State *state, Place place, const char *owner, const char *const *known)
{
    Reader *reader = reader_of(state);
    bool odd;
    const char *const *keys = reader_sorted_keys(state, place.index, &odd);
    for (; *keys; keys++) {
        int k = 0;
        while (known[k] && strcmp(known[k], *keys) != 0) {
            k++;
        }
        if (!known[k]) {
            diagnostics_error(
                reader->diagnostics, locator_field(reader->locator, place.token, *keys, place.where),
                "unknown field '%s' in %s%s", *keys, owner, axes_choices(reader->diagnostics, *keys, known));
        }
    }
    if (odd) {
        diagnostics_error(reader->diagnostics, place.where,
                          "%s holds a value without a field; write field = value", owner);
    }
}

/* Pushes field `name`; its place is where the field's name stands. */
static Place push_field(lua_State *state, Place table, const char *name)
{
    Reader *reader = reader_of(state);
    lua_pushstring(state, name);
    lua_rawget(state, table.index);
    return (Place){lua_gettop(state), locator_field_table(reader->locator, table.token, name),
                   locator_field(reader->locator, table.token, name, table.where)};
}

/* Items of a list, or 1 for a value that is no table. 0 after reporting. */
static int item_count(lua_State *state, Place place, const char *what)
{
    Reader *reader = reader_of(state);
    if (lua_type(state, place.index) != LUA_TTABLE) {
        return 1;
    }
    lua_Integer count = (lua_Integer)lua_rawlen(state, place.index), keys = 0;
    for (lua_pushnil(state); lua_next(state, place.index); lua_pop(state, 1)) {
        keys++;
    }
    if (count == keys && count > 0 && count <= AXIS_TREES_LIMIT) {
        return (int)count;
    }
    const char *why = keys == 0       ? "is an empty list"
                      : count != keys ? "has fields or holes where a list is needed"
                                      : "is too long a list";
    diagnostics_error(reader->diagnostics, place.where, "%s %s; write %s", what, why,
                      strcmp(what, "tree") == 0 ? "tree = { lanes(32) }"
                                                : "a list, { a, b }, or leave it out");
    return 0;
}

/* Pushes item i (from 1) of a list, or the single value. */
static Place push_item(lua_State *state, Place list, int i)
{
    Reader *reader = reader_of(state);
    if (lua_type(state, list.index) != LUA_TTABLE) {
        lua_pushvalue(state, list.index);
        return (Place){lua_gettop(state), -1, list.where};
    }
    lua_rawgeti(state, list.index, i);
    return (Place){lua_gettop(state), locator_item_table(reader->locator, list.token, i),
                   locator_item(reader->locator, list.token, i, list.where)};
}

/* A Lua value that is a whole number, 0 or more. */
static bool whole_number(lua_State *state, int index, long long *value)
{
    int is_integer = 0;
    *value = lua_type(state, index) == LUA_TNUMBER ? lua_tointegerx(state, index, &is_integer) : -1;
    return is_integer && *value >= 0;
}

/* ---- output ---- */

/* What stands behind `output`: its expression, or NULL after reporting. */
static const Expr *output_value(lua_State *state, Place place, const char *name)
{
    Reader *reader = reader_of(state);
    switch (reader_kind(state, place.index)) {
    case VALUE_EXPR:
        return reader_expr(state, place.index);
    case VALUE_MISTAKE:
        return NULL;
    default:
        diagnostics_error(reader->diagnostics, place.where,
                          "output '%s' is %s; an expression over the inputs is needed", name,
                          reader_describe(state, place.index));
        return NULL;
    }
}

static void read_outputs(lua_State *state, Place kernel)
{
    Reader *reader = reader_of(state);
    Place outputs = push_field(state, kernel, "output");
    bool odd = false;
    if (lua_isnil(state, outputs.index)) {
        diagnostics_error(reader->diagnostics, outputs.where, "no output; write output = { y = ... }");
    } else if (lua_type(state, outputs.index) != LUA_TTABLE) {
        if (reader_kind(state, outputs.index) != VALUE_MISTAKE) {
            diagnostics_error(reader->diagnostics, outputs.where,
                              "output is %s; outputs have names: output = { y = ... }",
                              reader_describe(state, outputs.index));
        }
    } else {
        const char *const *names = reader_sorted_keys(state, outputs.index, &odd);
        if (odd) {
            diagnostics_error(reader->diagnostics, outputs.where,
                              "an output has no name; write output = { y = ... }");
        } else if (!*names) {
            diagnostics_error(reader->diagnostics, outputs.where,
                              "output is empty; write output = { y = ... }");
        }
        for (; *names; names++) {
            Place output = push_field(state, outputs, *names);
            operator_build_output(reader->builder, output.where, *names, output_value(state, output, *names));
            lua_pop(state, 1);
        }
    }
    lua_pop(state, 1);
}

/* ---- axes ---- */

static void read_tree_item(lua_State *state, Place item)
{
    Reader *reader = reader_of(state);
    ValueKind kind = reader_kind(state, item.index);
    if (kind == VALUE_TREES) {
        const Trees *trees = reader_trees(state, item.index);
        bool ok = true;
        for (int i = 0; i < trees->count && ok; i++) {
            ok = axes_add_tree(&reader->spec->axes, reader->arena, reader->diagnostics, item.where,
                               trees->choice[i]);
        }
    } else if (kind != VALUE_MISTAKE) {
        bool is_text = lua_type(state, item.index) == LUA_TSTRING,
             is_name = lua_isfunction(state, item.index);
        diagnostics_error(reader->diagnostics, item.where, "a value of tree is %s; a tree is needed%s",
                          reader_describe(state, item.index),
                          is_text   ? ", written without quotes: lanes(32)"
                          : is_name ? "; this one takes arguments: lanes(32)"
                                    : ", such as seq or lanes(32)");
    }
}

static void read_axis_item(lua_State *state, Place item, Axis axis)
{
    Reader *reader = reader_of(state);
    AxisValues *axes = &reader->spec->axes;
    int is_integer = 0;
    if (axis == AXIS_TREE) {
        read_tree_item(state, item);
    } else if (reader_kind(state, item.index) == VALUE_MISTAKE) {
        return;
    } else if (axis_takes_text(axis)) {
        if (lua_type(state, item.index) == LUA_TSTRING) {
            axes_add_text(axes, reader->diagnostics, item.where, axis, lua_tostring(state, item.index));
            return;
        }
        diagnostics_error(reader->diagnostics, item.where, "a value of %s is %s; a name in quotes is needed",
                          axis_name(axis), reader_describe(state, item.index));
    } else {
        lua_Integer value =
            lua_type(state, item.index) == LUA_TNUMBER ? lua_tointegerx(state, item.index, &is_integer) : 0;
        if (is_integer) {
            axes_add_integer(axes, reader->diagnostics, item.where, axis, value);
            return;
        }
        diagnostics_error(reader->diagnostics, item.where, "a value of %s is %s; a whole number is needed",
                          axis_name(axis), reader_describe(state, item.index));
    }
}

static void read_axis(lua_State *state, Place kernel, Axis axis)
{
    Place place = push_field(state, kernel, axis_name(axis));
    if (!lua_isnil(state, place.index)) {
        int count = item_count(state, place, axis_name(axis));
        for (int i = 1; i <= count; i++) {
            read_axis_item(state, push_item(state, place, i), axis);
            lua_pop(state, 1);
        }
    }
    lua_pop(state, 1);
}

/* ---- bench ---- */

static bool read_size(lua_State *state, Place shape, const char *dim, size_t *size)
{
    enum { SIZE_BITS = 40 };
    Reader *reader = reader_of(state);
    Place place = push_field(state, shape, dim);
    long long value;
    bool ok = whole_number(state, place.index, &value) && value <= 1LL << SIZE_BITS;
    if (ok) {
        *size = (size_t)value;
    } else if (lua_isnil(state, place.index)) {
        diagnostics_error(reader->diagnostics, shape.where,
                          "the shape has no size for dim '%s'; write %s = 512", dim, dim);
    } else if (reader_kind(state, place.index) != VALUE_MISTAKE) {
        diagnostics_error(reader->diagnostics, place.where,
                          "the size of dim '%s' is %s; a whole number from 0 to 2^%d is needed", dim,
                          reader_describe(state, place.index), SIZE_BITS);
    }
    lua_pop(state, 1);
    return ok;
}

/* Elements of the largest tensor fit in memory at all? Sizes are below 2^40, so a double holds the product.
 */
static bool check_elements(Reader *reader, Place place, const Operator *op, const Shape *shape)
{
    const double limit = 1LL << 36;
    const Tensor *lists[] = {op->input, op->output};
    const int counts[] = {op->inputs, op->outputs};
    for (int l = 0; l < 2; l++) {
        for (int t = 0; t < counts[l]; t++) {
            const Tensor *tensor = &lists[l][t];
            double elements = 1;
            for (int r = 0; r < tensor->rank; r++) {
                elements *= (double)shape->size[tensor->dim[r]];
            }
            if (elements > limit) {
                diagnostics_error(reader->diagnostics, place.where,
                                  "with this shape '%s' has %.0f elements; at most 2^36 are possible",
                                  tensor->name, elements);
                return false;
            }
        }
    }
    return true;
}

static bool read_shape(lua_State *state, Place place, Shape *shape)
{
    Reader *reader = reader_of(state);
    const Operator *op = operator_build_so_far(reader->builder);
    const char *known[OPERATOR_DIMS + 1] = {NULL};
    bool ok = true;
    if (lua_type(state, place.index) != LUA_TTABLE) {
        diagnostics_error(reader->diagnostics, place.where,
                          "a shape is %s; write { rows = 512, cols = 1024 }",
                          reader_describe(state, place.index));
        return false;
    }
    if (lua_rawlen(state, place.index) > 0) {
        diagnostics_error(reader->diagnostics, place.where,
                          "a shape names its sizes; write { rows = 512, cols = 1024 }");
        return false;
    }
    memcpy(known, op->dim, (size_t)op->dims * sizeof *known);
    check_fields(state, place, "a shape", known);
    for (int d = 0; d < op->dims; d++) {
        ok = read_size(state, place, op->dim[d], &shape->size[d]) && ok;
    }
    return ok && check_elements(reader, place, op, shape);
}

/* shape = { {rows=1, cols=2}, ... } or a single { rows=1, cols=2 }. */
static void read_shapes(lua_State *state, Place bench)
{
    enum { SHAPES_LIMIT = 64 };
    Reader *reader = reader_of(state);
    BenchPlan *plan = &reader->spec->bench;
    Place place = push_field(state, bench, "shape");
    bool single = lua_type(state, place.index) == LUA_TTABLE && lua_rawlen(state, place.index) == 0;
    int count = lua_isnil(state, place.index) ? 0 : single ? 1 : item_count(state, place, "shape");
    if (count > SHAPES_LIMIT) {
        diagnostics_error(reader->diagnostics, place.where, "%d shapes; at most %d are possible", count,
                          SHAPES_LIMIT);
        count = 0;
    }
    plan->shape = count ? ARENA_ARRAY(reader->arena, Shape, (size_t)count) : NULL;
    for (int i = 1; i <= count; i++) {
        Place item = place;
        if (!single) {
            item = push_item(state, place, i);
        }
        read_shape(state, item, &plan->shape[plan->shapes++]);
        lua_pop(state, single ? 0 : 1);
    }
    lua_pop(state, 1);
}

/* A field whose value is one of `words`; its index, or `otherwise` when absent or wrong. */
static int read_word(lua_State *state, Place bench, const char *field, const char *const *words,
                     int otherwise)
{
    Reader *reader = reader_of(state);
    Place place = push_field(state, bench, field);
    int found = otherwise;
    if (lua_type(state, place.index) == LUA_TSTRING) {
        const char *text = lua_tostring(state, place.index);
        for (found = 0; words[found] && strcmp(words[found], text) != 0; found++) {
        }
        if (!words[found]) {
            diagnostics_error(reader->diagnostics, place.where, "unknown %s '%.40s'%s", field, text,
                              axes_choices(reader->diagnostics, text, words));
            found = otherwise;
        }
    } else if (!lua_isnil(state, place.index)) {
        diagnostics_error(reader->diagnostics, place.where, "%s is %s; a word in quotes is needed%s", field,
                          reader_describe(state, place.index), axes_choices(reader->diagnostics, "", words));
    }
    lua_pop(state, 1);
    return found;
}

static void read_batch_items(lua_State *state, Place place)
{
    enum { BATCH_LIMIT = 65536 };
    Reader *reader = reader_of(state);
    BenchPlan *plan = &reader->spec->bench;
    int limit = (int)(sizeof plan->batch / sizeof *plan->batch), count = item_count(state, place, "batch");
    if (count > limit) {
        diagnostics_error(reader->diagnostics, place.where, "%d batch sizes; at most %d are possible", count,
                          limit);
        return;
    }
    for (int i = 1; i <= count; i++) {
        Place item = push_item(state, place, i);
        long long value;
        if (whole_number(state, item.index, &value) && value >= 1 && value <= BATCH_LIMIT) {
            plan->batch[plan->batches++] = (int)value;
        } else {
            diagnostics_error(reader->diagnostics, item.where,
                              "a batch size is %s; a whole number from 1 to %d is needed",
                              reader_describe(state, item.index), BATCH_LIMIT);
        }
        lua_pop(state, 1);
    }
}

static void read_batch(lua_State *state, Place bench)
{
    static const int defaults[] = {1, 2, 4, 8};
    Reader *reader = reader_of(state);
    BenchPlan *plan = &reader->spec->bench;
    Place place = push_field(state, bench, "batch");
    if (!lua_isnil(state, place.index) && plan->compare != COMPARE_BATCH) {
        diagnostics_error(reader->diagnostics, place.where,
                          "batch is only read with compare = \"batch\"; add that, or remove batch");
    } else if (!lua_isnil(state, place.index)) {
        read_batch_items(state, place);
    } else if (plan->compare == COMPARE_BATCH) {
        memcpy(plan->batch, defaults, sizeof defaults);
        plan->batches = (int)(sizeof defaults / sizeof *defaults);
    }
    lua_pop(state, 1);
}

static void read_bench(lua_State *state, Place kernel)
{
    static const char *const data_words[] = {"mixed", "normal", NULL};
    static const char *const compare_words[] = {"batch", "methods", NULL};
    static const CompareKind compare_kinds[] = {COMPARE_BATCH, COMPARE_METHODS, COMPARE_NONE};
    Reader *reader = reader_of(state);
    BenchPlan *plan = &reader->spec->bench;
    Place bench = push_field(state, kernel, "bench");
    plan->data = "normal";
    if (lua_type(state, bench.index) == LUA_TTABLE) {
        check_fields(state, bench, "bench", bench_fields);
        read_shapes(state, bench);
        plan->data = data_words[read_word(state, bench, "data", data_words, 1)];
        plan->compare = compare_kinds[read_word(state, bench, "compare", compare_words, 2)];
        read_batch(state, bench);
    } else if (!lua_isnil(state, bench.index)) {
        diagnostics_error(reader->diagnostics, bench.where, "bench is %s; write bench = { shape = ... }",
                          reader_describe(state, bench.index));
    }
    lua_pop(state, 1);
}

/* ---- kernel ---- */

/* kernel "name" { ... }: userdata first, table second. */
static int call_with_table(lua_State *state)
{
    Reader *reader = reader_of(state);
    KernelStart *start = lua_touserdata(state, 1);
    if (lua_type(state, 2) != LUA_TTABLE || lua_gettop(state) != 2) {
        diagnostics_error(reader->diagnostics, start->where,
                          "kernel \"%s\" is followed by %s; a table is needed: { output = ... }",
                          start->name ? start->name : "...", reader_describe(state, 2));
        return reader_push_mistake(state);
    }
    if (reader->kernels++ > 0) {
        diagnostics_error(reader->diagnostics, start->where,
                          "a second kernel; a spec states one operator, put the other in a file of its own");
        return reader_push_mistake(state);
    }
    Place kernel = {2, start->table, start->where};
    check_fields(state, kernel, "kernel", kernel_fields);
    read_outputs(state, kernel);
    for (int axis = 0; axis < AXES; axis++) {
        read_axis(state, kernel, (Axis)axis);
    }
    read_bench(state, kernel);
    if (start->name) {
        reader->spec->op = operator_build_finish(reader->builder, start->where, start->name);
    }
    start->complete = true;
    lua_pushvalue(state, 1);
    return 1;
}

static int call_kernel(lua_State *state)
{
    Reader *reader = reader_of(state);
    int line = reader_line(state);
    Location where = reader_here(state, "kernel");
    const char *name = NULL;
    if (lua_gettop(state) == 1 && lua_type(state, 1) == LUA_TSTRING) {
        name = strlen(lua_tostring(state, 1)) == lua_rawlen(state, 1)
                   ? arena_copy(reader->arena, lua_tostring(state, 1))
                   : "";
    } else if (reader_kind(state, 1) != VALUE_MISTAKE) {
        diagnostics_error(reader->diagnostics, where,
                          "kernel takes a name, then a table; write kernel \"rmsnorm\" { ... }");
    }
    KernelStart *start = reader_push(state, VALUE_KERNEL, sizeof *start);
    *start = (KernelStart){name, where, locator_table_after(reader->locator, line, "kernel"), false};
    return 1;
}

/* What the spec returned, on top of the stack. */
void spec_kernel_check_result(lua_State *state)
{
    Reader *reader = reader_of(state);
    ValueKind kind = reader_kind(state, -1);
    const KernelStart *start = kind == VALUE_KERNEL ? lua_touserdata(state, -1) : NULL;
    Location where = {.file = reader->file};
    if (reader->diagnostics->count > reader->mistakes_before || (start && start->complete)) {
        return; /* after a mistake, what is returned may well be wrong: one message for one mistake */
    }
    if (start) {
        diagnostics_error(reader->diagnostics, start->where,
                          "kernel \"%s\" has no table; write kernel \"%s\" { output = ... }",
                          start->name ? start->name : "...", start->name ? start->name : "...");
    } else {
        diagnostics_error(reader->diagnostics, where,
                          "the spec returns %s; end it with return kernel \"name\" { ... }",
                          reader_describe(state, -1));
    }
}

void spec_kernel_register(lua_State *state)
{
    static const luaL_Reg methods[] = {{"__call", call_with_table}, {NULL, NULL}};
    reader_new_kind(state, VALUE_KERNEL, methods);
    lua_register(state, "kernel", call_kernel);
}
