/* list.c: samebits list: what there is, from the tables that register it. */
#include "command/stages.h"

#include "driver/kernel.h"
#include "emit/emit.h"
#include "plan/plan.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int end_list(const Options *options, json_t *list)
{
    if (options->json)
        stages_print_json(list);
    json_decref(list);
    return EXIT_KEPT;
}

static int list_terms(const Options *options, Arena *arena)
{
    json_t *list = json_array();
    (void)arena;
    for (int i = 0; i < TERM_KINDS; i++) {
        const TermRow *row = &term_rows[i];
        if (!options->json)
            printf("%-28s %s. Promises %s.\n", row->usage, row->meaning, row->promises);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", row->name, "usage", row->usage,
                                              "meaning", row->meaning, "promises", row->promises));
    }
    return end_list(options, list);
}

static int list_targets(const Options *options, Arena *arena)
{
    json_t *list = json_array();
    for (int i = 0; i < target_count; i++) {
        const Target *target = &target_rows[i];
        const char *why = kernel_why_not_here(arena, target);
        if (!options->json)
            printf("%-8s %s%s%s\n", target->name, target->meaning, why ? " -- not on this machine: " : "",
                   why ? why : "");
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s*}", "name", target->name, "meaning",
                                              target->meaning, "here", !why, "why", why));
    }
    return end_list(options, list);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every spec of a folder, in order of name. */
static int spec_names(Arena *arena, const char *folder, char **names, int limit)
{
    int count = 0;
    DIR *directory = opendir(folder);
    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) && count < limit;) {
        size_t size = strlen(entry->d_name);
        if (size > 4 && !strcmp(entry->d_name + size - 4, ".lua"))
            names[count++] = arena_printf(arena, "%s/%s", folder, entry->d_name);
    }
    closedir(directory);
    qsort(names, (size_t)count, sizeof *names, by_name);
    return count;
}

static void list_operator(const Stages *stages, const char *spec, json_t *list)
{
    const Operator *op = stages->family->op;
    json_t *outputs = json_array(), *inputs = json_array();
    if (!stages->options->json)
        printf("%-28s %s\n", spec, op->name);
    for (int i = 0; i < op->inputs; i++)
        json_array_append_new(inputs, json_string(op->input[i].name));
    for (int o = 0; o < op->outputs; o++) {
        const char *text = expr_text(stages->arena, op, op->output[o].value);
        if (!stages->options->json)
            printf("    %s = %s\n", op->output[o].name, text);
        json_array_append_new(outputs, json_pack("{s:s, s:s}", "name", op->output[o].name, "text", text));
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "spec", spec, "operator", op->name,
                                          "inputs", inputs, "outputs", outputs));
}

static int list_operators(const Options *options, Arena *arena)
{
    char *names[256];
    const char *folder = options->arguments > 1 ? options->argument[1] : "specs";
    int count = spec_names(arena, folder, names, 256), status = EXIT_KEPT;
    json_t *list = json_array();
    if (!count) {
        json_decref(list);
        fprintf(stderr,
                "samebits: error: no specs in '%s'; name the folder: samebits list operators FOLDER\n",
                folder);
        return EXIT_USAGE;
    }
    for (int i = 0; i < count; i++) {
        Stages stages;
        stages_open(&stages, options, arena);
        if (stages_read(&stages, names[i]))
            list_operator(&stages, names[i], list);
        stages_close(&stages);
        status = stages.status > status ? stages.status : status;
    }
    end_list(options, list);
    return status;
}

static json_t *variant_row(Arena *arena, const Variant *variant)
{
    return json_pack("{s:s, s:s*, s:s, s:s, s:s, s:s}", "id", variant->id, "label", variant->label, "target",
                     variant->target->name, "tree", term_text(arena, variant->tree), "accumulator",
                     accumulator_name(variant->accumulator), "contract", variant->digest);
}

static void list_skip(Skip skip, bool says, json_t *skipped)
{
    if (says)
        printf("skipped: %s: %s\n", skip.what, skip.why);
    json_array_append_new(skipped, json_pack("{s:s, s:s}", "what", skip.what, "why", skip.why));
}

static void list_family(Stages *stages, const char *spec, json_t *results)
{
    if (!stages_read(stages, spec))
        return;
    const Family *family = stages->family;
    json_t *variants = json_array(), *skipped = json_array();
    bool says = !stages->options->json;
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        const char *why = NULL;
        if (!plan_lower(stages->arena, variant, &why)) {
            list_skip((Skip){variant->id, why}, says, skipped);
            continue;
        }
        if (says)
            printf("%-60s %s, %s, %s\n", variant->id, variant->target->name,
                   term_short_text(stages->arena, variant->tree), accumulator_name(variant->accumulator));
        json_array_append_new(variants, variant_row(stages->arena, variant));
    }
    for (int s = 0; s < family->skips; s++)
        list_skip(family->skip[s], says, skipped);
    json_array_append_new(results, json_pack("{s:s, s:s, s:o, s:o}", "family", family->name, "spec",
                                             family->spec, "variants", variants, "skipped", skipped));
}

static int list_variants(const Options *options, Arena *arena)
{
    Options rest = *options;
    rest.command = "list variants";
    rest.argument++;
    rest.arguments--;
    return stages_for_each_spec(&rest, arena, list_family);
}

int command_list(const Options *options, Arena *arena)
{
    static const char *const what[] = {"operators", "targets", "terms", "variants", NULL};
    const char *asked = options->arguments ? options->argument[0] : "";
    if (!strcmp(asked, "variants"))
        return list_variants(options, arena);
    if (!strcmp(asked, "operators"))
        return list_operators(options, arena);
    if (!strcmp(asked, "terms"))
        return list_terms(options, arena);
    if (!strcmp(asked, "targets"))
        return list_targets(options, arena);
    const char *near = *asked ? diagnostics_nearest(asked, what) : NULL;
    fprintf(stderr, "samebits: error: list wants operators, targets, terms or variants SPEC%s%s%s\n",
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EXIT_USAGE;
}
