/* modules.c: see modules.h.
 *
 * A module is made again when what it is made of changed: the digest of the source, of the headers that the
 * program carries and of the compiler's version lies beside it (<object>.key). Not Ninja's work: what
 * translates PTX and what knows the headers is this program, and build.ninja is the same on every machine.
 *
 * A reason why there is none is kept beside it as well (<object>.why), so that a later verification can say
 * it. */
#include "driver/modules.h"

#include "driver/child.h"
#include "driver/explain.h"
#include "platform/platform.h"
#include "ptx/ptx.h"
#include "ptx/texts.h"
#include "report/progress.h"
#include "simt/shims.h"
#include "simt/simt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* AddressSanitizer does not guard its own locks over a fork: two threads must not start compilers. */
#if defined(__SANITIZE_ADDRESS__)
enum { WORKERS = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { WORKERS = 0 };
#else
enum { WORKERS = 2 };
#endif
#else
enum { WORKERS = 2 };
#endif
enum { SOURCE_LIMIT = 16 << 20 };
_Static_assert(SHA256_DIGEST_SIZE == 32, "a key has 64 digits");

const char *const module_row_names[MODULE_ROWS] = {"simt", "simt-watched", "ptx", "ptx-nvcc"};

const char *module_row_why_not(const Target *target, ModuleRow row)
{
    const bool from_ptx = row == MODULE_PTX || row == MODULE_PTX_NVCC;
    return from_ptx && strcmp(target->name, "cuda") != 0 ? "only CUDA kernels become PTX" : NULL;
}

/* ---- keys and reasons ---- */

static const char *read_text(Arena *arena, const char *path)
{
    Buffer buffer = {0};
    const char *why = buffer_read_file(&buffer, path, SOURCE_LIMIT);
    const char *text = why ? NULL : arena_copy(arena, buffer_string(&buffer));
    buffer_destroy(&buffer);
    return text;
}

static const char *write_text(Arena *arena, const char *path, const char *text)
{
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    const char *why = buffer_write_file(&buffer, path);
    buffer_destroy(&buffer);
    return why ? arena_printf(arena, "%s: %s", path, why) : NULL;
}

static void add_text(struct sha256_ctx *hash, const char *text)
{
    sha256_update(hash, strlen(text) + 1, (const uint8_t *)text); /* the zero parts it from the next */
}

static const char *finish_key(Arena *arena, struct sha256_ctx *hash)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    const char *text = "";
    sha256_digest(hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        text = arena_printf(arena, "%s%02x", text, digest[i]);
    }
    return text;
}

/* What decides the module besides the source. Objects use the instructions of the machine they are made on.
 */
static const char *key_of(Arena *arena, const char *text, ModuleRow row, const char *compiler)
{
    struct sha256_ctx hash;
    sha256_init(&hash);
    add_text(&hash, module_row_names[row]);
    add_text(&hash, compiler);
    add_text(&hash, target_why_not_here(target_named("avx2")) ? "" : "avx2 fma");
    for (int i = 0; i < simt_shim_count && row <= MODULE_WATCHED; i++) {
        add_text(&hash, simt_shims[i].text);
    }
    if (row > MODULE_WATCHED) {
        add_text(&hash, ptx_text_prelude);
    }
    add_text(&hash, text);
    return finish_key(arena, &hash);
}

static const char *beside(Arena *arena, const char *path, const char *extension)
{
    return arena_printf(arena, "%s.%s", path, extension);
}

/* A source that was written again with the same text left its module older than itself. A module that is not
 * older is left alone: a verification is taken for valid while it is newer than every module. */
static bool is_current(Arena *arena, const char *source, const char *output, const char *key)
{
    const char *known = read_text(arena, beside(arena, output, "key"));
    if (!known || strcmp(known, key) != 0 || access(output, R_OK) != 0) {
        return false;
    }
    if (platform_changed_at(output) < platform_changed_at(source)) {
        utimensat(AT_FDCWD, output, NULL, 0);
    }
    return true;
}

const char *module_noted_reason(Arena *arena, const char *object)
{
    const char *text = read_text(arena, beside(arena, object, "why"));
    return text && *text ? text : NULL;
}

static void note_reason(Arena *arena, const char *object, const char *why)
{
    const char *path = beside(arena, object, "why");
    if (why) {
        unlink(object);
        write_text(arena, path, why);
    } else {
        unlink(path);
    }
}

static const char forbidden[] = "forbidden by the contract: ";

bool module_reason_is_forbidden(const char *why)
{
    return strncmp(why, forbidden, strlen(forbidden)) == 0;
}

/* ---- compilers ---- */

static const char *first_line_of(Arena *arena, const char *const argv[], const char *with)
{
    Buffer said = {0};
    const char *why = child_exec(arena, (ChildLimits){10, 0}, argv, NULL, &said);
    const char *line = why ? NULL : strstr(buffer_string(&said), with);
    const char *text = line ? arena_copy_bytes(arena, line, strcspn(line, "\n")) : "";
    buffer_destroy(&said);
    return text;
}

static const char *version_line(Arena *arena, ModuleRow row)
{
    if (row == MODULE_PTX_NVCC) {
        if (ptx_compiler_missing(arena, PTX_NVCC)) {
            return "";
        }
        const char *const *command = ptx_compile_command(arena, "", "", "", PTX_NVCC);
        return first_line_of(arena, (const char *const[]){command[0], "--version", NULL}, "release ");
    }
    const char *const argv[] = {"sh", "-c", "exec ${SAMEBITS_CLANG:-clang} --version", NULL};
    return first_line_of(arena, argv, "version ");
}

const char *module_compiler_name(Arena *arena, ModuleRow row)
{
    const char *line = version_line(arena, row), *number = strchr(line, ' ');
    if (!number) {
        return "";
    }
    return arena_printf(arena, "%s %.*s", row == MODULE_PTX_NVCC ? "nvcc" : "clang",
                        (int)strcspn(number + 1, " ,-"), number + 1);
}

/* ---- one module ---- */

static const char *make_folder(Arena *arena, const char *path)
{
    char *copy = arena_copy(arena, path);
    for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            return arena_printf(arena, "%s: %s", copy, strerror(errno));
        }
        *at = '/';
    }
    return NULL;
}

/* The engine names the source by its whole path, which tells a reader nothing and hides its map of lines. */
static const char *without_folder(Arena *arena, const char *source, const char *text)
{
    char whole[PATH_MAX];
    if (!realpath(source, whole)) {
        return text;
    }
    *(strrchr(whole, '/') + 1) = 0;
    Buffer out = {0};
    for (const char *at; (at = strstr(text, whole)) != NULL; text = at + strlen(whole)) {
        buffer_append_string(&out, arena_copy_bytes(arena, text, (size_t)(at - text)));
    }
    buffer_append_string(&out, text);
    const char *result = arena_copy(arena, buffer_string(&out));
    buffer_destroy(&out);
    return result;
}

static const char *explain(Arena *arena, const char *source, const char *why)
{
    const char *slash = strrchr(source, '/'), *newline = strchr(why, '\n');
    if (!newline || strncmp(why, "skipped", 7) == 0) {
        return why;
    }
    const char *folder = slash ? arena_copy_bytes(arena, source, (size_t)(slash - source)) : ".";
    return explain_compiler_output(arena, folder, slash ? slash + 1 : source,
                                   without_folder(arena, source, newline + 1));
}

static const char *strip(Arena *arena, const char *path, const char *ending)
{
    const size_t size = strlen(path), end = strlen(ending);
    const bool has = size > end && strcmp(path + size - end, ending) == 0;
    return has ? arena_copy_bytes(arena, path, size - end) : path;
}

static const char *make_from_source(Arena *arena, const char *source, const char *text, const char *object,
                                    ModuleRow row, const char *compiler, bool *compiled)
{
    const char *key = key_of(arena, text, row, compiler);
    if (is_current(arena, source, object, key)) {
        return NULL;
    }
    const char *folder = arena_printf(arena, "%s/simt", strip(arena, object, strrchr(object, '/')));
    const bool metal = strcmp(strrchr(source, '.'), ".metal") == 0;
    const char *why = simt_compile(arena, source, object, row == MODULE_WATCHED ? SIMT_CHECKED : SIMT_PLAIN);
    if (!why && metal && row == MODULE_SOURCE) {
        why = simt_lint_metal(arena, source, folder);
    }
    *compiled = !why;
    return why ? explain(arena, source, why) : write_text(arena, beside(arena, object, "key"), key);
}

/* The translation is made each time, which takes milliseconds: what translates is this program. */
static const char *make_from_ptx(Arena *arena, const char *source, const char *text, const char *object,
                                 ModuleRow row, const char *compiler, bool *compiled)
{
    const PtxCompiler which = row == MODULE_PTX ? PTX_CLANG : PTX_NVCC;
    const char *stem = strip(arena, object, ".so"), *ptx = beside(arena, stem, "ptx"),
               *c = beside(arena, stem, "c"), *key = key_of(arena, text, row, compiler), *why = NULL;
    if (!is_current(arena, source, ptx, key)) {
        why = ptx_compile(arena, source, ptx, which);
        why = why ? why : write_text(arena, beside(arena, ptx, "key"), key);
    }
    if (why) {
        return why;
    }
    why = ptx_check(arena, ptx);
    if (why) {
        return arena_printf(arena, "%s%s", forbidden, why);
    }
    why = ptx_translate(arena, ptx, c);
    if (why) {
        return arena_printf(arena, "the PTX executor does not run this yet: %s",
                            arena_copy_bytes(arena, why, strcspn(why, "\n")));
    }
    const char *translated = key_of(arena, read_text(arena, c), row, compiler);
    if (is_current(arena, source, object, translated)) {
        return NULL;
    }
    why = ptx_build(arena, c, object, SIMT_PLAIN);
    *compiled = !why;
    return why ? why : write_text(arena, beside(arena, object, "key"), translated);
}

static const char *compile_with(Arena *arena, const char *source, const char *object, ModuleRow row,
                                const char *compiler, bool *compiled)
{
    const char *text = read_text(arena, source), *why = make_folder(arena, object);
    if (!text) {
        return arena_printf(arena, "%s cannot be read; `samebits generate` writes it", source);
    }
    if (!why) {
        why = (row <= MODULE_WATCHED ? make_from_source : make_from_ptx)(arena, source, text, object, row,
                                                                         compiler, compiled);
    }
    note_reason(arena, object, why);
    return why;
}

const char *module_compile(Arena *arena, const char *source, const char *object, ModuleRow row,
                           bool *compiled)
{
    return compile_with(arena, source, object, row, version_line(arena, row), compiled);
}

/* ---- a family ---- */

typedef struct Job {
    const char *source, *object, *what;
    ModuleRow row;
    const char **why;
} Job;

typedef struct Work {
    const char *compiler[MODULE_ROWS];
    Job *job;
    int jobs, end; /* of the wave that runs */
    atomic_int next, compiled;
    pthread_mutex_t lock; /* of the progress bar, and of the caller's arena */
    Progress progress;
    Arena *arena;
} Work;

static void do_job(Work *work, const Job *job)
{
    Arena *arena = arena_create();
    bool compiled = false;
    const char *why =
        compile_with(arena, job->source, job->object, job->row, work->compiler[job->row], &compiled);
    pthread_mutex_lock(&work->lock);
    *job->why = why ? arena_copy(work->arena, why) : NULL;
    progress_step(&work->progress, job->what);
    pthread_mutex_unlock(&work->lock);
    atomic_fetch_add(&work->compiled, compiled);
    arena_destroy(arena);
}

static void *do_jobs(void *context)
{
    Work *work = context;
    for (int job; (job = atomic_fetch_add(&work->next, 1)) < work->end;) {
        do_job(work, &work->job[job]);
    }
    return NULL;
}

static void add_jobs(Work *work, const Family *family, int variant, const char *out_dir, bool all_rows,
                     const char **why)
{
    Arena *arena = work->arena;
    const Variant *one = &family->variant[variant];
    for (int row = 0; row < MODULE_ROWS; row++) {
        const char **reason = &why[variant * build_count + row];
        *reason = row > 0 && !all_rows ? "not asked for" : module_row_why_not(one->target, (ModuleRow)row);
        if (!*reason) {
            work->job[work->jobs++] =
                (Job){arena_printf(arena, "%s/%s/%s", out_dir, family->name, one->source),
                      build_object_path(arena, family, one, out_dir, row), one->id, (ModuleRow)row, reason};
        }
    }
}

static void run_wave(Work *work, int end)
{
    pthread_t worker[WORKERS + 1];
    int started = 0;
    work->end = end;
    while (started < WORKERS && sysconf(_SC_NPROCESSORS_ONLN) > 1 &&
           pthread_create(&worker[started], NULL, do_jobs, work) == 0) {
        started++;
    }
    if (started == 0) {
        do_jobs(work);
    }
    for (int i = 0; i < started; i++) {
        pthread_join(worker[i], NULL);
    }
    atomic_store(&work->next, end);
}

/* The first job of a row writes the headers that the others find: those go first. */
static void run_jobs(Work *work)
{
    bool begun[MODULE_ROWS] = {false};
    int first = 0;
    for (int j = 0; j < work->jobs; j++) {
        const Job job = work->job[j];
        if (!begun[job.row]) {
            begun[job.row] = true;
            work->job[j] = work->job[first];
            work->job[first++] = job;
        }
    }
    run_wave(work, first);
    run_wave(work, work->jobs);
}

int modules_compile(Arena *arena, const Family *family, const char *out_dir, bool all_rows, bool progress,
                    const char **why)
{
    assert(build_count >= MODULE_ROWS);
    Work work = {.arena = arena, .job = ARENA_ARRAY(arena, Job, (size_t)family->variants * MODULE_ROWS + 1)};
    for (int v = 0; v < family->variants; v++) {
        if (family->variant[v].target->gpu) {
            add_jobs(&work, family, v, out_dir, all_rows, why);
        }
    }
    if (work.jobs == 0) {
        return 0;
    }
    for (int row = 0; row < MODULE_ROWS; row++) {
        work.compiler[row] = row == 0 || all_rows ? version_line(arena, (ModuleRow)row) : "";
    }
    pthread_mutex_init(&work.lock, NULL);
    progress_start(&work.progress, "compile gpu", work.jobs, progress);
    run_jobs(&work);
    progress_end(&work.progress);
    pthread_mutex_destroy(&work.lock);
    return atomic_load(&work.compiled);
}
