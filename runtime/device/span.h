/* span.h: what several calls in a row took on a device. */
#ifndef SAMEBITS_DEVICE_SPAN_H
#define SAMEBITS_DEVICE_SPAN_H

typedef struct DeviceSpan {
    double device_ns; /* per call, by the device's clock */
    double launch_ns; /* per call: the host's time to ask for it */
    double whole_ns;  /* of all calls: from the first one asked for until the end of the last was seen */
} DeviceSpan;

#endif
