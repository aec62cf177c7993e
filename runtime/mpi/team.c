/* team.c: starting and ending ranks (see team.h). */
#include "mpi/team.h"

#include "driver/child.h"
#include "platform/platform.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

extern char **environ;

enum {
    SLICE_MS = 100,
    HELLO_SECONDS = 5,
    MESSAGE_SECONDS = 30,
    QUIT_SECONDS = 5,
    TERM_SECONDS = 5,
    LAST_BYTES = 1500
};

double team_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void nap(void)
{
    const struct timespec time = {0, 2000000};
    nanosleep(&time, NULL);
}

/* ---- where ranks connect to ---- */

typedef struct Door {
    int listener;
    char token[WIRE_TOKEN + 1];
    const char *address; /* value of WIRE_ADDRESS_VARIABLE */
} Door;

static int listen_at(uint32_t address, int *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    socklen_t size = sizeof name;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) {
        return -1;
    }
    fcntl(listener, F_SETFD, FD_CLOEXEC);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    if (bind(listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(listener, 2 * WIRE_RANKS) != 0 ||
        getsockname(listener, (struct sockaddr *)&name, &size) != 0) {
        close(listener);
        return -1;
    }
    *port = ntohs(name.sin_port);
    return listener;
}

/* Addresses of this host that others may reach; "" when there are none. */
static const char *outer_addresses(Arena *arena, int port)
{
    struct ifaddrs *first = NULL;
    const char *text = "";
    if (getifaddrs(&first) != 0) {
        return text;
    }
    for (const struct ifaddrs *at = first; at; at = at->ifa_next) {
        char name[INET_ADDRSTRLEN];
        const bool fits = at->ifa_addr && at->ifa_addr->sa_family == AF_INET && (at->ifa_flags & IFF_UP) &&
                          !(at->ifa_flags & IFF_LOOPBACK);
        if (fits && inet_ntop(AF_INET, &((struct sockaddr_in *)at->ifa_addr)->sin_addr, name, sizeof name)) {
            text = arena_printf(arena, "%s%s%s:%d", text, *text ? "," : "", name, port);
        }
    }
    freeifaddrs(first);
    return text;
}

static bool make_token(char token[WIRE_TOKEN + 1])
{
    unsigned char bytes[WIRE_TOKEN / 2];
    if (getentropy(bytes, sizeof bytes) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    }
    return true;
}

static const char *open_door(Arena *arena, Door *door)
{
    int port = 0;
    const bool far = mpi_may_leave_this_host();
    door->listener = listen_at(far ? INADDR_ANY : INADDR_LOOPBACK, &port);
    if (door->listener < 0) {
        return arena_printf(arena, "no socket for ranks to connect to: %s", strerror(errno));
    }
    const char *outer = far ? outer_addresses(arena, port) : "";
    door->address = *outer ? outer : arena_printf(arena, "127.0.0.1:%d", port);
    if (!make_token(door->token)) {
        close(door->listener);
        return "no random numbers for a token";
    }
    return NULL;
}

/* ---- the launcher ---- */

static const char *const *environment_for(Arena *arena, const Door *door)
{
    static const char *const ours[] = {WIRE_ADDRESS_VARIABLE, WIRE_TOKEN_VARIABLE};
    size_t count = 0, kept = 0;
    while (environ[count]) {
        count++;
    }
    const char **all = ARENA_ARRAY(arena, const char *, count + 3);
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (int o = 0; o < 2; o++) {
            const size_t size = strlen(ours[o]);
            replaced |= strncmp(environ[i], ours[o], size) == 0 && environ[i][size] == '=';
        }
        if (!replaced) {
            all[kept++] = environ[i];
        }
    }
    all[kept++] = arena_printf(arena, "%s=%s", WIRE_ADDRESS_VARIABLE, door->address);
    all[kept] = arena_printf(arena, "%s=%s", WIRE_TOKEN_VARIABLE, door->token);
    return all;
}

/* In the child: nothing but calls that are safe between fork and exec. */
static _Noreturn void become_launcher(const char *const *command, const char *const *environment, int said,
                                      pid_t owner)
{
    sigset_t none;
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    platform_die_with_parent(owner, SIGTERM);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    execve(command[0], (char *const *)command, (char *const *)environment);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

static const char *start_launcher(Team *team, const Door *door, const char *program)
{
    Arena *arena = team->arena;
    const char *const *command = mpi_command(arena, team->mpi, team->ranks, program);
    const char *const *environment = environment_for(arena, door);
    team->said = tmpfile();
    if (!team->said) {
        return arena_printf(arena, "no temporary file: %s", strerror(errno));
    }
    fcntl(fileno(team->said), F_SETFD, FD_CLOEXEC);
    fcntl(fileno(team->said), F_SETFL, O_APPEND);
    team->owner = getpid();
    team->launcher = fork();
    if (team->launcher == 0) {
        become_launcher(command, environment, fileno(team->said), team->owner);
    }
    if (team->launcher < 0) {
        return arena_printf(arena, "cannot start a process: %s", strerror(errno));
    }
    setpgid(team->launcher, team->launcher); /* here and in the child: whoever comes first */
    return NULL;
}

/* True when it has ended; it is not reaped, so that its group's number stays its own. */
static bool launcher_ended(const Team *team)
{
    siginfo_t info = {0};
    return team->launcher <= 0 ||
           waitid(P_PID, (id_t)team->launcher, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == team->launcher;
}

static bool wait_for_launcher(const Team *team, double seconds)
{
    for (const double until = team_clock() + seconds; !launcher_ended(team);) {
        if (team_clock() > until) {
            return false;
        }
        nap();
    }
    return true;
}

/* Its last few lines in one, without blank ones and without the frames that launchers draw. */
static const char *tidy_lines(Arena *arena, char *text)
{
    const char *tidy = "";
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        line += strspn(line, " \t=");
        const size_t size = strlen(line);
        if (size > 0 && strspn(line, "-=*|+ ") < size) {
            tidy = arena_printf(arena, "%s%s%s", tidy, *tidy ? " | " : "", line);
        }
    }
    return tidy;
}

/* What its status tells, where it ended without words: Hydra does not always have time for them. */
static const char *launcher_end(const Team *team)
{
    siginfo_t info = {0};
    if (team->launcher <= 0 || waitid(P_PID, (id_t)team->launcher, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != team->launcher) {
        return NULL;
    }
    return info.si_code == CLD_EXITED ? arena_printf(team->arena, "ended with status %d", info.si_status)
                                      : arena_printf(team->arena, "was killed by %s",
                                                     child_signal_name(team->arena, info.si_status));
}

const char *team_last_words(Team *team, double seconds)
{
    char text[LAST_BYTES + 1];
    wait_for_launcher(team, seconds);
    const off_t size = lseek(fileno(team->said), 0, SEEK_END);
    const ssize_t got =
        pread(fileno(team->said), text, LAST_BYTES, size > LAST_BYTES ? size - LAST_BYTES : 0);
    text[got > 0 ? got : 0] = 0;
    const char *tidy = tidy_lines(team->arena, text), *end = *tidy ? NULL : launcher_end(team);
    const char *slash = strrchr(team->mpi->mpirun, '/'), *name = slash ? slash + 1 : team->mpi->mpirun;
    return *tidy ? arena_printf(team->arena, ": %s says: %s", name, tidy)
           : end ? arena_printf(team->arena, ": %s %s", name, end)
                 : "";
}

/* ---- ranks that connect ---- */

static bool receive(int from, void *data, size_t bytes)
{
    for (char *at = data; bytes > 0;) {
        const ssize_t got = recv(from, at, bytes, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        at += got > 0 ? got : 0;
        bytes -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

static void limit_waiting(int connection, int seconds)
{
    const struct timeval time = {seconds, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

static bool same_token(const char *a, const char *b)
{
    unsigned char difference = 0;
    for (int i = 0; i < WIRE_TOKEN; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]); /* all of it: the time it takes says nothing */
    }
    return difference == 0;
}

/* A handle of a process of this machine, which no other process takes over with its number; -1: none. */
#ifdef SYS_pidfd_open
static bool comes_from_here(int connection)
{
    struct sockaddr_in peer = {0}, own = {0};
    socklen_t peer_size = sizeof peer, own_size = sizeof own;
    return getpeername(connection, (struct sockaddr *)&peer, &peer_size) == 0 &&
           getsockname(connection, (struct sockaddr *)&own, &own_size) == 0 &&
           peer.sin_addr.s_addr == own.sin_addr.s_addr;
}

static int handle_of(const Member *member)
{
    return comes_from_here(member->socket) ? (int)syscall(SYS_pidfd_open, (pid_t)member->pid, 0) : -1;
}
#else
static int handle_of(const Member *member)
{
    (void)member;
    return -1;
}
#endif

/* A connection becomes a member when it has the token. */
static bool greet(Team *team, const Door *door, int connection, Member *member)
{
    WireHead head;
    WireHello hello;
    fcntl(connection, F_SETFD, FD_CLOEXEC);
    fcntl(connection, F_SETFL, 0);
    limit_waiting(connection, HELLO_SECONDS);
    if (!receive(connection, &head, sizeof head) || head.mark != WIRE_MARK || head.kind != WIRE_HELLO ||
        head.bytes != sizeof hello || !receive(connection, &hello, sizeof hello) ||
        !same_token(hello.token, door->token)) {
        team->strangers++;
        close(connection);
        return false;
    }
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    limit_waiting(connection, MESSAGE_SECONDS);
    *member = (Member){.socket = connection, .handle = -1, .pid = (long)hello.pid};
    hello.host[sizeof hello.host - 1] = 0;
    memcpy(member->host, hello.host, sizeof member->host);
    member->handle = handle_of(member);
    return true;
}

typedef struct Arrival {
    Member member[WIRE_RANKS]; /* in order of arrival */
    int rank[WIRE_RANKS], size[WIRE_RANKS], here, ready;
} Arrival;

static bool read_ready(Arrival *arrival, int which)
{
    WireHead head;
    WireReady ready;
    Member *member = &arrival->member[which];
    if (!receive(member->socket, &head, sizeof head) || head.kind != WIRE_READY ||
        head.bytes != sizeof ready || !receive(member->socket, &ready, sizeof ready)) {
        return false;
    }
    ready.library[sizeof ready.library - 1] = 0;
    memcpy(member->library, ready.library, sizeof member->library);
    arrival->rank[which] = ready.rank;
    arrival->size[which] = ready.size;
    member->ready = true;
    arrival->ready++;
    return true;
}

static const char *why_not_all(Team *team, const Arrival *arrival, double seconds, bool ended)
{
    Arena *arena = team->arena;
    const char *what =
        arrival->here < team->ranks
            ? arena_printf(arena, "%d of %d ranks connected", arrival->here, team->ranks)
            : arena_printf(arena, "%d of %d ranks came through MPI_Init", arrival->ready, team->ranks);
    const char *strangers = team->strangers > 0
                                ? arena_printf(arena, ", %d connection%s refused for a wrong token",
                                               team->strangers, team->strangers > 1 ? "s" : "")
                                : "";
    const char *when = ended ? "before the launcher ended" : arena_printf(arena, "within %.3g s", seconds);
    return arena_printf(arena, "%s %s%s%s", what, when, strangers, team_last_words(team, 0));
}

static void look_round(Team *team, const Door *door, Arrival *arrival)
{
    struct pollfd wanted[WIRE_RANKS + 1] = {{door->listener, POLLIN, 0}};
    for (int m = 0; m < arrival->here; m++) {
        wanted[m + 1] = (struct pollfd){arrival->member[m].ready ? -1 : arrival->member[m].socket, POLLIN, 0};
    }
    const int known = arrival->here;
    if (poll(wanted, (nfds_t)known + 1, SLICE_MS) <= 0) {
        return;
    }
    for (int m = 0; m < known; m++) {
        if (wanted[m + 1].revents != 0 && !read_ready(arrival, m)) {
            arrival->member[m].ready = true; /* it is gone; the launcher will say why */
        }
    }
    const int connection = wanted[0].revents ? accept(door->listener, NULL, NULL) : -1;
    if (connection >= 0 && arrival->here < team->ranks &&
        greet(team, door, connection, &arrival->member[arrival->here])) {
        arrival->here++;
    } else if (connection >= 0 && arrival->here >= team->ranks) {
        close(connection);
    }
}

/* Members take their places by rank. */
static const char *seat(Team *team, const Arrival *arrival)
{
    Arena *arena = team->arena;
    uint64_t taken = 0;
    for (int m = 0; m < arrival->here; m++) {
        const int rank = arrival->rank[m], size = arrival->size[m];
        if (size != team->ranks || rank < 0 || rank >= size || taken >> rank & 1) {
            const char *mixture = size == 1 && team->ranks > 1
                                      ? ": a mixture of MPI libraries, every process thinks it is rank 0 of 1"
                                      : "";
            return arena_printf(
                arena, "%d ranks were started, and a process is rank %d of %d%s (%s, started by %s)",
                team->ranks, rank, size, mixture, arrival->member[m].library, team->mpi->launcher_version);
        }
        taken |= (uint64_t)1 << rank;
        team->member[rank] = arrival->member[m];
    }
    return NULL;
}

static const char *gather(Team *team, const Door *door, double seconds)
{
    Arrival arrival = {.here = 0};
    const char *why = NULL;
    const double until = team_clock() + seconds;
    while (!why && arrival.ready < team->ranks) {
        look_round(team, door, &arrival);
        const bool ended = launcher_ended(team);
        if (arrival.ready < team->ranks && (ended || team_clock() > until)) {
            why = why_not_all(team, &arrival, seconds, ended);
        }
    }
    why = why ? why : seat(team, &arrival);
    if (why) { /* nobody has a place yet, or not everybody: all go */
        for (int m = 0; m < WIRE_RANKS; m++) {
            team->member[m] = m < arrival.here ? arrival.member[m] : (Member){.socket = -1, .handle = -1};
        }
    }
    return why;
}

const char *team_start(Team *team, Arena *arena, const Mpi *mpi, const char *program, int ranks,
                       double seconds)
{
    *team = (Team){.arena = arena, .mpi = mpi, .ranks = ranks};
    for (int m = 0; m < WIRE_RANKS; m++) {
        team->member[m] = (Member){.socket = -1, .handle = -1};
    }
    Door door;
    const char *why = open_door(arena, &door);
    if (why) {
        return why;
    }
    why = start_launcher(team, &door, program);
    why = why ? why : gather(team, &door, seconds);
    close(door.listener);
    if (why) {
        team_end(team, false);
    }
    return why;
}

/* ---- messages ---- */

static bool send_all(int to, const void *data, size_t bytes)
{
    for (const char *at = data; bytes > 0;) {
        const ssize_t sent = send(to, at, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        at += sent > 0 ? sent : 0;
        bytes -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

bool team_send(Team *team, int rank, WireKind kind, const void *data, size_t bytes, const void *more,
               size_t more_bytes)
{
    const WireHead head = {WIRE_MARK, kind, bytes + more_bytes};
    const int to = team->member[rank].socket;
    return to >= 0 && send_all(to, &head, sizeof head) && send_all(to, data, bytes) &&
           send_all(to, more, more_bytes);
}

bool team_receive(Team *team, int rank, void *data, size_t bytes)
{
    return receive(team->member[rank].socket, data, bytes);
}

int team_next(Team *team, uint64_t among, double seconds, WireHead *head)
{
    struct pollfd wanted[WIRE_RANKS];
    for (int r = 0; r < team->ranks; r++) {
        wanted[r] = (struct pollfd){among >> r & 1 ? team->member[r].socket : -1, POLLIN, 0};
    }
    const double until = team_clock() + seconds;
    int found;
    do {
        const double left = until - team_clock();
        found = poll(wanted, (nfds_t)team->ranks, left > 0 ? (int)(1e3 * left) + 1 : 0);
    } while (found < 0 && errno == EINTR);
    for (int r = 0; found > 0 && r < team->ranks; r++) {
        if (wanted[r].revents != 0) {
            if (!team_receive(team, r, head, sizeof *head) || head->mark != WIRE_MARK) {
                *head = (WireHead){0};
            }
            return r;
        }
    }
    return -1;
}

/* ---- the end ---- */

static void close_all(Team *team)
{
    for (int m = 0; m < WIRE_RANKS; m++) {
        if (team->member[m].socket >= 0) {
            close(team->member[m].socket);
        }
        team->member[m].socket = -1;
    }
}

/* Ranks that the launcher did not end. A handle cannot name another process that got the number. */
static void end_ranks(Team *team)
{
    for (int m = 0; m < WIRE_RANKS; m++) {
        if (team->member[m].handle < 0) {
            continue;
        }
#ifdef SYS_pidfd_send_signal
        struct pollfd ended = {team->member[m].handle, POLLIN, 0};
        syscall(SYS_pidfd_send_signal, team->member[m].handle, SIGKILL, NULL, 0);
        poll(&ended, 1, 1000 * TERM_SECONDS);
#endif
        close(team->member[m].handle);
        team->member[m].handle = -1;
    }
}

/* SIGTERM first: launchers then end their helpers and remove their files. */
static void end_launcher(Team *team)
{
    if (!wait_for_launcher(team, 0)) {
        kill(-team->launcher, SIGTERM);
        wait_for_launcher(team, TERM_SECONDS);
    }
    kill(-team->launcher, SIGKILL);
    while (waitpid(team->launcher, NULL, 0) < 0 && errno == EINTR) {
    }
    team->launcher = 0;
}

void team_end(Team *team, bool orderly)
{
    if (team->launcher > 0 && team->owner == getpid()) {
        for (int r = 0; orderly && r < team->ranks; r++) {
            orderly = team_send(team, r, WIRE_QUIT, NULL, 0, NULL, 0);
        }
        if (orderly) {
            wait_for_launcher(team, QUIT_SECONDS);
        }
        close_all(team);
        end_launcher(team);
        end_ranks(team);
    }
    close_all(team);
    for (int m = 0; m < WIRE_RANKS; m++) {
        if (team->member[m].handle >= 0) {
            close(team->member[m].handle); /* a team that another process owns */
        }
    }
    if (team->said) {
        fclose(team->said);
    }
    team->said = NULL;
    team->launcher = 0;
    team->ranks = 0;
}
