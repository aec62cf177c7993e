/* explain.c: a compiler's output as a reason. */
#include "driver/explain.h"

#include "text/buffer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 3 };

typedef struct Message {
    const char *text;
    int size;
    bool in_source; /* "source:line:..." */
    long line;
} Message;

/* What tools of this kind put before the words of a mistake; the linker has its own. */
static bool is_error(const char *line, size_t size)
{
    static const char *const signs[] = {"error:", "undefined reference", "undefined symbol",
                                        "internal compiler error"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (memmem(line, size, signs[i], strlen(signs[i]))) {
            return true;
        }
    }
    return false;
}

static Message message_of(const char *text, size_t size, const char *source)
{
    Message message = {text, (int)size, false, 0};
    const size_t name = strlen(source);
    if (size > name + 1 && memcmp(text, source, name) == 0 && text[name] == ':') {
        char *end;
        message.line = strtol(text + name + 1, &end, 10);
        message.in_source = message.line > 0 && *end == ':';
    }
    return message;
}

static int first_lines(const char *output, const char *source, bool errors_only, Message *messages)
{
    int count = 0;
    for (const char *line = output; *line && count < LINES;) {
        const size_t size = strcspn(line, "\n");
        if (size > 0 && (!errors_only || is_error(line, size))) {
            messages[count++] = message_of(line, size, source);
        }
        line += size + (line[size] == '\n');
    }
    return count;
}

static void append_origin(Buffer *out, const json_t *map, long line)
{
    const json_t *origin = json_array_get(map, (size_t)line - 1);
    const char *chain = json_string_value(json_object_get(origin, "chain"));
    const json_int_t spec_line = json_integer_value(json_object_get(origin, "spec_line"));
    if (chain && spec_line > 0) {
        buffer_printf(out, " (from %s; spec line %lld)", chain, (long long)spec_line);
    } else if (chain) {
        buffer_printf(out, " (from %s)", chain);
    }
}

const char *explain_compiler_output(Arena *arena, const char *folder, const char *source, const char *output)
{
    Message messages[LINES];
    int count = first_lines(output, source, true, messages);
    if (count == 0) {
        count = first_lines(output, source, false, messages);
    }
    if (count == 0) {
        return "the compiler failed without a message";
    }
    json_t *map = json_load_file(arena_printf(arena, "%s/%s.map.json", folder, source), 0, NULL);
    Buffer out = {0};
    for (int i = 0; i < count; i++) {
        buffer_printf(&out, "%s%s%s%.*s", i ? "\n" : "", messages[i].in_source ? folder : "",
                      messages[i].in_source ? "/" : "", messages[i].size, messages[i].text);
        if (messages[i].in_source) {
            append_origin(&out, map, messages[i].line);
        }
    }
    json_decref(map);
    const char *text = arena_copy(arena, buffer_string(&out));
    buffer_destroy(&out);
    return text;
}
