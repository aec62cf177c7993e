/* figures.c: the figures this project asks of itself.
 *
 * The best tree of a shape is chosen in one run and timed in another, in fresh processes, because the winner
 * of a selection is flattered. Every ratio is of times measured in turn in the same run; the asked figures
 * are ratios for that reason. */
#include "bench/figures.h"
#include "bench/figure.h"
#include "bench/line_up.h"
#include "bench/machine.h"
#include "bench/outcome.h"
#include "driver/build.h"
#include "driver/child.h"
#include "driver/kernel.h"
#include "emit/emit.h"
#include "platform/platform.h"
#include "text/buffer.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const double selection_seconds = 3.0, final_seconds = 5.0;
static const int selection_processes = 9;

/* ---- rows ---------------------------------------------------------------------------------------------- */

static void put_interval(json_t *row, const Figure *figure)
{
    if (isfinite(figure->low) && isfinite(figure->high) && figure->high > 0.0) {
        json_object_set_new(row, "low", json_real(figure->low));
        json_object_set_new(row, "high", json_real(figure->high));
    }
}

void figure_put(Figures *figures, Figure figure)
{
    json_t *row = json_pack("{s:s, s:f, s:b, s:s}", "work", figure.work, "asked", figure.asked, "at_most",
                            figure.at_most, "unit", figure.unit);
    if (isfinite(figure.value)) {
        bool reached = figure.at_most ? figure.value <= figure.asked
                                      : figure.value >= figure.asked * (1.0 - figure.leeway);
        json_object_set_new(row, "value", json_real(figure.value));
        put_interval(row, &figure);
        json_object_set_new(row, "reached", json_boolean(reached));
    } else {
        json_object_set_new(row, "reached", json_null());
    }
    if (figure.note != NULL)
        json_object_set_new(row, "note", json_string(figure.note));
    json_array_append_new(figures->rows, row);
}

void figure_put_unmeasured(Figures *figures, const char *work, double asked, const char *unit,
                           const char *why)
{
    figure_put(figures, (Figure){.work = work, .asked = asked, .unit = unit, .value = NAN, .note = why});
}

/* ---- a spec, built
 * ----------------------------------------------------------------------------------------- */

/* NULL after reporting. A family read for figures is this function's own; emit_family may turn variants into
 * skips. */
Family *figure_build_spec(Figures *figures, const char *spec, const AxisOverride *overrides, int count)
{
    Arena *arena = figures->arena;
    const char *path = arena_printf(arena, "%s/%s.lua", figures->spec_dir, spec);
    Family *family = (Family *)family_read(arena, figures->diagnostics, path, overrides, count);
    if (family == NULL || !emit_family(arena, figures->diagnostics, family, figures->out_dir))
        return NULL;
    BuildResult result;
    if (!build_run(arena, figures->diagnostics, family, figures->out_dir, false, figures->progress.shown,
                   &result))
        return NULL;
    const char **why = ARENA_ARRAY(arena, const char *, (size_t)baseline_count);
    build_run_baselines(arena, figures->diagnostics, family, figures->out_dir, figures->progress.shown, why);
    return family;
}

/* ---- is it right?
 * -------------------------------------------------------------------------------------------- */

typedef struct Check {
    const Operator *op;
    const BenchEntry *entry;
    const Variant *variant;
    const char *trouble;
} Check;

enum { CHECK_SIZE = 77 }; /* of every dim: no multiple of a vector */

static void run_check(void *context, FILE *out)
{
    const Check *check = context;
    const Operator *op = check->op;
    Arena *arena = arena_create();
    kernel_prepare_thread();
    const char *why = NULL;
    Kernel *kernel = kernel_open(arena, check->entry->path, check->entry->symbol, op, &why);
    CallData call = {0};
    for (int d = 0; d < op->dims; d++)
        call.shape.size[d] = CHECK_SIZE;
    for (int i = 0; i < op->inputs; i++) {
        size_t elements = tensor_elements(&op->input[i], &call.shape);
        float *input = ARENA_ARRAY(arena, float, elements);
        inputs_fill(input, elements, CHECK_SIZE, INPUT_MIXED, (uint64_t)i + 1);
        call.input[i] = input;
    }
    for (int p = 0; p < op->params; p++)
        call.param[p] = op->param[p].value;
    size_t elements = tensor_elements(&op->output[0], &call.shape);
    float *expected = ARENA_ARRAY(arena, float, elements), *got = ARENA_ARRAY(arena, float, elements);
    call.output[0] = expected;
    reference_evaluate(op, check->variant->tree, check->variant->accumulator, &call, 1);
    call.output[0] = got;
    if (kernel != NULL)
        kernel_call(kernel, &call);
    fprintf(out, kernel != NULL && memcmp(expected, got, elements * sizeof *got) == 0 ? "right" : "wrong");
}

/* Only right kernels count. This is a glance; `samebits verify` is the proof. */
static bool is_right(Figures *figures, const Operator *op, const BenchEntry *entry, const Variant *variant)
{
    Check check = {.op = op, .entry = entry, .variant = variant};
    Buffer text = {0};
    const char *why = child_run(figures->arena, (ChildLimits){.seconds = 20}, run_check, &check, &text);
    bool right = why == NULL && strcmp(buffer_string(&text), "right") == 0;
    buffer_destroy(&text);
    return right;
}

/* ---- one shape: choose, then time again
 * ------------------------------------------------------------------------ */

typedef struct Site {
    const Family *family;
    Shape shape;
    LineUp line_up;
    Pass pass;
    int best, rival; /* entries; rival: the fastest whose order is not fixed, or -1 */
} Site;

static BenchTask describe_task(const Figures *figures, const Family *family, const LineUp *line_up,
                               Shape shape, double seconds)
{
    Work work = work_count(family->op, &shape);
    return (BenchTask){.op = family->op,
                       .shape = shape,
                       .data = INPUT_NORMAL,
                       .entry = line_up->entry,
                       .entries = line_up->entries,
                       .baseline = line_up->baseline,
                       .baseline_again = line_up->baseline_again,
                       .threads = figures->machine.threads,
                       .cache_bytes = figures->machine.cache_bytes,
                       .clock_tick_ns = figures->machine.clock_tick_ns,
                       .memory_gbs = figures->machine.copy_gbs,
                       .cold = work.bytes_in + work.bytes_out > (double)figures->machine.cache_bytes,
                       .seldom_from = 8.0,
                       .processes = measure_processes(line_up_comparisons(line_up)),
                       .seconds = seconds};
}

static bool is_vector_variant(const void *context, const Variant *variant)
{
    (void)context;
    return variant->target->width > 1;
}

/* By ratios within each process: where a process's buffers happen to lie moves the times of all its entries,
 * by more than trees differ. */
static int find_fastest(Figures *figures, const LineUp *line_up, const Times *times, bool fixed)
{
    int fastest = -1;
    double most = -INFINITY;
    for (int e = 0; e < line_up->entries; e++) {
        if (line_up->variant[e] == NULL || !times_has(times, e) ||
            term_is_fixed(line_up->variant[e]->tree) != fixed)
            continue;
        const double speed = times_ratio(figures->arena, times, line_up->baseline, -1, e, 1).median;
        if (fastest < 0 || speed > most) {
            most = speed;
            fastest = e;
        }
    }
    return fastest;
}

typedef struct Finalists {
    const Variant *variant[2];
} Finalists;

static bool is_finalist(const void *context, const Variant *variant)
{
    const Finalists *finalists = context;
    return variant == finalists->variant[0] || variant == finalists->variant[1];
}

/* All vector variants for a short time: who goes on? */
static Finalists select_finalists(Figures *figures, const Family *family, Shape shape, const char **why)
{
    Finalists finalists = {0};
    LineUp line_up =
        line_up_create(figures->arena, family, figures->out_dir, (LineUpChoice){.wants = is_vector_variant});
    *why = line_up.baseline < 0 ? "nothing was built" : NULL;
    if (*why == NULL) {
        BenchTask task = describe_task(figures, family, &line_up, shape, selection_seconds);
        task.processes = selection_processes;
        Times times = measure_run(figures->arena, &task, NULL, &figures->progress);
        *why = times.why;
        for (int fixed = 0; fixed < 2 && times.why == NULL; fixed++) {
            int fastest = find_fastest(figures, &line_up, &times, fixed);
            if (fastest >= 0)
                finalists.variant[fixed] = line_up.variant[fastest];
        }
    }
    if (*why == NULL && finalists.variant[1] == NULL)
        *why = "no vector variant of this spec runs here";
    line_up_destroy(&line_up);
    return finalists;
}

/* NULL when done, else why nothing was measured. */
static const char *time_site(Figures *figures, Site *site, const Family *family, size_t rows, size_t cols)
{
    const char *why = NULL;
    *site = (Site){.family = family, .shape = {{rows, cols}}, .best = -1, .rival = -1};
    if (family == NULL)
        return "the spec could not be generated and compiled";
    Finalists finalists = select_finalists(figures, family, site->shape, &why);
    if (why != NULL)
        return why;
    site->line_up =
        line_up_create(figures->arena, family, figures->out_dir,
                       (LineUpChoice){.wants = is_finalist, .context = &finalists, .with_peers = true});
    BenchTask *task = ARENA_NEW(figures->arena, BenchTask);
    *task = describe_task(figures, family, &site->line_up, site->shape, final_seconds);
    site->pass = outcome_time_pass(figures->arena, task, NULL, line_up_comparisons(&site->line_up),
                                   &figures->progress);
    site->best = line_up_find(&site->line_up, finalists.variant[1]->id);
    site->rival = finalists.variant[0] ? line_up_find(&site->line_up, finalists.variant[0]->id) : -1;
    if (site->pass.times.why != NULL)
        return site->pass.times.why;
    if (!is_right(figures, family->op, &site->line_up.entry[site->best], finalists.variant[1]))
        return "the fastest kernel does not return what the reference evaluator does";
    return NULL;
}

/* ---- figures of one site
 * ------------------------------------------------------------------------------------------ */

typedef struct Against {
    const char *entry; /* id in the line-up; "copy", "read": the fastest of the run */
    double asked;
    bool as_fast; /* the noise floor is allowed for */
    const char *words;
} Against;

static const char *find_opponent(Figures *figures, const Site *site, const char *id)
{
    if (strcmp(id, "copy") == 0)
        return memory_kind_name(outcome_fastest_copy(figures->arena, &site->pass));
    if (strcmp(id, "read") == 0)
        return memory_kind_name(outcome_fastest_read(figures->arena, &site->pass));
    return id;
}

static const char *describe_site(Figures *figures, const Site *site, const char *words)
{
    return arena_printf(figures->arena, "%s avx2, %zu x %zu, %s", site->family->op->name, site->shape.size[0],
                        site->shape.size[1], words);
}

static void put_site_figure(Figures *figures, const Site *site, const Against *against)
{
    const char *work = describe_site(figures, site, against->words);
    int opponent = line_up_find(&site->line_up, find_opponent(figures, site, against->entry));
    const Times *times = &site->pass.times;
    assert(times->warmup != NULL && site->line_up.variant != NULL && site->best >= 0); /* time_site's */
    if (opponent < 0 || !times_has(times, opponent)) {
        const char *why = opponent < 0 ? "it is not installed here" : times->warmup[opponent].why;
        figure_put_unmeasured(figures, work, against->asked, "times as fast", why);
        return;
    }
    bool is_baseline = opponent == site->line_up.baseline;
    Ratio ratio =
        times_ratio(figures->arena, times, opponent, is_baseline ? site->line_up.baseline_again : -1,
                    site->best, site->pass.comparisons);
    const char *tree = term_short_text(figures->arena, site->line_up.variant[site->best]->tree);
    double floor = expm1(site->pass.noise_floor);
    figure_put(figures, (Figure){.work = work,
                                 .unit = "times as fast",
                                 .asked = against->asked,
                                 .value = exp(ratio.median),
                                 .low = exp(ratio.interval.low),
                                 .high = exp(ratio.interval.high),
                                 .leeway = against->as_fast ? floor : 0.0,
                                 .note = arena_printf(figures->arena, "%s; noise floor %.1f %%", tree,
                                                      100.0 * floor)});
}

static void put_site(Figures *figures, const Family *family, const char *name, size_t rows, size_t cols,
                     const Against *against, int count)
{
    Site site;
    const char *why = time_site(figures, &site, family, rows, cols);
    for (int i = 0; i < count; i++) {
        if (why == NULL) {
            put_site_figure(figures, &site, &against[i]);
            continue;
        }
        const char *work =
            arena_printf(figures->arena, "%s avx2, %zu x %zu, %s", name, rows, cols, against[i].words);
        figure_put_unmeasured(figures, work, against[i].asked, "times as fast", why);
    }
    if (site.line_up.skipped != NULL)
        line_up_destroy(&site.line_up);
}

/* ---- the table of figures
 * --------------------------------------------------------------------------------------------- */

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void put_rmsnorm(Figures *figures)
{
    static const Against small[] = {{"fastmath", 1.0, true, "against clang -Ofast"},
                                    {"fastmath-gcc", 1.5, false, "against gcc -Ofast"}};
    static const Against large[] = {{"fastmath", 1.2, false, "against clang -Ofast"},
                                    {"copy", 0.9, false, "of the fastest copy of the run"}};
    const Family *family = figure_build_spec(figures, "rmsnorm", NULL, 0);
    put_site(figures, family, "rmsnorm", 64, 4096, small, COUNT(small));
    put_site(figures, family, "rmsnorm", 512, 1024, small, COUNT(small));
    put_site(figures, family, "rmsnorm", 256, 512, small, COUNT(small));
    put_site(figures, family, "rmsnorm", 4096, 4096, large, COUNT(large));
}

static void put_sum(Figures *figures)
{
    static const Against row[] = {{"read", 0.95, false, "of the fastest read of the run"}};
    put_site(figures, figure_build_spec(figures, "sum", NULL, 0), "sum", 1, (size_t)64 << 20, row,
             COUNT(row));
}

static void put_softmax_and_layernorm(Figures *figures)
{
    static const Against softmax[] = {
        {"fastmath-libmvec", 1.0, true, "against clang -Ofast with libmvec's expf"},
        {"fastmath", 3.0, false, "against clang -Ofast with scalar expf"},
        {"onednn", 1.2, false, "against oneDNN held to AVX2"}};
    static const Against peer[] = {{"onednn", 1.2, false, "against oneDNN held to AVX2"}};
    const Family *family = figure_build_spec(figures, "softmax", NULL, 0);
    put_site(figures, family, "softmax", 512, 1024, softmax, COUNT(softmax));
    put_site(figures, family, "softmax", 4096, 4096, peer, COUNT(peer));
    family = figure_build_spec(figures, "layernorm", NULL, 0);
    put_site(figures, family, "layernorm", 512, 1024, peer, COUNT(peer));
    put_site(figures, family, "layernorm", 4096, 4096, peer, COUNT(peer));
}

/* Orders that promise nothing or little, beside the ones that are fixed: is anything gained by giving up the
 * order? */
static const char free_orders[] = "chunk(1024, lanes(32), pairwise), lanes(32), chunk(256, lanes(32), seq), "
                                  "chunk(1024, lanes(32), completion), chunk(256, lanes(32), completion), "
                                  "split(auto, lanes(32), seq), split(auto, lanes(32), completion)";

static void put_determinism(Figures *figures, const char *spec, size_t rows, size_t cols)
{
    const AxisOverride overrides[] = {{"tree", free_orders}, {"target", "avx2"}};
    const char *work = arena_printf(
        figures->arena, "%s avx2, %zu x %zu, fixed order against the fastest of any kind", spec, rows, cols);
    Site site;
    const char *why =
        time_site(figures, &site, figure_build_spec(figures, spec, overrides, COUNT(overrides)), rows, cols);
    if (why == NULL && site.rival < 0)
        why = "no variant without a fixed order could be timed";
    if (why != NULL) {
        figure_put_unmeasured(figures, work, 0.98, "times as fast", why);
        return;
    }
    Ratio ratio =
        times_ratio(figures->arena, &site.pass.times, site.rival, -1, site.best, site.pass.comparisons);
    const char *fixed = term_short_text(figures->arena, site.line_up.variant[site.best]->tree);
    const char *rival = term_short_text(figures->arena, site.line_up.variant[site.rival]->tree);
    figure_put(figures, (Figure){.work = work,
                                 .unit = "times as fast",
                                 .asked = 0.98,
                                 .value = exp(ratio.median),
                                 .low = exp(ratio.interval.low),
                                 .high = exp(ratio.interval.high),
                                 .note = arena_printf(figures->arena, "%s against %s", fixed, rival)});
    line_up_destroy(&site.line_up);
}

/* ---- generating
 * ------------------------------------------------------------------------------------------------------- */

/* 125 chunk sizes, two lane counts, two outer shapes, two targets: 1,000 variants. */
static const char *thousand_trees(Arena *arena)
{
    Buffer text = {0};
    buffer_append_string(&text, "tree=");
    for (int size = 1; size <= 125; size++)
        for (int lanes = 16; lanes <= 32; lanes += 16)
            for (int outer = 0; outer < 2; outer++)
                buffer_printf(&text, "%schunk(%d, lanes(%d), %s)", text.size > 5 ? ", " : "", 32 * size,
                              lanes, outer ? "pairwise" : "seq");
    char *list = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    return list;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct Generation {
    double seconds, megabytes;
    const char *why;
} Generation;

/* This program, started anew, as a user starts it: its peak memory is then its own. child_exec does not give
 * a child's memory. */
static Generation generate_once(Figures *figures, int time)
{
    const char *self = platform_program_path(figures->arena);
    if (self == NULL)
        return (Generation){.why = "this program cannot find itself"};
    const char *spec = arena_printf(figures->arena, "%s/rmsnorm.lua", figures->spec_dir);
    const char *out = arena_printf(figures->arena, "%s/thousand-%d", figures->out_dir, time);
    const char *trees = thousand_trees(figures->arena);
    double begin = seconds_now();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(self, self, "generate", spec, "-a", trees, "-a", "target=c,avx2", "--out", out, "-q",
              (char *)NULL);
        _exit(127);
    }
    int status = -1;
    struct rusage usage = {0};
    if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        return (Generation){.why = "`samebits generate` failed"};
    return (Generation){.seconds = seconds_now() - begin,
                        .megabytes = platform_peak_bytes(&usage) / 1048576.0};
}

/* The median of three: what a run wrote before may still be on its way to the disk when the first begins. */
static Generation time_generation(Figures *figures)
{
    enum { TIMES = 3 };
    double seconds[TIMES];
    Generation generation = {0};
    for (int i = 0; i < TIMES && generation.why == NULL; i++) {
        const Generation once = generate_once(figures, i);
        seconds[i] = once.seconds;
        generation.why = once.why;
        generation.megabytes = once.megabytes > generation.megabytes ? once.megabytes : generation.megabytes;
    }
    generation.seconds = generation.why == NULL ? statistics_median(seconds, TIMES) : NAN;
    return generation;
}

static void put_generation(Figures *figures)
{
    Generation generation = time_generation(figures);
    bool failed = generation.why != NULL;
    figure_put(figures, (Figure){.work = "generating 1,000 variants, time",
                                 .unit = "s",
                                 .asked = 2.0,
                                 .at_most = true,
                                 .value = failed ? NAN : generation.seconds,
                                 .note = generation.why});
    figure_put(figures, (Figure){.work = "generating 1,000 variants, memory",
                                 .unit = "MB",
                                 .asked = 100.0,
                                 .at_most = true,
                                 .value = failed ? NAN : generation.megabytes,
                                 .note = generation.why});
}

/* ---- compiling
 * -------------------------------------------------------------------------------------------------------- */

static double children_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

typedef struct Compilation {
    double seconds; /* processor time of everything that ran: the same on one core and on many */
    int objects;    /* 0: nothing was compiled */
} Compilation;

/* All objects of the row that is timed, again; with `header` also what is precompiled for them. */
static Compilation compile_again(Figures *figures, const Family *family, bool header)
{
    BuildResult result = {0};
    for (int v = 0; v < family->variants; v++)
        remove(build_object_path(figures->arena, family, &family->variant[v], figures->out_dir, 0));
    if (header)
        remove(build_header_path(figures->arena, family, family->variant[0].target, figures->out_dir, 0));
    const double before = children_seconds();
    const bool ran =
        build_run(figures->arena, figures->diagnostics, family, figures->out_dir, false, false, &result);
    return (Compilation){children_seconds() - before, ran ? result.compiled : 0};
}

/* Per object; the precompiled header is there already, and what it cost is said beside. */
static void put_compilation(Figures *figures)
{
    Figure figure = {.work = "compiling one variant (rmsnorm avx2)",
                     .unit = "s",
                     .asked = 0.3,
                     .at_most = true,
                     .value = NAN,
                     .note = "nothing was compiled"};
    const AxisOverride overrides[] = {{"target", "avx2"}};
    const Family *family = figure_build_spec(figures, "rmsnorm", overrides, COUNT(overrides));
    const Compilation objects = family ? compile_again(figures, family, false) : (Compilation){0};
    const Compilation all = objects.objects > 0 ? compile_again(figures, family, true) : (Compilation){0};
    if (objects.objects > 0 && all.objects > 0) {
        const double each = objects.seconds / objects.objects;
        figure.value = each;
        figure.note = arena_printf(figures->arena,
                                   "%d objects with the family's precompiled header, which takes %.2f s once",
                                   objects.objects, fmax(all.seconds - each * all.objects, 0.0));
    }
    figure_put(figures, figure);
}

/* ---- all
 * --------------------------------------------------------------------------------------------------------------
 */

static const char *write_json(Figures *figures, const json_t *all)
{
    char *text = json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (text == NULL)
        arena_out_of_memory();
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    buffer_append_string(&buffer, "\n");
    const char *why =
        buffer_write_file(&buffer, arena_printf(figures->arena, "%s/figures.json", figures->out_dir));
    buffer_destroy(&buffer);
    free(text);
    return why;
}

enum { RUNS_OF_A_SITE = 2, SITES = 12, ENTRIES_ABOUT = 20 };

json_t *figures_measure(Arena *arena, Diagnostics *diagnostics, const char *spec_dir, const char *out_dir,
                        bool progress)
{
    Figures figures = {.arena = arena,
                       .diagnostics = diagnostics,
                       .spec_dir = spec_dir,
                       .out_dir = arena_printf(arena, "%s/figures", out_dir),
                       .rows = json_array()};
    mkdir(out_dir, 0777);
    mkdir(figures.out_dir, 0777);
    ProcessorTime before = machine_processor_time();
    put_generation(&figures);
    put_compilation(&figures);
    figures.machine = machine_examine(arena, kernel_default_threads());
    progress_start(&figures.progress, "figures", SITES * RUNS_OF_A_SITE * ENTRIES_ABOUT, progress);
    put_rmsnorm(&figures);
    put_sum(&figures);
    put_softmax_and_layernorm(&figures);
    put_determinism(&figures, "rmsnorm", 64, 4096);
    put_determinism(&figures, "rmsnorm", 512, 1024);
    put_determinism(&figures, "sum", 1, (size_t)64 << 20);
    put_rank_figures(&figures);
    progress_end(&figures.progress);
    machine_note_steal(arena, &figures.machine, before);
    json_t *all = json_pack("{s:i, s:o, s:o}", "version", 1, "machine", machine_to_json(&figures.machine),
                            "figures", figures.rows);
    const char *why = write_json(&figures, all);
    if (why != NULL)
        diagnostics_error(diagnostics, (Location){0}, "figures: %s", why);
    return all;
}

/* ---- printing
 * ---------------------------------------------------------------------------------------------------------
 */

static const char *reached_text(const json_t *row)
{
    const json_t *reached = json_object_get(row, "reached");
    return json_is_true(reached) ? "reached" : json_is_false(reached) ? "NOT REACHED" : "not measured";
}

static void print_row(FILE *stream, const json_t *row)
{
    char measured[64] = "", asked[32];
    bool at_most = json_is_true(json_object_get(row, "at_most"));
    snprintf(asked, sizeof asked, "%s %g",
             at_most ? "<=" : ">=", json_number_value(json_object_get(row, "asked")));
    if (json_object_get(row, "low") != NULL)
        snprintf(
            measured, sizeof measured, "%.3f  [%.3f, %.3f]", json_number_value(json_object_get(row, "value")),
            json_number_value(json_object_get(row, "low")), json_number_value(json_object_get(row, "high")));
    else if (json_object_get(row, "value") != NULL)
        snprintf(measured, sizeof measured, "%.3f %s", json_number_value(json_object_get(row, "value")),
                 json_string_value(json_object_get(row, "unit")));
    const char *note = json_string_value(json_object_get(row, "note"));
    fprintf(stream, "  %-72s %-8s %-24s %-13s %s\n", json_string_value(json_object_get(row, "work")), asked,
            measured, reached_text(row), note ? note : "");
}

static void print_machine(FILE *stream, const json_t *machine)
{
    fprintf(stream, "  %s, %lld threads, %s\n", json_string_value(json_object_get(machine, "cpu")),
            (long long)json_integer_value(json_object_get(machine, "threads")),
            json_string_value(json_object_get(machine, "compiler")));
    fprintf(
        stream,
        "  read %.1f, copy %.1f, copy around the cache %.1f GB/s; multiply-add %.0f GFLOP/s on all threads\n",
        json_number_value(json_object_get(machine, "read_gbs")),
        json_number_value(json_object_get(machine, "copy_gbs")),
        json_number_value(json_object_get(machine, "copy_stream_gbs")),
        json_number_value(json_object_get(machine, "fma_gflops_all")));
    size_t index;
    json_t *advice;
    json_array_foreach(json_object_get(machine, "advice"), index, advice)
        fprintf(stream, "  note: %s\n", json_string_value(advice));
}

int figures_print(FILE *stream, const json_t *all)
{
    int reached = 0, missed = 0, unmeasured = 0;
    size_t index;
    json_t *row;
    print_machine(stream, json_object_get(all, "machine"));
    fprintf(stream, "\n  %-72s %-8s %-24s\n", "work", "asked", "measured  [interval]");
    json_array_foreach(json_object_get(all, "figures"), index, row)
    {
        const json_t *state = json_object_get(row, "reached");
        reached += json_is_true(state);
        missed += json_is_false(state);
        unmeasured += json_is_null(state);
        print_row(stream, row);
    }
    fprintf(stream, "\n  %d figures reached, %d not reached, %d not measured\n", reached, missed, unmeasured);
    return missed;
}
