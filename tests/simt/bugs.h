/* bugs.h: kinds of seeded bug: edits of a correct kernel, and what each must be caught by. */
#ifndef SAMEBITS_TEST_SIMT_BUGS_H
#define SAMEBITS_TEST_SIMT_BUGS_H

enum { BUG_EDITS = 3 };

/* NULL for `plain` or `checked`: that level does not see it. Else a part of what it says; for `plain` also:
 */
#define WRONG_VALUE                                                                                          \
    "wrong value" /* runs without a complaint; its result is not the reference evaluator's                   \
                   */

typedef struct Edit {
    const char *find, *replace; /* found exactly once in the kernel's source */
} Edit;

typedef struct Bug {
    const char *what, *file, *kernel;
    Edit edit[BUG_EDITS];
    const char *compile; /* not NULL: it does not compile, and the compiler says this */
    const char *plain;   /* orders, poison, engine checks, guard pages, array bounds */
    const char *checked; /* every access reported */
} Bug;

extern const Bug bugs[];
extern const int bug_count;

#endif
