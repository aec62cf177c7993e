/* shims.h: the headers that emulated sources are compiled with, as text. Written by embed.py from the files
 * of this folder. */
#ifndef SAMEBITS_SIMT_SHIMS_H
#define SAMEBITS_SIMT_SHIMS_H

typedef struct SimtShim {
    const char *name, *text;
} SimtShim;
extern const SimtShim simt_shims[];
extern const int simt_shim_count;

#endif
