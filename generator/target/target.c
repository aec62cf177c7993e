/* target.c: the rows of targets, alphabetical, and what this machine can run.
 *
 * avx2 means AVX2 with FMA: every step of a sum of products is one fused operation, and a processor with the
 * first and without the second would have to emulate it. */
#include "target/target.h"

#include <stddef.h>
#include <string.h>

const Target target_rows[] = {
    {.name = "avx2",
     .meaning = "x86-64 with AVX2 and FMA: eight binary32 lanes per register",
     .width = 8,
     .extension = ".c",
     .compile = "-mavx2 -mfma",
     .cpu_needs = "avx2 fma"},
    {.name = "c",
     .meaning = "portable C17: lanes are looped, any machine runs it",
     .width = 1,
     .extension = ".c",
     .compile = "",
     .cpu_needs = NULL},
    {.name = "cuda",
     .meaning = "CUDA C++: lanes are the 32 threads of a warp",
     .width = 32,
     .extension = ".cu",
     .compile = "",
     .gpu = true},
    {.name = "metal",
     .meaning = "Metal Shading Language: lanes are the 32 threads of a SIMD-group",
     .width = 32,
     .extension = ".metal",
     .compile = "",
     .gpu = true},
    {.name = "mpi",
     .meaning = "AVX2 with FMA, the axis spread over the ranks of an MPI communicator",
     .width = 8,
     .extension = ".c",
     .compile = "-mavx2 -mfma",
     .cpu_needs = "avx2 fma",
     .ranks = true},
};
const int target_count = sizeof target_rows / sizeof *target_rows;

/* Targets that samebits is to have and this version has not: asking for one is no mistake. */
const char *const target_planned_names[] = {"avx512", "neon", NULL};

const Target *target_named(const char *name)
{
    for (int i = 0; i < target_count; i++) {
        if (strcmp(target_rows[i].name, name) == 0) {
            return &target_rows[i];
        }
    }
    return NULL;
}

const char *target_planned(const char *name)
{
    for (int i = 0; target_planned_names[i]; i++) {
        if (strcmp(target_planned_names[i], name) == 0) {
            return target_planned_names[i];
        }
    }
    return NULL;
}

const char *target_why_not_here(const Target *target)
{
    if (!target->cpu_needs) {
        return NULL;
    }
#if defined(__x86_64__) || defined(__i386__)
    /* The argument must be a literal, so each feature has its own line. */
    if (strstr(target->cpu_needs, "avx2") && !__builtin_cpu_supports("avx2")) {
        return "this processor has no AVX2";
    }
    if (strstr(target->cpu_needs, "fma") && !__builtin_cpu_supports("fma")) {
        return "this processor has no FMA instructions";
    }
    return NULL;
#else
    return "this is not an x86-64 processor";
#endif
}
