/* explain.h: a compiler's output as a reason: generated line, template chain, spec line. */
#ifndef SAMEBITS_EXPLAIN_H
#define SAMEBITS_EXPLAIN_H

#include "text/arena.h"

/* The first errors in `output` of compiling `source` in `folder`, one per line. A place in the source is
 * followed by where the template engine made it, when <source>.map.json (an array of {"chain", "spec_line"},
 * one per line) lies beside it. Without an error line: the first lines of the output. */
const char *explain_compiler_output(Arena *arena, const char *folder, const char *source, const char *output);

#endif
