/* source.c: vocabularies + plan + page -> the text of one kernel. */
#include "emit/source.h"

#include "emit/baseline.h"
#include "emit/emit.h"
#include "emit/page_data.h"
#include "platform/platform.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEMPLATE_LIMIT = 1 << 20 };

/* ---- templates and vocabularies ---- */

static const char *folder_beside_program(Arena *arena)
{
    const char *root = platform_program_folder(arena);
    size_t size = root ? strlen(root) : 0;
    for (int up = 0; up < 2; up++) { /* <root>/out/bin */
        while (size > 0 && root[size - 1] != '/')
            size--;
        if (size-- == 0)
            return "templates";
    }
    return arena_printf(arena, "%.*s/templates", (int)size, root);
}

const char *emit_template_folder(Arena *arena)
{
    const char *folder = getenv("SAMEBITS_TEMPLATES");
    return folder && *folder ? folder : folder_beside_program(arena);
}

static const char *load_template(void *context, const char *name)
{
    Press *press = context;
    Buffer text = {0};
    const char *why =
        buffer_read_file(&text, arena_printf(press->arena, "%s/%s", press->folder, name), TEMPLATE_LIMIT);
    const char *copy = why ? NULL : arena_copy(press->arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

bool press_open(Press *press, Arena *arena, Diagnostics *diagnostics)
{
    *press = (Press){arena, diagnostics, emit_template_folder(arena), NULL, {0}, {0}, 0};
    if (access(arena_printf(arena, "%s/cpu/rows.c", press->folder), R_OK)) {
        diagnostics_error(diagnostics, (Location){press->folder, 0, 0},
                          "no templates here; set SAMEBITS_TEMPLATES to the folder that holds cpu/rows.c");
        return false;
    }
    press->engine = template_engine_create(load_template, press);
    return true;
}

void press_close(Press *press)
{
    for (int i = 0; i < press->vocabularies; i++)
        words_destroy(press->vocabulary[i]);
    if (press->engine)
        template_engine_destroy(press->engine);
}

static const Words *vocabulary(Press *press, const char *name)
{
    for (int i = 0; i < press->vocabularies; i++)
        if (!strcmp(press->vocabulary_name[i], name))
            return press->vocabulary[i];
    assert(press->vocabularies < PRESS_VOCABULARIES);
    const Words *words = words_read(press->arena, press->diagnostics, press->folder, name);
    if (words) {
        press->vocabulary_name[press->vocabularies] = name;
        press->vocabulary[press->vocabularies++] = words;
    }
    return words;
}

/* ---- elementary functions a kernel needs ---- */

static bool add_function(Press *press, json_t *functions, const char *page, const Words *words,
                         const char *name)
{
    bool vector = strcmp(name, page) && strstr(name, "x8");
    bool gpu = json_object_get(words->pattern, "int_type") != NULL;
    json_t *data =
        json_pack("{s:s, s:s, s:s, s:s}", "storage",
                  gpu ? json_string_value(json_object_get(words->pattern, "inline")) : "static inline", "V",
                  vector ? "__m256" : "float", "I",
                  vector ? "__m256i"
                  : gpu  ? "int"
                         : "int32_t",
                  "name", name);
    Expansion expansion = {0};
    const char *path = arena_printf(press->arena, "elementary/%s.c", page);
    bool done = template_expand(press->engine, press->arena, press->diagnostics, path, data, words->pattern,
                                &expansion);
    if (done)
        json_array_append_new(functions, json_pack("{s:s}", "text", buffer_string(&expansion.text)));
    expansion_destroy(&expansion);
    json_decref(data);
    return done;
}

static const char *function_page(OpCode op)
{
    return op == OP_MAX ? "maximum" : op == OP_MIN ? "minimum" : op_rows[op].name;
}

static bool add_functions_of(Press *press, json_t *functions, unsigned ops, const Words *words,
                             const char *suffix)
{
    for (int op = 0; op < OP_CODES; op++) {
        if (!(ops >> op & 1))
            continue;
        const char *page = function_page((OpCode)op);
        if (!add_function(press, functions, page, words, arena_printf(press->arena, "%s_%s", page, suffix)))
            return false;
    }
    return true;
}

static bool add_plain_text(Press *press, json_t *functions, const char *page)
{
    const char *text = load_template(press, page);
    assert(text);
    json_array_append_new(functions, json_pack("{s:s}", "text", text));
    return true;
}

/* The functions of f64 accumulators that the kernel calls, and no others: compilers warn about those. */
static bool add_f64x8(Press *press, json_t *functions, const json_t *data)
{
    static const char *const names[] = {"add",        "fma",        "join", "lanes_1_up",
                                        "lanes_2_up", "lanes_4_up", "store"};
    char *text = json_dumps(data, 0);
    json_t *called = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        json_object_set_new(called, arena_printf(press->arena, "calls_%s", names[i]),
                            json_boolean(strstr(text, arena_printf(press->arena, "f64x8_%s(", names[i]))));
    free(text);
    Expansion expansion = {0};
    bool done = template_expand(press->engine, press->arena, press->diagnostics, "cpu/f64x8.c", called, NULL,
                                &expansion);
    if (done)
        json_array_append_new(functions, json_pack("{s:s}", "text", buffer_string(&expansion.text)));
    expansion_destroy(&expansion);
    json_decref(called);
    return done;
}

static bool add_functions(Press *press, const Speller *speller, json_t *data)
{
    json_t *functions = json_array();
    json_object_set_new(data, "functions", functions);
    if (speller->masks)
        add_plain_text(press, functions, "cpu/lanes_below.c");
    if (speller->wide_accumulators && speller->vector != speller->scalar &&
        !add_f64x8(press, functions, data))
        return false;
    char *text = json_dumps(data, 0);
    if (strstr(text, "shuffle_f64(") || strstr(text, "shuffle_xor_f64("))
        add_plain_text(press, functions, "gpu/shuffle_f64.c");
    free(text);
    unsigned vector = speller->vector != speller->scalar ? speller->vector_functions : 0;
    unsigned scalar =
        speller->scalar_functions | (speller->vector == speller->scalar ? speller->vector_functions : 0);
    if (scalar && !speller->plan->target->gpu &&
        !(add_function(press, functions, "bits_of", speller->scalar, "bits_of") &&
          add_function(press, functions, "float_of", speller->scalar, "float_of")))
        return false;
    return add_functions_of(press, functions, scalar, speller->scalar, "f32") &&
           add_functions_of(press, functions, vector, speller->vector, "f32x8");
}

/* ---- sources ---- */

static json_t *preamble(const Target *target)
{
    if (strcmp(target->name, "metal"))
        return json_array();
    return json_pack("[s, s, s, s]", "#pragma METAL fp math_mode(safe)", "#pragma METAL fp contract(off)",
                     "#include <metal_stdlib>", "using namespace metal;");
}

bool press_kernel(Press *press, const Family *family, const Variant *variant, const Plan *plan,
                  Expansion *out)
{
    const char *own = plan->target->ranks ? "avx2" : plan->target->name;
    const Words *scalar = vocabulary(press, plan->target->gpu ? own : "c");
    const Words *vector = plan->target->width > 1 ? vocabulary(press, own) : scalar;
    if (!scalar || !vector)
        return false;
    Speller speller = {.arena = press->arena, .plan = plan, .scalar = scalar, .vector = vector};
    json_t *data = page_data_of_plan(&speller, variant->symbol);
    json_object_set_new(data, "head", head_of_kernel(press->arena, family, variant));
    json_object_set_new(data, "preamble", preamble(plan->target));
    if (plan->target->ranks)
        page_add_ranks(&speller, variant, data);
    const char *page = plan->target->gpu ? "gpu/rows.c" : plan->target->ranks ? "mpi/rows.c" : "cpu/rows.c";
    bool done = add_functions(press, &speller, data) &&
                template_expand(press->engine, press->arena, press->diagnostics, page, data, NULL, out);
    json_decref(data);
    return done;
}

bool press_baseline(Press *press, const Plan *plan, const char *symbol, Expansion *out)
{
    const Words *plain = vocabulary(press, "plain");
    if (!plain)
        return false;
    Speller speller = {.arena = press->arena, .plan = plan, .scalar = plain, .vector = plain, .bare = true};
    json_t *data = baseline_data(&speller, symbol);
    json_object_set_new(data, "head", head_of_baseline(press->arena, plan->op));
    bool done =
        template_expand(press->engine, press->arena, press->diagnostics, "cpu/baseline.c", data, NULL, out);
    json_decref(data);
    return done;
}
