/* source.h: one expanded page. */
#ifndef SAMEBITS_SOURCE_H
#define SAMEBITS_SOURCE_H

#include "emit/words.h"
#include "family/family.h"
#include "plan/plan.h"
#include "template/template.h"

enum { PRESS_VOCABULARIES = 8 };

/* What all sources of a run share: templates and vocabularies, read once. */
typedef struct Press {
    Arena *arena;
    Diagnostics *diagnostics;
    const char *folder;
    TemplateEngine *engine;
    const Words *vocabulary[PRESS_VOCABULARIES];
    const char *vocabulary_name[PRESS_VOCABULARIES];
    int vocabularies;
} Press;

bool press_open(Press *press, Arena *arena, Diagnostics *diagnostics);
void press_close(Press *press);

/* The kernel of a planned variant; the plain loop of its operator. False after reporting. */
bool press_kernel(Press *press, const Family *family, const Variant *variant, const Plan *plan,
                  Expansion *out);
bool press_baseline(Press *press, const Plan *plan, const char *symbol, Expansion *out);

/* Head comments (head.c): JSON arrays of lines. */
json_t *head_of_kernel(Arena *arena, const Family *family, const Variant *variant);
json_t *head_of_baseline(Arena *arena, const Operator *op);

#endif
