/* ninja.c: rows of compilers and flags; writes build.ninja.
 *
 * The file is the same on every machine: compilers are named, not resolved, and what a run may choose
 * ($SAMEBITS_CLANG, $SAMEBITS_GCC, and a time limit to put before every command) is read by the shell when a
 * command runs. `ninja -C out/<family>` by hand does what `samebits compile` does. obj/<compiler>.version
 * holds what the compiler says about itself; it is asked each time and the file changes only when the answer
 * does, so a new compiler rebuilds.
 *
 * <immintrin.h> is about a third of compiling a vector kernel. Where several use it, each clang row reads it
 * precompiled: obj/<row>/<target>.pch, with the row's own flags, made again when the compiler's version or a
 * header changes. obj/<row>/<target>.flags says how to use it and is empty where this compiler makes none or
 * does not take it back (another compiler behind SAMEBITS_CLANG): the source stands alone either way, and the
 * object is the same.
 *
 * Kernels for ranks are compiled by mpicc ($SAMEBITS_MPICC), which is told the row's compiler in the ways of
 * Open MPI and of MPICH. Without an mpicc their commands fail and nothing else does.
 *
 * Measured (clang 14, ld 2.40, one AVX2 kernel with OpenMP): compiling and linking in one command 0.20 s of
 * one core (0.31 s without the precompiled header, which itself takes 0.2 s, once), of which linking 0.04 s
 * with ld, 0.04 s with lld, 0.03 s with gold: no reason to depend on another linker. */
#include "emit/ninja.h"

#include "text/buffer.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* -fno-math-errno: nobody reads errno after sqrtf, and the call it would need keeps loops scalar; values are
 * the same. -falign-*: where a loop happens to start must not decide a benchmark. Clang before 14 knows no
 * -falign-loops and says so. */
#define COMMON_FLAGS(level)                                                                                  \
    "-std=c11 " level " -ffp-contract=off -fno-fast-math -fno-math-errno -falign-functions=64 -fPIC "        \
    "-fopenmp -Wall -Wextra -Werror"
#define CLANG_FLAGS(level) COMMON_FLAGS(level) " -falign-loops=64 -Wno-ignored-optimization-argument"
#define GCC_FLAGS(level)   COMMON_FLAGS(level) " -Wno-unknown-pragmas"
#define BASELINE_FLAGS     "-std=c11 -Ofast -falign-functions=64 -fPIC -fopenmp -Wall -Wextra"

const Build build_rows[] = {
    {"clang-O3", "clang", CLANG_FLAGS("-O3"), true, true},
    {"clang-O0", "clang", CLANG_FLAGS("-O0"), true, false},
    {"gcc-O3", "gcc", GCC_FLAGS("-O3"), false, false},
    {"gcc-O0", "gcc", GCC_FLAGS("-O0"), false, false},
};
const int build_count = sizeof build_rows / sizeof build_rows[0];

/* No -Werror: newer clangs warn about -Ofast itself. */
const BaselineBuild baseline_rows[] = {
    {"baseline-clang", "clang", BASELINE_FLAGS " -falign-loops=64 -Wno-ignored-optimization-argument", "-lm"},
    {"baseline-libmvec", "clang",
     BASELINE_FLAGS " -fveclib=libmvec -falign-loops=64 -Wno-ignored-optimization-argument", "-lmvec -lm"},
    {"baseline-gcc", "gcc", BASELINE_FLAGS " -Wno-unknown-pragmas", "-lm"},
};
const int baseline_count = sizeof baseline_rows / sizeof baseline_rows[0];

static const char head[] =
    "# Compiles the kernels of one family. Written by `samebits generate`; run by "
    "`samebits compile` or by ninja itself.\n"
    "# SAMEBITS_CLANG and SAMEBITS_GCC name other compilers; SAMEBITS_LIMIT is put "
    "before each command (timeout 60).\n"
    "ninja_required_version = 1.7\n"
    "cc_clang = $${SAMEBITS_CLANG:-clang}\n"
    "cc_gcc = $${SAMEBITS_GCC:-gcc}\n"
    "mpicc = $${SAMEBITS_MPICC:-mpicc}\n"
    "limit = $${SAMEBITS_LIMIT-}\n"
    "target =\n"
    "libraries = -lm\n"
    "header =\n"
    "\n"
    "rule version\n"
    "  command = $limit $compiler --version > $out.new && "
    "if cmp -s $out.new $out; then rm $out.new; else mv $out.new $out; fi\n"
    "  description = $out\n"
    "  restat = 1\n"
    "rule version_mpi\n"
    "  command = { $limit $mpicc -show || true; } > $out.new 2>/dev/null; "
    "if cmp -s $out.new $out; then rm $out.new; else mv $out.new $out; fi\n"
    "  description = $out\n"
    "  restat = 1\n"
    "rule link\n"
    "  command = exec $limit $cc_clang -shared -fopenmp -o $out $in $libraries\n"
    "  description = $out\n"
    "rule link-mpi\n"
    "  command = exec env OMPI_CC=\"$cc_clang\" MPICH_CC=\"$cc_clang\" $limit $mpicc -shared "
    "-fopenmp -o $out $in $libraries\n"
    "  description = $out\n";

/* `header` is set where a precompiled one is used: "@obj/clang-O3/avx2.flags". */
static void append_build_rule(Buffer *text, const Build *row)
{
    buffer_printf(
        text,
        "rule %s\n  command = exec $limit $cc_%s %s $target $header %s -o $out $in%s\n  description = $out\n",
        row->name, row->compiler, row->flags, row->links ? "-shared" : "-c", row->links ? " $libraries" : "");
}

/* A row whose objects are compiled by the compiler that can use its own precompiled headers. */
static bool row_precompiles(const Build *row)
{
    return strcmp(row->compiler, "clang") == 0;
}

static bool is_vector(const Variant *variant)
{
    return !variant->target->gpu && !variant->target->ranks && variant->target->width > 1;
}

static bool is_precompiled_for(const Family *family, const Build *row, const Variant *variant)
{
    int users = 0;
    for (int v = 0; v < family->variants; v++) {
        users += is_vector(&family->variant[v]) && family->variant[v].target == variant->target;
    }
    return row_precompiles(row) && is_vector(variant) && users > 1;
}

/* Made and taken back, or there is none: what a compiler says about its own header is nobody's mistake. */
static void append_header_rule(Buffer *text, const Build *row)
{
    buffer_printf(
        text,
        "rule %s-header\n"
        "  command = { echo '#include <immintrin.h>' | $limit $cc_%s %s $target -MD -MT $out -MF $pch.d "
        "-x c-header -o $pch - && "
        "echo 'extern int empty;' | $limit $cc_%s %s $target -include-pch $pch -x c -fsyntax-only - && "
        "echo -include-pch $pch > $out; } > $pch.log 2>&1 || { : > $out; : > $pch; echo $out: > $pch.d; }\n"
        "  depfile = $pch.d\n"
        "  description = $out\n",
        row->name, row->compiler, row->flags, row->compiler, row->flags);
}

static const char *header_name(Arena *arena, const Build *row, const Variant *variant, const char *suffix)
{
    return arena_printf(arena, "obj/%s/%s.%s", row->name, variant->target->name, suffix);
}

/* One per row and target. */
static void append_header(Buffer *text, Arena *arena, const Family *family, const Build *row)
{
    for (int v = 0; v < family->variants; v++) {
        const Variant *variant = &family->variant[v];
        bool is_first = is_precompiled_for(family, row, variant);
        for (int before = 0; before < v; before++) {
            is_first &= family->variant[before].target != variant->target;
        }
        if (is_first) {
            buffer_printf(text, "build %s | %s: %s-header | obj/%s.version\n  pch = %s\n  target = %s\n",
                          header_name(arena, row, variant, "flags"), header_name(arena, row, variant, "pch"),
                          row->name, row->compiler, header_name(arena, row, variant, "pch"),
                          variant->target->compile);
        }
    }
}

static void append_ranks_rule(Buffer *text, const Build *row)
{
    buffer_printf(text,
                  "rule %s-mpi\n  command = exec env OMPI_CC=\"$cc_%s\" MPICH_CC=\"$cc_%s\" $limit $mpicc %s "
                  "$target %s -o $out $in%s\n  description = $out\n",
                  row->name, row->compiler, row->compiler, row->flags, row->links ? "-shared" : "-c",
                  row->links ? " $libraries" : "");
}

static void append_rules(Buffer *text)
{
    buffer_append_string(text, head);
    for (int b = 0; b < build_count; b++) {
        append_build_rule(text, &build_rows[b]);
        if (row_precompiles(&build_rows[b])) {
            append_header_rule(text, &build_rows[b]);
        }
        append_ranks_rule(text, &build_rows[b]);
    }
    for (int b = 0; b < baseline_count; b++) {
        const BaselineBuild *row = &baseline_rows[b];
        append_build_rule(text, &(Build){row->name, row->compiler, row->flags, false, false});
    }
    buffer_append_string(text, "\nbuild always: phony\n"
                               "build obj/clang.version: version always\n  compiler = $cc_clang\n"
                               "build obj/gcc.version: version always\n  compiler = $cc_gcc\n"
                               "build obj/mpicc.version: version_mpi always\n");
}

static void append_target(Buffer *text, const char *flags)
{
    if (flags && *flags) {
        buffer_printf(text, "  target = %s\n", flags);
    }
}

static void append_object(Buffer *text, Arena *arena, const Family *family, const Variant *variant,
                          const Build *row)
{
    const char *header =
        is_precompiled_for(family, row, variant) ? header_name(arena, row, variant, "flags") : NULL;
    const char *by = variant->target->ranks ? "-mpi" : "", *needs = *by ? " obj/mpicc.version" : "";
    buffer_printf(text, "build obj/%s/%s.%s: %s%s %s | obj/%s.version%s%s%s\n", row->name, variant->id,
                  row->links ? "so" : "o", row->name, by, variant->source, row->compiler, needs,
                  header ? " " : "", header ? header : "");
    append_target(text, variant->target->compile);
    if (header) {
        buffer_printf(text, "  header = @%s\n", header);
    }
    if (!row->links) {
        buffer_printf(text, "build obj/%s/%s.so: link%s obj/%s/%s.o | obj/clang.version%s\n", row->name,
                      variant->id, by, row->name, variant->id, needs);
    }
}

static void append_variants(Buffer *text, Arena *arena, const Family *family, const Build *row)
{
    buffer_append_string(text, "\n");
    append_header(text, arena, family, row);
    for (int v = 0; v < family->variants; v++) {
        if (!family->variant[v].target->gpu) {
            append_object(text, arena, family, &family->variant[v], row);
        }
    }
    buffer_printf(text, "build %s: phony", row->name);
    for (int v = 0; v < family->variants; v++) {
        if (!family->variant[v].target->gpu) {
            buffer_printf(text, " obj/%s/%s.so", row->name, family->variant[v].id);
        }
    }
    buffer_append_string(text, "\n");
}

static void append_controls(Buffer *text, Arena *arena, const Family *family)
{
    if (family->controls == 0) {
        return;
    }
    buffer_append_string(text, "\n");
    for (int c = 0; c < family->controls; c++) {
        append_object(text, arena, family, &family->control[c], &build_rows[0]);
    }
    buffer_append_string(text, "build controls: phony");
    for (int c = 0; c < family->controls; c++) {
        buffer_printf(text, " obj/%s/%s.so", build_rows[0].name, family->control[c].id);
    }
    buffer_append_string(text, "\n");
}

/* The widest vectors that the family uses: what the baseline may use as well. */
static const char *vector_flags(const Family *family)
{
    const Target *widest = NULL;
    for (int v = 0; v < family->variants; v++) {
        const Target *target = family->variant[v].target;
        if (!target->gpu && (!widest || target->width > widest->width)) {
            widest = target;
        }
    }
    for (int t = 0; t < target_count && (!widest || widest->width <= 1); t++) {
        widest = &target_rows[t]; /* a family of scalar kernels only is still compared with vector code */
    }
    return widest ? widest->compile : NULL;
}

static void append_baselines(Buffer *text, const Family *family)
{
    const char *name = family->op->name;
    buffer_append_string(text, "\n");
    for (int b = 0; b < baseline_count; b++) {
        const BaselineBuild *row = &baseline_rows[b];
        buffer_printf(text, "build obj/%s/baseline_%s.o: %s baseline_%s.c | obj/%s.version\n", row->name,
                      name, row->name, name, row->compiler);
        append_target(text, vector_flags(family));
        buffer_printf(
            text,
            "build obj/%s/baseline_%s.so: link obj/%s/baseline_%s.o | obj/clang.version\n  libraries = %s\n",
            row->name, name, row->name, name, row->libraries);
    }
    buffer_append_string(text, "build baselines: phony");
    for (int b = 0; b < baseline_count; b++) {
        buffer_printf(text, " obj/%s/baseline_%s.so", baseline_rows[b].name, name);
    }
    buffer_append_string(text, "\n");
}

static const char *make_folder(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? NULL : strerror(errno);
}

const char *build_write_ninja(const Family *family, const char *out_dir)
{
    Buffer text = {0}, path = {0};
    Arena *arena = arena_create();
    append_rules(&text);
    for (int b = 0; b < build_count; b++) {
        append_variants(&text, arena, family, &build_rows[b]);
    }
    append_controls(&text, arena, family);
    append_baselines(&text, family);
    buffer_printf(&text, "\ndefault %s%s\n", build_rows[0].name, family->controls ? " controls" : "");

    const char *why = make_folder(out_dir);
    buffer_printf(&path, "%s/%s", out_dir, family->name);
    why = why ? why : make_folder(path.data);
    buffer_append_string(&path, "/build.ninja");
    why = why ? why : buffer_write_file(&text, path.data);
    buffer_destroy(&text);
    buffer_destroy(&path);
    arena_destroy(arena);
    return why;
}

const char *build_command_text(Arena *arena, const Variant *variant, int build)
{
    if (strcmp(variant->target->name, "cuda") == 0) {
        return arena_printf(arena, "nvcc -arch=sm_80 -ptx -o %s.ptx %s", variant->id, variant->source);
    }
    if (strcmp(variant->target->name, "metal") == 0) {
        return arena_printf(arena, "xcrun -sdk macosx metal -o %s.metallib %s", variant->id, variant->source);
    }
    if (variant->target->ranks) {
        return arena_printf(arena, "mpicc -O3 -fopenmp -o %s %s -lm && mpirun -np 4 ./%s SIZES", variant->id,
                            variant->source, variant->id);
    }
    const Build *row = &build_rows[build];
    const char *target = variant->target->compile ? variant->target->compile : "";
    const char *space = *target ? " " : "";
    if (row->links) {
        return arena_printf(arena, "%s %s%s%s -shared -o %s.so %s -lm", row->compiler, row->flags, space,
                            target, variant->id, variant->source);
    }
    return arena_printf(arena, "%s %s%s%s -c -o %s.o %s && clang -shared -fopenmp -o %s.so %s.o -lm",
                        row->compiler, row->flags, space, target, variant->id, variant->source, variant->id,
                        variant->id);
}
