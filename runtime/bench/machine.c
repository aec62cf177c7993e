/* machine.c: preflight. Advice, never refusal: a figure from a noisy machine is still a figure when it says
 * so. */
#include "bench/machine.h"
#include "bench/clock.h"
#include "bench/memory.h"
#include "bench/team.h"
#include "driver/build.h"
#include "driver/child.h"
#include "driver/kernel.h"
#include "platform/platform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { CACHE_DEFAULT = 32 << 20, BANDWIDTH_LIMIT = 256 << 20, FMA_ROUNDS = 1000000, TRIES = 5 };

static void advise(Machine *machine, const char *text)
{
    if (machine->advices < MACHINE_ADVICE_LIMIT)
        machine->advice[machine->advices++] = text;
}

/* The first line of a small file, or NULL. */
static const char *read_line(Arena *arena, const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    char line[256];
    bool got = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    if (!got)
        return NULL;
    line[strcspn(line, "\n")] = 0;
    return arena_copy(arena, line);
}

static const char *find_compiler_version(Arena *arena)
{
    const char *compiler = build_rows[0].compiler;
    Buffer text = {0};
    const char *const command[] = {"sh", "-c", "${SAMEBITS_CLANG:-clang} --version", NULL};
    const char *why = child_exec(arena, (ChildLimits){.seconds = 10}, command, NULL, &text);
    const char *version =
        why ? arena_printf(arena, "%s: %s", compiler, why)
            : arena_copy_bytes(arena, buffer_string(&text), strcspn(buffer_string(&text), "\n"));
    buffer_destroy(&text);
    return version;
}

static unsigned read_control_word(void)
{
#if defined(__x86_64__)
    return _mm_getcsr() & ~0x3fu; /* the low six bits are sticky exception flags */
#else
    return 0;
#endif
}

/* ---- measured in a child ---------------------------------------------------------------------- */

typedef struct Examination {
    int threads;
    size_t bytes; /* per buffer: twice the last-level cache and more */
} Examination;

static double best_gbs(MemoryKind kind, const Team *team, char *from, char *to, size_t bytes)
{
    if (memory_why_not(kind) != NULL)
        return 0.0;
    int64_t best = INT64_MAX;
    memory_run(kind, team, from, to, bytes);
    for (int i = 0; i < TRIES; i++) {
        int64_t taken = memory_run(kind, team, from, to, bytes);
        best = taken < best ? taken : best;
    }
    return (memory_kind_reads(kind) ? 1.0 : 2.0) * (double)bytes / (double)best;
}

static double best_gflops(int threads)
{
    Team team = team_of_own(threads);
    int64_t best = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t taken = peak_run(&team, FMA_ROUNDS);
        best = taken < best ? taken : best;
    }
    return peak_flops_per_round() * FMA_ROUNDS * threads / (double)best;
}

static void *map_bytes(size_t bytes)
{
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapping == MAP_FAILED ? NULL : mapping;
}

static void measure_bandwidth(const Examination *examination, FILE *out)
{
    Team team = team_of_own(examination->threads);
    char *from = map_bytes(examination->bytes), *to = map_bytes(examination->bytes);
    if (from == NULL || to == NULL)
        return;
    memset(from, 1, examination->bytes);
    memset(to, 2, examination->bytes);
    double read = best_gbs(MEMORY_READ, &team, from, to, examination->bytes);
    double streams = best_gbs(MEMORY_READ_STREAMS, &team, from, to, examination->bytes);
    fprintf(out, "read %.6g\n", fmax(read, streams));
    fprintf(out, "copy %.6g\n", best_gbs(MEMORY_COPY, &team, from, to, examination->bytes));
    fprintf(out, "stream %.6g\n", best_gbs(MEMORY_COPY_STREAM, &team, from, to, examination->bytes));
}

static void examine_in_child(void *context, FILE *out)
{
    const Examination *examination = context;
    kernel_prepare_thread();
    fprintf(out, "word %u\n", read_control_word());
    fprintf(out, "tick %.6g\n", (double)clock_tick());
    fprintf(out, "one %.6g\n", best_gflops(1));
    fprintf(out, "all %.6g\n", best_gflops(examination->threads));
    fprintf(out, "chain %.6g\n", peak_chain_step());
    measure_bandwidth(examination, out);
}

static void take_line(Machine *machine, const char *line)
{
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {
        {"tick", offsetof(Machine, clock_tick_ns)},     {"one", offsetof(Machine, fma_gflops_one)},
        {"all", offsetof(Machine, fma_gflops_all)},     {"chain", offsetof(Machine, chain_step_ns)},
        {"read", offsetof(Machine, read_gbs)},          {"copy", offsetof(Machine, copy_gbs)},
        {"stream", offsetof(Machine, copy_stream_gbs)},
    };
    char name[16];
    double value;
    if (sscanf(line, "%15s %lf", name, &value) != 2)
        return;
    if (strcmp(name, "word") == 0)
        machine->control_word = (unsigned)value;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(name, fields[i].name) == 0)
            memcpy((char *)machine + fields[i].offset, &value, sizeof value);
}

static void measure_peaks(Arena *arena, Machine *machine)
{
    size_t bytes = 2 * machine->cache_bytes + ((size_t)16 << 20);
    Examination examination = {.threads = machine->threads,
                               .bytes = bytes < BANDWIDTH_LIMIT ? bytes : BANDWIDTH_LIMIT};
    Buffer text = {0};
    const char *why = child_run(arena, (ChildLimits){.seconds = 60}, examine_in_child, &examination, &text);
    if (why != NULL)
        advise(machine, arena_printf(arena, "the machine's peaks could not be measured: %s", why));
    char *rest = text.data;
    for (char *line = rest ? strtok_r(rest, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        take_line(machine, line);
    buffer_destroy(&text);
}

/* ---- advice ------------------------------------------------------------------------------------ */

static void advise_on_settings(Arena *arena, Machine *machine)
{
    if (machine->load > 0.5)
        advise(machine, arena_printf(arena, "load average %.2f: other programs ran; expect wide intervals",
                                     machine->load));
    if (strcmp(machine->governor, "unknown") != 0 && strcmp(machine->governor, "performance") != 0)
        advise(machine, arena_printf(arena, "frequency governor is '%s': 'performance' gives steadier times",
                                     machine->governor));
#if defined(__x86_64__)
    if (machine->control_word != 0 && machine->control_word != 0x1f80)
        advise(machine,
               arena_printf(arena,
                            "MXCSR is %#x, not 0x1f80: subnormals or rounding are not in the default state",
                            machine->control_word));
#endif
}

/* Two virtual processors can be two threads of one core for minutes at a time, without stolen time being
 * shown. */
static void advise_on_sharing(Arena *arena, Machine *machine)
{
    double ideal = machine->fma_gflops_one * machine->threads;
    if (machine->threads > 1 && machine->fma_gflops_all > 0.0 && machine->fma_gflops_all < 0.75 * ideal)
        advise(machine,
               arena_printf(arena,
                            "%d threads reach %.0f GFLOP/s, one alone %.0f: the processors share a core or "
                            "are taken by others; figures of this run are below the machine's best",
                            machine->threads, machine->fma_gflops_all, machine->fma_gflops_one));
}

Machine machine_examine(Arena *arena, int threads)
{
    const char *governor = read_line(arena, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    const size_t cache = platform_cache_bytes();
    Machine machine = {
        .cpu = platform_processor_name(arena),
        .governor = governor ? governor : "unknown",
        .compiler = find_compiler_version(arena),
        .threads = threads,
        .steal = -1.0,
        .cache_bytes = cache > 0 ? cache : CACHE_DEFAULT,
        .peak_is_known = strcmp(peak_instructions(), "AVX2 FMA") == 0,
    };
    double load[1] = {0.0};
    if (getloadavg(load, 1) == 1)
        machine.load = load[0];
    measure_peaks(arena, &machine);
    advise_on_settings(arena, &machine);
    advise_on_sharing(arena, &machine);
    return machine;
}

ProcessorTime machine_processor_time(void)
{
    ProcessorTime time = {0};
    double field[8] = {0};
    FILE *file = fopen("/proc/stat", "r");
    if (file == NULL)
        return time;
    /* proc(5): user nice system idle iowait irq softirq steal, in clock ticks */
    int got = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &field[0], &field[1], &field[2], &field[3],
                     &field[4], &field[5], &field[6], &field[7]);
    fclose(file);
    for (int i = 0; got == 8 && i < 8; i++)
        time.all += field[i];
    time.stolen = field[7];
    return time;
}

void machine_note_steal(Arena *arena, Machine *machine, ProcessorTime before)
{
    ProcessorTime now = machine_processor_time();
    if (now.all <= before.all)
        return;
    machine->steal = (now.stolen - before.stolen) / (now.all - before.all);
    if (machine->steal > 0.01)
        advise(machine, arena_printf(arena, "the hypervisor gave %.1f %% of the processors' time to others",
                                     100.0 * machine->steal));
}

json_t *machine_to_json(const Machine *machine)
{
    json_t *advice = json_array();
    for (int i = 0; i < machine->advices; i++)
        json_array_append_new(advice, json_string(machine->advice[i]));
    char word[16];
    snprintf(word, sizeof word, "%#x", machine->control_word);
    return json_pack("{s:s, s:s, s:i, s:s, s:f, s:f, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:o}",
                     "cpu", machine->cpu, "governor", machine->governor, "threads", machine->threads,
                     "compiler", machine->compiler, "load", machine->load, "steal", machine->steal, "mxcsr",
                     word, "cache_bytes", (json_int_t)machine->cache_bytes, "clock_tick_ns",
                     machine->clock_tick_ns, "read_gbs", machine->read_gbs, "copy_gbs", machine->copy_gbs,
                     "copy_stream_gbs", machine->copy_stream_gbs, "fma_gflops_one", machine->fma_gflops_one,
                     "fma_gflops_all", machine->fma_gflops_all, "chain_step_ns", machine->chain_step_ns,
                     "fma_instructions", peak_instructions(), "advice", advice);
}
