/* ---- an exchange that has been started, to its end ---- */

$ if overlaps then
/* Between pieces of other work: what has come meanwhile. */
static void exchange_poll(Ranks *ranks)
{
    if (ranks->now.code == CODE_PENDING)
        ranks->now.code = exchange_advance(ranks);
}

$ end
/* Waits: other ranks may need this processor, and may have found something wrong. */
static int exchange_finish(Ranks *ranks)
{
    int code = ranks->now.code;
    for (unsigned turn = 1; code == CODE_PENDING; turn++) {
        code = exchange_advance(ranks);
        if (code == CODE_PENDING && turn % 256 == 0) { /* so long that it may be in vain */
            const int wrong = ranks_disagree(ranks);
            code = wrong ? wrong : code;
        }
        if (turn % (ranks->crowded ? 512 : 65536) == 0)
            sched_yield(); /* not sooner, or a busy machine takes the processor away */
    }
    ranks->now.code = 0;
    return code == CODE_DISAGREE ? ranks_fail(ranks) : code;
}
