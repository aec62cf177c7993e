/* sums.h: SHA256SUMS of a folder, in the form that `sha256sum --check` reads.
 *
 * It says whether files are the ones that were written, and names the bundle: the digest of SHA256SUMS
 * itself. It is no signature: who changes a file can change the list, and then has another digest. */
#ifndef SAMEBITS_BUNDLE_SUMS_H
#define SAMEBITS_BUNDLE_SUMS_H

#include "text/arena.h"

#include <stdbool.h>

enum { SUMS_LIMIT = 4096 };
typedef struct Sums {
    const char *folder;
    const char *path[SUMS_LIMIT]; /* below the folder */
    const char *digest[SUMS_LIMIT];
    int count;
    char own[65]; /* SHA-256 of the list itself */
} Sums;

/* SHA-256 of a file as 64 hex digits and NUL. NULL when done, else why. */
const char *sums_of_file(const char *path, char digest[65]);

/* Adds the file that lies at folder/path now. */
const char *sums_add(Arena *arena, Sums *sums, const char *path);
const char *sums_write(Arena *arena, Sums *sums); /* folder/SHA256SUMS */

/* Reads folder/SHA256SUMS; paths that are absolute or leave the folder are refused. NULL when done, else why.
 */
const char *sums_read(Arena *arena, const char *folder, Sums *sums);
/* Reads every file listed: NULL when all have their digests, else the first that does not: "refused: ...". */
const char *sums_check(Arena *arena, const Sums *sums);
bool sums_has(const Sums *sums, const char *path);

#endif
