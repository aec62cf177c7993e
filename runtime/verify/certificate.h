/* certificate.h: what verification found about one variant, so that another machine can check it. */
#ifndef SAMEBITS_CERTIFICATE_H
#define SAMEBITS_CERTIFICATE_H

#include "verify/variant.h"

/* Writes out/<family>/certificates/<id>.json. NULL when done (or nothing was found out), else why. */
const char *certificate_write(const Verification *verification, const Verified *verified);

#endif
