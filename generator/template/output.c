/* output.c: the text of an expansion as it grows (output.h).
 *
 * Invariant: expansion->lines is the number of line ends in expansion->text. */
#include "template/output.h"

#include <string.h>

void output_start(Output *output, Arena *arena, Expansion *expansion)
{
    *output = (Output){.arena = arena, .expansion = expansion};
    *expansion = (Expansion){0};
}

static Frame *known_frame(Frame *parent, const Page *page, int include_line)
{
    for (Frame *frame = parent ? parent->child : NULL; frame; frame = frame->sibling)
        if (frame->page == page && frame->include_line == include_line)
            return frame;
    return NULL;
}

static Frame *add_frame(Output *output, Frame *parent, const Page *page, int include_line)
{
    Frame *frame = ARENA_NEW(output->arena, Frame);
    frame->page = page;
    frame->parent = parent;
    frame->include_line = include_line;
    frame->prefix = "";
    frame->chain = ARENA_ARRAY(output->arena, const char *, (size_t)page->lines + 1);
    if (parent) {
        frame->prefix =
            arena_printf(output->arena, "%s%s:%d > ", parent->prefix, parent->page->name, include_line);
        frame->sibling = parent->child;
        parent->child = frame;
    }
    return frame;
}

void output_enter_page(Output *output, const Page *page, int include_line)
{
    Frame *frame = known_frame(output->frame, page, include_line);
    output->frame = frame ? frame : add_frame(output, output->frame, page, include_line);
    output->depth++;
}

void output_leave_page(Output *output)
{
    output->frame = output->frame->parent;
    output->depth--;
}

void output_enter_loop(Output *output)
{
    output->loops++;
}

void output_set_spec_line(Output *output, int line)
{
    output->spec_line[output->loops] = line ? line : output->spec_line[output->loops - 1];
}

void output_leave_loop(Output *output)
{
    output->loops--;
}

void output_text(Output *output, const char *text, size_t size)
{
    buffer_append(&output->expansion->text, text, size);
}

static const char *chain_of(Output *output, int template_line)
{
    Frame *frame = output->frame;
    if (!frame->chain[template_line])
        frame->chain[template_line] =
            arena_printf(output->arena, "%s%s:%d", frame->prefix, frame->page->name, template_line);
    return frame->chain[template_line];
}

static void grow_lines(Output *output)
{
    Expansion *expansion = output->expansion;
    int capacity = output->capacity ? 2 * output->capacity : 128;
    LineOrigin *line = ARENA_ARRAY(output->arena, LineOrigin, (size_t)capacity);
    if (expansion->lines)
        memcpy(line, expansion->line, (size_t)expansion->lines * sizeof *line);
    expansion->line = line;
    output->capacity = capacity;
}

void output_end_line(Output *output, int template_line)
{
    Expansion *expansion = output->expansion;
    if (expansion->lines == output->capacity)
        grow_lines(output);
    expansion->line[expansion->lines++] =
        (LineOrigin){.chain = chain_of(output, template_line), .spec_line = output->spec_line[output->loops]};
    buffer_append(&expansion->text, "\n", 1);
}

void output_block(Output *output, Piece indent, const char *text, size_t size, int template_line)
{
    const char *end = text + size;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        const char *stop = line_end ? line_end : end;
        if (stop > text) {
            output_text(output, indent.text, indent.size);
            output_text(output, text, (size_t)(stop - text));
        }
        output_end_line(output, template_line);
        text = line_end ? line_end + 1 : end;
    }
}
