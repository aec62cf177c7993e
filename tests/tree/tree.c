/* tree.c: terms: the table, text, mistakes, digests, drawings, and the two definitions of their order against
 * each other.
 *
 * The expected drawings, words and messages lie in drawings.txt and mistakes.txt, input and expected output
 * together. `test-tree drawings.txt mistakes.txt contract.md --write` rewrites both from their inputs. */
#include "reference/fold.h"
#include "tree/layout.h"
#include "tree/term.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FUZZ_TERMS = 3000, FUZZ_LEAVES = 70, HANDLES = 1 << 20, FILE_LIMIT = 1 << 20 };

static const char *drawings_path, *mistakes_path, *contract_path;

typedef struct Fixture {
    Arena *arena;
    Diagnostics diagnostics;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->arena = arena_create();
    diagnostics_init(&fixture->diagnostics, fixture->arena);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

static const Term *parse_good(Fixture *fixture, const char *text)
{
    const Term *term = term_parse(fixture->arena, &fixture->diagnostics, (Location){"test", 1, 1}, text);
    diagnostics_print(&fixture->diagnostics, stderr);
    assert_non_null(term);
    return term;
}

/* ---- random terms: a counter generator, the same on every machine ---- */

typedef struct Random {
    uint64_t state;
} Random;

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t random_next(Random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t random_below(Random *random, uint64_t bound)
{
    return random_next(random) % bound;
}

/* A term of any kind that may stand there, at most `depth` deep. */
static const Term *random_term(Fixture *fixture, Random *random, int depth, bool outer)
{
    for (;;) {
        const TermRow *row = &term_rows[random_below(random, TERM_KINDS)];
        if ((row->outer_only && !outer) || (row->has_parts && depth <= 1)) {
            continue;
        }
        if (!row->has_parts) {
            return term_leafless(fixture->arena, row->kind);
        }
        const bool is_auto = row->kind == TERM_SPLIT && random_below(random, 4) == 0;
        const Term *inner = random_term(fixture, random, depth - 1, false);
        const Term *fold = random_term(fixture, random, depth - 1, true);
        const Term *term = term_with_parts(fixture->arena, &fixture->diagnostics, (Location){0}, row->kind,
                                           1 + random_below(random, 12), is_auto, inner, fold);
        assert_non_null(term);
        return term;
    }
}

/* Values on which orders differ: magnitudes 2^-20 to 2^20 of both signs, and zeros of both signs. */
static float random_value(Random *random)
{
    const uint64_t bits = random_next(random);
    if (bits % 16 == 0) {
        return bits & 64 ? -0.0f : 0.0f;
    }
    const float fraction = 1.0f + (float)(bits >> 41) * 0x1p-23f;
    return ldexpf(bits & 64 ? -fraction : fraction, (int)random_below(random, 41) - 20);
}

/* ---- the table ---- */

static void every_row_is_reachable(void **state)
{
    Fixture *fixture = *state;
    for (int kind = 0; kind < TERM_KINDS; kind++) {
        const TermRow *row = &term_rows[kind];
        assert_int_equal(row->kind, kind);
        assert_ptr_equal(term_row_named(row->name), row);
        assert_true(kind == 0 || strcmp(term_rows[kind - 1].name, row->name) < 0);
        assert_int_equal(strncmp(row->usage, row->name, strlen(row->name)), 0);
        assert_int_equal(row->has_size, strchr(row->usage, '(') != NULL);
        const char *text = row->has_parts    ? arena_printf(fixture->arena, "%s(3, seq, pairwise)", row->name)
                           : row->outer_only ? arena_printf(fixture->arena, "chunk(3, seq, %s)", row->name)
                                             : row->name;
        assert_string_equal(term_text(fixture->arena, parse_good(fixture, text)), text);
    }
    assert_null(term_row_named("lane"));
}

/* docs/contract.md holds the table of terms, row for row. */
static void the_contract_documents_every_row(void **state)
{
    Fixture *fixture = *state;
    Buffer text = {0};
    const char *reason = buffer_read_file(&text, contract_path, FILE_LIMIT);
    if (reason) {
        fail_msg("%s: %s", contract_path, reason);
    }
    for (int kind = 0; kind < TERM_KINDS; kind++) {
        const TermRow *row = &term_rows[kind];
        const char *line =
            arena_printf(fixture->arena, "\n| `%s` | %s | %s |\n", row->usage, row->meaning, row->promises);
        if (!strstr(text.data, line)) {
            fail_msg("%s lacks the row of %s:%s", contract_path, row->name, line);
        }
    }
    buffer_destroy(&text);
}

/* ---- text ---- */

static void text_is_canonical(void **state)
{
    Fixture *fixture = *state;
    static const struct {
        const char *written, *canonical, *brief;
    } cases[] = {
        {"seq", "seq", "seq"},
        {" \tpairwise\n", "pairwise", "pairwise"},
        {"lanes(32)", "lanes(32, seq, halving)", "lanes(32)"},
        {"lanes(32,seq,halving)", "lanes(32, seq, halving)", "lanes(32)"},
        {"lanes(32,seq,seq)", "lanes(32, seq, seq)", "lanes(32, seq, seq)"},
        {"chunk( 0096 ,lanes(8),pairwise )", "chunk(96, lanes(8, seq, halving), pairwise)",
         "chunk(96, lanes(8), pairwise)"},
        {"split(auto,lanes(4),completion)", "split(auto, lanes(4, seq, halving), completion)",
         "split(auto, lanes(4), completion)"},
        {"chunk(1073741824, lanes(1024), seq)", "chunk(1073741824, lanes(1024, seq, halving), seq)",
         "chunk(1073741824, lanes(1024), seq)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Term *term = parse_good(fixture, cases[i].written);
        assert_string_equal(term_text(fixture->arena, term), cases[i].canonical);
        assert_string_equal(term_short_text(fixture->arena, term), cases[i].brief);
    }
}

/* Frozen: SHA-256 of the canonical text as coreutils' sha256sum gives it. */
static void digests_are_frozen(void **state)
{
    Fixture *fixture = *state;
    static const struct {
        const char *term, *digest;
    } cases[] = {
        {"seq", "4f5260d71c7e332a2c94bf0b36ce79c9a33ba6f037535665c15fa5bc8a2fccfc"},
        {"pairwise", "a82c1f6925f739623dd387bbc06d092df771fe2874e129c81f1bd71c74e42824"},
        {"halving", "8a200f2589ae532b7b42a5e64028ab14ed354eabc157de2dd3da9a3dc664a51a"},
        {"lanes(32, seq, halving)", "263bc44f132dafe2f2d3b482ef7f227d114046d3134da8b488398daf260a8e8e"},
        {"chunk(1024, lanes(32, seq, halving), pairwise)",
         "13cb8e6e7001681fc414eb743fec0855bdee01ec1eeb31c237258a8a669cd3ab"},
        {"split(4, seq, seq)", "868e8ba1f37e68a34afe2c6dad8a8dc5693bda00fc569c9fc0d154aa322d567b"},
        {"split(auto, lanes(8, seq, halving), completion)",
         "3ac5e2f8c6c13d554b5d2f19242c9178a36f7b46aa9fc6118781c5b3d9e4cd74"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(term_digest(fixture->arena, parse_good(fixture, cases[i].term)), cases[i].digest);
    }
}

static void random_terms_survive_their_text(void **state)
{
    Fixture *fixture = *state;
    Random random = {1};
    for (int i = 0; i < FUZZ_TERMS; i++) {
        const Term *term = random_term(fixture, &random, 4, false);
        const char *text = term_text(fixture->arena, term);
        const Term *again = parse_good(fixture, text),
                   *brief = parse_good(fixture, term_short_text(fixture->arena, term));
        assert_true(term_equal(term, again) && term_equal(term, brief));
        assert_string_equal(term_text(fixture->arena, again), text);
        assert_int_equal(term_is_fixed(term), !strstr(text, "auto") && !strstr(text, "completion"));
    }
}

static void different_terms_are_not_equal(void **state)
{
    Fixture *fixture = *state;
    static const char *const texts[] = {"seq",
                                        "pairwise",
                                        "halving",
                                        "lanes(8)",
                                        "lanes(4)",
                                        "lanes(8, seq, seq)",
                                        "lanes(8, pairwise, halving)",
                                        "chunk(8, seq, halving)",
                                        "split(8, seq, halving)",
                                        "split(auto, seq, halving)"};
    const size_t count = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < count * count; i++) {
        const Term *a = parse_good(fixture, texts[i / count]), *b = parse_good(fixture, texts[i % count]);
        assert_int_equal(term_equal(a, b), i / count == i % count);
    }
}

static void has_looks_everywhere(void **state)
{
    Fixture *fixture = *state;
    const Term *term = parse_good(fixture, "chunk(8, split(4, seq, completion), lanes(2, pairwise, seq))");
    assert_true(term_has(term, TERM_SPLIT, false) && !term_has(term, TERM_SPLIT, true));
    assert_true(term_has(term, TERM_COMPLETION, false) && term_has(term, TERM_PAIRWISE, false));
    assert_false(term_has(term, TERM_HALVING, false));
    assert_true(term_has(parse_good(fixture, "chunk(8, split(auto, seq, seq), seq)"), TERM_SPLIT, true));
}

/* ---- mistakes ---- */

/* mistakes.txt: a line "term: TEXT", then the messages it must give. */
static void write_mistake(Buffer *out, const char *text)
{
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const Term *term = term_parse(arena, &diagnostics, (Location){"a.lua", 7, 10}, text);
    buffer_printf(out, "term: %s\n", text);
    for (int i = 0; i < diagnostics.count; i++) {
        buffer_printf(out, "%s\n", diagnostics.message[i]);
    }
    if (term || diagnostics.count != 1) {
        buffer_printf(out, "(%d messages, %s)\n", diagnostics.count, term ? "a term" : "no term");
    }
    arena_destroy(arena);
}

static void constructors_check(void **state)
{
    Fixture *fixture = *state;
    Arena *arena = fixture->arena;
    const Location where = {"b.lua", 2, 3};
    Diagnostics *diagnostics = &fixture->diagnostics;
    const Term *seq = term_leafless(arena, TERM_SEQ), *completion = term_leafless(arena, TERM_COMPLETION);
    assert_null(term_with_parts(arena, diagnostics, where, TERM_CHUNK, 0, false, seq, seq));
    assert_non_null(
        strstr(diagnostics->message[0], "b.lua:2:3: error: the size in chunk(C, inner, outer) is 0"));
    assert_null(term_with_parts(arena, diagnostics, where, TERM_LANES, 1025, false, seq, seq));
    assert_non_null(strstr(diagnostics->message[1], "is 1025; the largest allowed is 1024"));
    assert_null(term_with_parts(arena, diagnostics, where, TERM_CHUNK, 0, true, seq, seq));
    assert_non_null(strstr(diagnostics->message[2], "only split can"));
    assert_null(term_with_parts(arena, diagnostics, where, TERM_CHUNK, 8, false, completion, seq));
    assert_non_null(strstr(diagnostics->message[3], "completion cannot be the inner part of chunk"));
    assert_null(term_with_parts(arena, diagnostics, where, TERM_CHUNK, 8, false, seq, NULL));
    assert_non_null(strstr(diagnostics->message[4], "chunk needs both its parts"));
    const Term *term = seq;
    for (int depth = 2; depth <= TERM_DEPTH_LIMIT; depth++) {
        term = term_with_parts(arena, diagnostics, where, TERM_CHUNK, 8, false, term, seq);
        assert_non_null(term);
    }
    assert_int_equal(diagnostics->count, 5);
    assert_null(term_with_parts(arena, diagnostics, where, TERM_CHUNK, 8, false, seq, term));
    assert_non_null(strstr(diagnostics->message[5], "more than 8 terms deep"));
    term = term_with_parts(arena, diagnostics, where, TERM_LANES, 8, false, NULL, NULL);
    assert_string_equal(term_text(arena, term), "lanes(8, seq, halving)");
}

/* Where a term comes from: a line of a file, a later line of a long string, or no file at all. */
static void places_are_named(void **state)
{
    Fixture *fixture = *state;
    Diagnostics *diagnostics = &fixture->diagnostics;
    term_parse(fixture->arena, diagnostics, (Location){"d.lua", 9, 5}, "chunk(8, sek, seq)");
    assert_string_equal(diagnostics->message[0],
                        "d.lua:9:14: error: unknown term 'sek'; did you mean 'seq'?");
    term_parse(fixture->arena, diagnostics, (Location){"d.lua", 9, 5}, "chunk(8,\n  sek, seq)");
    assert_string_equal(diagnostics->message[1],
                        "d.lua:10:3: error: unknown term 'sek'; did you mean 'seq'?");
    term_parse(fixture->arena, diagnostics, (Location){0}, "chunk(8, sek, seq)");
    assert_string_equal(
        diagnostics->message[2],
        "error: in the tree 'chunk(8, sek, seq)', column 10: unknown term 'sek'; did you mean 'seq'?");
}

/* A hundred thousand brackets, or a megabyte of digits, end in one message like any other mistake. */
static void long_input_is_bounded(void **state)
{
    Fixture *fixture = *state;
    Buffer text = {0};
    for (int i = 0; i < 100000; i++) {
        buffer_append_string(&text, "lanes(2, ");
    }
    assert_null(term_parse(fixture->arena, &fixture->diagnostics, (Location){"c", 1, 1}, text.data));
    text.size = 0;
    buffer_append_string(&text, "chunk(");
    for (int i = 0; i < 100000; i++) {
        buffer_append_string(&text, "0000000000");
    }
    buffer_append_string(&text, "7, seq, seq)");
    const Term *seven = term_parse(fixture->arena, &fixture->diagnostics, (Location){"c", 1, 1}, text.data);
    assert_int_equal(seven->size, 7);
    text.data[7] = '1';
    assert_null(term_parse(fixture->arena, &fixture->diagnostics, (Location){"c", 1, 1}, text.data));
    assert_int_equal(fixture->diagnostics.count, 2);
    assert_string_equal(fixture->diagnostics.message[0],
                        "c:1:73: error: the tree is more than 8 terms deep; nest fewer terms");
    assert_true(strlen(fixture->diagnostics.message[1]) < 200);
    buffer_destroy(&text);
}

/* Bytes cut and changed at random never do worse than an error. */
static void damaged_text_is_refused_or_read(void **state)
{
    Fixture *fixture = *state;
    Random random = {2};
    int refused = 0;
    for (int i = 0; i < FUZZ_TERMS; i++) {
        char *text =
            arena_copy(fixture->arena, term_text(fixture->arena, random_term(fixture, &random, 3, false)));
        const size_t size = strlen(text);
        text[random_below(&random, size)] = "(),-.09 sx\x80"[random_below(&random, 11)];
        text[random_below(&random, size + 1)] = '\0';
        Diagnostics diagnostics;
        diagnostics_init(&diagnostics, fixture->arena);
        const Term *term = term_parse(fixture->arena, &diagnostics, (Location){0}, text);
        assert_int_equal(diagnostics.count, term ? 0 : 1);
        refused += !term;
    }
    assert_in_range(refused, FUZZ_TERMS / 2, FUZZ_TERMS - 1);
}

/* ---- the order ---- */

/* A walk replayed on numbers in the arithmetic of one accumulator; counts what it is given. */
typedef struct Replay {
    const float *a, *b;
    ReduceKind kind;
    bool is_double;
    double *value;   /* per handle */
    bool *is_used;   /* per handle: stepped onward or joined */
    int *leaf_steps; /* per leaf */
    int count;
} Replay;

static int replay_keep(Replay *replay, double value)
{
    assert_true(replay->count < HANDLES);
    replay->value[replay->count] = value;
    replay->is_used[replay->count] = false;
    return replay->count++;
}

static double replay_use(Replay *replay, int handle)
{
    assert_in_range(handle, 0, replay->count - 1);
    assert_false(replay->is_used[handle]);
    replay->is_used[handle] = true;
    return replay->value[handle];
}

/* fmaximum and fminimum are C23; these need no special case for NaN beyond the one line. */
static double extreme(double p, double q, ReduceKind kind)
{
    if (isnan(p) || isnan(q)) {
        return NAN;
    }
    if (p == 0 && q == 0) {
        return (kind == REDUCE_MAX ? signbit(p) && signbit(q) : signbit(p) || signbit(q)) ? -0.0 : 0.0;
    }
    return (kind == REDUCE_MAX) == (p > q) ? p : q;
}

static double replay_add(const Replay *replay, double p, double q)
{
    if (replay->kind != REDUCE_SUM) {
        return extreme(p, q, replay->kind);
    }
    return replay->is_double ? p + q : (double)(float)((float)p + (float)q);
}

static int replay_start(void *context)
{
    Replay *replay = context;
    return replay_keep(replay, replay->kind == REDUCE_MAX   ? -INFINITY
                               : replay->kind == REDUCE_MIN ? INFINITY
                                                            : 0.0);
}

static int replay_step(void *context, int accumulator, uint64_t leaf)
{
    Replay *replay = context;
    replay->leaf_steps[leaf]++;
    const double before = replay_use(replay, accumulator);
    if (replay->kind == REDUCE_SUM && replay->b) {
        return replay_keep(replay, replay->is_double ? fma(replay->a[leaf], replay->b[leaf], before)
                                                     : fmaf(replay->a[leaf], replay->b[leaf], (float)before));
    }
    return replay_keep(replay, replay_add(replay, before, replay->a[leaf]));
}

static int replay_join(void *context, int left, int right)
{
    Replay *replay = context;
    const double p = replay_use(replay, left), q = replay_use(replay, right);
    return replay_keep(replay, replay_add(replay, p, q));
}

/* Walks, and checks that every leaf is stepped once and every partial result used once. */
static float replay_walk(Replay *replay, const Term *term, uint64_t leaves, uint64_t auto_parts)
{
    replay->count = 0;
    memset(replay->leaf_steps, 0, FUZZ_LEAVES * sizeof(int));
    const TermWalk walk = {replay, replay_start, replay_step, replay_join};
    const int result = term_walk(term, leaves, auto_parts, &walk);
    for (uint64_t leaf = 0; leaf < leaves; leaf++) {
        assert_int_equal(replay->leaf_steps[leaf], 1);
    }
    for (int handle = 0; handle < replay->count; handle++) {
        assert_int_equal(replay->is_used[handle], handle != result);
    }
    return (float)replay->value[result];
}

static bool same_value(float p, float q)
{
    return (isnan(p) && isnan(q)) || memcmp(&p, &q, sizeof p) == 0;
}

/* reference_fold against the replayed walk: every accumulator and reduction, on one term and number of
 * leaves. Returns how many of the sums the plain order in sequence would have got differently. */
static int check_term(Fixture *fixture, Random *random, Replay *replay, const Term *term)
{
    float a[FUZZ_LEAVES + 1], b[FUZZ_LEAVES + 1];
    const size_t leaves = random_below(random, FUZZ_LEAVES + 1);
    for (size_t i = 0; i < leaves; i++) {
        a[i] = random_value(random);
        b[i] = random_value(random);
    }
    if (leaves > 0 && random_below(random, 16) == 0) {
        a[random_below(random, leaves)] = random_below(random, 2) ? NAN : INFINITY;
    }
    int told_apart = 0;
    const uint64_t auto_parts = 1 + random_below(random, 9);
    for (int i = 0; i < 8; i++) {
        replay->a = a;
        replay->b = i & 1 ? b : NULL;
        replay->is_double = i & 2;
        replay->kind = i < 4 ? REDUCE_SUM : i & 1 ? REDUCE_MAX : REDUCE_MIN;
        const Accumulator accumulator = replay->is_double ? ACCUMULATOR_F64 : ACCUMULATOR_F32;
        const ReferenceLeaves given = {a, replay->b, leaves};
        const float walked = replay_walk(replay, term, leaves, auto_parts);
        const float folded = reference_fold(term, replay->kind, accumulator, given, auto_parts);
        if (!same_value(walked, folded)) {
            fail_msg("%s on %zu leaves, case %d: walk %a, fold %a", term_text(fixture->arena, term), leaves,
                     i, walked, folded);
        }
        const Term *seq = term_leafless(fixture->arena, TERM_SEQ);
        told_apart += i == 0 && !same_value(folded, reference_fold(seq, REDUCE_SUM, accumulator, given, 1));
    }
    return told_apart;
}

static void walk_and_fold_agree(void **state)
{
    Fixture *fixture = *state;
    Random random = {3};
    int leaf_steps[FUZZ_LEAVES + 1];
    Replay replay = {.value = calloc(HANDLES, sizeof(double)),
                     .is_used = calloc(HANDLES, sizeof(bool)),
                     .leaf_steps = leaf_steps};
    int told_apart = 0;
    for (int i = 0; i < FUZZ_TERMS; i++) {
        told_apart += check_term(fixture, &random, &replay, random_term(fixture, &random, 1 + i % 4, false));
    }
    free(replay.value);
    free(replay.is_used);
    assert_true(told_apart > FUZZ_TERMS / 4); /* the data can tell orders apart */
}

/* The order spelled, for a few terms worked out by hand from docs/contract.md. */
typedef struct Spelling {
    Arena *arena;
    const char *text[256];
    int count;
} Spelling;

static int spell(Spelling *spelling, const char *text)
{
    spelling->text[spelling->count] = text;
    return spelling->count++;
}

static int spell_start(void *context)
{
    return spell(context, "s");
}

static int spell_step(void *context, int accumulator, uint64_t leaf)
{
    Spelling *spelling = context;
    return spell(spelling, arena_printf(spelling->arena, "%s %" PRIu64, spelling->text[accumulator], leaf));
}

static int spell_join(void *context, int left, int right)
{
    Spelling *spelling = context;
    return spell(spelling,
                 arena_printf(spelling->arena, "(%s + %s)", spelling->text[left], spelling->text[right]));
}

static void orders_are_as_worked_out_by_hand(void **state)
{
    Fixture *fixture = *state;
    static const struct {
        const char *term;
        uint64_t leaves;
        const char *order;
    } cases[] = {
        {"seq", 0, "s"},
        {"seq", 3, "s 0 1 2"},
        {"pairwise", 1, "s 0"},
        {"pairwise", 5, "(((s 0 + s 1) + (s 2 + s 3)) + s 4)"},
        {"pairwise", 7, "(((s 0 + s 1) + (s 2 + s 3)) + ((s 4 + s 5) + s 6))"},
        {"halving", 5, "(((s 0 + s 4) + s 2) + (s 1 + s 3))"},
        {"halving", 7, "(((s 0 + s 4) + (s 2 + s 6)) + ((s 1 + s 5) + s 3))"},
        {"lanes(3, seq, seq)", 5, "((s 0 3 + s 1 4) + s 2)"},
        {"lanes(4)", 2, "((s 0 + s) + (s 1 + s))"},
        {"lanes(2, chunk(2, seq, seq), seq)", 6, "((s 0 2 + s 4) + (s 1 3 + s 5))"},
        {"chunk(2, seq, seq)", 5, "((s 0 1 + s 2 3) + s 4)"},
        {"chunk(2, seq, lanes(2, seq, seq))", 7, "((s 0 1 + s 4 5) + (s 2 3 + s 6))"},
        {"chunk(2, seq, lanes(4))", 3, "((s 0 1 + s) + (s 2 + s))"},
        {"chunk(1, seq, chunk(2, seq, halving))", 5, "(((s 0 + s 1) + s 4) + (s 2 + s 3))"},
        {"split(3, seq, seq)", 7, "((s 0 1 2 + s 3 4 5) + s 6)"},
        {"split(4, seq, seq)", 6, "((s 0 1 + s 2 3) + s 4 5)"},
        {"split(9, seq, pairwise)", 3, "((s 0 + s 1) + s 2)"},
        {"split(auto, seq, seq)", 4, "(s 0 1 + s 2 3)"},
        {"chunk(1, seq, completion)", 3, "((s 0 + s 1) + s 2)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Spelling spelling = {.arena = fixture->arena};
        const TermWalk walk = {&spelling, spell_start, spell_step, spell_join};
        const int result = term_walk(parse_good(fixture, cases[i].term), cases[i].leaves, 2, &walk);
        assert_string_equal(spelling.text[result], cases[i].order);
    }
}

/* ---- special values of the reference evaluator, each by its rule ---- */

static void check_fold(const Term *term, ReduceKind kind, Accumulator accumulator, ReferenceLeaves leaves,
                       float right)
{
    const float value = reference_fold(term, kind, accumulator, leaves, 1);
    if (!same_value(value, right)) {
        fail_msg("kind %d, accumulator %d: %a where %a is right", kind, accumulator, value, right);
    }
}

static void special_values_follow_the_contract(void **state)
{
    Fixture *fixture = *state;
    const Term *seq = parse_good(fixture, "seq"), *lanes = parse_good(fixture, "lanes(4)");
    const ReferenceLeaves none = {0};
    check_fold(seq, REDUCE_SUM, ACCUMULATOR_F32, none, 0.0f);
    check_fold(lanes, REDUCE_MAX, ACCUMULATOR_F32, none, -INFINITY);
    check_fold(lanes, REDUCE_MIN, ACCUMULATOR_F64, none, INFINITY);
    const float zeros[] = {-0.0f, 0.0f, -0.0f}, with_nan[] = {1.0f, NAN, INFINITY};
    check_fold(seq, REDUCE_MAX, ACCUMULATOR_F32, (ReferenceLeaves){zeros, NULL, 3}, 0.0f);
    check_fold(seq, REDUCE_MAX, ACCUMULATOR_F32, (ReferenceLeaves){zeros, NULL, 1}, -0.0f);
    check_fold(seq, REDUCE_MIN, ACCUMULATOR_F32, (ReferenceLeaves){zeros, NULL, 3}, -0.0f);
    check_fold(seq, REDUCE_SUM, ACCUMULATOR_F32, (ReferenceLeaves){zeros, NULL, 1}, 0.0f);
    check_fold(lanes, REDUCE_MAX, ACCUMULATOR_F32, (ReferenceLeaves){with_nan, NULL, 3}, NAN);
    check_fold(lanes, REDUCE_MIN, ACCUMULATOR_F64, (ReferenceLeaves){with_nan, NULL, 3}, NAN);
    /* one rounding per step: (1 + 2^-12)^2 - 1 keeps 2^-24 only in a fused step */
    const float p[] = {-1.0f, 1.0f + 0x1p-12f}, q[] = {1.0f, 1.0f + 0x1p-12f};
    check_fold(seq, REDUCE_SUM, ACCUMULATOR_F32, (ReferenceLeaves){p, q, 2}, 0x1p-11f + 0x1p-24f);
    /* f64 keeps what f32 loses, and rounds once at the end */
    const float large[] = {0x1p24f, 1.0f, 1.0f};
    check_fold(seq, REDUCE_SUM, ACCUMULATOR_F32, (ReferenceLeaves){large, NULL, 3}, 0x1p24f);
    check_fold(seq, REDUCE_SUM, ACCUMULATOR_F64, (ReferenceLeaves){large, NULL, 3}, 0x1p24f + 2.0f);
}

/* ---- drawings ---- */

static int widest_line(const char *text)
{
    int widest = 0, width = 0;
    for (; *text; text++) {
        width = *text == '\n' ? 0 : width + (((unsigned char)*text & 0xc0) != 0x80);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static int line_count(const char *text)
{
    int lines = 0;
    for (; *text; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* term_draw checks its lines against term_walk by assertion; here it meets many terms and sizes. */
static void random_drawings_are_consistent(void **state)
{
    Fixture *fixture = *state;
    Random random = {4};
    for (int i = 0; i < FUZZ_TERMS / 4; i++) {
        const Term *term = random_term(fixture, &random, 1 + i % 3, false);
        const uint64_t leaves = random_below(&random, i % 8 ? 150 : 3000);
        Buffer out = {0};
        term_draw(&out, term, leaves, i % 2);
        if (widest_line(out.data) > 110) {
            fail_msg("%s on %" PRIu64 " leaves is %d wide:\n%s", term_text(fixture->arena, term), leaves,
                     widest_line(out.data), out.data);
        }
        buffer_destroy(&out);
    }
}

/* What a head comment of a kernel holds: at most 20 lines of at most 100 columns, whatever the lanes. */
static void drawings_for_head_comments_are_short(void **state)
{
    Fixture *fixture = *state;
    static const char *const terms[] = {"seq",
                                        "pairwise",
                                        "halving",
                                        "lanes(8)",
                                        "lanes(32)",
                                        "lanes(12)",
                                        "lanes(1024)",
                                        "chunk(64, lanes(32), pairwise)",
                                        "chunk(1024, lanes(32), seq)",
                                        "chunk(96, lanes(8), completion)",
                                        "split(auto, lanes(8), seq)"};
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        for (uint64_t leaves = 1; leaves <= 16384; leaves *= 4) {
            Buffer out = {0};
            term_draw(&out, parse_good(fixture, terms[i]), leaves, false);
            if (leaves == 16384 || leaves <= 16) {
                assert_in_range(line_count(out.data), 2, 22);
            }
            assert_in_range(widest_line(out.data), 1, 100);
            buffer_destroy(&out);
        }
    }
}

/* More leaves than anyone can walk still draw, and say how many are drawn. */
static void huge_drawings_end(void **state)
{
    Fixture *fixture = *state;
    static const char *const terms[] = {"pairwise", "chunk(1, lanes(1024), seq)", "seq",
                                        "lanes(7, pairwise, seq)"};
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        Buffer out = {0};
        term_draw(&out, parse_good(fixture, terms[i]), UINT64_MAX, false);
        assert_non_null(strstr(out.data, "leaves, drawn with "));
        assert_in_range(line_count(out.data), 2, 24);
        buffer_destroy(&out);
    }
}

/* ---- files of expectations ---- */

/* drawings.txt: "draw TERM on N", "ascii TERM on N" or "words TERM", then what that gives. */
static void write_drawing(Buffer *out, Fixture *fixture, const char *heading)
{
    buffer_printf(out, "== %s\n", heading);
    char *text = arena_copy(fixture->arena, strchr(heading, ' ') + 1);
    char *on = strstr(text, " on ");
    uint64_t leaves = 0;
    if (on) {
        leaves = strtoull(on + 4, NULL, 10);
        *on = '\0';
    }
    const Term *term = parse_good(fixture, text);
    if (*heading == 'w') {
        buffer_printf(out, "%s\n", term_words(fixture->arena, term));
    } else {
        term_draw(out, term, leaves, *heading == 'a');
    }
}

/* Reads a file of expectations and rewrites it from its inputs: the headings "== " or "term: ". */
static void rewrite(Buffer *now, Buffer *expected, Fixture *fixture, const char *path)
{
    const char *reason = buffer_read_file(expected, path, FILE_LIMIT);
    if (reason) {
        fail_msg("%s: %s", path, reason);
    }
    char *copy = arena_copy(fixture->arena, expected->data);
    for (char *line = strsep(&copy, "\n"); line; line = strsep(&copy, "\n")) {
        if (strncmp(line, "== ", 3) == 0) {
            write_drawing(now, fixture, line + 3);
        } else if (strncmp(line, "term: ", 6) == 0) {
            write_mistake(now, line + 6);
        } else if (*line == '#') {
            buffer_printf(now, "%s\n", line);
        }
    }
}

static void check_file(Fixture *fixture, const char *path, int least)
{
    Buffer now = {0}, expected = {0};
    rewrite(&now, &expected, fixture, path);
    assert_true(line_count(now.data) >= least);
    assert_string_equal(now.data, expected.data);
    buffer_destroy(&now);
    buffer_destroy(&expected);
}

static void drawings_are_as_expected(void **state)
{
    check_file(*state, drawings_path, 100);
}

static void mistakes_are_explained(void **state)
{
    check_file(*state, mistakes_path, 60);
}

static int write_expectations(void)
{
    void *state;
    set_up(&state);
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? drawings_path : mistakes_path;
        Buffer now = {0}, expected = {0};
        rewrite(&now, &expected, state, path);
        const char *reason = buffer_write_file(&now, path);
        fprintf(stderr, "%s: %s\n", path, reason ? reason : "written");
        buffer_destroy(&now);
        buffer_destroy(&expected);
    }
    return tear_down(&state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s drawings.txt mistakes.txt contract.md [--write]\n", argv[0]);
        return 2;
    }
    drawings_path = argv[1];
    mistakes_path = argv[2];
    contract_path = argv[3];
    if (argc == 5) {
        return write_expectations();
    }
    const struct CMUnitTest tests[] = {
        TEST(every_row_is_reachable),
        TEST(the_contract_documents_every_row),
        TEST(text_is_canonical),
        TEST(digests_are_frozen),
        TEST(random_terms_survive_their_text),
        TEST(different_terms_are_not_equal),
        TEST(has_looks_everywhere),
        TEST(constructors_check),
        TEST(places_are_named),
        TEST(long_input_is_bounded),
        TEST(damaged_text_is_refused_or_read),
        TEST(mistakes_are_explained),
        TEST(walk_and_fold_agree),
        TEST(orders_are_as_worked_out_by_hand),
        TEST(special_values_follow_the_contract),
        TEST(random_drawings_are_consistent),
        TEST(drawings_for_head_comments_are_short),
        TEST(huge_drawings_end),
        TEST(drawings_are_as_expected),
    };
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
