/* words.c: vocabularies are data; a pattern's $1..$9 are its arguments, in any order, any number of times. */
#include "emit/words.h"

#include "lua/data_file.h"
#include "text/buffer.h"

#include <assert.h>
#include <string.h>

const Words *words_read(Arena *arena, Diagnostics *diagnostics, const char *folder, const char *name)
{
    Words *words = ARENA_NEW(arena, Words);
    words->file = arena_printf(arena, "%s/words/%s.lua", folder, name);
    words->pattern = data_file_read(arena, diagnostics, words->file);
    return words->pattern ? words : NULL;
}

void words_destroy(const Words *words)
{
    if (words)
        json_decref(words->pattern);
}

const char *words_spell(Arena *arena, const Words *words, const char *word, const char *a, const char *b,
                        const char *c)
{
    const char *argument[] = {a, b, c};
    const char *pattern = json_string_value(json_object_get(words->pattern, word));
    if (!pattern)
        fprintf(stderr, "samebits: %s has no word '%s'\n", words->file, word);
    assert(pattern);
    Buffer text = {0};
    for (const char *p = pattern; *p; p++) {
        if (p[0] == '$' && p[1] >= '1' && p[1] <= '3' && argument[p[1] - '1'])
            buffer_append_string(&text, argument[*++p - '1']);
        else
            buffer_append(&text, p, 1);
    }
    char *result = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    return result;
}
