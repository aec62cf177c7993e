/* sums.c: digests of files, and their list. */
#include "bundle/sums.h"

#include "text/buffer.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

enum { LIST_LIMIT = 1 << 20, BLOCK = 1 << 16 };

static void to_hex(const unsigned char hash[SHA256_DIGEST_SIZE], char digest[65])
{
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(digest + 2 * i, 3, "%02x", hash[i]);
}

const char *sums_of_file(const char *path, char digest[65])
{
    unsigned char block[BLOCK], hash[SHA256_DIGEST_SIZE];
    struct sha256_ctx context;
    FILE *file = fopen(path, "rb");
    if (!file)
        return strerror(errno);
    sha256_init(&context);
    for (size_t size; (size = fread(block, 1, sizeof block, file)) > 0;)
        sha256_update(&context, size, block);
    const bool failed = ferror(file);
    fclose(file);
    if (failed)
        return "it cannot be read to its end";
    sha256_digest(&context, sizeof hash, hash);
    to_hex(hash, digest);
    return NULL;
}

static const char *path_of(Arena *arena, const Sums *sums, const char *path)
{
    return arena_printf(arena, "%s/%s", sums->folder, path);
}

static const char *append(Arena *arena, Sums *sums, const char *path, const char *digest)
{
    if (sums->count == SUMS_LIMIT)
        return "it lists too many files";
    sums->path[sums->count] = arena_copy(arena, path);
    sums->digest[sums->count] = arena_copy(arena, digest);
    sums->count++;
    return NULL;
}

const char *sums_add(Arena *arena, Sums *sums, const char *path)
{
    char digest[65];
    const char *why = sums_of_file(path_of(arena, sums, path), digest);
    return why ? arena_printf(arena, "%s: %s", path_of(arena, sums, path), why)
               : append(arena, sums, path, digest);
}

const char *sums_write(Arena *arena, Sums *sums)
{
    Buffer text = {0};
    const char *path = path_of(arena, sums, "SHA256SUMS");
    for (int i = 0; i < sums->count; i++)
        buffer_printf(&text, "%s  %s\n", sums->digest[i], sums->path[i]);
    const char *why = buffer_write_file(&text, path);
    buffer_destroy(&text);
    if (!why)
        why = sums_of_file(path, sums->own);
    return why ? arena_printf(arena, "%s: %s", path, why) : NULL;
}

/* A list from elsewhere must not make this program read what is not in the folder. */
static bool leaves_folder(const char *path)
{
    if (*path == '/' || *path == '\0' || strchr(path, '\\'))
        return true;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        const size_t length = strcspn(part, "/");
        if (length == 0 || (length == 2 && !strncmp(part, "..", 2)))
            return true;
    }
    return false;
}

static const char *read_line(Arena *arena, Sums *sums, const char *line)
{
    const size_t digits = strspn(line, "0123456789abcdef");
    if (digits != 64 || strncmp(line + 64, "  ", 2) != 0)
        return arena_printf(arena, "refused: a line of SHA256SUMS is not a digest and a path: %s", line);
    if (leaves_folder(line + 66))
        return arena_printf(arena, "refused: SHA256SUMS names a file outside the bundle: %s", line + 66);
    return append(arena, sums, line + 66, arena_copy_bytes(arena, line, 64));
}

const char *sums_read(Arena *arena, const char *folder, Sums *sums)
{
    *sums = (Sums){.folder = folder};
    Buffer text = {0};
    const char *path = path_of(arena, sums, "SHA256SUMS");
    const char *why = buffer_read_file(&text, path, LIST_LIMIT);
    if (!why)
        why = sums_of_file(path, sums->own);
    if (why) {
        buffer_destroy(&text);
        return arena_printf(arena, "refused: %s: %s; a bundle that was not finished has none: write it again",
                            path, why);
    }
    char *rest = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    for (char *line; !why && (line = strsep(&rest, "\n")) != NULL;)
        if (*line)
            why = read_line(arena, sums, line);
    return why;
}

const char *sums_check(Arena *arena, const Sums *sums)
{
    for (int i = 0; i < sums->count; i++) {
        char digest[65] = "";
        const char *why = sums_of_file(path_of(arena, sums, sums->path[i]), digest);
        if (why)
            return arena_printf(arena, "refused: %s: %s", sums->path[i], why);
        if (strcmp(digest, sums->digest[i]))
            return arena_printf(
                arena, "refused: %s was changed: its SHA-256 is %.16s..., the bundle's list says %.16s...",
                sums->path[i], digest, sums->digest[i]);
    }
    return NULL;
}

bool sums_has(const Sums *sums, const char *path)
{
    for (int i = 0; i < sums->count; i++)
        if (!strcmp(sums->path[i], path))
            return true;
    return false;
}
