/* output.h: the text of an expansion as it grows, and where each line comes from (internal to the engine). */
#ifndef SAMEBITS_OUTPUT_H
#define SAMEBITS_OUTPUT_H

#include "template/compile.h"
#include "template/expression.h"
#include "template/template.h"

/* One page being expanded at one place of the include chain. Repeated includes from the same line share it.
 */
typedef struct Frame Frame;
struct Frame {
    const Page *page;
    Frame *parent, *child, *sibling;
    int include_line;   /* in parent */
    const char *prefix; /* "page.c:12 > lanes.c:3 > ", "" at the root */
    const char **chain; /* by line of the page; NULL until needed */
};

typedef struct Output {
    Arena *arena;
    Expansion *expansion;
    int capacity; /* of expansion->line */
    Frame *frame;
    int depth;                                                          /* includes */
    int spec_line[PAGE_BLOCK_LIMIT * (TEMPLATE_INCLUDE_LIMIT + 1) + 1]; /* of each running loop; [0]: none */
    int loops;
} Output;

void output_start(Output *output, Arena *arena, Expansion *expansion);
void output_enter_page(Output *output, const Page *page, int include_line);
void output_leave_page(Output *output);
void output_enter_loop(Output *output);
void output_set_spec_line(Output *output, int line); /* of the innermost loop's item; 0: the item has none */
void output_leave_loop(Output *output);

void output_text(Output *output, const char *text, size_t size);
void output_end_line(Output *output, int template_line);
/* Each line of `text` after `indent` (an empty line stays empty); nothing at all for "". One line end at the
 * end of `text` is not a line of its own. */
void output_block(Output *output, Piece indent, const char *text, size_t size, int template_line);

#endif
