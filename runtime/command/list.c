/* list.c: samebits list: what there is, from the tables that register it. */
#include "command/stages.h"

#include "emit/emit.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static void list_terms(void)
{
    for (int i = 0; i < TERM_KINDS; i++)
        printf("%-28s %s. Promises %s.\n", term_rows[i].usage, term_rows[i].meaning, term_rows[i].promises);
}

static void list_targets(void)
{
    for (int i = 0; i < target_count; i++) {
        const char *why = target_why_not_here(&target_rows[i]);
        printf("%-8s %s%s%s\n", target_rows[i].name, target_rows[i].meaning,
               why ? " -- not on this machine: " : "", why ? why : "");
    }
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

static int list_operators(const Options *options, Arena *arena)
{
    char *names[256];
    const char *folder = options->arguments > 1 ? options->argument[1] : "specs";
    int count = spec_names(arena, folder, names, 256), status = EXIT_KEPT;
    if (!count) {
        fprintf(stderr,
                "samebits: error: no specs in '%s'; name the folder: samebits list operators FOLDER\n",
                folder);
        return EXIT_USAGE;
    }
    for (int i = 0; i < count; i++) {
        Stages stages;
        stages_open(&stages, options, arena);
        if (stages_read(&stages, names[i])) {
            const Operator *op = stages.family->op;
            printf("%-28s %s\n", names[i], op->name);
            for (int o = 0; o < op->outputs; o++)
                printf("    %s = %s\n", op->output[o].name, expr_text(arena, op, op->output[o].value));
        }
        stages_close(&stages);
        status = stages.status > status ? stages.status : status;
    }
    return status;
}

static void list_family(Stages *stages, const char *spec, json_t *results)
{
    (void)results;
    if (!stages_read(stages, spec))
        return;
    for (int v = 0; v < stages->family->variants; v++) {
        const Variant *variant = &stages->family->variant[v];
        printf("%-60s %s, %s, %s\n", variant->id, variant->target->name,
               term_short_text(stages->arena, variant->tree), accumulator_name(variant->accumulator));
    }
    for (int s = 0; s < stages->family->skips; s++)
        printf("skipped: %s: %s\n", stages->family->skip[s].what, stages->family->skip[s].why);
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
        return list_terms(), EXIT_KEPT;
    if (!strcmp(asked, "targets"))
        return list_targets(), EXIT_KEPT;
    const char *near = *asked ? diagnostics_nearest(asked, what) : NULL;
    fprintf(stderr, "samebits: error: list wants operators, targets, terms or variants SPEC%s%s%s\n",
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EXIT_USAGE;
}
