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
