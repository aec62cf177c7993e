/* report.h: what people read: the table in the terminal and one self-contained HTML file. */
#ifndef SAMEBITS_REPORT_H
#define SAMEBITS_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* verify and bench may be NULL when that stage was not run. */
void report_print_table(FILE *stream, const json_t *manifest, const json_t *verify, const json_t *bench,
                        bool color);
/* NULL when written, else why not. */
const char *report_write_html(const char *path, const json_t *manifest, const json_t *verify,
                              const json_t *bench);

#endif
