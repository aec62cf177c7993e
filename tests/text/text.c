/* text.c: arena, buffer and files, diagnostics and near names. */

#include "platform/platform.h"
#include "text/arena.h"
#include "text/buffer.h"
#include "text/diagnostics.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- arena ---- */

static void arena_memory_is_zero_aligned_and_apart(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    Arena *arena = arena_create();
    unsigned char *memory[COUNT];
    size_t size[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size[i] = i % 97 == 0 ? 20000 + i * 10 : i % 61; /* some get blocks of their own */
        memory[i] = arena_alloc(arena, size[i], 1);
        assert_int_equal((uintptr_t)memory[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < size[i]; k++) {
            assert_int_equal(memory[i][k], 0);
        }
        memset(memory[i], (int)(i % 255) + 1, size[i]);
    }
    for (size_t i = 0; i < COUNT; i++) { /* nobody wrote into anybody else's */
        for (size_t k = 0; k < size[i]; k++) {
            assert_int_equal(memory[i][k], (int)(i % 255) + 1);
        }
    }
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void arena_strings(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    assert_string_equal(arena_copy(arena, ""), "");
    assert_string_equal(arena_copy_bytes(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_copy_bytes(arena, NULL, 0), "");
    const char *text = arena_printf(arena, "%0*d", 70000, 7);
    assert_int_equal(strlen(text), 70000);
    assert_int_equal(text[69999], '7');
    arena_destroy(arena);
}

/* A product that overflows ends the process with status 1 and one line. */
static void arena_overflow_is_out_of_memory(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        arena_alloc(arena_create(), SIZE_MAX / 4, 8);
        _exit(77);
    }
    close(ends[1]);
    char message[200] = {0};
    assert_true(read(ends[0], message, sizeof message - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_int_equal(strncmp(message, "samebits: out of memory; ", 25), 0);
}

/* ---- buffer ---- */

static void buffer_grows_and_keeps_its_end(void **state)
{
    (void)state;
    Buffer buffer = {0};
    assert_string_equal(buffer_string(&buffer), "");
    buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "");
    for (int i = 0; i < 10000; i++) {
        buffer_printf(&buffer, "%d,", i % 10);
        assert_int_equal(buffer.data[buffer.size], '\0');
    }
    buffer_append_string(&buffer, "end");
    buffer_append(&buffer, "a\0b", 3);
    assert_int_equal(buffer.size, 20006);
    assert_memory_equal(buffer.data + 19998, "9,enda\0b", 9);
    buffer_destroy(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

/* ---- files, in a directory of the test's own ---- */

typedef struct Folder {
    char path[64], file[80];
} Folder;

static int make_folder(void **state)
{
    Folder *folder = calloc(1, sizeof *folder);
    const char *base = getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 32 ? getenv("TMPDIR") : P_tmpdir;
    snprintf(folder->path, sizeof folder->path, "%s/samebits-test-XXXXXX", base);
    if (!mkdtemp(folder->path)) {
        return -1;
    }
    snprintf(folder->file, sizeof folder->file, "%s/file", folder->path);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    Folder *folder = *state;
    unlink(folder->file);
    const int result = rmdir(folder->path);
    free(folder);
    return result;
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    int count = 0;
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count - 2; /* . and .. */
}

static void write_text(const char *path, const char *text)
{
    Buffer buffer = {0};
    buffer_append_string(&buffer, text);
    assert_null(buffer_write_file(&buffer, path));
    buffer_destroy(&buffer);
}

static void files_come_back_as_written(void **state)
{
    const Folder *folder = *state;
    Buffer written = {0}, read_back = {0};
    for (int i = 0; i < 200000; i++) {
        buffer_append(&written, "\0\n\r\xff", 4);
    }
    assert_null(buffer_write_file(&written, folder->file));
    buffer_append_string(&read_back, "kept");
    assert_null(buffer_read_file(&read_back, folder->file, written.size));
    assert_int_equal(read_back.size, written.size + 4);
    assert_memory_equal(read_back.data, "kept", 4);
    assert_memory_equal(read_back.data + 4, written.data, written.size);
    assert_int_equal(entries(folder->path), 1);
    written.size = 0;
    assert_null(buffer_write_file(&written, folder->file));
    read_back.size = 0;
    assert_null(buffer_read_file(&read_back, folder->file, 0));
    assert_int_equal(read_back.size, 0);
    buffer_destroy(&written);
    buffer_destroy(&read_back);
}

static void a_file_is_replaced_only_when_it_differs(void **state)
{
    const Folder *folder = *state;
    struct stat first, second;
    write_text(folder->file, "one");
    assert_int_equal(stat(folder->file, &first), 0);
    const int64_t changed = platform_changed_at(folder->file);
    write_text(folder->file, "one");
    assert_int_equal(stat(folder->file, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino); /* a rename would have brought another inode */
    assert_int_equal(changed, platform_changed_at(folder->file));
    const int held = open(folder->file, O_RDONLY); /* keeps the old inode's number from being used again */
    write_text(folder->file, "two");
    assert_int_equal(stat(folder->file, &second), 0);
    assert_int_not_equal(first.st_ino, second.st_ino);
    char old[4] = {0};
    assert_int_equal(read(held, old, 3), 3);
    assert_string_equal(old, "one"); /* who had it open still reads all of the old file */
    close(held);
}

static void unreadable_files_give_a_reason(void **state)
{
    const Folder *folder = *state;
    Buffer buffer = {0};
    assert_string_equal(buffer_read_file(&buffer, folder->file, 100), "No such file or directory");
    assert_string_equal(buffer_read_file(&buffer, folder->path, 100), "it is a directory, not a file");
    write_text(folder->file, "four");
    assert_null(buffer_read_file(&buffer, folder->file, 4));
    assert_string_equal(buffer_read_file(&buffer, folder->file, 3), "the file is too large");
    assert_string_equal(buffer_string(&buffer), "four"); /* nothing half-read is left */
    unlink(folder->file);
    assert_int_equal(mkfifo(folder->file, 0600), 0); /* must not wait for a writer */
    assert_string_equal(buffer_read_file(&buffer, folder->file, 100), "it is not a regular file");
    assert_string_equal(buffer_write_file(&buffer, folder->file), "it is not a regular file");
    buffer_destroy(&buffer);
}

static void unwritable_files_give_a_reason(void **state)
{
    const Folder *folder = *state;
    Buffer buffer = {0};
    buffer_append_string(&buffer, "text");
    char nowhere[100];
    snprintf(nowhere, sizeof nowhere, "%s/none/file", folder->path);
    assert_string_equal(buffer_write_file(&buffer, nowhere), "No such file or directory");
    assert_string_equal(buffer_write_file(&buffer, folder->path), "it is a directory, not a file");
    assert_int_equal(entries(folder->path), 0);
    buffer_destroy(&buffer);
}

/* A full disk: the old file stays whole and nothing is left beside it. RLIMIT_FSIZE stands in for the disk.
 */
static void a_failed_write_leaves_the_old_file(void **state)
{
    const Folder *folder = *state;
    write_text(folder->file, "old");
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const struct rlimit limit = {1000, 1000};
        setrlimit(RLIMIT_FSIZE, &limit);
        Buffer large = {0};
        buffer_printf(&large, "%05000d", 1);
        const char *reason = buffer_write_file(&large, folder->file);
        _exit(reason && strcmp(reason, "File too large") == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    Buffer buffer = {0};
    assert_null(buffer_read_file(&buffer, folder->file, 100));
    assert_string_equal(buffer.data, "old");
    assert_int_equal(entries(folder->path), 1);
    buffer_destroy(&buffer);
}

/* ---- diagnostics ---- */

static void diagnostics_say_where(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    assert_false(diagnostics_any(&diagnostics));
    diagnostics_error(&diagnostics, (Location){"a.lua", 4, 12}, "no %s", "way");
    diagnostics_error(&diagnostics, (Location){"a.lua", 4, 0}, "100%%");
    diagnostics_error(&diagnostics, (Location){"a.lua", 0, 0}, "x");
    diagnostics_error(&diagnostics, (Location){0}, "x");
    assert_true(diagnostics_any(&diagnostics));
    assert_int_equal(diagnostics.count, 4);
    assert_string_equal(diagnostics.message[0], "a.lua:4:12: error: no way");
    assert_string_equal(diagnostics.message[1], "a.lua:4: error: 100%");
    assert_string_equal(diagnostics.message[2], "a.lua: error: x");
    assert_string_equal(diagnostics.message[3], "error: x");
    arena_destroy(arena);
}

static void diagnostics_are_limited_but_counted(void **state)
{
    (void)state;
    Arena *arena = arena_create();
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    for (int i = 0; i < DIAGNOSTICS_LIMIT + 5; i++) {
        diagnostics_error(&diagnostics, (Location){0}, "%d", i);
    }
    char *printed = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&printed, &size);
    diagnostics_print(&diagnostics, stream);
    fclose(stream);
    assert_non_null(strstr(printed, "error: 19\nand 5 more; correct these first\n"));
    assert_null(strstr(printed, "error: 20"));
    free(printed);
    arena_destroy(arena);
}

static void near_names(void **state)
{
    (void)state;
    static const char *const names[] = {"chunk", "halving", "lanes", "pairwise",
                                        "rsqrt", "seq",     "sqrt",  NULL};
    static const struct {
        const char *written, *meant;
    } cases[] = {
        {"pairwize", "pairwise"},
        {"lnaes", "lanes"},
        {"LANES", "lanes"},
        {"sq", "seq"},
        {"rsqr", "rsqrt"},
        {"sqr", "sqrt"},
        {"sqrtt", "sqrt"},
        {"qsrt", "sqrt"},
        {"halvings", "halving"},
        {"banana", NULL},
        {"", NULL},
        {"s", NULL},
        {"lines up", NULL},
        {"xyz", NULL},
        {"pairpairpairwise", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = diagnostics_nearest(cases[i].written, names);
        if (!cases[i].meant) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, cases[i].meant);
        }
    }
    char longest[1000];
    memset(longest, 's', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(diagnostics_nearest(longest, names));
}

#define IN_FOLDER(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_zero_aligned_and_apart),
        cmocka_unit_test(arena_strings),
        cmocka_unit_test(arena_overflow_is_out_of_memory),
        cmocka_unit_test(buffer_grows_and_keeps_its_end),
        IN_FOLDER(files_come_back_as_written),
        IN_FOLDER(a_file_is_replaced_only_when_it_differs),
        IN_FOLDER(unreadable_files_give_a_reason),
        IN_FOLDER(unwritable_files_give_a_reason),
        IN_FOLDER(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(diagnostics_say_where),
        cmocka_unit_test(diagnostics_are_limited_but_counted),
        cmocka_unit_test(near_names),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
