/* parts.c: what is around ranks: cuts, slices, which MPI is there by what programs say, and the command that
 * starts ranks. */
#include "mpi/cuts.h"
#include "mpi/mpirun.h"
#include "mpi/program.h"
#include "mpi/slices.h"

#include "../driver/folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- cuts ---- */

static void expect_cut(const RankCut *cut, int ranks, size_t size, size_t part)
{
    assert_int_equal(cut->ranks, ranks);
    assert_int_equal(cut->first[0], 0);
    assert_int_equal(cut->first[ranks], size);
    for (int r = 0; r < ranks; r++) {
        assert_true(cut->first[r] <= cut->first[r + 1]);
        assert_true(cut->first[r] % part == 0 || cut->first[r] == size);
    }
}

static void test_cuts_are_at_parts(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 1024, 1025, 100000}, parts[] = {1, 3, 1024};
    for (uint64_t call = 0; call < 200; call++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
                const int ranks = cuts_ranks(call);
                const RankCut cut = cuts_choose(call, ranks, sizes[s], parts[p]);
                expect_cut(&cut, ranks, sizes[s], parts[p]);
            }
        }
    }
}

/* In a few calls: a rank in the middle with nothing, the first and the last with nothing, one with
 * everything. */
static void test_cuts_have_empty_shares(void **state)
{
    (void)state;
    bool first = false, middle = false, last = false, alone = false, uneven = false;
    for (uint64_t call = 0; call < 35; call++) {
        const int ranks = cuts_ranks(call);
        const RankCut cut = cuts_choose(call, ranks, 4000, 10);
        int filled = 0;
        for (int r = 0; r < ranks; r++) {
            const bool empty = cut.first[r] == cut.first[r + 1];
            first |= empty && r == 0;
            last |= empty && r == ranks - 1;
            middle |= empty && r > 0 && r < ranks - 1;
            filled += !empty;
            uneven |= !empty && cut.first[r + 1] - cut.first[r] > 2 * 4000 / (size_t)ranks;
        }
        alone |= filled == 1 && ranks > 1;
    }
    assert_true(first && middle && last && alone && uneven);
}

static void test_even_cut(void **state)
{
    (void)state;
    const RankCut cut = cuts_even(4, 4100, 1024); /* five parts */
    const RankCut wanted = {.ranks = 4, .first = {0, 1024, 2048, 3072, 4100}};
    assert_memory_equal(&cut, &wanted, sizeof cut);
}

/* ---- slices ---- */

enum { A = 3, K = 7, B = 2 };

static void expect_slice(const Tensor *tensor, size_t first, size_t count)
{
    const Shape shape = {{A, K, B}};
    const WireTensor view = slice_view(tensor, &shape, 1);
    float whole[A * K * B], part[A * K * B], back[A * K * B];
    for (int i = 0; i < A * K * B; i++) {
        whole[i] = (float)i;
        back[i] = -1;
    }
    slice_cut(part, whole, &view, first, count);
    slice_put(back, part, &view, first, count);
    size_t taken = 0;
    for (size_t i = 0; i < (size_t)view.before * view.size * view.after; i++) {
        const size_t index = i / view.after % view.size;
        const bool in = !view.distributed || (index >= first && index < first + count);
        assert_true(back[i] == (in ? whole[i] : -1));
        if (in) {
            assert_true(part[taken++] == whole[i]);
        }
    }
    assert_int_equal(taken, slice_elements(&view, count));
}

static void test_slices(void **state)
{
    (void)state;
    static const Tensor tensors[] = {{.rank = 1, .dim = {1}},    {.rank = 2, .dim = {1, 2}},
                                     {.rank = 2, .dim = {0, 1}}, {.rank = 3, .dim = {0, 1, 2}},
                                     {.rank = 2, .dim = {0, 2}}, {.rank = 0}};
    for (size_t t = 0; t < sizeof tensors / sizeof *tensors; t++) {
        expect_slice(&tensors[t], 0, K);
        expect_slice(&tensors[t], 2, 3);
        expect_slice(&tensors[t], 5, 2);
        expect_slice(&tensors[t], 4, 0);
    }
}

/* ---- launchers, as scripts that say what real ones say ---- */

typedef struct Fixture {
    Arena *arena;
    const char *folder;
} Fixture;

static int set_up(void **state)
{
    static Fixture fixture;
    fixture.arena = arena_create();
    char *folder = realpath(folder_create(fixture.arena), NULL);
    fixture.folder = arena_copy(fixture.arena, folder);
    free(folder);
    unsetenv("SAMEBITS_MPI_HOSTFILE");
    unsetenv("SAMEBITS_MPIRUN_FLAGS");
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    const Fixture *fixture = *state;
    folder_remove(fixture->folder);
    arena_destroy(fixture->arena);
    return 0;
}

static void say(const Fixture *fixture, const char *variable, const char *name, const char *text)
{
    const char *script = arena_printf(fixture->arena, "#!/bin/sh\ncat <<'EOF'\n%s\nEOF\n", text);
    const char *path = folder_write(fixture->arena, fixture->folder, name, script);
    chmod(path, 0700);
    setenv(variable, path, 1);
}

static const Mpi *find(const Fixture *fixture, const char *launcher, const char *library, const char **why)
{
    say(fixture, "SAMEBITS_MPIRUN", "launch", launcher);
    say(fixture, "SAMEBITS_MPICC", "wrap",
        arena_printf(fixture->arena, "int x;\nsamebits-found %s", library));
    return mpi_find(fixture->arena, why);
}

static void expect_found(const Fixture *fixture, const char *launcher, const char *library, MpiKind kind,
                         const char *launcher_version, const char *library_version)
{
    const char *why = NULL;
    const Mpi *mpi = find(fixture, launcher, library, &why);
    if (!mpi) {
        fail_msg("%s", why);
    }
    assert_int_equal(mpi->kind, kind);
    assert_string_equal(mpi->launcher_version, launcher_version);
    assert_string_equal(mpi->library_version, library_version);
    assert_true(mpi->processors > 0);
    assert_true(mpi_oversubscribed(mpi, mpi->processors + 1) && !mpi_oversubscribed(mpi, mpi->processors));
}

static const char open_mpi_4[] = "mpirun.openmpi (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/",
                  open_mpi_5[] = "mpirun (Open MPI) 5.0.3\n\nReport bugs to https://www.open-mpi.org/",
                  hydra[] = "HYDRA build details:\n    Version:                                 4.0.2\n",
                  intel[] = "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307\nCopyright",
                  other[] = "some launcher 1.0";

static void test_versions(void **state)
{
    const Fixture *fixture = *state;
    expect_found(fixture, open_mpi_4, "\"Open MPI\" 4 1 4", MPI_KIND_OPEN_MPI, "Open MPI 4.1.4",
                 "Open MPI 4.1.4");
    expect_found(fixture, open_mpi_5, "\"Open MPI\" 5 0 1", MPI_KIND_OPEN_MPI, "Open MPI 5.0.3",
                 "Open MPI 5.0.1");
    expect_found(fixture, hydra, "\"MPICH\" \"4.0.2\"", MPI_KIND_MPICH, "MPICH 4.0.2", "MPICH 4.0.2");
    expect_found(fixture, intel, "\"Intel MPI\" \"2021.9\"", MPI_KIND_OTHER, "Intel MPI 2021.9",
                 "Intel MPI 2021.9");
    expect_found(fixture, other, "\"Open MPI\" 4 1 4", MPI_KIND_OTHER, "some launcher 1.0", "Open MPI 4.1.4");
}

static void expect_mixture(const Fixture *fixture, const char *launcher, const char *library,
                           const char *first, const char *second)
{
    const char *why = NULL;
    assert_null(find(fixture, launcher, library, &why));
    if (!strstr(why, "a mixture of MPI libraries") || !strstr(why, first) || !strstr(why, second)) {
        fail_msg("%s", why);
    }
}

static void test_mixtures(void **state)
{
    const Fixture *fixture = *state;
    expect_mixture(fixture, open_mpi_4, "\"MPICH\" \"4.0.2\"", "Open MPI 4.1.4", "MPICH 4.0.2");
    expect_mixture(fixture, hydra, "\"Open MPI\" 4 1 4", "MPICH 4.0.2", "Open MPI 4.1.4");
    expect_mixture(fixture, open_mpi_5, "\"Open MPI\" 4 1 4", "Open MPI 5.0.3", "Open MPI 4.1.4");
}

static void test_missing(void **state)
{
    const Fixture *fixture = *state;
    const char *why = NULL;
    say(fixture, "SAMEBITS_MPIRUN", "launch", open_mpi_4);
    setenv("SAMEBITS_MPICC", "/nonexistent/mpicc", 1);
    assert_null(mpi_find(fixture->arena, &why));
    assert_string_equal(why, "SAMEBITS_MPICC names '/nonexistent/mpicc', which is no program here");
    say(fixture, "SAMEBITS_MPICC", "wrap", "fatal error: mpi.h: No such file or directory");
    assert_null(mpi_find(fixture->arena, &why));
    assert_non_null(strstr(why, "does not find mpi.h: fatal error"));
    const char *path = arena_copy(fixture->arena, getenv("PATH"));
    unsetenv("SAMEBITS_MPIRUN");
    setenv("PATH", fixture->folder, 1);
    assert_null(mpi_find(fixture->arena, &why));
    setenv("PATH", path, 1);
    assert_string_equal(why, "no mpirun in PATH: apt-get install openmpi-bin");
}

/* The words of the command in one text, without the launcher's path. */
static const char *command_of(const Fixture *fixture, Mpi mpi)
{
    const char *text = "";
    mpi.mpirun = "mpirun";
    const char *const *word = mpi_command(fixture->arena, &mpi, 3, "/out/rank");
    for (int i = 0; word[i]; i++) {
        text = arena_printf(fixture->arena, "%s%s%s", text, i > 0 ? " " : "", word[i]);
    }
    return text;
}

static void test_commands(void **state)
{
    const Fixture *fixture = *state;
    Mpi open_mpi = {.kind = MPI_KIND_OPEN_MPI, .launcher_version = "Open MPI 4.1.4", .processors = 8};
    const Mpi mpich = {.kind = MPI_KIND_MPICH, .launcher_version = "MPICH 4.0.2", .processors = 2};
    assert_string_equal(
        command_of(fixture, open_mpi),
        "mpirun --oversubscribe -x SAMEBITS_RANK_ADDRESS -x SAMEBITS_RANK_TOKEN -np 3 /out/rank");
    open_mpi.root = true;
    open_mpi.launcher_version = "Open MPI 5.0.3";
    assert_string_equal(command_of(fixture, open_mpi),
                        "mpirun --allow-run-as-root --map-by :OVERSUBSCRIBE -x SAMEBITS_RANK_ADDRESS -x "
                        "SAMEBITS_RANK_TOKEN -np 3 /out/rank");
    assert_string_equal(command_of(fixture, mpich), "mpirun -np 3 /out/rank");
    assert_false(mpi_may_leave_this_host());
    setenv("SAMEBITS_MPI_HOSTFILE", "/my hosts", 1);
    setenv("SAMEBITS_MPIRUN_FLAGS", " -a  b ", 1);
    assert_true(mpi_may_leave_this_host());
    assert_string_equal(command_of(fixture, mpich), "mpirun -f /my hosts -a b -np 3 /out/rank");
    open_mpi.root = false;
    assert_string_equal(
        command_of(fixture, open_mpi),
        "mpirun --map-by :OVERSUBSCRIBE -x SAMEBITS_RANK_ADDRESS -x SAMEBITS_RANK_TOKEN --hostfile "
        "/my hosts -a b -np 3 /out/rank");
}

static void test_program_folder(void **state)
{
    const Fixture *fixture = *state;
    assert_string_equal(rank_program_folder(fixture->arena, "my/out/sum/obj/mpicc-O3/sum.so"), "my/out/rank");
    assert_string_equal(rank_program_folder(fixture->arena, "/out/sum/obj/mpicc-O3/sum.so"), "/out/rank");
    assert_string_equal(rank_program_folder(fixture->arena, "sum/obj/mpicc-O3/sum.so"), "rank");
    assert_string_equal(rank_program_folder(fixture->arena, "some/where/sum.so"), "some/where");
    assert_string_equal(rank_program_folder(fixture->arena, "sum.so"), ".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_are_at_parts),
        cmocka_unit_test(test_cuts_have_empty_shares),
        cmocka_unit_test(test_even_cut),
        cmocka_unit_test(test_slices),
        cmocka_unit_test_setup_teardown(test_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mixtures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_program_folder, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
