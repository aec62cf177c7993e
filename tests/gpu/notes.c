/* notes.c: what a report says of several targets together. */
#include "report/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static void digests_are_put_together(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    json_t *verify = json_loads(
        "{\"variants\": ["
        "{\"id\": \"a\", \"target\": \"c\", \"contract\": \"k1\", \"tree\": \"seq\", \"output_digest\": "
        "\"d1\", "
        "\"accumulator\": \"f32\", \"trust\": \"run on this CPU\"},"
        "{\"id\": \"b\", \"target\": \"cuda\", \"contract\": \"k1\", \"tree\": \"seq\", \"output_digest\": "
        "\"d1\", \"accumulator\": \"f32\", \"trust\": \"source emulated\"},"
        "{\"id\": \"c\", \"target\": \"c\", \"contract\": \"k2\", \"tree\": \"halving\", \"output_digest\": "
        "\"d2\", \"accumulator\": \"f32\", \"trust\": \"run on this CPU\"},"
        "{\"id\": \"d\", \"target\": \"metal\", \"contract\": \"k2\", \"tree\": \"halving\", "
        "\"output_digest\": \"d3\", \"accumulator\": \"f32\", \"trust\": \"source emulated\"}]}",
        0, NULL);
    json_t *bench = json_loads("{\"skipped\": [{\"what\": \"b\", \"why\": \"no CUDA device\"},"
                               "{\"what\": \"peer\", \"why\": \"not installed\"}]}",
                               0, NULL);
    const Facts facts = {NULL, verify, bench};
    const Notes agreement = notes_agreement(arena, &facts), trust = notes_trust(arena, &facts),
                untimed = notes_not_timed(arena, &facts);
    assert_int_equal(agreement.count, 2);
    assert_string_equal(agreement.item[0].text, "one contract k1, one output digest d1 on c, cuda");
    assert_false(agreement.item[0].bad);
    assert_string_equal(agreement.item[1].text, "one contract k2, 2 output digests: d2 on c; d3 on metal");
    assert_true(agreement.item[1].bad);
    assert_int_equal(trust.count, 2);
    assert_string_equal(trust.item[0].head, "c");
    assert_string_equal(trust.item[1].head, "cuda, metal");
    assert_int_equal(untimed.count, 2);
    assert_string_equal(untimed.item[0].head, "cuda");
    assert_string_equal(untimed.item[1].head, "peer");
    json_decref(verify);
    json_decref(bench);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digests_are_put_together)};
    return cmocka_run_group_tests_name("gpu-notes", tests, NULL, NULL);
}
