/* sandbox.c: a Lua state that cannot run away.
 *
 * Invariant: while a program runs, every way of using time or memory is charged to `budget` or `used`.
 *   - VM instructions: a count hook every HOOK_PERIOD instructions.
 *   - Bytes allocated: the allocator charges volume, so `s .. s` in a loop costs what it copies.
 *   - Loops in C whose length the program chooses: library.c calls sandbox_charge.
 *   - What neither can see (comparing two long strings, say): a limit on processor time, read in the hook.
 * Once the budget is spent the hook re-arms at count 1: pcall can swallow one error, but the very next
 * instruction raises another, so no loop around pcall survives. Coroutines would carry counters of their
 * own and are left out. The first two charges are the same on every machine; the clock is a backstop. */
#include "lua/sandbox.h"

#include "lua/library.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    HOOK_PERIOD = 100,     /* instructions between two looks at the budget */
    BYTES_PER_UNIT = 64,   /* allocated bytes that cost as much as one instruction */
    SECONDS_LIMIT = 1,     /* processor time of one run */
    MESSAGE_LIMIT = 400,   /* bytes of a program's own error text that are shown */
    FILE_NAME_LIMIT = 1024 /* of the chunk's name kept for messages */
};

struct Sandbox {
    lua_State *state;
    size_t used;   /* bytes held */
    double budget; /* units left */
    bool running;
    struct timespec started; /* wall clock, cheap to read; processor time is asked once it is over */
    double processor_started;
    char file[FILE_NAME_LIMIT]; /* where the last error was raised */
    int line;
};

static Sandbox *sandbox_of(lua_State *state)
{
    return *(Sandbox **)lua_getextraspace(state);
}

/* ---- where ---- */

static bool innermost_line(lua_State *state, lua_Debug *record)
{
    for (int level = 0; lua_getstack(state, level, record); level++) {
        lua_getinfo(state, "Sl", record);
        if (record->currentline > 0)
            return true;
    }
    return false;
}

static const char *source_name(const lua_Debug *record)
{
    return record->source[0] == '@' ? record->source + 1 : record->short_src;
}

static void note_place(Sandbox *sandbox)
{
    lua_Debug record;
    if (!innermost_line(sandbox->state, &record))
        return;
    snprintf(sandbox->file, sizeof sandbox->file, "%s", source_name(&record));
    sandbox->line = record.currentline;
}

Location sandbox_location(lua_State *state, Arena *arena)
{
    lua_Debug record;
    if (!innermost_line(state, &record))
        return (Location){0};
    return (Location){.file = arena_copy(arena, source_name(&record)), .line = record.currentline};
}

/* ---- limits ---- */

static double seconds_between(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Wall time alone would punish a busy machine, processor time alone costs a system call per look. */
static bool out_of_time(const Sandbox *sandbox)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return seconds_between(sandbox->started, now) > SECONDS_LIMIT &&
           processor_seconds() - sandbox->processor_started > SECONDS_LIMIT;
}

static void budget_hook(lua_State *state, lua_Debug *record);

static void arm(lua_State *state, int period)
{
    lua_sethook(state, budget_hook, LUA_MASKCOUNT, period);
}

static _Noreturn void raise_spent(lua_State *state)
{
    arm(state, 1);
    lua_pushfstring(state,
                    "ran for the whole budget (%d instructions or %d s) without ending; is a loop or a "
                    "recursion endless? A program here should need far less",
                    (int)SANDBOX_INSTRUCTION_LIMIT, SECONDS_LIMIT);
    lua_error(state);
    abort(); /* lua_error does not return */
}

static void budget_hook(lua_State *state, lua_Debug *record)
{
    (void)record;
    Sandbox *sandbox = sandbox_of(state);
    sandbox->budget -= HOOK_PERIOD;
    if (sandbox->budget > 0 && out_of_time(sandbox))
        sandbox->budget = 0;
    if (sandbox->budget <= 0)
        raise_spent(state);
}

void sandbox_charge(lua_State *state, double units)
{
    Sandbox *sandbox = sandbox_of(state);
    if (!sandbox->running)
        return;
    sandbox->budget -= units;
    if (sandbox->budget <= 0)
        raise_spent(state);
}

/* lua_sethook may be called at any moment (Lua manual 4.7), so also from inside an allocation. */
static void charge_bytes(Sandbox *sandbox, size_t bytes)
{
    sandbox->budget -= (double)bytes / BYTES_PER_UNIT;
    if (sandbox->budget <= 0)
        arm(sandbox->state, 1);
}

static void *allocate(void *context, void *block, size_t old_size, size_t size)
{
    Sandbox *sandbox = context;
    size_t held = block ? old_size : 0; /* for a new block old_size is a type tag */
    if (size == 0) {
        free(block);
        sandbox->used -= held;
        return NULL;
    }
    if (size > held && sandbox->used - held + size > SANDBOX_MEMORY_LIMIT) {
        if (sandbox->running)
            note_place(sandbox); /* an out-of-memory error reaches no message handler */
        return NULL;
    }
    void *moved = realloc(block, size);
    if (!moved)
        return NULL;
    sandbox->used += size - held;
    if (sandbox->running && size > held)
        charge_bytes(sandbox, size - held);
    return moved;
}

/* Only C code that works outside sandbox_call can get here, and only for lack of memory. */
static int on_panic(lua_State *state)
{
    (void)state;
    arena_out_of_memory();
}

/* ---- reporting ---- */

_Noreturn void sandbox_stop(lua_State *state)
{
    lua_pushlightuserdata(state, sandbox_of(state));
    lua_error(state);
    abort(); /* lua_error does not return */
}

/* Lua puts "name:line: " before most messages, and shortens long names to "...tail". Returns the length of
 * that prefix and its line, or 0. */
static size_t position_prefix(const char *message, const char *name, int *line)
{
    size_t name_length = strlen(name);
    for (const char *colon = strchr(message, ':'); colon; colon = strchr(colon + 1, ':')) {
        char *end;
        long number = strtol(colon + 1, &end, 10);
        if (end == colon + 1 || end[0] != ':' || end[1] != ' ' || number < 1)
            continue;
        const char *start = strncmp(message, "...", 3) ? message : message + 3;
        size_t length = (size_t)(colon - start);
        if (length > name_length || memcmp(name + name_length - length, start, length))
            continue;
        *line = (int)number;
        return (size_t)(end + 2 - message);
    }
    return 0;
}

/* One line of printable text: a program's own message may hold anything. */
static void write_plain(char *out, size_t room, const char *text)
{
    size_t length = strlen(text), kept = length < room - 4 ? length : room - 4;
    for (size_t i = 0; i < kept; i++)
        out[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
    strcpy(out + kept, kept < length ? "..." : "");
}

static void report_text(Sandbox *sandbox, Diagnostics *diagnostics, const char *message)
{
    char plain[MESSAGE_LIMIT];
    int line = sandbox->line;
    size_t prefix = position_prefix(message, sandbox->file, &line);
    write_plain(plain, sizeof plain, message + prefix);
    diagnostics_error(diagnostics, (Location){.file = sandbox->file, .line = line}, "%s", plain);
}

static int push_text_protected(lua_State *state)
{
    library_push_text(state, 1);
    return 1;
}

/* An error object that is no string: its own __tostring may fail, or run for ever. */
static void report_object(Sandbox *sandbox, Diagnostics *diagnostics)
{
    lua_State *state = sandbox->state;
    const char *type = luaL_typename(state, -1);
    lua_pushcfunction(state, push_text_protected);
    lua_pushvalue(state, -2);
    if (lua_pcall(state, 1, 1, 0) == LUA_OK && lua_type(state, -1) == LUA_TSTRING &&
        luaL_getmetafield(state, -2, "__tostring")) {
        lua_pop(state, 1);
        report_text(sandbox, diagnostics, lua_tostring(state, -1));
    } else {
        diagnostics_error(
            diagnostics, (Location){.file = sandbox->file, .line = sandbox->line},
            "an error was raised whose value is a %s without readable text; raise a string instead", type);
    }
}

static void report(Sandbox *sandbox, Diagnostics *diagnostics, int status)
{
    lua_State *state = sandbox->state;
    int top = lua_gettop(state);
    if (status == LUA_ERRMEM)
        diagnostics_error(diagnostics, (Location){.file = sandbox->file, .line = sandbox->line},
                          "out of memory: a program here may hold %d MiB; make fewer or smaller tables and "
                          "strings, and end "
                          "every recursion",
                          SANDBOX_MEMORY_LIMIT >> 20);
    else if (lua_type(state, -1) == LUA_TSTRING)
        report_text(sandbox, diagnostics, lua_tostring(state, -1));
    else if (lua_touserdata(state, -1) != sandbox)
        report_object(sandbox, diagnostics);
    lua_settop(state, top - 1);
}

static int on_error(lua_State *state)
{
    note_place(sandbox_of(state));
    return 1; /* the error value itself */
}

/* ---- running ---- */

static void start(Sandbox *sandbox)
{
    sandbox->running = true;
    sandbox->line = 0;
    sandbox->budget = SANDBOX_INSTRUCTION_LIMIT;
    clock_gettime(CLOCK_MONOTONIC, &sandbox->started);
    sandbox->processor_started = processor_seconds();
    arm(sandbox->state, HOOK_PERIOD);
}

static void stop(Sandbox *sandbox)
{
    lua_sethook(sandbox->state, NULL, 0, 0);
    sandbox->running = false;
}

bool sandbox_call(Sandbox *sandbox, Diagnostics *diagnostics, int arguments, int results)
{
    lua_State *state = sandbox->state;
    bool outermost = !sandbox->running; /* a call inside a call spends the same budget */
    int handler = lua_gettop(state) - arguments;
    lua_pushcfunction(state, on_error);
    lua_insert(state, handler);
    if (outermost)
        start(sandbox);
    int status = lua_pcall(state, arguments, results, handler);
    if (status != LUA_OK)
        report(sandbox, diagnostics, status); /* may run a __tostring, so still within limits */
    if (outermost)
        stop(sandbox);
    lua_remove(state, handler);
    return status == LUA_OK;
}

static const char *why_not_text(const char *text, size_t size)
{
    if (size > SANDBOX_FILE_LIMIT)
        return "too large: 1 MiB is the limit for a program here; keep data out of it";
    if (size > 0 && text[0] == LUA_SIGNATURE[0])
        return "this is Lua bytecode; only source text is read, give the .lua source";
    return NULL;
}

bool sandbox_load(Sandbox *sandbox, Diagnostics *diagnostics, const char *chunk_name, const char *text,
                  size_t size)
{
    snprintf(sandbox->file, sizeof sandbox->file, "%s", chunk_name);
    sandbox->line = 0;
    const char *why = why_not_text(text, size);
    if (why) {
        diagnostics_error(diagnostics, (Location){.file = chunk_name}, "%s", why);
        return false;
    }
    char *name = malloc(strlen(chunk_name) + 2);
    if (!name)
        arena_out_of_memory();
    name[0] = '@'; /* Lua: the rest is a file name, to be shown as it is */
    strcpy(name + 1, chunk_name);
    int status = luaL_loadbufferx(sandbox->state, text, size, name, "t");
    free(name);
    if (status != LUA_OK)
        report(sandbox, diagnostics, status);
    return status == LUA_OK;
}

bool sandbox_run(Sandbox *sandbox, Diagnostics *diagnostics, const char *chunk_name, const char *text,
                 size_t size)
{
    return sandbox_load(sandbox, diagnostics, chunk_name, text, size) &&
           sandbox_call(sandbox, diagnostics, 0, 1);
}

Sandbox *sandbox_create(void)
{
    Sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox)
        arena_out_of_memory();
    sandbox->state = lua_newstate(allocate, sandbox);
    if (!sandbox->state)
        arena_out_of_memory();
    *(Sandbox **)lua_getextraspace(sandbox->state) = sandbox;
    lua_atpanic(sandbox->state, on_panic);
    library_open(sandbox->state);
    return sandbox;
}

void sandbox_destroy(Sandbox *sandbox)
{
    if (!sandbox)
        return;
    lua_close(sandbox->state);
    free(sandbox);
}

lua_State *sandbox_state(Sandbox *sandbox)
{
    return sandbox->state;
}
