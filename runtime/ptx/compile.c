/* compile.c: the compilers that PTX passes through: `.cu` to PTX, and translated C to a shared object.
 *
 * sm_80 and PTX 7.5 are what clang 14, the oldest that is supported, can write; a driver compiles them for
 * any newer device. */
#include "ptx/ptx.h"

#include "driver/child.h"
#include "ptx/texts.h"
#include "text/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 64 };
static const double compile_seconds = 60;

typedef struct Command {
    Arena *arena;
    const char *word[WORDS];
    int words;
} Command;

/* Words divided by blanks: "ccache clang" is two. */
static void add(Command *command, const char *text)
{
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        const size_t size = strcspn(at, " ");
        if (command->words < WORDS - 1) {
            command->word[command->words++] = arena_copy_bytes(command->arena, at, size);
        }
        at += size;
    }
}

/* One word, blanks and all. */
static void add_path(Command *command, const char *path)
{
    if (command->words < WORDS - 1) {
        /* A relative path that begins with '-' would be read as an option. */
        command->word[command->words++] = path[0] == '-' ? arena_printf(command->arena, "./%s", path) : path;
    }
}

static const char *clang(void)
{
    const char *named = getenv("SAMEBITS_CLANG");
    return named && *named ? named : "clang";
}

static bool runs(Arena *arena, const char *program)
{
    Command command = {.arena = arena};
    Buffer ignored = {0};
    add(&command, program);
    add(&command, "--version");
    const char *why = child_exec(arena, (ChildLimits){compile_seconds, 0}, command.word, NULL, &ignored);
    buffer_destroy(&ignored);
    return why == NULL;
}

/* $SAMEBITS_NVCC, nvcc in PATH, in $CUDA_HOME, and where NVIDIA's packages put it; the first one where none
 * runs. */
static const char *find_nvcc(Arena *arena)
{
    const char *named = getenv("SAMEBITS_NVCC"), *home = getenv("CUDA_HOME");
    if (named && *named) {
        return named;
    }
    const char *const places[] = {"nvcc", home && *home ? arena_printf(arena, "%s/bin/nvcc", home) : "nvcc",
                                  "/usr/local/cuda/bin/nvcc"};
    for (int k = 0; k < 3; k++) {
        if (runs(arena, places[k])) {
            return places[k];
        }
    }
    return places[0];
}

const char *ptx_compiler_missing(Arena *arena, PtxCompiler which)
{
    if (which == PTX_NVCC) {
        return runs(arena, find_nvcc(arena))
                   ? NULL
                   : "skipped: no nvcc here: install NVIDIA's CUDA toolkit, or name one in SAMEBITS_NVCC";
    }
    return runs(arena, clang())
               ? NULL
               : arena_printf(arena,
                              "skipped: no compiler '%s' here: install clang, or name one in "
                              "SAMEBITS_CLANG",
                              clang());
}

const char *const *ptx_compile_command(Arena *arena, const char *source, const char *output,
                                       const char *prelude, PtxCompiler which)
{
    Command *command = ARENA_NEW(arena, Command);
    command->arena = arena;
    if (which == PTX_CLANG) {
        add(command, clang());
        add(command, "-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib "
                     "-Wno-unknown-cuda-version "
                     "-Xclang -target-feature -Xclang +ptx75 -O2 -ffp-contract=off -S -include");
        add_path(command, prelude);
    } else {
        add(command, find_nvcc(arena));
        add(command, "-ptx -arch=sm_80");
    }
    add_path(command, source);
    add(command, "-o");
    add_path(command, output);
    return command->word;
}

static const char *write_text(Arena *arena, const char *path, const char *text)
{
    Buffer content = {0};
    buffer_append_string(&content, text);
    const char *why = buffer_write_file(&content, path);
    buffer_destroy(&content);
    return why ? arena_printf(arena, "%s: %s", path, why) : NULL;
}

/* The compiler's own words are the reason. Whether it is there at all is asked only when it failed. */
static const char *run(Arena *arena, const char *const *command, const char *what, PtxCompiler which)
{
    Buffer said = {0};
    const char *why = child_exec(arena, (ChildLimits){compile_seconds, 0}, command, NULL, &said);
    const char *missing = why ? ptx_compiler_missing(arena, which) : NULL;
    if (why && !missing) {
        why = arena_printf(arena, "%s: %s%s%s", what, why, said.size ? "\n" : "", buffer_string(&said));
    }
    buffer_destroy(&said);
    return missing ? missing : why;
}

const char *ptx_compile(Arena *arena, const char *source, const char *output, PtxCompiler which)
{
    const char *prelude = arena_printf(arena, "%s.prelude.h", output);
    const char *why = which == PTX_CLANG ? write_text(arena, prelude, ptx_text_prelude) : NULL;
    return why ? why : run(arena, ptx_compile_command(arena, source, output, prelude, which), source, which);
}

/* Without FMA instructions the C library's fmaf is called, which is right and slow. */
static const char *machine_flags(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("fma") ? "-mfma" : "";
#else
    return "";
#endif
}

const char *ptx_build(Arena *arena, const char *c, const char *output, SimtBuild build)
{
    Command command = {.arena = arena};
    add(&command, clang());
    add(&command,
        "-std=gnu17 -O1 -w -ffp-contract=off -fno-fast-math -fno-math-errno -fno-strict-aliasing -fwrapv "
        "-gdwarf-4 -fPIC -shared");
    add(&command, machine_flags());
    add(&command, build == SIMT_CHECKED ? "-DPTX_CHECKED" : "");
    add(&command, "-o");
    add_path(&command, output);
    add_path(&command, c);
    add(&command, "-lm");
    return run(arena, command.word, c, PTX_CLANG);
}
