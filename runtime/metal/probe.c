/* probe.c: the floating-point probe in Metal's language: every operation on every row's operands, compiled as
 * kernels are. */
#include "metal/device.h"

#include "device/float_probe.h"

#include <string.h>

enum { OPERANDS = 3, ROWS_INDEX = 2 };

static const char source[] =
    "#include <metal_stdlib>\n"
    "using namespace metal;\n"
    "#pragma METAL fp math_mode(safe)\n"
    "#pragma METAL fp contract(off)\n"
    "kernel void samebits_probe(device const uint *in [[buffer(0)]], device uint *out [[buffer(1)]],\n"
    "                           constant ulong &rows [[buffer(2)]], uint thread_ "
    "[[thread_position_in_threadgroup]])\n"
    "{\n"
    "    if (thread_ >= rows)\n"
    "        return;\n"
    "    const uint u = in[thread_], v = in[rows + thread_];\n"
    "    const float a = as_type<float>(u), b = as_type<float>(v), c = as_type<float>(in[2 * rows + "
    "thread_]);\n"
    "    const float product = a * b;\n"
    "    device uint *to = out + thread_;\n"
    "    to[0 * rows] = as_type<uint>(a + b);\n"
    "    to[1 * rows] = as_type<uint>(product);\n"
    "    to[2 * rows] = as_type<uint>(fma(a, b, c));\n"
    "    to[3 * rows] = as_type<uint>(product + c);\n"
    "    to[4 * rows] = as_type<uint>(a / b);\n"
    "    to[5 * rows] = as_type<uint>(1.0f / a);\n"
    "    to[6 * rows] = as_type<uint>(sqrt(a));\n"
    "    to[7 * rows] = as_type<uint>(a > b ? 1.0f : 0.0f);\n"
    "    to[8 * rows] = as_type<uint>(float((ulong(u) << 32) | ulong(v)));\n"
    "}\n";

typedef struct Probe {
    ObjcId library, pipeline, in, out;
} Probe;

static size_t words_out(void)
{
    return (size_t)PROBE_OPS_WITHOUT_F64 * (size_t)float_probe_count;
}

static const char *prepare(Arena *arena, MetalDevice *device, Probe *probe)
{
    const size_t rows = (size_t)float_probe_count;
    const char *why = metal_library_create(arena, device, source, &probe->library);
    if (!why)
        why = metal_pipeline_create(arena, device, probe->library, "samebits_probe", &probe->pipeline);
    if (!why)
        why = metal_buffer_create(arena, device, OPERANDS * rows * sizeof(uint32_t), &probe->in);
    if (!why)
        why = metal_buffer_create(arena, device, words_out() * sizeof(uint32_t), &probe->out);
    if (why)
        return why;
    uint32_t *operand = metal_buffer_data(device, probe->in);
    for (size_t i = 0; i < rows; i++) {
        operand[i] = float_probe_rows[i].a;
        operand[rows + i] = float_probe_rows[i].b;
        operand[2 * rows + i] = float_probe_rows[i].c;
    }
    memset(metal_buffer_data(device, probe->out), 0x5a, words_out() * sizeof(uint32_t));
    return NULL;
}

static const char *launch(Arena *arena, MetalDevice *device, const Probe *probe)
{
    const Objc *objc = &device->objc;
    const uint64_t rows = (uint64_t)float_probe_count;
    const ObjcUInteger threads = (rows + LAUNCH_WARP - 1) / LAUNCH_WARP * LAUNCH_WARP;
    double device_ns = 0;
    MetalCommands commands;
    const char *why = metal_commands_begin(arena, device, METAL_COMPUTE, &commands);
    if (why)
        return why;
    objc_send_id(objc, commands.encoder, "setComputePipelineState:", probe->pipeline);
    objc_send_buffer(objc, commands.encoder, "setBuffer:offset:atIndex:", probe->in, 0, 0);
    objc_send_buffer(objc, commands.encoder, "setBuffer:offset:atIndex:", probe->out, 0, 1);
    objc_send_bytes(objc, commands.encoder, "setBytes:length:atIndex:", &rows, sizeof rows, ROWS_INDEX);
    objc_send_grid(objc, commands.encoder,
                   "dispatchThreadgroups:threadsPerThreadgroup:", (MetalSize){1, 1, 1},
                   (MetalSize){threads, 1, 1});
    return metal_commands_run(arena, device, &commands, "the floating-point probe", &device_ns);
}

static void release(MetalDevice *device, const Probe *probe)
{
    if (device->lost)
        return;
    objc_release(&device->objc, probe->in);
    objc_release(&device->objc, probe->out);
    objc_release(&device->objc, probe->pipeline);
    objc_release(&device->objc, probe->library);
}

const char *metal_probe(Arena *arena, MetalDevice *device)
{
    _Static_assert(PROBE_OPS_WITHOUT_F64 == 9, "the source stores this many results");
    Probe probe = {0};
    ProbeVerdict verdict = {{0}, NULL};
    const char *why = prepare(arena, device, &probe);
    if (!why)
        why = launch(arena, device, &probe);
    if (!why)
        verdict = float_probe_judge(arena, metal_buffer_data(device, probe.out), PROBE_OPS_WITHOUT_F64);
    release(device, &probe);
    device->info.flushes = float_probe_only_flushes(&verdict);
    if (why)
        return strncmp(why, "refused: ", 9) ? arena_printf(arena, "refused: %s", why) : why;
    return verdict.text && !device->info.flushes
               ? arena_printf(arena, "refused: %s %s", device->info.name, verdict.text)
               : NULL;
}
