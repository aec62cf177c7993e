/* draw.c: a term's order as a drawing: one line per accumulator, joins as brackets to the right.
 *
 *   lane 0  0 4 ─┬───┬─ result
 *   lane 1  1   ─┼─┬─┘
 *   lane 2  2   ─┘ │
 *   lane 3  3   ───┘
 *
 * The joins come from term_walk itself. layout.c chooses the lines; joins inside a line that stands for many
 * accumulators are left out, and nothing else is. Joins are put in the leftmost column where both operands
 * are ready and no other join's bracket overlaps. */
#include "tree/layout.h"
#include "tree/term.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    LINES_ALWAYS = 16,    /* up to so many accumulators all are drawn */
    LEAVES_ALL = 64,      /* and up to so many leaves, when there are no more accumulators than leaves */
    WALK_LIMIT = 1 << 22, /* more leaves or accumulators than this are not walked for a drawing */
    WIDTH = 100,          /* columns; above it joins are set closer, then lines are left out */
    AUTO_PARTS_DRAWN = 4, /* S of split(auto) */
    LEAVES_LISTED = 6,    /* a longer list is cut to the first three and the last */
    LEAVES_LISTED_OF_PART = 4
};

typedef struct Join {
    int left, right; /* lines */
    int column;
} Join;

typedef struct Drawing {
    Arena *arena;
    const Term *term;
    Layout layout;
    uint64_t *stepped; /* per line: leaves stepped so far, to check the layout */
    int *latest;       /* per line: its latest join, -1 before any */
    uint64_t started;
    int near; /* the line found last */
    Join *join;
    int joins, capacity, columns;
} Drawing;

/* Glyphs of one cell; a cell is made of the sides its strokes reach. */
enum { TO_LEFT = 1, TO_RIGHT = 2, TO_UP = 4, TO_DOWN = 8 };
typedef struct Glyphs {
    const char *cell[16];
    const char *hidden_end, *gap, *dots;
} Glyphs;

static const Glyphs box_glyphs = {.cell = {[0] = " ",
                                           [TO_LEFT | TO_RIGHT] = "─",
                                           [TO_UP | TO_DOWN] = "│",
                                           [TO_LEFT | TO_UP] = "┘",
                                           [TO_LEFT | TO_RIGHT | TO_DOWN] = "┬",
                                           [TO_LEFT | TO_RIGHT | TO_UP | TO_DOWN] = "┼"},
                                  .hidden_end = "┊",
                                  .gap = "⋮",
                                  .dots = "…"};
static const Glyphs ascii_glyphs = {.cell = {[0] = " ",
                                             [TO_LEFT | TO_RIGHT] = "-",
                                             [TO_UP | TO_DOWN] = "|",
                                             [TO_LEFT | TO_UP] = "'",
                                             [TO_LEFT | TO_RIGHT | TO_DOWN] = "+",
                                             [TO_LEFT | TO_RIGHT | TO_UP | TO_DOWN] = "|"},
                                    .hidden_end = ":",
                                    .gap = ":",
                                    .dots = ".."};

/* ---- what is drawn: the walk, projected onto lines ---- */

static bool holds(const Line *line, uint64_t accumulator)
{
    return accumulator >= line->first_accumulator &&
           accumulator - line->first_accumulator < line->accumulators;
}

static int line_of(Drawing *drawing, int accumulator)
{
    const Line *line = drawing->layout.line;
    if (holds(&line[drawing->near], (uint64_t)accumulator)) {
        return drawing->near;
    }
    int low = 0, high = drawing->layout.count - 1;
    while (low < high) {
        const int middle = low + (high - low + 1) / 2;
        if (line[middle].first_accumulator <= (uint64_t)accumulator) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    drawing->near = low;
    return low;
}

static int draw_start(void *context)
{
    Drawing *drawing = context;
    return (int)drawing->started++;
}

/* Nothing to record: the layout knows the leaves. A drawn line must know them rightly. */
static int draw_step(void *context, int accumulator, uint64_t leaf)
{
    Drawing *drawing = context;
    const int at = line_of(drawing, accumulator);
    const Line *line = &drawing->layout.line[at];
    assert(line->kind != LINE_LEAVES || leaf == line->leaf + drawing->stepped[at] * line->stride);
    (void)leaf;
    (void)line;
    drawing->stepped[at]++;
    return accumulator;
}

static void add_join(Drawing *drawing, int left, int right)
{
    if (drawing->joins == drawing->capacity) {
        drawing->capacity = drawing->capacity ? 2 * drawing->capacity : 64;
        Join *join = ARENA_ARRAY(drawing->arena, Join, (size_t)drawing->capacity);
        if (drawing->joins > 0) {
            memcpy(join, drawing->join, (size_t)drawing->joins * sizeof *join);
        }
        drawing->join = join;
    }
    drawing->join[drawing->joins] = (Join){left, right, 0};
    drawing->latest[left] = drawing->latest[right] = drawing->joins++;
}

static int draw_join(void *context, int left_accumulator, int right_accumulator)
{
    Drawing *drawing = context;
    const Line *line = drawing->layout.line;
    const int left = line_of(drawing, left_accumulator), right = line_of(drawing, right_accumulator);
    assert(left <= right); /* a result stays with its first accumulator */
    const int latest = drawing->latest[left];
    const bool hidden = left == right || (line[left].kind == LINE_GAP && line[right].kind == LINE_GAP);
    const bool repeated = latest >= 0 && line[right].kind == LINE_GAP && drawing->join[latest].left == left &&
                          drawing->join[latest].right == right;
    if (!hidden && !repeated) {
        add_join(drawing, left, right);
    }
    return left_accumulator;
}

/* ---- columns ---- */

static bool is_free(const Drawing *drawing, const Join *join, int joins)
{
    for (int i = 0; i < joins; i++) {
        const Join *other = &drawing->join[i];
        if (other->column == join->column && other->left <= join->right && join->left <= other->right) {
            return false;
        }
    }
    return true;
}

static void place_joins(Drawing *drawing)
{
    const int lines = drawing->layout.count;
    int *ready = ARENA_ARRAY(drawing->arena, int, (size_t)lines);
    for (int i = 0; i < drawing->joins; i++) {
        Join *join = &drawing->join[i];
        const bool hidden_left = drawing->layout.line[join->left].kind == LINE_GAP;
        const bool hidden_right = drawing->layout.line[join->right].kind == LINE_GAP;
        const int left = hidden_left ? 0 : ready[join->left], right = hidden_right ? 0 : ready[join->right];
        join->column = left > right ? left : right;
        while (!is_free(drawing, join, i)) {
            join->column++;
        }
        ready[join->left] = ready[join->right] = join->column + 1;
        if (join->column >= drawing->columns) {
            drawing->columns = join->column + 1;
        }
    }
}

/* ---- what it looks like ---- */

/* Columns of the terminal: bytes that begin a character. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static void append_padded(Buffer *out, const char *text, int width)
{
    buffer_printf(out, "%s%*s", text, width - width_of(text), "");
}

static uint64_t last_leaf(const Line *line)
{
    return line->leaf + (line->leaves - 1) * line->stride;
}

/* Digits of the largest leaf index that is written. */
static int leaf_digits(const Layout *layout)
{
    uint64_t largest = 0;
    for (int i = 0; i < layout->count; i++) {
        const Line *line = &layout->line[i];
        if (line->leaves > 0 && last_leaf(line) > largest) {
            largest = last_leaf(line);
        }
    }
    return snprintf(NULL, 0, "%" PRIu64, largest);
}

/* "0 4 8", "0 32 64 … 992 by lanes(4)", "⋮ lanes 2 to 30", "start". */
static const char *line_content(Arena *arena, const Line *line, int digits, const Glyphs *glyphs)
{
    Buffer text = {0};
    if (line->kind == LINE_GAP) {
        buffer_printf(&text, "%s %s", glyphs->gap, line->gap);
    } else if (line->leaves == 0) {
        buffer_append_string(&text, "start");
    }
    const uint64_t most = line->kind == LINE_PART ? LEAVES_LISTED_OF_PART : LEAVES_LISTED;
    const uint64_t listed = line->leaves <= most ? line->leaves : 3;
    for (uint64_t i = 0; i < listed; i++) {
        buffer_printf(&text, "%s%*" PRIu64, i ? " " : "", digits, line->leaf + i * line->stride);
    }
    if (listed < line->leaves) {
        buffer_printf(&text, " %s %*" PRIu64, glyphs->dots, digits, last_leaf(line));
    }
    if (line->kind == LINE_PART) {
        buffer_printf(&text, " by %s", term_short_text(arena, line->by));
    }
    const char *copy = arena_copy_bytes(arena, buffer_string(&text), text.size);
    buffer_destroy(&text);
    return copy;
}

/* Strokes of every cell of one line; *end marks brackets that end among hidden accumulators. */
static void line_cells(const Drawing *drawing, int at, unsigned char *cell, bool *hidden_end)
{
    const bool is_gap = drawing->layout.line[at].kind == LINE_GAP;
    int wire = is_gap ? 0 : drawing->columns; /* columns that the accumulator's wire runs through */
    for (int i = 0; i < drawing->joins; i++) {
        const Join *join = &drawing->join[i];
        if (join->left <= at && at <= join->right) {
            cell[join->column] |= (at > join->left ? TO_UP : 0) | (at < join->right ? TO_DOWN : 0);
            hidden_end[join->column] = is_gap && (at == join->left || at == join->right);
        }
        if (join->right == at && !is_gap) {
            wire = join->column;
            cell[wire] |= TO_LEFT;
        }
    }
    for (int column = 0; column < wire; column++) {
        cell[column] |= TO_LEFT | TO_RIGHT;
    }
}

static void draw_wires(Buffer *out, const Drawing *drawing, int at, const Glyphs *glyphs, bool close)
{
    const size_t columns = (size_t)drawing->columns;
    unsigned char *cell = ARENA_ARRAY(drawing->arena, unsigned char, columns + 1);
    bool *hidden_end = ARENA_ARRAY(drawing->arena, bool, columns + 1);
    line_cells(drawing, at, cell, hidden_end);
    const bool is_gap = drawing->layout.line[at].kind == LINE_GAP;
    buffer_append_string(out, is_gap ? " " : glyphs->cell[TO_LEFT | TO_RIGHT]);
    for (size_t column = 0; column < columns; column++) {
        buffer_append_string(out, hidden_end[column] ? glyphs->hidden_end : glyphs->cell[cell[column]]);
        if (!close) {
            buffer_append_string(out, glyphs->cell[cell[column] & TO_RIGHT ? TO_LEFT | TO_RIGHT : 0]);
        }
    }
    if (at == 0) {
        buffer_append_string(out, close || columns == 0 ? glyphs->cell[TO_LEFT | TO_RIGHT] : "");
        buffer_append_string(out, " result");
    }
}

static void trim_line(Buffer *out)
{
    while (out->size > 0 && out->data[out->size - 1] == ' ') {
        out->data[--out->size] = '\0';
    }
}

/* Whether line `at` begins a new part at this depth, and its label is written. */
static bool is_new_label(const Layout *layout, int at, int depth)
{
    for (int d = 0; at > 0 && d <= depth; d++) {
        const char *here = layout->line[at].label[d], *above = layout->line[at - 1].label[d];
        if (here != above) { /* one string per part: the pointers tell parts apart */
            return true;
        }
    }
    return at == 0;
}

static int label_width(const Layout *layout, int depth)
{
    int width = 0;
    for (int i = 0; i < layout->count; i++) {
        const char *label = layout->line[i].label[depth];
        if (label && width_of(label) > width) {
            width = width_of(label);
        }
    }
    return width;
}

static void draw_labels(Buffer *out, const Layout *layout, int at)
{
    for (int depth = 0; depth < TERM_DEPTH_LIMIT; depth++) {
        const int width = label_width(layout, depth);
        const char *label = layout->line[at].label[depth];
        if (width > 0) {
            append_padded(out, label && is_new_label(layout, at, depth) ? label : "", width + 2);
        }
    }
}

/* The width of the drawing but for its wires. */
static int content_width(const Drawing *drawing, const char **content)
{
    int width = 0;
    for (int i = 0; i < drawing->layout.count; i++) {
        if (width_of(content[i]) > width) {
            width = width_of(content[i]);
        }
    }
    return width;
}

static int labels_width(const Layout *layout)
{
    int width = 0;
    for (int depth = 0; depth < TERM_DEPTH_LIMIT; depth++) {
        const int label = label_width(layout, depth);
        width += label > 0 ? label + 2 : 0;
    }
    return width;
}

/* Appends all lines and returns whether they keep within WIDTH. */
static bool draw_lines(Buffer *out, const Drawing *drawing, const Glyphs *glyphs)
{
    const Layout *layout = &drawing->layout;
    const int digits = leaf_digits(layout);
    const char **content = ARENA_ARRAY(drawing->arena, const char *, (size_t)layout->count);
    for (int i = 0; i < layout->count; i++) {
        content[i] = line_content(drawing->arena, &layout->line[i], digits, glyphs);
    }
    const int width = content_width(drawing, content);
    const int fixed = labels_width(layout) + width + 2 + (int)strlen(" result");
    const bool close = fixed + 2 * drawing->columns > WIDTH;
    for (int i = 0; i < layout->count; i++) {
        draw_labels(out, layout, i);
        append_padded(out, content[i], width + 1);
        draw_wires(out, drawing, i, glyphs, close);
        trim_line(out);
        buffer_append_string(out, "\n");
    }
    return fixed + drawing->columns <= WIDTH;
}

static bool has_line(const Layout *layout, LineKind kind)
{
    for (int i = 0; i < layout->count; i++) {
        if (layout->line[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static bool has_empty_lane(const Layout *layout)
{
    for (int i = 0; i < layout->count; i++) {
        if (layout->line[i].kind == LINE_LEAVES && layout->line[i].leaves == 0) {
            return true;
        }
    }
    return false;
}

static void draw_legend(Buffer *out, const Drawing *drawing, const Glyphs *glyphs, bool ascii)
{
    buffer_append_string(
        out, "A line is one accumulator: it begins as start and steps its leaves from left to right.\n");
    if (drawing->joins > 0) {
        buffer_printf(out, "%s joins it, as left operand, with the line that ends in %s below; %s.\n",
                      glyphs->cell[TO_LEFT | TO_RIGHT | TO_DOWN], glyphs->cell[TO_LEFT | TO_UP],
                      ascii ? "where a | crosses a -, they do not meet" : "at ┼ wires only cross");
    }
    if (has_line(&drawing->layout, LINE_PART)) {
        buffer_append_string(out, "\"by\": the line stands for a whole part, reduced as the first one is.\n");
    }
    if (has_line(&drawing->layout, LINE_GAP)) {
        buffer_printf(out, "%s and %s stand for what is left out: more of the same.\n", glyphs->gap,
                      glyphs->hidden_end);
    }
    if (has_empty_lane(&drawing->layout) && drawing->layout.count > 1) {
        buffer_append_string(out, "A lone start is an empty lane's; it is joined like any other.\n");
    }
    if (term_has(drawing->term, TERM_SPLIT, true)) {
        buffer_printf(out, "split(auto) is drawn with S = %d; S depends on the rows and workers of a call.\n",
                      AUTO_PARTS_DRAWN);
    }
    if (term_has(drawing->term, TERM_COMPLETION, false)) {
        buffer_append_string(out, "completion is drawn in index order; parts really join as they finish.\n");
    }
}

/* Draws with at most about `budget` lines. False when it came out too wide. */
static bool draw_within(Buffer *out, Arena *arena, const Term *term, uint64_t leaves, uint64_t budget,
                        bool ascii)
{
    const Glyphs *glyphs = ascii ? &ascii_glyphs : &box_glyphs;
    Drawing drawing = {.arena = arena, .term = term};
    drawing.layout = layout_create(arena, term, leaves, AUTO_PARTS_DRAWN, budget);
    drawing.stepped = ARENA_ARRAY(arena, uint64_t, (size_t)drawing.layout.count);
    drawing.latest = ARENA_ARRAY(arena, int, (size_t)drawing.layout.count);
    for (int i = 0; i < drawing.layout.count; i++) {
        drawing.latest[i] = -1;
    }
    const TermWalk walk = {.context = &drawing, .start = draw_start, .step = draw_step, .join = draw_join};
    const int result = term_walk(term, leaves, AUTO_PARTS_DRAWN, &walk);
    assert(result == 0 && drawing.started == drawing.layout.accumulators);
    (void)result;
    for (int i = 0; i < drawing.layout.count; i++) {
        assert(drawing.layout.line[i].kind != LINE_LEAVES ||
               drawing.stepped[i] == drawing.layout.line[i].leaves);
    }
    place_joins(&drawing);
    const bool fits = draw_lines(out, &drawing, glyphs);
    draw_legend(out, &drawing, glyphs, ascii);
    return fits;
}

/* The largest number of leaves, at most `leaves`, that is cheap to walk, by halving. */
static uint64_t walkable(const Term *term, uint64_t leaves)
{
    while (leaves > WALK_LIMIT || (leaves > 1 && layout_count(term, leaves, AUTO_PARTS_DRAWN) > WALK_LIMIT)) {
        leaves /= 2;
    }
    return leaves;
}

void term_draw(Buffer *out, const Term *term, uint64_t leaves, bool ascii)
{
    Arena *arena = arena_create();
    const uint64_t drawn = walkable(term, leaves);
    const bool all = drawn <= LEAVES_ALL && layout_count(term, drawn, AUTO_PARTS_DRAWN) <= drawn;
    buffer_printf(out, "%s on %" PRIu64 " %s", term_short_text(arena, term), leaves,
                  leaves == 1 ? "leaf" : "leaves");
    if (drawn < leaves) {
        buffer_printf(out, ", drawn with %" PRIu64, drawn);
    }
    buffer_append_string(out, "\n");
    const size_t head = out->size;
    if (!draw_within(out, arena, term, drawn, all ? LEAVES_ALL : LINES_ALWAYS, ascii) && all) {
        out->size = head; /* too wide: again with fewer lines */
        out->data[head] = '\0';
        draw_within(out, arena, term, drawn, LINES_ALWAYS, ascii);
    }
    arena_destroy(arena);
}
