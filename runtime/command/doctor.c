/* doctor.c: samebits doctor: what this machine can run, and why not the rest. */
#include "command/stages.h"

#include "cuda/cuda.h"
#include "driver/child.h"
#include "emit/emit.h"
#include "metal/metal.h"
#include "mpi/program.h"
#include "ptx/ptx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* What was found, as rows on a terminal or, with --json, as a list. */
typedef struct Doctor {
    Arena *arena;
    bool says;            /* not --json */
    bool fine;            /* everything needed is here */
    const char *no_ranks; /* NULL, or why target mpi cannot run */
    json_t *tools, *targets, *devices;
} Doctor;

static const char *first_line(Arena *arena, const char *text)
{
    return arena_copy_bytes(arena, text, strcspn(text, "\n"));
}

static void add_tool(Doctor *doctor, const Tool *tool, bool there, const char *said)
{
    if (doctor->says)
        printf("%-4s %-8s %-38s %s\n",
               there          ? "yes"
               : tool->needed ? "NO"
                              : "no",
               tool->name, tool->use, said);
    json_array_append_new(doctor->tools,
                          json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", tool->name, "use", tool->use,
                                    "needed", tool->needed, "here", there, "said", said));
    doctor->fine &= there || !tool->needed;
}

/* Words as the shell splits them, because that is how kernels are compiled ("ccache clang"). */
static void check_tool(Doctor *doctor, const Tool *tool)
{
    Arena *arena = doctor->arena;
    const char *command = tool->variable
                              ? arena_printf(arena, "${%s:-%s} --version", tool->variable, tool->name)
                              : arena_printf(arena, "%s --version", tool->name);
    const char *argv[] = {"sh", "-c", command, NULL};
    Buffer answer = {0};
    const char *why = child_exec(arena, (ChildLimits){10, 0}, argv, NULL, &answer);
    const char *line = first_line(arena, buffer_string(&answer));
    add_tool(doctor, tool, !why, why ? arena_printf(arena, "%s: %s", *line ? line : why, tool->cure) : line);
    buffer_destroy(&answer);
}

static void check_openmp(Doctor *doctor)
{
    static const Tool tool = {NULL, "OpenMP", "threads of CPU kernels", "apt-get install libomp-dev", true};
    static const char command[] = "echo '#include <omp.h>\nint f(void){return omp_get_max_threads();}' | "
                                  "${SAMEBITS_CLANG:-clang} -fopenmp -fPIC -shared -x c - -o /dev/null";
    const char *argv[] = {"sh", "-c", command, NULL};
    Buffer answer = {0};
    const char *why = child_exec(doctor->arena, (ChildLimits){20, 0}, argv, NULL, &answer);
    add_tool(doctor, &tool, !why,
             why ? arena_printf(doctor->arena, "clang cannot compile and link -fopenmp: %s", tool.cure)
                 : "clang links libomp");
    buffer_destroy(&answer);
}

static void check_templates(Doctor *doctor)
{
    static const Tool tool = {NULL, "pages", "templates of kernels", "set SAMEBITS_TEMPLATES", true};
    const char *folder = emit_template_folder(doctor->arena);
    bool there = !access(arena_printf(doctor->arena, "%s/cpu/rows.c", folder), R_OK);
    add_tool(doctor, &tool, there,
             there ? "found" : arena_printf(doctor->arena, "none in %s: %s", folder, tool.cure));
}

static const char *describe_mpi(Arena *arena, const Mpi *mpi)
{
    const char *hosts = mpi_hostfile();
    return arena_printf(arena, "%s: %s, %s: %s; 2 ranks started; more than %d share processors%s%s",
                        mpi->mpirun, mpi->launcher_version, mpi->mpicc, mpi->library_version, mpi->processors,
                        hosts ? "; hosts of " : "", hosts ? hosts : "");
}

/* Which MPI there is, and whether two ranks of it find each other. */
static void check_mpi(Doctor *doctor, const char *out)
{
    static const Tool tool = {NULL, "MPI", "ranks of target mpi", "", false};
    enum { RANKS = 2, SECONDS = 30 };
    Arena *arena = doctor->arena;
    const char *why;
    const Mpi *mpi = mpi_find(arena, &why);
    if (mpi) {
        mkdir(out, 0777);
        why = rank_program_try(arena, mpi, arena_printf(arena, "%s/rank", out), RANKS, SECONDS);
    }
    doctor->no_ranks = why;
    add_tool(doctor, &tool, !why, mpi && !why ? describe_mpi(arena, mpi) : why);
}

static void add_target(Doctor *doctor, const char *name, bool here, const char *said)
{
    if (doctor->says)
        printf("%-4s %-8s %s\n", here ? "yes" : "no", name, said);
    json_array_append_new(doctor->targets,
                          json_pack("{s:s, s:b, s:s}", "name", name, "here", here, "said", said));
}

/* GPU targets are verified everywhere: by emulation where no device is. */
static void check_targets(Doctor *doctor)
{
    for (int i = 0; i < target_count; i++) {
        const Target *target = &target_rows[i];
        const char *why = target_why_not_here(target);
        if (!why && target->ranks)
            why = doctor->no_ranks;
        const char *how =
            target->gpu ? arena_printf(doctor->arena, "%s; emulated here", target->meaning) : target->meaning;
        add_target(doctor, target->name, !why, why ? why : how);
    }
    for (int i = 0; target_planned_names[i]; i++)
        add_target(doctor, target_planned_names[i], false, "not in this version of samebits");
}

static void add_device(Doctor *doctor, const char *target, const char *why, const char *name)
{
    static const char skipped[] = "skipped: ";
    if (why && !strncmp(why, skipped, strlen(skipped)))
        why += strlen(skipped);
    if (doctor->says)
        printf("%-4s %-8s %s\n", why ? "no" : "yes", target, why ? why : name);
    json_array_append_new(doctor->devices, json_pack("{s:s, s:b, s:s}", "target", target, "here", why == NULL,
                                                     "said", why ? why : name));
}

/* What verify, bench and bundles run GPU kernels on. */
static void check_devices(Doctor *doctor)
{
    CudaInfo cuda;
    MetalInfo metal;
    const char *why = cuda_examine(doctor->arena, &cuda);
    add_device(doctor, "cuda", why, why ? NULL : cuda_info_text(doctor->arena, &cuda));
    why = metal_examine(doctor->arena, &metal);
    add_device(doctor, "metal", why, why ? NULL : arena_copy(doctor->arena, metal.name));
}

static void check_nvcc(Doctor *doctor)
{
    static const Tool tool = {NULL, "nvcc", "second compiler of cuda kernels", NULL, false};
    const char *why = ptx_compiler_missing(doctor->arena, PTX_NVCC);
    add_tool(doctor, &tool, !why,
             why ? "none: NVIDIA's CUDA toolkit, or name one in SAMEBITS_NVCC" : "found");
}

static void examine(Doctor *doctor, const char *out)
{
    if (doctor->says)
        printf("tools\n");
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        check_tool(doctor, &tools[i]);
    check_openmp(doctor);
    check_nvcc(doctor);
    check_templates(doctor);
    check_mpi(doctor, out);
    if (doctor->says)
        printf("\ntargets\n");
    check_targets(doctor);
    if (doctor->says)
        printf("\ndevices\n");
    check_devices(doctor);
}

int command_doctor(const Options *options, Arena *arena)
{
    Doctor doctor = {.arena = arena,
                     .says = !options->json,
                     .fine = true,
                     .tools = json_array(),
                     .targets = json_array(),
                     .devices = json_array()};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    examine(&doctor, options->out);
    if (doctor.says)
        printf("\n%ld processors online\n%s\n", processors,
               doctor.fine ? "everything needed is here" : "something needed is missing: see NO above");
    json_t *all =
        json_pack("{s:o, s:o, s:o, s:I, s:b}", "tools", doctor.tools, "targets", doctor.targets, "devices",
                  doctor.devices, "processors", (json_int_t)processors, "ok", doctor.fine);
    if (options->json)
        stages_print_json(all);
    json_decref(all);
    return doctor.fine ? EXIT_KEPT : EXIT_BROKEN;
}
