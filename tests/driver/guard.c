/* guard.c: guarded buffers catch what runs beside them, and nothing else. */
#include "driver/guard.h"

#include "driver/child.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static GuardedBuffer create(size_t elements, GuardPlacement placement, size_t offset)
{
    GuardedBuffer buffer;
    const char *why = guarded_buffer_create(&buffer, elements, placement, offset);
    if (why) {
        fail_msg("%s", why);
    }
    return buffer;
}

/* A read or write of byte `at` (from the data's start) in a child. */
typedef struct Touch {
    const GuardedBuffer *buffer;
    ptrdiff_t at;
} Touch;

static void work_read(void *context, FILE *out)
{
    const Touch *touch = context;
    fprintf(out, "%d", ((const volatile unsigned char *)touch->buffer->data)[touch->at]);
}

static void expect_crash(const GuardedBuffer *buffer, ptrdiff_t at)
{
    Arena *arena = arena_create();
    Buffer text = {0};
    Touch touch = {buffer, at};
    const char *why = child_run(arena, (ChildLimits){30, 0}, work_read, &touch, &text);
    assert_non_null(why);
    assert_true(strcmp(why, "killed by SIGSEGV") == 0 || strcmp(why, "killed by SIGBUS") == 0);
    buffer_destroy(&text);
    arena_destroy(arena);
}

static void write_all(const GuardedBuffer *buffer)
{
    for (size_t i = 0; i < buffer->elements; i++) {
        assert_true(isnan(buffer->data[i])); /* what a kernel forgets to write shows */
        buffer->data[i] = (float)i;
    }
    assert_null(guarded_buffer_check(buffer));
}

static void test_every_placement_and_size(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t sizes[] = {1, 2, 7, 16, 17, page / 4 - 1, page / 4, page / 4 + 1, 3 * page};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        GuardedBuffer end = create(sizes[s], GUARD_END, 0), start = create(sizes[s], GUARD_START, 0);
        write_all(&end);
        write_all(&start);
        assert_int_equal((uintptr_t)start.data % page, 0);
        assert_int_equal((uintptr_t)(end.data + sizes[s]) % page, 0);
        guarded_buffer_destroy(&end);
        guarded_buffer_destroy(&start);
        for (size_t offset = 0; offset < 64; offset += 4) {
            GuardedBuffer buffer = create(sizes[s], GUARD_OFFSET, offset);
            assert_int_equal((uintptr_t)buffer.data % 64, offset);
            write_all(&buffer);
            guarded_buffer_destroy(&buffer);
        }
    }
}

static void test_neighbours_crash(void **state)
{
    (void)state;
    GuardedBuffer end = create(5, GUARD_END, 0), start = create(5, GUARD_START, 0);
    expect_crash(&end, 20);
    expect_crash(&end, 20 + (1 << 20) - 1);
    expect_crash(&start, -1);
    expect_crash(&start, -(1 << 20));
    guarded_buffer_destroy(&end);
    guarded_buffer_destroy(&start);
}

static void test_empty_buffers_crash_when_touched(void **state)
{
    (void)state;
    for (int placement = GUARD_END; placement <= GUARD_OFFSET; placement++) {
        GuardedBuffer buffer = create(0, (GuardPlacement)placement, 0);
        assert_non_null(buffer.data);
        expect_crash(&buffer, 0);
        expect_crash(&buffer, -1);
        assert_null(guarded_buffer_check(&buffer));
        guarded_buffer_destroy(&buffer);
    }
}

/* `from` must differ from what lies there, in each single byte. */
static void expect_caught(GuardedBuffer *buffer, ptrdiff_t at, const char *what)
{
    unsigned char *byte = (unsigned char *)buffer->data + at;
    *byte ^= 1;
    assert_string_equal(guarded_buffer_check(buffer), what);
    *byte ^= 1;
    assert_null(guarded_buffer_check(buffer));
}

static void test_canaries(void **state)
{
    (void)state;
    const char *front = "memory in front of a buffer was overwritten",
               *behind = "memory behind a buffer was overwritten";
    GuardedBuffer end = create(5, GUARD_END, 0), start = create(5, GUARD_START, 0),
                  middle = create(5, GUARD_OFFSET, 12);
    expect_caught(&end, -1, front);
    expect_caught(&end, -400, front);
    expect_caught(&start, 20, behind);
    expect_caught(&start, (ptrdiff_t)sysconf(_SC_PAGESIZE) - 1, behind);
    expect_caught(&middle, -1, front);
    expect_caught(&middle, 20, behind);
    assert_true(isnan(middle.data[-1])); /* a read beside the buffer spoils the result */
    guarded_buffer_destroy(&end);
    guarded_buffer_destroy(&start);
    guarded_buffer_destroy(&middle);
}

static void test_refusals(void **state)
{
    (void)state;
    GuardedBuffer buffer;
    assert_non_null(guarded_buffer_create(&buffer, SIZE_MAX, GUARD_END, 0));
    assert_non_null(guarded_buffer_create(&buffer, SIZE_MAX / 4, GUARD_END, 0));
    assert_non_null(guarded_buffer_create(&buffer, (size_t)1 << 60, GUARD_OFFSET, 4));
    assert_non_null(guarded_buffer_create(&buffer, 4, GUARD_OFFSET, 2));
    assert_non_null(guarded_buffer_create(&buffer, 4, GUARD_OFFSET, 64));
    guarded_buffer_destroy(&buffer); /* nothing is held after a refusal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_placement_and_size),
        cmocka_unit_test(test_neighbours_crash),
        cmocka_unit_test(test_empty_buffers_crash_when_touched),
        cmocka_unit_test(test_canaries),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
