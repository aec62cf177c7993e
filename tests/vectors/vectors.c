/* vectors.c: the 105 frozen cases of trees.tsv, each by the reference evaluator and by replaying term_walk.
 *
 * A line: operator (sum, or dot with a fused step), term, n, kind of data, x, w (dot only), and the one right
 * result, all values as binary32 words in hex. They were made outside this project by two evaluators written
 * apart. */
#include "reference/fold.h"
#include "tree/term.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES = 105, FIELDS = 7, LEAVES_MOST = 4096 };

typedef struct Case {
    const char *term;
    bool is_dot;
    size_t count;
    float x[LEAVES_MOST], w[LEAVES_MOST];
    uint32_t right;
} Case;

static const char *vectors_path;

static uint32_t word_of(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static float value_of(const char *hex)
{
    const uint32_t word = (uint32_t)strtoul(hex, NULL, 16);
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* "-" is no words. */
static size_t read_words(char *field, float *value)
{
    size_t count = 0;
    if (strcmp(field, "-") == 0) {
        return 0;
    }
    char *rest = NULL;
    for (char *word = strtok_r(field, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < LEAVES_MOST);
        value[count++] = value_of(word);
    }
    return count;
}

static void read_case(char *line, Case *read)
{
    char *field[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        field[i] = strsep(&line, "\t");
        assert_non_null(field[i]);
    }
    read->is_dot = strcmp(field[0], "dot") == 0;
    read->term = field[1];
    read->count = strtoul(field[2], NULL, 10);
    assert_int_equal(read_words(field[4], read->x), read->count);
    const size_t second = read_words(field[5], read->w);
    assert_int_equal(second, read->is_dot ? read->count : 0);
    read->right = word_of(value_of(field[6]));
}

/* A replay in plain binary32: what the walk says, done to numbers. */
typedef struct Replay {
    const Case *of;
    float value[3 * LEAVES_MOST];
    int count;
} Replay;

static int replay_keep(Replay *replay, float value)
{
    assert_true(replay->count < 3 * LEAVES_MOST);
    replay->value[replay->count] = value;
    return replay->count++;
}

static int replay_start(void *context)
{
    return replay_keep(context, 0.0f);
}

static int replay_step(void *context, int accumulator, uint64_t leaf)
{
    Replay *replay = context;
    const float x = replay->of->x[leaf], before = replay->value[accumulator];
    return replay_keep(replay, replay->of->is_dot ? fmaf(x, replay->of->w[leaf], before) : before + x);
}

static int replay_join(void *context, int left, int right)
{
    Replay *replay = context;
    return replay_keep(replay, replay->value[left] + replay->value[right]);
}

static uint32_t replayed_word(const Case *of, const Term *term)
{
    Replay *replay = calloc(1, sizeof *replay);
    assert_non_null(replay);
    replay->of = of;
    const TermWalk walk = {replay, replay_start, replay_step, replay_join};
    const uint32_t word = word_of(replay->value[term_walk(term, of->count, 1, &walk)]);
    free(replay);
    return word;
}

static void check_case(char *line, int number)
{
    Case *of = calloc(1, sizeof *of);
    assert_non_null(of);
    read_case(line, of);
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Term *term = term_parse(arena, &diagnostics, (Location){vectors_path, number, 1}, of->term);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(term);
    const ReferenceLeaves leaves = {of->x, of->is_dot ? of->w : NULL, of->count};
    const uint32_t folded = word_of(reference_fold(term, REDUCE_SUM, ACCUMULATOR_F32, leaves, 1));
    const uint32_t replayed = replayed_word(of, term);
    if (folded != of->right || replayed != of->right) {
        fail_msg("%s:%d: %s: right %08x, reference_fold %08x, term_walk %08x", vectors_path, number, of->term,
                 of->right, folded, replayed);
    }
    arena_destroy(arena);
    free(of);
}

static void all_cases_hold(void **state)
{
    (void)state;
    Buffer text = {0};
    const char *reason = buffer_read_file(&text, vectors_path, 1 << 20);
    if (reason) {
        fail_msg("%s: %s", vectors_path, reason);
    }
    int cases = 0, number = 0;
    char *rest = text.data;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        if (*line != '\0' && *line != '#') {
            check_case(line, number);
            cases++;
        }
    }
    assert_int_equal(cases, CASES);
    buffer_destroy(&text);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s trees.tsv\n", argv[0]);
        return 2;
    }
    vectors_path = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases_hold)};
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
