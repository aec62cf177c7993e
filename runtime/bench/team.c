/* team.c: the same work on every thread at once (see team.h). */
#include "bench/team.h"
#include "bench/clock.h"
#include "platform/platform.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

Team team_of_own(int threads)
{
    return (Team){.threads = threads};
}

/* dlsym on a loaded object searches its dependencies too, so the runtime's name (libomp.so.5, libiomp5.so,
 * ...) need not be known. A function pointer leaves dlsym as void *: POSIX says that they convert. */
Team team_of_runtime(void *address, int threads)
{
    Team team = team_of_own(threads);
    Dl_info info;
    if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL)
        return team;
    void *object = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (object == NULL)
        return team;
    *(void **)&team.parallel = dlsym(object, "GOMP_parallel");
    *(void **)&team.thread_number = dlsym(object, "omp_get_thread_num");
    *(void **)&team.team_size = dlsym(object, "omp_get_num_threads");
    if (team.thread_number == NULL || team.team_size == NULL)
        team.parallel = NULL;
    dlclose(object); /* the kernel's own handle keeps it loaded */
    return team;
}

typedef struct Shared {
    const Team *team;
    TeamWork *work;
    void *context;
    atomic_int waiting; /* own threads: how many are not at the start yet */
    _Atomic int64_t started;
} Shared;

static void work_in_runtime(void *data)
{
    Shared *shared = data;
    shared->work(shared->context, shared->team->thread_number(), shared->team->team_size());
}

typedef struct OwnThread {
    Shared *shared;
    int number;
    pthread_t handle;
} OwnThread;

/* Waits by yielding, not by spinning alone: with fewer processors than threads a spin would never end soon.
 */
static void *work_on_own_thread(void *data)
{
    OwnThread *own = data;
    Shared *shared = own->shared;
    platform_pin_thread(own->number);
    if (atomic_fetch_sub(&shared->waiting, 1) == 1)
        atomic_store(&shared->started, clock_nanoseconds());
    while (atomic_load(&shared->started) == 0)
        sched_yield();
    shared->work(shared->context, own->number, shared->team->threads);
    return NULL;
}

static int64_t run_on_own_threads(Shared *shared)
{
    int threads = shared->team->threads;
    OwnThread own[threads];
    atomic_store(&shared->waiting, threads);
    for (int t = 0; t < threads; t++) {
        own[t] = (OwnThread){.shared = shared, .number = t};
        if (pthread_create(&own[t].handle, NULL, work_on_own_thread, &own[t]) != 0)
            abort(); /* no memory for a thread: the child that measures dies, the parent reports it */
    }
    for (int t = 0; t < threads; t++)
        pthread_join(own[t].handle, NULL);
    return clock_nanoseconds() - atomic_load(&shared->started);
}

int64_t team_run(const Team *team, TeamWork *work, void *context)
{
    Shared shared = {.team = team, .work = work, .context = context};
    if (team->parallel == NULL)
        return run_on_own_threads(&shared);
    int64_t before = clock_nanoseconds();
    team->parallel(work_in_runtime, &shared, (unsigned)team->threads, 0);
    return clock_nanoseconds() - before;
}

void team_share(uint64_t count, uint64_t grain, int thread, int threads, uint64_t *from, uint64_t *to)
{
    uint64_t grains = (count + grain - 1) / grain;
    uint64_t first = grains * (uint64_t)thread / (uint64_t)threads * grain;
    uint64_t last = grains * ((uint64_t)thread + 1) / (uint64_t)threads * grain;
    *from = first < count ? first : count;
    *to = last < count ? last : count;
}
