/* posix.c: what every system does, but for the name of a field. */
#include "platform/platform.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define CHANGED st_mtimespec /* XNU had the field before POSIX.1-2008 named it */
#else
#define CHANGED st_mtim
#endif

int64_t platform_changed_at(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 ? -1
                                    : status.CHANGED.tv_sec * INT64_C(1000000000) + status.CHANGED.tv_nsec;
}

const char *platform_program_folder(Arena *arena)
{
    const char *path = platform_program_path(arena), *slash = path ? strrchr(path, '/') : NULL;
    return slash ? arena_copy_bytes(arena, path, (size_t)(slash - path)) : NULL;
}
