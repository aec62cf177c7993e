/* compilers.c: compilers that take every generated .cu: clang alone, without a CUDA toolkit, and nvcc where
 * it is.
 *
 * What they made must also be what the contract allows (ptx_check). A run compiles a sample, one kernel of
 * each spec; SAMEBITS_EXHAUSTIVE=1 compiles all of them. */
#include "emit/emit.h"
#include "ptx/ptx.h"

#include "../driver/folder.h"

#include <dirent.h>
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

/* ---- one spec ---- */

typedef struct Tally {
    int sources, compiled, wrong;
} Tally;

static void compile_one(Arena *arena, const char *source, PtxCompiler which, Tally *tally)
{
    const char *ptx = arena_printf(arena, "%s.ptx", source);
    const char *why = ptx_compile(arena, source, ptx, which);
    /* nvcc contracts what is not spelled; every word of these sources spells its rounding */
    why = why ? why : ptx_check(arena, ptx);
    tally->compiled++;
    if (why) {
        fprintf(stderr, "%s: %s\n", source, why);
        tally->wrong++;
    }
}

static void compile_spec(const char *name, int number, PtxCompiler which, Tally *tally)
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
                        which, tally);
        }
    }
    folder_remove(folder);
    arena_destroy(arena);
}

static void compile_specs(PtxCompiler which, const char *what)
{
    Arena *arena = arena_create();
    char *name[SPECS_MOST];
    Tally tally = {0};
    const char *missing = ptx_compiler_missing(arena, which);
    if (missing) {
        printf("# %s\n", missing);
        fflush(stdout);
        arena_destroy(arena);
        skip();
    }
    const int names = spec_names(arena, name);
    for (int i = 0; i < names; i++) {
        compile_spec(name[i], i, which, &tally);
    }
    printf("# %s: %d of %d sources of %d specs compiled, %d wrong\n", what, tally.compiled, tally.sources,
           names, tally.wrong);
    fflush(stdout);
    arena_destroy(arena);
    assert_true(tally.compiled >= names && names >= 12);
    assert_int_equal(tally.wrong, 0);
}

static void clang_without_a_toolkit(void **state)
{
    (void)state;
    compile_specs(PTX_CLANG, "clang without a CUDA toolkit");
}

static void nvcc_where_it_is(void **state)
{
    (void)state;
    compile_specs(PTX_NVCC, "nvcc");
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
                                       cmocka_unit_test(nvcc_where_it_is)};
    return cmocka_run_group_tests_name("gpu-compilers", tests, NULL, NULL);
}
