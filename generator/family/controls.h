/* controls.h: the negative controls that go with every family. */
#ifndef SAMEBITS_FAMILY_CONTROLS_H
#define SAMEBITS_FAMILY_CONTROLS_H

#include "family/family.h"

/* Fills family->control; the variants must be there already. */
void family_add_controls(Arena *arena, Family *family);

#endif
