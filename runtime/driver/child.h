/* child.h: run a function in a child process with limits, and read what it says.
 *
 * The child writes its result as text (JSON by convention) to `out`; the parent gets the bytes whole. A
 * crash, a time-out, too much memory or a non-zero exit become a reason, never the parent's death. Children
 * die with the parent. */
#ifndef SAMEBITS_CHILD_H
#define SAMEBITS_CHILD_H

#include "text/arena.h"
#include "text/buffer.h"

#include <stdio.h>

typedef struct ChildLimits {
    double seconds;      /* wall clock; 0: no limit */
    size_t memory_bytes; /* address space (RLIMIT_AS); 0: no limit */
} ChildLimits;

typedef void ChildWork(void *context, FILE *out); /* runs in the child; returning means success */

/* NULL on success with the child's text appended to *result; else why (arena text: "killed by SIGSEGV", "no
 * answer within 10 s", ...); *result then holds what was written before. Stderr of the child is passed
 * through. */
const char *child_run(Arena *arena, ChildLimits limits, ChildWork *work, void *context, Buffer *result);

/* Same for an external program. argv ends with NULL; stdout and stderr are both captured in *result. */
const char *child_exec(Arena *arena, ChildLimits limits, const char *const argv[], const char *directory,
                       Buffer *result);

/* Same, and hands over each line (without its newline) as soon as it is whole. `environment` ("NAME=value",
 * ends with NULL; may be NULL) is added to that of this process. */
typedef void ChildLine(void *context, const char *line);
const char *child_exec_lines(Arena *arena, ChildLimits limits, const char *const argv[],
                             const char *directory, const char *const environment[], ChildLine *line,
                             void *context, Buffer *result);

/* "SIGSEGV". */
const char *child_signal_name(Arena *arena, int number);

#endif
