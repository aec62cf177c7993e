/* notes.c: what a report says of several targets together. */
#include "report/notes.h"
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A kernel timed on a device: where, and against what. */
static void devices_are_shown(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    json_t *verify = json_loads("{\"family\": \"sum\", \"variants\": [{\"id\": \"a\", \"target\": \"cuda\", "
                                "\"tree\": \"seq\", \"accumulator\": \"f32\", \"promises\": {}}]}",
                                0, NULL);
    json_t *bench = json_loads(
        "{\"family\": \"sum\", \"shapes\": [{\"shape\": {\"rows\": 8192, \"cols\": 4096}, \"noise_floor\": "
        "0.001, "
        "\"device\": \"NVIDIA H200 with driver 550.54.15 (CUDA 12.4)\", \"cache\": \"cold\", \"entries\": ["
        "{\"id\": \"a\", \"kind\": \"variant\", \"label\": \"a\", \"first_call_ns\": 50000, \"settled_ns\": "
        "40000, "
        "\"median_ns\": 41000, \"share_of_copy\": 0.87, \"verdict\": \"SAME\", "
        "\"ratio\": {\"to\": \"a\", \"value\": 1, \"low\": 1, \"high\": 1}, \"device\": {\"launch_ns\": "
        "5000}}]}]}",
        0, NULL);
    assert_non_null(verify);
    assert_non_null(bench);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    report_print_table(stream, NULL, verify, bench, false);
    fclose(stream);
    static const char *const parts[] = {"8192 × 4096 on NVIDIA H200", "of copy", "87 %", "SAME",
                                        "share of the bandwidth of its own copies"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("no '%s' in:\n%s", parts[i], text);
    assert_null(strstr(text, "with driver")); /* in the title of a column there is no room for it */
    free(text);
    json_decref(verify);
    json_decref(bench);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digests_are_put_together),
                                       cmocka_unit_test(devices_are_shown)};
    return cmocka_run_group_tests_name("gpu-notes", tests, NULL, NULL);
}
