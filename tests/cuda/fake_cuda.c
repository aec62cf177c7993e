/* fake_cuda.c: a libcuda.so for tests: the driver functions that samebits uses, strict about their use, on a
 * device that is an interpreter of PTX (fake_ptx.c).
 *
 * What a real driver might let pass ends the process here with a message: calls without a context, handles
 * that are not alive, copies outside an allocation, events read before they happened, and whatever is still
 * alive when the context is released. The device's clock counts instructions, so times can be checked.
 *
 * FAKE_CUDA lists what is wrong with this device (words separated by commas; `flaws` below); FAKE_CUDA_LOG
 * names a file that gets a line per launch; after FAKE_CUDA_LAUNCHES launches a process's next one hangs. */
#include "fake_ptx.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NO_DEVICE = 100,
    INVALID_PTX = 218,
    NO_JIT = 221,
    UNSUPPORTED_PTX = 222,
    JIT_OFF = 223,
    NOT_FOUND = 500,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    OUT_OF_RESOURCES = 701,
    LAUNCH_FAILED = 719,
    THINGS = 4096,
    ARGUMENT_LIMIT = 64
};

static const char *const flaws[] = {"crash",       "no-gpu",    "no-start",  "old",        "older-device",
                                    "warp64",      "flush",     "contract",  "division",   "jit",
                                    "unsupported", "no-memory", "no-launch", "hang",       "few-threads",
                                    "no-double",   "no-jit",    "jit-off",   "full-queue", NULL};

typedef enum Kind { FREE, STREAM, EVENT, MODULE, FUNCTION } Kind;

typedef struct Thing {
    Kind kind;
    PtxText *text;      /* module */
    PtxEntry *entry;    /* function */
    struct Thing *home; /* function: its module */
    bool recorded, never;
    unsigned long long at; /* event: the device's clock */
} Thing;

static struct {
    bool initialised, current;
    int retained;
    Thing thing[THINGS];
    FakeMemory memory;
    unsigned long long clock;
    int asked; /* launches and copies since an event was last seen to have happened */
    bool hung;
    int sticky; /* an error that ended the context */
} fake;

/* ---- strictness ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fake_cuda: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    abort();
}

static bool has_flaw(const char *flaw)
{
    const char *set = getenv("FAKE_CUDA");
    const size_t length = strlen(flaw);
    bool known = false;
    for (int i = 0; flaws[i]; i++)
        known |= !strcmp(flaws[i], flaw);
    if (!known)
        misuse("no such flaw: %s", flaw);
    for (const char *at = set; at && (at = strstr(at, flaw)) != NULL; at++)
        if ((at == set || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

static void need_init(const char *function)
{
    if (!fake.initialised)
        misuse("%s before cuInit", function);
}

static void need_context(const char *function)
{
    need_init(function);
    if (!fake.current)
        misuse("%s without a current context", function);
}

static Thing *create(Kind kind)
{
    for (int i = 0; i < THINGS; i++)
        if (fake.thing[i].kind == FREE) {
            fake.thing[i] = (Thing){.kind = kind};
            return &fake.thing[i];
        }
    misuse("more than %d handles", THINGS);
}

static Thing *need(void *handle, Kind kind, const char *function)
{
    Thing *thing = handle;
    need_context(function);
    if (thing < fake.thing || thing >= fake.thing + THINGS || thing->kind != kind)
        misuse("%s on a handle that is not alive or of another kind", function);
    return thing;
}

/* ---- the driver, devices ---- */

int cuInit(unsigned flags)
{
    if (has_flaw("crash"))
        raise(SIGSEGV);
    if (flags)
        misuse("cuInit with flags");
    if (!getenv("CUDA_CACHE_DISABLE") || !getenv("CUDA_MODULE_LOADING"))
        misuse("cuInit with a cache of modules, or kernels loaded at their first launch");
    if (has_flaw("no-gpu"))
        return NO_DEVICE;
    if (has_flaw("no-start"))
        return 999;
    fake.initialised = true;
    return SUCCESS;
}

int cuDriverGetVersion(int *version)
{
    *version = has_flaw("old") ? 10010 : 12040;
    return SUCCESS;
}

int cuDeviceGetCount(int *count)
{
    need_init("cuDeviceGetCount");
    *count = 2;
    return SUCCESS;
}

int cuDeviceGet(int *device, int ordinal)
{
    need_init("cuDeviceGet");
    *device = 40 + ordinal;
    return ordinal >= 0 && ordinal < 2 ? SUCCESS : 101;
}

static void need_device(int device, const char *function)
{
    need_init(function);
    if (device != 40 && device != 41)
        misuse("%s on device %d, which cuDeviceGet never gave", function, device);
}

int cuDeviceGetName(char *name, int size, int device)
{
    need_device(device, "cuDeviceGetName");
    snprintf(name, (size_t)size, "Fake GPU %d", device - 40);
    return SUCCESS;
}

int cuDeviceGetPCIBusId(char *bus, int size, int device)
{
    need_device(device, "cuDeviceGetPCIBusId");
    snprintf(bus, (size_t)size, "0000:0%d:00.0", device - 40);
    return SUCCESS;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    need_device(device, "cuDeviceTotalMem");
    *bytes = (size_t)1 << 34;
    return SUCCESS;
}

int cuDeviceGetAttribute(int *value, int which, int device)
{
    need_device(device, "cuDeviceGetAttribute");
    switch (which) {
    case 1:
        *value = 1024;
        break;
    case 10:
        *value = has_flaw("warp64") ? 64 : 32;
        break;
    case 13:
        *value = 1000000;
        break;
    case 16:
        *value = 4;
        break;
    case 36:
        *value = 1000000;
        break;
    case 37:
        *value = 512;
        break;
    case 38:
        *value = 1 << 16;
        break;
    case 75:
        *value = has_flaw("older-device") ? 6 : 9;
        break;
    case 76:
        *value = 0;
        break;
    default:
        return INVALID_VALUE;
    }
    return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    need_device(device, "cuDevicePrimaryCtxRetain");
    fake.retained++;
    *context = &fake;
    return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    need_device(device, "cuDevicePrimaryCtxRelease");
    if (--fake.retained < 0)
        misuse("the context was released more often than retained");
    for (int i = 0; i < THINGS; i++)
        if (fake.thing[i].kind != FREE && fake.thing[i].kind != FUNCTION)
            misuse("the context is released with a %s alive",
                   (const char *[]){"", "stream", "event", "module", ""}[fake.thing[i].kind]);
    if (fake.memory.count)
        misuse("the context is released with %d allocations alive", fake.memory.count);
    fake.current = false;
    return SUCCESS;
}

int cuCtxSetCurrent(void *context)
{
    need_init("cuCtxSetCurrent");
    if (context != &fake || !fake.retained)
        misuse("cuCtxSetCurrent on a context that is not retained");
    fake.current = true;
    return SUCCESS;
}

/* ---- errors ---- */

static const struct {
    int code;
    const char *name, *text;
} errors[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {NO_JIT, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "PTX JIT compiler library not found"},
    {JIT_OFF, "CUDA_ERROR_JIT_COMPILATION_DISABLED", "PTX JIT compilation was disabled"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static int error_part(int code, const char **text, bool name)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) {
            *text = name ? errors[i].name : errors[i].text;
            return SUCCESS;
        }
    *text = NULL;
    return INVALID_VALUE;
}

int cuGetErrorName(int code, const char **text)
{
    return error_part(code, text, true);
}

int cuGetErrorString(int code, const char **text)
{
    return error_part(code, text, false);
}

/* ---- memory ---- */

int cuMemAlloc_v2(unsigned long long *address, size_t bytes)
{
    need_context("cuMemAlloc");
    if (bytes == 0)
        return INVALID_VALUE;
    if (has_flaw("no-memory") && bytes > 1 << 20)
        return OUT_OF_MEMORY;
    *address = fake_memory_create(&fake.memory, bytes);
    return SUCCESS;
}

int cuMemFree_v2(unsigned long long address)
{
    need_context("cuMemFree");
    if (!fake_memory_destroy(&fake.memory, address))
        misuse("cuMemFree of %llx, which is not allocated", address);
    return SUCCESS;
}

static void *need_range(unsigned long long address, size_t bytes, const char *function)
{
    need_context(function);
    if (bytes == 0)
        misuse("%s of no bytes", function);
    void *place = fake_memory_at(&fake.memory, address, bytes);
    if (!place)
        misuse("%s: %zu bytes at %llx are not inside one allocation", function, bytes, address);
    return place;
}

int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t bytes)
{
    memcpy(need_range(to, bytes, "cuMemcpyHtoD"), from, bytes);
    return fake.sticky;
}

int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t bytes)
{
    const void *place = need_range(from, bytes, "cuMemcpyDtoH");
    if (fake.hung)
        misuse("cuMemcpyDtoH behind a kernel that hangs would wait for ever");
    memcpy(to, place, bytes);
    return fake.sticky;
}

int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, void *stream)
{
    need(stream, STREAM, "cuMemcpyDtoDAsync");
    memmove(need_range(to, bytes, "cuMemcpyDtoDAsync"), need_range(from, bytes, "cuMemcpyDtoDAsync"), bytes);
    fake.clock += bytes / 50; /* 100 bytes read and written per ns */
    return fake.sticky;
}

int cuMemsetD32_v2(unsigned long long to, unsigned value, size_t count)
{
    unsigned *word = need_range(to, count * sizeof value, "cuMemsetD32");
    for (size_t i = 0; i < count; i++)
        word[i] = value;
    return fake.sticky;
}

/* A queue that is full takes no launch before another is done. */
static void join_queue(void)
{
    enum { QUEUE = 1000, MICROSECONDS = 25000 };
    if (++fake.asked > QUEUE && has_flaw("full-queue"))
        usleep(MICROSECONDS);
}

/* ---- streams and events ---- */

int cuStreamCreate(void **stream, unsigned flags)
{
    need_context("cuStreamCreate");
    if (flags)
        misuse("a stream that does not keep its order with the null stream: copies and launches would race");
    *stream = create(STREAM);
    return SUCCESS;
}

int cuStreamDestroy_v2(void *stream)
{
    need(stream, STREAM, "cuStreamDestroy")->kind = FREE;
    return SUCCESS;
}

int cuEventCreate(void **event, unsigned flags)
{
    need_context("cuEventCreate");
    if (flags)
        misuse("an event with flags may have no clock");
    *event = create(EVENT);
    return SUCCESS;
}

int cuEventDestroy_v2(void *event)
{
    need(event, EVENT, "cuEventDestroy")->kind = FREE;
    return SUCCESS;
}

int cuEventRecord(void *event, void *stream)
{
    Thing *thing = need(event, EVENT, "cuEventRecord");
    need(stream, STREAM, "cuEventRecord");
    thing->recorded = true;
    thing->never = fake.hung;
    thing->at = fake.clock;
    return SUCCESS;
}

int cuEventQuery(void *event)
{
    const Thing *thing = need(event, EVENT, "cuEventQuery");
    if (!thing->recorded)
        misuse("cuEventQuery of an event that was never recorded");
    fake.asked = 0;
    return fake.sticky ? fake.sticky : thing->never ? NOT_READY : SUCCESS;
}

int cuEventElapsedTime(float *milliseconds, void *begin, void *end)
{
    const Thing *first = need(begin, EVENT, "cuEventElapsedTime"),
                *last = need(end, EVENT, "cuEventElapsedTime");
    if (!first->recorded || !last->recorded || first->never || last->never)
        misuse("cuEventElapsedTime of an event that has not happened");
    *milliseconds = (float)(last->at - first->at) * 1e-6f;
    return SUCCESS;
}

/* ---- modules ---- */

static void write_log(unsigned count, const int *option, void **value, const char *text)
{
    char *log = NULL;
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) {
        if (option[i] == 5)
            log = value[i];
        if (option[i] == 6)
            size = (size_t)value[i];
    }
    if (!log || !size)
        misuse("cuModuleLoadDataEx without an error log");
    snprintf(log, size, "%s", text);
}

static void dump(const char *text)
{
    const char *path = getenv("FAKE_CUDA_DUMP");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

int cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *option, void **value)
{
    char why[256] = "";
    need_context("cuModuleLoadDataEx");
    dump(image);
    if (has_flaw("unsupported"))
        return UNSUPPORTED_PTX;
    if (has_flaw("no-jit"))
        return NO_JIT;
    if (has_flaw("jit-off"))
        return JIT_OFF;
    PtxText *text = has_flaw("jit") ? NULL : ptx_text_read(image, why, sizeof why);
    if (!text) {
        write_log(count, option, value, *why ? why : "ptxas application ptx input, line 7; fatal : made up");
        return INVALID_PTX;
    }
    Thing *thing = create(MODULE);
    thing->text = text;
    *module = thing;
    return SUCCESS;
}

int cuModuleUnload(void *module)
{
    Thing *thing = need(module, MODULE, "cuModuleUnload");
    for (int i = 0; i < THINGS; i++)
        if (fake.thing[i].kind == FUNCTION && fake.thing[i].home == thing)
            fake.thing[i].kind = FREE;
    ptx_text_destroy(thing->text);
    thing->kind = FREE;
    return SUCCESS;
}

int cuModuleGetFunction(void **function, void *module, const char *name)
{
    Thing *home = need(module, MODULE, "cuModuleGetFunction");
    PtxEntry *entry = ptx_text_entry(home->text, name);
    if (!entry)
        return NOT_FOUND;
    Thing *thing = create(FUNCTION);
    thing->entry = entry;
    thing->home = home;
    *function = thing;
    return SUCCESS;
}

int cuFuncGetAttribute(int *value, int which, void *function)
{
    need(function, FUNCTION, "cuFuncGetAttribute");
    if (which != 0)
        return INVALID_VALUE;
    *value = has_flaw("few-threads") ? 200 : 1024;
    return SUCCESS;
}

/* ---- launching ---- */

static void log_launch(const PtxEntry *entry, unsigned grid, unsigned block)
{
    const char *path = getenv("FAKE_CUDA_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file)
        return;
    fprintf(file, "%s %u %u\n", ptx_entry_name(entry), grid, block);
    fclose(file);
}

static PtxFlaws device_flaws(void)
{
    return (PtxFlaws){.flush = has_flaw("flush"),
                      .contract = has_flaw("contract"),
                      .division = has_flaw("division"),
                      .no_double = has_flaw("no-double")};
}

static void finish(PtxEnd end)
{
    fake.clock += 400000 + 50 * end.instructions; /* slow: few calls make a millisecond */
    switch (end.how) {
    case PTX_DONE:
        break;
    case PTX_ENDLESS:
        fake.hung = true;
        break;
    case PTX_FAULT:
        fake.sticky = ILLEGAL_ADDRESS;
        break;
    case PTX_WRONG:
        fprintf(stderr, "fake_cuda: %s\n", end.why);
        fake.sticky = LAUNCH_FAILED;
        break;
    }
}

/* True from launch number FAKE_CUDA_LAUNCHES of this process on: that one and all behind it hang. */
static bool is_tired(void)
{
    static long launches;
    const char *most = getenv("FAKE_CUDA_LAUNCHES");
    return most && ++launches > atol(most);
}

int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared, void *stream, void **argument,
                   void **extra)
{
    unsigned char bytes[ARGUMENT_LIMIT * 8] = {0};
    const Thing *thing = need(function, FUNCTION, "cuLaunchKernel");
    need(stream, STREAM, "cuLaunchKernel");
    if (extra || shared || !argument)
        misuse("cuLaunchKernel with arguments that samebits never gives");
    if (grid_x == 0 || grid_y != 1 || grid_z != 1 || block_y != 1 || block_z != 1 || block_x == 0)
        return INVALID_VALUE;
    if (block_x > 1024 || has_flaw("no-launch"))
        return OUT_OF_RESOURCES;
    if (fake.sticky)
        return fake.sticky;
    join_queue();
    const int parameters = ptx_entry_parameters(thing->entry);
    if (parameters > ARGUMENT_LIMIT)
        misuse("kernel %s has %d parameters", ptx_entry_name(thing->entry), parameters);
    for (int i = 0; i < parameters; i++) {
        const PtxParameter at = ptx_entry_parameter(thing->entry, i);
        memcpy(bytes + at.offset, argument[i], at.size); /* what the driver does: it trusts the text */
    }
    log_launch(thing->entry, grid_x, block_x);
    if (fake.hung || has_flaw("hang") || is_tired()) {
        fake.hung = true;
        return SUCCESS;
    }
    finish(ptx_run(thing->entry, bytes, grid_x, block_x, &fake.memory, device_flaws()));
    return SUCCESS;
}
