/* build.c: putting an operator together, one checked piece at a time.
 *
 * Nodes are hash-consed in an open-addressing table of twice the node limit. A node's children are made
 * before it, so creation order is topological; the finished operator holds only what its outputs reach, in
 * depth-first order from the outputs, so that what a spec computes and then drops leaves no trace. */
#include "operator/build.h"

#include "operator/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_SIZE = 2 * OPERATOR_NODE_LIMIT }; /* a power of two */

struct OperatorBuilder {
    Arena *arena;
    Diagnostics *diagnostics;
    Operator op;
    Expr *made[OPERATOR_NODE_LIMIT];
    Expr *table[TABLE_SIZE];
    Location declared_dim[OPERATOR_DIMS], declared_input[OPERATOR_INPUTS], declared_param[OPERATOR_PARAMS],
        declared_output[OPERATOR_OUTPUTS];
    int count;
    int mistakes_before; /* of other specs, which are not this one's */
    bool full_reported;
    const char *limit_reported; /* the kind of declaration of which there were too many, last */
};

OperatorBuilder *operator_build_start(Arena *arena, Diagnostics *diagnostics)
{
    OperatorBuilder *builder = ARENA_NEW(arena, OperatorBuilder);
    builder->arena = arena;
    builder->diagnostics = diagnostics;
    builder->mistakes_before = diagnostics->count;
    return builder;
}

const Operator *operator_build_so_far(const OperatorBuilder *builder)
{
    return &builder->op;
}

bool operator_build_is_full(const OperatorBuilder *builder)
{
    return builder->full_reported;
}

/* ---- Names ---- */

const char *operator_title_why_not(const char *name)
{
    if (!*name) {
        return "is empty";
    }
    if (strlen(name) > OPERATOR_NAME_LIMIT) {
        return "is longer than 64 characters";
    }
    if (!isalpha((unsigned char)name[0])) {
        return "does not begin with a letter";
    }
    for (const char *c = name; *c; c++) {
        if (!(isalnum((unsigned char)*c) || *c == '_') || (unsigned char)*c > 127) {
            return "is no C identifier: letters, digits and _ only";
        }
    }
    return NULL;
}

static bool is_listed(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(name, *list) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_function_name(const char *name)
{
    for (int i = 0; i < OP_CODES; i++) {
        if (!op_rows[i].symbol && strcmp(name, op_rows[i].name) == 0) {
            return true;
        }
    }
    for (int i = 0; i < REDUCE_KINDS; i++) {
        if (strcmp(name, reduce_rows[i].name) == 0) {
            return true;
        }
    }
    return false;
}

/* Of C17 and C23. */
/* clang-format off */
static const char *const keywords[] = {
    "asm", "auto", "bool", "break", "case", "char", "const", "constexpr", "continue", "default",
    "do", "double", "else", "enum", "extern", "false", "float", "for", "goto", "if", "inline",
    "int", "long", "nullptr", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "static_assert", "struct", "switch", "thread_local", "true", "typedef", "typeof",
    "typeof_unqual", "union", "unsigned", "void", "volatile", "while", "alignas", "alignof", NULL};
/* clang-format on */

/* Macros and types of the headers that kernels include, and two that GNU C predefines. */
static const char *const taken_names[] = {"INFINITY", "NAN", "NULL", "linux", "size_t", "unix", NULL};

const char *operator_name_why_not(const char *name)
{
    const char *why = operator_title_why_not(name);
    if (why) {
        return why;
    }
    if (is_listed(name, keywords)) {
        return "is a C keyword";
    }
    if (is_function_name(name)) {
        return "is the name of a function";
    }
    if (is_listed(name, taken_names) || strncmp(name, "samebits", 8) == 0 || strncmp(name, "omp_", 4) == 0) {
        return "already means something in the generated C";
    }
    return NULL;
}

/* What `name` already stands for, or NULL. */
static const char *declared_as(const Operator *op, const char *name)
{
    for (int i = 0; i < op->dims; i++) {
        if (strcmp(op->dim[i], name) == 0) {
            return "a dim";
        }
    }
    for (int i = 0; i < op->inputs; i++) {
        if (strcmp(op->input[i].name, name) == 0) {
            return "an input";
        }
    }
    for (int i = 0; i < op->params; i++) {
        if (strcmp(op->param[i].name, name) == 0) {
            return "a param";
        }
    }
    for (int i = 0; i < op->outputs; i++) {
        if (strcmp(op->output[i].name, name) == 0) {
            return "an output";
        }
    }
    return NULL;
}

/* Can one more `kind` be declared under this name? */
static bool check_declaration(OperatorBuilder *builder, Location where, const char *kind, const char *name,
                              int count, int limit)
{
    const char *why = operator_name_why_not(name);
    if (why) {
        diagnostics_error(builder->diagnostics, where, "%s name '%s' %s; choose another name", kind, name,
                          why);
        return false;
    }
    const char *already = declared_as(&builder->op, name);
    if (already) {
        diagnostics_error(
            builder->diagnostics, where,
            "'%s' is declared twice, the first time as %s; every dim, input, param and output needs a "
            "name of its own",
            name, already);
        return false;
    }
    if (count == limit) {
        if (builder->limit_reported != kind) { /* once, not once per turn of a loop */
            diagnostics_error(builder->diagnostics, where,
                              "more than %d %ss in one operator; split it into two specs", limit, kind);
        }
        builder->limit_reported = kind;
        return false;
    }
    return true;
}

/* ---- Nodes ---- */

static uint32_t hash_mix(uint32_t hash, uint64_t word)
{
    for (int i = 0; i < 8; i++) { /* FNV-1a */
        hash = (hash ^ (uint32_t)(word >> (8 * i) & 255)) * 16777619u;
    }
    return hash;
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t expr_hash(const Expr *e)
{
    uint32_t hash = 2166136261u;
    hash = hash_mix(hash, (uint64_t)e->kind << 32 | (uint64_t)e->op << 16 | (uint64_t)e->reduce << 8 |
                              (uint64_t)e->index);
    hash = hash_mix(hash, float_bits(e->value));
    for (int i = 0; i < e->overs; i++) {
        hash = hash_mix(hash, (uint64_t)e->over[i]);
    }
    for (int i = 0; i < 3; i++) {
        hash = hash_mix(hash, e->arg[i] ? (uint64_t)e->arg[i]->id + 1
                                        : 0); /* ids, not addresses: same on every run */
    }
    return hash;
}

/* Constants are compared as bits: -0.0 is not +0.0. */
static bool expr_same(const Expr *a, const Expr *b)
{
    return a->kind == b->kind && a->op == b->op && a->reduce == b->reduce && a->index == b->index &&
           float_bits(a->value) == float_bits(b->value) && expr_over_same(a, b) && a->arg[0] == b->arg[0] &&
           a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2];
}

static const Expr *intern(OperatorBuilder *builder, const Expr *wanted)
{
    uint32_t slot = expr_hash(wanted) % TABLE_SIZE;
    for (; builder->table[slot]; slot = (slot + 1) % TABLE_SIZE) {
        if (expr_same(builder->table[slot], wanted)) {
            return builder->table[slot];
        }
    }
    if (builder->count == OPERATOR_NODE_LIMIT) {
        if (!builder->full_reported) {
            diagnostics_error(
                builder->diagnostics, wanted->where,
                "more than %d different expressions; an operator is index notation, use a reduction "
                "instead of a loop",
                OPERATOR_NODE_LIMIT);
        }
        builder->full_reported = true;
        return NULL;
    }
    Expr *made = ARENA_NEW(builder->arena, Expr);
    *made = *wanted;
    made->id = builder->count;
    builder->made[builder->count++] = made;
    builder->table[slot] = made;
    return made;
}

int operator_build_dim(OperatorBuilder *builder, Location where, const char *name)
{
    Operator *op = &builder->op;
    if (!check_declaration(builder, where, "dim", name, op->dims, OPERATOR_DIMS)) {
        return -1;
    }
    op->dim[op->dims] = arena_copy(builder->arena, name);
    builder->declared_dim[op->dims] = where;
    return op->dims++;
}

const Expr *operator_build_input(OperatorBuilder *builder, Location where, const char *name, int rank,
                                 const int *dim)
{
    Operator *op = &builder->op;
    if (!check_declaration(builder, where, "input", name, op->inputs, OPERATOR_INPUTS)) {
        return NULL;
    }
    if (rank == 0) {
        diagnostics_error(
            builder->diagnostics, where,
            "input '%s' has no dims; write input(\"%s\", rows, cols), or param(\"%s\", 1.0) for one number",
            name, name, name);
        return NULL;
    }
    Tensor input = {.name = arena_copy(builder->arena, name), .rank = rank};
    Expr expr = {.kind = EXPR_INPUT, .index = op->inputs, .where = where};
    for (int r = 0; r < rank; r++) {
        if (expr.axes >> dim[r] & 1) {
            diagnostics_error(builder->diagnostics, where,
                              "input '%s' has dim '%s' twice; declare a second dim for the other axis", name,
                              op->dim[dim[r]]);
            return NULL;
        }
        input.dim[r] = dim[r];
        expr.axes |= 1u << dim[r];
    }
    builder->declared_input[op->inputs] = where;
    op->input[op->inputs++] = input;
    return intern(builder, &expr);
}

/* Rounds to binary32; false after reporting when nothing sensible is left of the number. */
static bool to_binary32(OperatorBuilder *builder, Location where, const char *what, double value,
                        float *result)
{
    *result = (float)value;
    if (isnan(value) || isinf(value)) {
        diagnostics_error(builder->diagnostics, where, "%s is %s; only finite numbers can be in an operator",
                          what, isnan(value) ? "not a number" : "infinite");
        return false;
    }
    if (isinf(*result) || (*result == 0 && value != 0)) {
        diagnostics_error(builder->diagnostics, where,
                          "%s %g does not fit binary32; its magnitude must be %s", what, value,
                          isinf(*result) ? "below 3.4028236e+38" : "0 or at least 1.4e-45");
        return false;
    }
    return true;
}

const Expr *operator_build_param(OperatorBuilder *builder, Location where, const char *name, double value)
{
    Operator *op = &builder->op;
    float rounded;
    if (!check_declaration(builder, where, "param", name, op->params, OPERATOR_PARAMS) ||
        !to_binary32(builder, where, "the default", value, &rounded)) {
        return NULL;
    }
    builder->declared_param[op->params] = where;
    op->param[op->params] = (Param){arena_copy(builder->arena, name), rounded};
    return intern(builder, &(Expr){.kind = EXPR_PARAM, .index = op->params++, .where = where});
}

const Expr *operator_build_constant(OperatorBuilder *builder, Location where, double value)
{
    Expr expr = {.kind = EXPR_CONST, .where = where};
    return to_binary32(builder, where, "the constant", value, &expr.value) ? intern(builder, &expr) : NULL;
}

const Expr *operator_build_size(OperatorBuilder *builder, Location where, int dim)
{
    return dim < 0 ? NULL : intern(builder, &(Expr){.kind = EXPR_DIM, .index = dim, .where = where});
}

const Expr *operator_build_op(OperatorBuilder *builder, Location where, OpCode op, const Expr *const *arg)
{
    Expr expr = {.kind = EXPR_OP, .op = op, .where = where};
    for (int i = 0; i < op_rows[op].arity; i++) {
        if (!arg[i]) {
            return NULL;
        }
        expr.arg[i] = arg[i];
        expr.axes |= arg[i]->axes;
    }
    return intern(builder, &expr);
}

/* Can `dim` join the dims that `so_far` reduces already? */
static bool check_over(OperatorBuilder *builder, const Expr *so_far, int dim)
{
    const char *name = builder->op.dim[dim], *reduce = reduce_rows[so_far->reduce].name;
    if (expr_reduced_dims(so_far) >> dim & 1) {
        diagnostics_error(builder->diagnostics, so_far->where, "%s over '%s' twice; name each dim once",
                          reduce, name);
        return false;
    }
    if (so_far->arg[0]->axes >> dim & 1) {
        return true;
    }
    bool sum = so_far->reduce == REDUCE_SUM;
    diagnostics_error(
        builder->diagnostics, so_far->where,
        "%s over '%s' of a value that does not vary along '%s'; reduce over a dim of one of its "
        "inputs, or write the value itself%s%s",
        reduce, name, name, sum ? " times " : "", sum ? name : "");
    return false;
}

const Expr *operator_build_reduce_over(OperatorBuilder *builder, Location where, ReduceKind reduce,
                                       const int *dim, int dims, const Expr *body)
{
    if (!body) {
        return NULL;
    }
    Expr expr = {.kind = EXPR_REDUCE, .reduce = reduce, .arg = {body}, .axes = body->axes, .where = where};
    for (int i = 0; i < dims; i++) {
        if (dim[i] < 0 || !check_over(builder, &expr, dim[i])) {
            return NULL;
        }
        expr.over[expr.overs++] = dim[i];
        expr.axes &= ~(1u << dim[i]);
    }
    return intern(builder, &expr);
}

const Expr *operator_build_reduce(OperatorBuilder *builder, Location where, ReduceKind reduce, int dim,
                                  const Expr *body)
{
    return operator_build_reduce_over(builder, where, reduce, &dim, 1, body);
}

/* ---- Outputs and the whole ---- */

bool operator_build_output(OperatorBuilder *builder, Location where, const char *name, const Expr *value)
{
    Operator *op = &builder->op;
    if (!check_declaration(builder, where, "output", name, op->outputs, OPERATOR_OUTPUTS)) {
        return false;
    }
    Tensor output = {.name = arena_copy(builder->arena, name), .value = value};
    for (int d = 0; value && d < op->dims; d++) {
        if (value->axes >> d & 1) {
            output.dim[output.rank++] = d;
        }
    }
    builder->declared_output[op->outputs] = where;
    op->output[op->outputs++] = output;
    return value != NULL;
}

static void sort_outputs(OperatorBuilder *builder)
{
    Operator *op = &builder->op;
    for (int i = 1; i < op->outputs; i++) {
        for (int j = i; j > 0 && strcmp(op->output[j - 1].name, op->output[j].name) > 0; j--) {
            Tensor tensor = op->output[j];
            op->output[j] = op->output[j - 1];
            op->output[j - 1] = tensor;
            Location where = builder->declared_output[j];
            builder->declared_output[j] = builder->declared_output[j - 1];
            builder->declared_output[j - 1] = where;
        }
    }
}

/* Depth-first, arguments first. Depth is at most OPERATOR_NODE_LIMIT small frames. */
static void collect(Operator *op, const Expr *expr, bool *seen)
{
    if (seen[expr->id]) {
        return;
    }
    seen[expr->id] = true;
    for (int i = 0; i < 3 && expr->arg[i]; i++) {
        collect(op, expr->arg[i], seen);
    }
    op->node[op->nodes++] = expr;
}

/* Characters of each node written out, at least; sharing makes text exponentially longer than the graph. */
static bool check_size(OperatorBuilder *builder)
{
    double *length = ARENA_ARRAY(builder->arena, double, (size_t)builder->count);
    for (int n = 0; n < builder->op.nodes; n++) {
        const Expr *node = builder->op.node[n];
        length[node->id] = 1;
        for (int i = 0; i < 3 && node->arg[i]; i++) {
            length[node->id] += length[node->arg[i]->id] + 3;
        }
    }
    for (int o = 0; o < builder->op.outputs; o++) {
        if (length[builder->op.output[o].value->id] > OPERATOR_TEXT_LIMIT) {
            diagnostics_error(
                builder->diagnostics, builder->declared_output[o],
                "output '%s' is more than %d characters when written out; an operator that large is "
                "better split into several specs",
                builder->op.output[o].name, OPERATOR_TEXT_LIMIT);
            return false;
        }
    }
    return true;
}

/* Every declared thing becomes an argument of the C function; one that nothing reads is a mistake. */
static void check_used(OperatorBuilder *builder)
{
    const Operator *op = &builder->op;
    uint32_t dims = 0, inputs = 0, params = 0;
    for (int n = 0; n < op->nodes; n++) {
        const Expr *node = op->node[n];
        inputs |= node->kind == EXPR_INPUT ? 1u << node->index : 0;
        params |= node->kind == EXPR_PARAM ? 1u << node->index : 0;
        dims |= node->kind == EXPR_DIM ? 1u << node->index : 0;
        dims |= node->kind == EXPR_REDUCE ? expr_reduced_dims(node) : 0;
        dims |= node->axes;
    }
    for (int i = 0; i < op->inputs; i++) {
        if (!(inputs >> i & 1)) {
            diagnostics_error(builder->diagnostics, builder->declared_input[i],
                              "input '%s' is used by no output; use it, or remove it", op->input[i].name);
        }
    }
    for (int i = 0; i < op->params; i++) {
        if (!(params >> i & 1)) {
            diagnostics_error(builder->diagnostics, builder->declared_param[i],
                              "param '%s' is used by no output; use it, or remove it", op->param[i].name);
        }
    }
    for (int i = 0; i < op->dims; i++) {
        bool of_input = false; /* an input's dim is named where the input is, if that is what is unused */
        for (int j = 0; j < op->inputs; j++) {
            for (int r = 0; r < op->input[j].rank; r++) {
                of_input |= op->input[j].dim[r] == i;
            }
        }
        if (!(dims >> i & 1) && !of_input) {
            diagnostics_error(builder->diagnostics, builder->declared_dim[i],
                              "dim '%s' is used by no input and no output; use it, or remove it", op->dim[i]);
        }
    }
}

static bool depends_on_input(const Expr *expr)
{
    bool found = expr->kind == EXPR_INPUT;
    for (int i = 0; i < 3 && expr->arg[i] && !found; i++) {
        found = depends_on_input(expr->arg[i]);
    }
    return found;
}

static bool check_outputs(OperatorBuilder *builder, Location where)
{
    const Operator *op = &builder->op;
    if (op->outputs == 0 && builder->diagnostics->count > builder->mistakes_before) {
        return false; /* the lack of outputs follows from another mistake */
    }
    if (op->outputs == 0) {
        diagnostics_error(builder->diagnostics, where, "no output; write output = { y = ... }");
        return false;
    }
    for (int o = 0; o < op->outputs; o++) {
        if (!op->output[o].value) {
            return false; /* its mistake is reported */
        }
    }
    return true;
}

static bool check_inputs_reached(OperatorBuilder *builder)
{
    const Operator *op = &builder->op;
    bool all = true;
    for (int o = 0; o < op->outputs; o++) {
        if (!depends_on_input(op->output[o].value)) {
            diagnostics_error(builder->diagnostics, builder->declared_output[o],
                              "output '%s' depends on no input; a kernel computes something from data",
                              op->output[o].name);
            all = false;
        }
    }
    return all;
}

const Operator *operator_build_finish(OperatorBuilder *builder, Location where, const char *name)
{
    Operator *op = &builder->op;
    const char *why = operator_title_why_not(name);
    if (why) {
        diagnostics_error(builder->diagnostics, where, "kernel name '%s' %s; choose another name", name, why);
    }
    op->name = arena_copy(builder->arena, name);
    op->where = where;
    if (!check_outputs(builder, where)) {
        return NULL;
    }
    sort_outputs(builder);
    op->node = ARENA_ARRAY(builder->arena, const Expr *, (size_t)builder->count);
    bool *seen = ARENA_ARRAY(builder->arena, bool, (size_t)builder->count);
    for (int o = 0; o < op->outputs; o++) {
        collect(op, op->output[o].value, seen);
    }
    if (!check_size(builder) || !check_inputs_reached(builder)) { /* the second walks what the first bounds */
        return NULL;
    }
    check_used(builder);
    for (int n = 0; n < op->nodes; n++) {
        builder->made[op->node[n]->id]->id = n; /* each node is renumbered once: node[] holds it once */
    }
    return builder->diagnostics->count == builder->mistakes_before ? op : NULL;
}
