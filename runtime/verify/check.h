/* check.h: one check of one variant, inside the child process that may die of it.
 *
 * Each promise is a function that makes calls and reports comparisons; it never exits by itself. What the
 * parent needs after a crash (what was under way, on which inputs) lies in a page shared with it. */
#ifndef SAMEBITS_CHECK_H
#define SAMEBITS_CHECK_H

#include "driver/kernel.h"
#include "verify/cases.h"
#include "verify/compare.h"

#include <jansson.h>

typedef enum Promise {
    PROMISE_RUN,
    PROMISE_BATCH,
    PROMISE_THREADS,
    PROMISE_RANKS,
    PROMISE_LAYOUT,
    PROMISE_BUILD,
    PROMISE_TARGET,
    PROMISE_TREE,
    PROMISES
} Promise;

enum { TRACE_TEXT = 200, TRACE_FAILURE = 1000 };
typedef struct Trace { /* shared between parent and child */
    char doing[TRACE_TEXT];
    char failure[TRACE_FAILURE]; /* a launch that the engine stopped, and why; "": none */
    Case at;
    bool has_case;
} Trace;

typedef struct Check {
    Arena *arena; /* lives as long as the child */
    const Variant *variant;
    const Kernel *kernel;
    const char *object;  /* path of the shared object */
    const char *folder;  /* failing inputs are kept here; NULL: nowhere */
    const char *promise; /* "RUN", for names of kept files */
    Trace *trace;
    const char *other; /* check_against: another kernel that must return the same words */
    const Variant *other_variant;
    double *const *exact; /* check_canonical: case_for_error's results; NULL: no error figures */
    bool patient;         /* a negative control: goes on until it is caught, or thousands of runs are done */
    /* The outcome. */
    long cases, broken;
    const char *detail;  /* the first difference, or what was observed */
    const char *vacuous; /* why nothing could have differed */
    json_t *data;        /* what else the check found out; NULL: nothing */
} Check;

typedef void CheckWork(Check *check);

/* The promises that are checked in a child of their own. */
void check_run(Check *check);
void check_batch(Check *check);
void check_threads(Check *check);
void check_geometry(Check *check);     /* THREADS of an emulated kernel: geometry.c */
void check_rank_threads(Check *check); /* THREADS of a kernel that ranks run: ranks.c */
void check_ranks(Check *check);
void check_layout(Check *check);
void check_tree(Check *check);
/* Not promises: digests of the canonical cases; those, error figures and the flush-to-zero trial. */
void check_digests(Check *check);
/* Finds the first element in which this kernel and `other` differ, once their digests did. */
void check_against(Check *check);
void check_canonical(Check *check);

/* Says what is under way; the text and the case are what a crash is reported with. */
void check_doing(Check *check, const Case *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Calls the kernel with outputs of its own. An emulated launch that fails ends the child: its text is the
 * reason. */
void check_call(const Check *check, const Trial *trial, float *const output[]);
void check_launched(const Check *check, const Kernel *kernel); /* the same for a call of one's own */
/* Counts one comparison. On the first difference keeps the inputs and describes it. True when equal. */
bool check_equal(Check *check, const Case *what, const Trial *trial, const Shape *shape,
                 float *const expected[], float *const got[], const char *how);
/* Counts one comparison that failed for another reason than a differing element. */
void check_break(Check *check, const Case *what, const Trial *trial, const char *why);
/* Adds to `detail`, after "; ". */
void check_note(Check *check, const char *note);
/* True when a control has been caught, or a promise broken often enough to stop. */
bool check_settled(const Check *check);
/* Gives `what` data that can tell orders apart; notes vacuous when there is none though the operator sums. */
void check_make_telling(Check *check, Case *what);

/* Writes the trial's inputs as <folder>/<promise>-<case>-<input>.npy. Used by the parent after a crash, too.
 */
void failure_keep(const char *folder, const char *promise, const Variant *variant, const Case *what,
                  const Trial *trial);

#endif
