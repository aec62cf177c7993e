/* memory.c: bandwidth and multiply-add peaks.
 *
 * Vectors are 32 bytes wide (AVX2) where the processor has them, whatever the flags this file is built with:
 * the kernels under test are AVX2 and a wider peak would not be theirs. Each thread goes through one
 * contiguous part, eight vectors a round, as a kernel over rows does. */
#include "bench/memory.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define WITH_AVX2 __attribute__((target("avx2,fma")))
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
static bool has_avx2(void)
{
    return false;
}
#endif

const char *memory_kind_name(MemoryKind kind)
{
    static const char *const names[] = {"read", "read-streams", "copy", "copy-stream"};
    return names[kind];
}

bool memory_kind_reads(MemoryKind kind)
{
    return kind == MEMORY_READ || kind == MEMORY_READ_STREAMS;
}

const char *memory_why_not(MemoryKind kind)
{
    if ((kind == MEMORY_COPY_STREAM || kind == MEMORY_READ_STREAMS) && !has_avx2())
        return "it is written for AVX2 only";
    return NULL;
}

enum { ROUND = 256, STREAMS = 4 }; /* bytes of eight vectors; places a thread reads at once */

typedef struct Transfer {
    MemoryKind kind;
    const char *from;
    char *to;
    size_t bytes;
} Transfer;

/* What was read must be used, or the compiler drops the reading. */
static void keep(const void *value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

#if defined(__x86_64__)
WITH_AVX2 static void read_avx2(const char *from, size_t bytes, size_t streams)
{
    __m256i sum[8];
    for (int k = 0; k < 8; k++)
        sum[k] = _mm256_setzero_si256();
    size_t apart = bytes / streams / ROUND * ROUND;
    for (size_t i = 0; i < apart; i += ROUND)
        for (size_t s = 0; s < streams; s++)
            for (size_t k = 0; k < 8; k++)
                sum[k] =
                    _mm256_xor_si256(sum[k], _mm256_load_si256((const __m256i *)(from + s * apart + i) + k));
    keep(sum);
}

WITH_AVX2 static void copy_avx2(const char *from, char *to, size_t bytes)
{
    const __m256i *source = (const __m256i *)from;
    __m256i *target = (__m256i *)to;
    for (size_t i = 0; i < bytes / ROUND; i++)
        for (int k = 0; k < 8; k++)
            _mm256_store_si256(target + 8 * i + k, _mm256_load_si256(source + 8 * i + k));
}

WITH_AVX2 static void stream_avx2(const char *from, char *to, size_t bytes)
{
    const __m256i *source = (const __m256i *)from;
    __m256i *target = (__m256i *)to;
    for (size_t i = 0; i < bytes / ROUND; i++)
        for (int k = 0; k < 8; k++)
            _mm256_stream_si256(target + 8 * i + k, _mm256_load_si256(source + 8 * i + k));
    _mm_sfence();
}
#else
static void read_avx2(const char *from, size_t bytes, size_t streams)
{
    (void)from, (void)bytes, (void)streams;
}
static void copy_avx2(const char *from, char *to, size_t bytes)
{
    memcpy(to, from, bytes);
}
static void stream_avx2(const char *from, char *to, size_t bytes)
{
    memcpy(to, from, bytes);
}
#endif

static void read_plain(const char *from, size_t bytes)
{
    uint64_t sum[8] = {0}, word[8];
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word) {
        memcpy(word, from + i, sizeof word);
        for (int k = 0; k < 8; k++)
            sum[k] ^= word[k];
    }
    keep(sum);
}

/* Whole rounds by vectors; the last bytes, less than a round, by memcpy. */
static void transfer_part(void *context, int thread, int threads)
{
    const Transfer *transfer = context;
    uint64_t begin, end;
    team_share(transfer->bytes, 4096, thread, threads, &begin, &end);
    const char *from = transfer->from + begin;
    size_t bytes = end - begin, whole = bytes / ROUND * ROUND;
    if (memory_kind_reads(transfer->kind)) {
        size_t streams = transfer->kind == MEMORY_READ ? 1 : STREAMS;
        has_avx2() ? read_avx2(from, whole, streams) : read_plain(from, whole);
        return;
    }
    char *to = transfer->to + begin;
    if (transfer->kind == MEMORY_COPY_STREAM)
        stream_avx2(from, to, whole);
    else if (has_avx2())
        copy_avx2(from, to, whole);
    else
        memcpy(to, from, whole);
    memcpy(to + whole, from + whole, bytes - whole);
}

int64_t memory_run(MemoryKind kind, const Team *team, const void *from, void *to, size_t bytes)
{
    Transfer transfer = {.kind = kind, .from = from, .to = to, .bytes = bytes};
    return team_run(team, transfer_part, &transfer);
}

/* 12 chains: two FMA units times a latency of four or five cycles need 8 to 10 in flight. */
enum { CHAINS = 12 };

const char *peak_instructions(void)
{
    return has_avx2() ? "AVX2 FMA" : "plain C";
}

double peak_flops_per_round(void)
{
    return (has_avx2() ? 8.0 : 1.0) * CHAINS * 2.0;
}

#if defined(__x86_64__)
WITH_AVX2 static void multiply_add_avx2(uint64_t rounds)
{
    __m256 sum[CHAINS], factor = _mm256_set1_ps(0.5f), addend = _mm256_set1_ps(1.0f);
    for (int k = 0; k < CHAINS; k++)
        sum[k] = _mm256_set1_ps((float)k);
    for (uint64_t i = 0; i < rounds; i++)
#pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++)
            sum[k] = _mm256_fmadd_ps(sum[k], factor, addend);
    keep(sum);
}

WITH_AVX2 static void multiply_add_chain_avx2(uint64_t rounds)
{
    __m256 sum = _mm256_setzero_ps(), factor = _mm256_set1_ps(0.5f), addend = _mm256_set1_ps(1.0f);
    for (uint64_t i = 0; i < rounds; i++)
        sum = _mm256_fmadd_ps(sum, factor, addend);
    keep(&sum);
}
#else
static void multiply_add_avx2(uint64_t rounds)
{
    (void)rounds;
}
static void multiply_add_chain_avx2(uint64_t rounds)
{
    (void)rounds;
}
#endif

static void multiply_add_plain(uint64_t rounds)
{
    float sum[CHAINS] = {0};
    for (uint64_t i = 0; i < rounds; i++)
#pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++)
            sum[k] = sum[k] * 0.5f + 1.0f;
    keep(sum);
}

static void multiply_add_chain_plain(uint64_t rounds)
{
    volatile float start = 0.0f;
    float sum = start;
    for (uint64_t i = 0; i < rounds; i++)
        sum = sum * 0.5f + 1.0f;
    keep(&sum);
}

static void peak_part(void *context, int thread, int threads)
{
    (void)thread, (void)threads;
    uint64_t rounds = *(uint64_t *)context;
    has_avx2() ? multiply_add_avx2(rounds) : multiply_add_plain(rounds);
}

int64_t peak_run(const Team *team, uint64_t rounds)
{
    return team_run(team, peak_part, &rounds);
}

static void chain_part(void *context, int thread, int threads)
{
    (void)thread, (void)threads;
    uint64_t rounds = *(uint64_t *)context;
    has_avx2() ? multiply_add_chain_avx2(rounds) : multiply_add_chain_plain(rounds);
}

double peak_chain_step(void)
{
    Team one = team_of_own(1);
    uint64_t rounds = 1000000;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t taken = team_run(&one, chain_part, &rounds);
        best = taken < best ? taken : best;
    }
    return (double)best / (double)rounds;
}
