/* clocks.c: what NVML tells of clocks and of the driver, through a fake NVML; and what is said where it does
 * not.
 *
 * usage: test-cuda-clocks libfake_cuda.so libfake_nvml.so libfake_nvml_old.so. A device is asked in a child,
 * so the library's state begins anew each time. */
#include "cuda/clocks.h"
#include "cuda/cuda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char *fake_nvml, *old_nvml;

static int set_up(void **state)
{
    *state = arena_create();
    setenv("SAMEBITS_LIBNVML", fake_nvml, 1);
    setenv("FAKE_NVML", "", 1);
    return 0;
}

static int tear_down(void **state)
{
    arena_destroy(*state);
    return 0;
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' does not say '%s'", text, part);
}

static void test_clocks_fall(void **state)
{
    (void)state;
    CudaClocks clocks;
    cuda_clocks_open(&clocks, "0000:01:00.0"); /* takes the first sample */
    assert_string_equal(clocks.why, "");
    assert_int_equal(cuda_clocks_multiprocessor_mhz(&clocks), 1740);
    assert_int_equal(cuda_clocks_multiprocessor_mhz(&clocks), 1500);
    setenv("FAKE_NVML", "no-clock", 1); /* from now on: not known, and not the last one again */
    assert_int_equal(cuda_clocks_multiprocessor_mhz(&clocks), 0);
}

static CudaInfo examined(Arena *arena)
{
    CudaInfo info = {0};
    const char *why = cuda_examine(arena, &info);
    if (why)
        fail_msg("%s", why);
    return info;
}

static void test_device_has_clocks(void **state)
{
    const CudaInfo info = examined(*state);
    assert_string_equal(info.no_clocks, "");
    assert_string_equal(info.driver, "550.54.15");
    assert_string_equal(cuda_info_text(*state, &info), "Fake GPU 0 with driver 550.54.15 (CUDA 12.4)");
}

/* A device without clock rates is a device all the same, and says what is missing. */
static void test_no_clocks(void **state)
{
    const struct {
        const char *library, *flaw, *says;
        bool names_driver;
    } rows[] = {
        {"/nowhere/libnvml.so", "", "no clock rates: /nowhere/libnvml.so: cannot open shared object", false},
        {"libm.so.6", "", "no clock rates: NVML has no nvmlInit_v2; update the driver", false},
        {old_nvml, "", "no clock rates: NVML has no nvmlDeviceGetClockInfo; update the driver", true},
        {fake_nvml, "no-start", "no clock rates: nvmlInit_v2: Driver Not Loaded (NVML error 9)", false},
        {fake_nvml, "no-device", "no clock rates: nvmlDeviceGetHandleByPciBusId_v2: Not Found (NVML error 6)",
         true},
        {fake_nvml, "no-clock", "no clock rates: nvmlDeviceGetClockInfo: Not Supported (NVML error 3)", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("SAMEBITS_LIBNVML", rows[i].library, 1);
        setenv("FAKE_NVML", rows[i].flaw, 1);
        const CudaInfo info = examined(*state);
        assert_says(info.no_clocks, rows[i].says);
        if (rows[i].names_driver)
            assert_string_equal(info.driver, "550.54.15");
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    setenv("SAMEBITS_LIBCUDA", argv[1], 1);
    setenv("FAKE_CUDA", "", 1);
    fake_nvml = argv[2];
    old_nvml = argv[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clocks_fall, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_device_has_clocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_clocks, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
