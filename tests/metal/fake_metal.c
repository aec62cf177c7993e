/* fake_metal.c: an Objective-C runtime and a Metal framework for tests, in one library: classes, selectors,
 * messages, reference counts and autorelease pools, strict about their use, behind the exported names of the
 * real ones.
 *
 * objc_msgSend finds the method by the receiver's class and the selector and jumps to it with all arguments
 * as they are, as the real one does: so the casts of runtime/metal/objc.c meet functions of the declared
 * types. A kernel is a C function of the same name (kernels below), or, where FAKE_METAL_MODULES names a
 * folder of modules of the SIMT engine, the emulated one (fake_modules.c); "compiling" finds `kernel void
 * NAME(` in the source.
 *
 * FAKE_METAL lists flaws: no-gpu, flush, contract, width64, compile, no-room, error, hang, old (no math
 * modes). What a mistake of the caller would be on a Mac (a message to a dead object, a method its class does
 * not have, objects left alive) ends the process with a message. */
#include "fake_modules.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/device/float_probe.h"

typedef unsigned long NSUInteger;
typedef struct Size {
    NSUInteger width, height, depth;
} Size;

enum { OBJECTS = 4096, SELECTORS = 128, BINDINGS = 31, STEPS = 256 };

typedef struct Binding {
    bool is_buffer;
    struct Object *buffer;
    unsigned char bytes[16];
    size_t size;
} Binding;

typedef struct Object {
    const char *class; /* NULL: free */
    int count;
    bool pooled;
    char *text;          /* strings, errors, libraries; pipelines and functions: the kernel's name */
    unsigned char *data; /* buffers */
    size_t size;
    struct Object *queue, *owner; /* command buffers, encoders */
    bool ended, committed, failed, safe, precise;
    Binding binding[BINDINGS];
    struct Object *pipeline;
    double seconds;
} Object;

static struct {
    Object object[OBJECTS];
    char selector[SELECTORS][96];
    int selectors, pools;
} fake;

__attribute__((format(printf, 1, 2), noreturn)) static void misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fake_metal: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    abort();
}

static bool has_flaw(const char *flaw)
{
    const char *set = getenv("FAKE_METAL");
    const size_t length = strlen(flaw);
    for (const char *at = set; at && (at = strstr(at, flaw)) != NULL; at++)
        if ((at == set || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

/* ---- the runtime ---- */

static Object *create(const char *class, bool pooled)
{
    if (pooled && !fake.pools)
        misuse("an autoreleased %s without a pool", class);
    for (int i = 0; i < OBJECTS; i++)
        if (!fake.object[i].class) {
            memset(&fake.object[i], 0, sizeof fake.object[i]);
            fake.object[i].class = class;
            fake.object[i].count = 1;
            fake.object[i].pooled = pooled;
            return &fake.object[i];
        }
    misuse("too many objects");
}

static void destroy(Object *object)
{
    free(object->text);
    object->text = NULL;
    free(object->data);
    object->data = NULL;
    object->class = NULL;
}

static bool is_class(const void *receiver)
{
    return receiver &&
           !((const Object *)receiver >= fake.object && (const Object *)receiver < fake.object + OBJECTS);
}

void *objc_getClass(const char *name)
{
    static const char *const names[] = {"NSString", "MTLCompileOptions"};
    for (size_t i = 0; i < 2; i++)
        if (!strcmp(name, names[i]))
            return (void *)names[i];
    return NULL;
}

void *sel_registerName(const char *name)
{
    for (int i = 0; i < fake.selectors; i++)
        if (!strcmp(fake.selector[i], name))
            return fake.selector[i];
    if (fake.selectors == SELECTORS)
        misuse("too many selectors");
    return strcpy(fake.selector[fake.selectors++], name);
}

void *objc_autoreleasePoolPush(void)
{
    return &fake.object[OBJECTS - 1 - fake.pools++];
}

/* The outermost pool ends the test of leaks: what is still alive then was leaked. */
void objc_autoreleasePoolPop(void *pool)
{
    if (pool != &fake.object[OBJECTS - fake.pools])
        misuse("pools are popped out of order");
    if (--fake.pools > 0)
        return;
    for (int i = 0; i < OBJECTS; i++)
        if (fake.object[i].class && fake.object[i].pooled)
            destroy(&fake.object[i]);
    for (int i = 0; i < OBJECTS; i++)
        if (fake.object[i].class)
            misuse("a %s is leaked", fake.object[i].class);
}

void *MTLCreateSystemDefaultDevice(void)
{
    return has_flaw("no-gpu") ? NULL : create("Device", false);
}

/* ---- methods ---- */

typedef struct Object Self;

static Object *new_text(const char *class, const char *text)
{
    Object *object = create(class, true);
    object->text = strdup(text);
    return object;
}

static void release(Self *self, void *sel)
{
    (void)sel;
    if (self->pooled)
        misuse("release of an autoreleased %s", self->class);
    if (--self->count == 0)
        destroy(self);
}

static const char *utf8(Self *self, void *sel)
{
    (void)sel;
    return self->text;
}

static Object *string_with(void *class, void *sel, const char *text)
{
    (void)class, (void)sel;
    return new_text("String", text);
}

static Object *new_options(void *class, void *sel)
{
    (void)class, (void)sel;
    return create("Options", false);
}

static signed char responds(Self *self, void *sel, const char *selector)
{
    (void)self, (void)sel;
    return !(has_flaw("old") && !strncmp(selector, "setMath", 7));
}

static void set_math_mode(Self *self, void *sel, long mode)
{
    (void)sel;
    self->safe = mode == 0;
}

static void set_functions(Self *self, void *sel, long functions)
{
    (void)sel;
    self->precise = functions == 1;
}

static void set_fast(Self *self, void *sel, signed char fast)
{
    (void)sel;
    self->safe = self->precise = !fast;
}

static Object *device_name(Self *self, void *sel)
{
    (void)self, (void)sel;
    return new_text("String", "Fake M1");
}

static Object *new_queue(Self *self, void *sel)
{
    (void)self, (void)sel;
    return create("Queue", false);
}

static Object *new_library(Self *self, void *sel, Object *source, Object *options, Object **error)
{
    (void)self, (void)sel;
    if (strcmp(source->class, "String") || strcmp(options->class, "Options"))
        misuse("newLibraryWithSource: of a %s with a %s", source->class, options->class);
    if (!options->safe || !options->precise)
        misuse("a library is compiled without safe and precise mathematics");
    if (!strstr(source->text, "#pragma METAL fp contract(off)"))
        misuse("the source may be contracted: it has no pragma");
    if (has_flaw("compile")) {
        *error = new_text("Error", "program_source:3:1: error: made up");
        return NULL;
    }
    Object *library = create("Library", false);
    library->text = strdup(source->text);
    return library;
}

static Object *new_function(Self *self, void *sel, Object *name)
{
    char wanted[sizeof "kernel void (" + strlen(name->text)];
    (void)sel;
    snprintf(wanted, sizeof wanted, "kernel void %s(", name->text);
    if (!strstr(self->text, wanted))
        return NULL;
    Object *function = create("Function", false);
    function->text = strdup(name->text);
    return function;
}

static Object *new_pipeline(Self *self, void *sel, Object *function, Object **error)
{
    (void)self, (void)sel, (void)error;
    if (strcmp(function->class, "Function"))
        misuse("a pipeline of a %s", function->class);
    Object *pipeline = create("Pipeline", false);
    pipeline->text = strdup(function->text);
    return pipeline;
}

static NSUInteger width(Self *self, void *sel)
{
    (void)self, (void)sel;
    return has_flaw("width64") ? 64 : 32;
}

static NSUInteger most_threads(Self *self, void *sel)
{
    (void)self, (void)sel;
    return 448;
}

static Object *new_buffer(Self *self, void *sel, NSUInteger size, NSUInteger options)
{
    (void)self, (void)sel;
    if (size == 0 || options != 0)
        misuse("a buffer of %lu bytes, options %lu", size, options);
    if (has_flaw("no-room") && size > 1 << 20)
        return NULL;
    Object *buffer = create("Buffer", false);
    buffer->data = calloc(1, size);
    buffer->size = size;
    return buffer;
}

static void *contents(Self *self, void *sel)
{
    (void)sel;
    return self->data;
}

static Object *command_buffer(Self *self, void *sel)
{
    Object *buffer = create("CommandBuffer", true);
    (void)sel;
    buffer->queue = self;
    return buffer;
}

static Object *encoder(Self *self, void *sel)
{
    Object *one = create("Encoder", true);
    (void)sel;
    one->owner = self;
    return one;
}

static Object *copy_encoder(Self *self, void *sel)
{
    Object *one = create("CopyEncoder", true);
    (void)sel;
    one->owner = self;
    return one;
}

static void copy_buffer(Self *self, void *sel, Object *from, NSUInteger from_offset, Object *to,
                        NSUInteger to_offset, NSUInteger size)
{
    (void)sel;
    if (self->ended || !from->class || strcmp(from->class, "Buffer") || !to->class ||
        strcmp(to->class, "Buffer") || from == to)
        misuse("a copy after the end, or of no two buffers");
    if (from_offset || to_offset || size == 0 || size > from->size || size > to->size)
        misuse("a copy of %lu bytes from %lu to %lu", size, from_offset, to_offset);
    memcpy(to->data, from->data, size);
    self->owner->seconds += (double)size / 50e9; /* 100 bytes read and written per ns */
}

static void set_pipeline(Self *self, void *sel, Object *pipeline)
{
    (void)sel;
    if (strcmp(pipeline->class, "Pipeline"))
        misuse("setComputePipelineState: of a %s", pipeline->class);
    self->pipeline = pipeline;
}

static Binding *bind(Self *self, NSUInteger index)
{
    if (self->ended || index >= BINDINGS)
        misuse("argument %lu is set of an encoder that ended or has fewer", index);
    return &self->binding[index];
}

static void set_buffer(Self *self, void *sel, Object *buffer, NSUInteger offset, NSUInteger index)
{
    (void)sel;
    if (!buffer->class || strcmp(buffer->class, "Buffer") || offset)
        misuse("setBuffer: of no buffer, or at offset %lu", offset);
    *bind(self, index) = (Binding){.is_buffer = true, .buffer = buffer};
}

static void set_bytes(Self *self, void *sel, const void *bytes, NSUInteger length, NSUInteger index)
{
    (void)sel;
    Binding *binding = bind(self, index);
    if (length > sizeof binding->bytes)
        misuse("setBytes: of %lu bytes", length);
    *binding = (Binding){.size = length};
    memcpy(binding->bytes, bytes, length);
}

/* ---- kernels ---- */

static void *buffer_at(const Self *self, int index, size_t bytes)
{
    const Binding *binding = &self->binding[index];
    if (!binding->is_buffer || binding->buffer->size < bytes)
        misuse("argument %d is no buffer of %zu bytes", index, bytes);
    return binding->buffer->data;
}

static void bytes_at(const Self *self, int index, void *to, size_t size)
{
    const Binding *binding = &self->binding[index];
    if (binding->is_buffer || binding->size != size)
        misuse("argument %d is no constant of %zu bytes", index, size);
    memcpy(to, binding->bytes, size);
}

static float flush(float value)
{
    return has_flaw("flush") && fpclassify(value) == FP_SUBNORMAL ? copysignf(0, value) : value;
}

static float word_float(uint32_t word)
{
    float value;
    memcpy(&value, &word, sizeof value);
    return flush(value);
}

static uint32_t float_word(float value)
{
    const float kept = flush(value);
    uint32_t word;
    memcpy(&word, &kept, sizeof word);
    return word;
}

static void run_probe(const Self *self)
{
    uint64_t rows;
    bytes_at(self, 2, &rows, sizeof rows);
    const uint32_t *in = buffer_at(self, 0, 12 * rows);
    uint32_t *out = buffer_at(self, 1, 4 * rows * PROBE_OPS_WITHOUT_F64);
    for (uint64_t i = 0; i < rows; i++) {
        const float a = word_float(in[i]), b = word_float(in[rows + i]), c = word_float(in[2 * rows + i]);
        const float product = flush(a * b), fused = fmaf(a, b, c);
        const float result[PROBE_OPS_WITHOUT_F64] = {a + b,
                                                     product,
                                                     fused,
                                                     has_flaw("contract") ? fused : product + c,
                                                     a / b,
                                                     1.0f / a,
                                                     sqrtf(a),
                                                     a > b ? 1.0f : 0.0f,
                                                     (float)((uint64_t)in[i] << 32 | in[rows + i])};
        for (int op = 0; op < PROBE_OPS_WITHOUT_F64; op++)
            out[(uint64_t)op * rows + i] = float_word(result[op]);
    }
}

/* rows.metal's kernel on plain sums: x and w hold small integers in the tests, so that every order is exact.
 */
static void run_rows(const Self *self)
{
    uint64_t rows, cols;
    float a, b;
    bytes_at(self, 4, &rows, sizeof rows);
    bytes_at(self, 5, &cols, sizeof cols);
    bytes_at(self, 6, &a, sizeof a);
    bytes_at(self, 7, &b, sizeof b);
    const float *x = buffer_at(self, 0, 4 * rows * cols), *w = buffer_at(self, 1, 4 * cols);
    float *y = buffer_at(self, 2, 4 * rows * cols), *z = buffer_at(self, 3, 4 * rows);
    for (uint64_t r = 0; r < rows; r++) {
        float sum = 0;
        for (uint64_t i = 0; i < cols; i++)
            sum += x[r * cols + i] * w[i];
        z[r] = a * sum + b;
        for (uint64_t i = 0; i < cols; i++)
            y[r * cols + i] = x[r * cols + i] * w[i] + z[r];
    }
}

static void emulate(const Self *self, const Size *groups, const Size *threads)
{
    FakeArgument argument[BINDINGS] = {{0}};
    int count = 0;
    for (; count < BINDINGS && (self->binding[count].is_buffer || self->binding[count].size); count++) {
        const Binding *binding = &self->binding[count];
        argument[count] = binding->is_buffer
                              ? (FakeArgument){binding->buffer->data, binding->buffer->size, true}
                              : (FakeArgument){(void *)binding->bytes, binding->size, false};
    }
    const char *why = fake_modules_run(self->pipeline->text, (unsigned)groups->width,
                                       (unsigned)threads->width, argument, count);
    if (why)
        misuse("%s", why);
}

static const struct {
    const char *name;
    void (*run)(const Self *encoder);
} kernels[] = {{"rows_warp", run_rows}, {"samebits_probe", run_probe}};

static void dispatch(Self *self, void *sel, Size groups, Size threads)
{
    (void)sel;
    if (!self->pipeline || self->ended)
        misuse("a dispatch without a pipeline, or after the end");
    if (groups.width == 0 || groups.height != 1 || groups.depth != 1 || threads.width % 32 ||
        threads.width == 0 || threads.width > 448 || threads.height != 1 || threads.depth != 1)
        misuse("a dispatch of %lu x %lu x %lu groups of %lu threads", groups.width, groups.height,
               groups.depth, threads.width);
    const char *log = getenv("FAKE_METAL_LOG");
    FILE *file = log ? fopen(log, "a") : NULL;
    if (file) {
        fprintf(file, "%s %lu %lu\n", self->pipeline->text, groups.width, threads.width);
        fclose(file);
    }
    self->owner->seconds += 5e-4; /* slow: few calls make a millisecond */
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (!strcmp(kernels[i].name, self->pipeline->text)) {
            kernels[i].run(self);
            return;
        }
    emulate(self, &groups, &threads);
}

static void end_encoding(Self *self, void *sel)
{
    (void)sel;
    if (self->ended)
        misuse("an encoder ends twice");
    self->ended = true;
    self->owner->ended = true;
}

static void commit(Self *self, void *sel)
{
    (void)sel;
    if (!self->ended || self->committed)
        misuse("a command buffer is committed twice, or before its encoder ended");
    self->committed = true;
}

static NSUInteger status(Self *self, void *sel)
{
    (void)sel;
    if (!self->committed)
        misuse("the status of a command buffer that was not committed");
    return has_flaw("error") ? 5 : has_flaw("hang") ? 3 : 4;
}

static Object *buffer_error(Self *self, void *sel)
{
    (void)self, (void)sel;
    return new_text("Error", "Caused GPU Address Fault Error (made up)");
}

static double start_time(Self *self, void *sel)
{
    (void)self, (void)sel;
    return 1000.0;
}

static double end_time(Self *self, void *sel)
{
    (void)sel;
    return 1000.0 + self->seconds;
}

static Object *description(Self *self, void *sel)
{
    (void)sel;
    return new_text("String", self->text);
}

#define METHOD(CLASS, SELECTOR, FUNCTION)                                                                    \
    {                                                                                                        \
        CLASS, SELECTOR, (void (*)(void))FUNCTION                                                            \
    }
static const struct {
    const char *class, *selector;
    void (*function)(void);
} methods[] = {
    METHOD("Buffer", "contents", contents),
    METHOD("CommandBuffer", "GPUEndTime", end_time),
    METHOD("CommandBuffer", "GPUStartTime", start_time),
    METHOD("CommandBuffer", "blitCommandEncoder", copy_encoder),
    METHOD("CommandBuffer", "commit", commit),
    METHOD("CommandBuffer", "computeCommandEncoder", encoder),
    METHOD("CommandBuffer", "error", buffer_error),
    METHOD("CommandBuffer", "status", status),
    METHOD("CopyEncoder", "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:", copy_buffer),
    METHOD("CopyEncoder", "endEncoding", end_encoding),
    METHOD("Device", "name", device_name),
    METHOD("Device", "newBufferWithLength:options:", new_buffer),
    METHOD("Device", "newCommandQueue", new_queue),
    METHOD("Device", "newComputePipelineStateWithFunction:error:", new_pipeline),
    METHOD("Device", "newLibraryWithSource:options:error:", new_library),
    METHOD("Encoder", "dispatchThreadgroups:threadsPerThreadgroup:", dispatch),
    METHOD("Encoder", "endEncoding", end_encoding),
    METHOD("Encoder", "setBuffer:offset:atIndex:", set_buffer),
    METHOD("Encoder", "setBytes:length:atIndex:", set_bytes),
    METHOD("Encoder", "setComputePipelineState:", set_pipeline),
    METHOD("Error", "localizedDescription", description),
    METHOD("Library", "newFunctionWithName:", new_function),
    METHOD("MTLCompileOptions", "new", new_options),
    METHOD("NSString", "stringWithUTF8String:", string_with),
    METHOD("Options", "respondsToSelector:", responds),
    METHOD("Options", "setFastMathEnabled:", set_fast),
    METHOD("Options", "setMathFloatingPointFunctions:", set_functions),
    METHOD("Options", "setMathMode:", set_math_mode),
    METHOD("Pipeline", "maxTotalThreadsPerThreadgroup", most_threads),
    METHOD("Pipeline", "threadExecutionWidth", width),
    METHOD("Queue", "commandBuffer", command_buffer),
    METHOD("String", "UTF8String", utf8),
    METHOD("*", "release", release),
};

/* Called by objc_msgSend with the receiver and the selector. */
__attribute__((used)) void (*fake_metal_find(Object *receiver, const char *selector))(void)
{
    const char *class = is_class(receiver) ? (const char *)receiver : receiver ? receiver->class : NULL;
    if (!class)
        misuse("[%s] to nil or to an object that is gone", selector);
    if (has_flaw("old") &&
        (!strcmp(selector, "setMathMode:") || !strcmp(selector, "setMathFloatingPointFunctions:")))
        misuse("this system has no %s", selector);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(methods[i].selector, selector) &&
            (!strcmp(methods[i].class, class) || (*methods[i].class == '*' && !is_class(receiver))))
            return methods[i].function;
    misuse("-[%s %s]: unrecognized selector", class, selector);
}

/* The arguments stay where they are: saved round the search, then a jump, no call. */
#ifdef __APPLE__
#define BEGIN(name) ".globl _" #name "\n.p2align 4\n_" #name ":\n"
#define NAME(name)  "_" #name
#else
#define BEGIN(name) ".globl " #name "\n.type " #name ", %function\n.p2align 4\n" #name ":\n"
#define NAME(name)  #name
#endif

#if defined __x86_64__
__asm__(".text\n" BEGIN(
    objc_msgSend) "pushq %rdi\npushq %rsi\npushq %rdx\npushq %rcx\npushq %r8\npushq %r9\nsubq $8, %rsp\n"
                  "call " NAME(fake_metal_find) "\n"
                                                "addq $8, %rsp\npopq %r9\npopq %r8\npopq %rcx\npopq "
                                                "%rdx\npopq %rsi\npopq %rdi\n"
                                                "jmpq *%rax\n");
#elif defined __aarch64__
__asm__(".text\n" BEGIN(
    objc_msgSend) "stp x29, x30, [sp, #-80]!\nstp x0, x1, [sp, #16]\nstp x2, x3, [sp, #32]\nstp x4, x5, [sp, "
                  "#48]\n"
                  "stp x6, x7, [sp, #64]\nbl " NAME(
                      fake_metal_find) "\nmov x16, x0\nldp x0, x1, [sp, #16]\nldp x2, x3, [sp, #32]\n"
                                       "ldp x4, x5, [sp, #48]\nldp x6, x7, [sp, #64]\nldp x29, x30, [sp], "
                                       "#80\nbr x16\n");
#else
#error "fake_metal.c: write objc_msgSend for this processor"
#endif
