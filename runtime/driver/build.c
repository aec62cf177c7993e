/* build.c: runs Ninja and says what each variant got.
 *
 * Ninja's lines are told from a compiler's by a status text that no compiler prints. A line of status
 * names the output it is about (each rule's description is $out) and ends the text of the one before;
 * "FAILED:" right behind it makes that text a reason.
 *
 * Each command runs under `timeout` (coreutils), which the shell puts before it when $SAMEBITS_LIMIT says so;
 * a machine without it still has the limit of the whole run. Libomp is the one OpenMP runtime: gcc only
 * compiles, clang links. */
#include "driver/build.h"

#include "driver/child.h"
#include "driver/explain.h"
#include "driver/kernel.h"
#include "driver/modules.h"
#include "report/progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TARGETS = 8 }; /* rows, controls or baselines that one run of ninja is asked for; at most */
static const char status_mark[] = "@samebits@";
static const double variant_seconds = 60, family_seconds = 120, family_seconds_each = 2;

/* One shared object that is wanted. */
typedef struct Item {
    const char *object; /* "obj/clang-O3/<id>.so", as ninja names it */
    const char *compiler, *source;
    const Target *target; /* NULL: a baseline */
    const char **why;     /* where the reason goes; NULL when there is none */
    bool mentioned;       /* ninja said something about it */
} Item;

typedef struct Run {
    Arena *arena;
    const char *folder; /* out/<family> */
    Item *item;         /* sorted by object */
    int items;
    double limit; /* seconds per command */
    Progress progress;
    bool progress_wanted, progress_started;
    int compiled;
    /* The chunk of output being read: what ninja says about one output. */
    char *output;
    bool failed, command_seen;
    Buffer text;
    const char *ninja_error;
} Run;

/* Paths and commands. */

const char *build_object_path(Arena *arena, const Family *family, const Variant *variant, const char *out_dir,
                              int build)
{
    return arena_printf(arena, "%s/%s/obj/%s/%s.so", out_dir, family->name,
                        build_row_name(variant->target, build), variant->id);
}

const char *build_header_path(Arena *arena, const Family *family, const Target *target, const char *out_dir,
                              int build)
{
    return arena_printf(arena, "%s/%s/obj/%s/%s.pch", out_dir, family->name, build_rows[build].name,
                        target->name);
}

const char *build_row_name(const Target *target, int build)
{
    return target->gpu ? module_row_names[build] : build_rows[build].name;
}

const char *build_device_path(Arena *arena, const Family *family, const Variant *variant, const char *out_dir)
{
    if (strcmp(variant->target->name, "cuda") == 0)
        return arena_printf(arena, "%s/%s/obj/ptx/%s.ptx", out_dir, family->name, variant->id);
    if (strcmp(variant->target->name, "metal") == 0)
        return arena_printf(arena, "%s/%s/%s", out_dir, family->name, variant->source);
    return build_object_path(arena, family, variant, out_dir, 0);
}

const char *build_baseline_path(Arena *arena, const Family *family, const char *out_dir, int baseline)
{
    return arena_printf(arena, "%s/%s/obj/%s/baseline_%s.so", out_dir, family->name,
                        baseline_rows[baseline].name, family->op->name);
}

const char *build_compiler_version(Arena *arena, const Family *family, const char *out_dir,
                                   const char *compiler)
{
    Buffer text = {0};
    const char *path = arena_printf(arena, "%s/%s/obj/%s.version", out_dir, family->name, compiler);
    const char *why = buffer_read_file(&text, path, 1 << 16);
    const char *line =
        why ? "" : arena_copy_bytes(arena, buffer_string(&text), strcspn(buffer_string(&text), "\n"));
    buffer_destroy(&text);
    return line;
}

/* What this machine has. */

/* NULL when the compiler's program is there, else why not. Asked of the shell, which also splits "ccache
 * clang". */
static const char *compiler_missing(Arena *arena, const char *compiler)
{
    const bool is_clang = strcmp(compiler, "clang") == 0;
    const char *const argv[] = {"sh", "-c",
                                is_clang ? "set -- ${SAMEBITS_CLANG:-clang}; command -v \"$1\" >/dev/null"
                                         : "set -- ${SAMEBITS_GCC:-gcc}; command -v \"$1\" >/dev/null",
                                NULL};
    Buffer ignored = {0};
    const char *why = child_exec(arena, (ChildLimits){10, 0}, argv, NULL, &ignored);
    buffer_destroy(&ignored);
    const char *variable = is_clang ? "SAMEBITS_CLANG" : "SAMEBITS_GCC";
    const char *named = getenv(variable);
    if (!why) {
        return NULL;
    }
    if (named && access(named, X_OK) == 0) {
        return arena_printf(
            arena,
            "skipped: %s is split at blanks ('ccache clang'), so '%s' is not one program: put "
            "its folder in PATH and give its name",
            variable, named);
    }
    return arena_printf(arena, "skipped: no compiler '%s' here: install %s, or name one in %s",
                        named && *named ? named : compiler, compiler, variable);
}

static double seconds_per_variant(void)
{
    const char *wanted = getenv("SAMEBITS_COMPILE_SECONDS");
    const double seconds = wanted ? strtod(wanted, NULL) : 0;
    return seconds > 0 && seconds < 1e6 ? seconds : variant_seconds;
}

/* "timeout -v -k 2 60", or "" where there is no such program. It is tried, not looked for: others (busybox)
 * know other options. -v names the time-out in the output, or a failure would look like any other. */
static const char *limit_command(Arena *arena, double seconds)
{
    const char *const argv[] = {"timeout", "-v", "-k", "2", "5", "true", NULL};
    Buffer ignored = {0};
    const char *why = child_exec(arena, (ChildLimits){10, 0}, argv, NULL, &ignored);
    buffer_destroy(&ignored);
    return why ? "" : arena_printf(arena, "timeout -v -k 2 %g", seconds);
}

/* Ninja's lines. */

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const Item *)a)->object, ((const Item *)b)->object);
}

/* The item whose shared object, or the object file on the way to it, is `output`. */
static Item *find_item(Run *run, const char *output)
{
    const size_t size = strcspn(output, " ");
    char *object = arena_copy_bytes(run->arena, output, size);
    if (size > 2 && strcmp(object + size - 2, ".o") == 0) {
        object = arena_printf(run->arena, "%.*s.so", (int)size - 2, object);
    }
    const Item key = {.object = object};
    return bsearch(&key, run->item, (size_t)run->items, sizeof *run->item, compare_items);
}

static const char *failure_reason(Run *run, const char *source)
{
    const char *text = buffer_string(&run->text);
    if (strstr(text, "timeout: sending signal")) {
        return arena_printf(run->arena, "the compiler gave no answer within %g s", run->limit);
    }
    return explain_compiler_output(run->arena, run->folder, source, text);
}

/* A compiler that cannot even say its version: nothing that needs it was tried. */
static bool fail_version(Run *run)
{
    static const char *const compilers[] = {"clang", "gcc"};
    for (int c = 0; c < 2; c++) {
        if (strcmp(run->output, arena_printf(run->arena, "obj/%s.version", compilers[c])) != 0) {
            continue;
        }
        const char *named = getenv(c == 0 ? "SAMEBITS_CLANG" : "SAMEBITS_GCC");
        const char *why = arena_printf(run->arena, "%s --version failed: %s",
                                       named && *named ? named : compilers[c], failure_reason(run, ""));
        for (int i = 0; i < run->items; i++) {
            /* clang links what gcc compiles */
            if ((c == 0 || strcmp(run->item[i].compiler, compilers[c]) == 0) && !*run->item[i].why) {
                *run->item[i].why = why;
            }
        }
        return true;
    }
    return false;
}

static void end_chunk(Run *run)
{
    if (run->output && run->failed && !fail_version(run)) {
        Item *item = find_item(run, run->output);
        if (item && !*item->why) {
            const char *not_here = item->target ? kernel_why_not_here(run->arena, item->target) : NULL;
            *item->why = not_here ? arena_printf(run->arena, "skipped: %s", not_here)
                                  : failure_reason(run, item->source);
        }
    }
    run->output = NULL;
    run->failed = run->command_seen = false;
    buffer_destroy(&run->text);
    run->text = (Buffer){0};
}

static bool is_shared_object(const char *output)
{
    const size_t size = strlen(output);
    return size > 3 && strcmp(output + size - 3, ".so") == 0;
}

/* "@samebits@ <finished> <total> obj/..." */
static void begin_chunk(Run *run, const char *line)
{
    char *rest;
    strtol(line + strlen(status_mark), &rest, 10);
    const long total = strtol(rest, &rest, 10);
    run->output = arena_copy(run->arena, rest + strspn(rest, " "));
    if (!run->progress_started) {
        progress_start(&run->progress, "compile", (int)total, run->progress_wanted);
        run->progress_started = true;
    }
    run->progress.total = (int)total; /* shrinks when a compiler's version turns out to be the old one */
    progress_step(&run->progress, run->output);
    Item *item = is_shared_object(run->output) ? find_item(run, run->output) : NULL;
    if (item) {
        item->mentioned = true;
        run->compiled++;
    }
}

static void read_line(void *context, const char *line)
{
    Run *run = context;
    if (strncmp(line, status_mark, strlen(status_mark)) == 0) {
        end_chunk(run);
        begin_chunk(run, line);
    } else if (strncmp(line, "ninja: ", 7) == 0) {
        end_chunk(run);
        if (strncmp(line, "ninja: error: ", 14) == 0 || strncmp(line, "ninja: fatal: ", 14) == 0) {
            run->ninja_error = arena_copy(run->arena, line);
        }
    } else if (run->output && !run->failed && strncmp(line, "FAILED: ", 8) == 0) {
        run->failed = true;
        run->compiled -= is_shared_object(run->output);
    } else if (run->output && run->failed && !run->command_seen) {
        run->command_seen = true; /* ninja repeats the command in one line */
    } else if (run->output) {
        buffer_printf(&run->text, "%s\n", line);
    }
}

/* Running. */

static const char *run_ninja(Run *run, const char *const targets[])
{
    enum { FIXED = 5 };
    const char *argv[FIXED + TARGETS + 1] = {"ninja", "-k", "0", "-C", run->folder};
    for (int i = 0; targets[i]; i++) {
        argv[FIXED + i] = targets[i];
    }
    const char *const environment[] = {
        arena_printf(run->arena, "NINJA_STATUS=%s %%f %%t ", status_mark),
        arena_printf(run->arena, "SAMEBITS_LIMIT=%s", limit_command(run->arena, run->limit)),
        "LC_ALL=C", /* messages that can be recognised */
        "CLICOLOR_FORCE=0",
        "TERM=dumb",
        NULL,
    };
    const double seconds = family_seconds + run->limit + family_seconds_each * run->items;
    Buffer output = {0};
    const char *why = child_exec_lines(run->arena, (ChildLimits){seconds, 0}, argv, NULL, environment,
                                       read_line, run, &output);
    end_chunk(run);
    progress_end(&run->progress);
    buffer_destroy(&output);
    return why;
}

/* Reasons for what ninja did not come to. True when it ended by itself. */
static bool settle(Run *run, const char *why)
{
    const bool ended = !why || strncmp(why, "exit status", 11) == 0;
    for (int i = 0; i < run->items; i++) {
        Item *item = &run->item[i];
        if (*item->why || (!ended && item->mentioned)) {
            continue;
        }
        if (!ended) {
            *item->why = arena_printf(run->arena, "not compiled: ninja gave up: %s", why);
        } else if (access(arena_printf(run->arena, "%s/%s", run->folder, item->object), R_OK) != 0) {
            *item->why = run->ninja_error ? run->ninja_error : "not compiled: something that it needs failed";
        }
    }
    return ended;
}

static bool report_ninja(Run *run, Diagnostics *diagnostics, const char *why)
{
    const Location nowhere = {0};
    if (why && strncmp(why, "cannot run", 10) == 0) {
        diagnostics_error(diagnostics, nowhere,
                          "ninja is missing, which compiles the kernels: install ninja-build");
        return false;
    }
    if (run->ninja_error) {
        diagnostics_error(diagnostics, nowhere, "%s (in %s; `samebits generate` writes what it needs)",
                          run->ninja_error, run->folder);
        return false;
    }
    return true;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool run_items(Run *run, Diagnostics *diagnostics, const char *const targets[])
{
    qsort(run->item, (size_t)run->items, sizeof *run->item, compare_items);
    run->limit = seconds_per_variant();
    const char *why = run_ninja(run, targets);
    settle(run, why);
    return report_ninja(run, diagnostics, why);
}

static void add_item(Run *run, const Build *row, const Variant *variant, const char **why)
{
    run->item[run->items++] = (Item){arena_printf(run->arena, "obj/%s/%s.so", row->name, variant->id),
                                     row->compiler,
                                     variant->source,
                                     variant->target,
                                     why,
                                     false};
}

static void add_row(Run *run, const Family *family, int row, BuildResult *result)
{
    for (int v = 0; v < family->variants; v++) {
        if (!family->variant[v].target->gpu) {
            add_item(run, &build_rows[row], &family->variant[v], &result->why[v * build_count + row]);
        }
    }
}

static void refuse_row(const Family *family, int row, const char *why, BuildResult *result)
{
    for (int v = 0; v < family->variants; v++) {
        result->why[v * build_count + row] = why;
    }
}

static void prepare_result(Arena *arena, const Family *family, BuildResult *result)
{
    *result = (BuildResult){0};
    result->why = ARENA_ARRAY(arena, const char *, (size_t)family->variants *(size_t)build_count + 1);
    result->control_why = ARENA_ARRAY(arena, const char *, (size_t)family->controls + 1);
}

/* The rows to build go to `targets`; the others get a reason. NULL, or why nothing can be built. */
static const char *choose_rows(Run *run, const Family *family, bool all_rows, BuildResult *result,
                               const char **targets)
{
    for (int b = 0; b < build_count; b++) {
        const char *why =
            b > 0 && !all_rows ? "not asked for" : compiler_missing(run->arena, build_rows[b].compiler);
        if (why && build_rows[b].needed) {
            return why + strlen("skipped: ");
        }
        if (why) {
            refuse_row(family, b, why, result);
        } else {
            add_row(run, family, b, result);
            *targets++ = build_rows[b].name;
        }
    }
    if (family->controls > 0) {
        *targets = "controls";
    }
    for (int c = 0; c < family->controls; c++) {
        add_item(run, &build_rows[0], &family->control[c], &result->control_why[c]);
    }
    return NULL;
}

static Run new_run(Arena *arena, const Family *family, const char *out_dir, bool progress, size_t items)
{
    return (Run){.arena = arena,
                 .folder = arena_printf(arena, "%s/%s", out_dir, family->name),
                 .item = ARENA_ARRAY(arena, Item, items),
                 .progress_wanted = progress};
}

bool build_run(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
               bool all_rows, bool progress, BuildResult *result)
{
    const double started = seconds_now();
    const size_t items = (size_t)family->variants * (size_t)build_count + (size_t)family->controls;
    Run run = new_run(arena, family, out_dir, progress, items + 1);
    prepare_result(arena, family, result);
    const char *targets[TARGETS + 1] = {0};
    const char *why = choose_rows(&run, family, all_rows, result, targets);
    if (why) {
        diagnostics_error(diagnostics, (Location){0}, "%s", why);
        return false;
    }
    const bool ran = run_items(&run, diagnostics, targets);
    result->compiled =
        run.compiled + modules_compile(arena, family, out_dir, all_rows, progress, result->why);
    result->seconds = seconds_now() - started;
    return ran;
}

bool build_run_baselines(Arena *arena, Diagnostics *diagnostics, const Family *family, const char *out_dir,
                         bool progress, const char **why)
{
    Run run = new_run(arena, family, out_dir, progress, (size_t)baseline_count);
    const char *source = arena_printf(arena, "baseline_%s.c", family->op->name);
    const char *targets[TARGETS + 1] = {0};
    int wanted = 0;
    for (int b = 0; b < baseline_count; b++) {
        const BaselineBuild *row = &baseline_rows[b];
        why[b] = compiler_missing(arena, row->compiler);
        if (!why[b]) {
            const char *object = arena_printf(arena, "obj/%s/baseline_%s.so", row->name, family->op->name);
            run.item[run.items++] = (Item){object, row->compiler, source, NULL, &why[b], false};
            targets[wanted++] = object;
        }
    }
    return wanted == 0 || run_items(&run, diagnostics, targets);
}
