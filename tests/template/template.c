/* template.c: expands every case of the files given and compares text, provenance and errors, byte for byte;
 * then what no case file can say: engines used again, limits, and speed. */
#include "cases.h"

#include "template/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

static int file_count;
static char **files;

static const char *load_page(void *context, const char *name)
{
    const Case *one = context;
    for (int i = 0; i < one->pages; i++)
        if (strcmp(one->page[i], name) == 0)
            return one->text[i];
    return NULL;
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
    if (!value)
        fail_msg("the test's own JSON is wrong: %s, in %s", error.text, text);
    return value;
}

static void compare(const char *file, const Case *one, const char *what, const char *got,
                    const char *expected)
{
    if (strcmp(got, expected ? expected : ""))
        fail_msg("%s:%d: %s: %s\n---- got\n%s---- expected\n%s", file, one->line, one->name, what, got,
                 expected ? expected : "(nothing)\n");
}

static void check_case(const char *file, Case *one)
{
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    TemplateEngine *engine = template_engine_create(load_page, one);
    json_t *data = parse(one->data ? one->data : "{}"), *words = one->words ? parse(one->words) : NULL;
    Expansion expansion;
    Buffer errors = {0}, origins = {0};
    bool done = template_expand(engine, arena, &diagnostics, one->page[0], data, words, &expansion);
    for (int i = 0; i < diagnostics.count; i++)
        buffer_printf(&errors, "%s\n", diagnostics.message[i]);
    for (int i = 0; i < expansion.lines; i++)
        buffer_printf(&origins, "%s @%d\n", expansion.line[i].chain, expansion.line[i].spec_line);
    compare(file, one, "errors", buffer_string(&errors), one->errors);
    compare(file, one, "output", buffer_string(&expansion.text), one->output);
    if (one->origins)
        compare(file, one, "origins", buffer_string(&origins), one->origins);
    assert_true(done == (one->errors == NULL));
    int line_ends = 0;
    for (const char *at = buffer_string(&expansion.text); *at; at++)
        line_ends += *at == '\n';
    assert_int_equal(line_ends, expansion.lines);
    expansion_destroy(&expansion);
    buffer_destroy(&errors);
    buffer_destroy(&origins);
    json_decref(data);
    json_decref(words);
    template_engine_destroy(engine);
    arena_destroy(arena);
}

static void cases_expand_as_written(void **unused)
{
    (void)unused;
    assert_true(file_count > 0);
    for (int f = 0; f < file_count; f++) {
        Arena *arena = arena_create();
        int count, checked = 0;
        Case *cases = cases_read(arena, files[f], &count);
        for (int i = 0; i < count; i++) {
            if (cases[i].pages == 0)
                continue; /* a heading of the document without an example */
            if (!cases[i].output && !cases[i].errors)
                fail_msg("%s:%d: %s: a case expects output or errors", files[f], cases[i].line,
                         cases[i].name);
            check_case(files[f], &cases[i]);
            checked++;
        }
        arena_destroy(arena);
        print_message("%3d cases in %s\n", checked, files[f]);
        assert_true(checked > 0);
    }
}

/* ---- engines used again ---- */

typedef struct Pages {
    Case one;
    int loads;
} Pages;

static const char *count_loads(void *context, const char *name)
{
    Pages *pages = context;
    pages->loads++;
    return load_page(&pages->one, name);
}

static char *expand_text(TemplateEngine *engine, Arena *arena, Diagnostics *diagnostics, const char *data)
{
    json_t *value = parse(data);
    Expansion expansion;
    bool done = template_expand(engine, arena, diagnostics, "a.c", value, NULL, &expansion);
    char *text = done ? arena_copy(arena, buffer_string(&expansion.text)) : NULL;
    expansion_destroy(&expansion);
    json_decref(value);
    return text;
}

static void an_engine_loads_once_and_forgets_data_and_errors(void **unused)
{
    (void)unused;
    Pages pages = {.one = {.pages = 2,
                           .page = {"a.c", "b.c"},
                           .text = {"$ for x in xs do\n$ include \"b.c\"\n$ end\n", "${x.name}\n"}}};
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    TemplateEngine *engine = template_engine_create(count_loads, &pages);
    assert_string_equal(
        expand_text(engine, arena, &diagnostics, "{\"xs\": [{\"name\": 1}, {\"name\": 2}], \"old\": 1}"),
        "1\n2\n");
    assert_null(expand_text(engine, arena, &diagnostics, "{\"xs\": [{\"nam\": 1}]}"));
    assert_null(expand_text(engine, arena, &diagnostics, "{\"os\": []}"));
    assert_string_equal(expand_text(engine, arena, &diagnostics, "{\"xs\": [{\"name\": 3}]}"), "3\n");
    assert_int_equal(diagnostics.count, 2);
    assert_string_equal(
        diagnostics.message[0],
        "b.c:1:5: error: this record has no field 'name'; did you mean 'nam'? (included from a.c:2)");
    assert_string_equal(
        diagnostics.message[1],
        "a.c:1:12: error: unknown name 'xs'; names are loop variables, members of the data and words");
    assert_int_equal(pages.loads, 2);
    template_engine_destroy(engine);
    arena_destroy(arena);
}

/* ---- limits ---- */

/* A list of `count` ones, as JSON. */
static char *list_text(Arena *arena, const char *name, int count)
{
    char *text = arena_alloc(arena, (size_t)count * 2 + 64, 1);
    char *at = text + sprintf(text, "{\"%s\": [1", name);
    for (int i = 1; i < count; i++)
        at += sprintf(at, ",1");
    strcpy(at, "]}");
    return text;
}

static void check_limit(const char *page, int items, const char *message)
{
    Case one = {.pages = 1, .page = {"a.c"}, .text = {page}};
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    TemplateEngine *engine = template_engine_create(load_page, &one);
    assert_null(expand_text(engine, arena, &diagnostics, list_text(arena, "xs", items)));
    assert_int_equal(diagnostics.count, 1);
    if (strncmp(diagnostics.message[0], message, strlen(message)))
        fail_msg("got      %s\nexpected %s", diagnostics.message[0], message);
    template_engine_destroy(engine);
    arena_destroy(arena);
}

static void runaway_pages_end_as_diagnostics(void **unused)
{
    (void)unused;
    const char *loops = "$ for a in xs do\n$ for b in xs do\n$ for c in xs do\n$ for d in xs do\n"
                        "$ end\n$ end\n$ end\n$ end\n";
    check_limit(loops, 300, "a.c:4: error: ran for the whole budget");
    check_limit(
        "$ for a in xs do\n$ for b in xs do\n0123456789012345678901234567890123456789\n$ end\n$ end\n", 700,
        "a.c:3: error: the text grows above 16 MiB; is a loop larger than meant?");
    Arena *arena = arena_create();
    Buffer page = {0};
    for (int i = 0; i < 60000; i++)
        buffer_append_string(&page, "text of a line ${1} ${2}\n");
    check_limit(buffer_string(&page), 1, "a.c: error: too large: 1 MiB is the limit");
    buffer_destroy(&page);
    arena_destroy(arena);
}

static char *nested(Arena *arena, const char *open, const char *middle, const char *close, int depth)
{
    Buffer text = {0};
    for (int i = 0; i < depth; i++)
        buffer_append_string(&text, open);
    buffer_append_string(&text, middle);
    for (int i = 0; i < depth; i++)
        buffer_append_string(&text, close);
    char *copy = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

typedef struct Depth {
    const char *head, *open, *middle, *close, *tail;
    int limit;
} Depth;

static const Depth depth_rows[] = {
    {"", "$ for x, y in xs do\n", "${x}\n", "$ end\n", "", 24},
    {"", "$ if true then\n", "1\n", "$ end\n", "", 24},
    {"${", "(", "1", ")", "}\n", 19}, /* a parenthesis is two levels: an expression and its first value */
    {"${", "not ", "true", "", "}\n", 38},
    {"${", "", "xs", "[1]", "}\n", 36},
};

static void check_depth(Arena *arena, const Depth *row, int over)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    char *inner = nested(arena, row->open, row->middle, row->close, row->limit + over);
    Case one = {
        .pages = 1, .page = {"a.c"}, .text = {arena_printf(arena, "%s%s%s", row->head, inner, row->tail)}};
    TemplateEngine *engine = template_engine_create(load_page, &one);
    char *text = expand_text(engine, arena, &diagnostics, "{\"xs\": [1]}");
    const char *message = diagnostics.count ? diagnostics.message[0] : "";
    if (over > 0 && (text || !strstr(message, "nest")))
        fail_msg("%s... nested %d deep gave '%s'", row->open, row->limit + over, message);
    if (over == 0 && strstr(message, "nest"))
        fail_msg("%s... nested %d deep: %s", row->open, row->limit, message);
    template_engine_destroy(engine);
}

static void deep_pages_meet_our_limits_before_those_of_lua(void **unused)
{
    (void)unused;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    for (size_t i = 0; i < sizeof depth_rows / sizeof *depth_rows; i++)
        for (int over = 0; over < 60; over++)
            check_depth(arena, &depth_rows[i], over);
    arena_destroy(arena);
}

/* ---- speed: 1,000 variants have 2 s in all, and this is one of their stages ---- */

/* 150 lines, 300 holes. */
static const char *write_long_page(Arena *arena)
{
    Buffer page = {0};
    for (int i = 0; i < 50; i++) {
        buffer_append_string(
            &page, "    ${vector} ${row.name}_acc = ${fma(row.a, row.b, \"acc\" .. row.number)};\n");
        buffer_append_string(&page, "    /* ${op.name}: row ${row.number} of ${rows} */\n");
        buffer_append_string(&page, "    /* a line without holes */\n");
    }
    char *text = arena_copy(arena, buffer_string(&page));
    buffer_destroy(&page);
    return text;
}

static void a_thousand_expansions_take_a_fraction_of_two_seconds(void **unused)
{
    (void)unused;
    Arena *arena = arena_create();
    Case one = {.pages = 1, .page = {"a.c"}, .text = {write_long_page(arena)}};
    json_t *data = parse("{\"op\": {\"name\": \"rmsnorm\"}, \"rows\": 8, \"vector\": \"__m256\","
                         " \"row\": {\"name\": \"lane\", \"number\": 3, \"a\": \"x[i]\", \"b\": \"w[i]\"}}");
    json_t *words = parse("{\"fma\": \"_mm256_fmadd_ps($1, $2, $3)\"}");
    TemplateEngine *engine = template_engine_create(load_page, &one);
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < 1000; i++) {
        Arena *scratch = arena_create();
        Diagnostics diagnostics;
        diagnostics_init(&diagnostics, scratch);
        Expansion expansion;
        assert_true(template_expand(engine, scratch, &diagnostics, "a.c", data, words, &expansion));
        assert_int_equal(expansion.lines, 150);
        expansion_destroy(&expansion);
        arena_destroy(scratch);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    print_message("1,000 expansions of 150 lines with 300 holes: %.3f s\n", seconds);
    assert_true(seconds < (SLOW_BUILD ? 20 : 1));
    json_decref(data);
    json_decref(words);
    template_engine_destroy(engine);
    arena_destroy(arena);
}

int main(int argc, char **argv)
{
    file_count = argc - 1;
    files = argv + 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_expand_as_written),
        cmocka_unit_test(an_engine_loads_once_and_forgets_data_and_errors),
        cmocka_unit_test(runaway_pages_end_as_diagnostics),
        cmocka_unit_test(deep_pages_meet_our_limits_before_those_of_lua),
        cmocka_unit_test(a_thousand_expansions_take_a_fraction_of_two_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
