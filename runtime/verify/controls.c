/* controls.c: each control meets the very check that must catch it, by the same code that checks every
 * variant. */
#include "verify/controls.h"

#include "driver/build.h"

#include <string.h>

enum { EXPECTED = 2 };

typedef struct ControlRow {
    const char *name;
    Promise expected[EXPECTED]; /* each of them must be broken */
    int count;
} ControlRow;

static const ControlRow control_rows[] = {
    {"allreduce", {PROMISE_RANKS}, 1},
    {"completion", {PROMISE_RUN}, 1},
    {"split(auto)", {PROMISE_BATCH, PROMISE_THREADS}, 2},
    {"swapped pair", {PROMISE_TREE}, 1},
};
const char *const control_names[] = {"allreduce", "completion", "split(auto)", "swapped pair", NULL};

static const ControlRow *control_row(const char *name)
{
    for (size_t i = 0; i < sizeof control_rows / sizeof *control_rows; i++)
        if (strcmp(control_rows[i].name, name) == 0)
            return &control_rows[i];
    return NULL;
}

static json_t *control_json(Arena *arena, const ControlRow *row, const char *caught_on, bool caught,
                            long cases, const char *detail)
{
    json_t *expected = json_array();
    for (int i = 0; i < row->count; i++)
        json_array_append_new(expected, json_string(promise_rows[row->expected[i]].name));
    (void)arena;
    return json_pack("{s:s, s:o, s:b, s:s, s:I, s:s*}", "control", row->name, "expected", expected, "caught",
                     caught, "on", caught_on, "cases", (json_int_t)cases, "detail", detail);
}

bool control_is_wanted(const Family *family, const char *name)
{
    bool ranks = false;
    for (int v = 0; v < family->variants; v++)
        ranks = ranks || family->variant[v].target->ranks;
    return ranks || strcmp(name, "allreduce") != 0;
}

json_t *control_missing_json(const char *name)
{
    return control_json(NULL, control_row(name), "", false, 0, "no such control was generated");
}

static Finding control_try(Arena *arena, const Verification *verification, const Variant *control,
                           Promise promise)
{
    Attempt attempt = {.variant = control,
                       .object =
                           build_object_path(arena, verification->family, control, verification->out_dir, 0),
                       .promise = promise_rows[promise].name,
                       .work = promise_rows[promise].work,
                       .patient = true,
                       .seconds = verification->seconds};
    return attempt_run(arena, &attempt);
}

static json_t *control_judge(Arena *arena, const Verification *verification, const Variant *control,
                             const ControlRow *row)
{
    const char *on = "", *detail = NULL;
    long cases = 0;
    bool caught = true;
    for (int i = 0; i < row->count; i++) {
        Finding finding = control_try(arena, verification, control, row->expected[i]);
        const char *name = promise_rows[row->expected[i]].name;
        bool here = finding.failed == NULL && finding.broken > 0;
        const char *seen = finding.failed != NULL ? finding.failed
                           : here                 ? finding.detail
                                                  : arena_printf(arena, "%s let it through", name);
        cases += finding.cases;
        caught = caught && here;
        on = here ? arena_printf(arena, "%s%s%s", on, on[0] ? ", " : "", name) : on;
        detail = detail == NULL ? seen : arena_printf(arena, "%s; %s", detail, seen);
        json_decref(finding.data);
    }
    return control_json(arena, row, on, caught, cases, detail);
}

json_t *control_verify(const Verification *verification, const Variant *control)
{
    Arena *arena = arena_create();
    const ControlRow *row = control_row(control->control);
    const char *missing = object_why_not(arena, verification, control, 0);
    const char *not_here = kernel_why_not_here(arena, control->target);
    json_t *result;
    if (missing != NULL || not_here != NULL)
        result = control_json(arena, row, "", false, 0, not_here != NULL ? not_here : missing);
    else
        result = control_judge(arena, verification, control, row);
    if (not_here != NULL) /* neither are the variants that it stands beside */
        json_object_set_new(result, "not_tried", json_string(not_here));
    arena_destroy(arena);
    return result;
}
