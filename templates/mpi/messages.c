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

/* ---- when ranks disagree ---- */

/* Did some rank fail, or send what this exchange has no place for? */
static int ranks_disagree(Ranks *ranks)
{
    static const int kinds[] = {TAG_FAILED, TAG_GATHER, TAG_SCATTER, TAG_TREE};
    for (int i = 0; i < 4; i++) {
        int there = 0;
        if (kinds[i] == EXCHANGE)
            continue;
        const int error =
            MPI_Iprobe(MPI_ANY_SOURCE, tag_of(ranks, kinds[i]), ranks->comm, &there, MPI_STATUS_IGNORE);
        if (error != MPI_SUCCESS)
            return code_of(error);
        if (there)
            return CODE_DISAGREE;
    }
    return 0;
}

/* The same for any number of ranks: the first of them that has something wrong says what. */
static int headers_verdict(const Ranks *ranks)
{
    const Header *header = ranks->header;
    for (int r = 0; r < ranks->ranks; r++) {
        if (header[r].contract != header[0].contract || header[r].schedule != header[0].schedule)
            return CODE_CONTRACT;
        if (header[r].sizes != header[0].sizes)
            return CODE_SIZES;
        if (header[r].status)
            return (int)header[r].status;
        if (header[r].first != (r ? header[r - 1].end : 0))
            return CODE_CUT;
    }
    return header[ranks->ranks - 1].end == ranks->parts ? 0 : CODE_CUT;
}

/* Those that wait for a message that nobody will send. */
static void receives_cancel(Ranks *ranks)
{
    for (int r = 0; r < ranks->ranks; r++)
        if (ranks->receive[r] != MPI_REQUEST_NULL) {
            MPI_Cancel(&ranks->receive[r]);
            MPI_Wait(&ranks->receive[r], MPI_STATUS_IGNORE);
        }
}

/* A message that nobody wants. Without memory for it what arrives is cut off. */
static int message_waste(Ranks *ranks, int from, int tag, int bytes)
{
    int class = MPI_SUCCESS;
    char *to = malloc((size_t)bytes + 1);
    const int error = MPI_Recv(to, to ? bytes : 0, MPI_BYTE, from, tag, ranks->comm, MPI_STATUS_IGNORE);
    if (error != MPI_SUCCESS)
        MPI_Error_class(error, &class);
    const int cut = !to && class == MPI_ERR_TRUNCATE;
    free(to);
    return cut ? 0 : code_of(error);
}

/* Takes what a rank has sent, up to its header of failure, which is its last message of this call. */
static int messages_drain(Ranks *ranks, int from)
{
    for (;;) {
        MPI_Status status;
        int bytes = 0;
        int error = MPI_Probe(from, MPI_ANY_TAG, ranks->comm, &status);
        if (error == MPI_SUCCESS)
            error = MPI_Get_count(&status, MPI_BYTE, &bytes);
        if (error != MPI_SUCCESS)
            return code_of(error);
        if (status.MPI_TAG == tag_of(ranks, TAG_FAILED))
            return code_of(MPI_Recv(&ranks->header[from], (int)sizeof(Header), MPI_BYTE, from, status.MPI_TAG, ranks->comm,
                                    MPI_STATUS_IGNORE));
        const int code = message_waste(ranks, from, status.MPI_TAG, bytes);
        if (code)
            return code;
    }
}

/* All ranks come here when one of them does: each tells its header to all others and takes theirs. */
static int ranks_fail(Ranks *ranks)
{
    const int kept = ranks->sends;
    int sends = 0, code = 0;
    receives_cancel(ranks);
    ranks->header[ranks->rank] = ranks->own;
    for (int r = 0; r < ranks->ranks && !code; r++)
        if (r != ranks->rank)
            code = code_of(MPI_Isend(&ranks->own, sizeof(Header), MPI_BYTE, r, tag_of(ranks, TAG_FAILED),
                                     ranks->comm, &ranks->tell[sends++]));
    for (int r = 0; r < ranks->ranks && !code; r++)
        if (r != ranks->rank)
            code = messages_drain(ranks, r);
    if (!code)
        code = code_of(MPI_Waitall(sends, ranks->tell, ranks->status));
    if (!code)
        code = code_of(MPI_Waitall(kept, ranks->send, ranks->status));
    ranks->sends = 0;
    if (!code)
        code = headers_verdict(ranks);
    return code ? code : CODE_CONTRACT;
}
