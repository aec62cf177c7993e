/* bundle.h: a folder that checks and times kernels on a machine that has nothing but a driver.
 *
 *   DIR/run               the runner: this project's checker without generator, Lua or compiler
 *   DIR/ptx/<id>.ptx      kernels for CUDA;  DIR/metal/<id>.metal, DIR/objects/<id>.so likewise
 *   DIR/certificates/     what another machine's kernel of the same contract returned
 *   DIR/inputs/           data that its maker had to search for
 *   DIR/bundle.json       kernels, contracts, signatures, launches
 *   DIR/SHA256SUMS        digests of all of these; its own digest names the bundle
 *   DIR/README.txt        how to run it
 */
#ifndef SAMEBITS_BUNDLE_H
#define SAMEBITS_BUNDLE_H

#include "bundle/bundled.h"

#include <stdbool.h>
#include <stdio.h>

/* ---- making one ---- */

typedef struct BundleOptions {
    size_t rows, columns; /* shape of the large case: its digest is made here, it is timed there; 0: none */
    bool progress;        /* a line per kernel on stderr */
} BundleOptions;

typedef struct Bundle Bundle;
/* Prepares DIR: new, empty, or an earlier bundle, whose files are removed. NULL and *why. */
Bundle *bundle_open(Arena *arena, const char *folder, BundleOptions options, const char **why);
/* Adds one kernel: `file` is what runs (.ptx, .metal, .so), `launch` its manifest's, `certificate` the path
 * of a certificate of the same contract. NULL when done, else why; a certificate of another contract is
 * refused. */
const char *bundle_add(Bundle *bundle, const Variant *variant, const char *file, const json_t *launch,
                       const char *certificate);
/* Adds every variant of a generated, compiled and verified family; those without a file or without a
 * certificate of their contract are left out, each with a reason in *left_out (JSON array of {"what",
 * "why"}). */
const char *bundle_add_family(Arena *arena, Bundle *bundle, const Family *family, const char *out_dir,
                              json_t *left_out);
/* Writes the runner, README.txt, bundle.json and at last SHA256SUMS. *digest: the bundle's name. */
const char *bundle_finish(Bundle *bundle, char digest[65]);
void bundle_close(Bundle *bundle);

/* Path of the runner that bundles get: $SAMEBITS_RUNNER, else samebits-runner beside this program. NULL and
 * *why. */
const char *bundle_runner(Arena *arena, const char **why);

/* ---- running one ---- */

typedef struct BundleRun {
    bool time;          /* the large case, after everything was checked */
    bool skip_cpu;      /* leave out objects for this machine's processor */
    double seconds;     /* limit per kernel; 0: 600 */
    const char *report; /* path of the JSON report; NULL: DIR/report.json */
} BundleRun;

/* Checks digests, then every kernel that this machine can run, against its certificate; writes the report
 * (see docs/devices.md). Prints a table on `out` (NULL: nothing). The result is the report's content; "ok" is
 * false when something differed, failed or was refused, "checked" counts the kernels that ran. */
json_t *bundle_run(Arena *arena, const char *folder, BundleRun options, FILE *out);

/* ---- one certificate against a family of this machine: `samebits verify SPEC --against FILE` ---- */

/* Every variant with the certificate's contract that is compiled and can run here repeats its cases.
 * {"certificate", "contract", "checks": [{"id", "target", "where", "status", "cases", "equal", ...}], "ok"};
 * NULL and *why when the certificate is refused, by its own digest or because no variant has its contract. */
json_t *bundle_check_against(Arena *arena, const Family *family, const char *out_dir, const char *certificate,
                             double seconds, const char **why);

#endif
