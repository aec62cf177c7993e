/* identity.c: names of variants: C identifiers that say operator, target, tree and accumulator.
 *
 * Invariant: variants of one operator that differ in target, tree, accumulator (or a listed schedule axis)
 * differ in id. A term is spelled in prefix order; the word `of` marks lanes with parts of its own, without
 * which lanes8_lanes4_seq_seq could be read in two ways. Very long names are cut and end in a digest. */
#include "family/identity.h"

#include <inttypes.h>
#include <string.h>

enum { SLUG_LIMIT = 120, SLUG_DIGEST = 12 };

static void append_slug(Buffer *out, const Term *term)
{
    buffer_append_string(out, term_rows[term->kind].name);
    if (!term->inner) {
        return;
    }
    if (term->size > 0) {
        buffer_printf(out, "%" PRIu64, term->size);
    } else {
        buffer_append_string(out, "_auto");
    }
    if (term->kind == TERM_LANES && term->inner->kind == TERM_SEQ && term->outer->kind == TERM_HALVING) {
        return;
    }
    buffer_append_string(out, term->kind == TERM_LANES ? "_of_" : "_");
    append_slug(out, term->inner);
    buffer_append_string(out, "_");
    append_slug(out, term->outer);
}

static const char *slug(Arena *arena, const Term *term)
{
    Buffer out = {0};
    append_slug(&out, term);
    const char *text = out.size <= SLUG_LIMIT
                           ? arena_copy(arena, buffer_string(&out))
                           : arena_printf(arena, "%.*s_%.*s", SLUG_LIMIT - SLUG_DIGEST - 1,
                                          buffer_string(&out), SLUG_DIGEST, term_digest(arena, term));
    buffer_destroy(&out);
    return text;
}

void variant_fill_identity(Arena *arena, Variant *variant, IdentityParts parts)
{
    const Schedule *schedule = &variant->schedule;
    const char *unroll = parts.unroll ? arena_printf(arena, "_u%d", schedule->unroll) : "";
    const char *stream = parts.stream ? arena_printf(arena, "_s%zu", schedule->stream_bytes) : "";
    const char *exchange = parts.exchange && variant->target->ranks
                               ? arena_printf(arena, "_%s", exchange_names[schedule->exchange])
                               : "";
    const char *overlap = parts.overlap && variant->target->ranks && schedule->overlap ? "_overlap" : "";
    if (!variant->id) {
        variant->id = arena_printf(arena, "%s_%s_%s_%s%s%s%s%s", variant->op->name, variant->target->name,
                                   slug(arena, variant->tree), accumulator_name(variant->accumulator), unroll,
                                   stream, exchange, overlap);
    }
    variant->symbol = arena_printf(arena, "samebits_%s", variant->id);
    variant->source = arena_printf(arena, "%s%s", variant->id, variant->target->extension);
    variant->contract = contract_text(arena, variant->op, variant->tree, variant->accumulator);
    variant->digest = contract_digest(arena, variant->contract);
}
