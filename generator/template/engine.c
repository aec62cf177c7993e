/* engine.c: pages found, compiled once and kept; expansions (template.h). */
#include "lua/page.h"
#include "template/compile.h"
#include "template/output.h"
#include "template/template.h"

#include <stdlib.h>
#include <string.h>

typedef struct Loaded Loaded;
struct Loaded {
    Page *page;
    Loaded *next;
};

struct TemplateEngine {
    TemplateLoad *load;
    void *context;
    Arena *arena; /* pages */
    Loaded *loaded;
    PageHost *host;
};

static const Page *known_page(const TemplateEngine *engine, const char *name)
{
    for (const Loaded *loaded = engine->loaded; loaded; loaded = loaded->next)
        if (strcmp(loaded->page->name, name) == 0)
            return loaded->page;
    return NULL;
}

static Page *compile_page(TemplateEngine *engine, Diagnostics *diagnostics, const char *name,
                          const char *text)
{
    Buffer lua = {0};
    Page *page = page_compile(engine->arena, diagnostics, name, text, &lua);
    if (page && !page_host_load(engine->host, diagnostics, page, &lua))
        page = NULL;
    buffer_destroy(&lua);
    return page;
}

static const Page *find_page(void *context, Diagnostics *diagnostics, const char *name, const char **why)
{
    TemplateEngine *engine = context;
    const Page *known = known_page(engine, name);
    if (known)
        return known;
    const char *text = engine->load(engine->context, name);
    if (!text) {
        *why = arena_printf(diagnostics->arena, "there is no page '%s' below the template root", name);
        return NULL;
    }
    Page *page = compile_page(engine, diagnostics, name, text);
    if (!page)
        return NULL;
    Loaded *loaded = ARENA_NEW(engine->arena, Loaded);
    *loaded = (Loaded){.page = page, .next = engine->loaded};
    engine->loaded = loaded;
    return page;
}

bool template_expand(TemplateEngine *engine, Arena *arena, Diagnostics *diagnostics, const char *page,
                     const json_t *data, const json_t *words, Expansion *out)
{
    Output output;
    output_start(&output, arena, out);
    const char *why = NULL;
    const Page *root = find_page(engine, diagnostics, page, &why);
    if (!root && why)
        diagnostics_error(diagnostics, (Location){.file = page}, "%s", why);
    if (root && page_host_expand(engine->host, diagnostics, &output, root, data, words))
        return true;
    expansion_destroy(out);
    return false;
}

void expansion_destroy(Expansion *expansion)
{
    buffer_destroy(&expansion->text);
    *expansion = (Expansion){0};
}

TemplateEngine *template_engine_create(TemplateLoad *load, void *context)
{
    TemplateEngine *engine = calloc(1, sizeof *engine);
    if (!engine)
        arena_out_of_memory();
    *engine = (TemplateEngine){.load = load, .context = context, .arena = arena_create()};
    engine->host = page_host_create(find_page, engine);
    return engine;
}

void template_engine_destroy(TemplateEngine *engine)
{
    if (!engine)
        return;
    page_host_destroy(engine->host);
    arena_destroy(engine->arena);
    free(engine);
}
