/* digest.c: SHA-256 of a buffer's values (see inputs.h). */
#include "array/inputs.h"

#include <nettle/sha2.h>
#include <string.h>

static void put_word(unsigned char bytes[4], float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        bits = 0x7fc00000u; /* a NaN is a NaN */
    }
    for (int i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)(bits >> 8 * i);
    }
}

void inputs_digest(const float *data, size_t elements, char digest[65])
{
    enum { BLOCK = 1024 };
    struct sha256_ctx context;
    sha256_init(&context);
    for (size_t from = 0; from < elements; from += BLOCK) {
        unsigned char bytes[4 * BLOCK];
        const size_t count = elements - from < BLOCK ? elements - from : BLOCK;
        for (size_t i = 0; i < count; i++) {
            put_word(bytes + 4 * i, data[from + i]);
        }
        sha256_update(&context, 4 * count, bytes);
    }
    unsigned char hash[SHA256_DIGEST_SIZE];
    sha256_digest(&context, sizeof hash, hash);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++) {
        static const char hex[] = "0123456789abcdef";
        digest[2 * i] = hex[hash[i] >> 4];
        digest[2 * i + 1] = hex[hash[i] & 15];
    }
    digest[64] = '\0';
}
