/* gpu_controls.c: see gpu_controls.h.
 *
 * Each is the generated kernel of a row sum with one exact edit of its text; a text that no longer fits is a
 * control that was not caught, so a template that changes cannot empty a control unnoticed. Each meets the
 * very check that must catch it, by the code that checks every variant, at the lowest level that can see it:
 *
 *   barrier removed  source: threads read partials before they are written, in some order of threads
 *   atomicAdd        source: partials join in the order in which warps come
 *   contraction      PTX: a bare a * b + c, which the source level computes as it stands, with two
 *                    roundings; clang with -ffp-contract=on makes one fma of it. That the source level
 *                    passes it is required as well: a kernel that is wrong already there would show nothing
 *                    about PTX.
 *   another fold     source: shuffles by 1, 8, 4, 2, 16 pair other lanes; every order of threads agrees */
#include "verify/gpu_controls.h"

#include "driver/child.h"
#include "driver/modules.h"
#include "emit/emit.h"
#include "family/identity.h"
#include "operator/build.h"
#include "ptx/ptx.h"

#include <assert.h>
#include <string.h>

enum { EDITS = 4 };
static const double compile_seconds = 60;

typedef struct GpuControl {
    const char *name, *id, *target;
    bool squares; /* the row's sum of rounded(x * x); else of x */
    Promise expected;
    bool by_ptx; /* seen in what clang makes of it with its own contraction; the source level must not see it
                  */
    int edits;
    TextEdit edit[EDITS];
} GpuControl;

#define PART          "                part[i] = p;\n        }\n"
#define METAL_BARRIER "        threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);\n"
#define JOINS                                                                                                \
    "        for (size_t i = 0; i < parts; i++) {\n"                                                         \
    "            const float p = part[i];\n"                                                                 \
    "            acc = base + i == 0 ? p : __fadd_rn(acc, p);\n"                                             \
    "        }\n"

static const GpuControl rows[] = {
    {"barrier removed",
     "control_barrier_cuda",
     "cuda",
     false,
     PROMISE_RUN,
     false,
     1,
     {{PART "        __syncthreads();\n", PART}}},
    {"barrier removed",
     "control_barrier_metal",
     "metal",
     false,
     PROMISE_RUN,
     false,
     1,
     {{PART METAL_BARRIER, PART}}},
    {"atomicAdd",
     "control_atomic_cuda",
     "cuda",
     false,
     PROMISE_RUN,
     false,
     3,
     {{"    float acc = 0.0f;\n    for (size_t base",
       "    float acc = 0.0f;\n    if (row->own == 0)\n        part[0] = 0.0f;\n    __syncthreads();\n"
       "    for (size_t base"},
      {"                part[i] = p;\n", "                atomicAdd(&part[0], p);\n"},
      {JOINS, "        acc = part[0];\n"}}},
    {"contraction",
     "control_contraction_cuda",
     "cuda",
     true,
     PROMISE_TREE,
     true,
     1,
     {{"    const float t1 = __fmul_rn(at_x, at_x);\n    return __fadd_rn(acc, t1);\n",
       "    return acc + at_x * at_x;\n"}}},
    {"another fold",
     "control_fold_cuda",
     "cuda",
     false,
     PROMISE_TREE,
     false,
     2,
     {{"__shfl_xor_sync(0xffffffffu, acc0, 16)", "__shfl_xor_sync(0xffffffffu, acc0, 1)"},
      {"__shfl_xor_sync(0xffffffffu, acc0, 1)", "__shfl_xor_sync(0xffffffffu, acc0, 16)"}}},
    {"another fold",
     "control_fold_metal",
     "metal",
     false,
     PROMISE_TREE,
     false,
     2,
     {{"simd_shuffle_xor(acc0, (ushort)(16))", "simd_shuffle_xor(acc0, (ushort)(1))"},
      {"simd_shuffle_xor(acc0, (ushort)(1))", "simd_shuffle_xor(acc0, (ushort)(16))"}}},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* ---- which ---- */

static bool has_target(const Family *family, const char *target)
{
    for (int v = 0; v < family->variants; v++)
        if (strcmp(family->variant[v].target->name, target) == 0)
            return true;
    return false;
}

/* Every mistake for one target at least; those that both can have for both. */
static bool is_wanted(const Family *family, const GpuControl *row)
{
    const bool both = strcmp(row->name, "barrier removed") == 0 || strcmp(row->name, "another fold") == 0;
    if (both)
        return has_target(family, row->target);
    return has_target(family, "cuda") || has_target(family, "metal");
}

int gpu_controls_count(const Family *family)
{
    int count = 0;
    for (int r = 0; r < ROWS; r++)
        count += is_wanted(family, &rows[r]);
    return count;
}

static const GpuControl *control_at(const Family *family, int index)
{
    for (int r = 0; r < ROWS; r++)
        if (is_wanted(family, &rows[r]) && index-- == 0)
            return &rows[r];
    assert(false);
    return NULL;
}

/* ---- the edited text ---- */

static bool is_once(const char *text, const char *find)
{
    const char *first = strstr(text, find);
    return first != NULL && strstr(first + 1, find) == NULL;
}

static const TextEdit *edit_at(const char *at, const TextEdit *edit, int edits)
{
    for (int e = 0; e < edits; e++)
        if (strncmp(at, edit[e].find, strlen(edit[e].find)) == 0)
            return &edit[e];
    return NULL;
}

const char *text_edit(Arena *arena, const char *text, const TextEdit *edit, int edits, const char **why)
{
    Buffer out = {0};
    for (int e = 0; e < edits; e++)
        if (!is_once(text, edit[e].find)) {
            *why = arena_printf(arena, "the kernel's text has no longer exactly one \"%s\" to edit",
                                edit[e].find);
            return NULL;
        }
    while (*text != '\0') {
        const TextEdit *here = edit_at(text, edit, edits);
        buffer_append_string(&out, here != NULL ? here->replace : arena_copy_bytes(arena, text, 1));
        text += here != NULL ? strlen(here->find) : 1;
    }
    const char *result = arena_copy(arena, buffer_string(&out));
    buffer_destroy(&out);
    return result;
}

/* ---- the kernel that is edited ---- */

static const Operator *row_operator(Arena *arena, bool squares)
{
    const Location nowhere = {0};
    Diagnostics none;
    diagnostics_init(&none, arena);
    OperatorBuilder *b = operator_build_start(arena, &none);
    int dim[] = {operator_build_dim(b, nowhere, "rows"), operator_build_dim(b, nowhere, "cols")};
    const Expr *x = operator_build_input(b, nowhere, "x", 2, dim);
    const Expr *factors[] = {x, x, NULL};
    const Expr *product[] = {squares ? operator_build_op(b, nowhere, OP_MUL, factors) : NULL, NULL};
    const Expr *leaf = squares ? operator_build_op(b, nowhere, OP_ROUNDED, product) : x;
    operator_build_output(b, nowhere, "y", operator_build_reduce(b, nowhere, REDUCE_SUM, dim[1], leaf));
    const Operator *op = operator_build_finish(b, nowhere, squares ? "squares" : "sum");
    assert(op != NULL);
    return op;
}

static Variant variant_of(Arena *arena, const GpuControl *row)
{
    Diagnostics none;
    diagnostics_init(&none, arena);
    Variant variant = {.id = row->id,
                       .op = row_operator(arena, row->squares),
                       .tree = term_parse(arena, &none, (Location){0}, "chunk(64, lanes(32), seq)"),
                       .accumulator = ACCUMULATOR_F32,
                       .dtype = "f32",
                       .target = target_named(row->target),
                       .schedule = {.unroll = 4, .stream_bytes = 32 << 20},
                       .control = row->name};
    variant_fill_identity(arena, &variant, (IdentityParts){0});
    return variant;
}

/* Writes out/<family>/<id>.cu. */
static const char *write_source(Arena *arena, const Verification *verification, const GpuControl *row,
                                const Variant *variant, const char *path)
{
    Diagnostics diagnostics;
    const char *why = NULL;
    diagnostics_init(&diagnostics, arena);
    const char *text = emit_source_text(arena, &diagnostics, verification->family, variant);
    if (text == NULL)
        return diagnostics.count > 0 ? diagnostics.message[0] : "its kernel cannot be generated";
    text = text_edit(arena, text, row->edit, row->edits, &why);
    if (text == NULL)
        return why;
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    why = buffer_write_file(&buffer, path);
    buffer_destroy(&buffer);
    return why == NULL ? NULL : arena_printf(arena, "%s: %s", path, why);
}

/* ---- PTX with the compiler's own contraction ----
 * Not "fast", which leaves all additions without a rounding: such PTX is refused whatever the kernel. */

static const char *contracting_command(Arena *arena, const char *source, const char *ptx,
                                       const char **command, int limit)
{
    const char *prelude = arena_printf(arena, "%s.prelude.h", ptx);
    const char *const *plain = ptx_compile_command(arena, source, ptx, prelude, PTX_CLANG);
    bool found = false;
    for (int i = 0; i < limit; i++) {
        const bool off = plain[i] != NULL && strcmp(plain[i], "-ffp-contract=off") == 0;
        command[i] = off ? "-ffp-contract=on" : plain[i];
        found = found || off;
        if (plain[i] == NULL)
            return found ? NULL : "the compiler's command has no -ffp-contract=off to change";
    }
    return "the compiler's command is too long";
}

/* ptx_compile writes the prelude; it is run first, and what it made is replaced. */
static const char *make_contracted(Arena *arena, const char *source, const char *object)
{
    enum { WORDS = 64 };
    const char *command[WORDS], *ptx = arena_printf(arena, "%s.ptx", object),
                                *c = arena_printf(arena, "%s.c", object);
    const char *why = ptx_compile(arena, source, ptx, PTX_CLANG);
    why = why != NULL ? why : contracting_command(arena, source, ptx, command, WORDS);
    if (why != NULL)
        return why;
    Buffer said = {0};
    why = child_exec(arena, (ChildLimits){compile_seconds, 0}, command, NULL, &said);
    why = why == NULL ? NULL : arena_printf(arena, "%s: %s", why, buffer_string(&said));
    buffer_destroy(&said);
    why = why != NULL ? why : ptx_translate(arena, ptx, c);
    return why != NULL ? why : ptx_build(arena, c, object, SIMT_PLAIN);
}

/* ---- judging ---- */

typedef struct Judgement {
    bool caught;
    const char *on, *detail;
    long cases;
} Judgement;

static Finding try_object(Arena *arena, const Verification *verification, const Variant *variant,
                          const char *object, Promise promise)
{
    Attempt attempt = {.variant = variant,
                       .object = object,
                       .promise = promise_rows[promise].name,
                       .work = promise_rows[promise].work,
                       .patient = true,
                       .seconds = verification->seconds};
    Finding finding = attempt_run(arena, &attempt);
    json_decref(finding.data);
    return finding;
}

static bool is_caught(const Finding *finding)
{
    return finding->stopped || (finding->failed == NULL && finding->broken > 0);
}

static Judgement judge(Arena *arena, const Verification *verification, const GpuControl *row,
                       const Variant *variant, const char *object)
{
    const char *name = promise_rows[row->expected].name;
    Finding finding = try_object(arena, verification, variant, object, row->expected);
    const bool caught = is_caught(&finding);
    const char *detail = finding.failed != NULL ? finding.failed
                         : caught               ? finding.detail
                                                : arena_printf(arena, "%s let it through", name);
    return (Judgement){caught, caught ? name : "", detail, finding.cases};
}

static Judgement not_tried(const char *why)
{
    return (Judgement){false, "", why, 0};
}

static Judgement judge_contracted(Arena *arena, const Verification *verification, const GpuControl *row,
                                  const Variant *variant, const char *source, const char *object)
{
    Finding finding = try_object(arena, verification, variant, object, row->expected);
    if (finding.failed != NULL || finding.broken > 0)
        return not_tried(arena_printf(arena, "the source level is to find nothing, and found: %s",
                                      finding.failed != NULL ? finding.failed : finding.detail));
    const char *contracted = arena_printf(arena, "%s/%s/obj/ptx/%s.contracted.so", verification->out_dir,
                                          verification->family->name, variant->id);
    bool compiled;
    const char *why = module_compile(arena, source, contracted, MODULE_PTX, &compiled); /* makes the folder */
    why = why != NULL ? why : make_contracted(arena, source, contracted);
    if (why != NULL)
        return not_tried(why);
    Judgement judgement = judge(arena, verification, row, variant, contracted);
    judgement.cases += finding.cases;
    return judgement;
}

static Judgement control_try(Arena *arena, const Verification *verification, const GpuControl *row)
{
    Variant variant = variant_of(arena, row);
    const char *folder = arena_printf(arena, "%s/%s", verification->out_dir, verification->family->name);
    const char *source = arena_printf(arena, "%s/%s", folder, variant.source);
    const char *object =
        build_object_path(arena, verification->family, &variant, verification->out_dir, MODULE_SOURCE);
    bool compiled;
    const char *why = write_source(arena, verification, row, &variant, source);
    why = why != NULL ? why : module_compile(arena, source, object, MODULE_SOURCE, &compiled);
    if (why != NULL)
        return not_tried(why);
    return row->by_ptx ? judge_contracted(arena, verification, row, &variant, source, object)
                       : judge(arena, verification, row, &variant, object);
}

json_t *gpu_control_verify(const Verification *verification, int index)
{
    Arena *arena = arena_create();
    const GpuControl *row = control_at(verification->family, index);
    const Judgement judgement = control_try(arena, verification, row);
    json_t *result = json_pack("{s:s, s:[s], s:b, s:s, s:s, s:I, s:s*}", "control",
                               arena_printf(arena, "%s (%s)", row->name, row->target), "expected",
                               promise_rows[row->expected].name, "caught", judgement.caught, "on",
                               judgement.on, "level", row->by_ptx ? "PTX executed" : "source emulated",
                               "cases", (json_int_t)judgement.cases, "detail", judgement.detail);
    arena_destroy(arena);
    return result;
}
