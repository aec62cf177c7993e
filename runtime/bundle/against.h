/* against.h: a certificate of one kernel, checked by another one, wherever that runs.
 *
 * A certificate names kinds of data, seeds and shapes; inputs follow from them on any machine, so digests of
 * outputs can be compared without the outputs. (docs/verification.md, "Certificates".) */
#ifndef SAMEBITS_BUNDLE_AGAINST_H
#define SAMEBITS_BUNDLE_AGAINST_H

#include "family/family.h"
#include "reference/evaluate.h"

#include <jansson.h>

typedef struct Certificate {
    json_t *json; /* certificate_close gives it back */
    const char *path, *id, *target, *contract, *output_digest;
} Certificate;

/* Reads FILE. Refused ("refused: ...") when it is no certificate, or when its contract's digest is not that
 * of its contract's text. NULL when done. */
const char *certificate_read(Arena *arena, const char *path, Certificate *certificate);
void certificate_close(Certificate *certificate);
/* NULL, or "refused: FILE certifies contract ..., this kernel obeys ...". */
const char *certificate_refuses(Arena *arena, const Certificate *certificate, const char *contract);

/* Calls the kernel once; NULL when done, else why not. */
typedef const char *KernelCall(void *kernel, Arena *arena, const CallData *call);

/* A kernel to be checked: of a variant whose op (inputs, outputs, dims, params), tree and accumulator are
 * known. */
typedef struct Checked {
    const Variant *variant;
    KernelCall *call;
    void *kernel;
    const char *inputs; /* folder with the inputs that only their maker can make (bundle.h), or NULL */
    bool flushes;       /* its device flushes subnormals: then only data without any must agree */
} Checked;

/* Repeats the canonical cases: {"status": "kept" | "broken" | "failed: why", "cases", "equal",
 * "output_digest", "expected_digest", "differs"?: [case texts], "flushed"?: cases of subnormal data that
 * differ}. */
json_t *certificate_check(Arena *arena, const Certificate *certificate, const Checked *checked);

/* The input files of a case whose data its maker has to search for (ties): "<stem>-<input>.npy" below a
 * folder. NULL: the case needs none. */
const char *certificate_inputs_name(Arena *arena, const Variant *variant, const json_t *record, int input);
/* Writes them below `folder`. NULL when done (or none are needed), else why. */
const char *certificate_write_inputs(Arena *arena, const Certificate *certificate, const Variant *variant,
                                     const char *folder);

/* The same figures of one shape that is no canonical case: digest of the outputs on normal data, seed 1. */
typedef struct LargeCase {
    Shape shape;
    char digest[65];
} LargeCase;
const char *certificate_large_digest(Arena *arena, const Checked *checked, LargeCase *large);

#endif
