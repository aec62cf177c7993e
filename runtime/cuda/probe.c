/* probe.c: the floating-point probe as PTX: every operation on every row's operands, one thread per row.
 *
 * Spelled as generated kernels are: .rn on everything, so that neither the driver's compiler nor a flag may
 * contract or flush. Version 6.0 and sm_50 are the oldest that have all of it: what fails here fails for its
 * arithmetic, not for its age. */
#include "cuda/device.h"

#include "device/float_probe.h"

#include <string.h>

enum { OPERANDS = 3 };

/* in: a[rows], b[rows], c[rows]; out: one row of results per operation, in the order of ProbeOp. %rd4 is the
 * size of one row of words, %rd3 where the thread's next result goes. */
static const char probe_text[] = ".version 6.0\n"
                                 ".target sm_50\n"
                                 ".address_size 64\n"
                                 ".visible .entry samebits_probe(\n"
                                 ".param .u64 samebits_probe_param_0,\n"
                                 ".param .u64 samebits_probe_param_1,\n"
                                 ".param .u64 samebits_probe_param_2\n"
                                 ")\n"
                                 "{\n"
                                 ".reg .pred %p<3>;\n"
                                 ".reg .b32 %r<6>;\n"
                                 ".reg .f32 %f<8>;\n"
                                 ".reg .b64 %rd<10>;\n"
                                 ".reg .f64 %fd<8>;\n"
                                 "ld.param.u64 %rd2, [samebits_probe_param_0];\n"
                                 "ld.param.u64 %rd3, [samebits_probe_param_1];\n"
                                 "ld.param.u64 %rd1, [samebits_probe_param_2];\n"
                                 "mov.u32 %r1, %tid.x;\n"
                                 "cvt.u64.u32 %rd5, %r1;\n"
                                 "setp.ge.u64 %p1, %rd5, %rd1;\n"
                                 "@%p1 bra DONE;\n"
                                 "cvta.to.global.u64 %rd2, %rd2;\n"
                                 "cvta.to.global.u64 %rd3, %rd3;\n"
                                 "shl.b64 %rd4, %rd1, 2;\n"
                                 "shl.b64 %rd6, %rd5, 2;\n"
                                 "add.s64 %rd2, %rd2, %rd6;\n"
                                 "add.s64 %rd3, %rd3, %rd6;\n"
                                 "ld.global.f32 %f1, [%rd2];\n"
                                 "add.s64 %rd2, %rd2, %rd4;\n"
                                 "ld.global.f32 %f2, [%rd2];\n"
                                 "add.s64 %rd2, %rd2, %rd4;\n"
                                 "ld.global.f32 %f3, [%rd2];\n"
                                 "add.rn.f32 %f4, %f1, %f2;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "mul.rn.f32 %f5, %f1, %f2;\n"
                                 "st.global.b32 [%rd3], %f5; add.s64 %rd3, %rd3, %rd4;\n"
                                 "fma.rn.f32 %f4, %f1, %f2, %f3;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "add.rn.f32 %f4, %f5, %f3;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "div.rn.f32 %f4, %f1, %f2;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "rcp.rn.f32 %f4, %f1;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "sqrt.rn.f32 %f4, %f1;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "setp.gt.f32 %p2, %f1, %f2;\n"
                                 "selp.f32 %f4, 0f3F800000, 0f00000000, %p2;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "mov.b32 %r2, %f1;\n"
                                 "mov.b32 %r3, %f2;\n"
                                 "cvt.u64.u32 %rd7, %r2;\n"
                                 "cvt.u64.u32 %rd8, %r3;\n"
                                 "shl.b64 %rd7, %rd7, 32;\n"
                                 "or.b64 %rd7, %rd7, %rd8;\n"
                                 "cvt.rn.f32.u64 %f4, %rd7;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "cvt.f64.f32 %fd1, %f1;\n"
                                 "cvt.f64.f32 %fd2, %f2;\n"
                                 "cvt.f64.f32 %fd3, %f3;\n"
                                 "add.rn.f64 %fd4, %fd1, %fd2;\n"
                                 "add.rn.f64 %fd4, %fd4, %fd3;\n"
                                 "cvt.rn.f32.f64 %f4, %fd4;\n"
                                 "st.global.b32 [%rd3], %f4; add.s64 %rd3, %rd3, %rd4;\n"
                                 "fma.rn.f64 %fd4, %fd1, %fd2, %fd3;\n"
                                 "cvt.rn.f32.f64 %f4, %fd4;\n"
                                 "st.global.b32 [%rd3], %f4;\n"
                                 "DONE:\n"
                                 "ret;\n"
                                 "}\n";

typedef struct Probe {
    CUmodule module;
    CUfunction function;
    CUdeviceptr in, out;
    CUevent end;
} Probe;

static size_t words_in(void)
{
    return (size_t)OPERANDS * (size_t)float_probe_count;
}

static size_t words_out(void)
{
    return (size_t)PROBE_OPS * (size_t)float_probe_count;
}

static const char *prepare(Arena *arena, CudaDevice *device, Probe *probe)
{
    uint32_t *operand = ARENA_ARRAY(arena, uint32_t, words_in());
    for (int i = 0; i < float_probe_count; i++) {
        operand[i] = float_probe_rows[i].a;
        operand[float_probe_count + i] = float_probe_rows[i].b;
        operand[2 * float_probe_count + i] = float_probe_rows[i].c;
    }
    const CudaApi *api = &device->api;
    const char *why = cuda_module_load(arena, device, probe_text, &probe->module);
    if (!why)
        why = cuda_check(arena, device,
                         api->module_get_function(&probe->function, probe->module, "samebits_probe"),
                         "finding the probe");
    if (!why)
        why = cuda_memory_create(arena, device, words_in() * sizeof(uint32_t), &probe->in);
    if (!why)
        why = cuda_memory_create(arena, device, words_out() * sizeof(uint32_t), &probe->out);
    if (!why)
        why = cuda_memory_write(arena, device, probe->in, operand, words_in() * sizeof(uint32_t));
    if (!why)
        why = cuda_check(arena, device, api->memset_d32(probe->out, 0x5a5a5a5a, words_out()),
                         "clearing the probe's results");
    if (!why)
        why =
            cuda_check(arena, device, api->event_create(&probe->end, CUDA_EVENT_DEFAULT), "making an event");
    return why;
}

static const char *launch(Arena *arena, CudaDevice *device, Probe *probe)
{
    unsigned long long rows = (unsigned long long)float_probe_count;
    const unsigned threads = (unsigned)(float_probe_count + LAUNCH_WARP - 1) / LAUNCH_WARP * LAUNCH_WARP;
    void *value[] = {&probe->in, &probe->out, &rows};
    const char *why = cuda_check(
        arena, device,
        device->api.launch_kernel(probe->function, 1, 1, 1, threads, 1, 1, 0, device->stream, value, NULL),
        "launching the probe");
    if (!why)
        why = cuda_check(arena, device, device->api.event_record(probe->end, device->stream),
                         "recording an event");
    return why ? why : cuda_wait(arena, device, probe->end, "the floating-point probe");
}

static void release(CudaDevice *device, Probe *probe)
{
    cuda_memory_destroy(device, probe->in);
    cuda_memory_destroy(device, probe->out);
    if (device->lost)
        return;
    if (probe->end)
        device->api.event_destroy(probe->end);
    if (probe->module)
        device->api.module_unload(probe->module);
}

const char *cuda_probe(Arena *arena, CudaDevice *device)
{
    _Static_assert(PROBE_OPS == 11, "the PTX stores this many results");
    Probe probe = {0};
    uint32_t *result = ARENA_ARRAY(arena, uint32_t, words_out());
    const char *why = prepare(arena, device, &probe);
    if (!why)
        why = launch(arena, device, &probe);
    if (!why)
        why = cuda_memory_read(arena, device, result, probe.out, words_out() * sizeof(uint32_t));
    release(device, &probe);
    if (why)
        return arena_printf(arena, "%s%s", strncmp(why, "skipped: ", 9) ? "refused: " : "", why);
    const ProbeVerdict verdict = float_probe_judge(arena, result, PROBE_OPS);
    return verdict.text ? arena_printf(arena, "refused: %s %s", device->info.name, verdict.text) : NULL;
}
