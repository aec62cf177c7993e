/* fuzz.c: random templates from a fixed seed. None may crash the engine or pass unnoticed: what fails says
 * why, with the name of the page; what succeeds gives as many provenance records as lines. */
#include "template/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Pieces that make random text reach deep into the compiler and the evaluator. */
static const char *const pieces[] = {"${",
                                     "}",
                                     "$",
                                     "$$",
                                     "\n",
                                     "\n$ for x in xs do\n",
                                     "\n$ for i, x in xs do\n",
                                     "\n$ if ",
                                     " then\n",
                                     "\n$ end\n",
                                     "\n$ else\n",
                                     "\n$ elseif true then\n",
                                     "\n$ include \"a.c\"\n",
                                     "\n$ include ",
                                     "\n$ ",
                                     "xs",
                                     "x",
                                     ".name",
                                     "[1]",
                                     "[",
                                     "]",
                                     "(",
                                     ")",
                                     "\"",
                                     "'",
                                     "\\",
                                     "..",
                                     "==",
                                     "<",
                                     "#",
                                     "not ",
                                     " and ",
                                     " or ",
                                     "true",
                                     "fma(",
                                     "join(xs, \", \")",
                                     ",",
                                     "1",
                                     "9223372036854775808",
                                     "0x",
                                     "1.5",
                                     "-",
                                     "--",
                                     "a",
                                     "rec",
                                     "rec.name",
                                     "${x}",
                                     "${rec.name}",
                                     "${xs[2]}",
                                     "\t",
                                     " ",
                                     "__g",
                                     "_ENV",
                                     "function",
                                     "return",
                                     "goto",
                                     "=",
                                     "{",
                                     "\r\n",
                                     "\xff",
                                     "\x01",
                                     "[[",
                                     "]]",
                                     "::"};

static uint64_t random_state;

/* Marsaglia, "Xorshift RNGs", J. Stat. Soft. 8(14), 2003. */
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static const char *load_text(void *context, const char *name)
{
    return strcmp(name, "a.c") ? NULL : buffer_string(context);
}

static void write_bytes(Buffer *text)
{
    int size = (int)(random_next() % 200);
    for (int i = 0; i < size; i++) {
        char byte = (char)(1 + random_next() % 255);
        buffer_append(text, &byte, 1);
    }
}

static void write_pieces(Buffer *text)
{
    int count = (int)(random_next() % 40);
    for (int i = 0; i < count; i++)
        buffer_append_string(text, pieces[random_next() % (sizeof pieces / sizeof *pieces)]);
}

/* Expands one random template; true when it was well formed. */
static bool try_one(void (*write)(Buffer *), const json_t *data, const json_t *words)
{
    Buffer text = {0};
    write(&text);
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    TemplateEngine *engine = template_engine_create(load_text, &text);
    Expansion expansion;
    bool done = template_expand(engine, arena, &diagnostics, "a.c", data, words, &expansion);
    if (done != (diagnostics.count == 0))
        fail_msg("expanded: %d, mistakes: %d, template:\n%s", done, diagnostics.count, buffer_string(&text));
    for (int i = 0; i < diagnostics.count && i < DIAGNOSTICS_LIMIT; i++)
        if (strncmp(diagnostics.message[i], "a.c:", 4))
            fail_msg("'%s' names no place in the page\n%s", diagnostics.message[i], buffer_string(&text));
    int lines = 0;
    for (size_t i = 0; i < expansion.text.size; i++)
        lines += expansion.text.data[i] == '\n';
    assert_int_equal(lines, expansion.lines);
    expansion_destroy(&expansion);
    template_engine_destroy(engine);
    arena_destroy(arena);
    buffer_destroy(&text);
    return done;
}

static void random_templates_never_crash(void **unused)
{
    (void)unused;
    json_t *data = json_loads(
        "{\"xs\": [{\"name\": \"p\"}, 2, \"q\"], \"rec\": {\"name\": \"r\", \"real\": 0.5}, \"a\": \"\"}", 0,
        NULL);
    json_t *words = json_loads("{\"fma\": \"fmaf($1, $2, $3)\"}", 0, NULL);
    assert_non_null(data);
    random_state = 88172645463325252u;
    int good = 0, tries = 6000;
    for (int i = 0; i < tries; i++)
        good += try_one(i % 3 == 0 ? write_bytes : write_pieces, data, words);
    print_message("%d random templates, %d of them well formed\n", tries, good);
    assert_true(good > tries / 50 && good < tries); /* both outcomes were met */
    json_decref(data);
    json_decref(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_templates_never_crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
