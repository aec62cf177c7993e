/* module.c: loads an emulated module, launches its kernels, and puts what went wrong into words. */
#include "simt/engine.h"
#include "simt/faults.h"
#include "simt/lines.h"

#include <dlfcn.h>
#ifdef __linux__
#include <link.h>
#endif
#include <stdlib.h>
#include <string.h>

struct SimtModule {
    Arena *arena;
    const char *path;
    void *handle, *base; /* of dlopen; where it lies */
    const SimtEntry *entries;
    SimtHost *host;
    SimtSpan (*shared)(void);
    void (*handler)(int, siginfo_t *, void *);
    Engine *engine;
    bool checked;
    const SimtArgument *arguments; /* of the launch that runs */
    int count;
};

/* ---- loading ---- */

static void *find(SimtModule *module, const char *name, const char **why)
{
    void *address = dlsym(module->handle, name);
    if (!address && !*why) {
        *why = arena_printf(module->arena, "%s is no emulated module: it has no '%s'", module->path, name);
    }
    return address;
}

static void find_function(SimtModule *module, const char *name, void *function, const char **why)
{
    void *address = find(module, name, why);
    memcpy(function, &address, sizeof address); /* ISO C has no cast between the two */
}

static void host_access(SimtHost *host, const void *address, unsigned long long bytes, unsigned kind,
                        const void *pc);
static void host_atomic(SimtHost *host, const SimtSite *site, const void *address, unsigned long long bytes);

static const char *attach(SimtModule *module)
{
    const char *why = NULL;
    const unsigned *abi = find(module, "samebits_simt_abi", &why);
    module->host = find(module, "samebits_simt_host", &why);
    module->entries = find(module, "samebits_simt_entries", &why);
    find_function(module, "samebits_simt_shared", &module->shared, &why);
    find_function(module, "samebits_simt_signal", &module->handler, &why);
    if (why) {
        return why;
    }
    if (*abi != SIMT_ABI) {
        return arena_printf(module->arena, "%s was made for another version of the engine; compile it again",
                            module->path);
    }
    Dl_info info;
    if (!dladdr((void *)module->host, &info)) {
        return arena_printf(module->arena, "%s: %s", module->path, dlerror());
    }
    module->base = info.dli_fbase;
    module->checked = dlsym(module->handle, "samebits_simt_checked") != NULL;
    return NULL;
}

SimtModule *simt_open(Arena *arena, const char *path, const char **why)
{
    /* Without a slash dlopen would look in the system's folders. */
    const char *place = strchr(path, '/') ? path : arena_printf(arena, "./%s", path);
    SimtModule *module = ARENA_NEW(arena, SimtModule);
    module->arena = arena;
    module->path = place;
    module->handle = dlopen(place, RTLD_NOW | RTLD_LOCAL);
    if (!module->handle) {
        *why = arena_printf(arena, "cannot load %s: %s", path, dlerror());
        return NULL;
    }
    const char *missing = attach(module);
    if (missing) {
        *why = missing;
        dlclose(module->handle);
        return NULL;
    }
    module->engine = ARENA_NEW(arena, Engine);
    module->engine->arena = arena;
    engine_attach(module->engine, module->host);
    module->host->access = host_access;
    module->host->atomic = host_atomic;
    module->host->fault = faults_note;
    module->engine->owner = module;
    return module;
}

void simt_close(SimtModule *module)
{
    if (module && module->handle) {
        engine_release(module->engine);
        dlclose(module->handle);
        module->handle = NULL;
    }
}

const char *simt_kernel_name(const SimtModule *module, int index)
{
    return module->entries[index].name;
}

Arena *simt_arena(const SimtModule *module)
{
    return module->arena;
}

/* ---- places in words ---- */

typedef struct Place {
    const char *file; /* NULL: not known */
    unsigned line;
} Place;

static Place place_of_pc(const SimtModule *module, const void *pc)
{
    Place place = {NULL, 0};
    Dl_info info;
    if (dladdr(pc, &info) && info.dli_fbase == module->base) { /* else in a library that the kernel called */
        const uint64_t offset = (uint64_t)((uintptr_t)pc - (uintptr_t)module->base);
        lines_find(module->arena, module->path, offset, &place.file, &place.line);
    }
    return place;
}

static Place place_of(const SimtModule *module, const void *where, bool is_site)
{
    if (!is_site) {
        return place_of_pc(module, where);
    }
    const SimtSite *site = where;
    return (Place){site->file, site->line};
}

static bool is_buffer(const SimtArgument *argument)
{
    return argument->kind == SIMT_INPUT || argument->kind == SIMT_OUTPUT;
}

/* How far an address lies from a buffer; 0: inside. */
static size_t distance_to(const SimtArgument *argument, uintptr_t address)
{
    const uintptr_t begin = (uintptr_t)argument->pointer, end = begin + argument->bytes;
    return address < begin ? begin - address : address < end ? 0 : address - end + 1;
}

/* Buffers lie side by side: what is in front of one is behind another, and the nearer one is meant. */
static int nearest_buffer(const SimtModule *module, uintptr_t address)
{
    int nearest = -1;
    for (int i = 0; i < module->count; i++) {
        const SimtArgument *argument = &module->arguments[i];
        if (is_buffer(argument) && (nearest < 0 || distance_to(argument, address) <
                                                       distance_to(&module->arguments[nearest], address))) {
            nearest = i;
        }
    }
    return nearest;
}

/* "shared memory", "byte 20 of argument 2". */
static const char *buffer_text(const SimtModule *module, uintptr_t address)
{
    const SimtSpan shared = module->engine->shared;
    if (address >= (uintptr_t)shared.begin && address < (uintptr_t)shared.end) {
        return arena_printf(module->arena, "shared memory, byte %zu of %zu",
                            (size_t)(address - (uintptr_t)shared.begin),
                            (size_t)((uintptr_t)shared.end - (uintptr_t)shared.begin));
    }
    enum { NEAR = 1 << 20 };
    const int i = nearest_buffer(module, address);
    const SimtArgument *argument = i < 0 ? NULL : &module->arguments[i];
    if (!argument || distance_to(argument, address) > NEAR) {
        return arena_printf(module->arena, "address %#zx", (size_t)address);
    }
    const uintptr_t begin = (uintptr_t)argument->pointer, end = begin + argument->bytes;
    if (address >= end) {
        return arena_printf(module->arena, "%zu bytes behind the last of argument %d (%zu bytes)",
                            (size_t)(address - end), i, argument->bytes);
    }
    return address < begin
               ? arena_printf(module->arena, "%zu bytes in front of argument %d", (size_t)(begin - address),
                              i)
               : arena_printf(module->arena, "byte %zu of argument %d", (size_t)(address - begin), i);
}

static const char *thread_text(const SimtModule *module, unsigned thread, uint64_t block)
{
    return arena_printf(module->arena, "%s of %s", engine_thread_text(module->engine, thread),
                        engine_block_text(module->engine, block));
}

/* ---- what a checked module reports ---- */

static const char *const kind_words[] = {
    [SIMT_READS] = "reads", [SIMT_WRITES] = "writes", [SIMT_ATOMIC] = "adds atomically to"};

static const char *race_text(const SimtModule *module, const ShadowAccess *access,
                             const ShadowFinding *finding)
{
    const Engine *engine = module->engine;
    const Place other = place_of(module, finding->other, finding->other_is_site);
    return arena_printf(module->arena, "race: %s %s %s, which %s %s at %s:%u, and nothing orders the two",
                        thread_text(module, engine->current->place.linear, engine->block_number),
                        kind_words[access->kind], buffer_text(module, (uintptr_t)access->address),
                        thread_text(module, finding->other_thread, finding->other_block),
                        kind_words[finding->other_kind], other.file ? other.file : "?", other.line);
}

static void check_access(Engine *engine, const ShadowAccess *access)
{
    SimtModule *module = engine->owner;
    const ShadowFinding finding = shadow_access(engine->shadow, access);
    if (!finding.text) {
        return;
    }
    const Place place = place_of(module, access->where, access->is_site);
    const char *text =
        finding.other ? race_text(module, access, &finding)
                      : arena_printf(module->arena, "%s %s: %s",
                                     thread_text(module, engine->current->place.linear, engine->block_number),
                                     finding.text, buffer_text(module, (uintptr_t)access->address));
    engine_fail(engine, place.file, place.line, text);
}

static void host_access(SimtHost *host, const void *address, unsigned long long bytes, unsigned kind,
                        const void *pc)
{
    Engine *engine = host->engine;
    if (engine && engine->current && engine->shadow) {
        engine->fault_pc = (const char *)pc - 1;
        /* One byte back: pc is where the call returns to. */
        check_access(engine, &(ShadowAccess){address, bytes, kind, (const char *)pc - 1, false});
    }
}

static void host_atomic(SimtHost *host, const SimtSite *site, const void *address, unsigned long long bytes)
{
    Engine *engine = host->engine;
    engine->fault_site = site; /* what follows may crash, and not at a line of the kernel */
    (void)*(const volatile char *)address;
    engine->fault_site = NULL;
    if (engine->shadow) {
        check_access(engine, &(ShadowAccess){address, bytes, SIMT_ATOMIC, site, true});
    }
}

/* ---- faults in words ---- */

static const char *fault_words(const SimtModule *module, const Fault *fault)
{
    switch (fault->number) {
    case SIGALRM:
        return arena_printf(module->arena, "did not end within %g s", module->engine->launch.seconds);
    case SIGILL:
        return "ran into an instruction that must not be reached";
    case SIGFPE:
        return "divides an integer by zero";
    default:
        break;
    }
    if (engine_stack_guard(module->engine, fault->address)) {
        return "has more local variables than its stack holds, or recurses";
    }
    return arena_printf(module->arena, "touches memory outside every buffer: %s",
                        buffer_text(module, fault->address));
}

/* A fault within the engine happened on behalf of what the thread did last. */
static Place place_of_fault(const SimtModule *module)
{
    const Engine *engine = module->engine;
    if (engine->fault_site) {
        return place_of(module, engine->fault_site, true);
    }
    Place place = place_of_pc(module, (const void *)engine->fault.pc);
    if (!place.file && engine->fault_pc) {
        place = place_of_pc(module, engine->fault_pc);
    }
    const SimtSite *site = engine->fiber[engine->fault_thread].site;
    return place.file || !site ? place : place_of(module, site, true);
}

static void describe_fault(SimtModule *module)
{
    Engine *engine = module->engine;
    const Place place = place_of_fault(module);
    const char *text =
        arena_printf(module->arena, "%s %s", thread_text(module, engine->fault_thread, engine->block_number),
                     fault_words(module, &engine->fault));
    engine->error = (SimtError){
        place.file, place.line,
        place.file ? arena_printf(module->arena, "%s:%u: %s", place.file, place.line, text) : text};
}

/* ---- launching ---- */

static const SimtEntry *find_entry(const SimtModule *module, const char *name)
{
    for (const SimtEntry *entry = module->entries; entry->name; entry++) {
        if (strcmp(entry->name, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static bool kind_fits(SimtKind kind, char wanted)
{
    switch (kind) {
    case SIMT_INPUT:
    case SIMT_OUTPUT:
        return wanted == 'p' || wanted == 'w';
    case SIMT_SIZE:
        return wanted == 'u' || wanted == 'i' || wanted == 'w';
    case SIMT_FLOAT:
        return wanted == 'f';
    }
    return false;
}

static const char *bind_arguments(SimtModule *module, const SimtEntry *entry, const SimtArgument *arguments,
                                  int count)
{
    static const char *const words[] = {"an input", "an output", "a size", "a float"};
    const int wanted = (int)strlen(entry->kinds);
    if (count != wanted) {
        return arena_printf(module->arena, "%s takes %d arguments, not %d", entry->name, wanted, count);
    }
    for (int i = 0; i < count; i++) {
        const SimtArgument *argument = &arguments[i];
        if (!kind_fits(argument->kind, entry->kinds[i])) {
            return arena_printf(module->arena, "argument %d of %s is of kind '%c', not %s", i, entry->name,
                                entry->kinds[i], words[argument->kind]);
        }
        /* The low half of a little-endian word is a 4-byte size. */
        module->engine->argument[i] = argument->kind == SIMT_SIZE    ? (void *)&argument->size
                                      : argument->kind == SIMT_FLOAT ? (void *)&argument->value
                                                                     : (void *)&argument->pointer;
    }
    module->arguments = arguments;
    module->count = count;
    return NULL;
}

static const char *plan_launch(SimtModule *module, const SimtLaunch *launch)
{
    Engine *engine = module->engine;
    engine->launch = *launch;
    uint64_t threads = 1;
    for (int i = 0; i < 3; i++) {
        unsigned *block = &engine->launch.block[i], *grid = &engine->launch.grid[i];
        *block = i > 0 && *block == 0 ? 1 : *block;
        *grid = i > 0 && *grid == 0 ? 1 : *grid;
        threads = *block > SIMT_THREADS ? SIMT_THREADS + 1 : threads * *block;
    }
    if (threads == 0 || threads > SIMT_THREADS) {
        return arena_printf(module->arena, "a block of %u x %u x %u threads; it must have 1 to %d",
                            launch->block[0], engine->launch.block[1], engine->launch.block[2], SIMT_THREADS);
    }
    return engine_prepare(engine, (int)threads);
}

/* Where the module itself lies: its constants may be read. */
typedef struct Image {
    const void *base;
    SimtSpan span;
} Image;

#ifdef __linux__
static int note_image(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    Image *image = context;
    uintptr_t end = info->dlpi_addr;
    bool ours = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD) {
            ours |= info->dlpi_addr + header->p_vaddr == (uintptr_t)image->base;
            end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
        }
    }
    if (ours) {
        image->span = (SimtSpan){(void *)(uintptr_t)image->base, (void *)end};
    }
    return ours;
}

static SimtSpan image_of(const SimtModule *module)
{
    Image image = {module->base, {NULL, NULL}};
    dl_iterate_phdr(note_image, &image);
    return image.span;
}
#else
static SimtSpan image_of(const SimtModule *module)
{
    enum { IMAGE = 1 << 20 }; /* more than any kernel's */
    return (SimtSpan){(void *)module->base, (char *)module->base + IMAGE};
}
#endif

static bool run(SimtModule *module, SimtError *error)
{
    Engine *engine = module->engine;
    FaultGuard guard;
    engine->failed = engine->expired = false;
    engine->fault = (Fault){0};
    engine->fault_site = NULL;
    engine->fault_pc = NULL;
    engine->error = (SimtError){0};
    engine->shared = module->shared();
    if (module->checked) {
        engine->shadow =
            shadow_create(engine, engine->shared, image_of(module), module->arguments, module->count);
        if (!engine->shadow) {
            error->text = "no memory for checking every access; use smaller buffers";
            return false;
        }
    }
    const char *why = faults_catch(&guard, module->handler, engine->launch.seconds);
    bool fine = !why && engine_run(engine);
    if (why) {
        engine->error.text = why;
    } else {
        faults_release(&guard);
    }
    if (engine->fault.number) {
        describe_fault(module);
    }
    shadow_destroy(engine->shadow);
    engine->shadow = NULL;
    *error = engine->error;
    return fine;
}

bool simt_launch(SimtModule *module, const char *kernel, const SimtLaunch *launch,
                 const SimtArgument *arguments, int count, SimtError *error)
{
    *error = (SimtError){0};
    const SimtEntry *entry = find_entry(module, kernel);
    const char *why = entry ? bind_arguments(module, entry, arguments, count)
                            : arena_printf(module->arena, "%s has no kernel '%s'", module->path, kernel);
    why = why ? why : plan_launch(module, launch);
    if (why) {
        error->text = why;
        return false;
    }
    module->engine->call = entry->call;
    return run(module, error);
}
