/* emulated.h: a GPU kernel that the SIMT engine runs on this CPU (simt/simt.h), behind kernel.h.
 *
 * Everything about a launch is schedule: which threads share a row, size of blocks, number of blocks, the
 * order of threads and blocks, what memory holds before the kernel writes to it. So no two calls in a row are
 * launched alike, and whoever compares the results of calls compares schedules. */
#ifndef SAMEBITS_EMULATED_H
#define SAMEBITS_EMULATED_H

#include "family/family.h"
#include "reference/evaluate.h"

typedef struct Emulated Emulated;

/* True when the loaded object is a module of the engine. */
bool emulated_is_module(void *handle);

/* `symbol` is the entry point with a block per row. Others, where they are there: `symbol`_warp has a warp
 * per row; `symbol`_part0, _join0, _part1, ... _output make one row in turn, each with many blocks. */
Emulated *emulated_open(Arena *arena, const char *path, const char *symbol, const Operator *op,
                        const char **why);
void emulated_close(Emulated *emulated);

/* False when the launch failed: emulated_failure says why, and stays. */
bool emulated_call(Emulated *emulated, const CallData *call);
const char *emulated_failure(const Emulated *emulated);

/* Of the calls to come; 0: another one for each call. `block` is a multiple of 32. */
void emulated_set_geometry(Emulated *emulated, unsigned block, unsigned grid);
/* "a warp per row, 3 blocks of 96 threads, descending, poison 5a": of the last call. */
const char *emulated_launch_text(const Emulated *emulated, char *text, size_t size);

#endif
