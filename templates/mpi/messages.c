/* ---- ranks: messages, and what happens when ranks disagree ----
 *
 * A message is a header with its payload behind it, where both lie: nothing is copied. Who finds that something does
 * not fit tells all ranks; all of them then compare all headers and return the same code. */

enum {
    CODE_CUT = 1,       /* ranges do not begin at parts, do not follow one another, or do not cover the axis */
    CODE_SIZES,         /* ranks disagree on a size or a parameter */
    CODE_CONTRACT,      /* ranks run kernels of different contracts or schedules */
    CODE_MEMORY,
    CODE_TOO_LARGE,     /* more than MPI's counts hold */
    CODE_COMM,          /* no communicator, or an intercommunicator */
    CODE_DISAGREE = -1, /* not returned: all ranks are to compare headers */
    CODE_PENDING = -2,  /* not returned: something has not arrived yet */
    CODE_MPI = 0x10000  /* and the low bits of MPI's own code */
};

static const uint64_t message_mark = 0x73746962656d6173u; /* the bytes of "samebits" */
enum { TAG_GATHER = 0, TAG_SCATTER, TAG_TREE, TAG_FAILED, TAG_KINDS = 4, TAG_CALLS = 1024 };

static const uint64_t contract_digest = ${contract_word}u; /* the first 64 bits of it */
enum { EXCHANGE = ${exchange_tag}, /* ${exchange} */ SCHEDULE = ${schedule_word} /* and overlap */ };

typedef struct Range {
    size_t first, end;
} Range;

typedef struct Header {
    uint64_t mark, all;       /* "samebits"; values in the whole message, for whoever counts */
    uint64_t contract, sizes; /* digests */
    uint64_t first, end;      /* the parts that the payload is about */
    uint64_t values;          /* of this rank */
    uint64_t step;            /* which exchange of the call */
    uint32_t schedule, status;
} Header;

enum { HEAD = sizeof(Header) / sizeof(Part), HEAD_FLOATS = sizeof(Header) / sizeof(float) }; /* room in front of a payload */

/* What a rank sends about its range: values lie [item][row]. */
typedef struct Piece {
    Range range;
    const Part *at;
} Piece;

/* The exchange under way: of which values, and how far it is. One layout in all kernels, as in Ranks: kernels of one
 * program share it. */
typedef struct Exchange {
    const struct Level *level;
    size_t rows;
    char *memory; /* begins with a header and own partials */
    float *value; /* results, each tile of them behind room for a header */
    int code;     /* CODE_PENDING as long as it is under way */
    int bytes;    /* of the message that is being received; 0: none is there yet */
    int phase, reached; /* ranks whose blocks are here, or the bit of the tree */
    Piece mine;         /* of this rank and those below it */
    size_t filled;      /* of the memory, in bytes */
} Exchange;

typedef struct Ranks {
    MPI_Comm comm; /* a duplicate: no message of the program is mistaken for one of these */
    int rank, ranks;
    unsigned calls;
    Header own;            /* of the call under way */
    size_t parts;          /* of the whole axis */
    Header *header;        /* of all ranks, once they are known */
    Piece *piece;
    size_t *place;         /* of what ranks sent, in the memory; behind them what the exchange keeps */
    MPI_Request *receive;  /* one from each rank */
    MPI_Request *send, *tell; /* tell: headers of failure */
    MPI_Status *status;
    int sends;             /* under way */
    long here, processors; /* of this machine: ranks of the communicator, what they run on */
    int crowded;           /* more threads of theirs than processors, in this call */
    Exchange now;
    char *memory;          /* partials; `area` bytes of it are one exchange's */
    size_t room, area;
    Part *lane;            /* the partials of one row */
} Ranks;

static inline int code_of(int error)
{
    return error == MPI_SUCCESS ? 0 : CODE_MPI | (error & 0xffff);
}

/* Messages of a call have tags of their own: a rank may be one call ahead. */
static inline int tag_of(const Ranks *ranks, int kind)
{
    return (int)(ranks->calls % TAG_CALLS) * TAG_KINDS + kind;
}

/* ---- one message ---- */

static inline void message_head(char *message, Header header, size_t values)
{
    header.all = values;
    memcpy(message, &header, sizeof header);
}

static int message_post(Ranks *ranks, int to, const char *message, size_t bytes)
{
    return code_of(MPI_Isend(message, (int)(sizeof(Header) + bytes), MPI_BYTE, to, tag_of(ranks, EXCHANGE), ranks->comm,
                             &ranks->send[ranks->sends++]));
}

static int message_receive(Ranks *ranks, int from, char *to, size_t bytes)
{
    return code_of(
        MPI_Irecv(to, (int)bytes, MPI_BYTE, from, tag_of(ranks, EXCHANGE), ranks->comm, &ranks->receive[from]));
}

/* Is a message of `from` there, and does it fit? What does not is left where it is. */
static int message_find(Ranks *ranks, int from, size_t room, int *bytes)
{
    MPI_Status status;
    int there = 0, count = 0;
    int error = MPI_Iprobe(from, tag_of(ranks, EXCHANGE), ranks->comm, &there, &status);
    if (error == MPI_SUCCESS && !there)
        return CODE_PENDING;
    if (error == MPI_SUCCESS)
        error = MPI_Get_count(&status, MPI_BYTE, &count);
    if (error != MPI_SUCCESS)
        return code_of(error);
    if (count < (int)sizeof(Header) || (size_t)count > room)
        return CODE_DISAGREE;
    *bytes = count;
    return 0;
}

static int requests_done(Ranks *ranks, MPI_Request *request, int requests)
{
    int done = 1;
    const int error = requests ? MPI_Testall(requests, request, &done, ranks->status) : MPI_SUCCESS;
    return error == MPI_SUCCESS && !done ? CODE_PENDING : code_of(error);
}

static int sends_done(Ranks *ranks)
{
    const int code = requests_done(ranks, ranks->send, ranks->sends);
    ranks->sends = code ? ranks->sends : 0;
    return code;
}
$ if not scatters then

/* Receives the message of `from`; it stays the one under way until the exchange sets `bytes` back. */
static int message_take(Ranks *ranks, int from, char *to, size_t room)
{
    int code = 0;
    if (!ranks->now.bytes) {
        code = message_find(ranks, from, room, &ranks->now.bytes);
        if (!code)
            code = message_receive(ranks, from, to, (size_t)ranks->now.bytes);
    }
    return code ? code : requests_done(ranks, &ranks->receive[from], 1);
}
$ end
