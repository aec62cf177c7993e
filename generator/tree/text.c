/* text.c: canonical and short text of a term, and its digest (SHA-256, FIPS 180-4, by nettle). */
#include "tree/term.h"

#include <inttypes.h>
#include <nettle/sha2.h>
#include <string.h>

static bool is_short_lanes(const Term *term)
{
    return term->kind == TERM_LANES && term->inner->kind == TERM_SEQ && term->outer->kind == TERM_HALVING;
}

static void append_term(Buffer *out, const Term *term, bool is_short)
{
    buffer_append_string(out, term_rows[term->kind].name);
    if (!term->inner) {
        return;
    }
    if (term->size == 0) {
        buffer_append_string(out, "(auto");
    } else {
        buffer_printf(out, "(%" PRIu64, term->size);
    }
    if (!(is_short && is_short_lanes(term))) {
        buffer_append_string(out, ", ");
        append_term(out, term->inner, is_short);
        buffer_append_string(out, ", ");
        append_term(out, term->outer, is_short);
    }
    buffer_append_string(out, ")");
}

static const char *text_of(Arena *arena, const Term *term, bool is_short)
{
    Buffer text = {0};
    append_term(&text, term, is_short);
    const char *copy = arena_copy_bytes(arena, buffer_string(&text), text.size);
    buffer_destroy(&text);
    return copy;
}

const char *term_text(Arena *arena, const Term *term)
{
    return text_of(arena, term, false);
}

const char *term_short_text(Arena *arena, const Term *term)
{
    return text_of(arena, term, true);
}

const char *term_digest(Arena *arena, const Term *term)
{
    const char *text = term_text(arena, term);
    struct sha256_ctx hash;
    uint8_t bytes[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, strlen(text), (const uint8_t *)text);
    sha256_digest(&hash, sizeof bytes, bytes);
    char *digits = arena_alloc(arena, 2 * sizeof bytes + 1, 1);
    for (size_t i = 0; i < sizeof bytes; i++) {
        digits[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        digits[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return digits;
}
