/* device.h: an opened device and its kernels, for the files of this folder. */
#ifndef SAMEBITS_METAL_DEVICE_H
#define SAMEBITS_METAL_DEVICE_H

#include "metal/metal.h"
#include "metal/objc.h"

struct MetalDevice {
    Objc objc;
    MetalInfo info;
    ObjcId device, queue;
    void *pool;
    double patience;
    bool lost; /* a time-out: nothing more is asked of it */
};

/* A library from source with safe, precise mathematics; one pipeline of it, checked for 32 threads per
 * SIMD-group. */
const char *metal_library_create(Arena *arena, MetalDevice *device, const char *source, ObjcId *library);
const char *metal_pipeline_create(Arena *arena, MetalDevice *device, ObjcId library, const char *name,
                                  ObjcId *pipeline);
const char *metal_buffer_create(Arena *arena, MetalDevice *device, size_t bytes, ObjcId *buffer);
void *metal_buffer_data(const MetalDevice *device, ObjcId buffer);

/* One command buffer: begin gives an encoder, run ends, commits and waits. times: GPU start to end, ns. */
typedef struct MetalCommands {
    ObjcId buffer, encoder;
} MetalCommands;
typedef enum MetalEncoder { METAL_COMPUTE, METAL_COPY } MetalEncoder;
const char *metal_commands_begin(Arena *arena, MetalDevice *device, MetalEncoder encoder,
                                 MetalCommands *commands);
const char *metal_commands_run(Arena *arena, MetalDevice *device, MetalCommands *commands, const char *what,
                               double *device_ns);
/* Gives up an encoder that is not run. */
void metal_commands_drop(MetalDevice *device, MetalCommands *commands);

double metal_now_ns(void);

#endif
