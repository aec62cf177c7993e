/* folder.h: a folder for one test program, made in the working directory and removed at its end. */
#ifndef SAMEBITS_TEST_FOLDER_H
#define SAMEBITS_TEST_FOLDER_H

#include "text/arena.h"
#include "text/buffer.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline const char *folder_create(Arena *arena)
{
    char *path = arena_copy(arena, "samebits-test-XXXXXX");
    if (!mkdtemp(path)) {
        perror("mkdtemp");
        exit(1);
    }
    return path;
}

static inline int folder_remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    nftw(path, folder_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes `text` to folder/name and returns that path. */
static inline const char *folder_write(Arena *arena, const char *folder, const char *name, const char *text)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name);
    Buffer content = {0};
    buffer_append_string(&content, text);
    const char *why = buffer_write_file(&content, path);
    buffer_destroy(&content);
    if (why) {
        fprintf(stderr, "%s: %s\n", path, why);
        exit(1);
    }
    return path;
}

#endif
