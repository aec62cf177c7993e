/* rank.c: the program that mpirun starts: one rank of a team, which loads a kernel and calls it as samebits
 * says.
 *
 * It is text in samebits (embed.py joins wire.h, array/inputs, rank_calls.h and this) and compiled once by
 * the compiler wrapper of the MPI that is here. It connects back by a stream socket. A thread of its own
 * reads that socket, so that it answers, and ends the process when samebits is gone, whatever the kernel
 * does. MPI is called by the first thread alone (MPI_THREAD_FUNNELED).
 *
 * It never outlives samebits: a closed socket ends it, and so does the end of the launcher that started it.
 */
#include "array/inputs.h"
#include "mpi/rank_calls.h"
#include "mpi/wire.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <link.h>
#include <sys/prctl.h>
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { CONNECT_MS = 5000, DISTINCT = 1 << 22 /* as in bench/buffers.c */, EXIT_ALONE = 3, POISON = 0xa5 };

typedef int Kernel(const float *const *inputs, float *const *outputs, const size_t *sizes,
                   const float *params, size_t first, size_t count, MPI_Comm comm);

typedef struct Block { /* a buffer in pages of its own */
    float *data;
    size_t elements;
    void *pages;
    size_t bytes;
} Block;

/* What the reading thread hands over. */
typedef struct Order {
    uint32_t kind; /* 0: none */
    WireCall call;
    Block input[WIRE_INPUTS], output[WIRE_OUTPUTS];
    char *text; /* WIRE_OPEN */
} Order;

static int parent = -1; /* the socket */
static int world_rank, world_size, local_size = 1;
static atomic_int leaving;
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER, send_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t order_came = PTHREAD_COND_INITIALIZER;
static Order order;
static void *library; /* the loaded object */
static Kernel *kernel;
static MPI_Comm team[WIRE_RANKS + 1]; /* of the first n ranks */
static bool has_team[WIRE_RANKS + 1];

/* ---- the socket ---- */

static bool receive(void *data, size_t bytes)
{
    for (char *at = data; bytes > 0;) {
        const ssize_t got = recv(parent, at, bytes, 0);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        at += got > 0 ? got : 0;
        bytes -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

static void send_bytes(const void *data, size_t bytes)
{
    for (const char *at = data; bytes > 0;) {
        const ssize_t sent = send(parent, at, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return; /* samebits is gone: the reading thread sees it as well */
        }
        at += sent > 0 ? sent : 0;
        bytes -= sent > 0 ? (size_t)sent : 0;
    }
}

static void send_message(uint32_t kind, const void *data, size_t bytes)
{
    const WireHead head = {WIRE_MARK, kind, bytes};
    pthread_mutex_lock(&send_lock);
    send_bytes(&head, sizeof head);
    send_bytes(data, bytes);
    pthread_mutex_unlock(&send_lock);
}

static void send_text(uint32_t kind, const char *text)
{
    send_message(kind, text, strlen(text));
}

/* True when it connected in time. */
static bool connect_to(const struct addrinfo *to)
{
    parent = socket(to->ai_family, SOCK_STREAM, 0);
    if (parent < 0) {
        return false;
    }
    fcntl(parent, F_SETFD, FD_CLOEXEC);
    fcntl(parent, F_SETFL, O_NONBLOCK);
    int error = 0;
    socklen_t size = sizeof error;
    if (connect(parent, to->ai_addr, to->ai_addrlen) != 0) {
        struct pollfd wanted = {parent, POLLOUT, 0};
        error = errno == EINPROGRESS && poll(&wanted, 1, CONNECT_MS) == 1 ? 0 : ETIMEDOUT;
        if (error == 0) {
            getsockopt(parent, SOL_SOCKET, SO_ERROR, &error, &size);
        }
    }
    if (error != 0) {
        close(parent);
        errno = error;
        return false;
    }
    fcntl(parent, F_SETFL, 0);
    setsockopt(parent, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return true;
}

static bool connect_by_name(char *address)
{
    char *colon = strrchr(address, ':');
    struct addrinfo *found = NULL,
                    wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (!colon) {
        return false;
    }
    *colon = 0;
    const bool known = getaddrinfo(address, colon + 1, &wanted, &found) == 0;
    const bool connected = known && connect_to(found);
    if (known) {
        freeaddrinfo(found);
    }
    return connected;
}

static void connect_to_parent(void)
{
    const char *addresses = getenv(WIRE_ADDRESS_VARIABLE);
    char *copy = strdup(addresses ? addresses : ""), *rest = copy;
    bool connected = false;
    for (char *address; !connected && (address = strsep(&rest, ",")) != NULL;) {
        connected = connect_by_name(address);
    }
    free(copy);
    if (!connected) {
        fprintf(stderr, "samebits: a rank cannot connect to %s: %s\n", addresses ? addresses : "(nowhere)",
                strerror(errno));
        _exit(EXIT_ALONE);
    }
}

static void say_hello(void)
{
    const char *token = getenv(WIRE_TOKEN_VARIABLE);
    WireHello hello = {.pid = getpid()};
    if (token && strlen(token) == WIRE_TOKEN) {
        memcpy(hello.token, token, WIRE_TOKEN);
    }
    gethostname(hello.host, sizeof hello.host - 1);
    send_message(WIRE_HELLO, &hello, sizeof hello);
}

/* ---- the end ---- */

static void write_number(char *text, int number)
{
    char digits[12];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
    } while ((number /= 10) > 0);
    while (count > 0) {
        *text++ = digits[--count];
    }
    *text = 0;
}

/* Safe in a signal handler: no lock, one small message. A message that was cut short by it does not matter
 * any more. */
static void tell_end(const char *what, int number)
{
    struct {
        WireHead head;
        char text[80];
    } message = {.head = {WIRE_MARK, WIRE_DYING, 0}};
    strcpy(message.text, what);
    write_number(message.text + strlen(message.text), number);
    message.head.bytes = strlen(message.text);
    (void)!send(parent, &message, sizeof message.head + message.head.bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_signal(int number)
{
    tell_end("signal ", number);
    signal(number, SIG_DFL);
    raise(number);
}

#ifdef __GLIBC__
static void on_end(int status, void *unused)
{
    (void)unused;
    if (!atomic_load(&leaving)) {
        tell_end("exit ", status);
    }
}
#else
static void on_end(void)
{
    if (!atomic_load(&leaving)) {
        tell_end("exit ", 0);
    }
}
#endif

int MPI_Abort(MPI_Comm comm, int code)
{
    tell_end("abort ", code);
    return PMPI_Abort(comm, code);
}

static void watch_own_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        signal(numbers[i], on_signal);
    }
    signal(SIGPIPE, SIG_IGN);
}

static void watch_own_exit(void)
{
#ifdef __GLIBC__
    on_exit(on_end, NULL);
#else
    atexit(on_end);
#endif
}

/* The launcher's process on this host; it may have ended already. */
static void die_with_launcher(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1) {
        _exit(EXIT_ALONE);
    }
#endif
}

/* ---- buffers ---- */

static size_t local_elements(const WireTensor *tensor, const WireCall *call)
{
    return tensor->before * (tensor->distributed ? call->count : tensor->size) * tensor->after;
}

static void release(Block *block)
{
    if (block->pages) {
        munmap(block->pages, block->bytes);
    }
    *block = (Block){0};
}

/* Fresh pages, one more that nobody may touch, and POISON in what the kernel is to write. */
static bool reserve(Block *block, size_t elements, uint32_t offset)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = elements * sizeof(float);
    const size_t inner = (size + 64 + page - 1) / page * page;
    void *pages = mmap(NULL, inner + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return false;
    }
    mprotect((char *)pages + inner, page, PROT_NONE);
    char *data = offset == WIRE_AT_END ? (char *)pages + inner - size : (char *)pages + offset;
    *block = (Block){(float *)data, elements, pages, inner + page};
    return true;
}

static void free_buffers(Order *from)
{
    for (int i = 0; i < WIRE_INPUTS; i++) {
        release(&from->input[i]);
    }
    for (int o = 0; o < WIRE_OUTPUTS; o++) {
        release(&from->output[o]);
    }
}

static bool reserve_buffers(Order *to)
{
    bool fine = true;
    for (uint32_t i = 0; fine && i < to->call.inputs; i++) {
        fine = reserve(&to->input[i], local_elements(&to->call.input[i], &to->call), to->call.offset);
    }
    for (uint32_t o = 0; fine && o < to->call.outputs; o++) {
        fine = reserve(&to->output[o], local_elements(&to->call.output[o], &to->call), to->call.offset);
        if (fine) {
            memset(to->output[o].data, POISON, to->output[o].elements * sizeof(float));
        }
    }
    return fine;
}

/* ---- the thread that reads ---- */

static void answer_status(void)
{
    const int64_t now = nanoseconds();
    WireDoing answer = {.phase = atomic_load(&doing.phase)};
    const char *function = atomic_load(&doing.function);
    if (function) {
        strncpy(answer.function, function, sizeof answer.function - 1);
        answer.peers = atomic_load(&doing.peers);
    }
    answer.since = 1e-9 * (double)(now - atomic_load(function ? &doing.since : &doing.phase_since));
    send_message(WIRE_DOING, &answer, sizeof answer);
}

static _Noreturn void die(const char *why)
{
    send_text(WIRE_DYING, why);
    _exit(EXIT_ALONE);
}

static bool read_call(Order *next, uint64_t bytes)
{
    if (bytes < sizeof next->call || !receive(&next->call, sizeof next->call)) {
        return false;
    }
    if (!reserve_buffers(next)) {
        die("no memory for its part of the tensors");
    }
    for (uint32_t i = 0; next->kind == WIRE_CALL && i < next->call.inputs; i++) {
        if (!receive(next->input[i].data, next->input[i].elements * sizeof(float))) {
            return false;
        }
    }
    return true;
}

static bool read_order(Order *next, const WireHead *head)
{
    next->kind = head->kind;
    if (head->kind == WIRE_CALL || head->kind == WIRE_TIME) {
        return read_call(next, head->bytes);
    }
    if (head->bytes > 0) {
        next->text = calloc(1, head->bytes + 2);
        return next->text && receive(next->text, head->bytes);
    }
    return true;
}

static void *read_orders(void *unused)
{
    (void)unused;
    WireHead head;
    while (receive(&head, sizeof head) && head.mark == WIRE_MARK) {
        if (head.kind == WIRE_STATUS) {
            answer_status();
            continue;
        }
        Order next = {0};
        if (!read_order(&next, &head)) {
            break;
        }
        pthread_mutex_lock(&order_lock);
        order = next;
        pthread_cond_signal(&order_came);
        pthread_mutex_unlock(&order_lock);
    }
    if (!atomic_load(&leaving)) {
        _exit(EXIT_ALONE); /* samebits is gone */
    }
    return NULL;
}

static Order next_order(void)
{
    pthread_mutex_lock(&order_lock);
    while (order.kind == 0) {
        pthread_cond_wait(&order_came, &order_lock);
    }
    const Order next = order;
    order = (Order){0};
    pthread_mutex_unlock(&order_lock);
    return next;
}

/* ---- loading ---- */

#ifdef __linux__
typedef struct Libraries {
    char name[8][256];
    int count;
} Libraries;

static int note_library(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    Libraries *libraries = context;
    const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
    if ((strncmp(name, "libmpi.", 7) == 0 || strncmp(name, "libmpich.", 9) == 0) && libraries->count < 8) {
        strncpy(libraries->name[libraries->count++], name, sizeof libraries->name[0] - 1);
    }
    return 0;
}

/* A kernel linked to another MPI brings that library along. */
static bool brought_another_mpi(char *why, size_t size, const Libraries *before)
{
    Libraries after = {0};
    dl_iterate_phdr(note_library, &after);
    if (before->count == 0 || after.count <= before->count) {
        return false;
    }
    snprintf(why, size,
             "a mixture of MPI libraries: the kernel is linked to %s, this program to %s: compile it again",
             after.name[after.count - 1], before->name[0]);
    return true;
}
#endif

static void open_kernel(const char *text)
{
    char why[WIRE_TEXT] = "";
    const char *path = text, *symbol = text + strlen(text) + 1;
#ifdef __linux__
    Libraries before = {0};
    dl_iterate_phdr(note_library, &before);
#endif
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    kernel = library ? (Kernel *)dlsym(library, symbol) : NULL;
#ifdef __linux__
    if (library && brought_another_mpi(why, sizeof why, &before)) {
        kernel = NULL;
    } else
#endif
        if (!kernel) {
        snprintf(why, sizeof why, "%s", dlerror());
    }
    send_text(WIRE_OPENED, why);
}

/* ---- calling ---- */

/* Threads that wait for work must not keep others from theirs where ranks share processors. */
static int allowed_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        const long mine = CPU_COUNT(&set), share = processors / local_size;
        processors = mine < share ? mine : share;
    }
#else
    processors /= local_size;
#endif
    return processors > 1 ? (int)processors : 1;
}

static int set_threads(int threads)
{
    void (*set)(int) = (void (*)(int))dlsym(library, "omp_set_num_threads"); /* or of what it brought along */
    threads = threads > 0 ? threads : allowed_threads();
    if (set) {
        set(threads);
    }
    return threads;
}

static void *make_null_comm(MPI_Comm *comm)
{
    *comm = MPI_COMM_NULL;
    return NULL;
}

/* The first rank and the others, as two sides. */
static void make_intercomm(MPI_Comm *comm, int ranks, MPI_Comm whole)
{
    MPI_Comm side;
    make_null_comm(comm);
    if (ranks > 1) {
        PMPI_Comm_split(whole, world_rank > 0, world_rank, &side);
        PMPI_Intercomm_create(side, 0, whole, world_rank > 0 ? 0 : 1, 1, comm);
        PMPI_Comm_free(&side);
    }
}

static MPI_Comm comm_of(int ranks)
{
    if (ranks == world_size) {
        return MPI_COMM_WORLD;
    }
    if (!has_team[ranks]) {
        MPI_Group all, some;
        PMPI_Comm_group(MPI_COMM_WORLD, &all);
        PMPI_Group_range_incl(all, 1, (int[1][3]){{0, ranks - 1, 1}}, &some);
        PMPI_Comm_create_group(MPI_COMM_WORLD, some, ranks, &team[ranks]);
        PMPI_Group_free(&some);
        PMPI_Group_free(&all);
        has_team[ranks] = true;
    }
    return team[ranks];
}

typedef struct Arguments {
    const float *input[WIRE_INPUTS];
    float *output[WIRE_OUTPUTS];
    size_t size[WIRE_DIMS], first, count;
    float param[WIRE_PARAMS];
    MPI_Comm comm;
} Arguments;

static void make_mistake(Arguments *arguments, const WireCall *call)
{
    switch ((WireMistake)call->mistake) {
    case WIRE_RIGHT:
        break;
    case WIRE_WRONG_SIZE:
        arguments->size[0]++;
        break;
    case WIRE_WRONG_PARAM:
        arguments->param[0] += 1;
        break;
    case WIRE_WRONG_FIRST:
        arguments->first++;
        break;
    case WIRE_WRONG_COUNT:
        arguments->count -= arguments->count > 0;
        break;
    case WIRE_NULL_COMM:
        make_null_comm(&arguments->comm);
        break;
    case WIRE_INTERCOMM:
        make_intercomm(&arguments->comm, (int)call->ranks, arguments->comm);
        break;
    }
}

static Arguments arguments_of(const Order *from)
{
    Arguments arguments = {.first = from->call.first, .count = from->call.count};
    for (int i = 0; i < WIRE_INPUTS; i++) {
        arguments.input[i] = from->input[i].data;
    }
    for (int o = 0; o < WIRE_OUTPUTS; o++) {
        arguments.output[o] = from->output[o].data;
    }
    for (int d = 0; d < WIRE_DIMS; d++) {
        arguments.size[d] = from->call.size[d];
    }
    memcpy(arguments.param, from->call.param, sizeof arguments.param);
    arguments.comm = comm_of((int)from->call.ranks);
    make_mistake(&arguments, &from->call);
    return arguments;
}

static int call_kernel(const Arguments *with)
{
    return kernel(with->input, with->output, with->size, with->param, with->first, with->count, with->comm);
}

static void put_counts(WireResult *result)
{
    result->messages = counts.messages;
    result->values = counts.values;
    result->bytes = counts.bytes;
    result->collectives = counts.collectives;
}

static void send_result(const WireResult *result, const Order *from)
{
    WireHead head = {WIRE_MARK, WIRE_RESULT, sizeof *result};
    const int outputs = result->code == 0 ? (int)from->call.outputs : 0;
    for (int o = 0; o < outputs; o++) {
        head.bytes += from->output[o].elements * sizeof(float);
    }
    pthread_mutex_lock(&send_lock);
    send_bytes(&head, sizeof head);
    send_bytes(result, sizeof *result);
    for (int o = 0; o < outputs; o++) {
        send_bytes(from->output[o].data, from->output[o].elements * sizeof(float));
    }
    pthread_mutex_unlock(&send_lock);
}

static void run_call(const Order *from)
{
    const Arguments arguments = arguments_of(from);
    WireResult result = {.threads = set_threads(from->call.threads)};
    counts = (Counts){0};
    polling = false;
    set_phase(WIRE_KERNEL);
    const int64_t begin = nanoseconds();
    result.code = call_kernel(&arguments);
    result.seconds = 1e-9 * (double)(nanoseconds() - begin);
    set_phase(WIRE_IDLE);
    result.first_call = result.seconds;
    result.waited = 1e-9 * (double)counts.waited;
    put_counts(&result);
    send_result(&result, from);
}

/* ---- timing ---- */

/* Elements begin .. begin + count - 1 of the whole tensor, which repeats itself after DISTINCT of them. */
static void copy_elements(float *to, const float *distinct, size_t period, size_t begin, size_t count)
{
    while (count > 0) {
        const size_t at = begin % period, run = count < period - at ? count : period - at;
        memcpy(to, distinct + at, run * sizeof *to);
        to += run;
        begin += run;
        count -= run;
    }
}

static void fill_input(float *data, const WireTensor *tensor, const WireCall *call, int number)
{
    const size_t elements = tensor->before * tensor->size * tensor->after;
    const size_t period = elements < DISTINCT ? elements : DISTINCT;
    const size_t first = tensor->distributed ? call->first : 0,
                 count = tensor->distributed ? call->count : tensor->size;
    float *distinct = elements > 0 ? malloc(period * sizeof *distinct) : NULL;
    if (!distinct) {
        if (elements > 0) {
            die("no memory for the data to time");
        }
        return;
    }
    inputs_fill(distinct, period, tensor->columns, (InputKind)tensor->fill, (uint64_t)number + 1);
    for (size_t b = 0; b < tensor->before; b++) {
        copy_elements(data + b * count * tensor->after, distinct, period,
                      (b * tensor->size + first) * tensor->after, count * tensor->after);
    }
    free(distinct);
}

static void meet(MPI_Comm comm)
{
    set_phase(WIRE_BARRIER);
    PMPI_Barrier(comm);
    set_phase(WIRE_KERNEL);
}

static void time_calls(WireResult *result, const Arguments *arguments, uint32_t calls)
{
    meet(arguments->comm);
    counts.waited = 0;
    polling = false;
    const int64_t begin = nanoseconds();
    for (uint32_t c = 0; c < calls && result->code == 0; c++) {
        const int64_t waited = counts.waited;
        counts = (Counts){.waited = waited};
        result->code = call_kernel(arguments);
    }
    result->seconds = 1e-9 * (double)(nanoseconds() - begin) / calls;
    result->waited = 1e-9 * (double)counts.waited / calls;
    put_counts(result);
    meet(arguments->comm);
}

static void run_time(const Order *from)
{
    set_phase(WIRE_PREPARING);
    for (uint32_t i = 0; i < from->call.inputs; i++) {
        fill_input(from->input[i].data, &from->call.input[i], &from->call, (int)i);
    }
    const Arguments arguments = arguments_of(from);
    WireResult result = {.threads = set_threads(from->call.threads)};
    meet(arguments.comm);
    const int64_t begin = nanoseconds();
    result.code = call_kernel(&arguments);
    result.first_call = 1e-9 * (double)(nanoseconds() - begin);
    if (result.code == 0 && from->call.calls > 0) {
        time_calls(&result, &arguments, from->call.calls);
    }
    set_phase(WIRE_IDLE);
    send_message(WIRE_TIMED, &result, sizeof result);
}

/* ---- main ---- */

static void join_team(int *argc, char ***argv)
{
    int provided;
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    WireReady ready = {0};
    MPI_Comm local;
    PMPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    PMPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    PMPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
    PMPI_Comm_size(MPI_COMM_WORLD, &world_size);
    PMPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local);
    PMPI_Comm_size(local, &local_size);
    PMPI_Comm_free(&local);
    int length;
    PMPI_Get_library_version(version, &length);
    version[strcspn(version, "\n,")] = 0;
    for (char *at = version; (at = strchr(at, '\t')) != NULL;) {
        *at = ' ';
    }
    ready.rank = world_rank;
    ready.size = world_size;
    snprintf(ready.library, sizeof ready.library, "%.200s", version);
    send_message(WIRE_READY, &ready, sizeof ready);
}

static void run_order(Order *what)
{
    if (what->kind == WIRE_OPEN) {
        open_kernel(what->text);
    } else if (what->kind == WIRE_CALL) {
        run_call(what);
    } else if (what->kind == WIRE_TIME) {
        run_time(what);
    }
    free_buffers(what);
    free(what->text);
}

int main(int argc, char **argv)
{
    pthread_t reader;
    die_with_launcher();
    connect_to_parent();
    say_hello();
    watch_own_signals();
    watch_own_exit();
    set_phase(WIRE_STARTING);
    pthread_create(&reader, NULL, read_orders, NULL);
    join_team(&argc, &argv);
    watch_own_signals(); /* MPI_Init may have put its own handlers in the place of these */
    if (local_size > sysconf(_SC_NPROCESSORS_ONLN)) {
        setenv("OMP_WAIT_POLICY", "passive", 0);
    }
    set_phase(WIRE_IDLE);
    for (Order next; (next = next_order()).kind != WIRE_QUIT;) {
        run_order(&next);
    }
    set_phase(WIRE_LEAVING);
    atomic_store(&leaving, 1);
    PMPI_Finalize();
    return 0;
}
