/* blame.c: see blame.h.
 *
 * When one rank dies, its launcher ends the others: the first one that went is to blame, unless it says that
 * it was told to go (SIGTERM). */
#include "mpi/blame.h"

#include "driver/child.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const double ask_seconds = 2, gone_seconds = 1, launcher_seconds = 3;

static uint64_t bit(int rank)
{
    return (uint64_t)1 << rank;
}

/* "rank 2", "ranks 0, 1, 3" */
static const char *list_ranks(Arena *arena, uint64_t ranks)
{
    const char *text = __builtin_popcountll(ranks) == 1 ? "rank" : "ranks", *between = " ";
    for (int r = 0; r < WIRE_RANKS; r++) {
        if (ranks & bit(r)) {
            text = arena_printf(arena, "%s%s%d", text, between, r);
            between = ", ";
        }
    }
    return text;
}

static const char *who(const Team *team, int rank)
{
    return arena_printf(team->arena, "rank %d (process %ld on %s)", rank, team->member[rank].pid,
                        team->member[rank].host);
}

/* ---- a rank that ended ---- */

/* What a rank said when it died, in words. */
static const char *describe_end(Arena *arena, const char *said)
{
    if (strncmp(said, "signal ", 7) == 0) {
        return arena_printf(arena, "was killed by %s", child_signal_name(arena, atoi(said + 7)));
    }
    if (strncmp(said, "exit ", 5) == 0) {
        return arena_printf(arena, "called exit(%s)", said + 5);
    }
    if (strncmp(said, "abort ", 6) == 0) {
        return arena_printf(arena, "called MPI_Abort with code %s", said + 6);
    }
    return said;
}

static bool told_to_go(const char *said)
{
    return strncmp(said, "signal ", 7) == 0 && atoi(said + 7) == SIGTERM;
}

static const char *read_text(Team *team, int rank, const WireHead *head)
{
    char text[WIRE_TEXT + 1] = "";
    const size_t size = head->bytes < WIRE_TEXT ? head->bytes : WIRE_TEXT;
    return team_receive(team, rank, text, size) ? arena_copy(team->arena, text) : "";
}

/* Another rank that says why it died, other than by being told to: it is to blame. Adds to *silent who went
 * without a word and was gone already: launchers that kill the others do it after the first one's end, which
 * is then here as well. */
static const char *find_other(Team *team, uint64_t among, uint64_t *silent)
{
    const double until = team_clock() + gone_seconds;
    WireHead head;
    for (bool already = true; among;) {
        const int rank = team_next(team, among, already ? 0 : until - team_clock(), &head);
        if (rank < 0 && !already) {
            break;
        }
        if (rank < 0) {
            already = false;
            continue;
        }
        const char *said = head.kind == WIRE_DYING ? read_text(team, rank, &head) : "";
        if (*said && !told_to_go(said)) {
            return arena_printf(team->arena, "%s %s", who(team, rank), describe_end(team->arena, said));
        }
        *silent |= already && head.kind == 0 ? bit(rank) : 0;
        among &= ~bit(rank);
    }
    return NULL;
}

/* "rank 0 (process 4711 on host) and rank 2 (process 4713 on host)" */
static const char *who_all(const Team *team, uint64_t ranks)
{
    const char *text = "";
    for (int r = 0; r < team->ranks; r++) {
        if (ranks & bit(r)) {
            text = arena_printf(team->arena, "%s%s%s", text, *text ? " and " : "", who(team, r));
        }
    }
    return text;
}

static uint64_t all_of(const Team *team)
{
    return team->ranks == WIRE_RANKS ? UINT64_MAX : bit(team->ranks) - 1;
}

const char *blame_end(Team *team, int rank, const WireHead *head)
{
    Arena *arena = team->arena;
    if (head->kind == WIRE_DYING) {
        const char *said = read_text(team, rank, head);
        if (!told_to_go(said)) {
            return arena_printf(arena, "%s %s", who(team, rank), describe_end(arena, said));
        }
    } else if (head->kind != 0) {
        return arena_printf(arena, "%s gave an answer that was not asked for (%u)", who(team, rank),
                            head->kind);
    }
    uint64_t silent = head->kind == 0 ? bit(rank) : 0;
    const char *other = find_other(team, all_of(team) & ~bit(rank), &silent);
    return other ? other
                 : arena_printf(arena, "%s ended in the middle of a call, without a word%s",
                                who_all(team, silent ? silent : bit(rank)),
                                team_last_words(team, launcher_seconds));
}

/* ---- ranks that do not answer ---- */

typedef struct Answers {
    WireDoing doing[WIRE_RANKS];
    uint64_t given;
} Answers;

static void ask_all(Team *team, uint64_t ranks, Answers *answers)
{
    for (int r = 0; r < team->ranks; r++) {
        if (ranks & bit(r)) {
            team_send(team, r, WIRE_STATUS, NULL, 0, NULL, 0);
        }
    }
    const double until = team_clock() + ask_seconds;
    WireHead head;
    for (int rank; ranks & ~answers->given;) {
        rank = team_next(team, ranks & ~answers->given, until - team_clock(), &head);
        if (rank < 0) {
            return;
        }
        if (head.kind != WIRE_DOING ||
            !team_receive(team, rank, &answers->doing[rank], sizeof *answers->doing)) {
            ranks &= ~bit(rank);
        } else {
            answers->given |= bit(rank);
        }
    }
}

static uint64_t ranks_in(const Answers *answers, uint64_t among, bool in_mpi)
{
    uint64_t found = 0;
    for (int r = 0; r < WIRE_RANKS; r++) {
        if ((answers->given & among & bit(r)) && (answers->doing[r].function[0] != 0) == in_mpi) {
            found |= bit(r);
        }
    }
    return found;
}

static const char *phase_text(int phase)
{
    static const char *const text[] = {"is still in MPI_Init",
                                       "waits for a call",
                                       "prepares data",
                                       "did not return from the kernel",
                                       "waits for the others to begin",
                                       "is about to end"};
    return phase >= 0 && phase < (int)(sizeof text / sizeof *text) ? text[phase] : "does something unknown";
}

/* "; ranks 0, 1, 3 wait in MPI_Recv for it": ranks that wait in one function for one set of ranks stand
 * together. */
static const char *describe_waits(Arena *arena, const Answers *answers, uint64_t waits, uint64_t culprits,
                                  uint64_t all)
{
    const char *text = "";
    while (waits) {
        const WireDoing *first = &answers->doing[__builtin_ctzll(waits)];
        uint64_t same = 0;
        for (int r = 0; r < WIRE_RANKS; r++) {
            const WireDoing *doing = &answers->doing[r];
            if ((waits & bit(r)) && doing->peers == first->peers &&
                strcmp(doing->function, first->function) == 0) {
                same |= bit(r);
            }
        }
        const bool any = (first->peers & all) == all || first->peers == 0;
        const char *whom = any ? ""
                           : culprits != 0 && (first->peers & all) == culprits
                               ? __builtin_popcountll(culprits) == 1 ? " for it" : " for them"
                               : arena_printf(arena, " for %s", list_ranks(arena, first->peers & all));
        text = arena_printf(arena, "%s; %s wait%s in %.31s%s", text, list_ranks(arena, same),
                            __builtin_popcountll(same) == 1 ? "s" : "", first->function, whom);
        waits &= ~same;
    }
    return text;
}

static const char *describe_culprits(Arena *arena, const Answers *answers, uint64_t busy, double seconds)
{
    const int phase = answers->doing[__builtin_ctzll(busy)].phase;
    return arena_printf(arena, "%s %s within %.3g s", list_ranks(arena, busy), phase_text(phase), seconds);
}

const char *blame_silence(Team *team, uint64_t all, uint64_t waiting, double seconds)
{
    Arena *arena = team->arena;
    Answers answers = {.given = 0};
    ask_all(team, waiting, &answers);
    const uint64_t silent = waiting & ~answers.given, busy = ranks_in(&answers, waiting, false);
    const uint64_t waits = ranks_in(&answers, waiting, true), returned = all & ~waiting;
    const uint64_t culprits = silent ? silent : busy;
    const char *what =
        silent ? arena_printf(arena, "%s did not answer within %.3g s, stopped or cut off",
                              list_ranks(arena, silent), seconds)
        : busy
            ? describe_culprits(arena, &answers, busy, seconds)
            : arena_printf(arena, "a deadlock: no rank that is in the kernel computes, and %.3g s are over",
                           seconds);
    const char *also =
        silent && busy ? arena_printf(arena, "; %s", describe_culprits(arena, &answers, busy, seconds)) : "";
    const char *done = returned ? arena_printf(arena, "; %s returned", list_ranks(arena, returned)) : "";
    return arena_printf(arena, "%s%s%s%s", what, also, describe_waits(arena, &answers, waits, culprits, all),
                        done);
}
