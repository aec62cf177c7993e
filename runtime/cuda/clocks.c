/* clocks.c: NVML by name. Source: NVIDIA, NVML API reference guide. */
#include "cuda/clocks.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NVML_SUCCESS = 0, NVML_CLOCK_SM = 1 };

/* ---- why there are no clock rates ---- */

static void say_missing(CudaClocks *clocks, const char *what)
{
    snprintf(clocks->why, sizeof clocks->why, "no clock rates: %s", what);
}

static void say_failed(CudaClocks *clocks, const char *function, int result)
{
    const char *text = clocks->error_string ? clocks->error_string(result) : NULL;
    snprintf(clocks->why, sizeof clocks->why, "no clock rates: %s: %s (NVML error %d)", function,
             text ? text : "no reason given", result);
}

/* ---- opening ---- */

static bool look_up(const CudaClocks *clocks, const char *name, void *function, size_t size)
{
    void *address = dlsym(clocks->library, name);
    memcpy(function, &address, size); /* ISO C has no cast between the two */
    return address;
}

/* As look_up, of what clock rates cannot do without. */
static bool find(CudaClocks *clocks, const char *name, void *function, size_t size)
{
    if (look_up(clocks, name, function, size))
        return true;
    snprintf(clocks->why, sizeof clocks->why, "no clock rates: NVML has no %s; update the driver", name);
    return false;
}

static bool open_library(CudaClocks *clocks)
{
    const char *set = getenv("SAMEBITS_LIBNVML");
    clocks->library = dlopen(set && *set ? set : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!clocks->library)
        say_missing(clocks, dlerror());
    return clocks->library;
}

static bool start(CudaClocks *clocks)
{
    int (*init)(void) = NULL;
    if (!find(clocks, "nvmlInit_v2", &init, sizeof init))
        return false;
    const int result = init();
    if (result != NVML_SUCCESS) {
        say_failed(clocks, "nvmlInit_v2", result);
        return false;
    }
    look_up(clocks, "nvmlSystemGetDriverVersion", &clocks->driver_version, sizeof clocks->driver_version);
    return true;
}

static bool find_device(CudaClocks *clocks, const char *bus, void **device)
{
    int (*handle)(const char *, void **) = NULL;
    if (!find(clocks, "nvmlDeviceGetHandleByPciBusId_v2", &handle, sizeof handle) ||
        !find(clocks, "nvmlDeviceGetClockInfo", &clocks->clock_info, sizeof clocks->clock_info))
        return false;
    const int result = handle(bus, device);
    if (result != NVML_SUCCESS)
        say_failed(clocks, "nvmlDeviceGetHandleByPciBusId_v2", result);
    return result == NVML_SUCCESS;
}

static bool sample_once(CudaClocks *clocks, void *device)
{
    unsigned mhz = 0;
    const int result = clocks->clock_info(device, NVML_CLOCK_SM, &mhz);
    if (result != NVML_SUCCESS)
        say_failed(clocks, "nvmlDeviceGetClockInfo", result);
    return result == NVML_SUCCESS;
}

void cuda_clocks_open(CudaClocks *clocks, const char *bus)
{
    void *device = NULL;
    *clocks = (CudaClocks){0};
    if (!open_library(clocks))
        return;
    look_up(clocks, "nvmlErrorString", &clocks->error_string, sizeof clocks->error_string);
    if (start(clocks) && find_device(clocks, bus, &device) && sample_once(clocks, device))
        clocks->device = device;
}

int cuda_clocks_multiprocessor_mhz(const CudaClocks *clocks)
{
    unsigned mhz = 0;
    if (!clocks->device)
        return 0;
    return clocks->clock_info(clocks->device, NVML_CLOCK_SM, &mhz) == NVML_SUCCESS ? (int)mhz : 0;
}

/* ---- the driver's name ---- */

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue ...": the first word with two dots. */
static void driver_from_kernel(char *text, size_t size)
{
    char line[512] = "";
    FILE *file = fopen("/proc/driver/nvidia/version", "r");
    if (!file)
        return;
    if (fgets(line, sizeof line, file)) {
        char *rest = line;
        for (char *word; (word = strsep(&rest, " \t\n")) != NULL;)
            if (*word >= '0' && *word <= '9' && strchr(word, '.')) {
                snprintf(text, size, "%s", word);
                break;
            }
    }
    fclose(file);
}

void cuda_clocks_driver(const CudaClocks *clocks, char *text, size_t size)
{
    *text = '\0';
    if (clocks->driver_version && clocks->driver_version(text, (unsigned)size) == NVML_SUCCESS)
        return;
    *text = '\0';
    driver_from_kernel(text, size);
}
