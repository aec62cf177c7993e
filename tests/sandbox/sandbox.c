/* sandbox.c: hostile programs must end soon, as an ordinary diagnostic; harmless ones must work, in an order
 * that no accident of the run decides. Each row holds the program and what is expected of it. */
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#ifndef SLOW_BUILD
#define SLOW_BUILD 0
#endif

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* `result` is the expected text of the program's result. */
typedef struct Harmless {
    const char *program, *result;
} Harmless;

/* `message` is the expected beginning of the only diagnostic. NULL: the program may end well, but must end.
 */
typedef struct Hostile {
    const char *program, *message;
} Hostile;

static const Harmless harmless_rows[] = {
    {"return 6 * 7", "42"},
    {"return 'a' .. 1", "a1"},
    {"return #{1, 2, 3}", "3"},
    {"return ('ab'):rep(3, '-')", "ab-ab-ab"},
    {"return ('rmsnorm_avx2'):match('^(%w+)_')", "rmsnorm"},
    {"return (('a b  c'):gsub('%s+', '_'))", "a_b_c"},
    {"local t = {} for w in ('x,y,z'):gmatch('[^,]+') do t[#t + 1] = w end return table.concat(t, ';')",
     "x;y;z"},
    {"return ('a.b'):find('.', 1, true)", "2"},
    {"return ('[]x'):find('[]]')", "2"},
    {"return string.format('%d %s %5.2f %%', 3, true, 1.5)", "3 true  1.50 %"},
    {"return math.floor(2.5) + math.max(1, 2)", "4"},
    {"return select('#', table.unpack({1, 2, 3}))", "3"},
    {"return pcall(error, 'x')", "false"},
    {"return tostring(nil) .. tostring(1.5)", "nil1.5"},
    /* no addresses */
    {"return tostring({}) .. ' ' .. tostring(tostring)", "table function"},
    {"return string.format('%s|%10s', {}, pairs)", "table|  function"},
    {"return tostring(setmetatable({}, {__name = 'thing'}))", "thing"},
    {"return tostring(setmetatable({}, {__tostring = function() return 'own' end}))", "own"},
    /* an order that does not come from the hash */
    {"local t = {zeta = 1, alpha = 2, [3] = 3, [1] = 4, [2.5] = 5, [true] = 6, [false] = 7, Beta = 8, [-1] = "
     "9}\n"
     "local out = {} for k in pairs(t) do out[#out + 1] = tostring(k) end return table.concat(out, ' ')",
     "-1 1 2.5 3 Beta alpha zeta false true"},
    {"local t, out, k = {b = 1, a = 2, [10] = 3}, {}, nil\n"
     "repeat k = next(t, k) out[#out + 1] = tostring(k) until k == nil return table.concat(out, ' ')",
     "10 a b nil"},
    {"local t, n = {a = 1, b = 2, c = 3}, 0 for k in pairs(t) do t[k] = nil t.c = nil n = n + 1 end return n",
     "2"},
    {"local n = 0 for k, v in pairs({'\\0a', '\\0b'}) do n = n + k end return n", "3"},
    {"local t = {} for i = 1, 500 do t[i] = (i * 7919) % 501 end table.sort(t)\n"
     "for i = 2, 500 do assert(t[i - 1] < t[i]) end return t[1] .. ' ' .. t[500]",
     "1 500"},
    {"local t = {{1, 'a'}, {0, 'b'}, {1, 'c'}, {0, 'd'}} table.sort(t, function(x, y) return x[1] < y[1] "
     "end)\n"
     "return t[1][2] .. t[2][2] .. t[3][2] .. t[4][2]",
     "bdac"}, /* stable */
    {"local t = {3, 1, 2} table.sort(t, function() return true end) return #t", "3"},
    {"local t = {5} table.insert(t, 6) table.insert(t, 1, 4) table.remove(t, 2) return table.concat(t, ',')",
     "4,6"},
    {"return getmetatable('')", "nil"},
    {"", "nil"},
};

static const Hostile hostile_rows[] = {
    /* runaways */
    {"while true do end", "spec.lua:1: error: ran for the whole budget"},
    {"\n\nlocal function f() return f() end f()", "spec.lua:3: error: ran for the whole budget"},
    {"while true do pcall(function() while true do end end) end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local function f() pcall(f) pcall(f) end f()", "spec.lua:1: error: ran for the whole budget"},
    {"::a:: goto a", "spec.lua:1: error: ran for the whole budget"},
    {"for i = 1, math.huge do end", "spec.lua:1: error: ran for the whole budget"},
    {"local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
     "spec.lua:1: error: C stack overflow"},
    {"local t <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local a = ('x'):rep(1 << 20) while true do local b = a .. 'y' end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local a = ('x'):rep(1 << 20) while true do local b = a:upper() end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local a = ('x'):rep(1 << 20) a = a .. a .. a .. a local b = a .. 'y' local c = a .. 'y' while b == c "
     "do end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local a = ('x'):rep(1 << 20) while true do pcall(string.find, a, 'y') end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local t = {} for i = 1, 1000 do t[i] = i end while true do next(t, 500) end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local t = {} for i = 1, 1000000 do t[i] = -i end table.sort(t)",
     "spec.lua:1: error: ran for the whole budget"},
    {"local t = {} for i = 1, 200000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) "
     "end",
     "spec.lua:1: error: ran for the whole budget"},
    {"local t = {} for i = 1, 200000 do t[i] = i end while true do select('#', table.unpack(t)) end",
     "spec.lua:1: error: ran for the whole budget"},
    {"table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 0)",
     "spec.lua:1: error: functions of 'table' take tables without '__len'"},
    {"table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1 << 60)",
     "spec.lua:1: error: ran for the whole budget"},
    {"table.move({}, 1, 1 << 60, 2)", "spec.lua:1: error: attempt to call a nil value (field 'move')"},
    /* memory */
    {"local t = {}\nfor i = 1, 1 << 40 do t[i] = i end",
     "spec.lua:2: error: out of memory: a program here may hold 64 MiB"},
    {"local s = 'x' while true do s = s .. s end", "spec.lua:1: error: out of memory"},
    {"local t = {} while true do t = {t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, ('x'):rep(1000)} end",
     "spec.lua:1: error: "},
    {"return ('x'):rep(1 << 50)",
     "spec.lua:1: error: string.rep: the result would have more than 1048576 bytes"},
    {"return (''):rep(1 << 50, 'x')", "spec.lua:1: error: string.rep: the result would have"},
    {"return (''):rep(1 << 50)", "spec.lua:1: error: ran for the whole budget"},
    {"local a = ('x'):rep(1 << 20) local t = {} for i = 1, 100 do t[i] = a end return table.concat(t)",
     "spec.lua:1: error: out of memory"},
    /* patterns */
    {"return (('a'):rep(30)):match(('a?'):rep(30) .. ('a'):rep(30))",
     "spec.lua:1: error: string.match: this pattern may take more than 10000000 steps on 30 bytes"},
    {"return (('a'):rep(3000)):find('.-.-.-.-b')", "spec.lua:1: error: string.find: this pattern may take"},
    {"return (('a'):rep(3000)):gsub('(.*)(.*)(.*)b', '')",
     "spec.lua:1: error: string.gsub: this pattern may take"},
    {"for w in (('('):rep(9000)):gmatch('%b()') do end",
     "spec.lua:1: error: string.gmatch: this pattern may take"},
    {"return (('a'):rep(1 << 20)):find(('a'):rep(1 << 19) .. 'b', 1, true)",
     "spec.lua:1: error: string.find: this pattern may take"},
    {"return ('x'):find('[')", "spec.lua:1: error: malformed pattern (missing ']')"},
    {"return ('x'):find('%')", "spec.lua:1: error: malformed pattern (ends with '%')"},
    {"return ('x'):find('[%')", "spec.lua:1: error: malformed pattern"},
    {"return string.format('%99d', 1):rep(1 << 20)", "spec.lua:1: error: string.rep"},
    {"return string.format('%100d', 1)", "spec.lua:1: error: invalid conversion"},
    {"return string.format('%p', {})", "spec.lua:1: error: string.format: '%p' is refused"},
    {"return string.format('%d', {})", "spec.lua:1: error: bad argument #2 to 'format'"},
    {"return string.format('%s')", "spec.lua:1: error: bad argument #2 to 'format'"},
    /* what is not there */
    {"os.exit(1)", "spec.lua:1: error: 'os' is not available: programs here run in a sandbox"},
    {"\nio.open('/etc/passwd')", "spec.lua:2: error: 'io' is not available"},
    {"debug.sethook()", "spec.lua:1: error: 'debug' is not available"},
    {"load('return 1')", "spec.lua:1: error: 'load' is not available"},
    {"dofile('x')", "spec.lua:1: error: 'dofile' is not available"},
    {"require 'os'", "spec.lua:1: error: 'require' is not available"},
    {"collectgarbage()", "spec.lua:1: error: 'collectgarbage' is not available"},
    {"print(1)", "spec.lua:1: error: 'print' is not available"},
    {"coroutine.wrap(function() while true do end end)()", "spec.lua:1: error: 'coroutine' is not available"},
    {"package.loadlib('x', '*')", "spec.lua:1: error: 'package' is not available"},
    {"return _G.os", "spec.lua:1: error: '_G' is not available"},
    {"return tostrng(1)", "spec.lua:1: error: unknown name 'tostrng'; did you mean 'tostring'?"},
    {"return qqqqqqqqqqqqqqqq", "spec.lua:1: error: unknown name 'qqqqqqqqqqqqqqqq'"},
    {"return _ENV[{}]", "spec.lua:1: error: unknown name '?'"},
    {"return math.random()", "spec.lua:1: error: attempt to call a nil value (field 'random')"},
    {"return string.dump(function() end)", "spec.lua:1: error: attempt to call a nil value (field 'dump')"},
    {"return ('x'):dump()", "spec.lua:1: error: attempt to call a nil value (method 'dump')"},
    {"setmetatable({}, {__gc = function() end})", "spec.lua:1: error: '__gc' is refused"},
    {"setmetatable({}, {__mode = 'k'})", "spec.lua:1: error: '__mode' is refused"},
    {"setmetatable(_ENV, nil)", "spec.lua:1: error: cannot change a protected metatable"},
    {"for k in pairs({[{}] = 1}) do end",
     "spec.lua:1: error: a key is a table: only numbers, strings and booleans"},
    {"next({[{}] = 1, [pairs] = 2}, 'x')", "spec.lua:1: error: a key is a "},
    /* errors of every make */
    {"error({code = 1})",
     "spec.lua:1: error: an error was raised whose value is a table without readable text"},
    {"\nerror(setmetatable({}, {__tostring = function() return 'own text' end}))",
     "spec.lua:2: error: own text"},
    {"error(setmetatable({}, {__tostring = function() error('again') end}))",
     "spec.lua:1: error: an error was raised whose value is a table"},
    {"error(setmetatable({}, {__tostring = function() return {} end}))",
     "spec.lua:1: error: an error was raised whose value is a table"},
    {"error(setmetatable({}, {__tostring = function() while true do end end}))",
     "spec.lua:1: error: an error was raised whose value is a table"},
    {"error()", "spec.lua:1: error: an error was raised whose value is a nil"},
    {"error(tostring)", "spec.lua:1: error: an error was raised whose value is a function"},
    {"error('plain', 0)", "spec.lua:1: error: plain"},
    {"local function f()\n error('caller', 2)\nend\nf()", "spec.lua:4: error: caller"},
    {"error('two\\nlines\\tand \\27[31m')", "spec.lua:1: error: two lines and  [31m"},
    {"error(('long '):rep(1000))", "spec.lua:1: error: long long"},
    {"assert(false)", "spec.lua:1: error: assertion failed!"},
    {"local x = nil\nreturn x.y", "spec.lua:2: error: attempt to index a nil value (local 'x')"},
    {"local function f(n) return 1 + f(n + 1) end return f(1)", "spec.lua:1: error: stack overflow"},
    {"local function f() return pcall(f) end return f(error)", NULL},
    {"local t = {} for i = 1, 250 do t = setmetatable({}, {__index = t}) end return t.x + 1",
     "spec.lua:1: error: "},
    {"return 1 +", "spec.lua:1: error: unexpected symbol near <eof>"},
    {"x = = 1", "spec.lua:1: error: unexpected symbol near '='"},
    {"return \"open", "spec.lua:1: error: unfinished string near"},
    {"\x1bLua", "spec.lua: error: this is Lua bytecode; only source text is read"},
};

static char *first_message(const Diagnostics *diagnostics)
{
    return diagnostics->count > 0 ? diagnostics->message[0] : "";
}

static void check_harmless(const Harmless *row)
{
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    Sandbox *sandbox = sandbox_create();
    lua_State *state = sandbox_state(sandbox);
    bool done = sandbox_run(sandbox, &diagnostics, "spec.lua", row->program, strlen(row->program));
    assert_string_equal(first_message(&diagnostics), "");
    assert_true(done);
    assert_int_equal(lua_gettop(state), 1);
    const char *result = lua_isboolean(state, 1) ? (lua_toboolean(state, 1) ? "true" : "false")
                         : lua_isnil(state, 1)   ? "nil"
                                                 : lua_tostring(state, 1);
    assert_string_equal(result, row->result);
    sandbox_destroy(sandbox);
    arena_destroy(arena);
}

static void harmless_programs_work(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(harmless_rows); i++)
        check_harmless(&harmless_rows[i]);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* One state for all rows: what one program did must not matter to the next. */
static void hostile_programs_end_as_diagnostics(void **unused)
{
    (void)unused;
    Sandbox *sandbox = sandbox_create();
    for (size_t i = 0; i < COUNT(hostile_rows); i++) {
        const Hostile *row = &hostile_rows[i];
        Arena *arena = arena_create();
        Diagnostics diagnostics;
        diagnostics_init(&diagnostics, arena);
        double started = now();
        bool done = sandbox_run(sandbox, &diagnostics, "spec.lua", row->program, strlen(row->program));
        double seconds = now() - started;
        if (row->message && strncmp(first_message(&diagnostics), row->message, strlen(row->message)))
            fail_msg("%s\n  gave '%s'\n  expected '%s'", row->program, first_message(&diagnostics),
                     row->message);
        if (seconds > (SLOW_BUILD ? 20 : 2.5))
            fail_msg("%s\n  took %.2f s", row->program, seconds);
        if (row->message) {
            assert_false(done);
            assert_int_equal(diagnostics.count, 1);
            assert_true(strlen(first_message(&diagnostics)) < 600);
        }
        lua_settop(sandbox_state(sandbox), 0);
        arena_destroy(arena);
    }
    sandbox_destroy(sandbox);
}

static void oversized_and_long_named_programs_are_refused_well(void **unused)
{
    (void)unused;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    Sandbox *sandbox = sandbox_create();
    char *big = arena_alloc(arena, SANDBOX_FILE_LIMIT + 2, 1);
    memset(big, ' ', SANDBOX_FILE_LIMIT + 1);
    assert_false(sandbox_run(sandbox, &diagnostics, "big.lua", big, SANDBOX_FILE_LIMIT + 1));
    assert_string_equal(
        diagnostics.message[0],
        "big.lua: error: too large: 1 MiB is the limit for a program here; keep data out of it");
    char name[200], expected[300];
    memset(name, 'd', sizeof name);
    strcpy(name + sizeof name - 7, "/a.lua");
    assert_false(sandbox_run(sandbox, &diagnostics, name, "\nerror('here')", 14));
    snprintf(expected, sizeof expected, "%s:2: error: here",
             name); /* Lua itself shortens it to "...ddd/a.lua" */
    assert_string_equal(diagnostics.message[1], expected);
    sandbox_destroy(sandbox);
    arena_destroy(arena);
}

static int report_and_stop(lua_State *state)
{
    Diagnostics *diagnostics = lua_touserdata(state, lua_upvalueindex(1));
    diagnostics_error(diagnostics, sandbox_location(state, diagnostics->arena),
                      "the constructor's own words");
    sandbox_stop(state);
}

static void constructors_report_once_and_know_their_line(void **unused)
{
    (void)unused;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    Sandbox *sandbox = sandbox_create();
    lua_State *state = sandbox_state(sandbox);
    lua_pushlightuserdata(state, &diagnostics);
    lua_pushcclosure(state, report_and_stop, 1);
    lua_setglobal(state, "constructor");
    assert_false(sandbox_run(sandbox, &diagnostics, "spec.lua", "local a\n\nconstructor()", 22));
    assert_int_equal(diagnostics.count, 1);
    assert_string_equal(diagnostics.message[0], "spec.lua:3: error: the constructor's own words");
    assert_int_equal(lua_gettop(state), 0);
    sandbox_destroy(sandbox);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harmless_programs_work),
        cmocka_unit_test(hostile_programs_end_as_diagnostics),
        cmocka_unit_test(oversized_and_long_named_programs_are_refused_well),
        cmocka_unit_test(constructors_report_once_and_know_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
