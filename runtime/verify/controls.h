/* controls.h: kernels that must be caught. If one gets through, the verifier itself failed. */
#ifndef SAMEBITS_CONTROLS_H
#define SAMEBITS_CONTROLS_H

#include "verify/variant.h"

/* {"control", "expected": [..], "caught", "on": "RUN", "cases", "detail", "not_tried"?: why} */
json_t *control_verify(const Verification *verification, const Variant *control);
/* Every control that a verification must have: one that was not generated is not caught. */
extern const char *const control_names[];
bool control_is_wanted(const Family *family, const char *name); /* allreduce: where a variant has ranks */
json_t *control_missing_json(const char *name);

#endif
