/* options.c: getopt_long over the global options; commands are rows of one table. */
#include "command/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const CommandRow command_rows[] = {
    {"bench", "SPEC... [--figures]",
     "time the variants fairly; --figures: the table of figures this project holds itself to", command_bench},
    {"bundle", "SPEC... -o DIR",
     "a folder that checks certificates on another machine with nothing but a driver", command_bundle},
    {"call", "SPEC x=x.npy ... -o y=y.npy", "run one variant on your own NumPy files", command_call},
    {"compile", "SPEC...", "generate, then compile with Ninja", command_compile},
    {"doctor", "", "what this machine can run, and why not the rest", command_doctor},
    {"elementary", "[--sample N]", "check exp and log against MPFR on every binary32 input",
     command_check_elementary},
    {"emulation", "SPEC...", "what it costs to emulate a GPU's kernels here, against scalar C",
     command_emulation},
    {"generate", "SPEC...", "write kernels, manifest.json and build.ninja", command_generate},
    {"list", "operators|terms|targets|variants [SPEC]", "what there is", command_list},
    {"run", "SPEC...", "the main job: generate, compile, verify, bench, report", command_run},
    {"tree", "TERM|SPEC [--leaves N] [--ascii]", "draw the order a term means", command_tree},
    {"verify", "SPEC... [--against FILE]", "check every promise of every variant", command_verify},
};
const int command_count = (int)(sizeof command_rows / sizeof *command_rows);

enum {
    OPTION_OUT = 256,
    OPTION_JSON,
    OPTION_LEAVES,
    OPTION_FIGURES,
    OPTION_ASCII,
    OPTION_SAMPLE,
    OPTION_THREADS,
    OPTION_PRINT,
    OPTION_VERSION,
    OPTION_AGAINST
};

static const struct option long_options[] = {{"against", required_argument, NULL, OPTION_AGAINST},
                                             {"ascii", no_argument, NULL, OPTION_ASCII},
                                             {"axis", required_argument, NULL, 'a'},
                                             {"figures", no_argument, NULL, OPTION_FIGURES},
                                             {"help", no_argument, NULL, 'h'},
                                             {"json", no_argument, NULL, OPTION_JSON},
                                             {"leaves", required_argument, NULL, OPTION_LEAVES},
                                             {"out", required_argument, NULL, OPTION_OUT},
                                             {"output", required_argument, NULL, 'o'},
                                             {"print", no_argument, NULL, OPTION_PRINT},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"sample", required_argument, NULL, OPTION_SAMPLE},
                                             {"threads", required_argument, NULL, OPTION_THREADS},
                                             {"verbose", no_argument, NULL, 'v'},
                                             {"version", no_argument, NULL, OPTION_VERSION},
                                             {NULL, 0, NULL, 0}};

static void print_all_help(void)
{
    printf("samebits: kernels whose bits are their contract\n\nusage: samebits COMMAND [ARGUMENT...] "
           "[OPTION...]\n\n");
    for (int i = 0; i < command_count; i++)
        printf("  %-11s %s\n", command_rows[i].name, command_rows[i].meaning);
    printf("\n`samebits COMMAND --help` says more.\n");
}

static void print_options(void)
{
    printf("\noptions\n"
           "  -a AXIS=VALUE[,VALUE]  override an axis of the spec; a comma inside parentheses does not "
           "separate.\n"
           "                         Axes:");
    for (int i = 0; family_axes[i]; i++)
        printf(" %s", family_axes[i]);
    printf("\n"
           "  --out DIR              folder of generated files (out)\n"
           "  --json                 results as JSON on standard output\n"
           "  -v, -q                 say more, say only what is wrong\n"
           "  --help, --version      this text; the version\n"
           "\nenvironment (docs/environment.md has all of it)\n"
           "  NO_COLOR                  no colour\n"
           "  OMP_NUM_THREADS           threads of kernels\n"
           "  SAMEBITS_CLANG, _GCC      the compilers of kernels (clang, gcc); split at blanks\n"
           "  SAMEBITS_NVCC             NVIDIA's compiler, where it is not found\n"
           "  SAMEBITS_COMPILE_SECONDS  limit of one compilation (60)\n"
           "  SAMEBITS_VERIFY_SECONDS   limit of all checks of one variant (120)\n"
           "  SAMEBITS_BENCH_SECONDS    how long timing one spec takes, about (24)\n"
           "  SAMEBITS_TEMPLATES        folder of the templates\n"
           "\nexit status: 0 all kept, 1 a promise broken or a stage failed, 2 bad usage or a bad spec\n");
}

static const CommandRow *command_named(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (!strcmp(command_rows[i].name, name))
            return &command_rows[i];
    return NULL;
}

static void print_command_extras(const char *name)
{
    if (!strcmp(name, "call"))
        printf(
            "\n  NAME=FILE.npy          an input: float32, little-endian, C order, the shape the spec names\n"
            "  NAME=NUMBER            a param of the operator\n"
            "  -o NAME=FILE.npy       where an output goes\n"
            "  --threads N            OpenMP threads (changes no bit)\n"
            "  -a target=avx2 ...     narrow down to one variant\n");
    if (!strcmp(name, "tree"))
        printf("\n  --leaves N             how many leaves to draw (16)\n  --ascii                no "
               "box-drawing characters\n");
    if (!strcmp(name, "elementary"))
        printf("\n  --sample N             only N inputs, evenly spread over all bit patterns\n");
    if (!strcmp(name, "generate"))
        printf("\n  --print                print the sources instead of writing them\n");
    if (!strcmp(name, "verify"))
        printf("\n  --against FILE         run this machine's kernels on the cases of a certificate and "
               "compare digests\n");
    if (!strcmp(name, "bench"))
        printf("\n  --figures              the table of figures this project holds itself to; takes no "
               "spec\n");
    if (!strcmp(name, "bundle"))
        printf("\n  -o DIR                 the folder to make\n");
    if (!strcmp(name, "list"))
        printf("\n  operators [FOLDER]     the specs of a folder (specs) and what they compute\n"
               "  targets, terms         what a spec can ask for\n"
               "  variants SPEC...       what a spec asks for, and what of it is skipped\n");
}

void options_print_help(const Options *options)
{
    const CommandRow *row = options->command ? command_named(options->command) : NULL;
    if (!row) {
        print_all_help();
        print_options();
        return;
    }
    printf("usage: samebits %s %s\n\n%s\n", row->name, row->arguments, row->meaning);
    print_command_extras(row->name);
    print_options();
}

static bool usage(Arena *arena, const char *format, const char *what)
{
    fprintf(stderr, "samebits: error: %s; `samebits --help` lists what there is\n",
            arena_printf(arena, format, what));
    return false;
}

static bool read_number(Arena *arena, const char *name, const char *text, long least, long most, long *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtol(text, &end, 10);
    if (errno || end == text || *end || *value < least || *value > most) {
        fprintf(stderr, "samebits: error: %s wants a whole number from %ld to %ld, not '%s'\n", name, least,
                most, text);
        return false;
    }
    (void)arena;
    return true;
}

static bool read_override(Options *options, Arena *arena, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return usage(arena, "-a wants AXIS=VALUE, not '%s'", text);
    if (options->overrides == OPTIONS_OVERRIDES)
        return usage(arena, "more than 16 -a options at '%s'", text);
    options->override[options->overrides++] =
        (AxisOverride){arena_copy_bytes(arena, text, (size_t)(equals - text)), arena_copy(arena, equals + 1)};
    return true;
}

static bool read_output(Options *options, Arena *arena, const char *text)
{
    if (!*text)
        return usage(arena, "-o wants NAME=FILE.npy (bundle: a folder), not '%s'", text);
    if (options->outputs == OPTIONS_OUTPUTS)
        return usage(arena, "more than 8 -o options at '%s'", text);
    options->output[options->outputs++] = text;
    return true;
}

static bool read_option(Options *options, Arena *arena, int option, const char *value)
{
    long number = 0;
    switch (option) {
    case 'a':
        return read_override(options, arena, value);
    case 'o':
        return read_output(options, arena, value);
    case OPTION_LEAVES:
        return read_number(arena, "--leaves", value, 0, 1000000, &options->leaves);
    case OPTION_SAMPLE:
        return read_number(arena, "--sample", value, 1, 1L << 32, &options->sample);
    case OPTION_THREADS:
        if (!read_number(arena, "--threads", value, 1, 1024, &number))
            return false;
        options->threads = (int)number;
        return true;
    default:
        break;
    }
    options->out = option == OPTION_OUT ? value : options->out;
    options->json |= option == OPTION_JSON;
    options->quiet |= option == 'q';
    options->verbose |= option == 'v';
    options->help |= option == 'h';
    options->figures |= option == OPTION_FIGURES;
    options->ascii |= option == OPTION_ASCII;
    options->print |= option == OPTION_PRINT;
    options->against = option == OPTION_AGAINST ? value : options->against;
    return true;
}

static bool unknown_option(const char *text)
{
    const char *names[sizeof long_options / sizeof *long_options];
    int count = 0;
    for (; long_options[count].name; count++)
        names[count] = long_options[count].name;
    names[count] = NULL;
    const char *bare = text;
    while (*bare == '-')
        bare++;
    const char *near = diagnostics_nearest(bare, names);
    fprintf(
        stderr,
        "samebits: error: option '%s' is unknown or lacks its value%s%s%s; `samebits --help` lists them\n",
        text, near ? " (did you mean '--" : "", near ? near : "", near ? "'?)" : "");
    return false;
}

static bool check_command(const Options *options)
{
    if (!options->command || command_named(options->command))
        return true;
    const char *names[sizeof command_rows / sizeof *command_rows + 1];
    for (int i = 0; i < command_count; i++)
        names[i] = command_rows[i].name;
    names[command_count] = NULL;
    const char *near = diagnostics_nearest(options->command, names);
    fprintf(stderr, "samebits: error: there is no command '%s'%s%s%s; `samebits --help` lists them\n",
            options->command, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return false;
}

/* A limit that cannot be read must not silently become another one. */
static bool check_seconds(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (!text || !*text)
        return true;
    double seconds = strtod(text, &end);
    if (end != text && !*end && seconds > 0 && seconds < 1e6)
        return true;
    fprintf(stderr, "samebits: error: the environment variable %s is '%s'; it wants seconds, such as 60\n",
            name, text);
    return false;
}

static bool check_environment(void)
{
    return check_seconds("SAMEBITS_COMPILE_SECONDS") && check_seconds("SAMEBITS_VERIFY_SECONDS") &&
           check_seconds("SAMEBITS_BENCH_SECONDS") && check_seconds("SAMEBITS_DEVICE_SECONDS");
}

bool options_read(Options *options, Arena *arena, int argc, char **argv)
{
    *options = (Options){.out = "out", .leaves = 16};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":a:o:qvh", long_options, NULL)) != -1;) {
        if (option == '?' || option == ':')
            return unknown_option(argv[optind - 1]);
        if (option == OPTION_VERSION) {
            printf("samebits 0.1.0\n");
            exit(EXIT_KEPT);
        }
        if (!read_option(options, arena, option, optarg))
            return false;
    }
    if (optind < argc)
        options->command = argv[optind++];
    options->argument = (const char *const *)argv + optind;
    options->arguments = argc - optind;
    return check_command(options) && (options->help || check_environment());
}
