/* generate.c: samebits generate, samebits compile. */
#include "command/stages.h"

#include "emit/emit.h"

static void add_manifest(const Stages *stages, json_t *results)
{
    json_array_append(results, stages->manifest);
    if (stages->options->quiet || stages->options->json)
        return;
    printf("%s: %d variants, %d skipped: %s/manifest.json\n", stages->family->name, stages->family->variants,
           stages->family->skips, stages_folder(stages));
    if (!stages->options->verbose)
        return;
    for (int v = 0; v < stages->family->variants; v++)
        printf("  %s/%s\n", stages_folder(stages), stages->family->variant[v].source);
}

static void print_sources(Stages *stages)
{
    for (int v = 0; v < stages->family->variants; v++) {
        const char *text = emit_source_text(stages->arena, &stages->diagnostics, stages->family,
                                            &stages->family->variant[v]);
        if (text)
            fputs(text, stdout);
        else
            stages->status = EXIT_BROKEN;
    }
}

static void generate(Stages *stages, const char *spec, json_t *results)
{
    if (!stages_read(stages, spec))
        return;
    if (stages->options->print)
        print_sources(stages);
    else if (stages_generate(stages))
        add_manifest(stages, results);
}

static void compile(Stages *stages, const char *spec, json_t *results)
{
    if (stages_read(stages, spec) && stages_generate(stages) && stages_compile(stages, false))
        json_array_append(results, stages->manifest);
}

int command_generate(const Options *options, Arena *arena)
{
    return stages_for_each_spec(options, arena, generate);
}

int command_compile(const Options *options, Arena *arena)
{
    return stages_for_each_spec(options, arena, compile);
}
