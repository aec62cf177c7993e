/* tree.c: samebits tree: the order a term means, drawn. */
#include "command/stages.h"

#include <stdio.h>
#include <string.h>

/* Prints it, or adds it to `list` with --json. */
static void draw(Arena *arena, const Options *options, const char *label, const Term *term, json_t *list)
{
    Buffer text = {0};
    const char *canonical = term_text(arena, term), *digest = term_digest(arena, term),
               *words = term_words(arena, term);
    term_draw(&text, term, (uint64_t)options->leaves, options->ascii);
    const char *drawing = buffer_string(&text);
    if (options->json)
        json_array_append_new(list, json_pack("{s:s*, s:s, s:s, s:s, s:I, s:s}", "label", label, "tree",
                                              canonical, "digest", digest, "words", words, "leaves",
                                              (json_int_t)options->leaves, "drawing", drawing));
    else
        printf("%s%s%s\ndigest %s\n%s\n\n%s", label ? label : "", label ? ": " : "", canonical, digest, words,
               drawing);
    buffer_destroy(&text);
}

static bool is_spec(const char *text)
{
    size_t size = strlen(text);
    return size > 4 && !strcmp(text + size - 4, ".lua");
}

static void draw_variants(Stages *stages, const char *spec, json_t *list)
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
        draw(stages->arena, stages->options, family->variant[v].label, family->variant[v].tree, list);
        if (!stages->options->json)
            putchar('\n');
    }
}

static void draw_term(Stages *stages, const char *text, json_t *list)
{
    Location where = {"TERM", 1, 1};
    const Term *term = term_parse(stages->arena, &stages->diagnostics, where, text);
    if (term)
        draw(stages->arena, stages->options, NULL, term, list);
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
    bool spec = is_spec(options->argument[0]);
    json_t *list = json_array();
    stages_open(&stages, options, arena);
    (spec ? draw_variants : draw_term)(&stages, options->argument[0], list);
    if (options->json && json_array_size(list))
        stages_print_json(spec ? list : json_array_get(list, 0));
    json_decref(list);
    stages_close(&stages);
    return stages.status;
}
