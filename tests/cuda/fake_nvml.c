/* fake_nvml.c: a libnvidia-ml.so for tests: the functions that samebits uses, strict about their use.
 *
 * It knows the devices of fake_cuda.c by their bus ids. The clock falls by 240 MHz each time it is asked for,
 * from 1980 to 1260, as one does that gets hot, and begins anew: of any two answers in a row one is much
 * lower. FAKE_NVML names what is wrong: no-start, no-device, no-clock. Compiled with OLD it has no
 * nvmlDeviceGetClockInfo. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, CLOCK_SM = 1 };

static struct {
    bool started;
    unsigned mhz;
} fake = {.mhz = 1260};

static bool has_flaw(const char *flaw)
{
    const char *set = getenv("FAKE_NVML");
    return set && strcmp(set, flaw) == 0;
}

static void need_start(const char *function)
{
    if (fake.started)
        return;
    fprintf(stderr, "fake_nvml: %s before nvmlInit\n", function);
    abort();
}

int nvmlInit_v2(void)
{
    fake.started = !has_flaw("no-start");
    return fake.started ? SUCCESS : DRIVER_NOT_LOADED;
}

const char *nvmlErrorString(int result)
{
    return result == NOT_SUPPORTED       ? "Not Supported"
           : result == NOT_FOUND         ? "Not Found"
           : result == DRIVER_NOT_LOADED ? "Driver Not Loaded"
                                         : "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    need_start("nvmlSystemGetDriverVersion");
    snprintf(version, size, "550.54.15");
    return SUCCESS;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **device)
{
    need_start("nvmlDeviceGetHandleByPciBusId");
    const bool known = strcmp(bus, "0000:00:00.0") == 0 || strcmp(bus, "0000:01:00.0") == 0;
    if (!known || has_flaw("no-device"))
        return NOT_FOUND;
    *device = &fake;
    return SUCCESS;
}

#ifndef OLD
int nvmlDeviceGetClockInfo(const void *device, int kind, unsigned *mhz)
{
    need_start("nvmlDeviceGetClockInfo");
    if (device != &fake || kind != CLOCK_SM)
        abort();
    if (has_flaw("no-clock"))
        return NOT_SUPPORTED;
    fake.mhz = fake.mhz > 1260 ? fake.mhz - 240 : 1980;
    *mhz = fake.mhz;
    return SUCCESS;
}
#endif
