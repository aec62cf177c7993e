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

/* Programs of several kernels have one key: the duplicate is theirs together. Its number counts layouts of Ranks. */
__attribute__((weak)) int samebits_mpi_key_2 = MPI_KEYVAL_INVALID;

static Ranks *ranks_new(int rank, int size)
{
    const size_t many = (size_t)size;
    Ranks *ranks = calloc(1, sizeof *ranks);
    if (!ranks)
        return NULL;
    *ranks = (Ranks){.rank = rank, .ranks = size};
    ranks->header = calloc(many, sizeof *ranks->header);
    ranks->piece = calloc(many, sizeof *ranks->piece);
    ranks->place = calloc(2 * many, sizeof *ranks->place);
    ranks->receive = calloc(many, sizeof *ranks->receive);
    ranks->send = calloc(2 * many, sizeof *ranks->send);
    ranks->tell = calloc(many, sizeof *ranks->tell);
    ranks->status = calloc(2 * many, sizeof *ranks->status);
    if (!ranks->header || !ranks->piece || !ranks->place || !ranks->receive || !ranks->send || !ranks->tell ||
        !ranks->status) {
        ranks_free(ranks);
        return NULL;
    }
    for (int r = 0; r < size; r++)
        ranks->receive[r] = MPI_REQUEST_NULL;
    return ranks;
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

/* The state becomes an attribute of `comm`: on all ranks, or on none. */
static int ranks_keep(MPI_Comm comm, Ranks *ranks)
{
    int worst = 0, code = code_of(ranks_count_local(ranks));
    const int kept = !code && !(code = code_of(MPI_Comm_set_attr(comm, samebits_mpi_key_2, ranks)));
    const int error = MPI_Allreduce(&code, &worst, 1, MPI_INT, MPI_MAX, ranks->comm); /* a code, no value */
    worst = error == MPI_SUCCESS ? worst : code_of(error);
    if (worst && kept) {
        MPI_Comm_delete_attr(comm, samebits_mpi_key_2); /* frees the state, too */
    } else if (worst) {
        MPI_Comm_free(&ranks->comm);
        ranks_free(ranks);
    }
    return worst;
}

static int ranks_make(MPI_Comm comm, Ranks **made)
{
    int rank, size, error = MPI_Comm_rank(comm, &rank);
    if (error == MPI_SUCCESS)
        error = MPI_Comm_size(comm, &size);
    if (error == MPI_SUCCESS && samebits_mpi_key_2 == MPI_KEYVAL_INVALID)
        error = MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, ranks_deleted, &samebits_mpi_key_2, NULL);
    if (error != MPI_SUCCESS)
        return code_of(error);
    Ranks *ranks = ranks_new(rank, size);
    int code = ranks_join(comm, ranks, rank, size);
    if (code) {
        ranks_free(ranks);
        return code;
    }
    code = ranks_keep(comm, ranks);
    if (!code)
        *made = ranks;
    return code;
}

static int ranks_of(MPI_Comm comm, Ranks **ranks)
{
    int found = 0, inter = 0, begun = 0;
    if (comm == MPI_COMM_NULL)
        return CODE_COMM;
    if (samebits_mpi_key_2 != MPI_KEYVAL_INVALID) {
        const int error = MPI_Comm_get_attr(comm, samebits_mpi_key_2, ranks, &found);
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
