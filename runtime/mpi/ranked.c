/* ranked.c: see ranked.h. Processes and sockets are team.c's; what went wrong is told by blame.c. */
#include "mpi/ranked.h"

#include "array/inputs.h"
#include "mpi/blame.h"
#include "mpi/cuts.h"
#include "mpi/program.h"
#include "mpi/slices.h"
#include "mpi/team.h"
#include "plan/distribute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 60, UNSET = -1 };

struct Ranked {
    Arena *arena;
    const char *object;
    const Variant *variant;
    Distribution distribution;
    const Mpi *mpi;
    Team team;
    bool started;
    double limit, start_limit; /* seconds */
    uint64_t calls;

    /* what the user set */
    int ranks; /* 0: changing */
    RankCut cut;
    bool has_cut;
    int threads; /* UNSET: changing */
    bool expect_code;
    int mistaken, other_rank; /* ranks, or -1 */
    WireMistake mistake;
    const char *other_object, *other_symbol;

    /* of the last call */
    RankCut last_cut;
    RankCounts counts[RANKED_LIMIT];
    int last_threads[RANKED_LIMIT];
    int code;
    const char *failure;
};

static double chosen_limit(void)
{
    const char *text = getenv("SAMEBITS_RANK_SECONDS");
    const double seconds = text ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : SECONDS;
}

static bool has_dim_twice(const Tensor *tensor, int dim)
{
    int times = 0;
    for (int d = 0; d < tensor->rank; d++) {
        times += tensor->dim[d] == dim;
    }
    return times > 1;
}

static const char *why_not_ranked(Arena *arena, const Variant *variant, const Distribution *distribution,
                                  const char *object)
{
    const Operator *op = variant->op;
    if (distribution->dim < 0) {
        return "nothing of it can be spread over ranks";
    }
    for (int t = 0; t < op->inputs + op->outputs; t++) {
        const Tensor *tensor = t < op->inputs ? &op->input[t] : &op->output[t - op->inputs];
        if (has_dim_twice(tensor, distribution->dim)) {
            return arena_printf(arena, "%s has the distributed dim twice", tensor->name);
        }
    }
    return access(object, R_OK) == 0 ? NULL : arena_printf(arena, "%s is not there: compile it", object);
}

Ranked *ranked_open(Arena *arena, const char *object, const Variant *variant, const char **why)
{
    const Distribution distribution = plan_distribution(variant);
    *why = why_not_ranked(arena, variant, &distribution, object);
    if (*why) {
        return NULL;
    }
    Ranked *ranked = ARENA_NEW(arena, Ranked);
    *ranked = (Ranked){.arena = arena,
                       .object = arena_copy(arena, object),
                       .variant = variant,
                       .distribution = distribution,
                       .limit = chosen_limit(),
                       .start_limit = chosen_limit(),
                       .threads = UNSET,
                       .mistaken = -1,
                       .other_rank = -1};
    return ranked;
}

static void stop(Ranked *ranked, bool orderly)
{
    if (ranked->started) {
        team_end(&ranked->team, orderly);
    }
    ranked->started = false;
}

void ranked_close(Ranked *ranked)
{
    stop(ranked, true);
}

/* ---- what users set and ask ---- */

void ranked_set_ranks(Ranked *ranked, int ranks)
{
    ranked->ranks = ranks < 0 ? 0 : ranks > RANKED_LIMIT ? RANKED_LIMIT : ranks;
}

void ranked_set_cut(Ranked *ranked, const RankCut *cut)
{
    ranked->has_cut = cut != NULL;
    ranked->cut = cut ? *cut : (RankCut){0};
}

void ranked_set_threads(Ranked *ranked, int threads)
{
    ranked->threads = threads;
}

void ranked_set_limit(Ranked *ranked, double seconds)
{
    ranked->limit = seconds;
}

void ranked_expect_code(Ranked *ranked, bool expect_code)
{
    ranked->expect_code = expect_code;
}

void ranked_set_mistake(Ranked *ranked, int rank, WireMistake mistake)
{
    ranked->mistaken = mistake == WIRE_RIGHT ? -1 : rank;
    ranked->mistake = mistake;
}

void ranked_set_other_kernel(Ranked *ranked, int rank, const char *object, const char *symbol)
{
    ranked->other_rank = rank;
    ranked->other_object = object;
    ranked->other_symbol = symbol;
    stop(ranked, true);
}

int ranked_code(const Ranked *ranked)
{
    return ranked->code;
}

const char *ranked_failure(const Ranked *ranked)
{
    return ranked->failure;
}

const RankCut *ranked_last_cut(const Ranked *ranked)
{
    return &ranked->last_cut;
}

const RankCounts *ranked_counts(const Ranked *ranked)
{
    return ranked->counts;
}

const Mpi *ranked_mpi(const Ranked *ranked)
{
    return ranked->mpi;
}

static void add_shares(const Ranked *ranked, char *text, size_t size)
{
    const RankCut *cut = &ranked->last_cut;
    const size_t part = distribution_part(&ranked->distribution, cut->first[cut->ranks]);
    for (int r = 0; r < cut->ranks; r++) {
        const size_t at = strlen(text);
        const size_t parts = (cut->first[r + 1] - cut->first[r] + part - 1) / part;
        snprintf(text + at, size - at, "%s%zu", r > 0 ? ", " : "", parts);
    }
}

static void add_threads(const Ranked *ranked, char *text, size_t size)
{
    int least = ranked->last_threads[0], most = least;
    for (int r = 1; r < ranked->last_cut.ranks; r++) {
        least = ranked->last_threads[r] < least ? ranked->last_threads[r] : least;
        most = ranked->last_threads[r] > most ? ranked->last_threads[r] : most;
    }
    const size_t at = strlen(text);
    if (least == most) {
        snprintf(text + at, size - at, " parts), %d thread%s each", most, most == 1 ? "" : "s");
    } else {
        snprintf(text + at, size - at, " parts), %d to %d threads each", least, most);
    }
}

const char *ranked_host(const Ranked *ranked, int rank)
{
    return ranked->started && rank < ranked->team.ranks ? ranked->team.member[rank].host : NULL;
}

static int count_hosts(const Ranked *ranked)
{
    int hosts = 0;
    for (int r = 0; ranked->started && r < ranked->last_cut.ranks; r++) {
        bool known = false;
        for (int before = 0; before < r; before++) {
            known |= strcmp(ranked->team.member[before].host, ranked->team.member[r].host) == 0;
        }
        hosts += !known;
    }
    return hosts;
}

const char *ranked_text(const Ranked *ranked, char *text, size_t size)
{
    const int ranks = ranked->last_cut.ranks;
    snprintf(text, size, "%d rank%s (", ranks, ranks == 1 ? "" : "s");
    add_shares(ranked, text, size);
    add_threads(ranked, text, size);
    size_t at = strlen(text);
    snprintf(text + at, size - at, ", exchange %s", schedule_exchange_text(&ranked->variant->schedule));
    const int hosts = count_hosts(ranked);
    at = strlen(text);
    if (hosts > 1) {
        snprintf(text + at, size - at, " on %d hosts", hosts);
    }
    return text;
}

/* ---- starting ---- */

static bool fail(Ranked *ranked, const char *why)
{
    ranked->failure = why;
    stop(ranked, false);
    return false;
}

/* Sends the kernel's name and reads every rank's answer. */
static bool load_kernel(Ranked *ranked, int rank)
{
    const bool other = rank == ranked->other_rank;
    const char *object = other ? ranked->other_object : ranked->object;
    const char *symbol =
        other ? ranked->other_symbol : arena_printf(ranked->arena, "%s_call", ranked->variant->symbol);
    char *path = realpath(object, NULL);
    const bool sent = team_send(&ranked->team, rank, WIRE_OPEN, path ? path : object,
                                strlen(path ? path : object) + 1, symbol, strlen(symbol) + 1);
    free(path);
    return sent;
}

static bool read_opened(Ranked *ranked, int rank, const WireHead *head)
{
    char why[WIRE_TEXT + 1] = "";
    const size_t size = head->bytes < WIRE_TEXT ? head->bytes : WIRE_TEXT;
    if (!team_receive(&ranked->team, rank, why, size)) {
        return fail(ranked, arena_printf(ranked->arena, "rank %d broke its connection", rank));
    }
    return !*why ||
           fail(ranked, arena_printf(ranked->arena, "rank %d cannot load the kernel: %s", rank, why));
}

static bool load_kernels(Ranked *ranked)
{
    uint64_t waiting = 0;
    for (int r = 0; r < ranked->team.ranks; r++) {
        load_kernel(ranked, r); /* a rank that is gone shows below */
        waiting |= (uint64_t)1 << r;
    }
    for (const double until = team_clock() + ranked->start_limit; waiting;) {
        WireHead head;
        const int rank = team_next(&ranked->team, waiting, until - team_clock(), &head);
        if (rank < 0 || head.kind != WIRE_OPENED) {
            return fail(ranked, rank < 0 ? blame_silence(&ranked->team, waiting, waiting, ranked->start_limit)
                                         : blame_end(&ranked->team, rank, &head));
        }
        waiting &= ~((uint64_t)1 << rank);
        if (!read_opened(ranked, rank, &head)) {
            return false;
        }
    }
    return true;
}

static bool start(Ranked *ranked, int ranks)
{
    const char *why = NULL;
    stop(ranked, true);
    if (!ranked->mpi) {
        ranked->mpi = mpi_find(ranked->arena, &why);
    }
    const char *program = why ? NULL
                              : rank_program(ranked->arena, ranked->mpi,
                                             rank_program_folder(ranked->arena, ranked->object), &why);
    if (!why) {
        why = team_start(&ranked->team, ranked->arena, ranked->mpi, program, ranks, ranked->start_limit);
    }
    ranked->started = !why;
    return why ? fail(ranked, why) : load_kernels(ranked);
}

/* Enough ranks: exactly that many, or more of which the last ones sleep. */
static bool ensure_team(Ranked *ranked, int ranks, bool exactly)
{
    if (ranked->started && ranked->team.owner != getpid()) {
        team_end(&ranked->team, false); /* another process's: this closes what was inherited */
        ranked->started = false;
    }
    const bool fits =
        ranked->started && (exactly ? ranked->team.ranks == ranks : ranked->team.ranks >= ranks);
    const int wanted =
        !exactly && ranked->ranks == 0 && ranks < CHANGING_RANKS_LIMIT ? CHANGING_RANKS_LIMIT : ranks;
    return fits || start(ranked, wanted);
}

/* ---- calls ---- */

static void choose_cut(Ranked *ranked, size_t size, bool even)
{
    const size_t part = distribution_part(&ranked->distribution, size);
    const int ranks = ranked->ranks > 0 ? ranked->ranks : even ? 1 : cuts_ranks(ranked->calls);
    ranked->last_cut = ranked->has_cut ? ranked->cut
                       : even          ? cuts_even(ranks, size, part)
                                       : cuts_choose(ranked->calls, ranks, size, part);
}

static const char *why_not_cut(const Ranked *ranked, size_t size)
{
    const RankCut *cut = &ranked->last_cut;
    bool rises = cut->ranks >= 1 && cut->ranks <= RANKED_LIMIT && cut->first[0] == 0;
    for (int r = 0; rises && r < cut->ranks; r++) {
        rises = cut->first[r] <= cut->first[r + 1];
    }
    return rises && cut->first[cut->ranks] == size
               ? NULL
               : arena_printf(ranked->arena, "a cut must begin at 0, rise, and end at %zu", size);
}

/* One rank alone cannot call with another communicator: the others would wait for it. */
static WireMistake mistake_of(const Ranked *ranked, int rank)
{
    const bool at_all = ranked->mistake == WIRE_NULL_COMM || ranked->mistake == WIRE_INTERCOMM;
    return rank == ranked->mistaken || (ranked->mistaken >= 0 && at_all) ? ranked->mistake : WIRE_RIGHT;
}

static WireCall describe(const Ranked *ranked, const Shape *shape, int rank)
{
    const Operator *op = ranked->variant->op;
    const RankCut *cut = &ranked->last_cut;
    WireCall call = {.ranks = (uint32_t)cut->ranks,
                     .inputs = (uint32_t)op->inputs,
                     .outputs = (uint32_t)op->outputs,
                     .dims = (uint32_t)op->dims,
                     .params = (uint32_t)op->params,
                     .mistake = mistake_of(ranked, rank),
                     .first = cut->first[rank],
                     .count = cut->first[rank + 1] - cut->first[rank]};
    for (int d = 0; d < op->dims; d++) {
        call.size[d] = shape->size[d];
    }
    for (int i = 0; i < op->inputs; i++) {
        call.input[i] = slice_view(&op->input[i], shape, ranked->distribution.dim);
    }
    for (int o = 0; o < op->outputs; o++) {
        call.output[o] = slice_view(&op->output[o], shape, ranked->distribution.dim);
    }
    return call;
}

/* Buffers end at a page that nobody may touch, or begin somewhere behind a 64-byte boundary. */
static uint32_t choose_offset(uint64_t call)
{
    return call % 2 ? WIRE_AT_END : (uint32_t)(call / 2 % 16 * sizeof(float));
}

static bool send_call(Ranked *ranked, const CallData *data, int rank)
{
    const Operator *op = ranked->variant->op;
    WireCall call = describe(ranked, &data->shape, rank);
    size_t elements = 0, at = 0;
    call.threads = ranked->threads == UNSET ? cuts_threads(ranked->calls + (uint64_t)rank) : ranked->threads;
    call.offset = choose_offset(ranked->calls);
    memcpy(call.param, data->param, sizeof call.param);
    for (int i = 0; i < op->inputs; i++) {
        elements += slice_elements(&call.input[i], call.count);
    }
    float *parts = malloc(elements * sizeof *parts + 1);
    if (!parts) {
        arena_out_of_memory();
    }
    for (int i = 0; i < op->inputs; i++) {
        slice_cut(parts + at, data->input[i], &call.input[i], call.first, call.count);
        at += slice_elements(&call.input[i], call.count);
    }
    const bool sent =
        team_send(&ranked->team, rank, WIRE_CALL, &call, sizeof call, parts, elements * sizeof *parts);
    free(parts);
    return sent;
}

static bool same_value(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

/* An output that is whole on every rank: the first that answers gives it, the others must agree. */
static bool take_whole(Ranked *ranked, float *whole, const float *part, size_t elements, int rank, int first,
                       const char *name)
{
    if (first < 0) {
        memcpy(whole, part, elements * sizeof *whole);
        return true;
    }
    for (size_t i = 0; i < elements; i++) {
        if (!same_value(whole[i], part[i])) {
            return fail(ranked,
                        arena_printf(ranked->arena,
                                     "ranks %d and %d return different values of %s: %a and %a at %zu", first,
                                     rank, name, (double)whole[i], (double)part[i], i));
        }
    }
    return true;
}

typedef struct Gathering {
    const CallData *data; /* NULL: timed, no outputs */
    WireResult result[RANKED_LIMIT];
    uint64_t waiting, returned;
} Gathering;

static int first_of(uint64_t ranks)
{
    return ranks ? __builtin_ctzll(ranks) : -1;
}

static bool take_output(Ranked *ranked, const Gathering *gathering, int rank, int output, const float *part)
{
    const Tensor *tensor = &ranked->variant->op->output[output];
    const RankCut *cut = &ranked->last_cut;
    const WireTensor view = slice_view(tensor, &gathering->data->shape, ranked->distribution.dim);
    float *whole = gathering->data->output[output];
    if (view.distributed) {
        slice_put(whole, part, &view, cut->first[rank], cut->first[rank + 1] - cut->first[rank]);
        return true;
    }
    return take_whole(ranked, whole, part, slice_elements(&view, 0), rank, first_of(gathering->returned),
                      tensor->name);
}

static size_t output_elements(const Ranked *ranked, const Gathering *gathering, int rank, int output)
{
    const RankCut *cut = &ranked->last_cut;
    const WireTensor view =
        slice_view(&ranked->variant->op->output[output], &gathering->data->shape, ranked->distribution.dim);
    return slice_elements(&view, cut->first[rank + 1] - cut->first[rank]);
}

static bool take_outputs(Ranked *ranked, const Gathering *gathering, int rank)
{
    bool fine = true;
    for (int o = 0; fine && o < ranked->variant->op->outputs; o++) {
        const size_t elements = output_elements(ranked, gathering, rank, o);
        float *part = malloc(elements * sizeof *part + 1);
        if (!part) {
            arena_out_of_memory();
        }
        fine = team_receive(&ranked->team, rank, part, elements * sizeof *part)
                   ? take_output(ranked, gathering, rank, o, part)
                   : fail(ranked,
                          arena_printf(ranked->arena, "rank %d stopped in the middle of its outputs", rank));
        free(part);
    }
    return fine;
}

static bool take_result(Ranked *ranked, Gathering *gathering, int rank)
{
    WireResult *result = &gathering->result[rank];
    if (!team_receive(&ranked->team, rank, result, sizeof *result)) {
        return fail(ranked, arena_printf(ranked->arena, "rank %d stopped in the middle of its result", rank));
    }
    ranked->counts[rank] = (RankCounts){(long)result->messages,    (long)result->values, (long)result->bytes,
                                        (long)result->collectives, result->seconds,      result->waited};
    ranked->last_threads[rank] = result->threads;
    if (gathering->data && result->code == 0 && !take_outputs(ranked, gathering, rank)) {
        return false;
    }
    gathering->returned |= (uint64_t)1 << rank;
    gathering->waiting &= ~((uint64_t)1 << rank);
    return true;
}

static bool gather_results(Ranked *ranked, Gathering *gathering, WireKind kind, double limit)
{
    const uint64_t all = gathering->waiting;
    for (const double until = team_clock() + limit; gathering->waiting;) {
        WireHead head;
        const int rank = team_next(&ranked->team, gathering->waiting, until - team_clock(), &head);
        if (rank < 0) {
            return fail(ranked, blame_silence(&ranked->team, all, gathering->waiting, limit));
        }
        if (head.kind != (uint32_t)kind) {
            return fail(ranked, blame_end(&ranked->team, rank, &head));
        }
        if (!take_result(ranked, gathering, rank)) {
            return false;
        }
    }
    return true;
}

/* ---- codes ---- */

const char *ranked_code_text(int code)
{
    static const char *const text[] = {
        "0",
        "CUT: ranges of ranks do not begin at parts, follow one another and cover the axis",
        "SIZES: ranks disagree on a size or a parameter",
        "CONTRACT: ranks run kernels of different contracts or exchanges",
        "MEMORY: no memory for the partials",
        "TOO_LARGE: more ranks, or more values in one message, than MPI counts",
        "COMM: the communicator is null or an intercommunicator"};
    const int known = sizeof text / sizeof *text;
    return code >= 0 && code < known ? text[code]
           : code & 0x10000          ? "MPI_ERROR: MPI returned an error"
                                     : "an unknown code";
}

static bool check_codes(Ranked *ranked, const Gathering *gathering)
{
    const int ranks = ranked->last_cut.ranks;
    const char *all = "";
    bool differ = false;
    ranked->code = gathering->result[0].code;
    for (int r = 0; r < ranks; r++) {
        const int code = gathering->result[r].code;
        all = arena_printf(ranked->arena, "%s%srank %d: %d", all, r > 0 ? ", " : "", r, code);
        differ |= code != ranked->code;
    }
    if (differ) {
        return fail(ranked, arena_printf(ranked->arena, "ranks return different codes: %s", all));
    }
    if (ranked->code != 0 && !ranked->expect_code) {
        return fail(ranked, arena_printf(ranked->arena, "the kernel returned %d on every rank: %s",
                                         ranked->code, ranked_code_text(ranked->code)));
    }
    return true;
}

/* ---- the two ways to call ---- */

bool ranked_call(Ranked *ranked, const CallData *call)
{
    const size_t size = call->shape.size[ranked->distribution.dim];
    if (ranked->failure) {
        return false;
    }
    choose_cut(ranked, size, false);
    const char *why = why_not_cut(ranked, size);
    if (why) {
        return fail(ranked, why);
    }
    const int ranks = ranked->last_cut.ranks;
    Gathering gathering = {.data = call};
    if (!ensure_team(ranked, ranks, false)) {
        return false;
    }
    for (int r = 0; r < ranks; r++) {
        send_call(ranked, call, r); /* a rank that is gone shows below */
        gathering.waiting |= (uint64_t)1 << r;
    }
    ranked->calls++;
    return gather_results(ranked, &gathering, WIRE_RESULT, ranked->limit) && check_codes(ranked, &gathering);
}

static bool send_time(Ranked *ranked, const Shape *shape, const char *data, int calls, int rank)
{
    const Operator *op = ranked->variant->op;
    WireCall call = describe(ranked, shape, rank);
    call.threads = ranked->threads == UNSET ? 0 : ranked->threads;
    call.calls = (uint32_t)calls;
    for (int i = 0; i < op->inputs; i++) {
        call.input[i].fill = i == 0 && strcmp(data, "mixed") == 0 ? INPUT_MIXED : INPUT_NORMAL;
    }
    for (int p = 0; p < op->params; p++) {
        call.param[p] = op->param[p].value;
    }
    return team_send(&ranked->team, rank, WIRE_TIME, &call, sizeof call, NULL, 0);
}

static void keep_times(const Ranked *ranked, const Gathering *gathering, RankTimes *times)
{
    *times = (RankTimes){0};
    for (int r = 0; r < ranked->last_cut.ranks; r++) {
        const WireResult *result = &gathering->result[r];
        times->first_call = result->first_call > times->first_call ? result->first_call : times->first_call;
        times->seconds[r] = result->seconds;
        times->waited[r] = result->waited;
    }
}

bool ranked_time(Ranked *ranked, const Shape *shape, const char *data, int calls, RankTimes *times)
{
    const size_t size = shape->size[ranked->distribution.dim];
    if (ranked->failure) {
        return false;
    }
    choose_cut(ranked, size, true);
    const char *why = why_not_cut(ranked, size);
    if (why) {
        return fail(ranked, why);
    }
    const int ranks = ranked->last_cut.ranks;
    Gathering gathering = {.data = NULL};
    if (!ensure_team(ranked, ranks, true)) {
        return false;
    }
    for (int r = 0; r < ranks; r++) {
        send_time(ranked, shape, data, calls, r);
        gathering.waiting |= (uint64_t)1 << r;
    }
    const bool timed =
        gather_results(ranked, &gathering, WIRE_TIMED, ranked->limit) && check_codes(ranked, &gathering);
    keep_times(ranked, &gathering, times);
    return timed;
}
