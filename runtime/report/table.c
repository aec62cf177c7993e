/* table.c: what a run found, as text for a terminal.
 *
 * Invariant: everything that was skipped, broken or left out is said; nothing is shown as kept that was not
 * tried. Texts from files are made printable first. */
#include "report/facts.h"
#include "report/format.h"
#include "report/grid.h"
#include "report/notes.h"
#include "report/ranks.h"
#include "report/report.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DEFAULT_WIDTH = 110,
    MINIMUM_WIDTH = 60,
    TREE_COLUMNS = 44,
    METHOD_TREE_COLUMNS = 36,
    LABEL_COLUMNS = 28,
    RANK_TREE_COLUMNS = 22
};
static const char indent[] = "  ";

typedef struct Table {
    Arena *arena;
    FILE *stream;
    Facts facts;
    bool color;
    int width;
} Table;

static const char *inked(const Table *table, Ink ink, const char *text)
{
    return ink_text(table->arena, ink, table->color, text);
}

static int stream_width(FILE *stream)
{
    struct winsize size = {0};
    int file = fileno(stream);
    if (file < 0 || !isatty(file) || ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_WIDTH;
    return size.ws_col < MINIMUM_WIDTH ? MINIMUM_WIDTH : size.ws_col;
}

static Ink state_ink(PromiseState state)
{
    static const Ink ink[PROMISE_STATES] = {
        [PROMISE_BROKEN] = INK_BAD,     [PROMISE_KEPT] = INK_GOOD,     [PROMISE_NOT_PROMISED] = INK_FAINT,
        [PROMISE_NOT_TRIED] = INK_WARN, [PROMISE_VACUOUS] = INK_FAINT,
    };
    return ink[state];
}

static Ink verdict_ink(const char *verdict)
{
    if (strcmp(verdict, "FASTER") == 0)
        return INK_GOOD;
    if (strcmp(verdict, "SLOWER") == 0)
        return INK_BAD;
    return strcmp(verdict, "UNRESOLVED") == 0 ? INK_WARN : INK_PLAIN;
}

/* Which columns the main grid has. */
typedef struct MainColumns {
    int label, target, tree, accumulator, ulps, shape;
    int promise[PROMISES]; /* -1: not shown */
    size_t shapes;
} MainColumns;

enum { SHAPE_FIRST, SHAPE_TIME, SHAPE_RATIO, SHAPE_VERDICT, SHAPE_CELLS };

static bool any_label(const json_t *variants)
{
    for (size_t i = 0; i < json_array_size(variants); i++)
        if (*facts_text(json_array_get(variants, i), "label"))
            return true;
    return false;
}

static void add_shape_columns(const Table *table, Grid *grid, const json_t *shape)
{
    const char *group = format_printable(table->arena, format_shape_place(table->arena, shape));
    const bool on_device = json_is_string(json_object_get(shape, "device"));
    grid_add_column(grid, group, "first call", GRID_RIGHT, 3, false);
    grid_add_column(grid, group, "time", GRID_RIGHT, 2, false);
    grid_add_column(grid, group, on_device ? "of copy" : "ratio", GRID_RIGHT, 2, false);
    grid_add_column(grid, group, "verdict", GRID_LEFT, 1, false);
}

static MainColumns add_main_columns(const Table *table, Grid *grid)
{
    MainColumns columns = {.label = -1, .ulps = -1};
    const json_t *shapes = facts_shapes(&table->facts);
    if (any_label(facts_variants(&table->facts)))
        columns.label = grid_add_column(grid, "", "method", GRID_LEFT, 0, true);
    columns.target = grid_add_column(grid, "", "target", GRID_LEFT, columns.label < 0 ? 0 : 2, true);
    columns.tree = grid_add_column(grid, "", "tree", GRID_LEFT, 2, true);
    columns.accumulator = grid_add_column(grid, "", "acc", GRID_LEFT, 2, true);
    if (table->facts.verify) {
        for (int p = 0; p < PROMISES; p++)
            columns.promise[p] = !facts_shows_promise(&table->facts, p)
                                     ? -1
                                     : grid_add_column(grid, "promises", promise_labels[p].brief, GRID_LEFT,
                                                       p == 0 ? 3 : 1, false);
        columns.ulps = grid_add_column(grid, "promises", "max ulps", GRID_RIGHT, 2, false);
    }
    columns.shapes = json_array_size(shapes);
    columns.shape = columns.ulps >= 0 ? columns.ulps + 1 : columns.accumulator + 1;
    for (size_t s = 0; s < columns.shapes; s++)
        add_shape_columns(table, grid, json_array_get(shapes, s));
    return columns;
}

static void set_promises(Grid *grid, const MainColumns *columns, const json_t *verified)
{
    for (int p = 0; p < PROMISES; p++) {
        PromiseState state = facts_promise(verified, promise_labels[p].name);
        if (columns->promise[p] >= 0)
            grid_set(grid, columns->promise[p], state_ink(state), promise_state_rows[state].mark);
    }
}

static void set_entry(const Table *table, Grid *grid, int column, const json_t *entry, bool fastest)
{
    Arena *arena = table->arena;
    const json_t *ratio = json_object_get(entry, "ratio");
    const char *verdict = format_printable(arena, facts_text(entry, "verdict"));
    grid_set(grid, column + SHAPE_FIRST, INK_FAINT,
             format_duration(arena, facts_number(entry, "first_call_ns")));
    grid_set(grid, column + SHAPE_TIME, fastest ? INK_STRONG : INK_PLAIN,
             format_duration(arena, facts_number(entry, "median_ns")));
    if (!json_is_object(ratio))
        return;
    /* A device has no plain loop to be held against: its own copy bandwidth is. */
    grid_set(grid, column + SHAPE_RATIO, INK_PLAIN,
             json_is_object(json_object_get(entry, "device"))
                 ? format_percent(arena, facts_number(entry, "share_of_copy"))
                 : format_ratio(arena, facts_number(ratio, "value")));
    grid_set(grid, column + SHAPE_VERDICT, verdict_ink(verdict), verdict);
}

static const char *tree_of(const json_t *variant)
{
    const char *brief = facts_text(variant, "tree_short");
    return *brief ? brief : facts_text(variant, "tree");
}

static void add_variant_row(const Table *table, Grid *grid, const MainColumns *columns, const json_t *variant)
{
    Arena *arena = table->arena;
    const json_t *verified = facts_verified(&table->facts, variant);
    grid_add_row(grid);
    if (columns->label >= 0)
        grid_set(grid, columns->label, INK_STRONG,
                 format_elided(arena, facts_text(variant, "label"), LABEL_COLUMNS));
    grid_set(grid, columns->target, INK_PLAIN,
             format_elided(arena, facts_target(arena, variant), LABEL_COLUMNS));
    grid_set(grid, columns->tree, INK_PLAIN, format_elided(arena, tree_of(variant), TREE_COLUMNS));
    grid_set(grid, columns->accumulator, INK_PLAIN,
             format_printable(arena, facts_text(variant, "accumulator")));
    if (columns->ulps >= 0) {
        set_promises(grid, columns, verified);
        const json_t *ulps = json_object_get(json_object_get(verified, "error"), "max_ulps");
        grid_set(grid, columns->ulps, INK_PLAIN, format_ulps(arena, ulps));
    }
    for (size_t s = 0; s < columns->shapes; s++) {
        const json_t *shape = json_array_get(facts_shapes(&table->facts), s);
        const json_t *entry = facts_entry(shape, variant);
        int column = columns->shape + (int)s * SHAPE_CELLS;
        if (entry)
            set_entry(table, grid, column, entry, entry == facts_fastest(shape));
        else
            grid_set(grid, column + SHAPE_TIME, INK_FAINT, "not timed");
    }
}

/* The rows that are not variants: what the variants are compared with. One row per entry, made at the first
 * shape that has it. */
static void add_further_row(const Table *table, Grid *grid, const MainColumns *columns, const json_t *entry)
{
    Arena *arena = table->arena;
    const char *name = *facts_text(entry, "label") ? facts_text(entry, "label") : facts_text(entry, "id");
    grid_add_row(grid);
    grid_set(grid, columns->target, INK_FAINT,
             format_elided(arena, facts_text(entry, "kind"), LABEL_COLUMNS));
    grid_set(grid, columns->tree, INK_FAINT, format_elided(arena, name, TREE_COLUMNS));
    for (size_t s = 0; s < columns->shapes; s++) {
        const json_t *same = facts_entry_like(json_array_get(facts_shapes(&table->facts), s), entry);
        if (same)
            set_entry(table, grid, columns->shape + (int)s * SHAPE_CELLS, same, false);
    }
}

static bool seen_before(const json_t *shapes, size_t shape, const json_t *entry)
{
    for (size_t s = 0; s < shape; s++)
        if (facts_entry_like(json_array_get(shapes, s), entry))
            return true;
    return false;
}

static void add_further_rows(const Table *table, Grid *grid, const MainColumns *columns)
{
    const json_t *shapes = facts_shapes(&table->facts);
    grid_add_rule(grid);
    for (size_t s = 0; s < columns->shapes; s++) {
        const json_t *entries = json_object_get(json_array_get(shapes, s), "entries");
        for (size_t e = 0; e < json_array_size(entries); e++) {
            const json_t *entry = json_array_get(entries, e);
            if (!facts_entry_is(entry, "variant") && !seen_before(shapes, s, entry))
                add_further_row(table, grid, columns, entry);
        }
    }
}

static void add_noise_row(const Table *table, Grid *grid, const MainColumns *columns)
{
    if (columns->shapes == 0)
        return;
    grid_add_row(grid);
    grid_set(grid, columns->tree, INK_FAINT, "noise floor of the run");
    for (size_t s = 0; s < columns->shapes; s++) {
        double noise = facts_number(json_array_get(facts_shapes(&table->facts), s), "noise_floor");
        if (isfinite(noise))
            grid_set(grid, columns->shape + (int)s * SHAPE_CELLS + SHAPE_RATIO, INK_FAINT,
                     arena_printf(table->arena, "±%s", format_percent(table->arena, noise)));
    }
}

static int main_rows(const Facts *facts)
{
    size_t rows = json_array_size(facts_variants(facts)) + 1;
    for (size_t s = 0; s < json_array_size(facts_shapes(facts)); s++)
        rows += json_array_size(json_object_get(json_array_get(facts_shapes(facts), s), "entries"));
    return (int)rows;
}

static void print_main_grid(const Table *table)
{
    const json_t *variants = facts_variants(&table->facts);
    int shapes = (int)json_array_size(facts_shapes(&table->facts));
    Grid *grid = grid_create(table->arena, 5 + PROMISES + shapes * SHAPE_CELLS, main_rows(&table->facts));
    MainColumns columns = add_main_columns(table, grid);
    for (size_t i = 0; i < json_array_size(variants); i++)
        add_variant_row(table, grid, &columns, json_array_get(variants, i));
    add_further_rows(table, grid, &columns);
    add_noise_row(table, grid, &columns);
    grid_print(grid, table->stream, table->width, table->color, indent);
}

static void print_heading(const Table *table, const char *text)
{
    fprintf(table->stream, "\n%s%s\n", indent, inked(table, INK_STRONG, text));
}

/* Words wrapped at the table's width, further lines indented by `hang`. */
static void print_wrapped(const Table *table, const char *lead, const char *text, int hang)
{
    text = format_printable(table->arena, text);
    fprintf(table->stream, "%s%s", indent, lead);
    int column = (int)strlen(indent) + format_columns(lead), gap = 0;
    while (*text) {
        size_t bytes = strcspn(text, " ");
        const char *word = arena_copy_bytes(table->arena, text, bytes);
        int width = format_columns(word);
        if (column + gap + width > table->width && column > hang) {
            fprintf(table->stream, "\n%*s", hang, "");
            column = hang;
            gap = 0;
        }
        fprintf(table->stream, "%*s%s", gap, "", word);
        column += gap + width;
        text += bytes;
        gap = *text ? 1 : 0;
        text += strspn(text, " ");
    }
    fputc('\n', table->stream);
}

static void print_title(const Table *table)
{
    const json_t *manifest = table->facts.manifest ? table->facts.manifest : table->facts.verify;
    const char *family = format_printable(table->arena, facts_text(manifest, "family"));
    const char *text = facts_text(json_object_get(manifest, "operator"), "text");
    fprintf(table->stream, "\n%s%s\n", indent, inked(table, INK_STRONG, *family ? family : "(no family)"));
    if (*text)
        print_wrapped(table, "", text, (int)strlen(indent) + 2);
    fputc('\n', table->stream);
}

static bool has_device_shape(const Facts *facts)
{
    for (size_t s = 0; s < json_array_size(facts_shapes(facts)); s++)
        if (json_is_string(json_object_get(json_array_get(facts_shapes(facts), s), "device")))
            return true;
    return false;
}

static void print_legend(const Table *table)
{
    Arena *arena = table->arena;
    if (!table->facts.verify || json_array_size(facts_variants(&table->facts)) == 0)
        return;
    fputc('\n', table->stream);
    static const PromiseState shown[] = {PROMISE_KEPT, PROMISE_BROKEN, PROMISE_NOT_TRIED};
    fputs(indent, table->stream);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const PromiseStateRow *row = &promise_state_rows[shown[i]];
        fprintf(table->stream, "%s %s   ", inked(table, state_ink(row->state), row->mark), row->name);
    }
    fprintf(table->stream, "%s not promised, or the check was vacuous\n", inked(table, INK_FAINT, "–"));
    const char *text = "";
    for (int p = 0; p < PROMISES; p++)
        if (facts_shows_promise(&table->facts, p))
            text = arena_printf(arena, "%s%s%s %s", text, p ? " · " : "", promise_labels[p].brief,
                                promise_labels[p].meaning);
    print_wrapped(table, "", text, (int)strlen(indent));
    if (table->facts.bench)
        print_wrapped(
            table, "",
            "first call: in a fresh process, warm-up and all; time: settled; ratio: time of the plain "
            "loop at -Ofast (fastmath) over this time, above 1 is faster",
            (int)strlen(indent));
    if (has_device_shape(&table->facts))
        print_wrapped(
            table, "",
            "of copy, on a device: share of the bandwidth of its own copies; verdict: against the first "
            "kernel there",
            (int)strlen(indent));
}

/* What a mark alone does not say: failures, broken promises, and why something was not tried. */
static void print_trouble(const Table *table, PromiseState state, const char *name, const char *who,
                          const char *why, bool *headed)
{
    if (!*headed)
        print_heading(table, "not kept, or not shown");
    *headed = true;
    Ink ink = state == PROMISE_BROKEN ? INK_BAD : INK_WARN;
    const char *text = arena_printf(table->arena, "%s  %s", who, why);
    fprintf(table->stream, "%s%s  %s\n", indent, inked(table, ink, name),
            format_printable(table->arena, text));
}

static void print_troubles_of(const Table *table, size_t index, bool *headed)
{
    const json_t *variant = json_array_get(facts_variants(&table->facts), index);
    const json_t *verified = facts_verified(&table->facts, variant);
    const char *failure = facts_text(verified, "failure"), *id = facts_text(variant, "id");
    if (!verified)
        return;
    if (*failure)
        print_trouble(table, PROMISE_BROKEN, "failed", id, failure, headed);
    for (int p = 0; p < PROMISES; p++) {
        const char *name = promise_labels[p].name;
        PromiseState state = facts_promise(verified, name);
        if (state == PROMISE_KEPT || state == PROMISE_NOT_PROMISED)
            continue;
        if (*failure && state == PROMISE_NOT_TRIED)
            continue; /* the failure is the reason, and it was said */
        size_t alike = facts_promise_alike(&table->facts, index, name);
        if (alike == 0)
            continue; /* said with the first that is like it */
        const char *detail = facts_text(facts_promise_detail(verified, name), "detail");
        const char *reason = facts_promise_reason(verified, name);
        const char *why = arena_printf(table->arena, "%s%s%s%s%s", promise_state_rows[state].name,
                                       *reason ? ": " : "", reason, *detail ? ": " : "", detail);
        const char *who = alike > 1 ? arena_printf(table->arena, "%s and %zu more", id, alike - 1) : id;
        print_trouble(table, state, name, who, why, headed);
    }
}

static void print_troubles(const Table *table)
{
    const json_t *variants = facts_variants(&table->facts);
    bool headed = false;
    for (size_t i = 0; i < json_array_size(variants); i++)
        print_troubles_of(table, i, &headed);
}

static void print_controls(const Table *table)
{
    const json_t *controls = facts_controls(&table->facts);
    if (json_array_size(controls) == 0)
        return;
    print_heading(table, "negative controls: kernels that verification must catch");
    for (size_t i = 0; i < json_array_size(controls); i++) {
        const json_t *control = json_array_get(controls, i);
        bool caught = facts_true(control, "caught");
        if (*facts_text(control, "not_tried")) {
            const char *why = arena_printf(table->arena, "%s  not tried: %s", facts_text(control, "control"),
                                           facts_text(control, "not_tried"));
            fprintf(table->stream, "%s%s %s\n", indent, inked(table, INK_WARN, "?"),
                    format_printable(table->arena, why));
            continue;
        }
        const char *text = arena_printf(table->arena, "%s  %s", facts_text(control, "control"),
                                        caught ? "caught" : "NOT CAUGHT: this verification shows nothing");
        if (caught && *facts_text(control, "on"))
            text = arena_printf(table->arena, "%s on %s", text, facts_text(control, "on"));
        fprintf(table->stream, "%s%s %s\n", indent,
                inked(table, caught ? INK_GOOD : INK_BAD, caught ? "✓" : "✗"),
                format_printable(table->arena, text));
    }
}

static void print_notes(const Table *table, const char *heading, Notes notes, bool judged)
{
    for (int i = 0; i < notes.count; i++) {
        const Note *note = &notes.item[i];
        if (i == 0)
            print_heading(table, heading);
        if (judged)
            fprintf(table->stream, "%s%s", indent,
                    inked(table, note->bad ? INK_BAD : INK_GOOD, note->bad ? "✗" : "✓"));
        const char *text = arena_printf(table->arena, "%s: %s", note->head, note->text);
        print_wrapped(table, "", judged ? arena_printf(table->arena, "%s: %s", note->text, note->head) : text,
                      (int)strlen(indent) + 2);
    }
}

static void print_skipped(const Table *table)
{
    const json_t *skipped = facts_skipped(&table->facts);
    for (size_t i = 0; i < json_array_size(skipped); i++) {
        const json_t *skip = json_array_get(skipped, i);
        if (i == 0)
            print_heading(table, "skipped");
        const char *text =
            arena_printf(table->arena, "%s: %s", facts_text(skip, "what"), facts_text(skip, "why"));
        print_wrapped(table, "", text, (int)strlen(indent) + 2);
    }
}

static void print_methods(const Table *table, const json_t *rows)
{
    Arena *arena = table->arena;
    Grid *grid = grid_create(arena, 7, (int)json_array_size(rows));
    static const char *const title[] = {"method",        "tree",          "time",    "run to run",
                                        "from standard", "deterministic", "max ulps"};
    for (int c = 0; c < 7; c++)
        grid_add_column(grid, "", title[c], c >= 2 && c != 5 ? GRID_RIGHT : GRID_LEFT, c ? 2 : 0, c == 0);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        bool fixed = facts_true(row, "deterministic");
        grid_add_row(grid);
        grid_set(grid, 0, INK_STRONG, format_elided(arena, facts_text(row, "label"), LABEL_COLUMNS));
        grid_set(grid, 1, INK_PLAIN, format_elided(arena, facts_text(row, "tree"), METHOD_TREE_COLUMNS));
        grid_set(grid, 2, INK_PLAIN, format_duration(arena, facts_number(row, "time_ns")));
        grid_set(grid, 3, INK_PLAIN, format_small(arena, facts_number(row, "run_to_run_max")));
        grid_set(grid, 4, INK_PLAIN, format_small(arena, facts_number(row, "from_standard_max")));
        grid_set(grid, 5, fixed ? INK_GOOD : INK_BAD, fixed ? "yes" : "no");
        grid_set(grid, 6, INK_PLAIN, format_ulps(arena, json_object_get(row, "max_ulps")));
    }
    grid_print(grid, table->stream, table->width, table->color, indent);
}

static void set_batch_cell(const Table *table, Grid *grid, int column, const json_t *row)
{
    if (!row) {
        grid_set(grid, column, INK_FAINT, "–");
        return;
    }
    bool same = facts_true(row, "invariant");
    const char *text = same ? "✓ same"
                            : arena_printf(table->arena, "✗ %.0f of %.0f rows",
                                           facts_number(row, "rows_differing"), facts_number(row, "rows"));
    grid_set(grid, column, same ? INK_GOOD : INK_BAD, text);
}

static void print_batches(const Table *table, const json_t *rows)
{
    Arena *arena = table->arena;
    BatchMatrix matrix;
    facts_batch_matrix(rows, &matrix);
    Grid *grid = grid_create(arena, 2 + FACTS_BATCHES, matrix.methods);
    grid_add_column(grid, "", "method", GRID_LEFT, 0, true);
    grid_add_column(grid, "", "tree", GRID_LEFT, 2, true);
    for (int b = 0; b < matrix.batches; b++)
        grid_add_column(grid, "", arena_printf(arena, "batch %d", matrix.batch[b]), GRID_LEFT, 2, false);
    for (int m = 0; m < matrix.methods; m++) {
        grid_add_row(grid);
        grid_set(grid, 0, INK_STRONG,
                 format_elided(arena, facts_text(matrix.method[m], "label"), LABEL_COLUMNS));
        grid_set(grid, 1, INK_PLAIN,
                 format_elided(arena, facts_text(matrix.method[m], "tree"), METHOD_TREE_COLUMNS));
        for (int b = 0; b < matrix.batches; b++)
            set_batch_cell(table, grid, 2 + b, facts_batch_row(rows, matrix.method[m], matrix.batch[b]));
    }
    grid_print(grid, table->stream, table->width, table->color, indent);
    if (matrix.left_out)
        fprintf(table->stream, "%s%d more rows are in bench.json\n", indent, matrix.left_out);
}

static void print_compare(const Table *table)
{
    const json_t *compare = json_object_get(table->facts.bench, "compare");
    const json_t *rows = json_object_get(compare, "rows");
    if (json_array_size(rows) == 0)
        return;
    bool methods = strcmp(facts_text(compare, "kind"), "methods") == 0;
    print_heading(table, methods ? "methods compared" : "rows alone against rows in a batch");
    if (*facts_text(compare, "difference"))
        print_wrapped(table, "", facts_text(compare, "difference"), (int)strlen(indent));
    if (methods)
        print_methods(table, rows);
    else
        print_batches(table, rows);
    const char *verdict = facts_text(compare, methods ? "recommendation" : "finding");
    if (*verdict) {
        fputc('\n', table->stream);
        print_wrapped(table, methods ? "recommendation: " : "finding: ", verdict, (int)strlen(indent) + 2);
    }
}

static void print_ranks(const Table *table)
{
    const json_t *ranks = json_object_get(table->facts.bench, "ranks"),
                 *rows = json_object_get(ranks, "rows");
    Grid *grid = grid_create(table->arena, RANK_CELLS, (int)json_array_size(rows));
    if (json_array_size(rows) == 0)
        return;
    print_heading(table, "ranks");
    for (int c = 0; c < RANK_CELLS; c++)
        grid_add_column(grid, "", rank_titles[c], c < RANK_RANKS ? GRID_LEFT : GRID_RIGHT, c ? 2 : 0,
                        c <= RANK_RANKS);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const RankRow row = rank_row(table->arena, ranks, i);
        grid_add_row(grid);
        for (int c = 0; c < RANK_CELLS; c++)
            grid_set(grid, c, c == RANK_RANKS && row.oversubscribed ? INK_WARN : INK_PLAIN,
                     c == RANK_TREE ? format_elided(table->arena, row.cell[c], RANK_TREE_COLUMNS)
                                    : row.cell[c]);
    }
    grid_print(grid, table->stream, table->width, table->color, indent);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const RankRow row = rank_row(table->arena, ranks, i);
        if (row.failure != NULL)
            print_wrapped(table, "not timed: ",
                          arena_printf(table->arena, "%s, %.0f ranks: %s",
                                       facts_text(json_array_get(rows, i), "id"),
                                       facts_number(json_array_get(rows, i), "ranks"), row.failure),
                          (int)strlen(indent) + 2);
    }
    print_wrapped(table, "", rank_note(table->arena, ranks), (int)strlen(indent));
}

static void print_machine(const Table *table)
{
    Arena *arena = table->arena;
    const json_t *machine = facts_machine(&table->facts);
    if (!table->facts.bench || !machine)
        return;
    double copy = facts_number(machine, "copy_gbs"), stream = facts_number(machine, "copy_stream_gbs");
    if (stream > copy)
        copy = stream;
    const char *text = arena_printf(arena, "%s, %.0f threads, %s; copy %s GB/s, read %s GB/s",
                                    facts_text(machine, "cpu"), facts_number(machine, "threads"),
                                    facts_text(machine, "compiler"), format_significant(arena, copy),
                                    format_significant(arena, facts_number(machine, "read_gbs")));
    fputc('\n', table->stream);
    print_wrapped(table, "measured on ", text, (int)strlen(indent) + 2);
    const json_t *advice = json_object_get(machine, "advice");
    for (size_t i = 0; i < json_array_size(advice); i++) {
        const char *line = json_string_value(json_array_get(advice, i));
        if (line)
            print_wrapped(table, "advice: ", line, (int)strlen(indent) + 2);
    }
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print_verdict(const Table *table)
{
    Arena *arena = table->arena;
    Summary sum = facts_summary(&table->facts);
    if (!table->facts.verify) {
        print_heading(table, "not verified: nothing here says that a promise is kept");
        return;
    }
    size_t broken = sum.state[PROMISE_BROKEN], lost = sum.controls - sum.caught;
    const char *text = arena_printf(
        arena, "%zu variant%s: %zu promise%s kept, %zu broken, %zu vacuous, %zu not tried", sum.variants,
        plural(sum.variants), sum.state[PROMISE_KEPT], plural(sum.state[PROMISE_KEPT]), broken,
        sum.state[PROMISE_VACUOUS], sum.state[PROMISE_NOT_TRIED]);
    if (sum.failed)
        text = arena_printf(arena, "%s; %zu variant%s failed", text, sum.failed, plural(sum.failed));
    text = arena_printf(arena, "%s; %zu of %zu controls caught", text, sum.caught, sum.controls);
    bool good = broken == 0 && sum.failed == 0 && lost == 0;
    fprintf(table->stream, "\n%s%s\n", indent, inked(table, good ? INK_GOOD : INK_BAD, text));
}

void report_print_table(FILE *stream, const json_t *manifest, const json_t *verify, const json_t *bench,
                        bool color)
{
    Arena *arena = arena_create();
    Table table = {arena, stream, {manifest, verify, bench}, color, stream_width(stream)};
    print_title(&table);
    if (json_array_size(facts_variants(&table.facts)) == 0)
        fprintf(stream, "%sno variants\n", indent);
    else
        print_main_grid(&table);
    print_legend(&table);
    print_troubles(&table);
    print_controls(&table);
    print_notes(&table, "same bits", notes_agreement(arena, &table.facts), true);
    print_notes(&table, "what was run", notes_trust(arena, &table.facts), false);
    print_skipped(&table);
    print_notes(&table, "not timed", notes_not_timed(arena, &table.facts), false);
    print_notes(&table, "clocks that fell", notes_clocks(arena, &table.facts), false);
    print_compare(&table);
    print_ranks(&table);
    print_machine(&table);
    print_verdict(&table);
    arena_destroy(arena);
}
