/* notes.c: see notes.h. */
#include "report/notes.h"

#include <string.h>

enum { DIGEST_SHOWN = 12 };

/* ---- notes that gather targets by a text ---- */

static Notes room_for(Arena *arena, size_t count)
{
    return (Notes){ARENA_ARRAY(arena, Note, count + 1), 0};
}

static bool lists(const char *list, const char *name)
{
    const size_t size = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += size)
        if ((at == list || at[-1] == ' ') && (at[size] == '\0' || at[size] == ','))
            return true;
    return false;
}

/* Adds `name` to the note that has `text`, which is made where there is none. */
static void gather(Arena *arena, Notes *notes, const char *name, const char *text)
{
    for (int i = 0; i < notes->count; i++)
        if (strcmp(notes->item[i].text, text) == 0) {
            if (!lists(notes->item[i].head, name))
                notes->item[i].head = arena_printf(arena, "%s, %s", notes->item[i].head, name);
            return;
        }
    notes->item[notes->count++] = (Note){name, text, false};
}

Notes notes_trust(Arena *arena, const Facts *facts)
{
    const json_t *variants = facts_variants(facts);
    Notes notes = room_for(arena, json_array_size(variants));
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *variant = json_array_get(variants, i);
        const char *trust = facts_text(facts_verified(facts, variant), "trust");
        if (*trust)
            gather(arena, &notes, facts_text(variant, "target"), trust);
    }
    return notes;
}

static const char *target_of(const Facts *facts, const char *id)
{
    const json_t *variants = facts_variants(facts);
    for (size_t i = 0; i < json_array_size(variants); i++)
        if (strcmp(facts_text(json_array_get(variants, i), "id"), id) == 0)
            return facts_text(json_array_get(variants, i), "target");
    return id;
}

Notes notes_not_timed(Arena *arena, const Facts *facts)
{
    const json_t *skipped = json_object_get(facts->bench, "skipped");
    Notes notes = room_for(arena, json_array_size(skipped));
    for (size_t i = 0; i < json_array_size(skipped); i++) {
        const json_t *skip = json_array_get(skipped, i);
        gather(arena, &notes, target_of(facts, facts_text(skip, "what")), facts_text(skip, "why"));
    }
    return notes;
}

/* ---- clocks ---- */

/* Within a twentieth a clock is steady: NVIDIA's step by 15 MHz. */
const char *notes_clock_text(Arena *arena, const json_t *device)
{
    const double low = facts_number(device, "clock_low_mhz"), high = facts_number(device, "clock_high_mhz");
    return low > 0 && low < 0.95 * high
               ? arena_printf(arena, "its clock went from %.0f to %.0f MHz: lock it, or cool it", high, low)
               : NULL;
}

Notes notes_clocks(Arena *arena, const Facts *facts)
{
    const json_t *shapes = facts_shapes(facts);
    size_t entries = 0;
    for (size_t s = 0; s < json_array_size(shapes); s++)
        entries += json_array_size(json_object_get(json_array_get(shapes, s), "entries"));
    Notes notes = room_for(arena, entries);
    for (size_t s = 0; s < json_array_size(shapes); s++) {
        size_t e;
        const json_t *entry;
        json_array_foreach(json_object_get(json_array_get(shapes, s), "entries"), e, entry)
        {
            const char *text = notes_clock_text(arena, json_object_get(entry, "device"));
            if (text)
                gather(arena, &notes, facts_text(entry, "id"), text);
        }
    }
    return notes;
}

/* ---- contracts ---- */

typedef struct Contract {
    const char *digest, *tree, *accumulator;
    Notes outputs; /* text: an output digest; head: the targets that have it */
} Contract;

static Contract *contract_named(Contract *contract, int *count, const json_t *variant)
{
    const char *digest = facts_text(variant, "contract"), *brief = facts_text(variant, "tree_short");
    for (int i = 0; i < *count; i++)
        if (strcmp(contract[i].digest, digest) == 0)
            return &contract[i];
    contract[*count] = (Contract){.digest = digest,
                                  .tree = *brief ? brief : facts_text(variant, "tree"),
                                  .accumulator = facts_text(variant, "accumulator")};
    return &contract[(*count)++];
}

static int gather_contracts(Arena *arena, const Facts *facts, Contract *contract)
{
    const json_t *variants = facts_variants(facts);
    int count = 0;
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *variant = json_array_get(variants, i);
        const char *output = facts_text(facts_verified(facts, variant), "output_digest");
        if (!*output)
            continue;
        Contract *mine = contract_named(contract, &count, variant);
        if (!mine->outputs.item)
            mine->outputs = room_for(arena, json_array_size(variants));
        gather(arena, &mine->outputs, facts_text(variant, "target"), output);
    }
    return count;
}

static const char *agreement_text(Arena *arena, const Contract *contract)
{
    const Notes *outputs = &contract->outputs;
    const char *text =
        arena_printf(arena, "one contract %.*s, %s", DIGEST_SHOWN, contract->digest,
                     outputs->count == 1 ? "one output digest"
                                         : arena_printf(arena, "%d output digests:", outputs->count));
    for (int i = 0; i < outputs->count; i++)
        text = arena_printf(arena, "%s%s %.*s on %s", text, i ? ";" : "", DIGEST_SHOWN, outputs->item[i].text,
                            outputs->item[i].head);
    return text;
}

Notes notes_agreement(Arena *arena, const Facts *facts)
{
    const size_t variants = json_array_size(facts_variants(facts));
    Contract *contract = ARENA_ARRAY(arena, Contract, variants + 1);
    Notes notes = room_for(arena, variants);
    const int count = gather_contracts(arena, facts, contract);
    for (int i = 0; i < count; i++) {
        const bool several =
            contract[i].outputs.count > 1 || strchr(contract[i].outputs.item[0].head, ',') != NULL;
        const char *head = arena_printf(arena, "%s, %s", contract[i].tree, contract[i].accumulator);
        if (several)
            notes.item[notes.count++] =
                (Note){head, agreement_text(arena, &contract[i]), contract[i].outputs.count > 1};
    }
    return notes;
}
