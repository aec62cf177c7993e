/* baseline.h: the plain loop of an operator, for the bench: order `seq` as written, built with -Ofast. */
#ifndef SAMEBITS_BASELINE_H
#define SAMEBITS_BASELINE_H

#include "emit/spell.h"

/* Data of templates/cpu/baseline.c but `head`; `speller` has the plain words for both vocabularies. */
json_t *baseline_data(Speller *speller, const char *symbol);

#endif
