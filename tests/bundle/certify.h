/* certify.h: a certificate as `samebits verify` writes it, its digests made by the reference evaluator:
 * kernels are held against something that shares nothing with them. */
#ifndef SAMEBITS_TEST_CERTIFY_H
#define SAMEBITS_TEST_CERTIFY_H

#include "family/family.h"

/* Writes it to `path`, as made by a kernel for `target`. */
void certify_variant(Arena *arena, const Variant *variant, const char *target, const char *path);

#endif
