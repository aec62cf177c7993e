/* identity.h: names of variants. */
#ifndef SAMEBITS_FAMILY_IDENTITY_H
#define SAMEBITS_FAMILY_IDENTITY_H

#include "family/family.h"

/* Which schedule axes have several values and so belong in the id. */
typedef struct IdentityParts {
    bool unroll, stream, exchange, overlap;
} IdentityParts;

/* Fills id, symbol, source, contract and digest from the other fields. */
void variant_fill_identity(Arena *arena, Variant *variant, IdentityParts parts);

#endif
