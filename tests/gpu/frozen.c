/* frozen.c: the 105 frozen cases of the contract on every GPU kernel, emulated: the words that were found
 * outside this project, on every way to share a row. */
#include "../kernels/frozen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const char *vectors_path;

enum {
    CALLS = 3
}; /* so that each case meets a block, a warp and, where there are parts, many blocks per row */

static void frozen_cases_of_sum(void **state)
{
    (void)state;
    frozen_check(vectors_path, &(FrozenPlan){.operator_name = "sum",
                                             .targets = "cuda, metal",
                                             .accumulators = "f32",
                                             .kernels_per_case = 2,
                                             .calls = CALLS});
}

static void frozen_cases_of_dot(void **state)
{
    (void)state;
    frozen_check(vectors_path, &(FrozenPlan){.operator_name = "dot",
                                             .targets = "cuda, metal",
                                             .accumulators = "f32",
                                             .kernels_per_case = 2,
                                             .calls = CALLS});
}

/* Metal has no binary64. */
static void frozen_cases_of_dot_f64(void **state)
{
    (void)state;
    frozen_check(vectors_path, &(FrozenPlan){.operator_name = "dot",
                                             .targets = "cuda",
                                             .accumulators = "f64",
                                             .kernels_per_case = 1,
                                             .calls = CALLS});
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s trees.tsv TEMPLATES\n", argv[0]);
        return 2;
    }
    vectors_path = argv[1];
    setenv("SAMEBITS_TEMPLATES", argv[2], 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(frozen_cases_of_sum),
                                       cmocka_unit_test(frozen_cases_of_dot),
                                       cmocka_unit_test(frozen_cases_of_dot_f64)};
    return cmocka_run_group_tests_name("gpu-frozen", tests, NULL, NULL);
}
