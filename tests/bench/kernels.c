/* kernels.c: functions for the timing protocol to time: y = x * 2 for rows x cols. */
#include <stddef.h>

void twice(const float *x, float *y, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows * cols; i++)
        y[i] = x[i] * 2.0f;
}

void twice_slowly(const float *x, float *y, size_t rows, size_t cols)
{
    for (int again = 0; again < 8; again++) {
        twice(x, y, rows, cols);
        __asm__ volatile("" : : "r"(y) : "memory");
    }
}

void crash(const float *x, float *y, size_t rows, size_t cols)
{
    (void)x, (void)y, (void)rows, (void)cols;
    __builtin_trap();
}
