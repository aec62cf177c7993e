/* tree.c: samebits tree: the order a term means, drawn. */
#include "command/stages.h"

#include <stdio.h>
#include <string.h>

static void draw(Arena *arena, const Options *options, const Term *term)
{
    Buffer text = {0};
    printf("%s\n", term_text(arena, term));
    printf("digest %s\n%s\n\n", term_digest(arena, term), term_words(arena, term));
    term_draw(&text, term, (uint64_t)options->leaves, options->ascii);
    fputs(buffer_string(&text), stdout);
    buffer_destroy(&text);
}

static bool is_spec(const char *text)
{
    size_t size = strlen(text);
    return size > 4 && !strcmp(text + size - 4, ".lua");
}

static void draw_variants(Stages *stages, const char *spec)
{
    if (!stages_read(stages, spec))
        return;
    const Family *family = stages->family;
    for (int v = 0; v < family->variants; v++) {
        bool drawn = false;
        for (int u = 0; u < v; u++)
            drawn |= term_equal(family->variant[u].tree, family->variant[v].tree);
        if (drawn)
            continue;
        if (family->variant[v].label)
            printf("%s: ", family->variant[v].label);
        draw(stages->arena, stages->options, family->variant[v].tree);
        putchar('\n');
    }
}

static void draw_term(Stages *stages, const char *text)
{
    Location where = {"TERM", 1, 1};
    const Term *term = term_parse(stages->arena, &stages->diagnostics, where, text);
    if (term)
        draw(stages->arena, stages->options, term);
    else
        stages->status = EXIT_USAGE;
}

int command_tree(const Options *options, Arena *arena)
{
    if (options->arguments != 1) {
        fprintf(
            stderr,
            "samebits: error: tree wants one term, such as 'chunk(8, lanes(4), pairwise)', or one spec\n");
        return EXIT_USAGE;
    }
    Stages stages;
    stages_open(&stages, options, arena);
    (is_spec(options->argument[0]) ? draw_variants : draw_term)(&stages, options->argument[0]);
    stages_close(&stages);
    return stages.status;
}
