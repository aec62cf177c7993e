/* switch.c: the switch in assembly, and the first frame of a new stack.
 *
 * The System V ABI's list of preserved registers (x86-64 psABI 3.2.1) and AAPCS64's (6.1.1, 6.1.2). The
 * return address lies on top of the saved registers on x86-64 and is x30 on aarch64, so a new stack is a
 * frame of zeros whose return address is `simt_fiber_begin`. */
#include "simt/switch.h"

#include <stdint.h>
#include <string.h>

#ifdef __APPLE__
#define SYMBOL(name) "_" #name
#define GLOBAL(name) ".globl _" #name "\n.private_extern _" #name "\n.p2align 4\n_" #name ":\n"
#else
#define SYMBOL(name) #name
#define GLOBAL(name)                                                                                         \
    ".globl " #name "\n.hidden " #name "\n.type " #name ", %function\n.p2align 4\n" #name ":\n"
#endif

void simt_fiber_begin(void);

#if defined __x86_64__
/* The return is a plain `ret`: fibers of one block mostly stand at the same place, so the predicted return
 * addresses are right. */
__asm__(".text\n" GLOBAL(simt_switch) "pushq %rbp\n"
                                      "pushq %rbx\n"
                                      "pushq %r12\n"
                                      "pushq %r13\n"
                                      "pushq %r14\n"
                                      "pushq %r15\n"
                                      "movq %rsp, (%rdi)\n"
                                      "movq %rsi, %rsp\n"
                                      "popq %r15\n"
                                      "popq %r14\n"
                                      "popq %r13\n"
                                      "popq %r12\n"
                                      "popq %rbx\n"
                                      "popq %rbp\n"
                                      "ret\n" GLOBAL(simt_fiber_begin) "movq %r12, %rdi\n"
                                                                       "callq *%rbx\n"
                                                                       "ud2\n");
/* At simt_fiber_begin the stack pointer is a multiple of 16, as before any call. */
enum { FRAME_WORDS = 7, FRAME_ARGUMENT = 3, FRAME_MAIN = 4, FRAME_RETURN = 6 };

#elif defined __aarch64__
__asm__(".text\n" GLOBAL(simt_switch) "stp x19, x20, [sp, #-160]!\n"
                                      "stp x21, x22, [sp, #16]\n"
                                      "stp x23, x24, [sp, #32]\n"
                                      "stp x25, x26, [sp, #48]\n"
                                      "stp x27, x28, [sp, #64]\n"
                                      "stp x29, x30, [sp, #80]\n"
                                      "stp d8, d9, [sp, #96]\n"
                                      "stp d10, d11, [sp, #112]\n"
                                      "stp d12, d13, [sp, #128]\n"
                                      "stp d14, d15, [sp, #144]\n"
                                      "mov x9, sp\n"
                                      "str x9, [x0]\n"
                                      "mov sp, x1\n"
                                      "ldp x21, x22, [sp, #16]\n"
                                      "ldp x23, x24, [sp, #32]\n"
                                      "ldp x25, x26, [sp, #48]\n"
                                      "ldp x27, x28, [sp, #64]\n"
                                      "ldp x29, x30, [sp, #80]\n"
                                      "ldp d8, d9, [sp, #96]\n"
                                      "ldp d10, d11, [sp, #112]\n"
                                      "ldp d12, d13, [sp, #128]\n"
                                      "ldp d14, d15, [sp, #144]\n"
                                      "ldp x19, x20, [sp], #160\n"
                                      "ret\n" GLOBAL(simt_fiber_begin) "mov x0, x20\n"
                                                                       "blr x19\n"
                                                                       "brk #0\n");
enum { FRAME_WORDS = 20, FRAME_MAIN = 0, FRAME_ARGUMENT = 1, FRAME_RETURN = 11 };
#else
#error "the SIMT engine has a context switch for x86-64 and aarch64 only"
#endif

void *simt_switch_prepare(void *top, SimtFiberMain *main, void *argument)
{
    uintptr_t *frame = (uintptr_t *)((uintptr_t)top & ~(uintptr_t)15) - FRAME_WORDS;
    memset(frame, 0, FRAME_WORDS * sizeof *frame);
    frame[FRAME_ARGUMENT] = (uintptr_t)argument;
    frame[FRAME_MAIN] = (uintptr_t)main;
    frame[FRAME_RETURN] = (uintptr_t)simt_fiber_begin;
    return frame;
}
