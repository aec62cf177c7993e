/* kernel.c: load a compiled variant and call it.
 *
 * The samebits program itself is not linked with OpenMP. Each kernel names libomp as its dependency, so the
 * first kernel that is opened loads the one runtime that all later ones share (kernels of gcc are linked
 * against libomp as well, see build.c), and its functions are looked up in that loaded library.
 *
 * Libraries stay local (RTLD_LOCAL): two variants never see each other's symbols. The OpenMP runtime is
 * pinned when a kernel is opened, because its worker threads would go on running in unmapped code when the
 * last kernel is closed. */
#include "driver/kernel.h"

#include "driver/emulated.h"
#include "platform/platform.h"

#include <dlfcn.h>
#include <ffi.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS = OPERATOR_INPUTS + OPERATOR_OUTPUTS + OPERATOR_DIMS + OPERATOR_PARAMS };

struct Kernel {
    void *handle;
    Emulated *emulated;     /* NULL: no GPU's kernel */
    Ranked *ranked;         /* NULL: it runs in this process */
    void (*function)(void); /* called through libffi with the operator's signature */
    ffi_cif signature;
    ffi_type *type[ARGUMENTS];
    int inputs, outputs, dims, params;
};

/* Names under which LLVM's, Intel's and GNU's runtimes are loaded on Linux and macOS. */
static const char *const openmp_names[] = {"libomp.so.5", "libomp.so", "libomp.dylib", "libiomp5.so",
                                           "libgomp.so.1"};
enum { OPENMP_NAMES = sizeof openmp_names / sizeof openmp_names[0] };

static void pin_openmp(void)
{
    for (int i = 0; i < OPENMP_NAMES; i++) {
        void *handle = dlopen(openmp_names[i], RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
        if (handle) {
            dlclose(handle);
        }
    }
}

static void prepare_signature(Kernel *kernel, const Operator *op)
{
    _Static_assert(sizeof(size_t) == sizeof(ffi_arg), "sizes are passed as one machine word");
    kernel->inputs = op->inputs;
    kernel->outputs = op->outputs;
    kernel->dims = op->dims;
    kernel->params = op->params;
    int count = 0;
    for (int i = 0; i < op->inputs + op->outputs; i++) {
        kernel->type[count++] = &ffi_type_pointer;
    }
    for (int i = 0; i < op->dims; i++) {
        kernel->type[count++] = sizeof(size_t) == 8 ? &ffi_type_uint64 : &ffi_type_uint32;
    }
    for (int i = 0; i < op->params; i++) {
        kernel->type[count++] = &ffi_type_float;
    }
    const ffi_status status =
        ffi_prep_cif(&kernel->signature, FFI_DEFAULT_ABI, (unsigned)count, &ffi_type_void, kernel->type);
    if (status != FFI_OK) {
        abort(); /* pointers, words and floats are valid on every platform */
    }
}

static Kernel *open_emulated(Arena *arena, const char *path, const char *symbol, const Operator *op,
                             const char **why)
{
    Emulated *emulated = emulated_open(arena, path, symbol, op, why);
    if (!emulated) {
        return NULL;
    }
    Kernel *kernel = ARENA_NEW(arena, Kernel);
    kernel->emulated = emulated;
    return kernel;
}

static Kernel *open_function(Arena *arena, void *handle, const char *path, const char *symbol,
                             const Operator *op, const char **why)
{
    void *address = dlsym(handle, symbol);
    if (!address) {
        *why = arena_printf(arena, "%s has no function '%s'; compile it again", path, symbol);
        return NULL;
    }
    pin_openmp();
    Kernel *kernel = ARENA_NEW(arena, Kernel);
    kernel->handle = handle;
    memcpy(&kernel->function, &address, sizeof address); /* ISO C has no cast between the two */
    prepare_signature(kernel, op);
    return kernel;
}

Kernel *kernel_open(Arena *arena, const char *path, const char *symbol, const Operator *op, const char **why)
{
    /* Without a slash dlopen would look in the system's folders. */
    const char *place = strchr(path, '/') ? path : arena_printf(arena, "./%s", path);
    void *handle = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        *why = arena_printf(arena, "cannot load %s: %s", path, dlerror());
        return NULL;
    }
    if (emulated_is_module(handle)) {
        dlclose(handle); /* the engine loads it itself */
        return open_emulated(arena, place, symbol, op, why);
    }
    Kernel *kernel = open_function(arena, handle, path, symbol, op, why);
    if (!kernel) {
        dlclose(handle);
    }
    return kernel;
}

Kernel *kernel_open_variant(Arena *arena, const char *path, const Variant *variant, const char **why)
{
    if (!variant->target->ranks) {
        return kernel_open(arena, path, variant->symbol, variant->op, why);
    }
    Ranked *ranked = ranked_open(arena, path, variant, why);
    if (!ranked) {
        return NULL;
    }
    Kernel *kernel = ARENA_NEW(arena, Kernel);
    kernel->ranked = ranked;
    return kernel;
}

void kernel_close(Kernel *kernel)
{
    if (kernel && kernel->emulated) {
        emulated_close(kernel->emulated);
    } else if (kernel && kernel->ranked) {
        ranked_close(kernel->ranked);
    } else if (kernel && kernel->handle) {
        dlclose(kernel->handle);
        kernel->handle = NULL;
        kernel->function = NULL;
    }
}

void kernel_call(const Kernel *kernel, const CallData *call)
{
    void *value[ARGUMENTS];
    int count = 0;
    if (kernel->emulated) {
        emulated_call(kernel->emulated, call);
        return;
    }
    if (kernel->ranked) {
        ranked_call(kernel->ranked, call);
        return;
    }
    for (int i = 0; i < kernel->inputs; i++) {
        value[count++] = (void *)&call->input[i];
    }
    for (int i = 0; i < kernel->outputs; i++) {
        value[count++] = (void *)&call->output[i];
    }
    for (int i = 0; i < kernel->dims; i++) {
        value[count++] = (void *)&call->shape.size[i];
    }
    for (int i = 0; i < kernel->params; i++) {
        value[count++] = (void *)&call->param[i];
    }
    ffi_call((ffi_cif *)&kernel->signature, kernel->function, NULL, value);
}

void *kernel_symbol_address(const Kernel *kernel)
{
    void *address;
    memcpy(&address, &kernel->function, sizeof address);
    return address;
}

const char *kernel_failure(const Kernel *kernel)
{
    if (kernel->ranked) {
        return ranked_failure(kernel->ranked);
    }
    return kernel->emulated ? emulated_failure(kernel->emulated) : NULL;
}

bool kernel_is_emulated(const Kernel *kernel)
{
    return kernel->emulated != NULL;
}

Ranked *kernel_ranks(const Kernel *kernel)
{
    return kernel->ranked;
}

void kernel_set_geometry(const Kernel *kernel, unsigned block, unsigned grid)
{
    if (kernel->emulated) {
        emulated_set_geometry(kernel->emulated, block, grid);
    }
}

const char *kernel_launch_text(const Kernel *kernel, char *text, size_t size)
{
    if (kernel->ranked) {
        return ranked_text(kernel->ranked, text, size);
    }
    return kernel->emulated ? emulated_launch_text(kernel->emulated, text, size) : "";
}

void kernel_set_threads(int threads)
{
    for (int i = 0; i < OPENMP_NAMES; i++) {
        void *handle = dlopen(openmp_names[i], RTLD_NOW | RTLD_NOLOAD);
        if (!handle) {
            continue;
        }
        void (*set_threads)(int) = NULL;
        void *address = dlsym(handle, "omp_set_num_threads");
        memcpy(&set_threads, &address, sizeof address);
        if (set_threads) {
            set_threads(threads);
        }
        dlclose(handle);
    }
}

const char *kernel_why_not_here(Arena *arena, const Target *target)
{
    const char *why = target_why_not_here(target);
    if (!why && target->ranks) {
        mpi_find(arena, &why);
    }
    return why;
}

int kernel_default_threads(void)
{
    const char *wanted = getenv("OMP_NUM_THREADS");
    if (wanted) {
        char *end;
        const long threads = strtol(wanted, &end, 10); /* "4,2" is 4 on the outermost level */
        if (end != wanted && (*end == '\0' || *end == ',') && threads > 0 && threads <= 65536) {
            return (int)threads;
        }
    }
    return platform_processors();
}

/* The floating-point state that the contract assumes: round to nearest even, no flush to zero, no
 * denormals-are-zero, exceptions masked. OpenMP's workers need no call of their own: a thread starts with the
 * state of the thread that creates it, and LLVM's runtime copies the state of the thread that enters a
 * parallel region to its workers (KMP_INHERIT_FP_CONTROL, on by default). */
void kernel_prepare_thread(void)
{
#if defined __x86_64__ || defined __i386__
    const unsigned state = 0x1f80; /* Intel SDM vol. 1, 10.2.3: the value after reset */
    __asm__ volatile("ldmxcsr %0" : : "m"(state));
#elif defined __aarch64__
    const unsigned long state = 0; /* Arm ARM, FPCR: nearest even, no FZ, no AH, no traps */
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
#else
#error "kernel_prepare_thread: state the floating-point control register of this processor"
#endif
}
