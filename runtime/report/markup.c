/* markup.c: escaping. Sources: XML 1.0 (fifth edition), sections 2.2 (Char) and 2.4 (escaping); the five
 * entities used here mean the same in HTML. */
#include "report/markup.h"

#include <stddef.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* Bytes of a character that has no place in the page: what XML cannot hold (U+FFFE, U+FFFF; jansson has
 * refused surrogates and malformed UTF-8 before), the C1 controls, and overrides of the writing direction,
 * which make one name look like another. */
static int unwelcome_bytes(const unsigned char *text)
{
    if (text[0] == 0xEF && text[1] == 0xBF && text[2] >= 0xBE)
        return 3;
    if (text[0] == 0xE2 && text[1] == 0x80 && text[2] >= 0xAA && text[2] <= 0xAE)
        return 3;
    if (text[0] == 0xE2 && text[1] == 0x81 && text[2] >= 0xA6 && text[2] <= 0xA9)
        return 3;
    if (text[0] == 0xC2 && text[1] >= 0x80 && text[1] <= 0x9F)
        return 2;
    return (*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7F;
}

static const char *entity(unsigned char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void markup_text(Buffer *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int dropped = unwelcome_bytes(at);
        const char *name = entity(*at);
        if (dropped)
            buffer_append_string(out, replacement);
        else if (name)
            buffer_append_string(out, name);
        else
            buffer_append(out, (const char *)at, 1);
        at += dropped ? dropped : 1;
    }
}

void markup_element(Buffer *out, const char *name, const char *attributes, const char *text)
{
    buffer_printf(out, "<%s%s%s>", name, *attributes ? " " : "", attributes);
    markup_text(out, text);
    buffer_printf(out, "</%s>", name);
}
