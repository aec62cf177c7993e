/* float_probe.c: the rows, and the comparison. Words are IEEE 754 binary32 in hexadecimal. */
#include "device/float_probe.h"

static const char *const op_text[PROBE_OPS] = {
    [PROBE_ADD] = "a + b",
    [PROBE_MUL] = "a * b",
    [PROBE_FMA] = "fma(a, b, c)",
    [PROBE_MUL_ADD] = "a * b, then + c",
    [PROBE_DIV] = "a / b",
    [PROBE_RCP] = "1 / a",
    [PROBE_SQRT] = "sqrt(a)",
    [PROBE_GREATER] = "a > b",
    [PROBE_FROM_U64] = "a 64-bit integer to binary32",
    [PROBE_F64_ADD] = "binary64 (a + b) + c",
    [PROBE_F64_FMA] = "binary64 fma(a, b, c)",
};

static const char *const fault_text[FAULTS] = {
    [FAULT_FLUSHES] = "flushes subnormals",
    [FAULT_CONTRACTS] = "contracts a product and a sum that must round twice",
    [FAULT_SPLITS] = "rounds a fused multiply-add twice",
    [FAULT_ROUNDS] = "does not round to nearest even",
    [FAULT_F64] = "does not compute binary64 as IEEE 754 says",
};

/* 3f800001 is 1 + 2^-23; its square is 1 + 2^-22 + 2^-46, which binary32 rounds to 1 + 2^-22 (3f800002). */
const ProbeRow float_probe_rows[] = {
    /* subnormal operands and results */
    {PROBE_ADD, FAULT_FLUSHES, 0x00000001, 0x00000001, 0, 0x00000002},
    {PROBE_ADD, FAULT_FLUSHES, 0x00800001, 0x80800000, 0, 0x00000001},
    {PROBE_ADD, FAULT_FLUSHES, 0x807fffff, 0x00800000, 0, 0x00000001},
    {PROBE_MUL, FAULT_FLUSHES, 0x00800000, 0x3f000000, 0, 0x00400000},
    {PROBE_MUL, FAULT_FLUSHES, 0x00000001, 0x4b800000, 0, 0x01000000},
    {PROBE_MUL, FAULT_FLUSHES, 0x00000003, 0x3f000000, 0, 0x00000002}, /* 1.5 units: to even */
    {PROBE_FMA, FAULT_FLUSHES, 0x00000001, 0x3f800000, 0x00000001, 0x00000002},
    {PROBE_FMA, FAULT_FLUSHES, 0x1f800000, 0x1f000000, 0x00000001, 0x00100001},
    {PROBE_DIV, FAULT_FLUSHES, 0x00800000, 0x40400000, 0, 0x002aaaab},
    {PROBE_DIV, FAULT_FLUSHES, 0x00000003, 0x00000002, 0, 0x3fc00000},
    {PROBE_RCP, FAULT_FLUSHES, 0x7f000000, 0, 0, 0x00400000},
    {PROBE_RCP, FAULT_FLUSHES, 0x00400000, 0, 0, 0x7f000000},
    {PROBE_SQRT, FAULT_FLUSHES, 0x00000001, 0, 0, 0x1a3504f3},
    {PROBE_GREATER, FAULT_FLUSHES, 0x00000001, 0x00000000, 0, 0x3f800000},
    {PROBE_F64_ADD, FAULT_FLUSHES, 0x00000001, 0x00000001, 0x00000001, 0x00000003},
    /* two roundings where the program says two, one where it says one */
    {PROBE_MUL_ADD, FAULT_CONTRACTS, 0x3f800001, 0x3f800001, 0xbf800002, 0x00000000},
    {PROBE_MUL_ADD, FAULT_CONTRACTS, 0x3dcccccd, 0x41200000, 0xbf800000, 0x00000000},
    {PROBE_FMA, FAULT_SPLITS, 0x3f800001, 0x3f800001, 0xbf800002, 0x28800000},
    {PROBE_FMA, FAULT_SPLITS, 0x3dcccccd, 0x41200000, 0xbf800000, 0x32800000},
    /* rounding to nearest even, on results close to the middle of two binary32 numbers */
    {PROBE_ADD, FAULT_ROUNDS, 0x3f800000, 0x33800000, 0, 0x3f800000},
    {PROBE_ADD, FAULT_ROUNDS, 0x3f800001, 0x33800000, 0, 0x3f800002},
    {PROBE_ADD, FAULT_ROUNDS, 0x3f800000, 0x33800001, 0, 0x3f800001},
    {PROBE_ADD, FAULT_ROUNDS, 0x80000000, 0x80000000, 0, 0x80000000},
    {PROBE_ADD, FAULT_ROUNDS, 0x7f7fffff, 0x73000000, 0, 0x7f800000},
    {PROBE_MUL, FAULT_ROUNDS, 0x3f800001, 0x3fc00000, 0, 0x3fc00002},
    {PROBE_DIV, FAULT_ROUNDS, 0x3f800000, 0x40400000, 0, 0x3eaaaaab},
    {PROBE_DIV, FAULT_ROUNDS, 0x3f800000, 0x3f7fffff, 0, 0x3f800001},
    {PROBE_DIV, FAULT_ROUNDS, 0x3f800000, 0x3f800001, 0, 0x3f7ffffe},
    /* quotients 2^-49 from the middle of two binary32 numbers; a * (1 / b) rounds each the other way */
    {PROBE_DIV, FAULT_ROUNDS, 0x4adc4d58, 0x4b3c6da5, 0, 0x3f15a6ea},
    {PROBE_DIV, FAULT_ROUNDS, 0x4b0def21, 0x4b1a6917, 0, 0x3f6b50ad},
    {PROBE_DIV, FAULT_ROUNDS, 0x4ac89c88, 0x4b1710cf, 0, 0x3f29fb17},
    {PROBE_DIV, FAULT_ROUNDS, 0x4aa1288c, 0x4b0512bd, 0, 0x3f1b03b6},
    {PROBE_RCP, FAULT_ROUNDS, 0x40400000, 0, 0, 0x3eaaaaab},
    {PROBE_RCP, FAULT_ROUNDS, 0x3f7fffff, 0, 0, 0x3f800001},
    {PROBE_RCP, FAULT_ROUNDS, 0x3fffffff, 0, 0, 0x3f000001},
    {PROBE_SQRT, FAULT_ROUNDS, 0x40000000, 0, 0, 0x3fb504f3},
    {PROBE_SQRT, FAULT_ROUNDS, 0x3f800001, 0, 0, 0x3f800000}, /* 1 + 2^-24 - 2^-49 */
    {PROBE_SQRT, FAULT_ROUNDS, 0x3f7fffff, 0, 0, 0x3f7fffff}, /* 1 - 2^-25 - 2^-51 */
    {PROBE_SQRT, FAULT_ROUNDS, 0x407fffff, 0, 0, 0x3fffffff},
    {PROBE_FROM_U64, FAULT_ROUNDS, 0x00000000, 0x01000001, 0, 0x4b800000}, /* 2^24 + 1: a tie */
    {PROBE_FROM_U64, FAULT_ROUNDS, 0x00000000, 0x01000003, 0, 0x4b800002},
    {PROBE_FROM_U64, FAULT_ROUNDS, 0x80000080, 0x00000001, 0, 0x5f000001},
    /* binary64 accumulators */
    {PROBE_F64_ADD, FAULT_F64, 0x3f800000, 0x30800000, 0xbf800000, 0x30800000},
    {PROBE_F64_ADD, FAULT_F64, 0x3f800000, 0x33800000, 0x28000000, 0x3f800001},
    {PROBE_F64_FMA, FAULT_F64, 0x3f800001, 0x3f800001, 0xbf800002, 0x28800000},
    {PROBE_F64_FMA, FAULT_F64, 0x71800000, 0x71800000, 0xf1800000, 0x7f800000},
};
const int float_probe_count = sizeof float_probe_rows / sizeof *float_probe_rows;

static const char *row_text(Arena *arena, const ProbeRow *row, uint32_t got)
{
    return arena_printf(arena, "%s: %s of a=%08x b=%08x c=%08x gave %08x, not %08x", fault_text[row->fault],
                        op_text[row->op], row->a, row->b, row->c, got, row->expected);
}

ProbeVerdict float_probe_judge(Arena *arena, const uint32_t *result, int ops)
{
    ProbeVerdict verdict = {{0}, NULL};
    for (int i = 0; i < float_probe_count; i++) {
        const ProbeRow *row = &float_probe_rows[i];
        if ((int)row->op >= ops)
            continue;
        const uint32_t got = result[(int)row->op * float_probe_count + i];
        if (got == row->expected)
            continue;
        /* What is wrong on ordinary numbers says more than what is wrong on subnormal ones. */
        if (!verdict.text || (row->fault != FAULT_FLUSHES && float_probe_only_flushes(&verdict)))
            verdict.text = row_text(arena, row, got);
        verdict.failed[row->fault]++;
    }
    return verdict;
}

bool float_probe_only_flushes(const ProbeVerdict *verdict)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (fault != FAULT_FLUSHES && verdict->failed[fault])
            return false;
    return verdict->failed[FAULT_FLUSHES] > 0;
}
