/* main.c: the runner of bundles. What it checks and runs lies beside it. */
#include "bundle/bundle.h"
#include "platform/platform.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_KEPT = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_NOTHING = 3 };

static const char help[] =
    "usage: run [--time] [--no-cpu] [--json FILE] [--seconds N] [FOLDER]\n"
    "\n"
    "Checks the digests of a bundle's files (FOLDER; else the folder this program lies in), then every "
    "kernel that this\n"
    "machine can run against its certificate, and writes report.json.\n"
    "\n"
    "  --time       then time the large case of every kernel for a GPU, beside the device's copy bandwidth\n"
    "  --no-cpu     leave out the kernels for processors\n"
    "  --json FILE  where the report goes\n"
    "  --seconds N  limit for one kernel (600)\n"
    "\n"
    "SAMEBITS_CUDA_DEVICE chooses a GPU, SAMEBITS_LIBCUDA another driver library.\n"
    "exit status: 0 all kept, 1 something differs, failed or was refused, 2 bad usage, 3 nothing could be "
    "run here\n";

static const char *own_folder(Arena *arena)
{
    const char *folder = platform_program_folder(arena);
    return folder ? folder : ".";
}

static int run(Arena *arena, const char *folder, BundleRun options)
{
    json_t *report = bundle_run(arena, folder, options, stdout);
    const bool ok = json_is_true(json_object_get(report, "ok"));
    const json_int_t checked = json_integer_value(json_object_get(report, "checked"));
    json_decref(report);
    if (ok && checked == 0)
        printf("nothing could be run on this machine\n");
    return !ok ? EXIT_WRONG : checked == 0 ? EXIT_NOTHING : EXIT_KEPT;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {
        {"help", no_argument, NULL, 'h'},   {"json", required_argument, NULL, 'j'},
        {"no-cpu", no_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
        {"time", no_argument, NULL, 't'},   {NULL, 0, NULL, 0}};
    BundleRun options = {0};
    for (int option; (option = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_KEPT;
        }
        if (option == '?' || (option == 's' && (options.seconds = atof(optarg)) <= 0)) {
            fputs(help, stderr);
            return EXIT_USAGE;
        }
        options.report = option == 'j' ? optarg : options.report;
        options.time |= option == 't';
        options.skip_cpu |= option == 'c';
    }
    Arena *arena = arena_create();
    const int status = run(arena, optind < argc ? argv[optind] : own_folder(arena), options);
    arena_destroy(arena);
    return fflush(stdout) ? EXIT_WRONG : status;
}
