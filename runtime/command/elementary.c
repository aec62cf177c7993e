/* elementary.c: `samebits elementary`: the elementary functions against MPFR, over all 2^32 inputs.
 *
 * MPFR for every input would take hours. Two facts make it a matter of minutes. The C library's binary64 exp
 * and log are within one unit of their last place (checked here against MPFR on every 2^12-th input), that is
 * within 2^-28 ulp of binary32; so they decide how a result rounds except next to the midpoint of two
 * binary32 numbers, and they decide which error is the largest except next to the largest. Those inputs, a
 * few hundred, are given to MPFR. Every figure printed is therefore exact.
 *
 * Each function runs in a process of its own: its digest is over all outputs in order of the inputs' bits. */
#include "command/elementary.h"

#include "platform/platform.h"
#include "reference/elementary.h"
#include "reference/evaluate.h"

#include <jansson.h>
#include <math.h>
#include <mpfr.h>
#include <nettle/sha2.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIGEST_CHARACTERS = 64, SPOT_CHECK = 1 << 12, SLICE = 1 << 16, EXACT_BITS = 200 };

static const uint64_t ALL_INPUTS = (uint64_t)1 << 32;
/* Above the error, in ulps of binary32, that one unit in the last place of binary64 makes. */
static const double DOUBLE_MARGIN = 0x1p-26;

/* What has been found once over all inputs, and must never change. */
typedef struct Frozen {
    const char *name;
    float (*function)(float);
    double (*library)(double);
    int (*mpfr)(mpfr_t, const mpfr_t, mpfr_rnd_t);
    double max_ulps;     /* rounded up in the sixth decimal */
    uint64_t misrounded; /* results that are not the correctly rounded ones */
    const char *digest;
} Frozen;

static const Frozen frozen_rows[] = {
    {"exp", reference_exp, exp, mpfr_exp, 0.997861, 17767019,
     "d48c14213d13d21d010981c79668f737b3c9117445b8c055590f3663e2d70d51"},
    {"log", reference_log, log, mpfr_log, 0.976755, 2536901,
     "a0251402cfd5ca0e739ae9e597bed46a8d7e1a3b0d1b8ef00974f3d99448c994"},
};
enum { FUNCTIONS = sizeof frozen_rows / sizeof frozen_rows[0] };

typedef struct Found {
    uint64_t inputs, misrounded, library_wrong;
    double max_ulps;
    uint32_t max_at;
    char digest[DIGEST_CHARACTERS + 1]; /* "" for a sample */
} Found;

typedef struct Check {
    const Frozen *frozen;
    Found found;
    struct sha256_ctx hash;
    mpfr_t argument, exact, difference;
} Check;

static float float_from(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The bits as digests count them: every NaN is 7fc00000. */
static uint32_t canonical_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? 0x7fc00000 : bits;
}

static double ulp_of(double exact)
{
    return fabs(exact) < 0x1p-126 ? 0x1p-149 : ldexp(1, ilogb(exact) - 23);
}

static void exact_value(Check *check, float x)
{
    mpfr_set_flt(check->argument, x, MPFR_RNDN);
    check->frozen->mpfr(check->exact, check->argument, MPFR_RNDN);
}

/* |value - exact| in ulps, from MPFR's value. */
static double exact_error(Check *check, float x, float value)
{
    exact_value(check, x);
    mpfr_sub_d(check->difference, check->exact, (double)value, MPFR_RNDN);
    return fabs(mpfr_get_d(check->difference, MPFR_RNDN)) / ulp_of(mpfr_get_d(check->exact, MPFR_RNDN));
}

/* Whether the library's result lies so near to a midpoint that it cannot tell how the exact one rounds. */
static bool is_undecided(double near, float rounded)
{
    return fabs(fabs(near - (double)rounded) / ulp_of(near) - 0.5) < DOUBLE_MARGIN;
}

static float correctly_rounded(Check *check, float x, double near)
{
    float rounded = (float)near;
    if (isnan(near) || isinf(near) || !is_undecided(near, rounded)) {
        return rounded;
    }
    exact_value(check, x);
    return mpfr_get_flt(check->exact, MPFR_RNDN);
}

static void note_error(Check *check, uint32_t bits, float x, float value, double near)
{
    Found *found = &check->found;
    double ulps = error_in_ulps(value, near);
    if (isfinite(value) && isfinite(ulps) && ulps + DOUBLE_MARGIN > found->max_ulps) {
        ulps = exact_error(check, x, value);
    }
    if (ulps > found->max_ulps) {
        found->max_ulps = ulps;
        found->max_at = bits;
    }
}

/* The claim that everything rests on: the library is within one unit of the last place of binary64. */
static void spot_check_library(Check *check, float x, double near)
{
    if (!isfinite(near) || near == 0) {
        return;
    }
    exact_value(check, x);
    mpfr_sub_d(check->difference, check->exact, near, MPFR_RNDN);
    double error = fabs(mpfr_get_d(check->difference, MPFR_RNDN));
    check->found.library_wrong += error > ldexp(1, ilogb(near) - 52);
}

static uint32_t check_input(Check *check, uint32_t bits)
{
    float x = float_from(bits);
    float value = check->frozen->function(x);
    double near = check->frozen->library((double)x);
    if (check->found.inputs++ % SPOT_CHECK == 0) {
        spot_check_library(check, x, near);
    }
    float right = correctly_rounded(check, x, near);
    if (canonical_bits(value) != canonical_bits(right)) {
        check->found.misrounded++;
        note_error(check, bits, x, value, near);
    }
    return canonical_bits(value);
}

static void hash_slice(Check *check, const uint32_t *output)
{
    static const uint32_t one = 1;
    uint8_t bytes[SLICE][4];
    if (*(const uint8_t *)&one == 1) { /* the digest is over little-endian words */
        sha256_update(&check->hash, (size_t)SLICE * 4, (const uint8_t *)output);
        return;
    }
    for (int i = 0; i < SLICE; i++) {
        for (int b = 0; b < 4; b++) {
            bytes[i][b] = (uint8_t)(output[i] >> (8 * b));
        }
    }
    sha256_update(&check->hash, sizeof bytes, bytes[0]);
}

static void check_all(Check *check, bool progress)
{
    uint32_t output[SLICE];
    for (uint64_t first = 0; first < ALL_INPUTS; first += SLICE) {
        for (uint32_t i = 0; i < SLICE; i++) {
            output[i] = check_input(check, (uint32_t)first + i);
        }
        hash_slice(check, output);
        if (progress && first % (ALL_INPUTS / 64) == 0) {
            fprintf(stderr, "%s: %d of 64 parts\n", check->frozen->name, (int)(first / (ALL_INPUTS / 64)));
        }
    }
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(&check->hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(check->found.digest + 2 * i, 3, "%02x", digest[i]);
    }
}

/* Inputs a fixed odd distance apart, wrapping round: every binade and sign is met, and the boundaries below.
 */
static void check_sample(Check *check, uint64_t sample)
{
    static const uint32_t boundary[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff,
                                        0x00800000, 0x3f3504f3, 0x3f3504f2, 0x3f800000, 0x3f800001,
                                        0x3f7fffff, 0x42b17217, 0x42b17218, 0xc2aeac50, 0xc2cff1b4,
                                        0xc2cff1b5, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000};
    for (size_t b = 0; b < sizeof boundary / sizeof boundary[0]; b++) {
        check_input(check, boundary[b]);
    }
    uint32_t distance = (uint32_t)(ALL_INPUTS / sample) | 1;
    for (uint64_t i = 0; i < sample; i++) {
        check_input(check, (uint32_t)i * distance);
    }
}

/* Runs in a child process: MPFR's caches and a fault stay there. */
static Found check_function(const Frozen *frozen, uint64_t sample, bool progress)
{
    Check check = {.frozen = frozen};
    sha256_init(&check.hash);
    mpfr_inits2(EXACT_BITS, check.argument, check.exact, check.difference, (mpfr_ptr)0);
    if (sample == 0) {
        check_all(&check, progress);
    } else {
        check_sample(&check, sample);
    }
    mpfr_clears(check.argument, check.exact, check.difference, (mpfr_ptr)0);
    return check.found;
}

typedef struct Worker {
    pid_t process;
    int answer; /* the end of a pipe that the worker's Found is read from */
} Worker;

static bool worker_start(Worker *worker, const Frozen *frozen, uint64_t sample, bool progress)
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    const pid_t parent = getpid();
    worker->process = fork();
    if (worker->process == 0) {
        close(ends[0]);
        platform_die_with_parent(parent, SIGKILL); /* a minute of work for a parent that is gone */
        Found found = check_function(frozen, sample, progress);
        _exit(write(ends[1], &found, sizeof found) == (ssize_t)sizeof found ? 0 : 1);
    }
    close(ends[1]);
    worker->answer = ends[0];
    return worker->process > 0;
}

static bool worker_answer(Worker *worker, Found *found)
{
    bool whole = read(worker->answer, found, sizeof *found) == (ssize_t)sizeof *found;
    int status;
    close(worker->answer);
    return waitpid(worker->process, &status, 0) == worker->process && status == 0 && whole;
}

/* NULL when what was found is what is frozen, else the first thing that is not. */
static const char *why_not_kept(const Frozen *frozen, const Found *found)
{
    if (found->library_wrong != 0) {
        return "the C library's binary64 function is off by more than one unit in the last place; no figure "
               "holds";
    }
    if (!(found->max_ulps <= frozen->max_ulps)) {
        return "a larger error than the one stated";
    }
    if (found->digest[0] == '\0') {
        return NULL;
    }
    if (found->misrounded != frozen->misrounded) {
        return "another number of incorrectly rounded results than the one stated";
    }
    return strcmp(found->digest, frozen->digest) == 0 ? NULL
                                                      : "the outputs differ from the frozen ones (digest)";
}

static void print_found(const Frozen *frozen, const Found *found, const char *why)
{
    printf("%s  %llu inputs, largest error %.6f ulp at %08x (%a), not correctly rounded %llu\n", frozen->name,
           (unsigned long long)found->inputs, found->max_ulps, (unsigned)found->max_at,
           (double)float_from(found->max_at), (unsigned long long)found->misrounded);
    if (found->digest[0]) {
        printf("     digest %s\n", found->digest);
    }
    printf("     %s%s\n", why ? "broken: " : "kept", why ? why : "");
}

static json_t *json_of_found(const Frozen *frozen, const Found *found, const char *why)
{
    json_t *ulps =
        isfinite(found->max_ulps) ? json_real(found->max_ulps) : json_null(); /* JSON has no infinity */
    return json_pack("{s:s s:I s:o s:I s:I s:s s:b s:s*}", "function", frozen->name, "inputs",
                     (json_int_t)found->inputs, "max_ulps", ulps, "max_at", (json_int_t)found->max_at,
                     "misrounded", (json_int_t)found->misrounded, "digest", found->digest, "kept",
                     why == NULL, "why", why);
}

typedef struct Options {
    uint64_t sample; /* 0: all inputs */
    bool json, quiet, help;
} Options;

static const char *const usage =
    "usage: samebits elementary [--sample N] [--json] [-q]\n"
    "Compares exp and log with MPFR over all 2^32 inputs (minutes), or over about N of them (1 to 2^31), "
    "and\n"
    "with the largest error and the digest that docs/elementary.md states. Exit status 1 when one differs.\n";

static bool read_sample(const char *text, uint64_t *sample)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    *sample = value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= 1 && value <= ALL_INPUTS / 2;
}

static bool read_options(int argc, char **argv, Options *options)
{
    for (int a = 1; a < argc; a++) {
        if (strcmp(argv[a], "--sample") == 0 && a + 1 < argc && read_sample(argv[a + 1], &options->sample)) {
            a++;
        } else if (strcmp(argv[a], "--json") == 0) {
            options->json = true;
        } else if (strcmp(argv[a], "-q") == 0) {
            options->quiet = true;
        } else if (strcmp(argv[a], "--help") == 0) {
            options->help = true;
        } else {
            fprintf(stderr, "samebits elementary: cannot use '%s'\n%s", argv[a], usage);
            return false;
        }
    }
    return true;
}

/* Starts every function, then collects: as many processes as functions. */
static int check_functions(const Options *options, json_t *results)
{
    Worker worker[FUNCTIONS];
    bool started[FUNCTIONS];
    int status = 0;
    for (int f = 0; f < FUNCTIONS; f++) {
        started[f] = worker_start(&worker[f], &frozen_rows[f], options->sample, !options->quiet);
    }
    for (int f = 0; f < FUNCTIONS; f++) {
        Found found = {0};
        const char *why = started[f] && worker_answer(&worker[f], &found)
                              ? why_not_kept(&frozen_rows[f], &found)
                              : "the process that checked it ended without an answer";
        status |= why != NULL;
        if (!options->json) {
            print_found(&frozen_rows[f], &found, why);
        }
        json_array_append_new(results, json_of_found(&frozen_rows[f], &found, why));
    }
    return status;
}

int command_elementary(int argc, char **argv)
{
    Options options = {0};
    if (!read_options(argc, argv, &options)) {
        return 2;
    }
    if (options.help) {
        fputs(usage, stdout);
        return 0;
    }
    fflush(NULL); /* or the children would print it again */
    json_t *results = json_array();
    int status = check_functions(&options, results);
    if (options.json) {
        json_dumpf(results, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(results);
    return status;
}
