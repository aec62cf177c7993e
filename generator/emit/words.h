/* words.h: a target's vocabulary: how it spells each word (templates/words/<target>.lua). */
#ifndef SAMEBITS_WORDS_H
#define SAMEBITS_WORDS_H

#include "text/arena.h"
#include "text/diagnostics.h"

#include <jansson.h>

typedef struct Words {
    const char *file;
    json_t *pattern; /* word -> pattern with $1..$9 */
} Words;

/* Reads templates/words/<name>.lua below `folder`. NULL after reporting. */
const Words *words_read(Arena *arena, Diagnostics *diagnostics, const char *folder, const char *name);
void words_destroy(const Words *words);

/* The pattern of `word` with up to three arguments put in (NULL: none). An unknown word is our own bug. */
const char *words_spell(Arena *arena, const Words *words, const char *word, const char *a, const char *b,
                        const char *c);

#endif
