/* cases.c: reads test cases (cases.h). */
#include "cases.h"

#include "text/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES_LIMIT = 400 };

typedef struct Source {
    Arena *arena;
    const char *path;
    const char *at; /* the next line */
    int line;       /* its number */
    bool markdown;
    Case *cases;
    int count;
} Source;

static void refuse(const Source *source, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", source->path, source->line - 1, what);
    exit(1);
}

static const char *next_line(Source *source)
{
    size_t size = strcspn(source->at, "\n");
    const char *line = arena_copy_bytes(source->arena, source->at, size);
    source->at += size + (source->at[size] == '\n');
    source->line++;
    return line;
}

/* Everything up to the line before one that starts with an end mark. */
static const char *read_body(Source *source)
{
    const char *start = source->at;
    while (*source->at) {
        bool ends = source->markdown
                        ? strncmp(source->at, "```", 3) == 0
                        : strncmp(source->at, "--- ", 4) == 0 || strncmp(source->at, "===", 3) == 0;
        if (ends)
            break;
        next_line(source);
    }
    size_t size = (size_t)(source->at - start);
    if (!source->markdown && size > 0 && strncmp(source->at, "===", 3) == 0)
        size--; /* the empty line between two cases */
    const char *body = arena_copy_bytes(source->arena, start, size);
    if (source->markdown)
        next_line(source); /* the closing fence */
    return body;
}

static void add_part(Source *source, const char *part)
{
    if (source->count == 0)
        refuse(source, "a part before the first case");
    Case *one = &source->cases[source->count - 1];
    const char *body = read_body(source);
    if (strncmp(part, "page ", 5) == 0 && one->pages < CASE_PAGES) {
        one->page[one->pages] = part + 5;
        one->text[one->pages++] = body;
    } else if (strcmp(part, "data") == 0) {
        one->data = body;
    } else if (strcmp(part, "words") == 0) {
        one->words = body;
    } else if (strcmp(part, "output") == 0) {
        one->output = body;
    } else if (strcmp(part, "origins") == 0) {
        one->origins = body;
    } else if (strcmp(part, "errors") == 0) {
        one->errors = body;
    } else if (!source->markdown) {
        refuse(source, "unknown part");
    }
}

static void add_case(Source *source, const char *name)
{
    if (source->count == CASES_LIMIT)
        refuse(source, "too many cases");
    source->cases[source->count++] = (Case){.name = name, .line = source->line - 1};
}

Case *cases_read(Arena *arena, const char *path, int *count)
{
    Buffer text = {0};
    const char *why = buffer_read_file(&text, path, 1 << 20);
    if (why) {
        fprintf(stderr, "%s: %s\n", path, why);
        exit(1);
    }
    Source source = {.arena = arena, .path = path, .at = buffer_string(&text), .line = 1};
    source.markdown = strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".md") == 0;
    source.cases = ARENA_ARRAY(arena, Case, CASES_LIMIT);
    while (*source.at) {
        const char *line = next_line(&source);
        if (source.markdown && line[0] == '#')
            add_case(&source, line + strspn(line, "# "));
        else if (source.markdown && strncmp(line, "```", 3) == 0)
            add_part(&source, line + 3);
        else if (!source.markdown && strncmp(line, "=== ", 4) == 0)
            add_case(&source, line + 4);
        else if (!source.markdown && strncmp(line, "--- ", 4) == 0)
            add_part(&source, line + 4);
    }
    buffer_destroy(&text);
    *count = source.count;
    return source.cases;
}
