/* run.c: samebits run, samebits verify, samebits bench. */
#include "command/stages.h"

#include "bench/figures.h"
#include "command/bundle.h"
#include "report/report.h"

#include <string.h>
#include <unistd.h>

static bool is_quiet(const Stages *stages)
{
    return stages->options->json || stages->options->quiet;
}

static void write_report(Stages *stages)
{
    const char *path = arena_printf(stages->arena, "%s/report.html", stages_folder(stages));
    const char *why = report_write_html(path, stages->manifest, stages->verify, stages->bench);
    if (why) {
        diagnostics_error(&stages->diagnostics, (Location){path, 0, 0}, "the report cannot be written: %s",
                          why);
        stages->status = EXIT_BROKEN;
    }
}

static void say_where(const Stages *stages)
{
    const char *folder = stages_folder(stages);
    printf("\nkernels       %s/*.c\npromises      %s/verify.json, %s/certificates/\ntimes         "
           "%s/bench.json\n"
           "report        %s/report.html\n",
           folder, folder, folder, folder, folder);
}

static void run(Stages *stages, const char *spec, json_t *results)
{
    if (!stages_read(stages, spec) || !stages_generate(stages) || !stages_compile(stages, true))
        return;
    if (!stages_verify(stages, true))
        return;
    stages_bench(stages);
    write_report(stages);
    json_array_append_new(results, json_pack("{s:O, s:O, s:O?}", "manifest", stages->manifest, "verify",
                                             stages->verify, "bench", stages->bench));
    if (is_quiet(stages))
        return;
    report_print_table(stdout, stages->manifest, stages->verify, stages->bench, stages_wants_color());
    say_where(stages);
}

static void verify(Stages *stages, const char *spec, json_t *results)
{
    if (!stages_read(stages, spec) || !stages_generate(stages) || !stages_compile(stages, true))
        return;
    if (!stages_verify(stages, true))
        return;
    json_array_append(results, stages->verify);
    if (!is_quiet(stages))
        report_print_table(stdout, stages->manifest, stages->verify, NULL, stages_wants_color());
}

static void bench(Stages *stages, const char *spec, json_t *results)
{
    if (!stages_read(stages, spec) || !stages_generate(stages) || !stages_compile(stages, true))
        return;
    if (!stages_verify(stages, false) || !stages_bench(stages))
        return;
    json_array_append(results, stages->bench);
    if (!is_quiet(stages))
        report_print_table(stdout, stages->manifest, stages->verify, stages->bench, stages_wants_color());
}

int command_run(const Options *options, Arena *arena)
{
    return stages_for_each_spec(options, arena, run);
}

int command_verify(const Options *options, Arena *arena)
{
    if (options->against)
        return command_verify_against(options, arena, options->against);
    return stages_for_each_spec(options, arena, verify);
}

/* Figures are facts about this machine: one that is not reached is shown, not an error. */
static int bench_figures(const Options *options, Arena *arena)
{
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    const char *folder = options->arguments ? options->argument[0] : "specs";
    json_t *figures =
        figures_measure(arena, &diagnostics, folder, options->out, !options->quiet && isatty(STDERR_FILENO));
    if (figures && options->json)
        json_dumpf(figures, stdout, JSON_INDENT(1));
    else if (figures)
        figures_print(stdout, figures);
    diagnostics_print(&diagnostics, stderr);
    json_decref(figures);
    return figures ? EXIT_KEPT : EXIT_BROKEN;
}

int command_bench(const Options *options, Arena *arena)
{
    if (options->figures)
        return bench_figures(options, arena);
    return stages_for_each_spec(options, arena, bench);
}
