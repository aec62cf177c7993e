/* expression.h: writing expressions as canonical text. */
#ifndef SAMEBITS_OPERATOR_EXPRESSION_H
#define SAMEBITS_OPERATOR_EXPRESSION_H

#include "operator/operator.h"
#include "text/buffer.h"

enum { NUMBER_TEXT = 32 };

/* The shortest decimal text that reads back as `value`; -0.0 keeps its sign. Returns `text`. */
const char *expr_number_text(float value, char text[NUMBER_TEXT]);

/* Appends `expr`, fully parenthesised. With `reduce_number` (one entry per node id, -1 for none) a reduction
 * that has a number is written `reduce[number]` instead of in full. */
void expr_append(Buffer *out, const Operator *op, const Expr *expr, const int *reduce_number);

#endif
