/* npy.c: .npy files written byte by byte from the format's specification; every way to be wrong; random
 * damage. */
#include "array/npy.h"

#include "driver/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Fixture {
    Arena *arena;
    char folder[32];
    const char *path;
} Fixture;

static int set_up(void **state)
{
    static Fixture fixture;
    fixture.arena = arena_create();
    strcpy(fixture.folder, "samebits-test-XXXXXX");
    if (!mkdtemp(fixture.folder)) {
        return -1;
    }
    fixture.path = arena_printf(fixture.arena, "%s/a.npy", fixture.folder);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    remove(fixture->path);
    rmdir(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static void put_file(const char *path, const void *bytes, size_t size)
{
    remove(path); /* ext4 writes a file through to the disk when it is cut to nothing and filled again */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A file as its specification says: version, dict, padding to 64 bytes when `pad`, data. */
static void put_npy(const Fixture *fixture, int major, const char *dict, bool pad, const void *data,
                    size_t size)
{
    Buffer file = {0};
    const size_t width = major == 1 ? 2 : 4;
    size_t length = strlen(dict) + 1;
    while (pad && (8 + width + length) % 64 != 0) {
        length++;
    }
    const unsigned char start[12] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)major, 0, length & 255, (unsigned char)(length >> 8),
        0,    0};
    buffer_append(&file, (const char *)start, 8 + width);
    buffer_append_string(&file, dict);
    for (size_t i = strlen(dict) + 1; i < length; i++) {
        buffer_append_string(&file, " ");
    }
    buffer_append_string(&file, "\n");
    buffer_append(&file, data, size);
    put_file(fixture->path, file.data, file.size);
    buffer_destroy(&file);
}

static NpyArray expect_read(const Fixture *fixture)
{
    NpyArray array;
    const char *why = npy_read(fixture->arena, fixture->path, &array);
    if (why) {
        fail_msg("%s", why);
    }
    assert_int_equal((uintptr_t)array.data % 64, 0);
    return array;
}

static void expect_refusal(const Fixture *fixture, const char *part)
{
    NpyArray array;
    const char *why = npy_read(fixture->arena, fixture->path, &array);
    assert_non_null(why);
    if (!strstr(why, part)) {
        fail_msg("'%s' is not in: %s", part, why);
    }
    assert_null(array.data);
    assert_int_equal(array.rank, 0);
}

/* numpy.save(path, numpy.array([[1, 2, 3], [-4, 0.5, numpy.nan]], dtype='<f4')), as NumPy 1.24 wrote it. */
static const unsigned char written_by_numpy[] =
    "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
    "                                                          \n"
    "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\xc0\x00\x00\x00\x3f\x00\x00\xc0\x7f";

static void test_file_of_numpy(void **state)
{
    const Fixture *fixture = *state;
    _Static_assert(sizeof written_by_numpy - 1 == 128 + 24, "128 bytes of header, six elements");
    put_file(fixture->path, written_by_numpy, sizeof written_by_numpy - 1);
    const NpyArray array = expect_read(fixture);
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.shape[0], 2);
    assert_int_equal(array.shape[1], 3);
    assert_true(array.data[0] == 1 && array.data[1] == 2 && array.data[2] == 3);
    assert_true(array.data[3] == -4 && array.data[4] == 0.5f && array.data[5] != array.data[5]);
}

static void test_what_is_written_is_what_numpy_writes(void **state)
{
    const Fixture *fixture = *state;
    uint32_t bits[6] = {0x3f800000, 0x40000000, 0x40400000, 0xc0800000, 0x3f000000, 0x7fc00000};
    float data[6];
    memcpy(data, bits, sizeof data);
    assert_null(npy_write(fixture->path, &(NpyArray){data, 2, {2, 3}}));
    Buffer file = {0};
    assert_null(buffer_read_file(&file, fixture->path, 1 << 20));
    assert_int_equal(file.size, sizeof written_by_numpy - 1);
    assert_memory_equal(file.data, written_by_numpy, sizeof written_by_numpy - 1);
    buffer_destroy(&file);
}

static void test_spellings(void **state)
{
    const Fixture *fixture = *state;
    const float data[4] = {1, 2, 3, 4};
    static const char *const dicts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}",
        "{\"shape\":(4,),\"descr\":\"<f4\",\"fortran_order\":False}",
        " { 'fortran_order' : False , 'shape' : ( 4L , ) , 'descr' : '<f4' } ",
    };
    for (size_t i = 0; i < sizeof dicts / sizeof dicts[0]; i++) {
        for (int major = 1; major <= 3; major++) {
            put_npy(fixture, major, dicts[i], i % 2 == 0, data, sizeof data);
            const NpyArray array = expect_read(fixture);
            assert_int_equal(array.rank, 1);
            assert_int_equal(array.shape[0], 4);
            assert_memory_equal(array.data, data, sizeof data);
        }
    }
}

static void test_ranks(void **state)
{
    const Fixture *fixture = *state;
    float data[24];
    for (int i = 0; i < 24; i++) {
        data[i] = (float)i;
    }
    const NpyArray arrays[] = {
        {data, 0, {0}},       {data, 1, {24}},          {data, 2, {0, 7}},
        {data, 3, {2, 3, 4}}, {data, 2, {SIZE_MAX, 0}}, {data, 8, {1, 2, 1, 3, 1, 4, 1, 1}},
    };
    const size_t elements[] = {1, 24, 0, 24, 0, 24};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        assert_null(npy_write(fixture->path, &arrays[i]));
        const NpyArray array = expect_read(fixture);
        assert_int_equal(array.rank, arrays[i].rank);
        assert_memory_equal(array.shape, arrays[i].shape, (size_t)array.rank * sizeof array.shape[0]);
        assert_memory_equal(array.data, data, elements[i] * sizeof(float));
    }
}

/* One wrong thing at a time, and words of its reason and cure. */
static void test_wrong_contents(void **state)
{
    const Fixture *fixture = *state;
    static const struct {
        const char *dict, *part;
    } rows[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }",
         "dtype is '<f8', float32 is needed: save it with array.astype(numpy.float32)"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }", "dtype is '<f2'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (4,), }", "dtype is '|O'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (4,), }",
         "big-endian): save it with array.astype('<f4')"},
        {"{'descr': '>f8', 'fortran_order': False, 'shape': (4,), }", "dtype is '>f8'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", "has fields"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }",
         "Fortran order: save it with numpy.ascontiguousarray(array)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }",
         "needs 20 bytes of data and 16 are there"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "4 bytes behind its data"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "12 bytes behind its data"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
         "more elements than any memory holds"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387908,), }",
         "more elements than any memory holds"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551620,), }",
         "larger than any memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", "is truncated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,4), }",
         "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }", "no whole number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4.0,), }", "a comma is missing in the shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (04,), }", "leading zero"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4), }", "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [4], }", "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (,), }", "no whole number"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (4,), }", "neither True nor False"},
        {"{'descr': None, 'fortran_order': False, 'shape': (4,), }", "descr is no string"},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (4,), }", "malformed"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (4,), }", "a comma is missing"},
        {"{'descr': '<f4', 'shape': (4,), }", "is missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", "twice"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'more': 1}", "'more' is unknown"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), } x", "text after the dict"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), ", "a key is missing"},
        {"__import__('os').system('true')", "no dict"},
        {"", "no dict"},
    };
    const float data[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_npy(fixture, 1 + (int)(i % 3), rows[i].dict, true, data, sizeof data);
        expect_refusal(fixture, rows[i].part);
    }
}

static void test_wrong_files(void **state)
{
    const Fixture *fixture = *state;
    expect_refusal(fixture, "there is no such file");
    put_file(fixture->path, "", 0);
    expect_refusal(fixture, "is empty");
    put_file(fixture->path, "PK\3\4 an archive of numpy.savez", 20);
    expect_refusal(fixture, "is no .npy file: write it with numpy.save(path, array)");
    put_file(fixture->path, "\x93NUMPY\x04\x00\x10\x00\x00\x00", 12);
    expect_refusal(fixture, "version 4.0");
    put_file(fixture->path, "\x93NUMPY\x02\x00\xff\xff\xff\xff", 12);
    expect_refusal(fixture, "a header of 4294967295 bytes");
    for (size_t size = 6; size < sizeof written_by_numpy - 1; size++) {
        put_file(fixture->path, written_by_numpy, size);
        expect_refusal(fixture, "is truncated");
    }
    remove(fixture->path);
    assert_int_equal(mkdir(fixture->path, 0755), 0);
    expect_refusal(fixture, "is a directory");
    assert_string_equal(npy_write(fixture->path, &(NpyArray){NULL, 1, {0}}),
                        "is a directory: name a file in it");
    rmdir(fixture->path);
    assert_int_equal(mkfifo(fixture->path, 0644), 0);
    expect_refusal(fixture, "is no regular file"); /* and does not wait for a writer */
}

static uint64_t next_random(uint64_t *state) /* xorshift64* (Vigna) */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* Damage of 1 to 4 bytes in a valid file, cuts included: read whole or refused with a reason; never a crash,
 * never another size. */
static void test_damaged_files(void **state)
{
    enum { TRIALS = 3000 };
    const Fixture *fixture = *state;
    static const char likely[] = "'\"(){}[],: 0123456789<>fLTF\n\\";
    uint64_t random = 20240229;
    int refused = 0, accepted = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        unsigned char bytes[sizeof written_by_numpy];
        size_t size = sizeof written_by_numpy - 1;
        memcpy(bytes, written_by_numpy, size);
        const size_t reach = trial % 2 ? 70 : size; /* every second time where the dict is */
        for (uint64_t i = next_random(&random) % 4 + 1; i > 0; i--) {
            const uint64_t r = next_random(&random);
            bytes[(r >> 32) % reach] =
                r & 1 ? (unsigned char)likely[(r >> 8) % (sizeof likely - 1)] : (unsigned char)(r >> 8);
        }
        if (trial % 8 == 0) {
            size = next_random(&random) % size;
        }
        put_file(fixture->path, bytes, size);
        Arena *arena = arena_create();
        NpyArray array;
        const char *why = npy_read(arena, fixture->path, &array);
        size_t elements = 1;
        for (int i = 0; i < array.rank; i++) {
            elements *= array.shape[i];
        }
        why ? assert_true(*why && !array.data) : assert_true(elements * 4 <= size && array.data);
        refused += why != NULL;
        accepted += why == NULL;
        arena_destroy(arena);
    }
    assert_true(refused > TRIALS / 2 && accepted > 50); /* damage to data is no damage to the format */
}

/* Writing. */

static void work_full_disk(void *context, FILE *out)
{
    const Fixture *fixture = context;
    signal(SIGXFSZ,
           SIG_IGN); /* the write then fails with EFBIG, as it does with ENOSPC when the disk is full */
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
    float data[4096] = {0};
    fprintf(out, "%s", npy_write(fixture->path, &(NpyArray){data, 1, {4096}}));
}

static int entries_in(const char *folder, Arena *arena)
{
    Buffer names = {0};
    const char *const argv[] = {"ls", "-A", folder, NULL};
    assert_null(child_exec(arena, (ChildLimits){30, 0}, argv, NULL, &names));
    int lines = 0;
    for (size_t i = 0; i < names.size; i++) {
        lines += names.data[i] == '\n';
    }
    buffer_destroy(&names);
    return lines;
}

static void test_full_disk_keeps_the_old_file(void **state)
{
    Fixture *fixture = *state;
    float old = 7;
    assert_null(npy_write(fixture->path, &(NpyArray){&old, 0, {0}}));
    Buffer said = {0};
    assert_null(child_run(fixture->arena, (ChildLimits){30, 0}, work_full_disk, fixture, &said));
    assert_string_equal(buffer_string(&said),
                        "the disk is full: make room or choose another folder; no half file was left");
    buffer_destroy(&said);
    const NpyArray array = expect_read(fixture);
    assert_true(array.rank == 0 && array.data[0] == 7);
    assert_int_equal(entries_in(fixture->folder, fixture->arena), 1);
}

static void test_places_that_cannot_be_written(void **state)
{
    Fixture *fixture = *state;
    float value = 1;
    const NpyArray array = {&value, 0, {0}};
    assert_string_equal(npy_write("no/such/folder/y.npy", &array),
                        "its folder does not exist: create it first");
    assert_string_equal(npy_write("/dev/full", &array),
                        "is no regular file: name another one"); /* not replaced either */
    struct stat about;
    assert_int_equal(stat("/dev/full", &about), 0);
    assert_true(S_ISCHR(about.st_mode));
    if (geteuid() != 0) {
        chmod(fixture->folder, 0555);
        const char *why = npy_write(fixture->path, &array);
        chmod(fixture->folder, 0755);
        assert_non_null(why);
        assert_non_null(strstr(why, "may not be written here"));
    }
    assert_int_equal(entries_in(fixture->folder, fixture->arena), 0);
}

static void test_link_stays_a_link(void **state)
{
    Fixture *fixture = *state;
    float value = 1;
    const char *link = arena_printf(fixture->arena, "%s/link.npy", fixture->folder);
    assert_null(npy_write(fixture->path, &(NpyArray){&value, 0, {0}}));
    assert_int_equal(symlink("a.npy", link), 0);
    value = 2;
    assert_null(npy_write(link, &(NpyArray){&value, 0, {0}}));
    struct stat about;
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_true(expect_read(fixture).data[0] == 2);
    remove(link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file_of_numpy),
        TEST(test_what_is_written_is_what_numpy_writes),
        TEST(test_spellings),
        TEST(test_ranks),
        TEST(test_wrong_contents),
        TEST(test_wrong_files),
        TEST(test_damaged_files),
        TEST(test_full_disk_keeps_the_old_file),
        TEST(test_places_that_cannot_be_written),
        TEST(test_link_stays_a_link),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
