/* device.c: opening a device, its memory, waiting with a limit, errors. */
#include "cuda/device.h"

#include "cuda/needs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOG_BYTES = 8192, SPIN_NS = 2000000, NAP_NS = 200000 };

double cuda_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* ---- errors ---- */

/* After these the process must end, says the manual, for every further call gives the same error: what cannot
 * be corrected in memory or on NVLink, what was contained; an illegal address, the display's watchdog, a
 * context destroyed, an assert; stack, instruction, alignment, address space, program counter, launch; tensor
 * memory. */
static bool ends_context(CUresult result)
{
    static const CUresult fatal[] = {
        214, 220, 226, CUDA_ERROR_ILLEGAL_ADDRESS, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if (result == fatal[i])
            return true;
    return false;
}

const char *cuda_check(Arena *arena, CudaDevice *device, CUresult result, const char *format, ...)
{
    if (result == CUDA_SUCCESS)
        return NULL;
    device->lost |= ends_context(result);
    va_list arguments;
    va_start(arguments, format);
    const char *what = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return arena_printf(arena, "%s: %s", what, cuda_api_error(arena, &device->api, result));
}

/* ---- opening ---- */

static int attribute(const CudaDevice *device, int which)
{
    int value = 0;
    return device->api.device_get_attribute(&value, which, device->handle) == CUDA_SUCCESS ? value : 0;
}

/* Two transfers per clock: every memory that GPUs have had since GDDR3 is double data rate. */
static double peak_gbs(const CudaDevice *device)
{
    return 2e3 * attribute(device, CUDA_ATTRIBUTE_MEMORY_CLOCK_RATE) *
           attribute(device, CUDA_ATTRIBUTE_MEMORY_BUS_WIDTH) / 8 * 1e-9;
}

static void read_info(CudaDevice *device)
{
    CudaInfo *info = &device->info;
    char bus[32] = "";
    if (device->api.device_get_name(info->name, sizeof info->name, device->handle) != CUDA_SUCCESS)
        snprintf(info->name, sizeof info->name, "unknown device");
    device->api.driver_get_version(&info->cuda);
    device->api.device_total_mem(&info->memory_bytes, device->handle);
    device->api.device_get_pci_bus_id(bus, sizeof bus, device->handle);
    info->major = attribute(device, CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    info->minor = attribute(device, CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    info->processors = attribute(device, CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    info->warp = attribute(device, CUDA_ATTRIBUTE_WARP_SIZE);
    info->cache_bytes = (size_t)attribute(device, CUDA_ATTRIBUTE_L2_CACHE_SIZE);
    info->peak_gbs = peak_gbs(device);
    cuda_clocks_open(&device->clocks, bus);
    cuda_clocks_driver(&device->clocks, info->driver, sizeof info->driver);
    snprintf(info->no_clocks, sizeof info->no_clocks, "%s", device->clocks.why);
}

static const char *find_device(Arena *arena, CudaDevice *device)
{
    const char *set = getenv("SAMEBITS_CUDA_DEVICE");
    int count = 0, wanted = set && *set ? atoi(set) : 0;
    const char *why =
        cuda_check(arena, device, device->api.device_get_count(&count), "skipped: counting GPUs");
    if (why)
        return why;
    if (count == 0)
        return "skipped: the CUDA driver finds no GPU";
    if (wanted < 0 || wanted >= count)
        return arena_printf(arena, "skipped: there is no CUDA device %d; this machine has 0 to %d", wanted,
                            count - 1);
    return cuda_check(arena, device, device->api.device_get(&device->handle, wanted), "skipped: device %d",
                      wanted);
}

/* The stream keeps its order with the null stream (it is not "non-blocking"): a copy from pageable memory
 * returns when it is staged, and the launch behind it must wait for the rest. */
static const char *make_current(Arena *arena, CudaDevice *device)
{
    const CudaApi *api = &device->api;
    const char *why =
        cuda_check(arena, device, api->device_primary_ctx_retain(&device->context, device->handle),
                   "skipped: %s cannot be used", device->info.name);
    if (!why)
        why = cuda_check(arena, device, api->ctx_set_current(device->context), "setting the context");
    if (!why)
        why = cuda_check(arena, device, api->stream_create(&device->stream, CUDA_STREAM_DEFAULT),
                         "making a stream");
    return why;
}

CudaDevice *cuda_open(Arena *arena, const char **why)
{
    CudaDevice *device = ARENA_NEW(arena, CudaDevice);
    device->patience = launch_patience();
    *why = cuda_api_load(arena, &device->api);
    if (!*why)
        *why = find_device(arena, device);
    if (*why)
        return NULL;
    read_info(device);
    if (device->info.warp != LAUNCH_WARP) {
        *why = arena_printf(arena, "refused: %s has warps of %d threads, the kernels need %d",
                            device->info.name, device->info.warp, LAUNCH_WARP);
        return NULL;
    }
    *why = make_current(arena, device);
    if (*why) {
        cuda_close(device);
        return NULL;
    }
    return device;
}

void cuda_close(CudaDevice *device)
{
    if (!device || device->lost || !device->context)
        return;
    if (device->stream)
        device->api.stream_destroy(device->stream);
    device->api.device_primary_ctx_release(device->handle);
    device->stream = NULL;
    device->context = NULL;
}

const CudaInfo *cuda_info(const CudaDevice *device)
{
    return &device->info;
}

void cuda_set_patience(CudaDevice *device, double seconds)
{
    device->patience = seconds;
}

/* ---- memory ---- */

const char *cuda_memory_create(Arena *arena, CudaDevice *device, size_t bytes, CUdeviceptr *memory)
{
    return cuda_check(arena, device, device->api.mem_alloc(memory, bytes > 0 ? bytes : sizeof(float)),
                      "%zu bytes on the device", bytes);
}

void cuda_memory_destroy(CudaDevice *device, CUdeviceptr memory)
{
    if (memory && !device->lost)
        device->api.mem_free(memory);
}

const char *cuda_memory_write(Arena *arena, CudaDevice *device, CUdeviceptr to, const void *from,
                              size_t bytes)
{
    if (bytes == 0)
        return NULL;
    return cuda_check(arena, device, device->api.memcpy_htod(to, from, bytes),
                      "copying %zu bytes to the device", bytes);
}

const char *cuda_memory_read(Arena *arena, CudaDevice *device, void *to, CUdeviceptr from, size_t bytes)
{
    if (bytes == 0)
        return NULL;
    return cuda_check(arena, device, device->api.memcpy_dtoh(to, from, bytes),
                      "copying %zu bytes from the device", bytes);
}

/* ---- waiting ---- */

/* Asking costs the host some microseconds and the device nothing. After two milliseconds the answers are
 * asked for less often, so that a waiting process does not take a processor from others. */
static void wait_a_little(double waited_ns)
{
    if (waited_ns > SPIN_NS)
        nanosleep(&(struct timespec){0, NAP_NS}, NULL);
}

const char *cuda_wait(Arena *arena, CudaDevice *device, CUevent event, const char *what)
{
    const double start = cuda_now_ns();
    for (;;) {
        const CUresult result = device->api.event_query(event);
        if (result != CUDA_ERROR_NOT_READY)
            return cuda_check(arena, device, result, "%s", what);
        const double waited = cuda_now_ns() - start;
        if (waited > 1e9 * device->patience) {
            device->lost = true;
            return arena_printf(arena, "%s: no answer within %g s", what, device->patience);
        }
        wait_a_little(waited);
    }
}

/* ---- modules ---- */

/* An option's value is stored in the pointer itself where it is a number. */
static CUresult load_with_log(const CudaDevice *device, const char *ptx, CUmodule *module, char *log)
{
    int option[] = {CUDA_JIT_ERROR_LOG_BUFFER, CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *value[] = {log, (void *)(uintptr_t)(LOG_BYTES - 1)};
    return device->api.module_load_data_ex(module, ptx, 2, option, value);
}

/* What a module that is not loaded says of this machine, or of the PTX. */
static const char *load_failure(Arena *arena, CUresult result, CudaNeeds needs)
{
    switch (result) {
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
        return arena_printf(
            arena, "skipped: this driver or device is too old for PTX %d.%d for sm_%d; update the driver",
            needs.isa_major, needs.isa_minor, needs.sm);
    case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
        return "skipped: the driver has no compiler of PTX here; install the rest of it "
               "(libnvidia-ptxjitcompiler.so.1; in a container, the driver capability 'compute')";
    case CUDA_ERROR_JIT_COMPILATION_DISABLED:
        return "skipped: compiling PTX is switched off; unset CUDA_DISABLE_PTX_JIT";
    default:
        return "the driver does not take the PTX";
    }
}

const char *cuda_module_load(Arena *arena, CudaDevice *device, const char *ptx, CUmodule *module)
{
    const CudaInfo *info = &device->info;
    CudaNeeds needs;
    const char *why = cuda_needs_read(arena, ptx, &needs);
    if (!why)
        why = cuda_needs_why_not(arena, needs, info->cuda, info->major, info->minor);
    if (why)
        return why;
    char *log = arena_alloc(arena, LOG_BYTES, 1);
    const CUresult result = load_with_log(device, ptx, module, log);
    why = cuda_check(arena, device, result, "%s", load_failure(arena, result, needs));
    return why && *log ? arena_printf(arena, "%s\n%s", why, log) : why;
}
