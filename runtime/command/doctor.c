/* doctor.c: samebits doctor: what this machine can run, and why not the rest. */
#include "command/options.h"

#include "driver/child.h"
#include "emit/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Tool {
    const char *variable; /* names another program; NULL: none does */
    const char *name, *use, *cure;
    bool needed;
} Tool;

static const Tool tools[] = {
    {"SAMEBITS_CLANG", "clang", "compiles kernels", "apt-get install clang", true},
    {NULL, "ninja", "runs the compiler", "apt-get install ninja-build", true},
    {"SAMEBITS_GCC", "gcc", "second compiler of the BUILD promise", "apt-get install gcc", false},
};

static const char *first_line(Arena *arena, const char *text)
{
    return arena_copy_bytes(arena, text, strcspn(text, "\n"));
}

static bool check_tool(Arena *arena, const Tool *tool)
{
    const char *name = tool->variable ? getenv(tool->variable) : NULL;
    name = name && *name ? name : tool->name;
    const char *argv[] = {name, "--version", NULL};
    Buffer answer = {0};
    const char *why = child_exec(arena, (ChildLimits){10, 0}, argv, NULL, &answer);
    printf("%-4s %-8s %-38s %s\n", why ? (tool->needed ? "NO" : "no") : "yes", tool->name, tool->use,
           why ? arena_printf(arena, "%s: %s", why, tool->cure) : first_line(arena, buffer_string(&answer)));
    buffer_destroy(&answer);
    return !why || !tool->needed;
}

static bool check_openmp(Arena *arena)
{
    const char *name = getenv("SAMEBITS_CLANG");
    const char *command = arena_printf(arena,
                                       "echo '#include <omp.h>\nint f(void){return omp_get_max_threads();}' "
                                       "| %s -fopenmp -fPIC -shared -x c - -o /dev/null",
                                       name && *name ? name : "clang");
    const char *argv[] = {"sh", "-c", command, NULL};
    Buffer answer = {0};
    const char *why = child_exec(arena, (ChildLimits){20, 0}, argv, NULL, &answer);
    printf("%-4s %-8s %-38s %s\n", why ? "NO" : "yes", "OpenMP", "threads of CPU kernels",
           why ? "clang cannot compile and link -fopenmp: apt-get install libomp-dev" : "clang links libomp");
    buffer_destroy(&answer);
    return !why;
}

static void check_targets(void)
{
    static const char *const later[] = {"cuda", "metal", "mpi", "avx512", "neon"};
    printf("\ntargets\n");
    for (int i = 0; i < target_count; i++) {
        const char *why = target_why_not_here(&target_rows[i]);
        printf("%-4s %-8s %s\n", why ? "no" : "yes", target_rows[i].name, why ? why : target_rows[i].meaning);
    }
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        printf("no   %-8s not in this version of samebits\n", later[i]);
}

static bool check_templates(Arena *arena)
{
    const char *folder = emit_template_folder(arena);
    bool there = !access(arena_printf(arena, "%s/cpu/rows.c", folder), R_OK);
    printf("%-4s %-8s %-38s %s\n", there ? "yes" : "NO", "pages", "templates of kernels",
           there ? "found" : arena_printf(arena, "none in %s: set SAMEBITS_TEMPLATES", folder));
    return there;
}

int command_doctor(const Options *options, Arena *arena)
{
    (void)options;
    bool fine = true;
    printf("tools\n");
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        fine &= check_tool(arena, &tools[i]);
    fine &= check_openmp(arena);
    fine &= check_templates(arena);
    check_targets();
    printf("\n%ld processors online\n", sysconf(_SC_NPROCESSORS_ONLN));
    printf("%s\n", fine ? "everything needed is here" : "something needed is missing: see NO above");
    return fine ? EXIT_KEPT : EXIT_BROKEN;
}
