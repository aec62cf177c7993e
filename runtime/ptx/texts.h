/* texts.h: files that are carried in the program (embed.py makes them C at build time). */
#ifndef SAMEBITS_PTX_TEXTS_H
#define SAMEBITS_PTX_TEXTS_H

extern const char ptx_text_prelude[]; /* cuda_prelude.h */
extern const char ptx_text_machine[]; /* simt/abi.h and machine.h */

#endif
