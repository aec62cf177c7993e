/* bundled.h: one kernel of bundle.json, and back as a variant.
 *
 * A bundle is run without specs: of the operator only what a call needs is known (inputs, outputs, dims,
 * params, which dims make rows), not what it computes. */
#ifndef SAMEBITS_BUNDLE_BUNDLED_H
#define SAMEBITS_BUNDLE_BUNDLED_H

#include "bundle/against.h"
#include "gpu/gpu.h"

/* Where a kernel runs. */
typedef enum BundledKind { BUNDLED_CPU, BUNDLED_CUDA, BUNDLED_METAL, BUNDLED_KINDS } BundledKind;

typedef struct Bundled {
    BundledKind kind;
    Variant variant;
    uint32_t parallel_dims;
    const char *file, *certificate; /* below the bundle's folder; certificate NULL: there is none */
    Launch launch;
    LargeCase large; /* sizes 0: the operator has none; digest "": none was made */
} Bundled;

/* `launch`: the manifest's. */
json_t *bundled_to_json(Arena *arena, const Bundled *entry, const json_t *launch);
/* NULL when done, else "refused: ..." */
const char *bundled_from_json(Arena *arena, const json_t *json, Bundled *entry);

BundledKind bundled_kind_of_file(const char *file); /* by .ptx, .metal; else CPU */
const char *bundled_kind_name(BundledKind kind);
GpuKind bundled_gpu(BundledKind kind); /* not of BUNDLED_CPU */

#endif
