/* spec_values.c: dims, inputs, params, arithmetic and functions of the spec language.
 *
 * The functions derive from op_rows and reduce_rows: a row without an infix symbol is a function of that
 * name; max and min are both, told apart by their first argument. */
#include "lua/reader.h"

#include <string.h>

/* ---- Operands ---- */

/* The operand at `index` as an expression. NULL after reporting, or when its mistake is reported already.
 * `what` is the place of the operand in words: "the right operand of *", "argument 2 of max". */
static const Expr *operand(lua_State *state, int index, Location where, const char *what)
{
    Reader *reader = reader_of(state);
    if (lua_type(state, index) == LUA_TNUMBER) {
        return operator_build_constant(reader->builder, where, lua_tonumber(state, index));
    }
    switch (reader_kind(state, index)) {
    case VALUE_EXPR:
        return reader_expr(state, index);
    case VALUE_DIM:
        return operator_build_size(reader->builder, where, reader_dim(state, index));
    case VALUE_MISTAKE:
        return NULL;
    default:
        diagnostics_error(reader->diagnostics, where,
                          "%s is %s; a number, an input, a param, a dim or an expression is needed", what,
                          reader_describe(state, index));
        return NULL;
    }
}

/* ---- Arithmetic: metamethods of values and dims; upvalue 1 is the OpCode ---- */

static int arithmetic(lua_State *state)
{
    Reader *reader = reader_of(state);
    OpCode op = (OpCode)lua_tointeger(state, lua_upvalueindex(1));
    const OpRow *row = &op_rows[op];
    Location where = locator_symbol(reader->locator, reader_line(state), row->symbol);
    const Expr *arg[3] = {NULL};
    bool ok = true;
    for (int i = 0; i < row->arity; i++) {
        const char *side = row->arity == 1 ? "" : i == 0 ? "left " : "right ";
        arg[i] = operand(state, i + 1, where,
                         arena_printf(reader->arena, "the %soperand of %s", side, row->symbol));
        ok = ok && arg[i];
    }
    return reader_push_expr(state, ok ? operator_build_op(reader->builder, where, op, arg) : NULL);
}

/* What Lua can write and index notation cannot say. */
typedef struct Refusal {
    const char *event, *symbol, *cure;
} Refusal;

static const Refusal refusals[] = {
    {"__band", "&", "use + - * / and the functions"},
    {"__bnot", "~", "use + - * / and the functions"},
    {"__bor", "|", "use + - * / and the functions"},
    {"__bxor", "~", "use + - * / and the functions"},
    {"__call", "()", "functions are called by name: exp(x), sum(cols, x)"},
    {"__concat", "..", "values have no text when the spec is read"},
    {"__eq", "==", "values are not known when the spec is read"},
    {"__idiv", "//", "use /"},
    {"__index", ".", "inputs are taken at all their indices: write x, not x[i]"},
    {"__le", "<=", "values are not known when the spec is read; use max(a, b) or min(a, b)"},
    {"__len", "#", "the size of an axis is its dim: cols"},
    {"__lt", "<", "values are not known when the spec is read; use max(a, b) or min(a, b)"},
    {"__mod", "%", "use + - * / and the functions"},
    {"__newindex", "=", "outputs are named in output = { y = ... }"},
    {"__pow", "^", "write x * x, sqrt(x), or exp(y * log(x))"},
    {"__shl", "<<", "use + - * / and the functions"},
    {"__shr", ">>", "use + - * / and the functions"},
};

/* Metamethod of an event that is refused; upvalue 1 is its row. */
static int refuse(lua_State *state)
{
    Reader *reader = reader_of(state);
    const Refusal *row = &refusals[lua_tointeger(state, lua_upvalueindex(1))];
    for (int i = 1; i <= 2; i++) { /* index: key is no operand, but no mistake either */
        if (reader_kind(state, i) == VALUE_MISTAKE) {
            return reader_push_mistake(state);
        }
    }
    bool is_dim = reader_kind(state, 1) == VALUE_DIM;
    diagnostics_error(reader->diagnostics, locator_symbol(reader->locator, reader_line(state), row->symbol),
                      "%s has no operation %s; %s", is_dim ? "a dim" : "a value", row->symbol, row->cure);
    return reader_push_mistake(state);
}

static void add_operators(lua_State *state, const char *metatable)
{
    static const struct {
        const char *event;
        OpCode op;
    } events[] = {
        {"__add", OP_ADD}, {"__div", OP_DIV}, {"__mul", OP_MUL}, {"__sub", OP_SUB}, {"__unm", OP_NEG}};
    luaL_getmetatable(state, metatable);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        lua_pushinteger(state, events[i].op);
        lua_pushcclosure(state, arithmetic, 1);
        lua_setfield(state, -2, events[i].event);
    }
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        lua_pushinteger(state, (lua_Integer)i);
        lua_pushcclosure(state, refuse, 1);
        lua_setfield(state, -2, refusals[i].event);
    }
    lua_pop(state, 1);
}

/* A mistake takes part in everything and stays a mistake. */
static int stay_mistaken(lua_State *state)
{
    return reader_push_mistake(state);
}

static int mistaken_newindex(lua_State *state)
{
    (void)state;
    return 0;
}

static void register_mistake(lua_State *state)
{
    static const char *const events[] = {
        "__add",  "__sub", "__mul", "__div",  "__mod",    "__pow", "__unm", "__idiv", "__band",  "__bor",
        "__bxor", "__shl", "__shr", "__bnot", "__concat", "__len", "__lt",  "__le",   "__index", "__call"};
    static const luaL_Reg methods[] = {{"__newindex", mistaken_newindex}, {NULL, NULL}};
    reader_new_kind(state, VALUE_MISTAKE, methods);
    luaL_getmetatable(state, "samebits.mistake");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        lua_pushcfunction(state, stay_mistaken);
        lua_setfield(state, -2, events[i]);
    }
    lua_pop(state, 1);
}

/* ---- Functions ---- */

/* max(x, cols): the dim comes first, as in all reductions. */
static bool is_swapped_reduction(lua_State *state)
{
    return lua_gettop(state) == 2 && reader_kind(state, 1) != VALUE_DIM && reader_kind(state, 2) == VALUE_DIM;
}

/* sum(cols, x), sum(rows, cols, x): one dim or more, then a value. */
static bool is_reduction(lua_State *state)
{
    int arguments = lua_gettop(state);
    bool dims = arguments >= 2 && arguments <= OPERATOR_DIMS + 1;
    for (int i = 1; dims && i < arguments; i++) {
        dims = reader_kind(state, i) == VALUE_DIM;
    }
    return dims;
}

static int build_reduction(lua_State *state, ReduceKind reduce, Location where)
{
    Reader *reader = reader_of(state);
    int dims = lua_gettop(state) - 1, dim[OPERATOR_DIMS];
    for (int i = 0; i < dims; i++) {
        dim[i] = reader_dim(state, i + 1);
    }
    const Expr *body =
        operand(state, dims + 1, where,
                arena_printf(reader->arena, "argument %d of %s", dims + 1, reduce_rows[reduce].name));
    return reader_push_expr(state,
                            operator_build_reduce_over(reader->builder, where, reduce, dim, dims, body));
}

/* The first argument before the last that is no dim; 0: there is none. */
static int first_no_dim(lua_State *state)
{
    for (int i = 1; i < lua_gettop(state); i++) {
        if (reader_kind(state, i) != VALUE_DIM) {
            return i;
        }
    }
    return 0;
}

static int report_reduction_use(lua_State *state, ReduceKind reduce, Location where)
{
    Reader *reader = reader_of(state);
    const char *name = reduce_rows[reduce].name;
    int wrong = first_no_dim(state);
    bool any_mistake = wrong && reader_kind(state, wrong) == VALUE_MISTAKE;
    if (is_swapped_reduction(state)) {
        diagnostics_error(reader->diagnostics, where, "%s takes its dim first; write %s(%s, ...)", name, name,
                          operator_build_so_far(reader->builder)->dim[reader_dim(state, 2)]);
    } else if (lua_gettop(state) < 2 || !wrong) {
        diagnostics_error(
            reader->diagnostics, where,
            "%s takes one dim or several and then a value, got %d argument%s; write %s(cols, x) "
            "or %s(rows, cols, x)",
            name, lua_gettop(state), lua_gettop(state) == 1 ? "" : "s", name, name);
    } else if (!any_mistake) {
        diagnostics_error(
            reader->diagnostics, where,
            "argument %d of %s is %s; a dim is needed: %s(cols, x) with local cols = dim \"cols\"", wrong,
            name, reader_describe(state, wrong), name);
    }
    return reader_push_mistake(state);
}

/* A function of op_rows; upvalue 1 is its OpCode. */
static int call_function(lua_State *state)
{
    Reader *reader = reader_of(state);
    OpCode op = (OpCode)lua_tointeger(state, lua_upvalueindex(1));
    const OpRow *row = &op_rows[op];
    Location where = reader_here(state, row->name);
    const Expr *arg[3] = {NULL};
    bool ok = true;
    if (lua_gettop(state) != row->arity) {
        diagnostics_error(reader->diagnostics, where, "%s takes %d operand%s, got %d", row->name, row->arity,
                          row->arity == 1 ? "" : "s", lua_gettop(state));
        return reader_push_mistake(state);
    }
    for (int i = 0; i < row->arity; i++) {
        arg[i] =
            operand(state, i + 1, where, arena_printf(reader->arena, "argument %d of %s", i + 1, row->name));
        ok = ok && arg[i];
    }
    return reader_push_expr(state, ok ? operator_build_op(reader->builder, where, op, arg) : NULL);
}

/* A reduction; upvalue 1 is its ReduceKind. */
static int call_reduction(lua_State *state)
{
    ReduceKind reduce = (ReduceKind)lua_tointeger(state, lua_upvalueindex(1));
    Location where = reader_here(state, reduce_rows[reduce].name);
    if (is_reduction(state)) {
        return build_reduction(state, reduce, where);
    }
    return report_reduction_use(state, reduce, where);
}

/* max and min: a reduction when a dim comes first, else elementwise; upvalues: OpCode, ReduceKind. */
static int call_either(lua_State *state)
{
    Reader *reader = reader_of(state);
    OpCode op = (OpCode)lua_tointeger(state, lua_upvalueindex(1));
    ReduceKind reduce = (ReduceKind)lua_tointeger(state, lua_upvalueindex(2));
    const char *name = op_rows[op].name;
    if (lua_gettop(state) == 2 && !is_swapped_reduction(state) && reader_kind(state, 1) != VALUE_DIM) {
        return call_function(state);
    }
    Location where = reader_here(state, name);
    if (is_reduction(state)) {
        return build_reduction(state, reduce, where);
    }
    if (is_swapped_reduction(state)) {
        return report_reduction_use(state, reduce, where);
    }
    diagnostics_error(
        reader->diagnostics, where,
        "%s takes a dim and a value, or two values, got %d argument%s; write %s(cols, x) or %s(a, b)", name,
        lua_gettop(state), lua_gettop(state) == 1 ? "" : "s", name, name);
    return reader_push_mistake(state);
}

static void register_functions(lua_State *state)
{
    for (int op = 0; op < OP_CODES; op++) {
        if (!op_rows[op].symbol) {
            lua_pushinteger(state, op);
            lua_pushcclosure(state, call_function, 1);
            lua_setglobal(state, op_rows[op].name);
        }
    }
    for (int reduce = 0; reduce < REDUCE_KINDS; reduce++) {
        int op = 0;
        while (op < OP_CODES && strcmp(op_rows[op].name, reduce_rows[reduce].name) != 0) {
            op++;
        }
        bool is_both = op < OP_CODES;
        if (is_both) {
            lua_pushinteger(state, op);
        }
        lua_pushinteger(state, reduce);
        lua_pushcclosure(state, is_both ? call_either : call_reduction, is_both ? 2 : 1);
        lua_setglobal(state, reduce_rows[reduce].name);
    }
}

/* ---- Declarations ---- */

/* The name that every declaration begins with; NULL after reporting. */
static const char *declared_name(lua_State *state, Location where, const char *function, const char *usage)
{
    Reader *reader = reader_of(state);
    if (lua_type(state, 1) != LUA_TSTRING) {
        if (reader_kind(state, 1) != VALUE_MISTAKE) {
            diagnostics_error(reader->diagnostics, where, "argument 1 of %s is %s; a name is needed: %s",
                              function, reader_describe(state, 1), usage);
        }
        return NULL;
    }
    const char *name = lua_tostring(state, 1);
    return strlen(name) == lua_rawlen(state, 1) ? name : ""; /* a NUL inside: no identifier either */
}

static int call_dim(lua_State *state)
{
    Reader *reader = reader_of(state);
    Location where = reader_here(state, "dim");
    const char *name = declared_name(state, where, "dim", "dim \"rows\"");
    if (name && lua_gettop(state) != 1) {
        diagnostics_error(reader->diagnostics, where,
                          "dim takes one name, got %d arguments; write dim \"%s\" and another dim",
                          lua_gettop(state), name);
        name = NULL;
    }
    int dim = name ? operator_build_dim(reader->builder, where, name) : -1;
    if (dim < 0) {
        return reader_push_mistake(state);
    }
    int *slot = reader_push(state, VALUE_DIM, sizeof *slot);
    *slot = dim;
    return 1;
}

/* The dims of an input, arguments 2 and up. -1 after reporting. */
static int read_dims(lua_State *state, Location where, const char *name, int dim[OPERATOR_DIMS])
{
    Reader *reader = reader_of(state);
    int rank = lua_gettop(state) - 1;
    bool ok = true;
    if (rank > OPERATOR_DIMS) {
        diagnostics_error(reader->diagnostics, where, "input '%s' has %d dims; at most %d are possible", name,
                          rank, OPERATOR_DIMS);
        return -1;
    }
    for (int r = 0; r < rank; r++) {
        ValueKind kind = reader_kind(state, r + 2);
        if (kind == VALUE_DIM) {
            dim[r] = reader_dim(state, r + 2);
            continue;
        }
        ok = false;
        if (kind != VALUE_MISTAKE) {
            diagnostics_error(reader->diagnostics, where,
                              "dim %d of input '%s' is %s; a dim is needed, as in local cols = dim \"cols\"",
                              r + 1, name, reader_describe(state, r + 2));
        }
    }
    return ok ? rank : -1;
}

static int call_input(lua_State *state)
{
    Reader *reader = reader_of(state);
    Location where = reader_here(state, "input");
    int dim[OPERATOR_DIMS];
    const char *name = declared_name(state, where, "input", "input(\"x\", rows, cols)");
    int rank = name ? read_dims(state, where, name, dim) : -1;
    return reader_push_expr(state,
                            rank < 0 ? NULL : operator_build_input(reader->builder, where, name, rank, dim));
}

static int call_param(lua_State *state)
{
    Reader *reader = reader_of(state);
    Location where = reader_here(state, "param");
    const char *name = declared_name(state, where, "param", "param(\"eps\", 1e-6)");
    if (name && (lua_gettop(state) != 2 || lua_type(state, 2) != LUA_TNUMBER)) {
        if (reader_kind(state, 2) != VALUE_MISTAKE) {
            diagnostics_error(
                reader->diagnostics, where, "the default of param '%s' is %s; write param(\"%s\", 1e-6)",
                name, lua_gettop(state) > 2 ? "followed by more arguments" : reader_describe(state, 2), name);
        }
        name = NULL;
    }
    return reader_push_expr(
        state, name ? operator_build_param(reader->builder, where, name, lua_tonumber(state, 2)) : NULL);
}

void spec_values_register(lua_State *state)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    reader_new_kind(state, VALUE_EXPR, none);
    reader_new_kind(state, VALUE_DIM, none);
    add_operators(state, "samebits.value");
    add_operators(state, "samebits.dim");
    register_mistake(state);
    register_functions(state);
    lua_register(state, "dim", call_dim);
    lua_register(state, "input", call_input);
    lua_register(state, "param", call_param);
}
