/* instructions.c: single PTX instructions against their answers, and what is refused, with its line.
 *
 * The answers are worked out by hand from "Parallel Thread Execution ISA" 9.7, not taken from a run. */
#include "ptx/ptx.h"
#include "simt/simt.h"

#include "../driver/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- instructions with answers ---- */

/* %h1..3, %r1..3 and %q1..3 hold the low 16, 32 and 64 bits of a, b and c; %p1 is a != 0. The result is in
 * %h0, %r0, %q0 or %p0, as the text says, and is `want` in its low bits. */
typedef struct Row {
    const char *text;
    uint64_t a, b, c, want;
} Row;

#define NAN32 0x7fffffffu
#define LOW64 UINT64_C(0x8000000000000000)

static const Row rows[] = {
    /* integers */
    {"add.s32 %r0, %r1, %r2;", 0x7fffffff, 1, 0, 0x80000000},
    {"add.u64 %q0, %q1, %q2;", UINT64_MAX, 2, 0, 1},
    {"add.s16 %h0, %h1, %h2;", 0xffff, 2, 0, 1},
    {"sub.s32 %r0, %r1, 5;", 3, 0, 0, 0xfffffffe},
    {"sub.s64 %q0, %q1, %q2;", 0, 1, 0, UINT64_MAX},
    {"mul.lo.u16 %h0, %h1, %h2;", 0xffff, 0xffff, 0, 1},
    {"mul.lo.s32 %r0, %r1, %r2;", 0x10001, 0x10001, 0, 0x20001},
    {"mul.lo.s64 %q0, %q1, %q2;", UINT64_MAX, 3, 0, UINT64_MAX - 2},
    {"mul.hi.u32 %r0, %r1, %r2;", 0xffffffff, 0xffffffff, 0, 0xfffffffe},
    {"mul.hi.s32 %r0, %r1, %r2;", 0xffffffff, 2, 0, 0xffffffff},
    {"mul.hi.u64 %q0, %q1, %q2;", UINT64_MAX, UINT64_MAX, 0, UINT64_MAX - 1},
    {"mul.hi.s64 %q0, %q1, %q2;", UINT64_MAX, 2, 0, UINT64_MAX},
    {"mul.wide.u32 %q0, %r1, %r2;", 0xffffffff, 0xffffffff, 0, UINT64_C(0xfffffffe00000001)},
    {"mul.wide.s32 %q0, %r1, %r2;", 0xffffffff, 7, 0, UINT64_MAX - 6},
    {"mul.wide.u16 %r0, %h1, %h2;", 0xffff, 0xffff, 0, 0xfffe0001},
    {"mul.wide.s16 %r0, %h1, %h2;", 0xffff, 2, 0, 0xfffffffe},
    {"mad.lo.s32 %r0, %r1, %r2, %r3;", 0xffffffff, 3, 10, 7},
    {"mad.lo.s64 %q0, %q1, %q2, %q3;", UINT64_MAX, 3, 10, 7},
    {"mad.wide.u32 %q0, %r1, %r2, %q3;", 0xffffffff, 2, 3, UINT64_C(0x200000001)},
    {"mad.wide.s32 %q0, %r1, %r2, %q3;", 0xffffffff, 2, 3, 1},
    {"mad.hi.u32 %r0, %r1, %r2, %r3;", 0x80000000, 4, 5, 7},
    {"div.u32 %r0, %r1, %r2;", 0xfffffffe, 2, 0, 0x7fffffff},
    {"div.s32 %r0, %r1, %r2;", 0xfffffff9, 2, 0, 0xfffffffd},
    {"div.s32 %r0, %r1, %r2;", 0x80000000, 0xffffffff, 0, 0x80000000},
    {"div.s64 %q0, %q1, %q2;", LOW64, UINT64_MAX, 0, LOW64},
    {"rem.u32 %r0, %r1, %r2;", 0xffffffff, 16, 0, 15},
    {"rem.s32 %r0, %r1, %r2;", 0xfffffff9, 2, 0, 0xffffffff},
    {"rem.s64 %q0, %q1, %q2;", LOW64, UINT64_MAX, 0, 0},
    {"abs.s32 %r0, %r1;", 0xfffffffb, 0, 0, 5},
    {"abs.s32 %r0, %r1;", 0x80000000, 0, 0, 0x80000000},
    {"neg.s32 %r0, %r1;", 1, 0, 0, 0xffffffff},
    {"neg.s64 %q0, %q1;", LOW64, 0, 0, LOW64},
    {"min.s32 %r0, %r1, %r2;", 0xffffffff, 1, 0, 0xffffffff},
    {"min.u32 %r0, %r1, %r2;", 0xffffffff, 1, 0, 1},
    {"max.s32 %r0, %r1, %r2;", 0xffffffff, 1, 0, 1},
    {"max.u64 %q0, %q1, %q2;", UINT64_MAX, 1, 0, UINT64_MAX},
    {"min.s64 %q0, %q1, %q2;", UINT64_MAX, 1, 0, UINT64_MAX},
    /* bits */
    {"and.b32 %r0, %r1, %r2;", 0xf0f0, 0xff00, 0, 0xf000},
    {"or.b64 %q0, %q1, %q2;", LOW64, 1, 0, LOW64 | 1},
    {"xor.b16 %h0, %h1, %h2;", 0xffff, 0x0ff0, 0, 0xf00f},
    {"not.b32 %r0, %r1;", 0xf, 0, 0, 0xfffffff0},
    {"not.b16 %h0, %h1;", 0xf, 0, 0, 0xfff0},
    {"cnot.b32 %r0, %r1;", 0, 0, 0, 1},
    {"shl.b32 %r0, %r1, %r2;", 1, 31, 0, 0x80000000},
    {"shl.b32 %r0, %r1, %r2;", 1, 32, 0, 0},
    {"shl.b64 %q0, %q1, %r2;", 3, 63, 0, LOW64},
    {"shr.u32 %r0, %r1, %r2;", 0x80000000, 31, 0, 1},
    {"shr.u32 %r0, %r1, %r2;", 0x80000000, 40, 0, 0},
    {"shr.s32 %r0, %r1, %r2;", 0x80000000, 40, 0, 0xffffffff},
    {"shr.s64 %q0, %q1, %r2;", LOW64, 62, 0, UINT64_MAX - 1},
    {"shr.s16 %h0, %h1, %r2;", 0x8000, 3, 0, 0xf000},
    {"shf.l.wrap.b32 %r0, %r1, %r2, %r3;", 0x80000001, 2, 33, 5},
    {"shf.l.clamp.b32 %r0, %r1, %r2, %r3;", 0x80000001, 2, 33, 0x80000001},
    {"shf.r.wrap.b32 %r0, %r1, %r2, %r3;", 2, 1, 33, 0x80000001},
    {"shf.r.clamp.b32 %r0, %r1, %r2, %r3;", 2, 7, 33, 7},
    {"popc.b32 %r0, %r1;", 0xf000000f, 0, 0, 8},
    {"popc.b64 %r0, %q1;", UINT64_MAX, 0, 0, 64},
    {"clz.b32 %r0, %r1;", 1, 0, 0, 31},
    {"clz.b32 %r0, %r1;", 0, 0, 0, 32},
    {"clz.b64 %r0, %q1;", 0, 0, 0, 64},
    {"bfind.u32 %r0, %r1;", 0x00800000, 0, 0, 23},
    {"bfind.u32 %r0, %r1;", 0, 0, 0, 0xffffffff},
    {"brev.b32 %r0, %r1;", 0x00000003, 0, 0, 0xc0000000},
    {"bfe.u32 %r0, %r1, 4, 8;", 0xabcdef12, 0, 0, 0xf1},
    {"bfe.s32 %r0, %r1, 4, 8;", 0xabcdef12, 0, 0, 0xfffffff1},
    {"bfe.s32 %r0, %r1, 28, 8;", 0xabcdef12, 0, 0, 0xfffffffa},
    {"bfe.u32 %r0, %r1, 4, 0;", 0xabcdef12, 0, 0, 0},
    {"bfi.b32 %r0, %r1, %r2, 8, 4;", 0x5, 0xffffffff, 0, 0xfffff5ff},
    {"bfi.b64 %q0, %q1, %q2, 32, 32;", 0x1234, 7, 0, UINT64_C(0x0000123400000007)},
    {"prmt.b32 %r0, %r1, %r2, 0x5410;", 0x44332211, 0x88776655, 0, 0x66552211},
    {"prmt.b32 %r0, %r1, %r2, 0x000f;", 0x44332211, 0x88776655, 0, 0x111111ff},
    {"lop3.b32 %r0, %r1, %r2, %r3, 0x96;", 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0x96969696},
    {"lop3.b32 %r0, %r1, %r2, %r3, 0xe8;", 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0xe8e8e8e8},
    {"selp.b32 %r0, %r2, %r3, %p1;", 1, 5, 6, 5},
    {"selp.f64 %q0, %q2, %q3, %p1;", 0, 5, 6, 6},
    /* floats: 0x33800000 is 2^-24, 0x3f800000 is 1, 0x3f800001 its neighbour */
    {"add.rn.f32 %r0, %r1, %r2;", 0x3f800000, 0x33800000, 0, 0x3f800000},
    {"add.rn.f32 %r0, %r1, %r2;", 0x3f800001, 0x33800000, 0, 0x3f800002},
    {"add.rn.f32 %r0, %r1, %r2;", 0x7f800000, 0xff800000, 0, NAN32},
    {"add.rn.f32 %r0, %r1, %r2;", 0x00000001, 0x00000001, 0, 0x00000002},
    {"add.rn.f32 %r0, %r1, 0f3F800000;", 0x3f800000, 0, 0, 0x40000000},
    {"sub.rn.f32 %r0, %r1, %r2;", 0x80000000, 0x00000000, 0, 0x80000000},
    {"mul.rn.f32 %r0, %r1, %r2;", 0x00800000, 0x3f000000, 0, 0x00400000},
    {"mul.rn.f32 %r0, %r1, %r2;", 0x80000000, 0x3f800000, 0, 0x80000000},
    {"fma.rn.f32 %r0, %r1, %r2, %r3;", 0x3f800001, 0x3f800001, 0xbf800002, 0x28800000},
    {"fma.rn.f64 %q0, %q1, %q2, %q3;", UINT64_C(0x3ff0000000000001), UINT64_C(0x3ff0000000000001),
     UINT64_C(0xbff0000000000002), UINT64_C(0x3970000000000000)},
    {"div.rn.f32 %r0, %r1, %r2;", 0x3f800000, 0x40400000, 0, 0x3eaaaaab},
    {"div.rn.f32 %r0, %r1, %r2;", 0x3f800000, 0x80000000, 0, 0xff800000},
    {"div.rn.f32 %r0, %r1, %r2;", 0x00800000, 0x40000000, 0, 0x00400000},
    {"rcp.rn.f32 %r0, %r1;", 0x40400000, 0, 0, 0x3eaaaaab},
    {"sqrt.rn.f32 %r0, %r1;", 0x40000000, 0, 0, 0x3fb504f3},
    {"sqrt.rn.f32 %r0, %r1;", 0xbf800000, 0, 0, NAN32},
    {"sqrt.rn.f32 %r0, %r1;", 0x80000000, 0, 0, 0x80000000},
    {"abs.f32 %r0, %r1;", 0xbf800000, 0, 0, 0x3f800000},
    {"neg.f32 %r0, %r1;", 0x00000000, 0, 0, 0x80000000},
    {"neg.f64 %q0, %q1;", 0, 0, 0, LOW64},
    {"copysign.f32 %r0, %r1, %r2;", 0x80000000, 0x3f800000, 0, 0xbf800000},
    {"max.f32 %r0, %r1, %r2;", 0x7fc00000, 0xbf800000, 0, 0xbf800000},
    {"max.f32 %r0, %r1, %r2;", 0xbf800000, 0xffc00001, 0, 0xbf800000},
    {"max.f32 %r0, %r1, %r2;", 0x7fc00000, 0xffc00001, 0, NAN32},
    {"max.f32 %r0, %r1, %r2;", 0x80000000, 0x00000000, 0, 0x00000000},
    {"max.f32 %r0, %r1, %r2;", 0x00000000, 0x80000000, 0, 0x00000000},
    {"min.f32 %r0, %r1, %r2;", 0x00000000, 0x80000000, 0, 0x80000000},
    {"min.f32 %r0, %r1, %r2;", 0x80000000, 0x00000000, 0, 0x80000000},
    {"min.f32 %r0, %r1, %r2;", 0x7fc00000, 0x40000000, 0, 0x40000000},
    {"max.NaN.f32 %r0, %r1, %r2;", 0xffc00001, 0x3f800000, 0, NAN32},
    {"min.NaN.f32 %r0, %r1, %r2;", 0x3f800000, 0x40000000, 0, 0x3f800000},
    {"testp.notanumber.f32 %p0, %r1;", 0x7fc00000, 0, 0, 1},
    {"testp.infinite.f32 %p0, %r1;", 0x7fc00000, 0, 0, 0},
    /* comparisons: NaN is unordered */
    {"setp.eq.f32 %p0, %r1, %r2;", 0x7fc00000, 0x7fc00000, 0, 0},
    {"setp.equ.f32 %p0, %r1, %r2;", 0x7fc00000, 0x3f800000, 0, 1},
    {"setp.equ.f32 %p0, %r1, %r2;", 0x40000000, 0x3f800000, 0, 0},
    {"setp.ne.f32 %p0, %r1, %r2;", 0x7fc00000, 0x3f800000, 0, 0},
    {"setp.ne.f32 %p0, %r1, %r2;", 0x40000000, 0x3f800000, 0, 1},
    {"setp.neu.f32 %p0, %r1, %r2;", 0x7fc00000, 0x3f800000, 0, 1},
    {"setp.eq.f32 %p0, %r1, %r2;", 0x80000000, 0x00000000, 0, 1},
    {"setp.lt.f32 %p0, %r1, %r2;", 0x7fc00000, 0x3f800000, 0, 0},
    {"setp.ltu.f32 %p0, %r1, %r2;", 0x7fc00000, 0x3f800000, 0, 1},
    {"setp.leu.f32 %p0, %r1, %r2;", 0x40000000, 0x3f800000, 0, 0},
    {"setp.leu.f32 %p0, %r1, %r2;", 0x7fc00000, 0x3f800000, 0, 1},
    {"setp.gtu.f32 %p0, %r1, %r2;", 0x3f800000, 0x3f800000, 0, 0},
    {"setp.geu.f32 %p0, %r1, %r2;", 0x3f800000, 0x3f800000, 0, 1},
    {"setp.num.f32 %p0, %r1, %r2;", 0x3f800000, 0x7fc00000, 0, 0},
    {"setp.nan.f32 %p0, %r1, %r2;", 0x3f800000, 0x7fc00000, 0, 1},
    {"setp.gt.f64 %p0, %q1, %q2;", UINT64_C(0x4000000000000000), UINT64_C(0x3ff0000000000000), 0, 1},
    {"setp.lt.s32 %p0, %r1, %r2;", 0xffffffff, 0, 0, 1},
    {"setp.lt.u32 %p0, %r1, %r2;", 0xffffffff, 0, 0, 0},
    {"setp.lo.u32 %p0, %r1, %r2;", 1, 2, 0, 1},
    {"setp.ge.s64 %p0, %q1, %q2;", UINT64_MAX, 0, 0, 0},
    {"setp.eq.b32 %p0, %r1, %r2;", 4, 4, 0, 1},
    {"setp.lt.and.s32 %p0, %r1, %r2, %p1;", 1, 2, 0, 1},
    {"setp.lt.or.s32 %p0, %r1, %r2, !%p1;", 2, 1, 0, 0},
    {"setp.lt.xor.s32 %p0, %r1, %r2, %p1;", 1, 2, 0, 0},
    {"setp.lt.s32 %p2|%p0, %r1, %r2;", 1, 2, 0, 0},
    {"setp.lt.and.s32 %p2|%p0, %r1, %r2, %p1;", 3, 2, 0, 1},
    {"and.pred %p0, %p1, %p1;", 1, 0, 0, 1},
    {"not.pred %p0, %p1;", 1, 0, 0, 0},
    {"mov.pred %p0, %p1;", 1, 0, 0, 1},
    /* conversions */
    {"cvt.u64.u32 %q0, %r1;", 0xffffffff, 0, 0, 0xffffffff},
    {"cvt.s64.s32 %q0, %r1;", 0xffffffff, 0, 0, UINT64_MAX},
    {"cvt.u32.u64 %r0, %q1;", UINT64_C(0x100000002), 0, 0, 2},
    {"cvt.s32.s8 %r0, %r1;", 0x80, 0, 0, 0xffffff80},
    {"cvt.u32.u8 %r0, %r1;", 0xf80, 0, 0, 0x80},
    {"cvt.s16.s8 %h0, %h1;", 0x80, 0, 0, 0xff80},
    {"cvt.rn.f32.s32 %r0, %r1;", 0x7fffffff, 0, 0, 0x4f000000},
    {"cvt.rn.f32.u32 %r0, %r1;", 0xffffff7f, 0, 0, 0x4f7fffff},
    {"cvt.rn.f32.u64 %r0, %q1;", UINT64_MAX, 0, 0, 0x5f800000},
    {"cvt.rn.f32.s64 %r0, %q1;", UINT64_MAX, 0, 0, 0xbf800000},
    {"cvt.rn.f32.s16 %r0, %h1;", 0xffff, 0, 0, 0xbf800000},
    {"cvt.rn.f32.f64 %r0, %q1;", UINT64_C(0x3ff0000010000000), 0, 0, 0x3f800000},
    {"cvt.f64.f32 %q0, %r1;", 0x00000001, 0, 0, UINT64_C(0x36a0000000000000)},
    {"cvt.rzi.s32.f32 %r0, %r1;", 0xbfc00000, 0, 0, 0xffffffff},
    {"cvt.rzi.s32.f32 %r0, %r1;", 0x7fc00000, 0, 0, 0},
    {"cvt.rzi.s32.f32 %r0, %r1;", 0x4f800000, 0, 0, 0x7fffffff},
    {"cvt.rzi.u32.f32 %r0, %r1;", 0xbf800000, 0, 0, 0},
    {"cvt.rzi.s64.f32 %q0, %r1;", 0x7fc00000, 0, 0, LOW64},
    {"cvt.rni.s32.f32 %r0, %r1;", 0x40200000, 0, 0, 2},
    {"cvt.rmi.f32.f32 %r0, %r1;", 0xbfc00000, 0, 0, 0xc0000000},
    {"cvt.rpi.f32.f32 %r0, %r1;", 0xbf000000, 0, 0, 0x80000000},
    {"cvt.rni.f32.f32 %r0, %r1;", 0x3fc00000, 0, 0, 0x40000000},
    /* moves, guards, memory */
    {"mov.b64 %q0, {%r1, %r2};", 1, 2, 0, UINT64_C(0x200000001)},
    {"mov.b64 {%r4, %r0}, %q1;", UINT64_C(0x500000006), 0, 0, 5},
    {"mov.b64 {_, %r0}, %q1;", UINT64_C(0x500000006), 0, 0, 5},
    {"mov.b32 {%h0, %h4}, %r1;", 0x12345678, 0, 0, 0x5678},
    {"mov.b32 %r0, 0f40490FDB;", 0, 0, 0, 0x40490fdb},
    {"mov.u32 %r0, -1;", 0, 0, 0, 0xffffffff},
    {"mov.u32 %r0, %ntid.x;", 0, 0, 0, 1},
    {"mov.u32 %r0, 3; @%p1 mov.u32 %r0, 4;", 1, 0, 0, 4},
    {"mov.u32 %r0, 3; @!%p1 mov.u32 %r0, 4;", 1, 0, 0, 3},
    {"st.shared.u32 [buffer+4], %r1; mov.u64 %q4, buffer; ld.shared.u32 %r0, [%q4+4];", 77, 0, 0, 77},
    {"st.shared.u8 [buffer], %r1; ld.shared.s8 %r0, [buffer];", 0xff, 0, 0, 0xffffffff},
    {"mov.u32 %r4, buffer; st.shared.v2.u32 [%r4+8], {%r1, %r2}; ld.shared.u64 %q0, [buffer+8];", 1, 2, 0,
     UINT64_C(0x200000001)},
    {"mov.u64 %q4, buffer; cvta.shared.u64 %q5, %q4; st.u32 [%q5+12], %r1; ld.shared.u32 %r0, [buffer+12];",
     9, 0, 0, 9},
    {"ld.global.u32 %r0, [table+8];", 0, 0, 0, 30},
    {"mov.u64 %q4, table; cvta.global.u64 %q5, %q4; ld.u32 %r0, [%q5+4];", 0, 0, 0, 20},
    {"{ .param .b32 in; st.param.b32 [in], %r1; .param .b32 back; call.uni (back), twice, (in); "
     "ld.param.b32 %r0, [back]; }",
     21, 0, 0, 42},
    {"mov.u32 %r0, 0; bra skip; mov.u32 %r0, 1; skip:", 0, 0, 0, 0},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static const char prologue[] = ".version 7.5\n.target sm_80\n.address_size 64\n"
                               ".global .align 4 .u32 table[3] = {10, 20, 30};\n"
                               ".func (.param .b32 r) twice (.param .b32 a)\n{\n"
                               "    .reg .b32 %r<2>;\n    ld.param.b32 %r0, [a];\n    shl.b32 %r1, %r0, 1;\n"
                               "    st.param.b32 [r], %r1;\n    ret;\n}\n"
                               ".visible .entry all(.param .u64 all_in, .param .u64 all_out)\n{\n"
                               "    .reg .pred %p<4>;\n    .reg .b16 %h<6>;\n    .reg .b32 %r<6>;\n"
                               "    .reg .b64 %q<8>;\n    .shared .align 16 .b8 buffer[16];\n"
                               "    ld.param.u64 %q6, [all_in];\n    ld.param.u64 %q7, [all_out];\n"
                               "    cvta.to.global.u64 %q6, %q6;\n    cvta.to.global.u64 %q7, %q7;\n";

/* The register that the row gives its result in: the first %x0 that is written. */
static char result_of(const Row *row)
{
    const char *at = row->text;
    while ((at = strchr(at, '%')) && at[2] != '0') {
        at++;
    }
    return at ? at[1] : '\0';
}

static const char *store_of(char result)
{
    switch (result) {
    case 'h':
        return "cvt.u64.u16 %q0, %h0;";
    case 'r':
        return "cvt.u64.u32 %q0, %r0;";
    case 'p':
        return "selp.b64 %q0, 1, 0, %p0;";
    default:
        return "";
    }
}

/* One kernel that runs every row on the next three inputs. */
static const char *all_rows(Arena *arena)
{
    Buffer text = {0};
    buffer_append_string(&text, prologue);
    for (int k = 0; k < ROWS; k++) {
        for (int operand = 1; operand <= 3; operand++) {
            buffer_printf(
                &text,
                "    ld.global.u64 %%q%d, [%%q6+%d]; cvt.u32.u64 %%r%d, %%q%d; cvt.u16.u64 %%h%d, %%q%d;\n",
                operand, 24 * k + 8 * operand - 8, operand, operand, operand, operand);
        }
        buffer_printf(&text,
                      "    setp.ne.u64 %%p1, %%q1, 0;\n    %s\n    %s st.global.u64 [%%q7+%d], %%q0;\n",
                      rows[k].text, store_of(result_of(&rows[k])), 8 * k);
    }
    buffer_append_string(&text, "    ret;\n}\n");
    const char *copy = arena_copy(arena, buffer_string(&text));
    buffer_destroy(&text);
    return copy;
}

static void check_answers(const uint64_t *got)
{
    int wrong = 0;
    for (int k = 0; k < ROWS; k++) {
        const char result = result_of(&rows[k]);
        const uint64_t mask = result == 'q' ? UINT64_MAX : result == 'h' ? 0xffff : 0xffffffff;
        if ((got[k] & mask) != rows[k].want) {
            print_error("%s with %#llx %#llx %#llx gives %#llx, not %#llx\n", rows[k].text,
                        (unsigned long long)rows[k].a, (unsigned long long)rows[k].b,
                        (unsigned long long)rows[k].c, (unsigned long long)got[k],
                        (unsigned long long)rows[k].want);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static SimtModule *build(Arena *arena, const char *folder, const char *text, const char **why)
{
    const char *ptx = folder_write(arena, folder, "t.ptx", text);
    const char *c = arena_printf(arena, "%s/t.c", folder), *object = arena_printf(arena, "%s/t.so", folder);
    *why = ptx_translate(arena, ptx, c);
    *why = *why ? *why : ptx_build(arena, c, object, SIMT_PLAIN);
    return *why ? NULL : simt_open(arena, object, why);
}

static void need_module(const SimtModule *module, const char *folder, const char *why)
{
    if (!module && strncmp(why, "skipped:", 8) == 0) {
        print_message("%s\n", why);
        folder_remove(folder);
        skip();
    }
    if (!module) {
        fail_msg("%s", why);
    }
}

static void test_answers(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena), *why;
    SimtModule *module = build(arena, folder, all_rows(arena), &why);
    need_module(module, folder, why);
    uint64_t in[3 * ROWS], out[ROWS] = {0};
    for (int k = 0; k < ROWS; k++) {
        memcpy(in + 3 * k, (uint64_t[]){rows[k].a, rows[k].b, rows[k].c}, 3 * sizeof *in);
    }
    const SimtArgument arguments[] = {{.kind = SIMT_INPUT, .pointer = in, .bytes = sizeof in},
                                      {.kind = SIMT_OUTPUT, .pointer = out, .bytes = sizeof out}};
    const SimtLaunch launch = {.grid = {1}, .block = {1}};
    SimtError error;
    if (!simt_launch(module, "all", &launch, arguments, 2, &error)) {
        fail_msg("%s", error.text);
    }
    check_answers(out);
    print_message("%d instructions\n", ROWS);
    simt_close(module);
    folder_remove(folder);
    arena_destroy(arena);
}

/* ---- what is refused ---- */

typedef struct Refusal {
    const char *text; /* one line of a body */
    const char *why;  /* part of the reason */
} Refusal;

static const Refusal refusals[] = {
    {"add.f32 %r0, %r1, %r2;", "no rounding"},
    {"sub.f32 %r0, %r1, %r2;", "no rounding"},
    {"mul.f32 %r0, %r1, %r2;", "no rounding"},
    {"mul.f64 %q0, %q1, %q2;", "no rounding"},
    {"add.ftz.f32 %r0, %r1, %r2;", "flushes subnormals"},
    {"add.rn.ftz.f32 %r0, %r1, %r2;", "flushes subnormals"},
    {"fma.rn.ftz.f32 %r0, %r1, %r2, %r3;", "flushes subnormals"},
    {"setp.lt.ftz.f32 %p0, %r1, %r2;", "flushes subnormals"},
    {"abs.ftz.f32 %r0, %r1;", "flushes subnormals"},
    {"div.approx.f32 %r0, %r1, %r2;", "approximate"},
    {"div.full.f32 %r0, %r1, %r2;", "approximate"},
    {"rcp.approx.f32 %r0, %r1;", "approximate"},
    {"sqrt.approx.f32 %r0, %r1;", "approximate"},
    {"rsqrt.approx.f32 %r0, %r1;", "approximate"},
    {"ex2.approx.f32 %r0, %r1;", "approximate"},
    {"lg2.approx.f32 %r0, %r1;", "approximate"},
    {"sin.approx.f32 %r0, %r1;", "approximate"},
    {"cos.approx.f32 %r0, %r1;", "approximate"},
    {"tanh.approx.f32 %r0, %r1;", "approximate"},
    {"add.rz.f32 %r0, %r1, %r2;", "nearest even"},
    {"div.rp.f32 %r0, %r1, %r2;", "nearest even"},
    {"cvt.rz.f32.f64 %r0, %q1;", "nearest even"},
    {"red.global.add.f32 [%q1], %r1;", "order in which threads arrive"},
    {"atom.global.add.f32 %r0, [%q1], %r1;", "order in which threads arrive"},
    {"atom.global.add.u32 %r0, [%q1], %r1;", "not supported"},
    {"add.rn.sat.f32 %r0, %r1, %r2;", "not supported"},
    {"add.cc.u32 %r0, %r1, %r2;", "not supported"},
    {"mad.rn.f32 %r0, %r1, %r2, %r3;", "not supported"},
    {"frobnicate.u32 %r0, %r1;", "not supported"},
    {"wmma.load.a.sync.f16 %r0, [%q1];", "not supported"},
    {"bar.sync 1;", "other than 0"},
    {"bar.sync 0, 64;", "operands"},
    {"bar.arrive 0, 64;", "not supported"},
    {"shfl.bfly.b32 %r0, %r1, %r2, %r3;", "not supported"},
    {"vote.sync.ballot.b32 %r0, %p1, -1;", "not supported"},
    {"mov.u32 %r0, %clock;", "'%clock'"},
    {"mov.u32 %r0, %smid;", "'%smid'"},
    {"mov.u32 %r0, %q1;", "another size"},
    {"mov.u32 %r0, %r99;", "no register '%r99'"},
    {"mov.u32 %r01, %r1;", "no register '%r01'"},
    {"add.s32 %r0, %r1;", "operands"},
    {"add.s32 5, %r1, %r2;", "does not go to a register"},
    {"add.rn.f32 %r0, %r1, 1;", "does not fit"},
    {"add.s32 %r0, %r1, 0f3F800000;", "does not fit"},
    {"bra nowhere;", "no such label"},
    {"@%q1 bra there; there:", "another size"},
    {"call.uni missing;", "no body"},
    {"ld.param.u64 %q0, [all_in+8];", "outside of parameter"},
    {"st.param.u64 [all_in], %q0;", "not written to"},
    {"ld.global.u32 %r0, [%r1];", "32 bits"},
    {"ld.shared.u32 %r0, [table];", "no variable of this state space"},
    {"ld.acquire.gpu.u32 %r0, [%q1];", "'.acquire'"},
    {"ld.global.v4.u32 %r0, [%q1];", "in braces"},
    {"cvt.rn.bf16.f32 %h0, %r1;", "not supported"},
    {"mov.u32 %r0, 0x1g;", "not a number"},
    {"mov.b32 %r0, 0f3F80;", "hexadecimal digits"},
    {"add.s32 %r0, %r1, %r2", "';' expected"},
    {".reg .b32 %r<6>;", "declared twice"},
    {".reg .b32 %z<999999999>;", "registers"},
    {".local .b8 deep[99999999999];", "MiB"},
    {".local .b8 deep[100000];", "local memory"},
    {".shared .b8 much[50000];", "shared memory"},
    {".branchtargets a, b;", "not supported"},
    {"mov.u32 %r0, 1; \x01", "a character"},
    {"/* never closed", "comment"},
};

static int line_behind_prologue(void)
{
    int line = 1;
    for (const char *at = prologue; (at = strchr(at, '\n')); at++) {
        line++;
    }
    return line;
}

static void test_refusals(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena);
    const int line = line_behind_prologue() + 1;
    for (size_t k = 0; k < sizeof refusals / sizeof refusals[0]; k++) {
        const char *text = arena_printf(arena, "%s\n%s\n    ret;\n}\n", prologue, refusals[k].text);
        const char *ptx = folder_write(arena, folder, "t.ptx", text);
        const char *why = ptx_translate(arena, ptx, arena_printf(arena, "%s/t.c", folder));
        if (!why || !strstr(why, refusals[k].why)) {
            fail_msg("'%s': %s", refusals[k].text, why ? why : "was taken");
        }
        /* What is wrong with a whole function has the line of its head; a missing end, that of the file's. */
        const char *place = arena_printf(arena, "%s:%d: ", ptx, line);
        const bool elsewhere = strstr(refusals[k].why, " memory") || strstr(refusals[k].why, "';'") ||
                               strstr(refusals[k].why, "comment");
        if (why && !elsewhere && strncmp(why, place, strlen(place)) != 0) {
            fail_msg("'%s' is said to be at: %s", refusals[k].text, why);
        }
        assert_int_not_equal(access(arena_printf(arena, "%s/t.c", folder), F_OK), 0);
    }
    folder_remove(folder);
    arena_destroy(arena);
}

/* Functions that call each other in a circle have no frame; a line each of what is wrong in one file is kept.
 */
static void test_whole_file(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena), *c = arena_printf(arena, "%s/t.c", folder);
    const char *head = ".version 7.5\n.target sm_80\n.address_size 64\n";
    const char *circle =
        arena_printf(arena, "%s.func b;\n.func a { call.uni b; ret; }\n.func b { call.uni a; ret; }\n", head);
    const char *why = ptx_translate(arena, folder_write(arena, folder, "t.ptx", circle), c);
    assert_non_null(strstr(why, "calls itself"));
    const char *two = arena_printf(arena,
                                   "%s.entry k() {\n.reg .f32 %%f<3>;\nadd.f32 %%f0, %%f1, %%f2;\n"
                                   "mul.ftz.f32 %%f0, %%f1, %%f2;\nret; }\n",
                                   head);
    why = ptx_translate(arena, folder_write(arena, folder, "t.ptx", two), c);
    assert_non_null(strstr(why, "t.ptx:6: error: 'add.f32'"));
    assert_non_null(strstr(why, "t.ptx:7: error: 'mul.ftz.f32'"));
    why = ptx_check(arena, folder_write(arena, folder, "t.ptx", two));
    assert_non_null(strstr(why, "t.ptx:6:"));
    why = ptx_translate(arena, folder_write(arena, folder, "t.ptx", "hello"), c);
    assert_non_null(strstr(why, "not PTX"));
    why = ptx_translate(arena, folder_write(arena, folder, "t.ptx", ".version 7.5\n.address_size 32\n"), c);
    assert_non_null(strstr(why, "64 bits"));
    why = ptx_translate(arena, arena_printf(arena, "%s/none.ptx", folder), c);
    assert_non_null(strstr(why, "none.ptx"));
    folder_remove(folder);
    arena_destroy(arena);
}

/* ---- what goes wrong while running, with its line ---- */

typedef struct Trouble {
    const char *text, *why;
} Trouble;

static const Trouble troubles[] = {
    {"mov.u32 %r4, buffer; st.shared.u32 [%r4+16], %r1;", "outside of the memory"},
    {"mov.u32 %r4, buffer; ld.shared.u32 %r1, [%r4+-4];", "outside of the memory"},
    {"st.shared.u32 [buffer+2], %r1;", "not a multiple"},
    {"trap;", "stopped itself"},
    {"mov.u64 %q1, 4096; st.global.u32 [%q1], %r1;", "memory outside every buffer"},
    {"again: bra again;", "did not end"},
    {"mov.u32 %r4, %tid.x; setp.eq.u32 %p1, %r4, 0; @%p1 bra over; bar.sync 0; over:", "barrier"},
};

static void test_troubles(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    const char *folder = folder_create(arena), *why;
    uint64_t in[1] = {0}, out[1] = {0};
    const SimtArgument arguments[] = {{.kind = SIMT_INPUT, .pointer = in, .bytes = sizeof in},
                                      {.kind = SIMT_OUTPUT, .pointer = out, .bytes = sizeof out}};
    const SimtLaunch launch = {.grid = {1}, .block = {2}, .seconds = 0.3};
    const char *place = arena_printf(arena, "t.ptx:%d: ", line_behind_prologue());
    for (size_t k = 0; k < sizeof troubles / sizeof troubles[0]; k++) {
        SimtModule *module = build(
            arena, folder, arena_printf(arena, "%s    %s\n    ret;\n}\n", prologue, troubles[k].text), &why);
        need_module(module, folder, why);
        SimtError error;
        if (simt_launch(module, "all", &launch, arguments, 2, &error)) {
            fail_msg("'%s' was taken", troubles[k].text);
        }
        if (!strstr(error.text, troubles[k].why) || !strstr(error.text, place)) {
            fail_msg("'%s': %s", troubles[k].text, error.text);
        }
        simt_close(module);
    }
    folder_remove(folder);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_whole_file),
        cmocka_unit_test(test_troubles),
    };
    return cmocka_run_group_tests_name("ptx-instructions", tests, NULL, NULL);
}
