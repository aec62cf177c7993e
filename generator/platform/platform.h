/* platform.h: what operating systems do differently, one function per difference and one file per system
 * (linux.c, darwin.c; posix.c where only a field's name differs). What depends on the processor stays where
 * it is used. */
#ifndef SAMEBITS_PLATFORM_H
#define SAMEBITS_PLATFORM_H

#include "text/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Of the running program, absolute; NULL where the system does not say. */
const char *platform_program_path(Arena *arena);
/* The folder it lies in, without a slash at the end; NULL likewise. */
const char *platform_program_folder(Arena *arena);

/* When the file was last written, in nanoseconds since 1970; -1 when there is none. */
int64_t platform_changed_at(const char *path);

/* "unknown" where the system does not say. */
const char *platform_processor_name(Arena *arena);
/* Of the last-level cache of one processor; 0 where the system does not say. */
size_t platform_cache_bytes(void);
/* How many this process may use; at least 1. */
int platform_processors(void);
/* Moves the calling thread to the n-th of them; without that right it stays where it is. */
void platform_pin_thread(int n);

/* Threads of this process; 0 where the system does not say. */
int platform_threads_alive(void);
/* Of the calling thread: its sleeps end when they should, not gathered with others. */
void platform_wake_promptly(void);
/* Called in a new child: it gets `signal` when its parent is gone, at once when it is gone already. Where the
 * system has no such thing, only the second holds: a parent that is killed leaves the child to its limits. */
void platform_die_with_parent(pid_t parent, int signal);

/* ru_maxrss in bytes: its unit is the system's. */
double platform_peak_bytes(const struct rusage *usage);

#endif
