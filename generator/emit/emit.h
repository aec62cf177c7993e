/* emit.h: a family's files: sources, maps, baseline, controls, manifest, build.ninja. */
#ifndef SAMEBITS_EMIT_H
#define SAMEBITS_EMIT_H

#include "family/family.h"

#include <jansson.h>
#include <stdbool.h>

/* Writes everything of a family below out_dir/<family>/. Files that would not change are not touched.
 * Variants that have no kernel (no plan for the operator, say) become skips, so the family is changed; so do
 * their manifest entries. False after reporting: a file that cannot be written, a template that does not
 * expand. */
bool emit_family(Arena *arena, Diagnostics *diagnostics, Family *family, const char *out_dir);

/* The content of manifest.json (docs/architecture.md). The caller owns the result. */
json_t *emit_manifest(Arena *arena, const Family *family);
/* One variant of it; verify.json repeats these fields. */
json_t *emit_manifest_variant(Arena *arena, const Variant *variant);

/* The source of one variant as text, for `samebits generate --print`. NULL after reporting. */
const char *emit_source_text(Arena *arena, Diagnostics *diagnostics, const Family *family,
                             const Variant *variant);

/* Folder of the templates: $SAMEBITS_TEMPLATES, else `templates` two folders above the program. */
const char *emit_template_folder(Arena *arena);

#endif
