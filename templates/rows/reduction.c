/* ---- ${r.name} = ${r.text}${r.note} ---- */

$ if r.scalar_leaves then
$ include "rows/step.c"
$ end
$ for n in r.nodes do
$ include n.page

$ end
