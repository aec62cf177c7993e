/* page.h: the evaluator of template pages: a sandbox whose only functions are those that compiled pages call.
 */
#ifndef SAMEBITS_PAGE_H
#define SAMEBITS_PAGE_H

#include "template/compile.h"
#include "template/output.h"

#include <jansson.h>

typedef struct PageHost PageHost;

/* Gives the loaded page, or NULL: *why then says why, or is NULL when that is reported already. */
typedef const Page *PageFind(void *context, Diagnostics *diagnostics, const char *name, const char **why);

PageHost *page_host_create(PageFind *find, void *context);
void page_host_destroy(PageHost *host); /* NULL is allowed */

/* Compiles the Lua text of a page and sets page->chunk. */
bool page_host_load(PageHost *host, Diagnostics *diagnostics, Page *page, const Buffer *lua);
bool page_host_expand(PageHost *host, Diagnostics *diagnostics, Output *output, const Page *root,
                      const json_t *data, const json_t *words);

#endif
