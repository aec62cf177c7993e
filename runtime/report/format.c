/* format.c: numbers as people read them, and how wide text is on a terminal.
 *
 * Widths follow the ranges of Unicode 15 (East Asian Width W and F, and combining marks) that occur in
 * practice; wcwidth() would depend on the locale, and a report must look alike in LC_ALL=C. */
#include "report/format.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char missing[] = "–";

static const char *three_digits(Arena *arena, double value, const char *unit)
{
    double size = fabs(value);
    int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
    return arena_printf(arena, "%.*f%s", decimals, value, unit);
}

const char *format_duration(Arena *arena, double nanoseconds)
{
    if (!isfinite(nanoseconds) || nanoseconds < 0)
        return missing;
    if (nanoseconds < 999.5)
        return three_digits(arena, nanoseconds, " ns");
    if (nanoseconds < 999.5e3)
        return three_digits(arena, nanoseconds / 1e3, " µs");
    if (nanoseconds < 999.5e6)
        return three_digits(arena, nanoseconds / 1e6, " ms");
    return three_digits(arena, nanoseconds / 1e9, " s");
}

/* The number as short as it can be: ticks are round. */
const char *format_tick_duration(Arena *arena, double nanoseconds)
{
    static const struct {
        double limit, unit;
        const char *name;
    } row[] = {{999.5, 1, "ns"}, {999.5e3, 1e3, "µs"}, {999.5e6, 1e6, "ms"}, {INFINITY, 1e9, "s"}};
    if (!isfinite(nanoseconds) || nanoseconds < 0)
        return missing;
    size_t i = 0;
    while (nanoseconds >= row[i].limit)
        i++;
    return arena_printf(arena, "%.3g %s", nanoseconds / row[i].unit, row[i].name);
}

const char *format_bytes(Arena *arena, double bytes)
{
    if (!isfinite(bytes))
        return missing;
    if (bytes < 999.5)
        return arena_printf(arena, "%.0f B", bytes);
    if (bytes < 999.5e3)
        return three_digits(arena, bytes / 1e3, " kB");
    if (bytes < 999.5e6)
        return three_digits(arena, bytes / 1e6, " MB");
    return three_digits(arena, bytes / 1e9, " GB");
}

const char *format_significant(Arena *arena, double value)
{
    if (!isfinite(value))
        return missing;
    if (value != 0 && (fabs(value) >= 1e6 || fabs(value) < 0.005))
        return arena_printf(arena, "%.2e", value);
    return three_digits(arena, value, "");
}

const char *format_plain(Arena *arena, double value)
{
    return isfinite(value) ? arena_printf(arena, "%.4g", value) : missing;
}

const char *format_ratio(Arena *arena, double value)
{
    if (!isfinite(value))
        return missing;
    if (value > 0 && value < 0.0995) /* "0.00×" would say nothing */
        return arena_printf(arena, "%.2g×", value);
    return three_digits(arena, value, "×");
}

const char *format_interval(Arena *arena, double low, double high)
{
    if (!isfinite(low) || !isfinite(high))
        return missing;
    return arena_printf(arena, "%.3f to %.3f", low, high);
}

const char *format_percent(Arena *arena, double share)
{
    if (!isfinite(share))
        return missing;
    if (share >= 0.000005 && share < 0.00095)
        return arena_printf(arena, "%.1g %%", share * 100); /* "0.0 %" would claim too much */
    return arena_printf(arena, "%.*f %%", share != 0 && fabs(share) < 0.0995 ? 1 : 0, share * 100);
}

const char *format_ulps(Arena *arena, const json_t *value)
{
    if (json_is_string(value))
        return format_printable(arena, json_string_value(value));
    if (!json_is_number(value))
        return missing;
    return format_significant(arena, json_number_value(value));
}

const char *format_small(Arena *arena, double value)
{
    if (!isfinite(value))
        return missing;
    return value == 0 ? "0" : arena_printf(arena, "%.2e", value);
}

static const char *join_sizes(Arena *arena, const json_t *sizes, int names)
{
    const char *text = "", *name;
    json_t *value;
    json_object_foreach((json_t *)sizes, name, value)
    {
        const char *gap = *text ? " × " : "";
        text = names ? arena_printf(arena, "%s%s%s", text, gap, name)
                     : arena_printf(arena, "%s%s%.0f", text, gap, json_number_value(value));
    }
    return *text ? text : missing;
}

const char *format_shape(Arena *arena, const json_t *sizes)
{
    return join_sizes(arena, sizes, 0);
}

const char *format_shape_place(Arena *arena, const json_t *shape)
{
    const char *sizes = format_shape(arena, json_object_get(shape, "shape"));
    const char *device = json_string_value(json_object_get(shape, "device"));
    const char *driver = device ? strstr(device, " with driver ") : NULL;
    if (!device)
        return sizes;
    return arena_printf(arena, "%s on %.*s", sizes,
                        (int)(driver ? driver - device : (long)strcspn(device, ",")), device);
}

const char *format_shape_names(Arena *arena, const json_t *sizes)
{
    return join_sizes(arena, sizes, 1);
}

/* One code point; malformed bytes are taken one by one. */
static const char *next_code_point(const char *text, uint32_t *code)
{
    const unsigned char *byte = (const unsigned char *)text;
    int more = byte[0] < 0x80 ? 0 : byte[0] >= 0xF0 ? 3 : byte[0] >= 0xE0 ? 2 : byte[0] >= 0xC0 ? 1 : 0;
    *code = more == 0 ? byte[0] : byte[0] & (0x3Fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((byte[i] & 0xC0) != 0x80)
            return text + i;
        *code = *code << 6 | (byte[i] & 0x3Fu);
    }
    return text + more + 1;
}

static int code_point_columns(uint32_t code)
{
    static const struct {
        uint32_t first, last;
        int columns;
    } range[] = {
        {0x0300, 0x036F, 0},   {0x0483, 0x0489, 0}, {0x0591, 0x05BD, 0},   {0x064B, 0x065F, 0},
        {0x1100, 0x115F, 2},   {0x1AB0, 0x1AFF, 0}, {0x1DC0, 0x1DFF, 0},   {0x200B, 0x200F, 0},
        {0x202A, 0x202E, 0},   {0x20D0, 0x20FF, 0}, {0x2E80, 0x303E, 2},   {0x3041, 0x33FF, 2},
        {0x3400, 0x4DBF, 2},   {0x4E00, 0x9FFF, 2}, {0xA000, 0xA4CF, 2},   {0xAC00, 0xD7A3, 2},
        {0xF900, 0xFAFF, 2},   {0xFE00, 0xFE0F, 0}, {0xFE20, 0xFE2F, 0},   {0xFE30, 0xFE6F, 2},
        {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2}, {0x1F300, 0x1F64F, 2}, {0x1F680, 0x1FAFF, 2},
        {0x20000, 0x3FFFD, 2},
    };
    for (size_t i = 0; i < sizeof range / sizeof *range; i++)
        if (code >= range[i].first && code <= range[i].last)
            return range[i].columns;
    return 1;
}

int format_columns(const char *text)
{
    int columns = 0;
    uint32_t code;
    while (*text) {
        text = next_code_point(text, &code);
        columns += code_point_columns(code);
    }
    return columns;
}

/* C0, DEL, and C1 (U+0080..U+009F): 8-bit CSI is an escape sequence too. Overrides of the writing direction
 * go as well: they can make one name look like another. */
static int steers_terminal(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

const char *format_printable(Arena *arena, const char *text)
{
    char *out = arena_copy(arena, text), *to = out;
    uint32_t code;
    while (*text) {
        const char *next = next_code_point(text, &code);
        if (steers_terminal(code)) {
            *to++ = ' ';
        } else {
            memmove(to, text, (size_t)(next - text));
            to += next - text;
        }
        text = next;
    }
    *to = '\0';
    return out;
}

/* The byte after the widest prefix of at most `columns`. */
static const char *prefix_end(const char *text, int columns)
{
    uint32_t code;
    while (*text) {
        const char *next = next_code_point(text, &code);
        columns -= code_point_columns(code);
        if (columns < 0)
            break;
        text = next;
    }
    return text;
}

const char *format_elided(Arena *arena, const char *text, int columns)
{
    text = format_printable(arena, text);
    int width = format_columns(text);
    if (width <= columns)
        return text;
    int head = (columns - 1) * 2 / 3, tail = columns - 1 - head;
    const char *tail_start = prefix_end(text, width - tail);
    while (format_columns(tail_start) > tail) {
        uint32_t code;
        tail_start = next_code_point(tail_start, &code);
    }
    int head_bytes = (int)(prefix_end(text, head) - text);
    return arena_printf(arena, "%.*s…%s", head_bytes, text, tail_start);
}
