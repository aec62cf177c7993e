/* variant.h: everything that is found out about one variant. */
#ifndef SAMEBITS_VARIANT_H
#define SAMEBITS_VARIANT_H

#include "verify/promise.h"

typedef struct Verification { /* what all variants of a family share; constant while they are verified */
    const Family *family;
    const char *out_dir;
    double seconds;       /* limit per variant */
    double *const *exact; /* results of case_for_error, from MPFR */
} Verification;

typedef struct Verified {
    Arena *arena; /* its own: variants are verified at the same time */
    const Variant *variant;
    const char *object, *folder; /* default build; kept inputs */
    double started;
    json_t *promises;  /* name -> {"status", "cases", "detail"?} */
    json_t *canonical; /* {"canonical": [..], "output_digest", "error", "ftz"}; NULL: the kernel gave none */
    const char *not_here;  /* why it was not tried */
    const char *failure;   /* it crashed, hung, or could not be loaded */
    bool repeats;          /* RUN found no difference */
    unsigned builds_equal; /* bit b: the object of build row b returned the same words */
} Verified;

void variant_verify(const Verification *verification, Verified *verified, const Variant *variant);
void verified_destroy(Verified *verified);

/* Seconds that are left of the variant's limit; 0 when it is over. */
double verified_time_left(const Verification *verification, const Verified *verified);
void verified_set(Verified *verified, Promise promise, json_t *status);

/* Runs check_digests on `object` in a fresh process and counts the canonical cases whose digests differ from
 * the variant's own in `finding`. Text of the first such case, or NULL. */
const char *verified_compare_digests(const Verification *verification, Verified *verified, const char *object,
                                     const char *what, Finding *finding);
/* The first case in which two kernels' digests differ, "" when their lists differ; NULL: equal. */
const char *digests_differ(Arena *arena, const json_t *mine, const json_t *others, long *cases, long *broken);

/* Loads both objects into one process and describes the first element that differs, inputs kept; NULL: none
 * was found. */
const char *verified_find_difference(const Verification *verification, const Verified *verified,
                                     const char *other, const Variant *other_variant, const char *promise);

/* What stands behind the results: "run on this CPU", "source emulated, PTX executed (clang 14.0.6)"; "" when
 * nothing was run. */
const char *verified_trust(const Verified *verified);

/* BUILD, from the objects of the other build rows. */
void variant_verify_build(const Verification *verification, Verified *verified);
/* TARGET, once every variant has its digests. */
void variants_verify_target(const Verification *verification, Verified *verified, int count);

/* NULL when the object is there and not older than its source, else why not. */
const char *object_why_not(Arena *arena, const Verification *verification, const Variant *variant, int build);

#endif
