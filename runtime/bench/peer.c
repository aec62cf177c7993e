/* peer.c: starting a peer program and talking to it (see peer.h). */
#include "bench/peer.h"
#include "platform/platform.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct Peer {
    pid_t pid;
    FILE *to, *from;
};

/* Operators that a peer computes too, by the name of the spec's operator. */
static const char *const peer_problems[] = {"layernorm", "softmax"};

static const char *program_beside_this_one(Arena *arena, const char *name)
{
    const char *folder = platform_program_folder(arena);
    return folder ? arena_printf(arena, "%s/%s", folder, name) : NULL;
}

const char *peer_find(Arena *arena, const Operator *op, const char **problem, const char **why)
{
    *problem = NULL;
    for (size_t i = 0; i < sizeof peer_problems / sizeof *peer_problems; i++)
        if (strcmp(op->name, peer_problems[i]) == 0)
            *problem = peer_problems[i];
    if (*problem == NULL || op->dims != 2) {
        *why = "no peer computes this operator";
        return NULL;
    }
    const char *set = getenv("SAMEBITS_PEER_ONEDNN");
    const char *path = set ? set : program_beside_this_one(arena, "samebits-peer-onednn");
    if (path == NULL || access(path, X_OK) != 0) {
        *why = "oneDNN was not there when samebits was built: install libdnnl-dev and build again";
        return NULL;
    }
    return path;
}

static double parameter_value(const Operator *op, const char *name, double otherwise)
{
    for (int p = 0; p < op->params; p++)
        if (strcmp(op->param[p].name, name) == 0)
            return op->param[p].value;
    return otherwise;
}

/* In the child: the program with the pipes as its standard streams. It keeps its own OpenMP runtime's way of
 * waiting, but for a bounded time: it says so and sleeps between its turns. */
static _Noreturn void become_peer(pid_t parent, const BenchEntry *entry, const BenchTask *task, int sets,
                                  int in, int out)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    for (int descriptor = 3; descriptor < 64; descriptor++)
        close(descriptor);
    platform_die_with_parent(parent, SIGKILL);
    char rows[24], cols[24], threads[24], rotation[24], eps[32], kind[24];
    snprintf(rows, sizeof rows, "%zu", task->shape.size[0]);
    snprintf(cols, sizeof cols, "%zu", task->shape.size[1]);
    snprintf(threads, sizeof threads, "%d", task->threads);
    snprintf(rotation, sizeof rotation, "%d", sets);
    snprintf(eps, sizeof eps, "%.9g", parameter_value(task->op, "eps", 1e-5));
    snprintf(kind, sizeof kind, "%d", (int)task->data);
    setenv("OMP_NUM_THREADS", threads, 1);
    execl(entry->path, entry->path, entry->symbol, rows, cols, threads, rotation, eps, kind, (char *)NULL);
    _exit(127);
}

static Peer *fork_peer(Arena *arena, const BenchEntry *entry, const BenchTask *task, int sets)
{
    int to[2], from[2];
    if (pipe(to) != 0)
        return NULL;
    if (pipe(from) != 0) {
        close(to[0]), close(to[1]);
        return NULL;
    }
    Peer *peer = ARENA_NEW(arena, Peer);
    fflush(NULL); /* else the child would hold a copy of what is waiting */
    const pid_t parent = getpid();
    peer->pid = fork();
    if (peer->pid == 0)
        become_peer(parent, entry, task, sets, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    peer->to = fdopen(to[1], "w");
    peer->from = fdopen(from[0], "r");
    return peer->pid > 0 && peer->to != NULL && peer->from != NULL ? peer : NULL;
}

Peer *peer_start(Arena *arena, const BenchEntry *entry, const BenchTask *task, int sets, PeerReady *ready,
                 const char **why)
{
    signal(SIGPIPE,
           SIG_IGN); /* a peer that died is an answer, not our end; workers are processes of their own */
    Peer *peer = fork_peer(arena, entry, task, sets);
    char line[512];
    if (peer == NULL || fgets(line, sizeof line, peer->from) == NULL) {
        *why = "the peer program does not run";
        return NULL;
    }
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "ready %lf %lf %d", &ready->first_ns, &ready->settled_ns, &ready->calls) != 3) {
        *why = arena_copy(arena, strncmp(line, "error ", 6) == 0 ? line + 6 : line);
        peer_stop(peer);
        return NULL;
    }
    return peer;
}

int64_t peer_run(Peer *peer, uint64_t iterations)
{
    long long taken = -1;
    char line[128];
    fprintf(peer->to, "run %llu\n", (unsigned long long)iterations);
    fflush(peer->to);
    if (fgets(line, sizeof line, peer->from) == NULL || sscanf(line, "ns %lld", &taken) != 1)
        return -1;
    return taken;
}

void peer_stop(Peer *peer)
{
    fclose(peer->to); /* the end of its input ends it */
    fclose(peer->from);
    waitpid(peer->pid, NULL, 0);
}
