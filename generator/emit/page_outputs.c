/* page_outputs.c: the last pass: outputs that vary along the axis, element by element. */
#include "emit/page_data.h"

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static const Expr *kept_value(const Plan *plan)
{
    for (int r = 0; r < plan->reductions; r++)
        if (plan->reduction[r].kept)
            return plan->reduction[r].kept;
    return NULL;
}

static int varying_outputs(const Speller *speller)
{
    int count = 0;
    for (int o = 0; o < speller->plan->op->outputs; o++)
        count += spell_varies(speller, speller->plan->op->output[o].value);
    return count;
}

bool page_has_outputs(const Speller *speller)
{
    return varying_outputs(speller) > 0;
}

/* Kept values bring the output's lines into the cache while they are computed; storing around it then costs
 * more than it saves (measured: a softmax of 4096 x 4096 took 1.2 times as long). */
bool page_streams(const Speller *speller)
{
    const Plan *plan = speller->plan;
    return !kept_value(plan) && plan->schedule.stream_bytes > 0 && plan->target->width > 1 &&
           !plan->target->gpu && plan->unit_stride && varying_outputs(speller) == 1;
}

/* A row longer than half of the first cache is partly gone from it when its outputs are computed. Every other
 * row is written from its end, which was read last; a weight is then met again where the row before left it
 * (measured on Zen 4: rmsnorm of 64 x 4096 2 % and of 32 x 16384 4 % faster, layernorm 6 and 3 %; always from
 * the end: 2 % slower; rows of 2048, which stay: 5 % slower). */
bool page_turns(const Speller *speller)
{
    const Plan *plan = speller->plan;
    return plan->reductions > 0 && plan->axes > 0 && plan->target->width > 1 && !plan->target->gpu &&
           plan->unit_stride && page_has_outputs(speller);
}

static const char *store_word(Pass pass, bool stream)
{
    return pass.live ? "store_live" : stream ? "store_stream" : "store";
}

/* One vector (or element) of every output. */
static json_t *element_lines(Speller *speller, Pass pass, bool stream)
{
    const Operator *op = speller->plan->op;
    const Words *words = pass.vector ? speller->vector : speller->scalar;
    const char **text = ARENA_ARRAY(speller->arena, const char *, (size_t)op->nodes);
    json_t *lines = json_array();
    for (int o = 0; o < op->outputs; o++) {
        const Tensor *output = &op->output[o];
        if (!spell_varies(speller, output->value))
            continue;
        const char *value = spell_value(speller, lines, pass, text, output->value);
        spell_line(lines,
                   words_spell(speller->arena, words, store_word(pass, stream),
                               spell_name(speller, output->name), spell_place(speller, output, pass.index),
                               value),
                   output->value->where.line);
    }
    return lines;
}

static const Tensor *first_varying_output(const Speller *speller)
{
    const Operator *op = speller->plan->op;
    for (int o = 0; o < op->outputs; o++)
        if (spell_varies(speller, op->output[o].value))
            return &op->output[o];
    return NULL;
}

static json_t *output_reads(Speller *speller, Pass pass)
{
    const Operator *op = speller->plan->op;
    const Expr *roots[OPERATOR_OUTPUTS];
    int count = 0;
    for (int o = 0; o < op->outputs; o++)
        if (spell_varies(speller, op->output[o].value))
            roots[count++] = op->output[o].value;
    json_t *reads = page_reads(speller, pass, roots, count);
    for (int o = 0; o < op->outputs; o++)
        if (spell_varies(speller, op->output[o].value)) {
            const char *name = spell_name(speller, op->output[o].name);
            const char *value = arena_printf(speller->arena, "row->%s", name);
            json_array_append_new(reads, json_pack("{s:s, s:s, s:s}", "type", spell_word(speller, "global"),
                                                   "name", name, "value", value));
        }
    return reads;
}

typedef struct Style {
    const char *name; /* of the function that does one vector */
    bool live, stream;
} Style;

static const char *vector_call(Speller *speller, Style style, const json_t *reads, const char *index,
                               const char *live)
{
    return arena_printf(speller->arena, "%s(%s%s%s%s);", style.name,
                        page_read_arguments(speller->arena, reads), index, live ? ", " : "",
                        live ? live : "");
}

static json_t *vector_function(Speller *speller, Style style, const json_t *reads)
{
    Pass pass = {true, style.live, "i", kept_value(speller->plan), false};
    json_t *record = json_object();
    set(record, "head",
        arena_printf(speller->arena, "static inline void %s(%ssize_t i%s)", style.name,
                     page_read_parameters(speller->arena, reads), style.live ? ", __m256i live" : ""));
    json_object_set_new(record, "lines", element_lines(speller, pass, style.stream));
    return record;
}

static const Style plain = {"outputs8", false, false}, live = {"outputs8_live", true, false},
                   stream = {"outputs8_stream", false, true};

static json_t *vector_functions(Speller *speller, const json_t *reads)
{
    json_t *functions = json_array();
    json_array_append_new(functions, vector_function(speller, plain, reads));
    json_array_append_new(functions, vector_function(speller, live, reads));
    if (page_streams(speller))
        json_array_append_new(functions, vector_function(speller, stream, reads));
    return functions;
}

static json_t *unrolled_calls(Speller *speller, const json_t *reads)
{
    json_t *lines = json_array();
    int width = speller->plan->target->width;
    for (int g = 0; g < speller->plan->schedule.unroll; g++) {
        const char *index = g ? arena_printf(speller->arena, "i + %d", g * width) : "i";
        spell_line(lines, vector_call(speller, plain, reads, index, NULL), 0);
    }
    return lines;
}

enum { CACHE_LINE = 16, BLOCK = 2 * CACHE_LINE }; /* binary32 elements */

/* One block, stored around the cache. */
static json_t *stream_calls(Speller *speller, const json_t *reads)
{
    json_t *lines = json_array();
    for (int at = 0; at < BLOCK; at += speller->plan->target->width) {
        const char *index = at ? arena_printf(speller->arena, "i + %d", at) : "i";
        spell_line(lines, vector_call(speller, stream, reads, index, NULL), 0);
    }
    return lines;
}

/* Stores around the cache are what bounds these kernels, and every line that comes from the second cache
 * meanwhile delays them. So rows go by fours, a block of 32 elements at a time: what they share is read once
 * into the first cache, and reading ahead leaves the first cache alone. Measured, out of cache on two threads
 * (Zen 4, clang 14): rmsnorm 1.1 to 1.4 times, layernorm 1.2 to 1.3 times as fast as a row at a time; blocks
 * of 16 or 64, two or eight rows, and storing a row while the next is reduced were all slower. */

/* Inputs that have other values in the next rows, which lie as many rows' lengths ahead. */
static json_t *prefetches(Speller *speller)
{
    const Plan *plan = speller->plan;
    json_t *lines = json_array();
    for (int i = 0; i < plan->op->nodes; i++) {
        const Expr *expr = plan->op->node[i];
        if (expr->kind != EXPR_INPUT || !plan->reached[i] || !spell_varies(speller, expr))
            continue;
        const Tensor *input = &plan->op->input[expr->index];
        if (input->rank <= 1 || !page_reads_in_outputs(speller, expr))
            continue;
        const char *from = arena_printf(speller->arena, "first_row->%s", spell_name(speller, input->name));
        for (int at = 0; at < BLOCK; at += CACHE_LINE) {
            const char *place = at ? arena_printf(speller->arena, "ahead + %d", at) : "ahead";
            spell_line(lines, words_spell(speller->arena, speller->vector, "prefetch", from, place, NULL), 0);
        }
    }
    if (json_array_size(lines) == 0)
        spell_line(lines, "(void)first_row, (void)ahead; /* every row reads the same */", 0);
    return lines;
}

static void add_vector_lines(Speller *speller, json_t *record, const json_t *reads)
{
    int width = speller->plan->target->width;
    Arena *arena = speller->arena;
    speller->masks = true;
    json_object_set_new(record, "width", json_integer(width));
    json_object_set_new(record, "block", json_integer(width * speller->plan->schedule.unroll));
    json_object_set_new(record, "functions", vector_functions(speller, reads));
    json_object_set_new(record, "unrolled", unrolled_calls(speller, reads));
    set(record, "one", vector_call(speller, plain, reads, "i", NULL));
    set(record, "tail",
        vector_call(speller, live, reads, "i",
                    words_spell(arena, speller->vector, "live", "last - i", NULL, NULL)));
    json_object_set_new(record, "line", json_integer(CACHE_LINE));
    json_object_set_new(record, "stream_block", json_integer(BLOCK));
    json_object_set_new(record, "ahead", prefetches(speller));
    json_object_set_new(record, "stream", stream_calls(speller, reads));
    set(record, "pointer", spell_name(speller, first_varying_output(speller)->name));
}

json_t *page_outputs(Speller *speller)
{
    bool vector =
        speller->plan->target->width > 1 && speller->plan->unit_stride && !speller->plan->target->gpu;
    Pass pass = {vector, false, "i", kept_value(speller->plan), false};
    json_t *record = json_object(), *reads = output_reads(speller, pass);
    json_object_set_new(record, "vector", json_boolean(vector));
    json_object_set_new(record, "streams", json_boolean(page_streams(speller)));
    json_object_set_new(record, "locals", page_locals(speller->arena, reads));
    if (vector)
        add_vector_lines(speller, record, reads);
    else
        json_object_set_new(record, "scalar", element_lines(speller, pass, false));
    json_decref(reads);
    return record;
}
