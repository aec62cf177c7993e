/* ---- ranks: messages, and what happens when ranks disagree ----
 *
 * A message is a header and a payload; of one that has more than 4096 bytes the header goes first, by itself. Who finds
 * that something does not fit tells all ranks; all of them then compare all headers and return the same code. */

enum {
    CODE_CUT = 1,       /* ranges do not begin at parts, do not follow one another, or do not cover the axis */
    CODE_SIZES,         /* ranks disagree on a size or a parameter */
    CODE_CONTRACT,      /* ranks run kernels of different contracts or exchanges */
    CODE_MEMORY,
    CODE_TOO_LARGE,     /* more than MPI's counts hold */
    CODE_COMM,          /* no communicator, or an intercommunicator */
    CODE_DISAGREE = -1, /* not returned: all ranks are to compare headers */
    CODE_MPI = 0x10000  /* and the low bits of MPI's own code */
};

static const uint64_t message_mark = 0x73746962656d6173u; /* the bytes of "samebits" */
enum { MESSAGE_WHOLE = 4096, TAG_GATHER = 0, TAG_SCATTER, TAG_TREE, TAG_REST, TAG_FAILED, TAG_KINDS = 8, TAG_CALLS = 1024 };

static const uint64_t contract_digest = ${contract_word}u; /* the first 64 bits of it */
enum { EXCHANGE = ${exchange_tag} /* ${exchange} */ };

typedef struct Range {
    size_t first, end;
} Range;

typedef struct Header {
    uint64_t mark, all;       /* "samebits"; values in the whole message, for whoever counts */
    uint64_t contract, sizes; /* digests */
    uint64_t first, end;      /* the parts that the payload is about */
    uint64_t values, bytes;   /* of this rank; of the whole payload */
    uint64_t step;            /* which exchange of the call */
    uint32_t exchange, status;
} Header;

/* What a rank sends about its range: values lie [item][row]. */
typedef struct Piece {
    Range range;
    const Part *at;
} Piece;

typedef struct Ranks {
    MPI_Comm comm; /* a duplicate: no message of the program is mistaken for one of these */
    int rank, ranks;
    unsigned calls;
    Header own;           /* of the call under way */
    size_t parts;         /* of the whole axis */
    Header *header;       /* of all ranks, once they are known */
    Piece *piece;
    size_t *place;
    MPI_Request *receive, *send, *tell; /* tell: headers of failure */
    MPI_Status *status;
    int receives, sends;  /* under way */
    long here, processors; /* of this machine: ranks of the communicator, what they run on */
    int crowded;          /* more threads of theirs than processors, in this call */
    char *slot;           /* messages that go whole */
    char *memory;         /* partials; `area` bytes of it are the exchange's own */
    size_t room, area;
    Part *lane;           /* the partials of one row */
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

static int ranks_wait(Ranks *ranks, MPI_Request *request, int *requests)
{
    for (unsigned turn = 1; *requests > 0; turn++) {
        int done = 0;
        const int error = MPI_Testall(*requests, request, &done, ranks->status);
        if (error != MPI_SUCCESS)
            return code_of(error);
        if (done) {
            *requests = 0;
            return 0;
        }
        if (turn % 256 == 0) { /* so long that it may be in vain */
            const int code = ranks_disagree(ranks);
            if (code)
                return code;
        }
        if (turn % (ranks->crowded ? 512 : 65536) == 0)
            sched_yield(); /* another rank may need this processor; not sooner, or a busy machine takes it away */
    }
    return 0;
}

static inline int ranks_wait_received(Ranks *ranks)
{
    return ranks_wait(ranks, ranks->receive, &ranks->receives);
}

static inline int ranks_wait_sent(Ranks *ranks)
{
    return ranks_wait(ranks, ranks->send, &ranks->sends);
}

static int ranks_post_send(Ranks *ranks, int to, int kind, const void *from, size_t bytes)
{
    return code_of(MPI_Isend(from, (int)bytes, MPI_BYTE, to, tag_of(ranks, kind), ranks->comm,
                             &ranks->send[ranks->sends++]));
}

static int ranks_post_receive(Ranks *ranks, int from, int kind, void *to, size_t bytes)
{
    return code_of(MPI_Irecv(to, (int)bytes, MPI_BYTE, from, tag_of(ranks, kind), ranks->comm,
                             &ranks->receive[ranks->receives++]));
}

/* Does a message of `bytes` behind its header go in one piece? */
static inline int is_whole(size_t bytes)
{
    return sizeof(Header) + bytes <= MESSAGE_WHOLE;
}

$ if not gathers then
/* Makes a message in a slot: what does not fit stays where it is. */
static char *message_make(char *slot, Header header, size_t values, const void *payload, size_t bytes)
{
    header.all = values;
    header.bytes = bytes;
    memcpy(slot, &header, sizeof header);
    if (bytes && is_whole(bytes))
        memcpy(slot + sizeof header, payload, bytes);
    return slot;
}

$ end
/* Sends a message; `payload` is behind the header in memory where it goes whole. */
static int message_send(Ranks *ranks, int to, const char *message, const void *payload, size_t bytes)
{
    if (is_whole(bytes))
        return ranks_post_send(ranks, to, EXCHANGE, message, sizeof(Header) + bytes);
    const int code = ranks_post_send(ranks, to, EXCHANGE, message, sizeof(Header));
    return code ? code : ranks_post_send(ranks, to, TAG_REST, payload, bytes);
}

/* The same for any number of ranks: the first of them that has something wrong says what. */
static int headers_verdict(const Ranks *ranks)
{
    const Header *header = ranks->header;
    for (int r = 0; r < ranks->ranks; r++) {
        if (header[r].contract != header[0].contract || header[r].exchange != header[0].exchange)
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

static void receives_cancel(Ranks *ranks)
{
    for (int i = 0; i < ranks->receives; i++)
        if (ranks->receive[i] != MPI_REQUEST_NULL) {
            MPI_Cancel(&ranks->receive[i]);
            MPI_Wait(&ranks->receive[i], MPI_STATUS_IGNORE);
        }
    ranks->receives = 0;
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
        const int last = status.MPI_TAG == tag_of(ranks, TAG_FAILED);
        void *waste = last ? NULL : malloc((size_t)bytes + 1);
        void *to = last ? (void *)&ranks->header[from] : waste;
        if (!to)
            return CODE_MEMORY;
        error = MPI_Recv(to, last ? (int)sizeof(Header) : bytes, MPI_BYTE, from, status.MPI_TAG, ranks->comm,
                         MPI_STATUS_IGNORE);
        free(waste);
        if (error != MPI_SUCCESS || last)
            return code_of(error);
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

/* ---- one state per communicator, kept as an attribute of it ---- */

static void ranks_free(Ranks *ranks)
{
    if (!ranks)
        return;
    free(ranks->header);
    free(ranks->piece);
    free(ranks->place);
    free(ranks->receive);
    free(ranks->send);
    free(ranks->tell);
    free(ranks->status);
    free(ranks->slot);
    free(ranks->memory);
    free(ranks);
}

static int ranks_deleted(MPI_Comm comm, int keyval, void *value, void *extra)
{
    Ranks *ranks = value;
    int finalized = 0;
    (void)comm, (void)keyval, (void)extra;
    MPI_Finalized(&finalized);
    if (!finalized)
        MPI_Comm_free(&ranks->comm);
    ranks_free(ranks);
    return MPI_SUCCESS;
}

/* Programs of several kernels have one key: the duplicate is theirs together. */
__attribute__((weak)) int samebits_mpi_key_1 = MPI_KEYVAL_INVALID;

static Ranks *ranks_new(int rank, int size)
{
    const size_t many = (size_t)size;
    Ranks *ranks = calloc(1, sizeof *ranks);
    if (!ranks)
        return NULL;
    *ranks = (Ranks){.rank = rank, .ranks = size};
    ranks->header = calloc(many, sizeof *ranks->header);
    ranks->piece = calloc(many, sizeof *ranks->piece);
    ranks->place = calloc(many, sizeof *ranks->place);
    ranks->receive = calloc(2 * many + 2, sizeof *ranks->receive);
    ranks->send = calloc(2 * many + 2, sizeof *ranks->send);
    ranks->tell = calloc(many, sizeof *ranks->tell);
    ranks->status = calloc(2 * many + 2, sizeof *ranks->status);
    ranks->slot = malloc((2 * many + 2) * MESSAGE_WHOLE);
    if (ranks->header && ranks->piece && ranks->place && ranks->receive && ranks->send && ranks->tell &&
        ranks->status && ranks->slot)
        return ranks;
    ranks_free(ranks);
    return NULL;
}

/* Ranks that have a processor each need not give it away while they wait. */
static int ranks_count_local(Ranks *ranks)
{
    MPI_Comm local;
    int here = 1;
    int error = MPI_Comm_split_type(ranks->comm, MPI_COMM_TYPE_SHARED, ranks->rank, MPI_INFO_NULL, &local);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_size(local, &here);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_free(&local);
    ranks->here = here;
    ranks->processors = sysconf(_SC_NPROCESSORS_ONLN);
    return error;
}

/* A communicator of those that have memory for their state: all ranks, or nobody gets one. */
static int ranks_join(MPI_Comm comm, Ranks *ranks, int rank, int size)
{
    MPI_Comm able;
    int count = 0, error = MPI_Comm_split(comm, ranks ? 0 : MPI_UNDEFINED, rank, &able);
    if (error != MPI_SUCCESS || able == MPI_COMM_NULL)
        return error == MPI_SUCCESS ? CODE_MEMORY : code_of(error);
    ranks->comm = able;
    error = MPI_Comm_set_errhandler(able, MPI_ERRORS_RETURN);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_size(able, &count);
    if (error != MPI_SUCCESS || count == size)
        return code_of(error);
    error = MPI_Comm_free(&ranks->comm);
    return error == MPI_SUCCESS ? CODE_MEMORY : code_of(error);
}

static int ranks_make(MPI_Comm comm, Ranks **made)
{
    int rank, size, error = MPI_Comm_rank(comm, &rank);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_size(comm, &size);
    if (error == MPI_SUCCESS && samebits_mpi_key_1 == MPI_KEYVAL_INVALID)
        error = MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, ranks_deleted, &samebits_mpi_key_1, NULL);
    if (error != MPI_SUCCESS)
        return code_of(error);
    Ranks *ranks = ranks_new(rank, size);
    int code = ranks_join(comm, ranks, rank, size);
    if (!code)
        code = code_of(ranks_count_local(ranks));
    if (!code)
        code = code_of(MPI_Comm_set_attr(comm, samebits_mpi_key_1, ranks));
    if (code)
        ranks_free(ranks);
    else
        *made = ranks;
    return code;
}

static int ranks_of(MPI_Comm comm, Ranks **ranks)
{
    int found = 0, inter = 0, begun = 0;
    if (comm == MPI_COMM_NULL)
        return CODE_COMM;
    if (samebits_mpi_key_1 != MPI_KEYVAL_INVALID) {
        const int error = MPI_Comm_get_attr(comm, samebits_mpi_key_1, ranks, &found);
        if (error != MPI_SUCCESS || found)
            return code_of(error);
    }
    if (MPI_Initialized(&begun) != MPI_SUCCESS || !begun)
        return CODE_COMM;
    if (MPI_Comm_test_inter(comm, &inter) != MPI_SUCCESS || inter)
        return CODE_COMM;
    return ranks_make(comm, ranks);
}

/* Room for a block's partials; kept from call to call. */
static int ranks_reserve(Ranks *ranks, size_t bytes)
{
    if (bytes <= ranks->room)
        return 0;
    free(ranks->memory);
    ranks->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    ranks->room = ranks->memory ? bytes : 0;
    return ranks->memory ? 0 : CODE_MEMORY;
}

/* ---- one call ---- */

/* FNV-1a over the words of sizes and parameters. */
static uint64_t words_digest(const uint64_t *word, size_t words)
{
    uint64_t digest = 0xcbf29ce484222325u;
    for (size_t i = 0; i < words; i++)
        for (int shift = 0; shift < 64; shift += 8)
            digest = (digest ^ (word[i] >> shift & 0xff)) * 0x100000001b3u;
    return digest;
}

$ if has_params then
static inline uint64_t float_word(float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

$ end
/* The parts of indices first .. first + count - 1 of `size`. */
static int range_of(size_t first, size_t count, size_t size, size_t part, Range *range)
{
    const size_t parts = size / part + (size % part > 0);
    *range = (Range){0, 0};
    if (first > size || count > size - first)
        return CODE_CUT;
    const size_t end = first + count;
    if ((first % part && first < size) || (end % part && end < size))
        return CODE_CUT;
    range->first = first == size ? parts : first / part;
    range->end = end == size ? parts : end / part;
    return 0;
}

static void ranks_begin(Ranks *ranks, uint64_t sizes, Range range, size_t parts, int status)
{
    ranks->calls++;
    ranks->crowded = ranks->here * omp_get_max_threads() > ranks->processors;
    ranks->parts = parts;
    ranks->own = (Header){.mark = message_mark,
                          .contract = contract_digest,
                          .sizes = sizes,
                          .first = range.first,
                          .end = range.end,
                          .exchange = EXCHANGE,
                          .status = (uint32_t)status};
}
