/* lines.h: from an address in a module to a line of its source. Internal to runtime/simt.
 *
 * Reads the line table that the compiler left in the shared object: ELF, section .debug_line, DWARF version 4
 * (section 6.2), which -gdwarf-4 asks for. So an error has a line on a machine that has a compiler and no
 * debugger. Elsewhere (Mach-O keeps these tables in other files) no line is found, and errors name the kernel
 * instead. */
#ifndef SAMEBITS_SIMT_LINES_H
#define SAMEBITS_SIMT_LINES_H

#include "text/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* The line of the instruction at `offset` from where `path` is loaded. */
bool lines_find(Arena *arena, const char *path, uint64_t offset, const char **file, unsigned *line);

#endif
