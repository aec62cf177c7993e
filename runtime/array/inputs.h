/* inputs.h: canonical inputs from an integer counter generator; no libm, so any machine can make them. */
#ifndef SAMEBITS_INPUTS_H
#define SAMEBITS_INPUTS_H

#include <stddef.h>
#include <stdint.h>

typedef enum InputKind {
    INPUT_NORMAL,        /* sums of uniform integers, about N(0, 1): what models see */
    INPUT_MIXED,         /* normal; a quarter times 10, half times 1, a quarter times 0.1, by element index */
    INPUT_CANCEL,        /* large values of both signs that nearly cancel */
    INPUT_WIDE,          /* random signs and significands, exponents spread over [-40, 40] */
    INPUT_SUBNORMAL,     /* subnormals and the smallest normals */
    INPUT_SIGNED_ZERO,   /* +0.0 and -0.0 only */
    INPUT_NEGATIVE_ZERO, /* -0.0 only */
    INPUT_NAN,           /* normal with one NaN in some rows (both signs, several payloads) */
    INPUT_INFINITY,      /* normal with infinities of one or both signs in some rows */
    INPUT_LARGE,         /* values whose squares and sums overflow */
    INPUT_KINDS
} InputKind;
const char *input_kind_name(InputKind kind);

/* Element i of stream `seed` depends on (kind, seed, i) alone, never on how many are made. `columns` is the
 * length of a row (for NaN and infinity placement). */
void inputs_fill(float *data, size_t elements, size_t columns, InputKind kind, uint64_t seed);

/* SHA-256 over the words of a buffer, little-endian, every NaN counted as 7fc00000. 64 hex digits + NUL. */
void inputs_digest(const float *data, size_t elements, char digest[65]);

#endif
