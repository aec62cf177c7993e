/* compile.c: a .cu or .metal to a shared object, by Clang alone: no CUDA toolkit, no C++ standard library.
 *
 * What is compiled is a file of its own that includes the headers, the source as it lies, and one function
 * per kernel that hands it its arguments. The headers are part of this program and are written beside the
 * result. */
#include "driver/child.h"
#include "simt/scan.h"
#include "simt/shims.h"
#include "simt/simt.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCE_LIMIT = 16 << 20, ARGUMENTS = 64 };
static const ChildLimits limits = {120, 0};

/* ---- files ---- */

static const char *folder_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_copy_bytes(arena, path, (size_t)(slash - path)) : ".";
}

static const char *make_folder(Arena *arena, const char *path)
{
    char *copy = arena_copy(arena, path);
    for (char *at = copy + 1; *copy; at++) {
        if (*at != '/' && *at) {
            continue;
        }
        const bool last = !*at;
        *at = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            return arena_printf(arena, "%s: %s", copy, strerror(errno));
        }
        if (last) {
            break;
        }
        *at = '/';
    }
    return NULL;
}

static const char *write_file(Arena *arena, const char *path, const char *text)
{
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    const char *why = buffer_write_file(&buffer, path);
    buffer_destroy(&buffer);
    return why ? arena_printf(arena, "%s: %s", path, why) : NULL;
}

static const char *write_shims(Arena *arena, const char *folder)
{
    const char *why = NULL;
    for (int i = 0; i < simt_shim_count && !why; i++) {
        const char *path = arena_printf(arena, "%s/%s", folder, simt_shims[i].name);
        why = make_folder(arena, folder_of(arena, path));
        why = why ? why : write_file(arena, path, simt_shims[i].text);
    }
    return why;
}

static bool is_metal(const char *source)
{
    const char *dot = strrchr(source, '.');
    return dot && strcmp(dot, ".metal") == 0;
}

/* ---- the file that is compiled ---- */

/* The argument that parameter p of a kernel takes; -1: a position in the grid. */
static int argument_of(const ScanKernel *kernel, int parameter)
{
    const char *attribute = kernel->attribute[parameter];
    if (!attribute) {
        return parameter;
    }
    return strncmp(attribute, "buffer(", 7) == 0 ? atoi(attribute + 7) : -1;
}

static void write_call(Buffer *text, const ScanKernel *kernel)
{
    buffer_printf(text,
                  "__attribute__((no_sanitize(\"thread\", \"undefined\"))) static void samebits_call_%s(void "
                  "*const *a)\n{\n    "
                  "(void)a;\n    %s(",
                  kernel->name, kernel->name);
    for (int i = 0; i < kernel->parameters; i++) {
        const int argument = argument_of(kernel, i);
        const char *comma = i ? ", " : "";
        if (argument < 0) {
            buffer_printf(text, "%ssamebits_%s()", comma, kernel->attribute[i]);
        } else {
            buffer_printf(text, "%ssamebits_argument{a[%d]}", comma, argument);
        }
    }
    buffer_append_string(text, ");\n}\n");
}

/* Its arguments are numbered 0, 1, 2 ... without a gap. */
static const char *write_kinds(Arena *arena, Buffer *text, const ScanKernel *kernel)
{
    int parameter_of[ARGUMENTS], arguments = 0;
    memset(parameter_of, -1, sizeof parameter_of);
    for (int i = 0; i < kernel->parameters; i++) {
        const int argument = argument_of(kernel, i);
        if (argument >= ARGUMENTS) {
            return arena_printf(arena, "kernel %s: buffer(%d), and there are at most %d", kernel->name,
                                argument, ARGUMENTS);
        }
        if (argument >= 0) {
            parameter_of[argument] = i;
            arguments = argument >= arguments ? argument + 1 : arguments;
        }
    }
    buffer_printf(text, "static const char samebits_kinds_%s[] = {", kernel->name);
    for (int i = 0; i < arguments; i++) {
        if (parameter_of[i] < 0) {
            return arena_printf(arena, "kernel %s has no buffer(%d), though it has buffer(%d)", kernel->name,
                                i, arguments - 1);
        }
        buffer_printf(text, "samebits_parameter<%d>(%s), ", parameter_of[i], kernel->name);
    }
    buffer_append_string(text, "0};\n");
    return NULL;
}

static const char *write_wrapper(Arena *arena, Buffer *text, const char *source, const Scan *scan)
{
    const char *why = NULL;
    buffer_printf(text, "#include \"%s\"\n#include \"%s\"\n",
                  is_metal(source) ? "module_shim.h" : "cuda_shim.h", source);
    buffer_append_string(
        text, "#undef kernel\n#undef device\n#undef constant\n#undef thread\n#undef threadgroup\n");
    for (int i = 0; i < scan->kernels && !why; i++) {
        write_call(text, &scan->kernel[i]);
        why = write_kinds(arena, text, &scan->kernel[i]);
    }
    buffer_append_string(text, "SAMEBITS_EXPORT const SimtEntry samebits_simt_entries[] = {\n");
    for (int i = 0; i < scan->kernels; i++) {
        const char *name = scan->kernel[i].name;
        buffer_printf(text, "    {\"%s\", samebits_call_%s, samebits_kinds_%s},\n", name, name, name);
    }
    buffer_append_string(text, "    {0, 0, 0}};\n#include \"module_end.h\"\n");
    return why;
}

/* ---- the compiler ---- */

typedef struct Command {
    const char *argument[64];
    int count;
} Command;

static void add(Command *command, const char *argument)
{
    command->argument[command->count++] = argument;
}

/* $SAMEBITS_CLANG may be several words; the shell splits it. */
static Command start_command(void)
{
    return (Command){{"sh", "-c", "exec ${SAMEBITS_CLANG:-clang} \"$@\"", "clang"}, 4};
}

/* One instruction where the machine has one; else each fma is a call of the C library, as exact and five
 * times slower. */
static void add_machine(Command *command)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2")) {
        add(command, "-mfma");
        add(command, "-mavx2");
    }
#else
    (void)command;
#endif
}

static void add_build(Command *command, SimtBuild build)
{
    if (build == SIMT_PLAIN) {
        add(command, "-O2");
        add(command, "-fsanitize=bounds");
        return;
    }
    static const char *const flags[] = {"-O1",
                                        "-fno-vectorize",
                                        "-fno-slp-vectorize",
                                        "-DSAMEBITS_CHECKED",
                                        "-fsanitize=thread",
                                        "-fsanitize=bounds,shift,integer-divide-by-zero,signed-integer-"
                                        "overflow,float-cast-overflow,alignment,null,unreachable,return",
                                        "-mllvm",
                                        "-tsan-instrument-func-entry-exit=0"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        add(command, flags[i]);
    }
}

static Command compile_command(Arena *arena, const char *folder, const char *source, const char *wrapper,
                               const char *object, SimtBuild build)
{
    static const char *const flags[] = {"-x",
                                        "c++",
                                        "-std=gnu++17",
                                        "-nostdinc",
                                        "-fno-exceptions",
                                        "-fno-rtti",
                                        "-ffp-contract=off",
                                        "-fno-fast-math",
                                        "-fno-math-errno",
                                        "-fno-threadsafe-statics",
                                        "-fPIC",
                                        "-fvisibility=hidden",
                                        "-gdwarf-4",
                                        "-gline-tables-only",
                                        "-fstack-clash-protection",
                                        "-Wall",
                                        "-Wextra",
                                        "-Werror",
                                        "-Wno-unknown-attributes",
                                        "-Wno-unknown-pragmas",
                                        "-Wno-unused-function",
                                        "-Wno-unused-const-variable",
                                        "-Wno-duplicate-decl-specifier",
                                        "-Wno-unknown-warning-option",
                                        "-Wno-unused-command-line-argument",
                                        "-Wno-tautological-pointer-compare"};
    Command command = start_command();
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        add(&command, flags[i]);
    }
    add_build(&command, build);
    add_machine(&command);
    add(&command, arena_printf(arena, "-ffile-prefix-map=%s/=", folder_of(arena, source)));
    add(&command, arena_printf(arena, "-I%s", folder));
    add(&command, "-c");
    add(&command, wrapper);
    add(&command, "-o");
    add(&command, object);
    return command;
}

static Command link_command(const char *object, const char *output)
{
    static const char *const flags[] = {"-shared",
#ifndef __APPLE__
                                        "-Wl,--no-undefined", "-Wl,-Bsymbolic",
#endif
                                        "-lm"};
    Command command = start_command();
    add(&command, object);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        add(&command, flags[i]);
    }
    add(&command, "-o");
    add(&command, output);
    return command;
}

static const char *run_command(Arena *arena, Command *command)
{
    Buffer said = {0};
    command->argument[command->count] = NULL;
    const char *why = child_exec(arena, limits, command->argument, NULL, &said);
    const char *words = arena_copy(arena, buffer_string(&said));
    buffer_destroy(&said);
    if (why && strstr(why, "127")) {
        return "skipped: there is no clang here (SAMEBITS_CLANG names another)";
    }
    return why ? arena_printf(arena, "%s\n%s", why, words) : NULL;
}

/* ---- the whole ---- */

static const char *read_source(Arena *arena, const char *path, const char **text)
{
    Buffer buffer = {0};
    const char *why = buffer_read_file(&buffer, path, SOURCE_LIMIT);
    *text = why ? NULL : arena_copy(arena, buffer_string(&buffer));
    buffer_destroy(&buffer);
    return why ? arena_printf(arena, "%s: %s", path, why) : NULL;
}

static const char *absolute(Arena *arena, const char *path)
{
    char whole[PATH_MAX];
    return realpath(path, whole) ? arena_copy(arena, whole) : path;
}

static const char *build_wrapper(Arena *arena, const char *source, const char *output, const char **wrapper)
{
    const char *text;
    const char *why = read_source(arena, source, &text);
    if (why) {
        return why;
    }
    Scan *scan = ARENA_NEW(arena, Scan);
    why = scan_kernels(arena, text, is_metal(source), scan);
    if (why) {
        return arena_printf(arena, "%s: %s", source, why);
    }
    Buffer file = {0};
    why = write_wrapper(arena, &file, source, scan);
    *wrapper = arena_printf(arena, "%s.cc", output);
    why =
        why ? arena_printf(arena, "%s: %s", source, why) : write_file(arena, *wrapper, buffer_string(&file));
    buffer_destroy(&file);
    return why;
}

const char *simt_compile(Arena *arena, const char *source, const char *output, SimtBuild build)
{
    const char *folder = arena_printf(arena, "%s/simt", folder_of(arena, output)), *wrapper;
    source = absolute(arena, source);
    const char *why = write_shims(arena, folder);
    why = why ? why : build_wrapper(arena, source, output, &wrapper);
    if (why) {
        return why;
    }
    const char *object = arena_printf(arena, "%s.%ld.o", output, (long)getpid());
    const char *fresh = arena_printf(arena, "%s.%ld", output, (long)getpid());
    Command compile = compile_command(arena, folder, source, wrapper, object, build),
            link = link_command(object, fresh);
    why = run_command(arena, &compile);
    why = why ? why : run_command(arena, &link);
    if (!why && rename(fresh, output) != 0) {
        why = arena_printf(arena, "%s: %s", output, strerror(errno));
    }
    unlink(object);
    unlink(fresh);
    return why;
}

const char *simt_lint_metal(Arena *arena, const char *source, const char *folder)
{
    const char *why = write_shims(arena, folder);
    if (why) {
        return why;
    }
    static const char *const flags[] = {"-x",
                                        "cl",
                                        "-cl-std=clc++1.0",
                                        "-cl-no-stdinc",
                                        "-nostdinc",
                                        "-target",
                                        "spir64",
                                        "-fsyntax-only",
                                        "-Wall",
                                        "-Wextra",
                                        "-Werror",
                                        "-Wno-unknown-attributes",
                                        "-Wno-unknown-pragmas",
                                        "-Wno-unused-function",
                                        "-Wno-unused-const-variable",
                                        "-Wno-unused-parameter"};
    Command command = start_command();
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        add(&command, flags[i]);
    }
    add(&command, arena_printf(arena, "-I%s/lint", folder));
    add(&command, absolute(arena, source));
    return run_command(arena, &command);
}
