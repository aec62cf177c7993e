/* facts.h: what the JSON files of a family say, joined by variant, with every part allowed to be missing. */
#ifndef SAMEBITS_FACTS_H
#define SAMEBITS_FACTS_H

#include "text/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Facts {
    const json_t *manifest, *verify, *bench; /* any may be NULL */
} Facts;

typedef enum PromiseState {
    PROMISE_BROKEN,
    PROMISE_KEPT,
    PROMISE_NOT_PROMISED,
    PROMISE_NOT_TRIED,
    PROMISE_VACUOUS,
    PROMISE_STATES
} PromiseState;

typedef struct PromiseStateRow {
    PromiseState state;
    const char *name; /* as in verify.json, up to the colon */
    const char *mark; /* one column wide */
    const char *meaning;
} PromiseStateRow;
extern const PromiseStateRow promise_state_rows[PROMISE_STATES];

typedef struct PromiseLabel {
    const char *name;    /* "THREADS" */
    const char *brief;   /* "THR" */
    const char *meaning; /* which two runs are equal */
} PromiseLabel;
enum { PROMISES = 8 };
extern const PromiseLabel promise_labels[PROMISES];

/* Lists; an empty list is NULL or an empty array: json_array_size(NULL) is 0. */
const json_t *facts_variants(const Facts *facts); /* of the manifest, else of verify.json */
const json_t *facts_shapes(const Facts *facts);
const json_t *facts_skipped(const Facts *facts);
const json_t *facts_controls(const Facts *facts);
const json_t *facts_machine(const Facts *facts); /* bench's, with verify's behind it */

/* Lookups; NULL when there is none. */
const json_t *facts_verified(const Facts *facts, const json_t *variant);
const json_t *facts_entry(const json_t *shape, const json_t *variant);    /* the timed variant */
const json_t *facts_entry_of_kind(const json_t *shape, const char *kind); /* the first "fastmath", say */
bool facts_entry_is(const json_t *entry, const char *kind);
const json_t *facts_entry_like(const json_t *shape, const json_t *entry); /* same kind and id */
const json_t *facts_fastest(const json_t *shape); /* the variant's entry with the least median */
/* Of a variant or a row of ranks: "tree", "tree, overlapped"; "" where nothing is exchanged. */
const char *facts_exchange(Arena *arena, const json_t *object);
/* "avx2"; with an exchange that is shown, too: "mpi, tree". */
const char *facts_target(Arena *arena, const json_t *variant);
const json_t *facts_variant_of(const Facts *facts, const json_t *entry, size_t *index);

/* Whether a table that has little room shows it: RANKS only where some variant has ranks. */
bool facts_shows_promise(const Facts *facts, int promise);
PromiseState facts_promise(const json_t *verified, const char *name);
const json_t *facts_promise_detail(const json_t *verified, const char *name); /* the object, or NULL */
const char *facts_promise_reason(const json_t *verified, const char *name); /* why it was not tried, or "" */
/* How many variants have the same to say about this promise as variant `index` has; 0 when one before it says
 * so already. What is broken is never put together. */
size_t facts_promise_alike(const Facts *facts, size_t index, const char *name);

/* Values: a missing or mistyped one is NAN or "". */
double facts_number(const json_t *object, const char *name);
const char *facts_text(const json_t *object, const char *name);
bool facts_true(const json_t *object, const char *name);

/* The batch comparison turned into a matrix: distinct methods down, distinct batch sizes across. */
enum { FACTS_BATCHES = 16, FACTS_METHODS = 128 };
typedef struct BatchMatrix {
    const json_t *method[FACTS_METHODS]; /* the first row of each method; its label and tree */
    int batch[FACTS_BATCHES];
    int methods, batches;
    int left_out; /* rows that the limits above keep out */
} BatchMatrix;
void facts_batch_matrix(const json_t *rows, BatchMatrix *matrix);
const json_t *facts_batch_row(const json_t *rows, const json_t *method, int batch);

/* Numbers for the one-line summary. */
typedef struct Summary {
    size_t variants, verified, failed;
    size_t state[PROMISE_STATES]; /* over all variants and promises */
    size_t controls, caught;
} Summary;
Summary facts_summary(const Facts *facts);

#endif
