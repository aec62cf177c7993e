/* page.h: the parts of report.html. Each writes one <section>, or nothing when its facts are missing. */
#ifndef SAMEBITS_PAGE_H
#define SAMEBITS_PAGE_H

#include "report/facts.h"
#include "text/arena.h"
#include "text/buffer.h"

typedef struct Page {
    Buffer *out;
    Arena *arena;
    Facts facts;
} Page;

extern const char page_style[]; /* style.c: CSS, free of & and < so that it is text to both parsers */

void page_section_start(const Page *page, const char *title,
                        const char *lead); /* lead: one sentence, or "" */
void page_section_end(const Page *page);
/* <td data-name="name">: the name is shown where the table has become a list of cards. */
void page_cell(const Page *page, const char *class, const char *name, const char *text);
const char *page_variant_name(const Page *page,
                              const json_t *variant); /* "avx2 · chunk(1024, lanes(32), pairwise)" */

void page_write_compare(const Page *page);  /* compare.c */
void page_write_promises(const Page *page); /* matrix.c */
void page_write_ranks(const Page *page);    /* ranks.c: ranks, exchange, time, bytes */
void page_write_scatter(const Page *page);  /* speed.c: time against error */
void page_write_speed(const Page *page);    /* speed.c: ratios, warm-up, bandwidth */

#endif
