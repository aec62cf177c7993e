/* grid.c: an aligned table on a terminal. Widths are counted before colour is put on: escape sequences take
 * no column. */
#include "report/grid.h"

#include "report/format.h"

#include <assert.h>
#include <string.h>

typedef struct GridColumn {
    const char *group, *title;
    GridAlign align;
    int gap, width;
    bool key;
} GridColumn;

typedef struct GridCell {
    const char *text; /* NULL: empty */
    Ink ink;
} GridCell;

struct Grid {
    Arena *arena;
    GridColumn *column;
    GridCell *cell; /* rows x columns_limit */
    bool *rule;     /* a blank line goes in front of this row */
    int columns, rows, columns_limit, rows_limit;
    bool rule_next;
};

const char *ink_text(Arena *arena, Ink ink, bool color, const char *text)
{
    static const char *const code[INKS] = {
        [INK_BAD] = "31", [INK_FAINT] = "2", [INK_GOOD] = "32", [INK_STRONG] = "1", [INK_WARN] = "33",
    };
    if (!color || !code[ink] || !*text)
        return text;
    return arena_printf(arena, "\033[%sm%s\033[0m", code[ink], text);
}

Grid *grid_create(Arena *arena, int columns_limit, int rows_limit)
{
    Grid *grid = ARENA_NEW(arena, Grid);
    grid->arena = arena;
    grid->columns_limit = columns_limit;
    grid->rows_limit = rows_limit;
    grid->column = ARENA_ARRAY(arena, GridColumn, (size_t)columns_limit + 1);
    grid->cell = ARENA_ARRAY(arena, GridCell, (size_t)columns_limit * (size_t)rows_limit + 1);
    grid->rule = ARENA_ARRAY(arena, bool, (size_t)rows_limit + 1);
    return grid;
}

int grid_add_column(Grid *grid, const char *group, const char *title, GridAlign align, int gap, bool key)
{
    assert(grid->columns < grid->columns_limit);
    grid->column[grid->columns] = (GridColumn){group, title, align, gap, format_columns(title), key};
    return grid->columns++;
}

void grid_add_row(Grid *grid)
{
    assert(grid->rows < grid->rows_limit);
    grid->rule[grid->rows++] = grid->rule_next;
    grid->rule_next = false;
}

void grid_add_rule(Grid *grid)
{
    grid->rule_next = grid->rows > 0;
}

static GridCell *cell_at(const Grid *grid, int row, int column)
{
    return &grid->cell[(size_t)row * (size_t)grid->columns_limit + (size_t)column];
}

void grid_set(Grid *grid, int column, Ink ink, const char *text)
{
    assert(grid->rows > 0 && column < grid->columns);
    *cell_at(grid, grid->rows - 1, column) = (GridCell){text, ink};
    int width = format_columns(text);
    if (width > grid->column[column].width)
        grid->column[column].width = width;
}

/* The column after the group that starts at `first`. */
static int group_end(const Grid *grid, int first)
{
    int end = first + 1;
    while (end < grid->columns && strcmp(grid->column[end].group, grid->column[first].group) == 0 &&
           grid->column[end].key == grid->column[first].key)
        end++;
    return end;
}

static int group_width(const Grid *grid, int first, int end)
{
    int width = 0;
    for (int c = first; c < end; c++)
        width += grid->column[c].width + (c == first ? 0 : grid->column[c].gap);
    return width;
}

/* A group's name must fit above its columns: the last one grows. */
static void fit_group_names(const Grid *grid)
{
    for (int first = 0, end; first < grid->columns; first = end) {
        end = group_end(grid, first);
        int lack = format_columns(grid->column[first].group) - group_width(grid, first, end);
        if (lack > 0)
            grid->column[end - 1].width += lack;
    }
}

static int key_columns(const Grid *grid)
{
    int keys = 0;
    while (keys < grid->columns && grid->column[keys].key)
        keys++;
    return keys;
}

static int span_width(const Grid *grid, int first, int end)
{
    return end > first ? grid->column[first].gap + group_width(grid, first, end) : 0;
}

/* Blanks are owed, not written, so that no line ends in blanks. */
typedef struct Line {
    FILE *stream;
    int owed;
} Line;

static void put(Line *line, const char *text)
{
    if (!*text)
        return;
    fprintf(line->stream, "%*s%s", line->owed, "", text);
    line->owed = 0;
}

static void put_aligned(Line *line, const GridColumn *column, const char *plain, const char *inked)
{
    int room = column->width - format_columns(plain);
    if (column->align == GRID_RIGHT)
        line->owed += room;
    put(line, inked);
    if (column->align == GRID_LEFT)
        line->owed += room;
}

static void print_group_names(const Grid *grid, Line *line, int first, int last, bool color)
{
    for (int c = first, end; c < last; c = end) {
        end = group_end(grid, c);
        line->owed += grid->column[c].gap;
        const char *name = grid->column[c].group;
        put(line, ink_text(grid->arena, INK_STRONG, color, name));
        line->owed += group_width(grid, c, end) - format_columns(name);
    }
}

static void print_titles(const Grid *grid, Line *line, int first, int last, bool color)
{
    for (int c = first; c < last; c++) {
        const GridColumn *column = &grid->column[c];
        line->owed += column->gap;
        put_aligned(line, column, column->title, ink_text(grid->arena, INK_FAINT, color, column->title));
    }
}

static void print_cells(const Grid *grid, Line *line, int row, int first, int last, bool color)
{
    for (int c = first; c < last; c++) {
        const GridCell *cell = cell_at(grid, row, c);
        const char *text = cell->text ? cell->text : "";
        line->owed += grid->column[c].gap;
        put_aligned(line, &grid->column[c], text, ink_text(grid->arena, cell->ink, color, text));
    }
}

static bool any_group_name(const Grid *grid, int first, int last)
{
    for (int c = first; c < last; c++)
        if (*grid->column[c].group)
            return true;
    return false;
}

/* A row that says nothing in this part is not repeated in it. */
static bool row_shown(const Grid *grid, int row, int first, int last)
{
    if (first == last)
        return true;
    for (int c = first; c < last; c++)
        if (cell_at(grid, row, c)->text)
            return true;
    return false;
}

static void print_row(const Grid *grid, Line *line, int row, int first, int last, bool color,
                      const char *indent)
{
    if (grid->rule[row])
        fputc('\n', line->stream);
    fputs(indent, line->stream);
    line->owed = 0;
    print_cells(grid, line, row, 0, key_columns(grid), color);
    print_cells(grid, line, row, first, last, color);
    fputc('\n', line->stream);
}

/* One table: the key and the columns [first, last). */
static void print_part(const Grid *grid, FILE *stream, int first, int last, bool color, const char *indent)
{
    int keys = key_columns(grid);
    Line line = {stream, 0};
    if (any_group_name(grid, first, last)) {
        fputs(indent, stream);
        line.owed = 0;
        print_group_names(grid, &line, 0, keys, color);
        print_group_names(grid, &line, first, last, color);
        fputc('\n', stream);
    }
    fputs(indent, stream);
    line.owed = 0;
    print_titles(grid, &line, 0, keys, color);
    print_titles(grid, &line, first, last, color);
    fputc('\n', stream);
    for (int row = 0; row < grid->rows; row++)
        if (row_shown(grid, row, first, last))
            print_row(grid, &line, row, first, last, color, indent);
}

void grid_print(const Grid *grid, FILE *stream, int width, bool color, const char *indent)
{
    fit_group_names(grid);
    int keys = key_columns(grid), first = keys;
    int room = width - format_columns(indent) - span_width(grid, 0, keys);
    do {
        int last = first, used = 0;
        while (last < grid->columns) {
            int end = group_end(grid, last), wanted = span_width(grid, last, end);
            if (last > first && used + wanted > room)
                break; /* one group is always shown, however narrow the terminal */
            used += wanted;
            last = end;
        }
        if (first > keys)
            fputc('\n', stream);
        print_part(grid, stream, first, last, color, indent);
        first = last;
    } while (first < grid->columns);
}
