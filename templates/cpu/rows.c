$ for line in head do
${line}
$ end
#ifdef __FAST_MATH__
#error "under -ffast-math this kernel would not keep its contract"
#endif

$ for name in includes do
#include <${name}>
$ end

$ for f in functions do
${f.text}

$ end
$ if spans then
$ include "rows/spans.c"
$ end
$ for k in kinds do
$ include "rows/kind.c"
$ end
/* One row: what the passes over ${axis} need. */
typedef struct Row {
$ for m in members do
    ${m.text}
$ end
} Row;

$ for r in reductions do
$ include "rows/reduction.c"
$ if r.wide then
$ include "cpu/wide.c"

$ end
$ end
$ if has_outputs then
$ include "cpu/outputs.c"

$ end
$ include "cpu/row.c"

$ include "cpu/kernel.c"
