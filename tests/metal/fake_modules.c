/* fake_modules.c: see fake_modules.h. Threads and blocks run in a random order: a GPU promises none. */
#include "fake_modules.h"

#include "simt/simt.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS = 31 };
static const double launch_seconds = 60;

static bool has_kernel(const SimtModule *module, const char *kernel)
{
    const char *name;
    for (int i = 0; (name = simt_kernel_name(module, i)) != NULL; i++)
        if (strcmp(name, kernel) == 0)
            return true;
    return false;
}

/* The module stays open for the launches to come. */
static SimtModule *find_module(Arena *arena, const char *kernel)
{
    const char *folder = getenv("FAKE_METAL_MODULES"), *why = NULL;
    SimtModule *found = NULL;
    DIR *directory = folder ? opendir(folder) : NULL;
    for (struct dirent *item; directory && !found && (item = readdir(directory)) != NULL;) {
        const char *dot = strrchr(item->d_name, '.');
        if (!dot || strcmp(dot, ".so") != 0)
            continue;
        SimtModule *module = simt_open(arena, arena_printf(arena, "%s/%s", folder, item->d_name), &why);
        if (module && has_kernel(module, kernel))
            found = module;
        else
            simt_close(module);
    }
    if (directory)
        closedir(directory);
    return found;
}

static SimtArgument argument_of(const FakeArgument *from)
{
    SimtArgument to = {.kind = SIMT_OUTPUT, .pointer = from->data, .bytes = from->bytes};
    if (from->is_buffer)
        return to;
    if (from->bytes == sizeof(float)) {
        to = (SimtArgument){.kind = SIMT_FLOAT};
        memcpy(&to.value, from->data, sizeof to.value);
    } else {
        to = (SimtArgument){.kind = SIMT_SIZE};
        memcpy(&to.size, from->data, sizeof to.size);
    }
    return to;
}

const char *fake_modules_run(const char *kernel, unsigned groups, unsigned threads,
                             const FakeArgument *argument, int count)
{
    static Arena *arena; /* a fake of a library that has globals may have them */
    static SimtModule *module;
    static uint64_t launches;
    arena = arena ? arena : arena_create();
    if (!module || !has_kernel(module, kernel)) {
        simt_close(module);
        module = find_module(arena, kernel);
    }
    if (!module)
        return arena_printf(arena, "no module of FAKE_METAL_MODULES has a kernel %s", kernel);
    SimtArgument argument_list[ARGUMENTS];
    for (int i = 0; i < count; i++)
        argument_list[i] = argument_of(&argument[i]);
    const SimtLaunch launch = {.grid = {groups, 1, 1},
                               .block = {threads, 1, 1},
                               .order = SIMT_RANDOM,
                               .seed = launches++,
                               .poison = SIMT_POISON_NAN,
                               .seconds = launch_seconds};
    SimtError error = {0};
    return simt_launch(module, kernel, &launch, argument_list, count, &error) ? NULL : error.text;
}
