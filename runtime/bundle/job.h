/* job.h: one kernel checked in a child process, on whatever it runs on. */
#ifndef SAMEBITS_BUNDLE_JOB_H
#define SAMEBITS_BUNDLE_JOB_H

#include "bundle/bundled.h"

/* What this machine has to run kernels on, asked once. */
typedef struct Host {
    const char *why_not[BUNDLED_KINDS]; /* NULL: it can; else "skipped: ..." or "refused: ..." */
    const char *where[BUNDLED_KINDS];   /* "run on NVIDIA H200 with driver 550.54.15 (CUDA 12.4)" */
    GpuInfo gpu[BUNDLED_KINDS];         /* of those that are one */
} Host;
/* `wanted[kind]`: asks only for those. */
Host host_examine(Arena *arena, const bool wanted[BUNDLED_KINDS]);
void host_close(Host *host);

typedef struct Job {
    const Bundled *entry;
    const Host *host;
    const char *file, *certificate, *inputs; /* paths; inputs may be NULL */
    double seconds;
    const Geometry *geometry; /* on a GPU; NULL: the driver's choice */
} Job;

/* {"id", "target", "contract", "where", "status", "cases", "equal", ...} as certificate_check, or status
 * "skipped: ..." / "refused: ..." / "failed: ...". */
json_t *job_check(Arena *arena, const Job *job);
/* The large case, for its digest. */
const char *job_large_digest(Arena *arena, const Job *job, LargeCase *large);

#endif
