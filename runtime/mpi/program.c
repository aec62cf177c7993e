/* program.c: see program.h. */
#include "mpi/program.h"

#include "driver/child.h"
#include "mpi/team.h"
#include "text/buffer.h"

#include <errno.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const ChildLimits patience = {120, 0};
/* -rdynamic: kernels find this program's MPI functions before the library's. */
static const char *const flags[] = {"-std=gnu17", "-O2", "-ffp-contract=off", "-D_GNU_SOURCE",
                                    "-rdynamic",  "-w",  "-pthread",          NULL};

static const char *key_of(Arena *arena, const Mpi *mpi)
{
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    sha256_update(&hash, strlen(mpi->library_version) + 1, (const uint8_t *)mpi->library_version);
    sha256_update(&hash, strlen(mpi->mpicc) + 1, (const uint8_t *)mpi->mpicc);
    for (int f = 0; flags[f]; f++) {
        sha256_update(&hash, strlen(flags[f]) + 1, (const uint8_t *)flags[f]);
    }
    sha256_update(&hash, strlen(rank_program_text), (const uint8_t *)rank_program_text);
    sha256_digest(&hash, sizeof digest, digest);
    const char *text = "";
    for (int i = 0; i < 8; i++) {
        text = arena_printf(arena, "%s%02x", text, digest[i]);
    }
    return text;
}

const char *rank_program_folder(Arena *arena, const char *object)
{
    const char *slash = strrchr(object, '/');
    const char *folder = slash ? arena_copy_bytes(arena, object, (size_t)(slash - object)) : ".";
    const char *build = strrchr(folder, '/');
    if (!build || build - folder < 4 || strncmp(build - 4, "/obj", 4) != 0) {
        return folder;
    }
    const char *family = arena_copy_bytes(arena, folder, (size_t)(build - 4 - folder)),
               *end = strrchr(family, '/');
    return end ? arena_printf(arena, "%.*s/rank", (int)(end - family), family) : "rank";
}

static const char *compile(Arena *arena, const Mpi *mpi, const char *source, const char *program)
{
    const char *made = arena_printf(arena, "%s.%ld", program, (long)getpid()), *argv[16];
    int count = 0;
    argv[count++] = mpi->mpicc;
    for (int f = 0; flags[f]; f++) {
        argv[count++] = flags[f];
    }
    argv[count++] = source;
    argv[count++] = "-o";
    argv[count++] = made;
    argv[count++] = "-ldl";
    argv[count] = NULL;
    Buffer said = {0};
    const char *why = child_exec(arena, patience, argv, NULL, &said);
    if (why) {
        why = arena_printf(arena, "%s cannot compile the rank program: %s\n%.2000s", mpi->mpicc, why,
                           buffer_string(&said));
        unlink(made);
    } else if (rename(made, program) != 0) {
        why = arena_printf(arena, "%s: %s", program, strerror(errno));
    }
    buffer_destroy(&said);
    return why;
}

static const char *write_and_compile(Arena *arena, const Mpi *mpi, const char *program)
{
    const char *source = arena_printf(arena, "%s.c", program);
    Buffer text = {0};
    buffer_append_string(&text, rank_program_text);
    const char *why = buffer_write_file(&text, source);
    buffer_destroy(&text);
    return why ? arena_printf(arena, "%s: %s", source, why) : compile(arena, mpi, source, program);
}

const char *rank_program(Arena *arena, const Mpi *mpi, const char *folder, const char **why)
{
    mkdir(folder, 0777);
    char whole[PATH_MAX]; /* ranks may start in another folder */
    if (!realpath(folder, whole)) {
        *why = arena_printf(arena, "%s: %s", folder, strerror(errno));
        return NULL;
    }
    const char *program = arena_printf(arena, "%s/rank-%s", whole, key_of(arena, mpi));
    *why = access(program, X_OK) == 0 ? NULL : write_and_compile(arena, mpi, program);
    return *why ? NULL : program;
}

const char *rank_program_try(Arena *arena, const Mpi *mpi, const char *folder, int ranks, double seconds)
{
    Team team;
    const char *why, *program = rank_program(arena, mpi, folder, &why);
    if (!program) {
        return why;
    }
    why = team_start(&team, arena, mpi, program, ranks, seconds);
    if (!why) {
        team_end(&team, true);
    }
    return why;
}
