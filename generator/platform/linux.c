/* linux.c: from the files of proc(5) and sysfs, prctl(2) and sched_setaffinity(2). */
#include "platform/platform.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, CACHE_LEVELS = 10 };

const char *platform_program_path(Arena *arena)
{
    char path[PATH_BYTES];
    const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
    return size > 0 && size < PATH_BYTES ? arena_copy_bytes(arena, path, (size_t)size) : NULL;
}

/* ---- processors ---- */

/* x86 kernels call it "model name"; those of aarch64 print numbers of parts and no name. */
const char *platform_processor_name(Arena *arena)
{
    char line[256], name[256] = "unknown";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "model name : %255[^\n]", name) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return arena_copy(arena, name);
}

/* "32768K" */
static size_t read_size(const char *path)
{
    char text[32] = "", *unit = text;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    const bool got = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    const double size = got ? strtod(text, &unit) : 0;
    return size > 0 ? (size_t)(size * (*unit == 'K' ? 1024.0 : *unit == 'M' ? 1048576.0 : 1.0)) : 0;
}

/* The kernel's view first: in virtual machines sysconf reads a number meant for the whole host. */
size_t platform_cache_bytes(void)
{
    char path[64];
    for (int index = CACHE_LEVELS - 1; index >= 0; index--) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        const size_t size = read_size(path);
        if (size > 0)
            return size;
    }
    long bytes = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE /* of glibc alone */
    bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (bytes <= 0)
        bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return bytes > 0 ? (size_t)bytes : 0;
}

int platform_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

void platform_pin_thread(int n)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0)
        return;
    n %= CPU_COUNT(&allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && n-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
}

/* ---- threads and processes ---- */

int platform_threads_alive(void)
{
    DIR *folder = opendir("/proc/self/task");
    int count = 0;
    if (folder == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

void platform_wake_promptly(void)
{
    prctl(PR_SET_TIMERSLACK, 1UL);
}

void platform_die_with_parent(pid_t parent, int signal)
{
    prctl(PR_SET_PDEATHSIG, signal);
    if (getppid() != parent) { /* it died before prctl */
        raise(signal);
        _exit(EXIT_FAILURE); /* where the signal is ignored */
    }
}

double platform_peak_bytes(const struct rusage *usage)
{
    return 1024.0 * (double)usage->ru_maxrss;
}
