/* fuzz.c: damaged PTX. Whatever stands in the file, the translator answers with a reason or with C, and never
 * reads or writes where it must not: run it under ./build.sh asan.
 *
 * kernels.ptx is what clang 14 made of kernels.cu; each round damages it in one to four places, from a
 * counter with a fixed start, so a failure comes back. */
#include "ptx/ptx.h"

#include "../driver/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROUNDS = 1500 };

static const char *sample_path;

typedef struct Text {
    char *data;
    size_t size;
} Text;

static uint64_t counter_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t limit)
{
    return limit ? (size_t)(counter_next(state) % limit) : 0;
}

/* Replaces `count` bytes from `at` with `size` others. */
static void splice(Arena *arena, Text *text, size_t at, size_t count, const char *with, size_t size)
{
    count = count < text->size - at ? count : text->size - at;
    Text result = {arena_alloc(arena, text->size - count + size + 1, 1), text->size - count + size};
    memcpy(result.data, text->data, at);
    memcpy(result.data + at, with, size);
    memcpy(result.data + at + size, text->data + at + count, text->size - at - count);
    *text = result;
}

static size_t line_start(const Text *text, size_t at)
{
    while (at > 0 && text->data[at - 1] != '\n') {
        at--;
    }
    return at;
}

static size_t line_size(const Text *text, size_t at)
{
    size_t end = at;
    while (end < text->size && text->data[end] != '\n') {
        end++;
    }
    return end - at + (end < text->size);
}

/* Words that mean something to the parser, where they do not belong. */
static const char *const words[] = {"{",
                                    "}",
                                    "(",
                                    ")",
                                    "[",
                                    "]",
                                    ";",
                                    ",",
                                    "<999>",
                                    "%f1",
                                    "%rd",
                                    "_",
                                    "|",
                                    "!",
                                    "@%p1 ",
                                    ".v4",
                                    ".shared",
                                    ".param",
                                    "0x",
                                    "0f",
                                    "-",
                                    "\n//",
                                    "/*",
                                    ".reg .b32 ",
                                    ".local .b8 z[16777216];",
                                    ".entry ",
                                    ".func ",
                                    "call.uni ",
                                    "\"",
                                    "18446744073709551615",
                                    ":",
                                    "bra ",
                                    "st.param",
                                    "ld.param.u64 ",
                                    "{%r1, %r2}",
                                    "%"};

static void damage(Arena *arena, Text *text, uint64_t *state)
{
    const size_t at = below(state, text->size), line = line_start(text, at), size = line_size(text, line);
    const size_t other = line_start(text, below(state, text->size)), other_size = line_size(text, other);
    const char *word = words[below(state, sizeof words / sizeof words[0])];
    const char byte = (char)counter_next(state);
    switch (below(state, 7)) {
    case 0:
        text->size = at;
        break;
    case 1:
        splice(arena, text, at, 1, &byte, 1);
        break;
    case 2:
        splice(arena, text, line, size, "", 0);
        break;
    case 3: /* a line in the place of another */
        splice(arena, text, line, size, arena_copy_bytes(arena, text->data + other, other_size), other_size);
        break;
    case 4: /* a line once more */
        splice(arena, text, line, 0, arena_copy_bytes(arena, text->data + other, other_size), other_size);
        break;
    default:
        splice(arena, text, at, below(state, 4), word, strlen(word));
        break;
    }
}

static bool is_taken(Arena *arena, const char *folder, const Text *text)
{
    Buffer content = {0};
    const char *path = arena_printf(arena, "%s/t.ptx", folder);
    buffer_append(&content, text->data, text->size);
    assert_null(buffer_write_file(&content, path));
    buffer_destroy(&content);
    const char *why = ptx_translate(arena, path, arena_printf(arena, "%s/t.c", folder));
    if (why && strncmp(why, path, strlen(path)) != 0) {
        fail_msg("a reason without a place: %s", why);
    }
    return why == NULL;
}

static void test_damaged(void **state)
{
    (void)state;
    Arena *kept = arena_create();
    const char *folder = folder_create(kept);
    Buffer sample = {0};
    assert_null(buffer_read_file(&sample, sample_path, 1 << 20));
    uint64_t counter = 3;
    int taken = 0;
    for (int round = 0; round < ROUNDS; round++) {
        Arena *arena = arena_create();
        Text text = {arena_copy_bytes(arena, sample.data, sample.size), sample.size};
        for (size_t k = 1 + below(&counter, 4); k > 0; k--) {
            damage(arena, &text, &counter);
        }
        taken += is_taken(arena, folder, &text);
        arena_destroy(arena);
    }
    print_message("%d of %d damaged files are still PTX\n", taken, ROUNDS);
    assert_true(taken > 0 && taken < ROUNDS / 2); /* else the damage is too small, or too great to get far */
    buffer_destroy(&sample);
    folder_remove(folder);
    arena_destroy(kept);
}

/* Every length of a small file: only the whole one is taken. */
static void test_truncated(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena);
    char file[] = ".version 7.5\n.target sm_80\n.address_size 64\n.entry k(.param .u64 k_param_0)\n{\n"
                  "    .reg .pred %p<2>;\n    .reg .b64 %q<3>;\n    ld.param.u64 %q1, [k_param_0];\n"
                  "    { .reg .b32 t; mov.b32 t, 0f3F800000; st.global.v2.b32 [%q1+8], {t, t}; }\n"
                  "    setp.eq.s64 %p1, %q1, 0;\n    @%p1 bra L;\nL:\n    ret;\n}";
    const size_t whole = sizeof file - 1, body = (size_t)(strstr(file, ".entry") - file);
    for (size_t size = 0; size <= whole; size++) {
        /* A copy of exactly this size, so that a sanitizer sees one byte too many. */
        Text text = {arena_copy_bytes(arena, file, size), size};
        const bool taken = is_taken(arena, folder, &text);
        if (taken && size != whole && size > body) {
            fail_msg("the first %zu of %zu bytes are taken", size, whole);
        }
        assert_true(size != whole || taken);
    }
    folder_remove(folder);
    arena_destroy(arena);
}

static void test_noise(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena);
    uint64_t counter = 11;
    for (int round = 0; round < 200; round++) {
        Buffer noise = {0};
        buffer_append_string(&noise, ".version 7.5\n");
        for (size_t k = below(&counter, 400); k > 0; k--) {
            const char byte = (char)counter_next(&counter);
            const char *word = words[below(&counter, sizeof words / sizeof words[0])];
            if (round % 2) {
                buffer_append(&noise, &byte, 1);
            } else {
                buffer_printf(&noise, "%s ", word);
            }
        }
        is_taken(arena, folder, &(Text){noise.data, noise.size});
        buffer_destroy(&noise);
    }
    folder_remove(folder);
    arena_destroy(arena);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test-ptx-fuzz kernels.ptx\n");
        return 2;
    }
    sample_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests_name("ptx-fuzz", tests, NULL, NULL);
}
