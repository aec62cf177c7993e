/* cases.h: test cases as people read them: templates, data, words and what comes of them, in one file.
 *
 * In a .txt file a case begins with "=== name" and its parts with "--- part"; in a Markdown file a case
 * begins with a heading and its parts are fenced blocks whose info string names the part. Parts: "page NAME"
 * (the first one is expanded), "data", "words" (JSON), and what is expected: "output", "origins" (one "chain
 * @spec_line" per output line), "errors". */
#ifndef SAMEBITS_TEST_CASES_H
#define SAMEBITS_TEST_CASES_H

#include "text/arena.h"

enum { CASE_PAGES = 8 };

typedef struct Case {
    const char *name;
    int line; /* in its file */
    const char *page[CASE_PAGES], *text[CASE_PAGES];
    int pages;
    const char *data, *words, *output, *origins, *errors; /* NULL: not given */
} Case;

/* The cases of a file, and how many. Stops the program with a message when the file cannot be read as cases.
 */
Case *cases_read(Arena *arena, const char *path, int *count);

#endif
