/* darwin.c: macOS, from sysctl(3), dyld(3) and Mach. It pins no threads (thread_policy_set's affinity tags
 * are a hint on Intel and refused on Apple silicon) and tells no child that its parent died. */
#include "platform/platform.h"

#include <limits.h>
#include <mach-o/dyld.h>
#include <mach/mach.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/sysctl.h>
#include <unistd.h>

const char *platform_program_path(Arena *arena)
{
    char path[PATH_MAX], whole[PATH_MAX];
    uint32_t size = sizeof path;
    /* The path as it was started, links and all. */
    return _NSGetExecutablePath(path, &size) == 0 && realpath(path, whole) ? arena_copy(arena, whole) : NULL;
}

/* ---- processors ---- */

const char *platform_processor_name(Arena *arena)
{
    char name[256] = "";
    size_t size = sizeof name;
    const bool got =
        sysctlbyname("machdep.cpu.brand_string", name, &size, NULL, 0) == 0 && size < sizeof name;
    return got ? arena_copy(arena, name) : "unknown";
}

static size_t read_size(const char *name)
{
    int64_t value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) == 0 && size == sizeof value && value > 0
               ? (size_t)value
               : 0;
}

/* Apple silicon: hw.l2cachesize is that of the slow cores. */
size_t platform_cache_bytes(void)
{
    static const char *const names[] = {"hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (read_size(names[i]) > 0)
            return read_size(names[i]);
    return 0;
}

int platform_processors(void)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

void platform_pin_thread(int n)
{
    (void)n;
}

/* ---- threads and processes ---- */

int platform_threads_alive(void)
{
    thread_act_array_t list;
    mach_msg_type_number_t count = 0;
    if (task_threads(mach_task_self(), &list, &count) != KERN_SUCCESS)
        return 0;
    for (mach_msg_type_number_t i = 0; i < count; i++)
        mach_port_deallocate(mach_task_self(), list[i]);
    vm_deallocate(mach_task_self(), (vm_address_t)list, count * sizeof *list);
    return (int)count;
}

void platform_wake_promptly(void)
{
}

void platform_die_with_parent(pid_t parent, int signal)
{
    if (getppid() != parent) {
        raise(signal);
        _exit(EXIT_FAILURE); /* where the signal is ignored */
    }
}

double platform_peak_bytes(const struct rusage *usage)
{
    return (double)usage->ru_maxrss;
}
