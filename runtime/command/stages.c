/* stages.c: see stages.h. */
#include "command/stages.h"

#include "bench/bench.h"
#include "driver/build.h"
#include "emit/emit.h"
#include "platform/platform.h"
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void stages_open(Stages *stages, const Options *options, Arena *arena)
{
    *stages = (Stages){.options = options, .arena = arena, .status = EXIT_KEPT};
    diagnostics_init(&stages->diagnostics, arena);
}

void stages_close(Stages *stages)
{
    diagnostics_print(&stages->diagnostics, stderr);
    json_decref(stages->manifest);
    json_decref(stages->verify);
    json_decref(stages->bench);
}

static bool fail(Stages *stages, int status)
{
    if (stages->status < status)
        stages->status = status;
    return false;
}

const char *stages_folder(const Stages *stages)
{
    return arena_printf(stages->arena, "%s/%s", stages->options->out, stages->family->name);
}

bool stages_wants_progress(const Stages *stages)
{
    return !stages->options->quiet && isatty(STDERR_FILENO);
}

bool stages_wants_color(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

bool stages_read(Stages *stages, const char *spec)
{
    stages->family = (Family *)family_read(stages->arena, &stages->diagnostics, spec,
                                           stages->options->override, stages->options->overrides);
    return stages->family ? true : fail(stages, EXIT_USAGE);
}

static void say_skips(const Stages *stages)
{
    if (stages->options->quiet || stages->options->json)
        return;
    for (int i = 0; i < stages->family->skips; i++)
        printf("skipped: %s: %s\n", stages->family->skip[i].what, stages->family->skip[i].why);
}

/* Nothing was made: that is said, and why, even where other skips are not worth a word. */
static bool fail_empty(Stages *stages)
{
    const Family *family = stages->family;
    fprintf(stderr, "samebits: %s: no variant is left: everything asked for was skipped\n", family->spec);
    for (int i = 0; i < family->skips; i++)
        fprintf(stderr, "skipped: %s: %s\n", family->skip[i].what, family->skip[i].why);
    return fail(stages, EXIT_BROKEN);
}

bool stages_generate(Stages *stages)
{
    if (!emit_family(stages->arena, &stages->diagnostics, stages->family, stages->options->out))
        return fail(stages, EXIT_BROKEN);
    stages->manifest = emit_manifest(stages->arena, stages->family);
    if (!stages->family->variants)
        return fail_empty(stages);
    say_skips(stages);
    return true;
}

static void report_failures(Stages *stages, const BuildResult *result)
{
    for (int v = 0; v < stages->family->variants; v++) {
        const char *why = result->why[v * build_count];
        if (!why)
            continue;
        if (!strncmp(why, "skipped: ", 9)) { /* not possible here: seen, no failure */
            if (!stages->options->quiet && !stages->options->json)
                printf("skipped: %s: %s\n", stages->family->variant[v].id, why + 9);
            continue;
        }
        fprintf(stderr, "samebits: %s does not compile: %s\n", stages->family->variant[v].id, why);
        fail(stages, EXIT_BROKEN);
    }
}

bool stages_compile(Stages *stages, bool all_builds)
{
    BuildResult result;
    if (!build_run(stages->arena, &stages->diagnostics, stages->family, stages->options->out, all_builds,
                   stages_wants_progress(stages), &result))
        return fail(stages, EXIT_BROKEN);
    report_failures(stages, &result);
    if (!stages->options->quiet && !stages->options->json)
        printf("%s: %d variant%s, %d object%s compiled in %.1f s\n", stages->family->name,
               stages->family->variants, stages->family->variants == 1 ? "" : "s", result.compiled,
               result.compiled == 1 ? "" : "s", result.seconds);
    return true;
}

/* ---- is a verification still about these objects? ---- */

static bool same_variants(const json_t *verify, const Family *family)
{
    const json_t *list = json_object_get(verify, "variants");
    if ((int)json_array_size(list) != family->variants)
        return false;
    for (int v = 0; v < family->variants; v++) {
        const json_t *record = json_array_get(list, (size_t)v);
        const char *id = json_string_value(json_object_get(record, "id"));
        const char *digest = json_string_value(json_object_get(record, "contract"));
        if (!id || !digest || strcmp(id, family->variant[v].id) || strcmp(digest, family->variant[v].digest))
            return false;
    }
    return true;
}

static bool is_newer_than_objects(const Stages *stages, const char *path)
{
    const int64_t verified = platform_changed_at(path);
    for (int v = 0; v < stages->family->variants; v++) {
        const char *object = build_object_path(stages->arena, stages->family, &stages->family->variant[v],
                                               stages->options->out, 0);
        const int64_t made = platform_changed_at(object);
        if (made > verified || made < 0)
            return false;
    }
    const char *self = platform_program_path(stages->arena);
    return self != NULL && verified > platform_changed_at(self);
}

static json_t *known_verification(const Stages *stages)
{
    const char *path = arena_printf(stages->arena, "%s/verify.json", stages_folder(stages));
    json_t *verify = is_newer_than_objects(stages, path) ? json_load_file(path, 0, NULL) : NULL;
    if (verify && same_variants(verify, stages->family))
        return verify;
    json_decref(verify);
    return NULL;
}

bool stages_verify(Stages *stages, bool force)
{
    if (!force)
        stages->verify = known_verification(stages);
    if (!stages->verify)
        stages->verify =
            verify_family(stages->arena, &stages->diagnostics, stages->family, stages->options->out,
                          (VerifyOptions){stages_wants_progress(stages), 0});
    if (!stages->verify)
        return fail(stages, EXIT_BROKEN);
    if (!json_is_true(json_object_get(stages->verify, "ok")))
        fail(stages, EXIT_BROKEN);
    return true;
}

bool stages_bench(Stages *stages)
{
    const char *why[16] = {0};
    build_run_baselines(stages->arena, &stages->diagnostics, stages->family, stages->options->out,
                        stages_wants_progress(stages), why);
    stages->bench = bench_family(stages->arena, &stages->diagnostics, stages->family, stages->options->out,
                                 (BenchOptions){stages_wants_progress(stages), 0, 0, stages->verify});
    return stages->bench ? true : fail(stages, EXIT_BROKEN);
}

void stages_print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(1));
    putchar('\n');
}

int stages_for_each_spec(const Options *options, Arena *arena, SpecWork *work)
{
    int status = EXIT_KEPT;
    json_t *results = json_array();
    if (!options->arguments) {
        fprintf(stderr, "samebits: error: %s wants a spec, such as specs/rmsnorm.lua\n", options->command);
        status = EXIT_USAGE;
    }
    for (int i = 0; i < options->arguments; i++) {
        Stages stages;
        Arena *own = arena_create();
        stages_open(&stages, options, own);
        work(&stages, options->argument[i], results);
        stages_close(&stages);
        status = stages.status > status ? stages.status : status;
        arena_destroy(own);
    }
    if (options->json &&
        json_array_size(results)) /* one spec: its result; several: a list, failed ones left out */
        stages_print_json(options->arguments == 1 ? json_array_get(results, 0) : results);
    json_decref(results);
    (void)arena;
    return status;
}
