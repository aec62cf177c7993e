/* spell.h: expressions as statements of a target's words. */
#ifndef SAMEBITS_SPELL_H
#define SAMEBITS_SPELL_H

#include "emit/words.h"
#include "plan/plan.h"

typedef struct Speller {
    Arena *arena;
    const Plan *plan;
    const Words *scalar; /* one value at a time: the words of target c */
    const Words *vector; /* the target's own; the same as scalar where it has no vectors */
    unsigned scalar_functions, vector_functions; /* bit per OpCode: elementary functions spelled so far */
    bool wide_accumulators;                      /* vectors of f64 accumulators were spelled */
    bool masks;                                  /* masks of live lanes were spelled */
    bool bare;                                   /* no Row: sizes are the function's own arguments */
} Speller;

/* How one pass reads and writes its elements. */
typedef struct Pass {
    bool vector;       /* whole vectors; else one element */
    bool live;         /* only the lanes of the mask `live` are read and written */
    const char *index; /* C expression: place of the element (of lane 0) from the pass's pointers */
    const Expr *kept;  /* value kept from an earlier pass (read) or by this one (stored) */
    bool stores_kept;
} Pass;

const char *spell_name(Speller *speller, const char *name); /* the user's name, clear of the generated ones */
const char *spell_constant(Arena *arena, float value); /* a C hex float that reads back to the same bits */
const char *spell_vector_type(Speller *speller, bool vector);
const char *spell_word(Speller *speller,
                       const char *word); /* one without arguments, of the scalar vocabulary */

/* Does the value vary from element to element of a pass? */
bool spell_varies(const Speller *speller, const Expr *expr);

/* The size of a dim as the row function sees it: of a dim that is spread over ranks, this rank's share. */
const char *spell_size(Speller *speller, int dim);
/* How many elements the axis has: "c * w". */
const char *spell_axis_count(Speller *speller);
/* Distance of neighbours along the axis in a tensor that is LIE_STEPPED: "h * w". */
const char *spell_step_size(Speller *speller, const Tensor *tensor);
/* Place of element `index` of a pass, from where the row's part of the tensor begins. */
const char *spell_place(Speller *speller, const Tensor *tensor, const char *index);
/* Dims whose sizes the places in a tensor that is LIE_SCATTERED need: members along_<dim> of Row. */
uint32_t spell_place_dims(const Plan *plan, const Tensor *tensor);

/* Statements that compute `root` in a pass, appended to `lines`; the result is the C expression of its value.
 * `text` is a memo per node of the operator, all NULL before the first call of a pass. */
const char *spell_value(Speller *speller, json_t *lines, Pass pass, const char **text, const Expr *root);

/* Values constant over a row, in row(): the C expression that gives one. */
const char *spell_row_value(Speller *speller, const Expr *expr);
/* The name such a value has as a member of Row and as a local of the passes. */
const char *spell_row_name(Speller *speller, const Expr *expr);

/* One statement on a line of its own; spec_line is where the user wrote the expression. */
void spell_line(json_t *lines, const char *text, int spec_line);

/* Accumulators. `state`: its C type. */
const char *spell_state_type(const Speller *speller, const Expr *reduce, bool vector);
const char *spell_start(Speller *speller, const Expr *reduce, bool vector);
const char *spell_join(Speller *speller, const Expr *reduce, bool vector, const char *left,
                       const char *right);
/* step(acc, leaf): statements into `lines`, the new accumulator as the result. */
const char *spell_step(Speller *speller, json_t *lines, Pass pass, const Expr *reduce,
                       const char *accumulator);
/* Is the accumulator binary64? Maxima are exact in binary32 and never are. */
bool spell_is_wide(const Speller *speller, const Expr *reduce);

#endif
