/* clocks.c: NVML by name. Source: NVIDIA, NVML API reference guide. */
#include "cuda/clocks.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NVML_SUCCESS = 0, NVML_CLOCK_SM = 1 };

static void look_up(void *library, const char *name, void *function, size_t size)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, size);
}

void cuda_clocks_open(CudaClocks *clocks, const char *bus)
{
    int (*init)(void), (*handle)(const char *, void **);
    const char *set = getenv("SAMEBITS_LIBNVML");
    *clocks = (CudaClocks){.library = dlopen(set && *set ? set : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)};
    if (!clocks->library)
        return;
    look_up(clocks->library, "nvmlInit_v2", &init, sizeof init);
    look_up(clocks->library, "nvmlDeviceGetHandleByPciBusId_v2", &handle, sizeof handle);
    look_up(clocks->library, "nvmlDeviceGetClockInfo", &clocks->clock_info, sizeof clocks->clock_info);
    look_up(clocks->library, "nvmlSystemGetDriverVersion", &clocks->driver_version,
            sizeof clocks->driver_version);
    if (!init || init() != NVML_SUCCESS) {
        *clocks = (CudaClocks){0};
        return;
    }
    if (!handle || handle(bus, &clocks->device) != NVML_SUCCESS)
        clocks->device = NULL;
}

int cuda_clocks_multiprocessor_mhz(const CudaClocks *clocks)
{
    unsigned mhz = 0;
    if (!clocks->device || !clocks->clock_info)
        return 0;
    return clocks->clock_info(clocks->device, NVML_CLOCK_SM, &mhz) == NVML_SUCCESS ? (int)mhz : 0;
}

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
