/* switch.h: one stack of execution to another, by hand.
 *
 * Only what a called function must preserve is saved: six registers on x86-64; ten, the frame pair and the
 * low halves of eight vector registers on aarch64. Rounding modes are not switched: kernels do not change
 * them. ucontext, the portable way, saves the signal mask by a system call each time (240 to 520 ns). */
#ifndef SAMEBITS_SIMT_SWITCH_H
#define SAMEBITS_SIMT_SWITCH_H

#include <stddef.h>

/* Keeps the running stack's position in *save and goes on at `load`. */
void simt_switch(void **save, void *load);

typedef void SimtFiberMain(void *argument); /* must not return */

/* The position of a new stack that will call main(argument) when it is first switched to. `top` is its end,
 * exclusive. */
void *simt_switch_prepare(void *top, SimtFiberMain *main, void *argument);

#endif
