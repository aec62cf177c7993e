/* clocks.h: clock rates and the driver's name from NVML, where it is (libnvidia-ml.so.1 comes with the
 * driver). Everything here can be missing: figures then say so, and `why` says what is missing. */
#ifndef SAMEBITS_CUDA_CLOCKS_H
#define SAMEBITS_CUDA_CLOCKS_H

#include <stddef.h>

enum { CUDA_CLOCKS_WHY = 192 };
typedef struct CudaClocks {
    void *library; /* NULL: no NVML */
    void *device;  /* NULL: no clock rates */
    int (*clock_info)(void *device, int kind, unsigned *mhz);
    int (*driver_version)(char *version, unsigned size);
    const char *(*error_string)(int result);
    char why[CUDA_CLOCKS_WHY]; /* there are no clock rates; "" where there are */
} CudaClocks;

/* `bus` is the device's PCI bus id: NVML numbers devices otherwise than CUDA does. One sample is taken, since
 * only that shows whether the device tells its clock. */
void cuda_clocks_open(CudaClocks *clocks, const char *bus);
int cuda_clocks_multiprocessor_mhz(const CudaClocks *clocks); /* 0: not known */
/* "" when neither NVML nor /proc/driver/nvidia/version tells. */
void cuda_clocks_driver(const CudaClocks *clocks, char *text, size_t size);

#endif
