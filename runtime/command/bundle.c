/* bundle.c: samebits bundle: kernels, certificates and a runner in one folder; samebits verify --against. */
#include "command/bundle.h"

#include "bundle/bundle.h"
#include "command/stages.h"

#include <string.h>

enum { LARGE_ROWS = 8192, LARGE_COLUMNS = 8192 };

/* ---- bundle ---- */

static int say_error(const char *why, int status)
{
    fprintf(stderr, "samebits: error: %s\n", why);
    return status;
}

static bool add_spec(Stages *stages, Bundle *bundle, const char *spec, json_t *left_out)
{
    if (!stages_read(stages, spec) || !stages_generate(stages) || !stages_compile(stages, true) ||
        !stages_verify(stages, false))
        return false;
    const char *why =
        bundle_add_family(stages->arena, bundle, stages->family, stages->options->out, left_out);
    if (why)
        stages->status = say_error(why, EXIT_BROKEN);
    return !why && stages->status == EXIT_KEPT;
}

static int add_specs(const Options *options, Bundle *bundle, json_t *left_out)
{
    int status = EXIT_KEPT;
    for (int i = 0; i < options->arguments; i++) {
        Stages stages;
        Arena *own = arena_create();
        stages_open(&stages, options, own);
        add_spec(&stages, bundle, options->argument[i], left_out);
        stages_close(&stages);
        status = stages.status > status ? stages.status : status;
        arena_destroy(own);
    }
    return status;
}

static void say_left_out(const json_t *left_out)
{
    const json_t *skip;
    size_t i;
    json_array_foreach(left_out, i, skip)
    {
        printf("%s: %s\n", json_string_value(json_object_get(skip, "what")),
               json_string_value(json_object_get(skip, "why")));
    }
}

static int finish(const Options *options, Bundle *bundle, const char *folder, const json_t *left_out)
{
    char digest[65] = "";
    const char *why = bundle_finish(bundle, digest);
    if (why)
        return say_error(why, EXIT_BROKEN);
    if (options->json)
        printf("{\"folder\": \"%s\", \"bundle\": \"%s\"}\n", folder, digest);
    else if (!options->quiet) {
        say_left_out(left_out);
        printf("%s/run checks it on another machine; %s/run --time also times it\nbundle %s\n", folder,
               folder, digest);
    }
    return EXIT_KEPT;
}

int command_bundle(const Options *options, Arena *arena)
{
    const char *why = NULL;
    if (!options->arguments || options->outputs != 1)
        return say_error("bundle wants specs and one folder: samebits bundle specs/rmsnorm.lua -o DIR",
                         EXIT_USAGE);
    const char *folder = options->output[0];
    const BundleOptions wanted = {LARGE_ROWS, LARGE_COLUMNS, options->verbose};
    Bundle *bundle = bundle_open(arena, folder, wanted, &why);
    if (!bundle)
        return say_error(why, EXIT_BROKEN);
    json_t *left_out = json_array();
    int status = add_specs(options, bundle, left_out);
    if (status == EXIT_KEPT)
        status = finish(options, bundle, folder, left_out);
    json_decref(left_out);
    bundle_close(bundle);
    return status;
}

/* ---- verify --against ---- */

static void say_checks(const json_t *result)
{
    const json_t *check;
    size_t i;
    printf("certificate %s (%s), contract %.16s...\n",
           json_string_value(json_object_get(result, "certificate")),
           json_string_value(json_object_get(result, "made_by")),
           json_string_value(json_object_get(result, "contract")));
    json_array_foreach(json_object_get(result, "checks"), i, check)
    {
        const json_t *cases = json_object_get(check, "cases");
        printf("%-58s %s", json_string_value(json_object_get(check, "id")),
               json_string_value(json_object_get(check, "status")));
        if (cases)
            printf(": %lld of %lld cases equal, %s",
                   (long long)json_integer_value(json_object_get(check, "equal")),
                   (long long)json_integer_value(cases), json_string_value(json_object_get(check, "where")));
        putchar('\n');
    }
}

static void check_spec(Stages *stages, const char *spec, const char *certificate)
{
    const char *why = NULL;
    if (!stages_read(stages, spec) || !stages_generate(stages) || !stages_compile(stages, false))
        return;
    json_t *result =
        bundle_check_against(stages->arena, stages->family, stages->options->out, certificate, 0, &why);
    if (!result) {
        stages->status = say_error(why, EXIT_BROKEN);
        return;
    }
    if (!json_is_true(json_object_get(result, "ok")))
        stages->status = EXIT_BROKEN;
    if (stages->options->json)
        stages_print_json(result);
    else if (!stages->options->quiet)
        say_checks(result);
    json_decref(result);
}

int command_verify_against(const Options *options, Arena *arena, const char *certificate)
{
    Stages stages;
    if (options->arguments != 1)
        return say_error("verify --against wants one spec: samebits verify specs/rmsnorm.lua --against FILE",
                         EXIT_USAGE);
    stages_open(&stages, options, arena);
    check_spec(&stages, options->argument[0], certificate);
    stages_close(&stages);
    return stages.status;
}
