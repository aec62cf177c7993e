/* api.c: libcuda by name. The library stays loaded: the driver keeps threads of its own in it. */
#include "cuda/api.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static void *open_library(Arena *arena, const char **why)
{
    const char *set = getenv("SAMEBITS_LIBCUDA");
    const char *name = set && *set ? set : "libcuda.so.1";
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        *why = arena_printf(arena,
                            "skipped: no CUDA driver on this machine (%s); install NVIDIA's driver, or set "
                            "SAMEBITS_LIBCUDA",
                            dlerror());
    return library;
}

static const char *look_up(Arena *arena, void *library, const char *name, void *function, size_t size)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, size); /* ISO C has no cast between the two */
    return address
               ? NULL
               : arena_printf(arena, "skipped: the CUDA driver is too old: it has no %s; update it", name);
}

static const char *look_up_all(Arena *arena, CudaApi *api)
{
#define CUDA_LOOK_UP(member, name, ...)                                                                      \
    if (!why)                                                                                                \
        why = look_up(arena, api->library, name, &api->member, sizeof api->member);
    const char *why = NULL;
    CUDA_FUNCTIONS(CUDA_LOOK_UP)
#undef CUDA_LOOK_UP
    return why;
}

/* What else the driver does as it likes: PTX that it compiled before comes from a cache in the home folder,
 * and modules are loaded when their kernels are first launched (the default since CUDA 12.2). Then load_ns
 * would depend on what ran before, and the first call would pay for loading. Read once, by cuInit; who has
 * set them otherwise gets that. */
static void make_loading_plain(void)
{
    setenv("CUDA_CACHE_DISABLE", "1", 0);
    setenv("CUDA_MODULE_LOADING", "EAGER", 0);
}

const char *cuda_api_load(Arena *arena, CudaApi *api)
{
    const char *why = NULL;
    *api = (CudaApi){.library = open_library(arena, &why)};
    if (!why)
        why = look_up_all(arena, api);
    if (why)
        return why;
    make_loading_plain();
    const CUresult result = api->init(0);
    if (result == CUDA_ERROR_NO_DEVICE)
        return "skipped: the CUDA driver finds no GPU";
    if (result != CUDA_SUCCESS)
        return arena_printf(arena, "skipped: the CUDA driver does not start: %s",
                            cuda_api_error(arena, api, result));
    return NULL;
}

const char *cuda_api_error(Arena *arena, const CudaApi *api, CUresult result)
{
    const char *name = NULL, *text = NULL;
    if (api->get_error_name(result, &name) != CUDA_SUCCESS || !name)
        return arena_printf(arena, "CUDA error %d", result);
    if (api->get_error_string(result, &text) != CUDA_SUCCESS || !text)
        return arena_printf(arena, "%s (%d)", name, result);
    return arena_printf(arena, "%s (%d): %s", name, result, text);
}
