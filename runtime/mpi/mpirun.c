/* mpirun.c: see mpirun.h.
 *
 * A launcher is known by what `--version` says. What a compiler wrapper links is known by the macros of the
 * mpi.h that it finds: nothing has to run for that. */
#include "mpi/mpirun.h"

#include "driver/child.h"
#include "platform/platform.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ChildLimits patience = {20, 0};
enum { WORDS_LIMIT = 64, REMOVED_BY = 5 /* Open MPI 5 names oversubscription another way */ };

/* ---- programs ---- */

/* `name` itself when it has a slash, else the first in PATH; NULL: there is none. */
static const char *find_program(Arena *arena, const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/')) {
        return access(name, X_OK) == 0 ? name : NULL;
    }
    for (const char *at = path ? path : "/usr/bin:/bin"; at;
         at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        const char *found = arena_printf(arena, "%.*s/%s", (int)strcspn(at, ":"), at, name);
        if (access(found, X_OK) == 0) {
            return found;
        }
    }
    return NULL;
}

/* The user's, else the first of the usual names that is there. */
static const char *choose_program(Arena *arena, const char *variable, const char *const names[],
                                  const char *package, const char **why)
{
    const char *wanted = getenv(variable);
    if (wanted && *wanted) {
        const char *found = find_program(arena, wanted);
        *why =
            found ? NULL : arena_printf(arena, "%s names '%s', which is no program here", variable, wanted);
        return found;
    }
    for (int i = 0; names[i]; i++) {
        const char *found = find_program(arena, names[i]);
        if (found) {
            return found;
        }
    }
    *why = arena_printf(arena, "no %s in PATH: apt-get install %s", names[0], package);
    return NULL;
}

static const char *ask(Arena *arena, const char *const argv[], const char **why)
{
    Buffer said = {0};
    *why = child_exec(arena, patience, argv, NULL, &said);
    const char *text = arena_copy(arena, buffer_string(&said));
    buffer_destroy(&said);
    if (*why) {
        *why = arena_printf(arena, "%s %s: %s: %.*s", argv[0], argv[1], *why, (int)strcspn(text, "\n"), text);
    }
    return text;
}

/* ---- versions ---- */

static MpiKind kind_of(const char *version)
{
    return strncmp(version, "Open MPI", 8) == 0 ? MPI_KIND_OPEN_MPI
           : strncmp(version, "MPICH", 5) == 0  ? MPI_KIND_MPICH
                                                : MPI_KIND_OTHER;
}

/* The number behind `before`, up to a blank or comma. */
static const char *number_behind(Arena *arena, const char *text, const char *before)
{
    const char *at = strstr(text, before);
    at = at ? at + strlen(before) : "";
    at += strspn(at, " \t");
    return arena_copy_bytes(arena, at, strcspn(at, " ,\n"));
}

static const char *launcher_version(Arena *arena, const char *said)
{
    if (strstr(said, "(Open MPI)")) {
        return arena_printf(arena, "Open MPI %s", number_behind(arena, said, "(Open MPI)"));
    }
    if (strstr(said, "(OpenRTE)")) {
        return arena_printf(arena, "Open MPI %s", number_behind(arena, said, "(OpenRTE)"));
    }
    if (strstr(said, "Intel(R) MPI")) {
        return arena_printf(arena, "Intel MPI %s", number_behind(arena, said, "Version"));
    }
    if (strstr(said, "HYDRA")) {
        return arena_printf(arena, "MPICH %s", number_behind(arena, said, "Version:"));
    }
    return arena_copy_bytes(arena, said, strcspn(said, "\n"));
}

static const char version_question[] =
    "echo '#include <mpi.h>\n"
    "#if defined OMPI_MAJOR_VERSION\n"
    "samebits-found \"Open MPI\" OMPI_MAJOR_VERSION OMPI_MINOR_VERSION OMPI_RELEASE_VERSION\n"
    "#elif defined I_MPI_VERSION\n"
    "samebits-found \"Intel MPI\" I_MPI_VERSION\n"
    "#elif defined MVAPICH2_VERSION\n"
    "samebits-found \"MVAPICH\" MVAPICH2_VERSION\n"
    "#elif defined MPICH_VERSION\n"
    "samebits-found \"MPICH\" MPICH_VERSION\n"
    "#else\n"
    "samebits-found \"another MPI\"\n"
    "#endif' | \"$0\" -E -P -x c -";

/* "Open MPI 4 1 4" with points between the numbers, and without quotes. */
static const char *tidy_version(Arena *arena, const char *line)
{
    char *text = arena_copy_bytes(arena, line, strcspn(line, "\n")), *to = text;
    for (const char *from = text; *from; from++) {
        const bool between = *from == ' ' && to > text && to[-1] >= '0' && to[-1] <= '9';
        if (*from != '"') {
            *to++ = between ? '.' : *from;
        }
    }
    *to = 0;
    return text;
}

static const char *library_version(Arena *arena, const char *mpicc, const char **why)
{
    static const char mark[] = "samebits-found ";
    const char *const argv[] = {"sh", "-c", version_question, mpicc, NULL};
    const char *said = ask(arena, argv, why);
    const char *found = *why ? NULL : strstr(said, mark);
    if (!found) {
        *why = arena_printf(arena, "%s does not find mpi.h: %.*s", mpicc, (int)strcspn(said, "\n"), said);
        return NULL;
    }
    return tidy_version(arena, found + strlen(mark));
}

/* Up to the first point: releases of one major version work together. */
static bool same_major(const char *a, const char *b)
{
    const size_t size = strcspn(a, ".");
    return size == strcspn(b, ".") && strncmp(a, b, size) == 0;
}

static const char *why_mixture(Arena *arena, const Mpi *mpi)
{
    const bool both_known = mpi->kind != MPI_KIND_OTHER && kind_of(mpi->library_version) != MPI_KIND_OTHER;
    const bool differ =
        kind_of(mpi->library_version) != mpi->kind ||
        (mpi->kind == MPI_KIND_OPEN_MPI && !same_major(mpi->launcher_version, mpi->library_version));
    return both_known && differ
               ? arena_printf(
                     arena,
                     "a mixture of MPI libraries: %s is %s, %s compiles for %s: set SAMEBITS_MPIRUN and "
                     "SAMEBITS_MPICC to two of one library",
                     mpi->mpirun, mpi->launcher_version, mpi->mpicc, mpi->library_version)
               : NULL;
}

/* ---- finding ---- */

const Mpi *mpi_find(Arena *arena, const char **why)
{
    static const char *const launchers[] = {"mpirun", "mpiexec", NULL}, *const wrappers[] = {"mpicc", NULL};
    Mpi *mpi = ARENA_NEW(arena, Mpi);
    mpi->mpirun = choose_program(arena, "SAMEBITS_MPIRUN", launchers, "openmpi-bin", why);
    mpi->mpicc =
        mpi->mpirun ? choose_program(arena, "SAMEBITS_MPICC", wrappers, "libopenmpi-dev", why) : NULL;
    if (!mpi->mpicc) {
        return NULL;
    }
    const char *said = ask(arena, (const char *const[]){mpi->mpirun, "--version", NULL}, why);
    if (*why) {
        return NULL;
    }
    mpi->launcher_version = launcher_version(arena, said);
    mpi->library_version = library_version(arena, mpi->mpicc, why);
    if (!mpi->library_version) {
        return NULL;
    }
    mpi->kind = kind_of(mpi->launcher_version);
    mpi->root = mpi->kind == MPI_KIND_OPEN_MPI && geteuid() == 0;
    mpi->processors = platform_processors();
    *why = why_mixture(arena, mpi);
    return *why ? NULL : mpi;
}

/* ---- the command ---- */

typedef struct Words {
    Arena *arena;
    const char **word;
    int count;
} Words;

static void add(Words *words, const char *word)
{
    if (words->count < WORDS_LIMIT - 1) {
        words->word[words->count++] = word;
    }
}

static void add_two(Words *words, const char *option, const char *value)
{
    add(words, option);
    add(words, value);
}

static void add_flags(Words *words, const char *flags)
{
    while (flags && *(flags += strspn(flags, " \t"))) {
        const size_t size = strcspn(flags, " \t");
        add(words, arena_copy_bytes(words->arena, flags, size));
        flags += size;
    }
}

static void add_for_open_mpi(Words *words, const Mpi *mpi)
{
    if (mpi->root) {
        add(words, "--allow-run-as-root");
    }
    /* It counts cores, which may be fewer than processors, or a hostfile's slots: more ranks are always
     * allowed. That alone changes nothing about how they run. */
    const char *number = strpbrk(mpi->launcher_version, "0123456789");
    if (number && atoi(number) >= REMOVED_BY) {
        add_two(words, "--map-by", ":OVERSUBSCRIBE");
    } else {
        add(words, "--oversubscribe");
    }
    /* Hydra hands on the whole environment by itself. */
    add_two(words, "-x", "SAMEBITS_RANK_ADDRESS");
    add_two(words, "-x", "SAMEBITS_RANK_TOKEN");
}

const char *const *mpi_command(Arena *arena, const Mpi *mpi, int ranks, const char *program)
{
    Words words = {arena, ARENA_ARRAY(arena, const char *, WORDS_LIMIT), 0};
    const char *hostfile = mpi_hostfile();
    add(&words, mpi->mpirun);
    if (mpi->kind == MPI_KIND_OPEN_MPI) {
        add_for_open_mpi(&words, mpi);
    }
    if (hostfile) {
        add_two(&words, mpi->kind == MPI_KIND_OPEN_MPI ? "--hostfile" : "-f", hostfile);
    }
    add_flags(&words, getenv("SAMEBITS_MPIRUN_FLAGS"));
    add_two(&words, "-np", arena_printf(arena, "%d", ranks));
    add(&words, program);
    return words.word;
}

bool mpi_oversubscribed(const Mpi *mpi, int ranks)
{
    return ranks > mpi->processors;
}

const char *mpi_hostfile(void)
{
    const char *hostfile = getenv("SAMEBITS_MPI_HOSTFILE");
    return hostfile && *hostfile ? hostfile : NULL;
}

/* What tells launchers of other hosts, besides an option. */
bool mpi_may_leave_this_host(void)
{
    static const char *const names[] = {"SLURM_JOB_ID",
                                        "SLURM_JOBID",
                                        "PBS_NODEFILE",
                                        "LSB_JOBID",
                                        "PE_HOSTFILE",
                                        "HYDRA_HOST_FILE",
                                        "COBALT_NODEFILE",
                                        "LOADL_STEP_ID",
                                        "I_MPI_HYDRA_HOST_FILE",
                                        "OMPI_MCA_hostfile",
                                        "OMPI_MCA_orte_default_hostfile",
                                        "PRTE_MCA_prte_default_hostfile",
                                        "SAMEBITS_MPIRUN_FLAGS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) {
            return true;
        }
    }
    return mpi_hostfile() != NULL;
}
