/* compilers.c: compilers that take every generated .cu: clang alone, without a CUDA toolkit, and nvcc and
 * NVRTC where they are.
 *
 * What they made must also be what the contract allows (ptx_check). A run compiles a sample, one kernel of
 * each spec; SAMEBITS_EXHAUSTIVE=1 compiles all of them. */
#include "emit/emit.h"
#include "ptx/ptx.h"

#include "../driver/folder.h"

#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after setjmp.h, stdarg.h, stddef.h and stdint.h */

static const char *specs_folder;

enum { SPECS_MOST = 64 };

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int spec_names(Arena *arena, char *name[SPECS_MOST])
{
    DIR *folder = opendir(specs_folder);
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".lua") == 0) {
            assert_true(count < SPECS_MOST);
            name[count++] = arena_copy(arena, entry->d_name);
        }
    }
    closedir(folder);
    qsort(name, (size_t)count, sizeof *name, name_compare);
    return count;
}

/* ---- NVRTC: a compiler in a library ---- */

typedef struct Nvrtc {
    int (*create)(void **program, const char *source, const char *name, int headers, const char *const *text,
                  const char *const *include);
    int (*compile)(void *program, int options, const char *const *option);
    int (*destroy)(void **program);
    int (*log_size)(void *program, size_t *size);
    int (*log)(void *program, char *text);
    int (*ptx_size)(void *program, size_t *size);
    int (*ptx)(void *program, char *text);
} Nvrtc;

static bool look_up(void *library, const char *name, void *function)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

/* NULL, or "skipped: ...". $SAMEBITS_LIBNVRTC, else where it usually is. */
static const char *nvrtc_load(Nvrtc *nvrtc)
{
    static const char *const places[] = {"libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so",
                                         "/usr/local/cuda/lib/libnvrtc.so"};
    const char *named = getenv("SAMEBITS_LIBNVRTC");
    void *library = named && *named ? dlopen(named, RTLD_NOW | RTLD_LOCAL) : NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++) {
        library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    }
    if (!library) {
        return "skipped: no NVRTC here (libnvrtc.so); it comes with NVIDIA's CUDA toolkit";
    }
    const bool all = look_up(library, "nvrtcCreateProgram", &nvrtc->create) &&
                     look_up(library, "nvrtcCompileProgram", &nvrtc->compile) &&
                     look_up(library, "nvrtcDestroyProgram", &nvrtc->destroy) &&
                     look_up(library, "nvrtcGetProgramLogSize", &nvrtc->log_size) &&
                     look_up(library, "nvrtcGetProgramLog", &nvrtc->log) &&
                     look_up(library, "nvrtcGetPTXSize", &nvrtc->ptx_size) &&
                     look_up(library, "nvrtcGetPTX", &nvrtc->ptx);
    return all ? NULL : "skipped: NVRTC lacks functions of CUDA 11";
}

static const char *nvrtc_text(Arena *arena, void *program, int (*size_of)(void *, size_t *),
                              int (*get)(void *, char *))
{
    size_t size = 0;
    char *text = size_of(program, &size) == 0 ? arena_alloc(arena, size + 1, 1) : NULL;
    return text && get(program, text) == 0 ? text : "";
}

static const char *nvrtc_compile(Arena *arena, const char *source, const char *ptx)
{
    static const char *const options[] = {"--gpu-architecture=compute_80"};
    Nvrtc nvrtc;
    Buffer text = {0}, out = {0};
    void *program = NULL;
    const char *why = nvrtc_load(&nvrtc);
    why = why ? why : buffer_read_file(&text, source, 1 << 20);
    if (!why && nvrtc.create(&program, buffer_string(&text), source, 0, NULL, NULL) != 0) {
        why = "NVRTC makes no program of it";
    }
    if (!why && nvrtc.compile(program, 1, options) != 0) {
        why = nvrtc_text(arena, program, nvrtc.log_size, nvrtc.log);
    }
    if (!why) {
        buffer_append_string(&out, nvrtc_text(arena, program, nvrtc.ptx_size, nvrtc.ptx));
        why = buffer_write_file(&out, ptx);
    }
    if (program) {
        nvrtc.destroy(&program);
    }
    buffer_destroy(&text);
    buffer_destroy(&out);
    return why;
}

/* ---- the compilers ---- */

static const char *clang_missing(Arena *arena)
{
    return ptx_compiler_missing(arena, PTX_CLANG);
}

static const char *clang_compile(Arena *arena, const char *source, const char *ptx)
{
    return ptx_compile(arena, source, ptx, PTX_CLANG);
}

static const char *nvcc_missing(Arena *arena)
{
    return ptx_compiler_missing(arena, PTX_NVCC);
}

static const char *nvcc_compile(Arena *arena, const char *source, const char *ptx)
{
    return ptx_compile(arena, source, ptx, PTX_NVCC);
}

static const char *nvrtc_missing(Arena *arena)
{
    Nvrtc nvrtc;
    (void)arena;
    return nvrtc_load(&nvrtc);
}

typedef struct Compiler {
    const char *name;
    const char *(*missing)(Arena *arena); /* NULL, or "skipped: ..." */
    const char *(*compile)(Arena *arena, const char *source, const char *ptx);
} Compiler;

/* ---- one spec ---- */

typedef struct Tally {
    int sources, compiled, wrong;
} Tally;

static void compile_one(Arena *arena, const char *source, const Compiler *compiler, Tally *tally)
{
    const char *ptx = arena_printf(arena, "%s.ptx", source);
    const char *why = compiler->compile(arena, source, ptx);
    /* NVIDIA's contract what is not spelled; every word of these sources spells its rounding */
    why = why ? why : ptx_check(arena, ptx);
    tally->compiled++;
    if (why) {
        fprintf(stderr, "%s: %s\n", source, why);
        tally->wrong++;
    }
}

static void compile_spec(const char *name, int number, const Compiler *compiler, Tally *tally)
{
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    const AxisOverride overrides[] = {{"target", "cuda"}};
    const char *folder = folder_create(arena), *all = getenv("SAMEBITS_EXHAUSTIVE");
    diagnostics_init(&diagnostics, arena);
    Family *family = (Family *)family_read(arena, &diagnostics,
                                           arena_printf(arena, "%s/%s", specs_folder, name), overrides, 1);
    diagnostics_print(&diagnostics, stderr);
    assert_non_null(family);
    family->controls = 0;
    assert_true(emit_family(arena, &diagnostics, family, folder));
    for (int v = 0; v < family->variants; v++) {
        tally->sources++;
        /* the sample is another place of each spec's list, but the same in every run */
        if ((all && *all) || v == number * 7 % family->variants) {
            compile_one(arena,
                        arena_printf(arena, "%s/%s/%s", folder, family->name, family->variant[v].source),
                        compiler, tally);
        }
    }
    folder_remove(folder);
    arena_destroy(arena);
}

static void compile_specs(const Compiler *compiler)
{
    Arena *arena = arena_create();
    char *name[SPECS_MOST];
    Tally tally = {0};
    const char *missing = compiler->missing(arena);
    if (missing) {
        printf("# %s\n", missing);
        fflush(stdout);
        arena_destroy(arena);
        skip();
    }
    const int names = spec_names(arena, name);
    for (int i = 0; i < names; i++) {
        compile_spec(name[i], i, compiler, &tally);
    }
    printf("# %s: %d of %d sources of %d specs compiled, %d wrong\n", compiler->name, tally.compiled,
           tally.sources, names, tally.wrong);
    fflush(stdout);
    arena_destroy(arena);
    assert_true(tally.compiled >= names && names >= 12);
    assert_int_equal(tally.wrong, 0);
}

static void clang_without_a_toolkit(void **state)
{
    (void)state;
    compile_specs(&(Compiler){"clang without a CUDA toolkit", clang_missing, clang_compile});
}

static void nvcc_where_it_is(void **state)
{
    (void)state;
    compile_specs(&(Compiler){"nvcc", nvcc_missing, nvcc_compile});
}

static void nvrtc_where_it_is(void **state)
{
    (void)state;
    compile_specs(&(Compiler){"NVRTC", nvrtc_missing, nvrtc_compile});
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s SPECS TEMPLATES\n", argv[0]);
        return 2;
    }
    specs_folder = argv[1];
    setenv("SAMEBITS_TEMPLATES", argv[2], 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(clang_without_a_toolkit),
                                       cmocka_unit_test(nvcc_where_it_is),
                                       cmocka_unit_test(nvrtc_where_it_is)};
    return cmocka_run_group_tests_name("gpu-compilers", tests, NULL, NULL);
}
