/* progress.c: one line on stderr that shows how far a long stage is.
 *
 * Invariant: the line is at most as wide as the terminal, so that wiping it (carriage return, erase to end of
 * line: ECMA-48, EL) leaves nothing behind; nothing at all is written unless stderr is a terminal, so logs
 * and pipes stay clean. */
#include "report/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 24, NARROW_COLUMNS = 40, DEFAULT_COLUMNS = 80, LINE_BYTES = 1024 };
static const double step_interval =
    0.05; /* seconds between two drawings: a fast stage must not be slowed by its own display */

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int terminal_columns(void)
{
    struct winsize size = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_COLUMNS;
    return size.ws_col;
}

/* Copies `text` up to `columns` characters of UTF-8 (continuation bytes take no column); control bytes become
 * blanks, so that a name from a file cannot move the cursor. */
static size_t copy_columns(char *out, size_t room, const char *text, int columns)
{
    size_t used = 0;
    for (; *text && used + 1 < room; text++) {
        bool continues = ((unsigned char)*text & 0xC0) == 0x80;
        if (!continues && columns-- <= 0)
            break;
        out[used++] = (unsigned char)*text < ' ' || *text == 0x7F ? ' ' : *text;
    }
    out[used] = '\0';
    return used;
}

static void append_bar(char *out, size_t room, int done, int total)
{
    /* Eighths of a cell: U+2588 down to U+258F, in UTF-8. */
    static const char *const part[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int eighths = total > 0 ? (int)((long long)done * BAR_CELLS * 8 / total) : BAR_CELLS * 8;
    size_t used = 0;
    out[0] = '\0';
    for (int cell = 0; cell < BAR_CELLS && used + 4 < room; cell++) {
        int filled = eighths - cell * 8;
        const char *glyph = filled >= 8 ? "█" : filled > 0 ? part[filled] : " ";
        used += (size_t)snprintf(out + used, room - used, "%s", glyph);
    }
}

static void draw(const Progress *progress, const char *what)
{
    char bar[BAR_CELLS * 4 + 1] = "", head[256], line[LINE_BYTES];
    int columns = terminal_columns();
    int done = progress->done < progress->total ? progress->done : progress->total;
    if (columns >= BAR_CELLS + NARROW_COLUMNS)
        append_bar(bar, sizeof bar, done, progress->total);
    double seconds = now_seconds() - progress->started;
    snprintf(head, sizeof head, "%s %s%s%s%d/%d  %.0f s  ", progress->stage, *bar ? "▕" : "", bar,
             *bar ? "▏ " : "", done, progress->total, seconds);
    char text[sizeof head + LINE_BYTES / 2];
    snprintf(text, sizeof text, "%s%.*s", head, LINE_BYTES / 2 - 1, what ? what : "");
    copy_columns(line, sizeof line, text, columns - 1);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void progress_start(Progress *progress, const char *stage, int total, bool wanted)
{
    *progress = (Progress){.stage = stage, .total = total, .started = now_seconds()};
    progress->shown = wanted && total > 0 && isatty(STDERR_FILENO);
    if (progress->shown)
        draw(progress, "");
}

void progress_step(Progress *progress, const char *what)
{
    progress->done++;
    if (!progress->shown)
        return;
    double now = now_seconds();
    bool last = progress->done >= progress->total;
    if (!last && now - progress->drawn < step_interval)
        return;
    progress->drawn = now;
    draw(progress, what);
}

void progress_end(Progress *progress)
{
    if (!progress->shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->shown = false;
}
