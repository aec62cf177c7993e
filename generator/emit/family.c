/* family.c: writes the files of one family, each only when it changes. */
#include "emit/emit.h"

#include "emit/ninja.h"
#include "emit/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Writer {
    Press *press;
    Family *family;
    const char *folder; /* out/<family> */
} Writer;

static bool make_folder(Diagnostics *diagnostics, const char *path)
{
    if (!mkdir(path, 0777) || errno == EEXIST)
        return true;
    diagnostics_error(diagnostics, (Location){path, 0, 0},
                      "this folder cannot be made: %s; choose another with --out", strerror(errno));
    return false;
}

static bool write_text(Writer *writer, const char *name, const Buffer *text)
{
    const char *path = arena_printf(writer->press->arena, "%s/%s", writer->folder, name);
    const char *why = buffer_write_file(text, path);
    if (why)
        diagnostics_error(
            writer->press->diagnostics, (Location){path, 0, 0},
            "this file cannot be written: %s; free some room or choose another folder with --out", why);
    return !why;
}

static bool write_json(Writer *writer, const char *name, json_t *value)
{
    char *dump = json_dumps(value, json_is_array(value) ? JSON_COMPACT : JSON_INDENT(1));
    Buffer text = {0};
    buffer_printf(&text, "%s\n", dump ? dump : "");
    free(dump);
    json_decref(value);
    bool done = write_text(writer, name, &text);
    buffer_destroy(&text);
    return done;
}

/* Template chain and spec line of every line, so that a compiler's message can name them. */
static json_t *map_of(const Expansion *expansion)
{
    json_t *lines = json_array();
    for (int i = 0; i < expansion->lines; i++)
        json_array_append_new(lines, json_pack("{s:s, s:i}", "chain", expansion->line[i].chain, "spec_line",
                                               expansion->line[i].spec_line));
    return lines;
}

static bool write_map(Writer *writer, const char *source, const Expansion *expansion)
{
    return write_json(writer, arena_printf(writer->press->arena, "%s.map.json", source), map_of(expansion));
}

static bool write_expansion(Writer *writer, const char *name, Expansion *expansion, bool with_map)
{
    bool done =
        write_text(writer, name, &expansion->text) && (!with_map || write_map(writer, name, expansion));
    expansion_destroy(expansion);
    return done;
}

typedef enum Outcome { WRITTEN, SKIPPED, FAILED } Outcome;

static Outcome write_variant(Writer *writer, const Variant *variant, const char **why)
{
    Press *press = writer->press;
    const Plan *plan = plan_lower(press->arena, variant, why);
    if (!plan)
        return SKIPPED;
    *why = variant->control ? NULL : plan_replay(press->arena, plan, PLAN_REPLAY);
    if (*why) {
        diagnostics_error(press->diagnostics, variant->op->where,
                          "%s (a fault of samebits; please report it)", *why);
        return FAILED;
    }
    Expansion expansion = {0};
    if (!press_kernel(press, writer->family, variant, plan, &expansion))
        return FAILED;
    return write_expansion(writer, variant->source, &expansion, !variant->control) ? WRITTEN : FAILED;
}

static void skip_variant(Writer *writer, const Variant *variant, const char *why)
{
    Family *family = writer->family;
    Skip *skip = ARENA_ARRAY(writer->press->arena, Skip, (size_t)family->skips + 1);
    if (family->skips)
        memcpy(skip, family->skip, (size_t)family->skips * sizeof *skip);
    skip[family->skips++] = (Skip){variant->id, why};
    family->skip = skip;
}

static bool write_variants(Writer *writer)
{
    Family *family = writer->family;
    int written = 0;
    for (int v = 0; v < family->variants; v++) {
        Variant variant = family->variant[v];
        const char *why = NULL;
        Outcome outcome = write_variant(writer, &variant, &why);
        if (outcome == FAILED)
            return false;
        if (outcome == SKIPPED)
            skip_variant(writer, &variant, why);
        else
            family->variant[written++] = variant;
    }
    family->variants = written;
    for (int c = 0; c < family->controls; c++) {
        const char *why = NULL;
        if (write_variant(writer, &family->control[c], &why) != WRITTEN)
            return false;
    }
    return true;
}

/* The plain loop is lowered as `seq` for the target c. */
static bool write_baseline(Writer *writer)
{
    Arena *arena = writer->press->arena;
    if (!writer->family->variants)
        return true;
    Variant variant = writer->family->variant[0];
    variant.tree = term_leafless(arena, TERM_SEQ);
    variant.accumulator = ACCUMULATOR_F32;
    variant.target = target_named("c");
    const char *why = NULL, *name = variant.op->name;
    const Plan *plan = plan_lower(arena, &variant, &why);
    Expansion expansion = {0};
    return plan &&
           press_baseline(writer->press, plan, arena_printf(arena, "samebits_baseline_%s", name),
                          &expansion) &&
           write_expansion(writer, arena_printf(arena, "baseline_%s.c", name), &expansion, false);
}

static bool write_ninja(Writer *writer, const char *out_dir)
{
    const char *why = build_write_ninja(writer->family, out_dir);
    if (why)
        diagnostics_error(writer->press->diagnostics, (Location){writer->folder, 0, 0},
                          "build.ninja cannot be written: %s", why);
    return !why;
}

bool emit_family(Arena *arena, Diagnostics *diagnostics, Family *family, const char *out_dir)
{
    Press press;
    Writer writer = {&press, family, arena_printf(arena, "%s/%s", out_dir, family->name)};
    if (!make_folder(diagnostics, out_dir) || !make_folder(diagnostics, writer.folder))
        return false;
    if (!press_open(&press, arena, diagnostics))
        return false;
    bool done = write_variants(&writer) && write_baseline(&writer) && write_ninja(&writer, out_dir) &&
                write_json(&writer, "manifest.json", emit_manifest(arena, family));
    press_close(&press);
    return done;
}

const char *emit_source_text(Arena *arena, Diagnostics *diagnostics, const Family *family,
                             const Variant *variant)
{
    Press press;
    const char *why = NULL, *text = NULL;
    Expansion expansion = {0};
    if (!press_open(&press, arena, diagnostics))
        return NULL;
    const Plan *plan = plan_lower(arena, variant, &why);
    if (!plan)
        diagnostics_error(diagnostics, variant->op->where, "%s has no kernel: %s", variant->id, why);
    else if (press_kernel(&press, family, variant, plan, &expansion))
        text = arena_copy(arena, buffer_string(&expansion.text));
    expansion_destroy(&expansion);
    press_close(&press);
    return text;
}
